import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.packs.stepfun_realtime import VOICES, faults, session_update
from tests.packs.personas import golden_persona

Document = dict[str, Any]


@pytest.fixture
def update() -> Document:
    return session_update(golden_persona())


def test_it_is_the_flat_shape_of_the_vendor_s_own_sample(update: Document) -> None:
    assert update.keys() == {"event_id", "type", "session"}
    assert update["type"] == "session.update"
    session = update["session"]
    assert session.keys() == {
        "modalities", "instructions", "voice", "input_audio_format", "output_audio_format", "turn_detection"
    }  # fmt: skip
    assert session["modalities"] == ["text", "audio"]
    assert session["input_audio_format"] == session["output_audio_format"] == "pcm16"
    assert session["voice"] in {voice.id for voice in VOICES.voices}
    assert session["turn_detection"]["type"] == "server_vad"
    assert faults(update) == []


def test_the_vendor_s_sample_is_accepted() -> None:
    sample = {
        "event_id": "event_001",
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "instructions": "你是小满，22岁。语气轻柔，语速偏慢；允许使用轻笑、叹息等副语言信号。",
            "voice": "linjiajiejie",
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "turn_detection": {
                "type": "server_vad", "prefix_padding_ms": 500, "silence_duration_ms": 600,
                "energy_awakeness_threshold": 2500,
            },
            "tools": [{"type": "function", "function": {
                "name": "get_weather", "description": "查天气",
                "parameters": {
                    "type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"],
                },
            }}],
        },
    }  # fmt: skip
    assert faults(sample) == []


@pytest.mark.parametrize(
    ("turn_taking", "silence"), [("jumps-in", 300), ("back-channels", 600), ("waits", 900), ("leaves-silence", 1500)]
)
def test_who_leaves_more_silence_waits_longer(turn_taking: str, silence: int) -> None:
    vad = session_update(golden_persona(turn_taking=turn_taking))["session"]["turn_detection"]
    assert (vad["silence_duration_ms"], vad["prefix_padding_ms"]) == (silence, 500)


@pytest.mark.parametrize(
    ("environment", "threshold"),
    [
        ("quiet", 2500),
        ("others-listening", 2500),
        ("bad-line", 2500),
        ("car", 3500),
        ("street", 3500),
        ("kitchen", 3500),
    ],
)
def test_a_loud_place_takes_a_louder_voice_to_be_heard(environment: str, threshold: int) -> None:
    vad = session_update(golden_persona(environment=environment))["session"]["turn_detection"]
    assert vad["energy_awakeness_threshold"] == threshold


def beta_only(session: Document) -> None:
    session["temperature"] = 0.8


def ga_voice(session: Document) -> None:
    session["audio"] = {"output": {"voice": session.pop("voice")}}


def ga_type(session: Document) -> None:
    session["type"] = "realtime"


def other_format(session: Document) -> None:
    session["output_audio_format"] = "pcm24"


def no_instructions(session: Document) -> None:
    session["instructions"] = ""


def text_alone(session: Document) -> None:
    session["modalities"] = ["text"]


def semantic(session: Document) -> None:
    session["turn_detection"]["type"] = "semantic_vad"


def too_loud(session: Document) -> None:
    session["turn_detection"]["energy_awakeness_threshold"] = 5001


def half_milliseconds(session: Document) -> None:
    session["turn_detection"]["silence_duration_ms"] = 600.5


def eager(session: Document) -> None:
    session["turn_detection"]["eagerness"] = "high"


@pytest.mark.parametrize(
    ("harm", "field"),
    [
        (beta_only, "temperature"),
        (ga_voice, "voice"),
        (ga_type, "type"),
        (other_format, "session.output_audio_format"),
        (no_instructions, "session.instructions"),
        (text_alone, "session.modalities"),
        (semantic, "session.turn_detection.type"),
        (too_loud, "session.turn_detection.energy_awakeness_threshold"),
        (half_milliseconds, "session.turn_detection.silence_duration_ms"),
        (eager, "eagerness"),
    ],
)
def test_a_config_the_vendor_does_not_document_is_refused(
    update: Document, harm: Callable[[Document], None], field: str
) -> None:
    wrong = json.loads(json.dumps(update))
    harm(wrong["session"])
    assert field in " ".join(map(str, faults(wrong)))


def test_an_unnamed_event_is_refused(update: Document) -> None:
    del update["event_id"]
    assert "event_id" in str(faults(update)[0])


def test_the_scene_goes_in_whole() -> None:
    persona = golden_persona("shen-anbang")
    assert session_update(persona)["session"]["instructions"] == persona.scene
    assert persona.scene.startswith("你是沈安邦")
