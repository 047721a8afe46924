"""LiveKit Agents: keyword arguments for ``Agent``, ``AgentSession`` and its OpenAI ``RealtimeModel``.

Source: the signatures of livekit-agents and livekit-plugins-openai (1.8).  LiveKit has no session document, so what is
held against it is whether each call binds.  ``RealtimeModel`` takes any further keyword in silence, and needs
``turn_detection`` as an object of OpenAI's SDK, not as a dictionary: ``SemanticVad(**turn_detection)``.  The session's
own endpointing is for apps that put a pipeline of speech-to-text, LLM and text-to-speech in the realtime model's place.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.errors import Fault
from pipeline.packs import openai_realtime
from pipeline.packs.openai_realtime import said_first
from pipeline.packs.persona import Persona
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.target import Document, Target
from pipeline.readings.ssml import ssml_faults, ssml_reading

# LiveKit ends a turn after this many seconds in any case: its default max_delay where the turn detector streams.
LONGEST_PAUSE = 2.5
Speed = Annotated[float, Field(ge=0.25, le=1.5)]  # what OpenAI takes; the SDK's type is any number


def arguments(persona: Persona, model: str = "") -> Document:
    session = openai_realtime.session_update(persona)["session"]
    heard, spoken = session["audio"]["input"], session["audio"]["output"]
    return {
        "agent": {"instructions": session["instructions"]},
        "agent_session": {"turn_handling": {"endpointing": {"min_delay": persona.pause_ms / 1000}}},
        "realtime_model": {
            "model": model or MODELS[0],
            "voice": spoken["voice"],
            "speed": spoken["speed"],
            "modalities": session["output_modalities"],
            "input_audio_noise_reduction": heard["noise_reduction"]["type"],
            "turn_detection": heard["turn_detection"],
        },
    }


def greeting(persona: Persona) -> Document | None:
    if persona.greeting is None:
        return None
    return {"generate_reply": {"instructions": said_first(persona, persona.greeting)}}


def reminder(persona: Persona, model: str = "") -> Document:
    return {"add_message": {"role": "system", "content": persona.anchor}}


def instructions(document: Document) -> str:
    return str(document["agent"]["instructions"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Whether each call binds, the vendor's types of its arguments, and the ranges that these do not hold."""
    from livekit.agents import Agent, AgentSession
    from livekit.agents.voice.turn import EndpointingOptions
    from livekit.plugins.openai.realtime import RealtimeModel
    from openai.types.realtime import NoiseReductionType, RealtimeAudioInputTurnDetection

    calls: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "agent": (Agent, {"instructions": str}),
        "agent_session": (AgentSession, {"turn_handling": dict[Literal["endpointing"], EndpointingOptions]}),
        "realtime_model": (
            RealtimeModel,
            {
                "model": Literal[MODELS],
                "voice": Literal[tuple(voice.id for voice in openai_realtime.VOICES.voices)],
                "speed": Speed,
                "modalities": tuple[Literal["audio"]],  # text beside it was of the beta shape
                "input_audio_noise_reduction": NoiseReductionType,
                "turn_detection": RealtimeAudioInputTurnDetection,
            },
        ),
    }
    found = [
        Fault("document", 0, key, "no call takes it", "Remove it.") for key in sorted(document.keys() - calls.keys())
    ]
    for name, (call, types) in calls.items():
        found += _call_faults(name, call, types, document.get(name, {}))
    return found or _pause_faults(document["agent_session"]["turn_handling"].get("endpointing", {}))


def _call_faults(name: str, call: Callable[..., Any], types: dict[str, Any], arguments: dict[str, Any]) -> list[Fault]:
    try:
        inspect.signature(call).bind(**arguments)
    except TypeError as error:
        return [Fault(name, 0, "", str(error), "See the call's signature.")]
    found = [
        Fault(name, 0, key, problem, "Add it." if key in types else "Remove it.")
        for keys, problem in (
            (types.keys() - arguments.keys(), "without it the call takes its default, which is nobody's"),
            (arguments.keys() - types.keys(), "the call takes it and makes nothing of it, or not of JSON"),
        )
        for key in sorted(keys)
    ]
    return found or [fault for key in types for fault in sdk_faults(types[key], arguments[key], f"{name}.{key}")]


def _pause_faults(endpointing: dict[str, float]) -> list[Fault]:
    pause = endpointing.get("min_delay", 0)
    if 0 < pause <= LONGEST_PAUSE:
        return []
    where = "turn_handling.endpointing.min_delay"
    return [Fault("agent_session", 0, where, f"{pause} s is not in 0–{LONGEST_PAUSE}", "Clamp it.")]


def event_faults(document: Document) -> list[Fault]:
    from livekit.agents import AgentSession, ChatContext
    from livekit.agents.llm import ChatRole

    methods: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "generate_reply": (AgentSession.generate_reply, {"instructions": str}),
        "add_message": (ChatContext.add_message, {"role": ChatRole, "content": str}),
    }
    name = ", ".join(document)
    if name not in methods:
        return [Fault(name, 0, "", "no such call", f"Make one of {', '.join(methods)}.")]
    method, types = methods[name]
    return _call_faults(name, partial(method, None), types, document[name])


MODELS = openai_realtime.TARGET.models
TARGET = Target(
    about="LiveKit Agents: keyword arguments of Agent, AgentSession and RealtimeModel.",
    export=arguments,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "steps of pace, pitch and energy as numbers",
        "timbre and accent beyond the choice of voice",
        "the voice of a pipeline of text-to-speech",
    ),
    imports="""\
import json
from livekit.agents import Agent, AgentSession
from livekit.plugins.openai.realtime import RealtimeModel
from openai.types.realtime.realtime_audio_input_turn_detection import SemanticVad""",
    client="""\
config, vad = json.load(open("{config}")), lambda of: of | {{"turn_detection": SemanticVad(**of["turn_detection"])}}
session = AgentSession(llm=RealtimeModel(**vad(config["realtime_model"])), **config["agent_session"])
await session.start(Agent(**config["agent"]), room=ctx.room)""",
    models=MODELS,
    limit=openai_realtime.TARGET.limit,
    voices=openai_realtime.VOICES,
    greeting=greeting,
    anchor=reminder,
    reading=ssml_reading,  # for a voice of text-to-speech
    reading_faults=ssml_faults,
    event_faults=event_faults,
    checker="livekit.plugins.openai",
    extra="agents",
)
