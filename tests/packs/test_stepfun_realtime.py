import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.packs.pack import Order, write_pack
from pipeline.packs.persona import Persona
from pipeline.packs.stepfun_realtime import (
    CLOSINGS,
    EMOTIONS,
    MINI,
    MODELS,
    SPEEDS,
    TAG,
    TAGGED,
    TARGET,
    VOICES,
    event_faults,
    faults,
    session_update,
)
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
    assert session["voice"] in {voice.id for voice in VOICES[MODELS[0]].voices}
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


@pytest.mark.parametrize("model", MODELS)
def test_the_scene_goes_in_whole_and_the_first_words_follow(model: str) -> None:
    persona = golden_persona("shen-anbang")
    told = session_update(persona, model)["session"]["instructions"]
    assert told.startswith("你是沈安邦")
    assert told.startswith(f"{persona.scene}\n\n由你先开口的话，一字不改地说：“{persona.seed.greeting}”")


def test_who_has_no_greeting_is_given_no_first_words() -> None:
    silent = golden_persona(seed=golden_persona().seed.model_copy(update={"greeting": None}))
    assert session_update(silent)["session"]["instructions"] == silent.scene
    assert TARGET.greeting is not None
    assert TARGET.greeting(silent) is None


def test_words_of_a_greeting_are_no_template() -> None:
    hostile = golden_persona(seed=golden_persona().seed.model_copy(update={"greeting": "{0.seed} {} {{7*7}}"}))
    assert "say exactly this: “{0.seed} {} {{7*7}}”" in session_update(hostile)["session"]["instructions"]


@pytest.mark.parametrize("of", ["orla-keane", "shen-anbang"])
@pytest.mark.parametrize("model", MODELS)
def test_each_model_gets_a_voice_that_it_has(model: str, of: str) -> None:
    update = session_update(golden_persona(of), model)
    assert update["session"]["voice"] in {voice.id for voice in VOICES[model].voices}
    assert faults(update, model) == []


@pytest.mark.parametrize(
    ("of", "voice", "closing"),
    [
        ("orla-keane", "qingchunshaonv", "请使用默认女声与用户交流"),
        ("shen-anbang", "wenrounansheng", "请使用默认男声与用户交流"),
    ],
)
def test_the_mini_model_is_told_last_which_voice_it_has(of: str, voice: str, closing: str) -> None:
    session = session_update(golden_persona(of), MINI)["session"]
    assert session["voice"] == voice
    assert session["instructions"].endswith(f"\n\n{closing}")


def full_stop(session: Document) -> None:
    session["instructions"] += "。"


def other_sex(session: Document) -> None:
    session["voice"] = "wenrounansheng"


def no_closing(session: Document) -> None:
    session["instructions"] = session["instructions"].removesuffix(CLOSINGS["qingchunshaonv"])


def voice_of_another_model(session: Document) -> None:
    session["voice"] = "elegantgentle-female"


@pytest.mark.parametrize(
    ("model", "harm", "told"),
    [
        (MINI, full_stop, "must end with “请使用默认女声与用户交流”"),
        (MINI, no_closing, "must end with “请使用默认女声与用户交流”"),
        (MINI, other_sex, "must end with “请使用默认男声与用户交流”"),
        (MINI, voice_of_another_model, "step-audio-2-mini has no voice 'elegantgentle-female'"),
        (TAGGED, voice_of_another_model, "step-1o-audio has no voice"),
        ("stepaudio-2.5-realtime", voice_of_another_model, "stepaudio-2.5-realtime has no voice"),
    ],
)
def test_what_one_model_asks_for_and_a_config_lacks_is_a_fault(
    model: str, harm: Callable[[Document], None], told: str
) -> None:
    update = session_update(golden_persona(), model)
    harm(update["session"])
    (fault,) = faults(update, model)
    assert told in str(fault)


def test_a_config_of_one_model_is_none_of_another() -> None:
    assert faults(session_update(golden_persona(), "step-audio-2"), MINI) != []


@pytest.mark.parametrize(
    ("levels", "tags"),
    [
        ({"tone": "steady-low", "pace": "usual", "energy": "usual"}, ["慢速1"]),
        ({"tone": "steady-low", "pace": "slower", "energy": "usual"}, ["慢速2"]),
        ({"tone": "half-smile", "pace": "usual", "energy": "usual"}, []),
        ({"tone": "half-smile", "pace": "faster", "energy": "usual"}, ["快速1"]),
    ],
)
@pytest.mark.parametrize("of", ["orla-keane", "shen-anbang"])
def test_tags_are_those_of_the_tone_and_the_pace(of: str, levels: dict[str, str], tags: list[str]) -> None:
    step = {"slower": -1, "usual": 0, "faster": 1, "softer": -1}
    persona = golden_persona(of, **{name: step.get(level, level) for name, level in levels.items()})
    rule = session_update(persona, TAGGED)["session"]["instructions"].rpartition("\n\n")[2]
    assert TAG.findall(rule) == tags
    assert ("bracket" in rule) or ("括号" in rule)


@pytest.mark.parametrize(
    ("valence", "arousal", "dominance", "energy", "tag"),
    [
        (70, 70, 15, 0, "高兴2"),
        (50, 49, 15, 0, "高兴1"),
        (34, 90, 15, 0, None),
        (-45, 40, 55, 0, None),
        (-35, -25, 30, 0, "悲伤1"),
        (-15, -55, -25, -1, "低语1"),
        (-15, -55, -25, 0, None),
        (25, -55, 0, -1, None),
    ],
)
def test_an_emotion_is_named_only_where_the_tone_comes_near_to_it(
    valence: int, arousal: int, dominance: int, energy: int, tag: str | None
) -> None:
    persona = with_tone(valence, arousal, dominance, energy)
    rule = session_update(persona, TAGGED)["session"]["instructions"].rpartition("\n\n")[2]
    assert [found for found in TAG.findall(rule) if found in EMOTIONS] == ([] if tag is None else [tag])


def with_tone(valence: int, arousal: int, dominance: int, energy: int) -> Persona:
    """Orla in a tone of these measures, which implies no pace."""
    persona = golden_persona(pace=0, energy=0)
    implies = persona.tone.implies.model_copy(update={"pace": 0, "energy": energy})
    tone = persona.tone.model_copy(
        update={"valence": valence, "arousal": arousal, "dominance": dominance, "implies": implies}
    )
    tones = tuple(tone if other.id == tone.id else other for other in persona.axes.tone)
    return replace(persona, axes=persona.axes.model_copy(update={"tone": tones}))


def test_an_emotion_goes_before_a_speed_as_the_model_ranks_them() -> None:
    persona = with_tone(70, 70, 15, 0)
    rule = session_update(replace(persona, row={**persona.row, "pace": 1}), TAGGED)["session"]["instructions"]
    assert TAG.findall(rule.rpartition("\n\n")[2]) == ["高兴2", "快速1"]


@pytest.mark.parametrize("tag", ["高兴3", "悲伤2", "温柔", "慢速", "happy"])
def test_a_tag_the_model_does_not_know_is_a_fault(tag: str) -> None:
    update = session_update(golden_persona(), TAGGED)
    update["session"]["instructions"] += f"（{tag}）"
    (fault,) = faults(update, TAGGED)
    assert f"knows no tag （{tag}）" in str(fault)


@pytest.mark.parametrize("tag", [*EMOTIONS, *SPEEDS.values()])
def test_every_tag_the_model_knows_is_accepted(tag: str) -> None:
    update = session_update(golden_persona(), TAGGED)
    update["session"]["instructions"] += f"（{tag}）"
    assert faults(update, TAGGED) == []


def test_the_name_people_have_for_the_newest_model_is_taken_for_the_vendor_s_own(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, Order("stepfun-realtime", "plan", model="step-2.5-realtime"), [golden_persona()])
    assert pack.model == "stepaudio-2.5-realtime"
    assert "?model=stepaudio-2.5-realtime" in (tmp_path / "README.md").read_text("utf-8")


def test_a_pack_for_one_model_names_where_its_voices_are_listed(tmp_path: Path) -> None:
    mini = write_pack(tmp_path, Order("stepfun-realtime", "plan", model=MINI), [golden_persona()])
    assert mini.voices == VOICES[MINI].source != VOICES[MODELS[0]].source


@pytest.fixture
def greeting() -> Document:
    assert TARGET.greeting is not None
    event = TARGET.greeting(golden_persona())
    assert event is not None
    return event


@pytest.fixture
def anchor_event() -> Document:
    assert TARGET.anchor is not None
    return TARGET.anchor(golden_persona(), MODELS[0])


def test_greeting_and_anchor_are_events_of_the_api(greeting: Document, anchor_event: Document) -> None:
    assert greeting == {"type": "response.create"}
    assert anchor_event["item"]["role"] == "system"
    assert anchor_event["item"]["content"][0]["text"].startswith("You are still Orla")
    assert event_faults(greeting) == event_faults(anchor_event) == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.create", "response": {"modalities": ["text"]}},
        {"type": "response.create", "session": {"instructions": "请你原样无修改地输出下面的话：你好"}},
        {
            "event_id": "event_abc",
            "type": "conversation.item.create",
            "item": {"id": "msg_001", "type": "message", "role": "user",
                     "content": [{"type": "input_text", "text": "你好"}]},
        },
    ],
)  # fmt: skip
def test_the_vendor_s_own_events_are_accepted(event: Document) -> None:
    assert event_faults(event) == []


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"type": "response.create", "response": {"instructions": "Say hello."}}, "instructions"),
        ({"type": "response.create", "response": {"modalities": ["audio"]}}, "response.modalities"),
        ({"type": "response.create", "session": {}}, "instructions"),
        ({"type": "response.cancel"}, "type"),
        ({"type": "conversation.item.create", "item": {"type": "message", "role": "system"}}, "content"),
        ({"type": "conversation.item.create", "item": {"type": "message", "role": "tool", "content": []}}, "item.role"),
    ],
)
def test_an_event_the_vendor_does_not_document_is_refused(event: Document, field: str) -> None:
    assert field in " ".join(map(str, event_faults(event)))
