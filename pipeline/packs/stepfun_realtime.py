"""StepFun realtime: one ``session.update`` a persona, in the flat (beta) shape.

Sources: https://platform.stepfun.com/docs/zh/api-reference/realtime/chat and …/zh/guides/developer/realtime (2026-06),
tags of step-1o-audio from the vendor's https://github.com/stepfun-ai/Step-Realtime-Console.  Tone has no field of its
own and goes in the instructions.  The voice cannot be changed by a later update.

The guide's ``response.create`` may bring instructions for an opening line, in a ``session`` that then stands in the
place of the persona's own; so the opening line is in the instructions from the start, and the event is a bare one.
"""

import re
from collections.abc import Iterator

from pipeline.errors import Fault
from pipeline.packs.openai_realtime import system_item
from pipeline.packs.opening import opening, response_create
from pipeline.packs.persona import Persona
from pipeline.packs.stepfun_voices import CATALOGUE, STEP_1O_AUDIO, STEP_AUDIO_2, STEP_AUDIO_2_MINI
from pipeline.packs.target import Document, Socket, Target
from pipeline.readings.stepaudio import stepaudio_faults, stepaudio_reading
from pipeline.schema_check import schema_faults

VOICES = {
    "stepaudio-2.5-realtime": CATALOGUE,
    "step-audio-2": STEP_AUDIO_2,
    "step-audio-2-mini": STEP_AUDIO_2_MINI,
    "step-1o-audio": STEP_1O_AUDIO,
}
MODELS = tuple(VOICES)
MINI, TAGGED = "step-audio-2-mini", "step-1o-audio"

# Energy (0–5000) that counts as speech; the default 2500 is for a quiet room, road and kitchen noise wake it.
THRESHOLD, THRESHOLD_LOUD = 2500, 3500

# The mini model's instructions must end with the sentence of its voice, in Chinese whatever the persona speaks.
CLOSINGS = {"qingchunshaonv": "请使用默认女声与用户交流", "wenrounansheng": "请使用默认男声与用户交流"}

# step-1o-audio reads one tag at the head of a reply, in full-width brackets; emotions go before speeds.
EMOTIONS = ("高兴1", "高兴2", "生气1", "生气2", "悲伤1", "低语1")
SPEEDS = {-2: "慢速2", -1: "慢速1", 1: "快速1", 2: "快速2"}
TAG = re.compile("（([^（）]*)）")
TAG_RULES = {
    "en": "At the head of a reply you may set one tag in full-width brackets; it steers your voice and is not spoken. "
    "Of yours, the first that fits: {}. Set no other tag, and never two.",
    "zh": "回复开头可以放一个全角括号的标签，它只管你的声音，不念出来。你用的有这些，靠前的优先：{}。"
    "别的标签不用，也不同时用两个。",
}
NO_TAG = {"en": "Set no tag in brackets at the head of a reply.", "zh": "回复开头不放括号标签。"}
EMOTION_USE = {"en": "（{}） where your tone is at its fullest", "zh": "（{}），语气最浓的时候用"}
SPEED_USE = {"en": "（{}） for ordinary replies", "zh": "（{}），平常用"}


def session_update(persona: Persona, model: str = MODELS[0]) -> Document:
    voice = VOICES[model].choose(persona.seed)
    told = (persona.scene, opening(persona), _tag_rule(persona) if model == TAGGED else "")
    closing = (CLOSINGS[voice],) if model == MINI else ()
    return {
        "event_id": f"persona_{persona.id}",
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": "\n\n".join((*filter(None, told), *closing)),
            "voice": voice,
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "turn_detection": {
                "type": "server_vad",
                "prefix_padding_ms": 500,
                "silence_duration_ms": persona.pause_ms,
                "energy_awakeness_threshold": THRESHOLD_LOUD if persona.in_a_loud_place else THRESHOLD,
            },
        },
    }


def _tag_rule(persona: Persona) -> str:
    lang = persona.seed.lang
    emotion, speed = _emotion(persona), SPEEDS.get(persona.pace)
    uses = [use[lang].format(tag) for use, tag in ((EMOTION_USE, emotion), (SPEED_USE, speed)) if tag is not None]
    return TAG_RULES[lang].format({"en": "; ", "zh": "；"}[lang].join(uses)) if uses else NO_TAG[lang]


def _emotion(persona: Persona) -> str | None:
    """The one emotion of six that the tone comes near to, if any: a tag is heard far more than a word in a scene.

    Never anger, which the vendor's own instructions keep from users, and sadness only in the gravest tone.
    """
    tone = persona.tone
    if tone.valence >= 50 and tone.arousal >= 50:
        return "高兴2"
    if tone.valence >= 35 and tone.arousal >= 15:
        return "高兴1"
    if tone.arousal <= -40 and tone.dominance < 0 and persona.energy < 0:
        return "低语1"
    if tone.valence <= -30 and tone.arousal < 0:
        return "悲伤1"
    return None


def instructions(document: Document) -> str:
    return str(document["session"]["instructions"])


def faults(document: Document, model: str = MODELS[0]) -> list[Fault]:
    """Against the closed schema in schemas/vendor/, and what the documentation asks of each model."""
    name = str(document.get("event_id"))
    found = schema_faults("vendor/stepfun-realtime", document, name, 0)
    return found or [Fault(name, 0, *fault) for fault in _model_faults(document["session"], model or MODELS[0])]


def _model_faults(session: Document, model: str) -> Iterator[tuple[str, str, str]]:
    known = [voice.id for voice in VOICES[model].voices]
    told = session["instructions"]
    if session["voice"] not in known:
        yield "session.voice", f"{model} has no voice {session['voice']!r}", f"Choose one of {', '.join(known)}."
    elif model == MINI and not told.endswith(CLOSINGS[session["voice"]]):
        closing = CLOSINGS[session["voice"]]
        yield "session.instructions", f"for this voice they must end with “{closing}”", "Add it, with no full stop."
    if model == TAGGED:
        for tag in TAG.findall(told.rpartition("\n\n")[2]):
            if tag not in {*EMOTIONS, *SPEEDS.values()}:
                yield "session.instructions", f"{model} knows no tag （{tag}）", "See EMOTIONS and SPEEDS."


def event_faults(document: Document) -> list[Fault]:
    forms = {"response.create": "ResponseCreate", "conversation.item.create": "ConversationItemCreate"}
    name = str(document.get("type"))
    if name not in forms:
        return [Fault(name, 0, "type", "no event for a greeting or an anchor", f"Use {' or '.join(forms)}.")]
    return schema_faults(f"vendor/stepfun-realtime#{forms[name]}", document, name, 0)


TARGET = Target(
    about="StepFun realtime: session.update in the flat shape.",
    export=session_update,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "speaking rate, pitch and energy as numbers",
        "noise reduction",
        "timbre and accent beyond the choice of voice",
    ),
    imports="import os, websockets",
    client="""\
key = {{"Authorization": f"Bearer {{os.environ['STEPFUN_API_KEY']}}"}}
async with websockets.connect("wss://api.stepfun.com/v1/realtime?model={model}", additional_headers=key) as session:
    await session.send(open("{config}").read())""",
    models=MODELS,
    also_called={"step-2.5-realtime": "stepaudio-2.5-realtime"},
    voices=CATALOGUE,
    voices_by_model=VOICES,
    greeting=response_create,
    anchor=system_item,
    event_faults=event_faults,
    reading=lambda persona: stepaudio_reading(persona, CATALOGUE.choose(persona.seed)),
    reading_faults=stepaudio_faults,
    socket=Socket("/v1/realtime?model={model}", lambda document: document, frozenset({"session.updated"})),
)
