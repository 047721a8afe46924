"""Gemini Live: how to connect with the SDK, and the same as the first message on a socket of one's own.

Source: https://ai.google.dev/api/live (BidiGenerateContentSetup) and the types of the official SDK, `google-genai`,
whose ``client.aio.live.connect(model=…, config=…)`` takes ``connect`` as it is.  The SDK's type of the wire message
lacks ``realtimeInputConfig`` (3.4.0) and would refuse a right one, so the config is what is checked and the wire
message is derived from it: what belongs to generation moves under ``generationConfig``.
"""

import warnings
from typing import Any

from pydantic import BaseModel

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.target import Document, Socket, Target
from pipeline.packs.voices import VendorVoice, VoiceTable

MODELS = ("gemini-2.5-flash-native-audio-preview-12-2025", "gemini-3.1-flash-live-preview", "gemini-3.8-live")

# Genders from the catalogue of https://cloud.google.com/text-to-speech/docs/chirp3-hd, ages and timbres from
# the one-word characters of https://ai.google.dev/gemini-api/docs/speech-generation (Youthful, Mature, Breezy …), with
# our words for them in both languages.  All speak both.
VOICES = VoiceTable(
    (
        VendorVoice("Leda", "female", "young"),
        VendorVoice("Zephyr", "female", "young", "any", ("bright", "亮")),
        VendorVoice("Laomedeia", "female", "young", "any", ("cheerful", "lively", "sunny", "笑")),
        VendorVoice("Aoede", "female", "adult", "any", ("light", "breezy", "轻", "风")),
        VendorVoice("Callirrhoe", "female", "adult", "any", ("easy", "unhurried", "松", "慢")),
        VendorVoice("Autonoe", "female", "adult", "any", ("bright", "ringing", "亮", "脆")),
        VendorVoice("Despina", "female", "adult", "any", ("smooth", "round", "圆", "润")),
        VendorVoice("Erinome", "female", "adult", "any", ("clear", "precise", "清", "净")),
        VendorVoice("Achernar", "female", "adult", "any", ("soft", "quiet", "软", "柔")),
        VendorVoice("Kore", "female", "middle", "any", ("firm", "strong", "hard", "硬", "稳")),
        VendorVoice("Sulafat", "female", "middle", "any", ("warm", "sunny", "暖", "温")),
        VendorVoice("Vindemiatrix", "female", "middle", "any", ("soft", "gentle", "软", "柔")),
        VendorVoice("Gacrux", "female", "old"),
        VendorVoice("Puck", "male", "young", "any", ("cheerful", "lively", "笑")),
        VendorVoice("Fenrir", "male", "young", "any", ("quick", "loud", "急", "快")),
        VendorVoice("Sadachbia", "male", "young", "any", ("bright", "lively", "亮")),
        VendorVoice("Achird", "male", "adult", "any", ("friendly", "warm", "暖", "热")),
        VendorVoice("Zubenelgenubi", "male", "adult", "any", ("easy", "松")),
        VendorVoice("Umbriel", "male", "adult", "any", ("unhurried", "easy", "慢")),
        VendorVoice("Iapetus", "male", "adult", "any", ("clear", "清", "净")),
        VendorVoice("Algieba", "male", "adult", "any", ("smooth", "soft", "圆", "润")),
        VendorVoice("Orus", "male", "middle", "any", ("firm", "strong", "硬")),
        VendorVoice("Charon", "male", "middle", "any", ("precise", "careful", "清")),
        VendorVoice("Alnilam", "male", "middle", "any", ("firm", "hard", "稳")),
        VendorVoice("Schedar", "male", "middle", "any", ("even", "flat", "level", "平")),
        VendorVoice("Algenib", "male", "old", "any", ("gravelly", "rough", "hoarse", "沙", "哑", "粗")),
    ),
    "https://ai.google.dev/gemini-api/docs/speech-generation#voices",
)
LANGUAGES = {"en": "en-US", "zh": "cmn-CN"}

# Who takes the floor quickly need not be so sure that the other party has ended.
QUICK = frozenset({"jumps-in"})
# These are the leaves of the config that the wire message keeps under generationConfig.
OF_GENERATION = ("responseModalities", "speechConfig")
# Whose a turn may be; in the types it is any text.
ROLES = ("user", "model")


class _Connect(BaseModel):
    model: str
    config: dict[str, Any]


class _Session(BaseModel):
    connect: _Connect
    first_message: dict[str, Any]


def session(persona: Persona, model: str = MODELS[0]) -> Document:
    config = _config(persona)
    return {"connect": {"model": model, "config": config}, "first_message": _first_message(model, config)}


def _first_message(model: str, config: dict[str, Any]) -> dict[str, Any]:
    generation = {name: config[name] for name in OF_GENERATION if name in config}
    rest = {name: value for name, value in config.items() if name not in OF_GENERATION}
    return {"setup": {"model": f"models/{model}", "generationConfig": generation, **rest}}


def _config(persona: Persona) -> dict[str, Any]:
    quick = persona.row["turn_taking"] in QUICK
    return {
        "responseModalities": ["AUDIO"],
        "speechConfig": {
            "languageCode": LANGUAGES[persona.seed.lang],
            "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": VOICES.choose(persona.seed)}},
        },
        "systemInstruction": {"parts": [{"text": persona.scene}]},
        "realtimeInputConfig": {
            "automaticActivityDetection": {
                "startOfSpeechSensitivity": f"START_SENSITIVITY_{'LOW' if persona.in_a_loud_place else 'HIGH'}",
                "endOfSpeechSensitivity": f"END_SENSITIVITY_{'HIGH' if quick else 'LOW'}",
                "prefixPaddingMs": 300,
                "silenceDurationMs": persona.pause_ms,
            },
            "activityHandling": "START_OF_ACTIVITY_INTERRUPTS",
        },
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
    }


def greeting(persona: Persona) -> Document | None:
    if persona.greeting is None:
        return None
    told = {"en": "The call has begun. Greet them with exactly this: ", "zh": "电话接通了。先这样招呼，一字不改："}
    return _client_content(told[persona.seed.lang] + persona.greeting, complete=True)


def reminder(persona: Persona, model: str = "") -> Document:
    """Turns know no system role; told without ending the turn, it is context and calls for no answer."""
    return _client_content(persona.anchor, complete=False)


def _client_content(text: str, complete: bool) -> Document:
    turn = {"role": "user", "parts": [{"text": text}]}
    return {"clientContent": {"turns": [turn], "turnComplete": complete}}


def event_faults(document: Document) -> list[Fault]:
    from google.genai.types import LiveClientContent

    if document.keys() != {"clientContent"}:
        return [Fault("clientContent", 0, "", "a message has this key and no other", "Send one kind at a time.")]
    found = type_faults(LiveClientContent, document["clientContent"], "clientContent")
    if not found and any(turn.get("role") not in ROLES for turn in document["clientContent"].get("turns") or []):
        found.append(Fault("clientContent", 0, "turns", "a turn of neither user nor model", "Name one of them."))
    return found


def instructions(document: Document) -> str:
    return str(document["connect"]["config"]["systemInstruction"]["parts"][0]["text"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the official SDK's closed types, a voice that is not in the table, and a wire message that says less or
    more than the config.
    """
    from google.genai.types import LiveConnectConfig

    found = sdk_faults(_Session, document, "session")
    if found:
        return found
    config = document["connect"]["config"]
    found = type_faults(LiveConnectConfig, config, "connect.config")
    if found:
        return found
    voice = _voice_of(config)
    if voice not in {known.id for known in VOICES.voices}:
        found.append(Fault("connect", 0, "speechConfig", f"no voice {voice!r}", "Choose one of the catalogue."))
    if document["first_message"] != _first_message(document["connect"]["model"], config):
        found.append(Fault("first_message", 0, "setup", "it is not what the config says", "Derive it from the config."))
    return found


def type_faults(sdk_type: Any, document: Any, name: str) -> list[Fault]:
    """Against a type of the SDK; a level that an enum of it does not know, of which it would but warn, is a fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return sdk_faults(sdk_type, document, name)
    except (UserWarning, AttributeError) as error:  # of a level that is no text the enums ask its upper case
        return [Fault(name, 0, "", str(error), "See the SDK's types.")]


def _voice_of(config: dict[str, Any]) -> Any:
    part = config
    for key in ("speechConfig", "voiceConfig", "prebuiltVoiceConfig"):
        part = part.get(key) or {}
    return part.get("voiceName")


TARGET = Target(
    about="Gemini Live: what the SDK connects with, and the setup message.",
    export=session,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "speaking rate, pitch and energy as numbers",
        "noise reduction",
        "timbre and accent beyond the voice",
    ),
    imports="""\
import json
from google import genai""",
    client="""\
connect, greeting = json.load(open("{config}"))["connect"], json.load(open("{during}"))["greeting"]
async with genai.Client(http_options={{"api_version": "v1beta"}}).aio.live.connect(**connect) as session:
    if greeting: await session.send_client_content(turns=greeting["clientContent"]["turns"], turn_complete=True)""",
    models=MODELS,
    voices=VOICES,
    greeting=greeting,
    anchor=reminder,
    event_faults=event_faults,
    socket=Socket(
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        lambda document: dict(document["first_message"]),
        frozenset({"setupComplete"}),
        key_header="x-goog-api-key",
        key_prefix="",
    ),
    checker="google.genai",
)
