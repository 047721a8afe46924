"""Qwen-Omni realtime (Alibaba Cloud Model Studio): one ``session.update`` a persona, in the flat shape.

Source: https://help.aliyun.com/zh/model-studio/client-events (2026-10), where the server is said to check what it gets.
The official SDK, `dashscope`, sends whatever it is given, so the closed schema in schemas/vendor/ is what is checked.
Tone has no field of its own and goes in the instructions.
"""

from pipeline.errors import Fault
from pipeline.packs.opening import opening, response_create
from pipeline.packs.persona import Persona
from pipeline.packs.target import Document, Socket, Target
from pipeline.packs.voices import VendorVoice, VoiceTable
from pipeline.schema_check import schema_faults

# The models whose turn detection listens for meaning; the older ones know neither it nor these voices.
MODELS = ("qwen3.5-omni-plus-realtime", "qwen3.5-omni-flash-realtime", "qwen3.8-omni-flash-realtime")

# Of the vendor's 56 voices those without a dialect, a foreign accent or a comic part; genders, ages and timbres are
# read off its one-line descriptions.  They speak both languages, three with the accent of an English-speaking country.
VOICES = VoiceTable(
    (
        VendorVoice("Serena", "female", "young", timbre=("soft", "warm", "软", "暖")),
        VendorVoice("Sunnybobi", "female", "young", timbre=("bright", "loud", "亮", "响")),
        VendorVoice("Momo", "female", "young", timbre=("light", "quick", "脆", "快")),
        VendorVoice("Tina", "female", "adult", timbre=("warm", "round", "暖", "甜")),
        VendorVoice("Liora Mira", "female", "adult", timbre=("soft", "light", "软", "轻")),
        VendorVoice("Maia", "female", "adult", timbre=("clear", "exact", "清", "稳")),
        VendorVoice("Mia", "female", "adult", timbre=("level", "unhurried", "平", "慢")),
        VendorVoice("Jennifer", "female", "adult", "en", ("bright", "full", "rich")),
        VendorVoice("Katerina", "female", "middle", timbre=("low", "dark", "rich", "低", "厚")),
        VendorVoice("Mione", "female", "middle", "en", ("clear", "dry", "exact", "level")),
        VendorVoice("Ethan", "male", "young", timbre=("bright", "quick", "亮", "响")),
        VendorVoice("Evan", "male", "young", timbre=("soft", "warm", "软", "暖")),
        VendorVoice("Raymond", "male", "adult", timbre=("clear", "light", "清", "亮")),
        VendorVoice("Ryan", "male", "adult", timbre=("big", "quick", "rough", "响", "快")),
        VendorVoice("Aiden", "male", "adult", "en", ("warm", "amused", "easy")),
        VendorVoice("Harvey", "male", "middle", timbre=("low", "deep", "gravelly", "低", "厚")),
        VendorVoice("Andre", "male", "middle", timbre=("level", "clear", "smooth", "稳", "平")),
    ),
    "https://help.aliyun.com/zh/model-studio/omni-voice-list",
)

# How clear a sound must be to count as speech, -1 to 1; the default is for a quiet room.
THRESHOLD, THRESHOLD_LOUD = 0.5, 0.7
# Listening for meaning lets half sentences and murmured assent pass; who jumps in takes any silence for the end.
QUICK = frozenset({"jumps-in"})


def session_update(persona: Persona, model: str = "") -> Document:
    return {
        "event_id": f"persona_{persona.id}",
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": "\n\n".join(filter(None, (persona.scene, opening(persona)))),
            "voice": VOICES.choose(persona.seed),
            "audio": {
                "input": {"format": {"type": "pcm", "sample_rate": 16000}},
                "output": {"format": {"type": "pcm", "sample_rate": 24000}},
            },
            "turn_detection": {
                "type": "server_vad" if persona.row["turn_taking"] in QUICK else "semantic_vad",
                "threshold": THRESHOLD_LOUD if persona.in_a_loud_place else THRESHOLD,
                "silence_duration_ms": persona.pause_ms,
            },
        },
    }


def instructions(document: Document) -> str:
    return str(document["session"]["instructions"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schema in schemas/vendor/, and the voices that a pack may choose from."""
    name = str(document.get("event_id"))
    found = schema_faults("vendor/qwen-omni-realtime", document, name, 0)
    if found:
        return found
    voice = document["session"]["voice"]
    if voice not in {known.id for known in VOICES.voices}:
        return [Fault(name, 0, "session.voice", f"no voice {voice!r}", f"Choose one of {VOICES.source}.")]
    return []


def event_faults(document: Document) -> list[Fault]:
    return schema_faults("vendor/qwen-omni-realtime#ResponseCreate", document, str(document.get("type")), 0)


TARGET = Target(
    about="Qwen-Omni realtime: session.update.",
    export=session_update,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "speaking rate, pitch and energy as numbers",
        "noise reduction",
        "timbre and accent beyond the choice of voice",
        "a reminder in mid-session (items of a conversation are results of tools only)",
    ),
    imports="import os, websockets",
    client="""\
url, key = "wss://dashscope.aliyuncs.com/api-ws/v1/realtime?model={model}", os.environ["DASHSCOPE_API_KEY"]
async with websockets.connect(url, additional_headers={{"Authorization": f"Bearer {{key}}"}}) as session:
    await session.send(open("{config}").read())""",
    models=MODELS,
    voices=VOICES,
    greeting=response_create,
    event_faults=event_faults,
    socket=Socket("/api-ws/v1/realtime?model={model}", lambda document: document, frozenset({"session.updated"})),
)
