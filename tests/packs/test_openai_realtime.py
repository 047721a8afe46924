import json
import re
from collections.abc import Callable
from typing import Any, get_args

import pytest
from openai.types.realtime import AudioTranscription

from pipeline.axes import Axes
from pipeline.packs.openai_realtime import (
    EAGERNESS,
    FAR_FIELD,
    TARGET,
    VOICES,
    event_faults,
    faults,
    session_update,
    system_item,
)
from tests.packs.personas import golden_persona

Document = dict[str, Any]
# The literal of the SDK's types; a voice of one's own is an object and not among them.
OFFICIAL = {"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"}


@pytest.fixture
def update() -> Document:
    return session_update(golden_persona())


def test_it_is_the_ga_shape_with_audio_out(update: Document) -> None:
    session = update["session"]
    assert session.keys() == {"type", "output_modalities", "instructions", "audio"}
    assert (session["type"], session["output_modalities"]) == ("realtime", ["audio"])
    for side in ("input", "output"):
        assert session["audio"][side]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "semantic_vad"
    assert TARGET.can_check()
    assert faults(update) == []


def test_voices_are_those_the_vendor_names() -> None:
    assert {voice.id for voice in VOICES.voices} <= OFFICIAL


@pytest.mark.parametrize(
    ("turn_taking", "eagerness"),
    [("jumps-in", "high"), ("back-channels", "auto"), ("waits", "low"), ("leaves-silence", "low")],
)
def test_who_jumps_in_is_eager_and_who_waits_is_not(turn_taking: str, eagerness: str) -> None:
    document = session_update(golden_persona(turn_taking=turn_taking))
    assert document["session"]["audio"]["input"]["turn_detection"]["eagerness"] == eagerness
    assert faults(document) == []


@pytest.mark.parametrize(
    ("environment", "noise"),
    [("car", "far_field"), ("kitchen", "far_field"), ("quiet", "near_field"), ("street", "near_field"),
     ("bad-line", "near_field"), ("others-listening", "near_field")],
)  # fmt: skip
def test_a_loudspeaker_across_the_room_is_heard_as_far(environment: str, noise: str) -> None:
    document = session_update(golden_persona(environment=environment))
    assert document["session"]["audio"]["input"]["noise_reduction"] == {"type": noise}
    assert faults(document) == []


def test_every_shipped_level_has_a_setting(axes: Axes) -> None:
    assert {level.id for level in axes.levels["turn_taking"]} <= set(EAGERNESS)
    assert {level.id for level in axes.levels["environment"]} >= FAR_FIELD


def beta_shape(document: Document) -> None:
    document["session"] = {
        "modalities": ["text", "audio"],
        "instructions": "You are Orla.",
        "voice": "coral",
        "input_audio_format": "pcm16",
    }


def temperature(document: Document) -> None:
    document["session"]["temperature"] = 0.8


def flat_voice(document: Document) -> None:
    document["session"]["voice"] = "coral"


def other_rate(document: Document) -> None:
    document["session"]["audio"]["input"]["format"]["rate"] = 16_000


def both_modalities(document: Document) -> None:
    document["session"]["output_modalities"] = "audio"


def unknown_vad(document: Document) -> None:
    document["session"]["audio"]["input"]["turn_detection"]["type"] = "energy_vad"


def unknown_eagerness(document: Document) -> None:
    document["session"]["audio"]["input"]["turn_detection"]["eagerness"] = "eager"


def misspelt_speed(document: Document) -> None:
    document["session"]["audio"]["output"]["speeed"] = 1.0


def too_fast(document: Document) -> None:
    document["session"]["audio"]["output"]["speed"] = 1.6


def too_slow(document: Document) -> None:
    document["session"]["audio"]["output"]["speed"] = 0.2


def unknown_voice(document: Document) -> None:
    document["session"]["audio"]["output"]["voice"] = "Karen"


def deep_extra(document: Document) -> None:
    document["session"]["audio"]["input"]["noise_reduction"]["depth"] = 1


@pytest.mark.parametrize(
    ("harm", "path"),
    [
        (beta_shape, "type"),
        (temperature, "session.temperature"),
        (flat_voice, "session.voice"),
        (other_rate, "rate"),
        (both_modalities, "output_modalities"),
        (unknown_vad, "turn_detection"),
        (unknown_eagerness, "eagerness"),
        (misspelt_speed, "session.audio.output.speeed"),
        (too_fast, "session.audio.output.speed"),
        (too_slow, "session.audio.output.speed"),
        (unknown_voice, "session.audio.output.voice"),
        (deep_extra, "session.audio.input.noise_reduction.depth"),
    ],
)
def test_a_config_the_vendor_would_refuse_or_ignore_is_a_fault(
    update: Document, harm: Callable[[Document], None], path: str
) -> None:
    wrong = json.loads(json.dumps(update))
    harm(wrong)
    found = [fault.field for fault in faults(wrong)]
    assert any(path in field for field in found)


def test_a_reminder_without_text_is_a_fault_although_the_types_let_it_pass() -> None:
    told = system_item(golden_persona())
    assert event_faults(told) == []
    told["item"]["content"][0]["text"] = ""
    assert [fault.field for fault in event_faults(told)] == ["item.content"]


def test_a_voice_of_the_app_s_own_is_accepted(update: Document) -> None:
    update["session"]["audio"]["output"]["voice"] = {"id": "voice_1234"}
    assert faults(update) == []


def test_the_transcription_that_a_readme_leaves_to_the_app_is_one_the_vendor_takes() -> None:
    place, model = re.findall("`(.+?)`", TARGET.left_to_app)[0::2]
    document = session_update(golden_persona())
    assert "transcription" not in document["session"]["audio"]["input"]
    assert place == "audio.input.transcription"
    assert model in get_args(get_args(AudioTranscription.model_fields["model"].annotation)[1])
    document["session"]["audio"]["input"]["transcription"] = {"model": model, "languages": ["en"]}
    assert faults(document) == []
