"""Azure Voice Live: one ``session.update`` a persona, in the flat shape, spoken by a standard neural voice of Azure.

Sources: https://learn.microsoft.com/azure/ai-services/speech-service/voice-live-api-reference-2026-04-10 and the models
of the official SDK, `azure-ai-voicelive`, which take any value; so a closed JSON Schema is what is checked.  The
instructions do not reach an Azure voice ("may not apply to Azure voices"): how it sounds is said by its style, rate,
pitch and volume.  The voice cannot be changed by a later update.
"""

from typing import Any

from pipeline.axes import Tone
from pipeline.errors import Fault
from pipeline.packs.openai_realtime import FAR_FIELD, speaking_speed, system_item
from pipeline.packs.persona import Persona
from pipeline.packs.target import Document, Socket, Target
from pipeline.packs.voices import VendorVoice, VoiceTable
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

# Voices that can speak in styles.  Genders are the vendor's; ages of the Chinese voices are from their descriptions
# (Yunfeng 22 to 25, Xiaohan 27, Yunjian 30 to 35, Yunye 35 to 40, Yunze an older and Xiaorui a senior adult), those of
# the English ones are ours.  Timbres are the vendor's words for their personalities, in those of the seeds.
VOICES = VoiceTable(
    (
        VendorVoice("en-US-PhoebeMultilingualNeural", "female", "young", "en"),
        VendorVoice("en-US-JaneNeural", "female", "young", "en", ("bright", "light")),
        VendorVoice("en-US-AriaNeural", "female", "adult", "en", ("bright", "crisp", "clear")),
        VendorVoice("en-US-JennyNeural", "female", "adult", "en", ("warm", "soft", "friendly")),
        VendorVoice("en-US-SaraNeural", "female", "adult", "en", ("level", "even", "calm")),
        VendorVoice("en-GB-SoniaNeural", "female", "adult", "en"),
        VendorVoice("en-US-NancyNeural", "female", "middle", "en"),
        VendorVoice("en-US-SerenaMultilingualNeural", "female", "middle", "en", ("rich", "round", "smooth", "low")),
        VendorVoice("en-US-JasonNeural", "male", "young", "en"),
        VendorVoice("en-US-GuyNeural", "male", "adult", "en", ("light", "bright", "easy")),
        VendorVoice("en-GB-RyanNeural", "male", "adult", "en"),
        VendorVoice("en-US-DavisNeural", "male", "middle", "en", ("smooth", "soft", "low", "deep")),
        VendorVoice("en-US-TonyNeural", "male", "middle", "en"),
        VendorVoice("zh-CN-XiaoyiNeural", "female", "young", "zh", ("脆", "甜", "亮")),
        VendorVoice("zh-CN-XiaomoNeural", "female", "young", "zh"),
        VendorVoice("zh-CN-XiaoxiaoNeural", "female", "adult", "zh", ("暖", "软")),
        VendorVoice("zh-CN-XiaohanNeural", "female", "adult", "zh"),
        VendorVoice("zh-CN-XiaozhenNeural", "female", "middle", "zh"),
        VendorVoice("zh-CN-XiaoruiNeural", "female", "old", "zh"),
        VendorVoice("zh-CN-YunxiNeural", "male", "young", "zh", ("亮", "脆")),
        VendorVoice("zh-CN-YunfengNeural", "male", "young", "zh"),
        VendorVoice("zh-CN-YunjianNeural", "male", "adult", "zh"),
        VendorVoice("zh-CN-YunyeNeural", "male", "middle", "zh"),
        VendorVoice("zh-CN-YunzeNeural", "male", "old", "zh"),
    ),
    "https://learn.microsoft.com/azure/ai-services/speech-service/language-support?tabs=tts#voice-styles-and-roles",
)

# Of the styles that the vendor lists for each voice, those that a tone may call for.  One style lasts the whole
# session, so none is here that would be a mask after a minute: no anger, no terror, no whisper, no newsreader.
STYLES = {
    "en-US-PhoebeMultilingualNeural": ("empathetic", "serious"),
    "en-US-JaneNeural": ("cheerful", "excited", "friendly"),
    "en-US-AriaNeural": ("chat", "cheerful", "empathetic", "excited", "friendly"),
    "en-US-JennyNeural": ("chat", "cheerful", "excited", "friendly"),
    "en-US-SaraNeural": ("cheerful", "excited", "friendly"),
    "en-GB-SoniaNeural": ("cheerful",),
    "en-US-NancyNeural": ("cheerful", "excited", "friendly"),
    "en-US-SerenaMultilingualNeural": ("empathetic", "excited", "friendly", "serious"),
    "en-US-JasonNeural": ("cheerful", "excited", "friendly"),
    "en-US-GuyNeural": ("cheerful", "excited", "friendly"),
    "en-GB-RyanNeural": ("chat", "cheerful"),
    "en-US-DavisNeural": ("chat", "cheerful", "excited", "friendly"),
    "en-US-TonyNeural": ("cheerful", "excited", "friendly"),
    "zh-CN-XiaoyiNeural": ("cheerful", "gentle", "serious"),
    "zh-CN-XiaomoNeural": ("calm", "cheerful", "gentle", "serious"),
    "zh-CN-XiaoxiaoNeural": ("calm", "chat", "cheerful", "excited", "friendly", "gentle", "serious"),
    "zh-CN-XiaohanNeural": ("calm", "cheerful", "gentle", "serious"),
    "zh-CN-XiaozhenNeural": ("cheerful", "serious"),
    "zh-CN-XiaoruiNeural": ("calm",),
    "zh-CN-YunxiNeural": ("chat", "cheerful", "serious"),
    "zh-CN-YunfengNeural": ("cheerful", "serious"),
    "zh-CN-YunjianNeural": ("cheerful", "serious"),
    "zh-CN-YunyeNeural": ("calm", "cheerful", "serious"),
    "zh-CN-YunzeNeural": ("calm", "cheerful", "serious"),
}
# What a family of tones is called there, nearest first; a voice that has none of them speaks as it does by itself.
# Weariness and briskness are not styles of any voice: pace and energy carry them.
STYLES_OF_FAMILY = {
    "calm": ("calm", "gentle"),
    "warm": ("friendly", "gentle"),
    "tender": ("gentle", "empathetic"),
    "bright": ("cheerful", "friendly"),
    "playful": ("cheerful", "chat"),
    "wry": ("chat",),
    "brisk": (),
    "firm": ("serious",),
    "grave": ("serious",),
    "weary": ("calm",),
    "excited": ("excited", "cheerful"),
    "formal": ("serious",),
}
CHEERFUL_FROM = 35  # hundredths of valence; below it, a mock-solemn tone among the playful, "cheerful" is overdone

# Half a semitone, 3 %, is just heard; the two steps that a tone may go are one semitone.
PITCH_STEP = 3
# The scale goes from 0 to 100, which is the voice as it is: from 80 two steps up reach that and clip nothing, and if it
# is linear each is about 1 dB (20 log10 90/80), the least that is noticed.
USUAL_VOLUME, VOLUME_STEP = 80, 10

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
        "voice": _voice(persona),
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


def _voice(persona: Persona) -> dict[str, str]:
    name = VOICES.choose(persona.seed)
    style = style_of(persona.tone, name)
    return {
        "type": "azure-standard",
        "name": name,
        **({} if style is None else {"style": style}),
        "rate": f"{speaking_speed(persona):.2f}",
        "pitch": f"{PITCH_STEP * persona.pitch:+d}%",
        "volume": str(USUAL_VOLUME + VOLUME_STEP * persona.energy),
    }


def style_of(tone: Tone, voice: str) -> str | None:
    """The voice's style nearest to the tone."""
    wanted = STYLES_OF_FAMILY.get(tone.family, ())
    fitting = [style for style in wanted if style != "cheerful" or tone.valence >= CHEERFUL_FROM]
    return next((style for style in fitting if style in STYLES[voice]), None)


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
    for event in json.load(open("{config}")), json.load(open("{during}"))["greeting"]: await session.send(event)""",
    models=MODELS,
    voices=VOICES,
    greeting=greeting,
    anchor=system_item,
    event_faults=event_faults,
    reading=lambda persona: azure_reading(persona, VOICES.choose(persona.seed)),
    reading_faults=ssml_faults,
    socket=Socket(
        "/voice-live/realtime?api-version=2026-07-15&model={model}",
        lambda document: document,
        frozenset({"session.updated"}),
        key_header="api-key",
        key_prefix="",
    ),
    checker="xmlschema",
)
