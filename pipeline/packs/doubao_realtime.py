"""Doubao end-to-end realtime speech (Volcengine): the payload of ``StartSession`` for the O2.0 models.

Source: https://www.volcengine.com/docs/6561/1594356 (2026-09) and the types that the package `volcengine-audio` has of
it.  Who the persona is and how it speaks are two fields.  Payloads travel in binary frames, events by their number:
StartSession 100, UpdateConfig 201, SayHello 300.
"""

import re

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.shortening import joined
from pipeline.packs.speaking_rate import usual_rate
from pipeline.packs.target import Document, Limit, Target
from pipeline.packs.voices import VendorVoice, VoiceTable
from pipeline.scene_parts import GAP
from pipeline.schema_check import schema_faults

# Described by the vendor as lively and fond of sharing, sweet with a Taiwan accent, fresh and steady, fresh and
# magnetic; ages are read off that.  The API speaks Chinese and English.
VOICES = VoiceTable(
    (
        VendorVoice("zh_female_xiaohe_jupiter_bigtts", "female", "young"),
        VendorVoice("zh_female_vv_jupiter_bigtts", "female", "adult"),
        VendorVoice("zh_male_yunzhou_jupiter_bigtts", "male", "adult", timbre=("level", "calm", "稳", "平")),
        VendorVoice("zh_male_xiaotian_jupiter_bigtts", "male", "adult", timbre=("low", "deep", "rich", "低", "厚")),
    ),
    "https://www.volcengine.com/docs/6561/1594356",
)

# The parts of a scene that say how somebody speaks; the others say who, to whom, when, and what not.
STYLE = frozenset(
    {"speech", "request", "provoked", "tone", "pace", "energy", "cue", "verbosity", "register", "meeting_register"}
)

LONGEST_NAME = 20
TOGETHER = 4000  # characters of system_role and speaking_style
FOR_THE_ANCHOR = 500  # it joins the style in mid-session; 60 words of English seldom pass 400 characters
NO_NAME = {"en": "Speaker", "zh": "说话人"}  # left out, the vendor's own 豆包 would answer

# Per cent of louder or softer; 12 % are 20·log10(1.12) = 1 dB, which is just heard, two steps 2 dB.
LOUDNESS_STEP = 12
SHORTEST_PAUSE_MS = 500  # the vendor's range is 500 to 50,000 ms


def start_session(persona: Persona, model: str = "1.2.1.1") -> Document:
    role, style = _role_and_style(persona)
    return {
        "asr": {
            "audio_info": {"format": "pcm", "sample_rate": 16000, "channel": 1},
            "extra": {"end_smooth_window_ms": max(SHORTEST_PAUSE_MS, persona.pause_ms)},
        },
        "tts": {
            "speaker": VOICES.choose(persona.seed),
            "audio_config": {
                "channel": 1,
                "format": "pcm_s16le",
                "sample_rate": 24000,
                # Both are per cent above or below the ordinary: 100 is double, -50 half.
                "speech_rate": round(100 * (usual_rate(persona.seed) - 1)),
                "loudness_rate": LOUDNESS_STEP * persona.energy,
            },
        },
        "dialog": {
            "bot_name": _bot_name(persona),
            "system_role": role,
            "speaking_style": style,
            "extra": {"input_mod": "audio", "model": model or "1.2.1.1"},
        },
    }


def _role_and_style(persona: Persona) -> tuple[str, str]:
    """Two texts that together are no longer than the scene, since the style is one paragraph."""
    lang, parts = persona.seed.lang, persona.parts
    role = joined({name: "" if name in STYLE else text for name, text in parts.items()}, lang)
    return role, GAP[lang].join(text for name, text in parts.items() if name in STYLE and text)


def _bot_name(persona: Persona) -> str:
    """The name, or as many of its words as fit; in Chinese, which has no gaps, its first characters."""
    name = persona.seed.name or NO_NAME[persona.seed.lang]
    if len(name) <= LONGEST_NAME:
        return name
    return re.sub(r"\s+\S*$", "", name[: LONGEST_NAME + 1])[:LONGEST_NAME]


def say_hello(persona: Persona) -> Document | None:
    return None if persona.greeting is None else {"content": persona.greeting}


def update_config(persona: Persona, model: str = "") -> Document:
    """The style again, and the anchor after it: a dialog has no message that is neither party's."""
    style = _role_and_style(persona)[1]
    return {"dialog": {"speaking_style": f"{style}{GAP[persona.seed.lang]}{persona.anchor}".strip()}}


def instructions(document: Document) -> str:
    return f"{document['dialog']['system_role']}\n\n{document['dialog']['speaking_style']}"


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schema in schemas/vendor/ and the types of `volcengine-audio`, which know the lengths."""
    from volcengine_audio.realtime import RealtimeDialogueConfig

    name = "StartSession"
    found = schema_faults("vendor/doubao-realtime", document, name, 0)
    return found or sdk_faults(RealtimeDialogueConfig, document, name)


def event_faults(document: Document) -> list[Fault]:
    from volcengine_audio.realtime import SayHelloRequest, UpdateConfigRequest

    hello = "content" in document
    name = "SayHello" if hello else "UpdateConfig"
    found = schema_faults(f"vendor/doubao-realtime#{name}", document, name, 0)
    return found or sdk_faults(SayHelloRequest if hello else UpdateConfigRequest, document, name)


TARGET = Target(
    about="Doubao realtime: the StartSession payload.",
    export=start_session,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "steps of pace and pitch as numbers",
        "noise reduction and how loud speech must be to be heard",
        "a pause shorter than 500 ms",
        "an old voice, and accent beyond the choice of voice",
    ),
    imports="""\
import uuid
import volcengine_audio.realtime""",
    client="""\
session_id, frames = str(uuid.uuid4()), volcengine_audio.realtime.RealtimeDialogueFunctions
config = volcengine_audio.realtime.RealtimeDialogueConfig.model_validate_json(open("{config}").read())
await socket.send(frames.start_session_payload(session_id, config))  # after start_connection_payload()""",
    models=("1.2.1.1",),
    also_called={"O2.0": "1.2.1.1"},
    limit=Limit(
        TOGETHER - FOR_THE_ANCHOR,
        "characters",
        f"{TOGETHER:,} by https://www.volcengine.com/docs/6561/1594356, less {FOR_THE_ANCHOR} for the anchor",
    ),
    voices=VOICES,
    greeting=say_hello,
    anchor=update_config,
    event_faults=event_faults,
    checker="volcengine_audio",
)
