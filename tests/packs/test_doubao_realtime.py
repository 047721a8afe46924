import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from volcengine_audio.realtime import RealtimeDialogueConfig, RealtimeDialogueFunctions, SayHelloRequest

from pipeline.packs.doubao_realtime import (
    FOR_THE_ANCHOR,
    LONGEST_NAME,
    TARGET,
    TOGETHER,
    event_faults,
    faults,
    instructions,
    say_hello,
    start_session,
    update_config,
)
from pipeline.packs.persona import Persona
from pipeline.packs.shortening import fitted, joined
from tests.packs.personas import golden_persona

Document = dict[str, Any]
BOTH = ("orla-keane", "shen-anbang")


@pytest.fixture
def config() -> Document:
    return start_session(golden_persona())


def renamed(name: str | None, of: str = "orla-keane") -> Persona:
    return golden_persona(of, golden_persona(of).seed.model_copy(update={"name": name}))


def test_how_somebody_speaks_is_apart_from_who_it_is() -> None:
    persona = golden_persona()
    dialog = start_session(persona)["dialog"]
    assert dialog["system_role"].startswith("You are Orla Keane, 51")
    assert dialog["speaking_style"].startswith("You give distances in crossings.")
    for name in ("speech", "tone", "pace", "energy", "verbosity", "register"):
        assert persona.parts[name] in dialog["speaking_style"]
        assert persona.parts[name] not in dialog["system_role"]
    for name in ("who", "setting", "environment", "limits", "safety", "staying"):
        assert persona.parts[name] in dialog["system_role"]


@pytest.mark.parametrize("of", BOTH)
def test_the_two_texts_say_all_of_the_scene_and_are_no_longer(of: str) -> None:
    persona = golden_persona(of)
    document = start_session(persona)
    dialog = document["dialog"]
    assert len(dialog["system_role"]) + len(dialog["speaking_style"]) <= len(persona.scene)
    assert [part for part in persona.parts.values() if part not in instructions(document)] == []


@pytest.mark.parametrize("of", BOTH)
def test_a_life_that_is_too_long_is_cut_to_what_the_vendor_takes(of: str) -> None:
    persona = golden_persona(of)
    words = {"en": "You mend a net. ", "zh": "你补一张网。"}[persona.seed.lang]
    parts = persona.parts | {"life": words * 1000}
    long = replace(persona, scene=joined(parts, persona.seed.lang), shortened=parts)
    short, left_out = fitted(long, TARGET.limit)
    document = start_session(short)
    assert any(told.startswith("life: the last") for told in left_out)
    assert faults(document) == []
    assert len(document["dialog"]["system_role"]) + len(document["dialog"]["speaking_style"]) <= TOGETHER


def test_the_room_left_is_enough_for_an_anchor_of_sixty_long_words() -> None:
    seed = golden_persona().seed
    habits = ("You mention measurements " + "enthusiastically " * 5 + ".",) * 2
    wordy = golden_persona(seed=seed.model_copy(update={"speech": seed.speech.model_copy(update={"habits": habits})}))
    assert len(wordy.anchor) > len(golden_persona().anchor)
    assert len(wordy.anchor) < FOR_THE_ANCHOR


@pytest.mark.parametrize(
    ("turn_taking", "window"), [("jumps-in", 500), ("back-channels", 600), ("waits", 900), ("leaves-silence", 1500)]
)
def test_who_leaves_more_silence_waits_longer_and_never_less_than_the_vendor_can(turn_taking: str, window: int) -> None:
    config = start_session(golden_persona(turn_taking=turn_taking))
    assert config["asr"]["extra"]["end_smooth_window_ms"] == window
    assert faults(config) == []


@pytest.mark.parametrize(
    ("usual", "pace", "energy", "rate", "loudness"),
    [
        ("medium", 0, 0, 0, -12),  # steady-low implies a step slower, which its words say, and softer
        ("medium", 1, 1, 0, 0),
        ("medium", -1, -1, 0, -24),
        ("very slow", -1, 0, -20, -12),
        ("very fast", 1, 1, 20, 0),
    ],
)
def test_usual_pace_and_energy_are_per_cents_that_are_heard_and_no_more(
    usual: str, pace: int, energy: int, rate: int, loudness: int
) -> None:
    seed = golden_persona().seed
    assert seed.voice is not None
    spoken = seed.model_copy(update={"voice": seed.voice.model_copy(update={"pace": usual})})
    audio = start_session(golden_persona(seed=spoken, pace=pace, energy=energy))["tts"]["audio_config"]
    assert (audio["speech_rate"], audio["loudness_rate"]) == (rate, loudness)


@pytest.mark.parametrize(
    ("name", "lang", "told"),
    [
        ("Orla Keane", "en", "Orla Keane"),
        ("Maria del Carmen Fernández", "en", "Maria del Carmen"),
        ("Maria del Carmen Ruiz", "en", "Maria del Carmen"),
        ("Bartholomewandhisbrothers", "en", "Bartholomewandhisbro"),
        (None, "en", "Speaker"),
        (None, "zh", "说话人"),
        ("沈安邦", "zh", "沈安邦"),
    ],
)
def test_the_name_is_told_by_whole_words_in_twenty_characters(name: str | None, lang: str, told: str) -> None:
    persona = renamed(name, "orla-keane" if lang == "en" else "shen-anbang")
    assert start_session(persona)["dialog"]["bot_name"] == told


@given(name=st.text(min_size=1, max_size=60).filter(str.strip))
def test_whatever_the_name_it_fits_and_is_none_of_the_vendor_s_own(name: str) -> None:
    told = start_session(renamed(name.strip()))["dialog"]["bot_name"]
    assert 0 < len(told) <= LONGEST_NAME
    assert name.strip().startswith(told)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("dialog.bot_name", "x" * 21, "dialog.bot_name"),
        ("dialog.speaking_style", "x" * 4000, "must not exceed 4000 characters"),
        ("dialog.system_role", "", "dialog.system_role"),
        ("dialog.instructions", "You are Orla.", "instructions"),
        ("dialog.character_manifest", "You are Orla.", "character_manifest"),
        ("dialog.extra.model", "1.2.1.9", "dialog.extra.model"),
        ("dialog.extra.input_mod", "video", "dialog.extra.input_mod"),
        ("dialog.extra.temperature", 0.8, "temperature"),
        ("tts.speaker", "zh_female_vv_mars_bigtts", "tts.speaker"),
        ("tts.audio_config.speech_rate", 101, "tts.audio_config.speech_rate"),
        ("tts.audio_config.loudness_rate", -51, "tts.audio_config.loudness_rate"),
        ("tts.audio_config.sample_rate", 16000, "tts.audio_config.sample_rate"),
        ("tts.audio_config.format", "mp3", "tts.audio_config.format"),
        ("tts.audio_config.pitch_rate", 5, "pitch_rate"),
        ("asr.extra.end_smooth_window_ms", 499, "asr.extra.end_smooth_window_ms"),
        ("asr.audio_info.sample_rate", 24000, "asr.audio_info.sample_rate"),
        ("asr.turn_detection", {"type": "server_vad"}, "turn_detection"),
        ("session", {}, "session"),
    ],
)
def test_a_payload_the_vendor_refuses_or_does_not_know_is_a_fault(
    config: Document, path: str, value: object, field: str
) -> None:
    wrong = copy.deepcopy(config)
    *parents, last = path.split(".")
    part = wrong
    for parent in parents:
        part = part[parent]
    part[last] = value
    assert field in " ".join(map(str, faults(wrong)))
    assert faults(config) == []


@pytest.mark.parametrize("part", ["asr", "tts", "dialog"])
def test_no_part_may_be_missing(config: Document, part: str) -> None:
    del config[part]
    assert part in str(faults(config)[0])


def test_the_sdk_frames_all_that_we_say(config: Document) -> None:
    frame = RealtimeDialogueFunctions.start_session_payload(
        "75a6126e-427f-49a1-a2c1-621143cb9db3", RealtimeDialogueConfig.model_validate(config)
    )
    sent = json.loads(frame[frame.index(b"{") :])
    assert frame[4:8] == (100).to_bytes(4, "big")
    assert without_what_we_did_not_say(sent, config) == config


def without_what_we_did_not_say(sent: Document, said: Document) -> Document:
    return {
        name: without_what_we_did_not_say(value, said[name]) if isinstance(value, dict) else value
        for name, value in sent.items()
        if name in said
    }


def test_the_greeting_is_what_say_hello_takes() -> None:
    event = say_hello(golden_persona())
    assert event == {"content": "Ferry. Wind's from the west."}
    frame = RealtimeDialogueFunctions.say_hello_payload("id", SayHelloRequest(**event))
    assert frame[4:8] == (300).to_bytes(4, "big")
    assert event_faults(event) == []


@pytest.mark.parametrize("of", BOTH)
def test_the_anchor_follows_the_style_it_refreshes(of: str) -> None:
    persona = golden_persona(of)
    style = update_config(persona)["dialog"]["speaking_style"]
    assert style.startswith(start_session(persona)["dialog"]["speaking_style"])
    assert style.endswith(persona.anchor)
    assert event_faults(update_config(persona)) == []


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"content": ""}, "content"),
        ({"content": "Hello.", "end": True}, "end"),
        ({"dialog": {}}, "dialog"),
        ({"dialog": {"anchor": "You are still Orla."}}, "anchor"),
        ({"dialog": {"speaking_style": "x" * 4001}}, "dialog.speaking_style"),
        ({"dialog": {"bot_name": "x" * 21}}, "dialog.bot_name"),
        ({"text": "Hello."}, "dialog"),
    ],
)
def test_an_event_the_vendor_does_not_document_is_refused(event: Document, field: str) -> None:
    assert field in " ".join(map(str, event_faults(event)))
