"""OpenAI Realtime, the GA shape: one ``session.update`` a persona.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update and the types of the
official SDK.  The voice is fixed once it has spoken; the model is chosen when the session is opened.
"""

import importlib.util
from collections.abc import Iterator
from typing import Any

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.voices import VendorVoice, choose_voice
from pipeline.seeds import Seed

# The vendor gives its voices neither gender nor age; these are by ear.  All speak both languages.
VOICES = (
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
)

EAGERNESS = {"jumps-in": "high", "back-channels": "auto", "waits": "low", "leaves-silence": "low"}
# far_field is for a microphone across the room: a car's or a kitchen's loudspeaker.
FAR_FIELD = frozenset({"car", "kitchen"})
# The API takes 0.25 to 1.5.  A usual pace of 0.88 to 1.12 and a step of 4 % are clearly heard and never a caricature.
USUAL_SPEED = {"very slow": 0.88, "slow": 0.94, "medium": 1.0, "fast": 1.06, "very fast": 1.12}
SPEED_STEP = 0.04

NOT_EXPRESSED = ("pitch and energy as numbers", "timbre and accent beyond the choice of voice")


def session_update(persona: Persona) -> dict[str, Any]:
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
                    "voice": choose_voice(persona.seed, VOICES),
                    "speed": _speed(persona.seed, persona.pace),
                },
            },
        },
    }


def _speed(seed: Seed, pace: int) -> float:
    usual = USUAL_SPEED[seed.voice.pace] if seed.voice is not None else 1.0
    return round(usual * (1 + SPEED_STEP * pace), 2)


def instructions(document: dict[str, Any]) -> str:
    return str(document["session"]["instructions"])


def can_check() -> bool:
    return importlib.util.find_spec("openai") is not None


def faults(document: dict[str, Any]) -> list[Fault]:
    """Against the official SDK's types, and every key they do not know (the types alone let those pass).

    Needs the extra ``check``.
    """
    from openai.types.realtime import SessionUpdateEvent
    from pydantic import ValidationError

    name = str(document.get("event_id"))
    try:
        event = SessionUpdateEvent.model_validate(document)
    except ValidationError as error:
        return [Fault(name, 0, ".".join(map(str, e["loc"])), e["msg"], "See the SDK's types.") for e in error.errors()]
    found = [Fault(name, 0, path, "the API does not know this key", "Remove it.") for path in _unknown(event, "")]
    speed = document["session"].get("audio", {}).get("output", {}).get("speed", 1.0)
    if not 0.25 <= speed <= 1.5:
        found.append(Fault(name, 0, "session.audio.output.speed", f"{speed} is not in 0.25–1.5", "Clamp it."))
    return found


def _unknown(model: Any, path: str) -> Iterator[str]:
    from pydantic import BaseModel

    for key in model.model_extra or {}:
        yield f"{path}{key}"
    for key in type(model).model_fields:
        value = getattr(model, key, None)
        if isinstance(value, BaseModel):
            yield from _unknown(value, f"{path}{key}.")
