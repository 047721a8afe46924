import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.importers.settings import ImportSettings, Rejected
from pipeline.seeds import Seed
from tests.importers.files import SETTINGS, UNLICENSED, Answers, answers, as_json, as_lines, reasons, seeds

TEXT = "A cooper from a hill town who hums while she works."
# In the shapes in which they are published: a description with a name, a bare one, a long Chinese one.
REAL = (
    {"id": "en-tt-0001", "name": "Rosamund Achterberg", "text": "You are 34 and restore harpsichords.\n\nYou hum.",
     "source": "TinyTroupe/a.json", "license": "MIT", "lang": "en"},
    {"text": "A librarian who collects tide tables.", "labels": ["calm"], "score": 0.7},
    {"id": 17, "name": "老魏", "text": "你是老魏，五十三岁，在县城修钟。\n说话慢，爱打比方，最怕别人催。"},
)  # fmt: skip


def read(folder: Path, *lines: object, settings: ImportSettings = SETTINGS) -> Answers:
    return answers("text-jsonl", folder, as_lines(*lines), settings, "people.jsonl")


def test_records_as_they_are_published_become_seeds(tmp_path: Path) -> None:
    results = read(tmp_path, *REAL)
    assert reasons(results) == []
    assert [(s.id, s.lang, s.name, s.license, s.provenance.source) for s in seeds(results)] == [
        ("en-tt-0001", "en", "Rosamund Achterberg", "MIT", "TinyTroupe/a.json"),
        ("people-00002", "en", None, "CC0-1.0", "people.jsonl"),
        ("17", "zh", "老魏", "CC0-1.0", "people.jsonl"),
    ]
    assert [seed.text for seed in seeds(results)] == [record["text"] for record in REAL]
    assert [result.line for result in results] == [1, 2, 3]


def test_what_a_record_does_not_tell_stays_open(tmp_path: Path) -> None:
    (seed,) = seeds(read(tmp_path, REAL[1]))
    told = {"id", "lang", "text", "provenance", "name"}
    open_fields = {name: getattr(seed, name) for name in Seed.model_fields if name not in told}
    assert open_fields == {
        name: field.get_default(call_default_factory=True)
        for name, field in Seed.model_fields.items()
        if name not in told
    }
    assert (seed.age, seed.gender, seed.traits, seed.voice, seed.stances, seed.bridges) == (None,) * 6


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (["a", "list"], "not_an_object"),
        ("a string", "not_an_object"),
        (None, "not_an_object"),
        ({}, "no_text"),
        ({"text": None}, "no_text"),
        ({"text": 7}, "no_text"),
        ({"text": "   "}, "no_text"),
        ({"text": "-- … !!"}, "no_text"),
        ({"text": "baker"}, "no_text"),
        ({"text": "You bake. " * 6_000}, "text_too_long"),
        ({"text": "Пекарь из горного города."}, "language_unknown"),
        ({"text": "パンをやくひとです"}, "language_unknown"),
        ({"text": "0123 456 789"}, "language_unknown"),
        ({"text": "Ein Bäcker, der gern summt.", "lang": "de"}, "language_unknown"),
        ({"text": TEXT, "license": "all mine"}, "license_unknown"),
        ({"text": TEXT, "license": "CC-BY-9.9"}, "license_unknown"),
        ({"text": TEXT, "license": 4}, "no_license"),
        ({"text": TEXT, "consent": False}, "consent_unreadable"),
        ({"text": TEXT, "name": "N" * 3_000}, "not_a_seed"),
        (b"{", "not_json"),
        (b'{"text": "' + TEXT.encode() + b'"', "not_json"),
        (b'{"text": "caf\xe9 owner"}', "not_json"),
        (b'{"text": "a", "text": "b"}', "not_json"),
        (b'{"text": "' + b"x" * 1_000_001 + b'"}', "record_too_long"),
        (b"[" * 100_000, "not_json"),
        (b'{"text": ' + b"[" * 900 + b"]" * 900 + b"}", "no_text"),
    ],
)
def test_what_cannot_be_a_seed_is_set_aside_with_its_line_and_reason(
    tmp_path: Path, record: object, reason: str
) -> None:
    results = read(tmp_path, {"text": TEXT}, record, {"text": TEXT})
    assert reasons(results) == [(2, reason)]
    assert [result.line for result in results] == [1, 2, 3]


def test_a_record_without_licence_needs_one_named(tmp_path: Path) -> None:
    results = read(tmp_path, {"text": TEXT}, settings=UNLICENSED)
    assert reasons(results) == [(1, "no_license")]
    assert "--license" in results[0].detail  # type: ignore[union-attr]


def test_a_byte_order_mark_costs_no_record(tmp_path: Path) -> None:
    results = read(tmp_path, b"\xef\xbb\xbf" + as_json({"text": TEXT}), {"text": TEXT})
    assert reasons(results) == []
    assert [seed.text for seed in seeds(results)] == [TEXT, TEXT]


def test_empty_lines_are_no_records(tmp_path: Path) -> None:
    assert [result.line for result in read(tmp_path, b"", {"text": TEXT}, b"   ", {"text": TEXT})] == [2, 4]
    assert read(tmp_path, b"", b"") == []


def test_fields_may_be_named_otherwise(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"id_field": "uuid", "name_field": "who", "text_field": "persona"})
    record = {"uuid": "A1", "who": "Mei", "persona": TEXT, "id": "no", "name": "no", "text": "no"}
    (seed,) = seeds(read(tmp_path, record, settings=settings))
    assert (seed.id, seed.name, seed.text) == ("a1", "Mei", TEXT)


def test_a_language_that_is_given_is_not_guessed(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"lang": "zh"})
    assert [seed.lang for seed in seeds(read(tmp_path, {"text": TEXT}, settings=settings))] == ["zh"]


@pytest.mark.parametrize("mark", ["\x00", "\u202e", "\n", "\t", "\u2028"])
def test_a_name_is_one_line_and_a_text_keeps_its_own(tmp_path: Path, mark: str) -> None:
    (seed,) = seeds(read(tmp_path, {"text": f"Someone kind.\n{mark}Hums.", "name": f"Mo{mark} Lee"}))
    assert seed.name == "Mo Lee"
    assert (seed.text or "").split() == ["Someone", "kind.", "Hums."]


LINES = st.one_of(
    st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b" ")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
        max_leaves=4,
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"text": st.text(max_size=30) | st.just(TEXT)},
        optional={"id": st.text(max_size=5) | st.integers(), "name": st.text(max_size=5) | st.none(),
                  "license": st.sampled_from(["MIT", "mine", "", None]), "source": st.text(max_size=5)},
    ).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip


@given(lines=st.lists(LINES, max_size=8))
def test_every_line_comes_out_once_as_a_seed_or_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    results = read(tmp_path_factory.getbasetemp(), *lines)
    assert [result.line for result in results] == [n for n, line in enumerate(lines, 1) if _holds(line, n)]
    for result in results:
        if isinstance(result, Rejected):
            assert result.reason.replace("_", "").isalpha()
            json.dumps(result._asdict()).encode()


def _holds(line: bytes, number: int) -> Any:
    return (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()


def test_the_longest_text_comes_in_whole(tmp_path: Path) -> None:
    longest = ("You bake. " * 5_000)[:49_999] + "."
    (seed,) = seeds(read(tmp_path, {"text": longest}))
    assert seed.text == longest
