"""Azure Voice Live: one ``session.update`` a persona, in the flat shape, spoken by a standard neural voice of Azure.

Sources: https://learn.microsoft.com/azure/ai-services/speech-service/voice-live-api-reference-2026-04-10 and the models
of the official SDK, `azure-ai-voicelive`, which take any value; so a closed JSON Schema is what is checked.  The
instructions do not reach an Azure voice ("may not apply to Azure voices"): how it sounds is said by its style, rate,
pitch and volume.  The voice cannot be changed by a later update.
"""

from typing import Any

from pipeline.errors import Fault
from pipeline.packs.azure_voices import STYLES, VOICES, AzureVoice, azure_voice
from pipeline.packs.openai_realtime import FAR_FIELD, system_item
from pipeline.packs.persona import Persona
from pipeline.packs.target import Document, Socket, Target
from pipeline.readings.azure import azure_reading
from pipeline.readings.ssml import ssml_faults
from pipeline.schema_check import schema_faults

MODELS = (
    "gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime", "gpt-realtime-mini", "gpt-5.4", "gpt-5.6-luna",
    "gpt-4.1", "gpt-4.1-mini", "phi4-mm-realtime",
)  # fmt: skip
# These hear the audio itself.  The others are told what Azure's speech recognition has heard, and only they take its
# language and a detection of the end of an utterance, which works on its text.
HEARS_AUDIO = ("gpt-realtime", "phi4-mm")

LOCALES = {"en": "en-US", "zh": "zh-CN"}
SEMANTIC_VAD = {"en": "azure_semantic_vad", "zh": "azure_semantic_vad_multilingual"}
END_OF_UTTERANCE = {"en": "semantic_detection_v1", "zh": "semantic_detection_v1_multilingual"}
# How sure the service must be that a sentence is complete; a lower level takes it for complete sooner.
SURE_OF_THE_END = {"jumps-in": "low", "back-channels": "medium", "waits": "high", "leaves-silence": "high"}
# How surely a sound must be speech; the default 0.5 is woken by a road or a kitchen.
THRESHOLD, THRESHOLD_LOUD = 0.5, 0.6


def session_update(persona: Persona, model: str = MODELS[0]) -> Document:
    session: dict[str, Any] = {
        "modalities": ["text", "audio"],
        "instructions": persona.scene,
        "voice": voice_setting(azure_voice(persona)),
        "input_audio_format": "pcm16",
        "input_audio_sampling_rate": 24000,
        "output_audio_format": "pcm16",
        "turn_detection": _turn_detection(persona, model),
    }
    if not model.startswith(HEARS_AUDIO):
        session["input_audio_transcription"] = {"model": "azure-speech", "language": LOCALES[persona.seed.lang]}
    if persona.in_a_loud_place:
        session["input_audio_noise_reduction"] = {"type": "azure_deep_noise_suppression"}
    if persona.row["environment"] in FAR_FIELD:  # the microphone hears the loudspeaker across the room
        session["input_audio_echo_cancellation"] = {"type": "server_echo_cancellation"}
    return {"event_id": f"persona_{persona.id}", "type": "session.update", "session": session}


def voice_setting(voice: AzureVoice) -> dict[str, str]:
    told = {name: value for name, value in voice._asdict().items() if value is not None}
    return {"type": "azure-standard", **told}


def _turn_detection(persona: Persona, model: str) -> dict[str, Any]:
    lang = persona.seed.lang
    detection: dict[str, Any] = {
        "type": SEMANTIC_VAD[lang],
        "threshold": THRESHOLD_LOUD if persona.in_a_loud_place else THRESHOLD,
        "prefix_padding_ms": 420,
        "silence_duration_ms": persona.pause_ms,
        "languages": [lang],
        "create_response": True,
        "interrupt_response": True,
    }
    if not model.startswith(HEARS_AUDIO):
        detection["end_of_utterance_detection"] = {
            "model": END_OF_UTTERANCE[lang],
            "threshold_level": SURE_OF_THE_END.get(persona.row["turn_taking"], "default"),
            # Where a sentence sounds unfinished, more silence is waited for: twice the pause of a finished one.
            "timeout_ms": 2 * persona.pause_ms,
        }
    return detection


def greeting(persona: Persona) -> Document | None:
    """Spoken word for word: no model comes between."""
    if persona.greeting is None:
        return None
    content = [{"type": "text", "text": persona.greeting}]
    message = {"type": "message", "role": "assistant", "content": content}
    return {"type": "response.create", "response": {"pre_generated_assistant_message": message}}


def instructions(document: Document) -> str:
    return str(document["session"]["instructions"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schema in schemas/vendor/, voices and styles that are not in the vendor's lists, and what a
    model that hears the audio does not take.
    """
    name = str(document.get("event_id"))
    found = schema_faults("vendor/azure-voice-live#ClientEventSessionUpdate", document, name, 0)
    if found:
        return found
    session = document["session"]
    voice = session["voice"]
    if voice["name"] not in STYLES:
        found.append(Fault(name, 0, "session.voice.name", f"no voice {voice['name']!r}", "Choose one of the list."))
    elif "style" in voice and voice["style"] not in STYLES[voice["name"]]:
        told = f"{voice['name']} does not speak in the style {voice['style']!r}"
        found.append(Fault(name, 0, "session.voice.style", told, "Choose one of its own, or leave it out."))
    if model.startswith(HEARS_AUDIO):
        needs_text = {
            "session.input_audio_transcription": session.get("input_audio_transcription", {}),
            "session.turn_detection.end_of_utterance_detection": session["turn_detection"].get(
                "end_of_utterance_detection"
            ),
        }
        found += [
            Fault(name, 0, field, f"{model} hears the audio and does not take it", "Remove it.")
            for field, value in needs_text.items()
            if value
        ]
    return found


def event_faults(document: Document) -> list[Fault]:
    kind = str(document.get("type"))
    part = "ClientEventResponseCreate" if kind == "response.create" else "ClientEventConversationItemCreate"
    return schema_faults(f"vendor/azure-voice-live#{part}", document, kind, 0)


TARGET = Target(
    about="Azure Voice Live: session.update with a neural voice, its style and prosody.",
    export=session_update,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "a tone for which the chosen voice has no style, beyond rate, pitch and volume",
        "timbre and accent beyond the choice of voice",
        "back-channels: the service takes turns",
    ),
    imports="""\
import json, os
from azure.ai.voicelive.aio import connect
from azure.core.credentials import AzureKeyCredential""",
    client="""\
place, key = os.environ["AZURE_VOICELIVE_ENDPOINT"], AzureKeyCredential(os.environ["AZURE_VOICELIVE_API_KEY"])
async with connect(endpoint=place, credential=key, model="{model}") as session:  # azure.ai.voicelive.aio
    for event in filter(None, [json.load(open("{config}")), json.load(open("{during}"))["greeting"]]):\
 await session.send(event)""",
    models=MODELS,
    voices=VOICES,
    greeting=greeting,
    anchor=system_item,
    event_faults=event_faults,
    reading=azure_reading,
    reading_faults=ssml_faults,
    socket=Socket(
        "/voice-live/realtime?api-version=2026-07-15&model={model}",
        lambda document: document,
        frozenset({"session.updated"}),
        key_header="api-key",
        key_prefix="",
    ),
    checker="lxml",
)
