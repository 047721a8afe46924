"""StepFun realtime: one ``session.update`` a persona, in the flat (beta) shape.

Source: https://platform.stepfun.com/docs/zh/api-reference/realtime/chat (2026-06).  Tone has no field of its own and
goes in the instructions.  The voice cannot be changed by a later update.
"""

from pipeline.errors import Fault
from pipeline.packs.openai_realtime import said_first, system_item
from pipeline.packs.persona import Persona
from pipeline.packs.target import Document, Socket, Target
from pipeline.packs.voices import VendorVoice, VoiceTable
from pipeline.schema_check import schema_faults

# The vendor's catalogue of official voices; ages and genders are read off their names and descriptions there.
VOICES = VoiceTable(
    (
        VendorVoice("lively-girl", "female", "young", "en"),
        VendorVoice("energeticconfident-female", "female", "adult", "en"),
        VendorVoice("yingwennvsheng", "female", "middle", "en"),
        VendorVoice("vibrant-youth", "male", "young", "en"),
        VendorVoice("soft-spoken-gentleman", "male", "adult", "en"),
        VendorVoice("yingwennansheng", "male", "adult", "en"),
        VendorVoice("magnetic-voiced-male", "male", "middle", "en"),
        VendorVoice("linjiameimei", "female", "young", "zh"),
        VendorVoice("yuanqishaonv", "female", "young", "zh"),
        VendorVoice("qingchunshaonv", "female", "young", "zh"),
        VendorVoice("wenjingxuejie", "female", "young", "zh"),
        VendorVoice("linjiajiejie", "female", "adult", "zh"),
        VendorVoice("zhixingjiejie", "female", "adult", "zh"),
        VendorVoice("shuangkuaijiejie", "female", "adult", "zh"),
        VendorVoice("ganliannvsheng", "female", "adult", "zh"),
        VendorVoice("wenroushunv", "female", "middle", "zh"),
        VendorVoice("jingdiannvsheng", "female", "middle", "zh"),
        VendorVoice("qinqienvsheng", "female", "middle", "zh"),
        VendorVoice("qingniandaxuesheng", "male", "young", "zh"),
        VendorVoice("yuanqinansheng", "male", "young", "zh"),
        VendorVoice("zhengpaiqingnian", "male", "adult", "zh"),
        VendorVoice("wenrounansheng", "male", "adult", "zh"),
        VendorVoice("shuangkuainansheng", "male", "adult", "zh"),
        VendorVoice("ruyananshi", "male", "middle", "zh"),
        VendorVoice("cixingnansheng", "male", "middle", "zh"),
        VendorVoice("shenchennanyin", "male", "middle", "zh"),
    ),
    "https://platform.stepfun.com/docs/zh/guides/models/tts-voices",
)

# Energy (0–5000) that counts as speech; the default 2500 is for a quiet room, road and kitchen noise wake it.
THRESHOLD, THRESHOLD_LOUD = 2500, 3500


def session_update(persona: Persona, model: str = "") -> Document:
    return {
        "event_id": f"persona_{persona.id}",
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": persona.scene,
            "voice": VOICES.choose(persona.seed),
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


def greeting(persona: Persona) -> Document | None:
    if persona.greeting is None:
        return None
    return {"type": "response.create", "response": {"instructions": said_first(persona, persona.greeting)}}


def instructions(document: Document) -> str:
    return str(document["session"]["instructions"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schema in schemas/vendor/."""
    return schema_faults("vendor/stepfun-realtime", document, str(document.get("event_id")), 0)


TARGET = Target(
    export=session_update,
    faults=faults,
    instructions=instructions,
    not_expressed=("speaking rate as a number", "noise reduction"),
    client="""\
key = {{"Authorization": f"Bearer {{os.environ['STEPFUN_API_KEY']}}"}}
async with websockets.connect("wss://api.stepfun.com/v1/realtime?model={model}", additional_headers=key) as session:
    await session.send(open("{config}").read())""",
    models=("stepaudio-2.5-realtime",),
    voices=VOICES,
    greeting=greeting,
    anchor=system_item,
    socket=Socket("/v1/realtime?model={model}", lambda document: document, frozenset({"session.updated"})),
)
