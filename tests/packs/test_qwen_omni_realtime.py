import copy
from typing import Any

import pytest

from pipeline.packs.qwen_omni_realtime import MODELS, TARGET, VOICES, event_faults, faults, session_update
from tests.packs.personas import golden_persona

Document = dict[str, Any]


@pytest.fixture
def update() -> Document:
    return session_update(golden_persona(), MODELS[0])


def test_it_is_the_flat_shape_with_formats_apart(update: Document) -> None:
    session = update["session"]
    assert (update["type"], session["modalities"]) == ("session.update", ["text", "audio"])
    assert session["audio"]["input"]["format"] == {"type": "pcm", "sample_rate": 16000}
    assert session["audio"]["output"]["format"] == {"type": "pcm", "sample_rate": 24000}
    assert faults(update) == []


@pytest.mark.parametrize(("of", "first"), [("orla-keane", "say exactly this: “Ferry."), ("shen-anbang", "“喂，")])
def test_the_scene_goes_in_whole_and_the_first_words_follow(of: str, first: str) -> None:
    persona = golden_persona(of)
    told = session_update(persona)["session"]["instructions"]
    assert told.startswith(f"{persona.scene}\n\n")
    assert first in told.rpartition("\n\n")[2]


@pytest.mark.parametrize(
    ("turn_taking", "silence", "kind"),
    [
        ("jumps-in", 300, "server_vad"),
        ("back-channels", 600, "semantic_vad"),
        ("waits", 900, "semantic_vad"),
        ("leaves-silence", 1500, "semantic_vad"),
    ],
)
def test_who_jumps_in_waits_for_silence_alone_and_others_for_the_meaning(
    turn_taking: str, silence: int, kind: str
) -> None:
    heard = session_update(golden_persona(turn_taking=turn_taking))["session"]["turn_detection"]
    assert (heard["silence_duration_ms"], heard["type"]) == (silence, kind)


@pytest.mark.parametrize(("environment", "threshold"), [("quiet", 0.5), ("bad-line", 0.5), ("car", 0.7)])
def test_in_a_loud_place_less_counts_as_speech(environment: str, threshold: float) -> None:
    heard = session_update(golden_persona(environment=environment))["session"]["turn_detection"]
    assert heard["threshold"] == threshold


def test_the_vendor_s_sample_is_accepted() -> None:
    sample = {
        "event_id": "event_ToPZqeobitzUJnt3QqtWg",
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "voice": "Tina",
            "audio": {
                "input": {"format": {"type": "pcm", "sample_rate": 16000}},
                "output": {"format": {"type": "wav", "sample_rate": 24000}},
            },
            "instructions": "你是某五星级酒店的AI客服专员。",
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 800},
            "enable_search": False,
            "tools": [{"type": "function", "function": {
                "name": "get_current_weather",
                "parameters": {
                    "type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"],
                },
            }}],
            "seed": 1314, "max_tokens": 16384, "repetition_penalty": 1.05, "presence_penalty": 0.0,
            "top_k": 50, "top_p": 1.0, "temperature": 0.9,
        },
    }  # fmt: skip
    assert faults(sample) == []


TOOL = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"modalities": ["audio"]}, "session.modalities"),
        ({"voice": "Cherry"}, "no voice 'Cherry'"),
        ({"voice": "tina"}, "no voice 'tina'"),
        ({"instructions": ""}, "session.instructions"),
        ({"input_audio_format": "pcm16"}, "input_audio_format"),
        ({"output_modalities": ["audio"]}, "output_modalities"),
        ({"speed": 1.1}, "speed"),
        ({"temperature": 2}, "session.temperature"),
        ({"top_p": 0}, "session.top_p"),
        ({"top_k": -1}, "session.top_k"),
        ({"presence_penalty": 2.5}, "session.presence_penalty"),
        ({"seed": -2}, "session.seed"),
        ({"tools": [{"type": "function", "name": "weather"}]}, "session.tools[0]"),
        ({"tools": [TOOL], "enable_search": True}, "session.tools"),
        ({"search_options": {"enable_source": True}}, "session.search_options"),
        ({"audio": {"input": {"format": {"type": "opus", "sample_rate": 16000}}}}, "format.type"),
        ({"audio": {"input": {"format": {"type": "pcm", "sample_rate": 44100}}}}, "format.sample_rate"),
        ({"turn_detection": {"type": "server_vad", "eagerness": "high"}}, "eagerness"),
        ({"turn_detection": {"type": "smart_turn"}}, "session.turn_detection.type"),
        ({"turn_detection": {"type": "server_vad", "threshold": 1.5}}, "session.turn_detection.threshold"),
        ({"turn_detection": {"type": "server_vad", "silence_duration_ms": 100}}, "silence_duration_ms"),
        ({"turn_detection": {"type": "semantic_vad", "idle_timeout_ms": 8000}}, "idle_timeout_ms"),
    ],
)
def test_a_config_the_vendor_refuses_or_does_not_know_is_a_fault(
    update: Document, change: Document, field: str
) -> None:
    wrong = copy.deepcopy(update)
    wrong["session"] |= change
    assert field in " ".join(map(str, faults(wrong)))


@pytest.mark.parametrize("name", ["modalities", "instructions", "voice", "audio", "turn_detection"])
def test_what_a_persona_needs_may_not_be_missing(update: Document, name: str) -> None:
    del update["session"][name]
    assert name in str(faults(update)[0])


def test_the_model_is_made_to_speak_first_by_a_bare_event() -> None:
    assert TARGET.greeting is not None
    event = TARGET.greeting(golden_persona())
    assert event == {"type": "response.create"}
    assert event_faults(event) == []


def test_an_opening_line_in_the_event_is_refused_since_the_vendor_would_not_read_it() -> None:
    (fault,) = event_faults({"type": "response.create", "response": {"instructions": "Say hello."}})
    assert "response" in str(fault)


def test_no_reminder_is_sent_since_items_are_results_of_tools_only() -> None:
    assert TARGET.anchor is None
    assert "reminder" in " ".join(TARGET.not_expressed)


def test_every_voice_is_one_of_the_table() -> None:
    assert {VOICES.choose(golden_persona(of).seed) for of in ("orla-keane", "shen-anbang")} <= {
        voice.id for voice in VOICES.voices
    }
