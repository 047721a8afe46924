"""OpenAI Realtime, the GA shape: one ``session.update`` a persona.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update and the types of the
official SDK.  The voice is fixed once it has spoken; the model is chosen when the session is opened.
"""

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.speaking_rate import usual_rate
from pipeline.packs.target import Document, Limit, Socket, Target
from pipeline.packs.voices import VendorVoice, VoiceTable

# The names are the SDK's literal; the vendor gives them neither gender nor age, these are by ear.  All speak both
# languages.
VOICES = VoiceTable(
    (
        VendorVoice("coral", "female", "young"),
        VendorVoice("shimmer", "female", "adult"),
        VendorVoice("marin", "female", "adult"),
        VendorVoice("sage", "female", "middle"),
        VendorVoice("verse", "male", "young"),
        VendorVoice("ash", "male", "adult"),
        VendorVoice("echo", "male", "adult"),
        VendorVoice("cedar", "male", "middle"),
        VendorVoice("ballad", "male", "middle"),
        VendorVoice("alloy", "any", "adult"),
    ),
    "https://platform.openai.com/docs/guides/realtime-conversations#voice-options",
)

EAGERNESS = {"jumps-in": "high", "back-channels": "auto", "waits": "low", "leaves-silence": "low"}
# far_field is for a microphone across the room: a car's or a kitchen's loudspeaker.
FAR_FIELD = frozenset({"car", "kitchen"})


def session_update(persona: Persona, model: str = "") -> Document:
    noise = "far_field" if persona.row["environment"] in FAR_FIELD else "near_field"
    return {
        "event_id": f"persona_{persona.id}",
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": persona.scene,
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "noise_reduction": {"type": noise},
                    "turn_detection": {
                        "type": "semantic_vad",
                        "eagerness": EAGERNESS.get(persona.row["turn_taking"], "auto"),
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "voice": VOICES.choose(persona.seed),
                    "speed": usual_rate(persona.seed),
                },
            },
        },
    }


def greeting(persona: Persona) -> Document | None:
    """Who picks up speaks first; the API has no first message, so the model is told to say it."""
    if persona.greeting is None:
        return None
    return {"type": "response.create", "response": {"instructions": said_first(persona, persona.greeting)}}


def said_first(persona: Persona, text: str) -> str:
    """For one response these stand in the place of the session's instructions, so they bring the tone along."""
    lang = persona.seed.lang
    told = {"en": f"Say exactly this and nothing else: “{text}” ", "zh": f"只说这一句，一字不改：“{text}”"}[lang]
    return told + str(getattr(persona.tone.direction, lang)[0])


def system_item(persona: Persona, model: str = "") -> Document:
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "system", "content": [{"type": "input_text", "text": persona.anchor}]},
    }


def instructions(document: Document) -> str:
    return str(document["session"]["instructions"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the official SDK's types; then the range of speed and the names of voices, which they do not hold."""
    from openai.types.realtime import SessionUpdateEvent

    name = str(document.get("event_id"))
    found = sdk_faults(SessionUpdateEvent, document, name)
    if found:
        return found
    spoken = (document["session"].get("audio") or {}).get("output") or {}
    speed, voice = spoken.get("speed"), spoken.get("voice")
    if speed is not None and not 0.25 <= speed <= 1.5:
        found.append(Fault(name, 0, "session.audio.output.speed", f"{speed} is not in 0.25–1.5", "Clamp it."))
    if isinstance(voice, str) and voice not in {known.id for known in VOICES.voices}:
        found.append(Fault(name, 0, "session.audio.output.voice", f"no voice {voice!r}", "Choose one of the list."))
    return found


def event_faults(document: Document) -> list[Fault]:
    from openai.types.realtime import ConversationItemCreateEvent, ResponseCreateEvent

    kind = str(document.get("type"))
    if kind == "response.create":
        return sdk_faults(ResponseCreateEvent, document, kind)
    found = sdk_faults(ConversationItemCreateEvent, document, kind)
    if not found and not all(part.get("text") for part in document["item"]["content"] or [{}]):
        found.append(Fault(kind, 0, "item.content", "it has no text, which the types let pass", "Say something."))
    return found


TARGET = Target(
    about="OpenAI Realtime (GA): session.update.",
    export=session_update,
    faults=faults,
    instructions=instructions,
    not_expressed=("steps of pace, pitch and energy as numbers", "timbre and accent beyond the choice of voice"),
    imports="""\
import json
from openai import AsyncOpenAI""",
    client="""\
async with AsyncOpenAI().realtime.connect(model="{model}") as connection:
    for event in filter(None, [json.load(open("{config}")), json.load(open("{during}"))["greeting"]]):
        await connection.send(event)""",
    left_to_app="What the user says is not asked for as text: a transcription is another model's work, charged beside. "
    "An app that shows it adds `audio.input.transcription` to the session, with a `model` such as `gpt-transcribe`.",
    models=("gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime-2", "gpt-realtime-1.5", "gpt-realtime"),
    limit=Limit(16_384, "tokens", "the SDK's docstring of a session's instructions"),
    voices=VOICES,
    greeting=greeting,
    anchor=system_item,
    event_faults=event_faults,
    socket=Socket("/v1/realtime?model={model}", lambda document: document, frozenset({"session.updated"})),
    checker="openai",
)
