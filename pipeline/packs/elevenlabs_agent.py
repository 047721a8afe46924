"""ElevenLabs Agents: the body that creates an agent for a persona, and the message that lends it to another agent.

Sources: https://elevenlabs.io/docs/api-reference/agents/create, …/eleven-agents/customization/personalization/overrides
and the types of the official SDK, `elevenlabs`.  ``create`` is what ``client.conversational_ai.agents.create(**…)``
takes, ``start`` the first message of one conversation with an agent that exists: a thousand personas need no thousand
agents.  The API reads ``{{name}}`` in a prompt or a first message as a variable and refuses to start where nobody gives
it, so braces of a seed are set apart.
"""

import re
import warnings
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.speaking_rate import speaking_rate
from pipeline.packs.target import Document, Target
from pipeline.packs.voices import VendorVoice, VoiceTable

MODELS = ("eleven_v3_conversational", "eleven_flash_v2_5")
EXPRESSIVE = "eleven_v3_conversational"  # takes audio tags
# "English Agents must use turbo or flash v2", says the API, and "Non-english Agents must use turbo or flash v2_5".
MULTILINGUAL, ENGLISH_ALONE = "eleven_flash_v2_5", "eleven_flash_v2"

# The default voices of every account, with the gender and age of their labels; timbres are from their descriptions, in
# the words of the seeds.  All were recorded in English; the models lend them Chinese.
VOICES = VoiceTable(
    (
        VendorVoice("EXAVITQu4vr4xnSDxMaL", "female", "young", timbre=("warm", "soft", "暖", "软")),  # Sarah
        VendorVoice("FGY2WhTYpPnrIDTdsKH5", "female", "young", timbre=("sunny", "quick")),  # Laura
        VendorVoice("cgSgspJ2msm6clMCkdW9", "female", "young", timbre=("bright", "laughing", "脆", "甜")),  # Jessica
        VendorVoice("Xb7hH8MSUJpSbSDYk0k2", "female", "middle", timbre=("clear", "清")),  # Alice
        VendorVoice("pFZP5JQG7iQjIQuC4Bku", "female", "middle", timbre=("velvety", "soft", "软")),  # Lily
        VendorVoice("XrExE9yKIg1WjnnlVkGX", "female", "middle", timbre=("alto", "low", "低")),  # Matilda
        VendorVoice("hpp4J3VqNfWAUOO0d1Us", "female", "middle", timbre=("bright", "warm", "亮", "暖")),  # Bella
        VendorVoice("IKne3meq5aSn9XLyUdCD", "male", "young", timbre=("deep", "firm")),  # Charlie
        VendorVoice("SOYHLrjzK2X1ezoPC6cr", "male", "young", timbre=("rough", "hard", "粗")),  # Harry
        VendorVoice("TX3LPaxmHKxFdv7VOQHJ", "male", "young", timbre=("warm", "quick", "热")),  # Liam
        VendorVoice("bIHbv24MWmeRgasZH58o", "male", "young", timbre=("easy", "unhurried", "松")),  # Will
        VendorVoice("CwhRBWXzGAHq8TQ4Fs17", "male", "middle", timbre=("resonant", "easy", "宽")),  # Roger
        VendorVoice("JBFqnCBsd6RMkjVDRZzb", "male", "middle", timbre=("warm", "rich", "暖")),  # George
        VendorVoice("N2lVS1w4EtoT3dr4eOWO", "male", "middle", timbre=("husky", "gravelly", "哑", "沙")),  # Callum
        VendorVoice("cjVigY5qzO86Huf0OWal", "male", "middle", timbre=("smooth", "tenor", "润")),  # Eric
        VendorVoice("iP95p4xoKVk53GoZ742B", "male", "middle", timbre=("plain", "natural")),  # Chris
        VendorVoice("nPczCjzI2devNBz1zQrb", "male", "middle", timbre=("deep", "resonant", "沉", "厚")),  # Brian
        VendorVoice("onwK4e9ZLuTAKqWW03F9", "male", "middle", timbre=("steady", "level", "even", "平", "稳")),  # Daniel
        VendorVoice("pNInz6obpgDQGcFmaJgB", "male", "middle", timbre=("bright", "strong", "亮", "硬")),  # Adam
        VendorVoice("pqHfZKP75CvOlQylNhV4", "male", "old"),  # Bill
        VendorVoice("SAz9YHcvj6GT2YYXdXww", "any", "middle", timbre=("calm", "neutral")),  # River
    ),
    "https://elevenlabs.io/docs/api-reference/voices/search, voice_type=default",
)

EAGERNESS = {"jumps-in": "eager", "back-channels": "normal", "waits": "patient", "leaves-silence": "patient"}
# Seconds until a silent user is spoken to again, 1 to 30; the vendor's own is 7, and it advises 10 to 30 for who needs
# time to think.
TIMEOUT_S = {"jumps-in": 5, "back-channels": 7, "waits": 12, "leaves-silence": 20}
ORDINARY_TIMEOUT_S = 7

SLOWEST, FASTEST = 0.7, 1.2  # outside of them is "not supported"
# The default 0.5 of a scale on which low varies more from sentence to sentence.  An arousal of -100 to 100 hundredths
# moves it by 0.2: 0.7 is still no monotone, 0.3 not yet erratic.
USUAL_STABILITY, STABILITY_A_HUNDREDTH = 0.5, 0.002

# How a family of tones is written as an audio tag: a hint to the model, beside those it chooses itself.
TAGS = {
    "calm": "calm", "warm": "warmly", "tender": "gently", "bright": "brightly", "playful": "playfully", "wry": "dryly",
    "brisk": "briskly", "firm": "firmly", "grave": "gravely", "weary": "wearily", "excited": "excited",
    "formal": "formally",
}  # fmt: skip

# What `start` says anew; an agent must allow it beforehand.
OVERRIDES: dict[str, dict[str, Any]] = {
    "agent": {"first_message": True, "language": True, "prompt": {"prompt": True}},
    "tts": {"model_id": True, "voice_id": True, "stability": True, "speed": True},
}


class _Create(BaseModel):
    """What the API takes; the SDK's client has it as keyword arguments, not as a type."""

    name: str
    tags: list[str] = []
    conversation_config: dict[str, Any]
    platform_settings: dict[str, Any] = {}


class _Agent(BaseModel):
    create: _Create
    start: dict[str, Any]


def agent(persona: Persona, model: str = MODELS[0]) -> Document:
    config = _config(persona, model)
    told, spoken = config["agent"], config["tts"]
    override = {
        "agent": {
            "first_message": told["first_message"],
            "language": told["language"],
            "prompt": {"prompt": told["prompt"]["prompt"]},
        },
        "tts": {name: spoken[name] for name in OVERRIDES["tts"]},
    }
    return {
        "create": {
            "name": f"{persona.seed.id}-{persona.id}",
            "conversation_config": config,
            "platform_settings": {"overrides": {"conversation_config_override": OVERRIDES}},
        },
        "start": {"type": "conversation_initiation_client_data", "conversation_config_override": override},
    }


def _config(persona: Persona, model: str) -> dict[str, Any]:
    seed, turns = persona.seed, persona.row["turn_taking"]
    english = seed.lang == "en" and model == MULTILINGUAL
    tts: dict[str, Any] = {
        "model_id": ENGLISH_ALONE if english else model,
        "voice_id": VOICES.choose(seed),
        "stability": round(USUAL_STABILITY - STABILITY_A_HUNDREDTH * persona.tone.arousal, 2),
        "speed": min(max(speaking_rate(persona), SLOWEST), FASTEST),
    }
    if model == EXPRESSIVE and persona.tone.family in TAGS:
        tts |= {"expressive_mode": True, "suggested_audio_tags": [{"tag": TAGS[persona.tone.family]}]}
    return {
        "agent": {
            "first_message": _verbatim(persona.greeting or ""),  # empty: it waits for the user
            "language": seed.lang,
            "prompt": {"prompt": _verbatim(persona.scene), "ignore_default_personality": True},
        },
        "tts": tts,
        "turn": {
            "turn_eagerness": EAGERNESS.get(turns, "normal"),
            "turn_timeout": TIMEOUT_S.get(turns, ORDINARY_TIMEOUT_S),
        },
    }


def _verbatim(text: str) -> str:
    return re.sub(r"\{(?=\{)", "{ ", text)


def reminder(persona: Persona, model: str = "") -> Document:
    """Told to the agent without a turn of its own."""
    return {"type": "contextual_update", "text": persona.anchor}


def instructions(document: Document) -> str:
    return str(document["create"]["conversation_config"]["agent"]["prompt"]["prompt"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the official SDK's types, the documented ranges, models that a language may not have, variables that
    nobody gives, and a start that says something else than the agent.
    """
    from elevenlabs.types import (
        AgentPlatformSettingsRequestModel,
        ConversationalConfig,
        ConversationInitiationClientDataRequestInput,
    )

    found = sdk_faults(_Agent, document, "agent")
    if found:
        return found
    create, start = document["create"], dict(document["start"])
    name = create["name"]
    found += _within(
        "create.conversation_config", sdk_faults(ConversationalConfig, create["conversation_config"], name)
    )
    settings = create.get("platform_settings", {})
    found += _within("create.platform_settings", sdk_faults(AgentPlatformSettingsRequestModel, settings, name))
    if start.pop("type", None) != "conversation_initiation_client_data":
        found.append(Fault(name, 0, "start.type", "the API knows no such first message", "Name it rightly."))
    found += _within("start", sdk_faults(ConversationInitiationClientDataRequestInput, start, name))
    return found or [Fault(name, 0, *told) for told in _beyond_types(create["conversation_config"], start)]


def _within(path: str, found: list[Fault]) -> list[Fault]:
    return [replace(fault, field=f"{path}.{fault.field}") for fault in found]


def _beyond_types(config: dict[str, Any], start: dict[str, Any]) -> list[tuple[str, str, str]]:
    told, tts, turn = (config.get(part) or {} for part in ("agent", "tts", "turn"))
    prompt = (told.get("prompt") or {}).get("prompt")
    found = []
    ranges = (
        ("tts.speed", tts.get("speed"), SLOWEST, FASTEST),
        ("tts.stability", tts.get("stability"), 0, 1),
        ("turn.turn_timeout", turn.get("turn_timeout"), 1, 30),
    )
    for field, value, least, most in ranges:
        if value is not None and not least <= value <= most:
            found.append((f"create.conversation_config.{field}", f"{value} is not in {least}–{most}", "Clamp it."))
    refused = {"en": ("eleven_flash_v2_5", "eleven_turbo_v2_5")}.get(
        told.get("language", "en"), ("eleven_flash_v2", "eleven_turbo_v2")
    )
    if tts.get("model_id") in refused:
        problem = f"an agent of the language {told.get('language', 'en')!r} may not have {tts['model_id']}"
        found.append(("create.conversation_config.tts.model_id", problem, "Take the other of flash v2 and v2_5."))
    for field, text in (("first_message", told.get("first_message")), ("prompt", prompt)):
        if "{{" in (text or ""):
            problem = "{{ begins a variable that nobody gives"
            found.append((f"create.conversation_config.agent.{field}", problem, "Set the braces apart."))
    override = start.get("conversation_config_override") or {}
    for part, names in override.items():
        for key, value in (names or {}).items():
            said = {"prompt": prompt} if key == "prompt" else (config.get(part) or {}).get(key)
            if value != said:
                problem = "it is not what the agent is created with"
                found.append((f"start.conversation_config_override.{part}.{key}", problem, "Derive it from there."))
    return found


def event_faults(document: Document) -> list[Fault]:
    """Against the event as the SDK's own client sends it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's client names a class that websockets gave up
        from elevenlabs.conversational_ai.conversation import ContextualUpdateClientToOrchestratorEvent

    text = document.get("text")
    if isinstance(text, str) and text and ContextualUpdateClientToOrchestratorEvent(text).to_dict() == document:
        return []
    return [Fault("contextual_update", 0, "", "it is not the event that the SDK sends", "Send type and text alone.")]


TARGET = Target(
    about="ElevenLabs Agents: the body that makes an agent, and a call's override.",
    export=agent,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "pitch and energy as numbers",
        "noise reduction",
        "the language model: it is the vendor's default until the app names one",
        "a native Chinese voice: the default voices are English speakers'; choose one of the vendor's library",
    ),
    imports="""\
import json
from elevenlabs.client import ElevenLabs
from elevenlabs.conversational_ai.conversation import Conversation
from elevenlabs.conversational_ai.default_audio_interface import DefaultAudioInterface""",
    client="""\
client, config = ElevenLabs(), json.load(open("{config}"))
made = client.conversational_ai.agents.create(**config["create"])
Conversation(client, made.agent_id, requires_auth=True, audio_interface=DefaultAudioInterface()).start_session()""",
    models=MODELS,
    voices=VOICES,
    anchor=reminder,
    event_faults=event_faults,
    checker="elevenlabs",
)
