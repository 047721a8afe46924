"""Through turns-jsonl, the form that adds least of its own."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.conversations import MAX_TURNS
from pipeline.importers import dialogue
from pipeline.importers.settings import ImportSettings
from pipeline.importers.text import spoken
from tests.importers.files import SETTINGS, UNLICENSED, Answers, answers, as_lines, reasons, samples, spoken_in, turns


def read(folder: Path, *lines: object, settings: ImportSettings = SETTINGS) -> Answers:
    return answers("turns-jsonl", folder, as_lines(*lines), settings, "talks.jsonl")


def turn(role: object = "user", text: object = "Hello.", **marks: object) -> dict[str, object]:
    return {"role": role, "text": text, **marks}


@pytest.mark.parametrize(
    ("role", "ours"),
    [
        *((role, "user") for role in ("user", "human", "customer", "usr", " USER ", "Human")),
        *((role, "persona") for role in ("assistant", "gpt", "bot", "chatgpt", "model", "agent", "sys", "GPT")),
    ],
)
def test_a_role_is_one_of_two_parties(tmp_path: Path, role: str, ours: str) -> None:
    (sample,) = samples(read(tmp_path, {"turns": [turn(), turn(role, "Yes?")]}))
    assert spoken_in(sample)[1] == (ours, "Yes?")


def test_instructions_to_the_model_are_nobody_s_turn(tmp_path: Path) -> None:
    record = {
        "turns": [turn("system", "Be kind."), turn(), turn("sys", "Hi."), turn("System", None), turn("developer", "")]
    }
    (sample,) = samples(read(tmp_path, record))
    assert spoken_in(sample) == [("user", "Hello."), ("persona", "Hi.")]


def test_turns_of_one_party_in_a_row_stay_apart(tmp_path: Path) -> None:
    (sample,) = samples(read(tmp_path, {"turns": [turn(text="Hello?"), turn(text="Anyone?"), turn("bot", "Yes.")]}))
    assert spoken_in(sample) == [("user", "Hello?"), ("user", "Anyone?"), ("persona", "Yes.")]


def test_a_dialogue_of_the_user_alone_is_a_sample(tmp_path: Path) -> None:
    (sample,) = samples(read(tmp_path, {"turns": [turn(), turn(text="A ticket, please.")]}))
    assert {role for role, _ in spoken_in(sample)} == {"user"}


def test_what_a_record_does_not_tell_stays_open(tmp_path: Path) -> None:
    (sample,) = samples(read(tmp_path, turns("Hello.", "Hi.")))
    assert sample.model_dump(exclude={"turns", "provenance"}) == {
        "id": "talks-00001", "lang": "en", "domain": None, "scenario": None, "user_state": None, "tone": None,
        "register_": None, "seed_id": None,
    }  # fmt: skip
    assert sample.turns[0].model_dump(exclude={"role", "text"}) == {
        "emotion": None, "cues": (), "rate": None, "pitch": None, "energy": None, "audio": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        ({"turns": [turn(), turn("narrator", "Night fell.")]}, "unknown_role", 'turn 2: "narrator"'),
        ({"turns": [turn(), turn("tool", "{}")]}, "unknown_role", 'turn 2: "tool"'),
        ({"turns": [turn(None)]}, "unknown_role", "turn 1: null"),
        ({"turns": [turn(["user"])]}, "unknown_role", 'turn 1: ["user"]'),
        ({"turns": [{"text": "Hello."}]}, "unknown_role", "turn 1: null"),
        ({"turns": [turn(), turn(text="")]}, "empty_turn", 'turn 2: ""'),
        ({"turns": [turn(text=" \n\t\u200b")]}, "empty_turn", "turn 1"),
        ({"turns": [turn(text=None)]}, "turn_not_text", "turn 1: null"),
        ({"turns": [turn(text={"a": 1})]}, "turn_not_text", "turn 1"),
        ({"turns": [turn(), "Hello."]}, "not_a_turn", 'turn 2: "Hello."'),
        ({"turns": []}, "no_turns", "nobody says anything"),
        ({"turns": [turn("system", "Be kind.")]}, "no_turns", "nobody says anything"),
        ({"turns": {"role": "user"}}, "no_turns", "field 'turns'"),
        ({"messages": []}, "no_turns", "field 'turns' holds null"),
        ({"turns": [turn("assistant")]}, "no_user_turn", "1 turns"),
        ({"turns": [turn(text="x" * 2_001)]}, "turn_too_long", "2,001 characters; 2,000 is the most"),
        (turns(*["Yes."] * 300), "too_many_turns", "300 turns; 200 is the most"),
        (turns("Привет, как дела?"), "language_unknown", "script"),
        (turns("Bonjour, madame."), None, ""),
        (turns("Bonjour, madame.", lang="fr"), "language_unknown", '"fr"'),
        (turns("Bonjour, madame.", language="French"), "language_unknown", '"French"'),
        (turns(license="mine"), "license_unknown", "mine"),
        (turns(consent={"yes": True}), "consent_unreadable", "yes"),
        ("Hello.", "not_an_object", "Hello."),
        (b'{"turns": [{"role": "user", "te', "not_json", ""),
    ],
)
def test_what_cannot_be_a_sample_is_set_aside_with_its_reason(
    tmp_path: Path, record: object, reason: str | None, detail: str
) -> None:
    results = read(tmp_path, turns(), record, turns())
    assert [answer.line for answer in results] == [1, 2, 3]
    assert reasons(results) == ([(2, reason)] if reason else [])
    assert detail in getattr(results[1], "detail", "")


def test_the_longest_conversation_comes_in_whole(tmp_path: Path) -> None:
    (sample,) = samples(read(tmp_path, turns(*["y" * 2_000] * MAX_TURNS)))
    assert (len(sample.turns), len(sample.turns[-1].text)) == (MAX_TURNS, 2_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [("One\ntwo.\r\n\r\nThree.", "One two. Three."), ("a\x00b \u202ec", "ab c"), ("\ufeff 好的。\n", "好的。")],
)
def test_a_turn_is_spoken_so_it_has_no_lines_and_no_marks(tmp_path: Path, text: str, said: str) -> None:
    (sample,) = samples(read(tmp_path, turns(text)))
    assert spoken_in(sample) == [("user", said)]


@pytest.mark.parametrize(
    ("told", "given", "domain"),
    [
        ("travel", None, "travel"),
        ("airline", None, None),
        ("Travel", None, None),
        (None, None, None),
        (["travel"], None, None),
        ("travel", "automotive", "automotive"),
        ("airline", "automotive", "automotive"),
    ],
)
def test_a_domain_is_one_of_ours_or_open(tmp_path: Path, told: object, given: str | None, domain: str | None) -> None:
    settings = SETTINGS.model_copy(update={"domain": given})
    (sample,) = samples(read(tmp_path, turns(domain=told), settings=settings))
    assert sample.domain == domain


@pytest.mark.parametrize(
    ("marks", "carried"),
    [
        ({"emotion": "tired", "cues": ["sigh", "small-laugh"]}, {"emotion": "tired", "cues": ("sigh", "small-laugh")}),
        ({"emotion": "Very Tired", "cues": ["[sigh]", "breath", 7]}, {"cues": ("breath",)}),
        ({"emotion": "tired\n", "cues": "sigh"}, {}),
        ({"emotion": None, "cues": []}, {}),
        ({"rate": 4.5, "pitch": 180, "energy": -12.5}, {"rate": 4.5, "pitch": 180.0, "energy": -12.5}),
        ({"rate": "fast", "pitch": True, "energy": float("nan")}, {}),
        ({"rate": float("inf"), "pitch": 10**400}, {}),
        ({"audio": "calls/7.wav"}, {"audio": "calls/7.wav"}),
        ({"audio": {"id": "a"}, "intent": "greeting"}, {}),
    ],
)
def test_of_a_turn_s_sound_what_is_in_our_form_is_carried(
    tmp_path: Path, marks: dict[str, Any], carried: dict[str, Any]
) -> None:
    (sample,) = samples(read(tmp_path, {"turns": [turn(**marks)]}))
    assert sample.turns[0].model_dump(exclude={"role", "text"}, exclude_unset=True) == carried


def test_licence_consent_source_and_author_are_carried(tmp_path: Path) -> None:
    record = turns(license="CC-BY-4.0", consent="opt-in", source="Taskmaster", author="A. Crowd", id="T 7", lang="zh")
    (sample,) = samples(read(tmp_path, record, settings=UNLICENSED))
    assert (sample.id, sample.lang) == ("t-7", "zh")
    assert sample.provenance.model_dump(mode="json", exclude_unset=True) == {
        "author": "A. Crowd", "method": "imported", "license": "CC-BY-4.0", "consent": {"basis": "opt-in"},
        "source": "Taskmaster", "created": "2026-11-21",
    }  # fmt: skip


@given(texts=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_what_is_said_comes_out_in_order_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    settings = SETTINGS.model_copy(update={"lang": "en"})
    results = read(tmp_path_factory.getbasetemp(), turns(*texts), settings=settings)
    if samples(results):
        (sample,) = samples(results)
        assert [text for _, text in spoken_in(sample)] == [spoken(text) for text in texts]
    else:
        assert {reason for _, reason in reasons(results)} <= {"empty_turn"}


def test_what_the_record_s_own_limits_refuse_is_set_aside_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "MAX_CHARACTERS", 5_000)
    assert reasons(read(tmp_path, turns("x" * 2_001), turns())) == [(1, "not_a_sample")]
