import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.importers.settings import Imported, ImportSettings, Rejected
from pipeline.importers.text_jsonl import MAX_TEXT, cleaned, language, read_text_jsonl, slug
from pipeline.seeds import Seed

SETTINGS = ImportSettings(license="CC0-1.0", created=date(2026, 11, 21))
TEXT = "A cooper from a hill town who hums while she works."
# In the shapes in which they are published: a description with a name, a bare one, a long Chinese one.
REAL = (
    {"id": "en-tt-0001", "name": "Rosamund Achterberg", "text": "You are 34 and restore harpsichords.\n\nYou hum.",
     "source": "TinyTroupe/a.json", "license": "MIT", "lang": "en"},
    {"text": "A librarian who collects tide tables.", "labels": ["calm"], "score": 0.7},
    {"id": 17, "name": "老魏", "text": "你是老魏，五十三岁，在县城修钟。\n说话慢，爱打比方，最怕别人催。"},
)  # fmt: skip


def read(folder: Path, *lines: object, settings: ImportSettings = SETTINGS) -> list[Imported | Rejected]:
    path = folder / "people.jsonl"
    raw = [line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines]
    path.write_bytes(b"\n".join(raw) + b"\n")
    return list(read_text_jsonl(path, settings))


def seeds(results: list[Imported | Rejected]) -> list[Seed]:
    return [result.seed for result in results if isinstance(result, Imported)]


def reasons(results: list[Imported | Rejected]) -> list[tuple[int, str]]:
    return [(result.line, result.reason) for result in results if isinstance(result, Rejected)]


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


def test_provenance_says_imported_from_where_by_whom_and_when(tmp_path: Path) -> None:
    (seed,) = seeds(read(tmp_path, {"text": TEXT}))
    assert seed.provenance.model_dump(mode="json") == {
        "author": "people.jsonl",
        "method": "imported",
        "license": "CC0-1.0",
        "consent": {"basis": "as licensed by the source", "reference": None},
        "source": "people.jsonl",
        "created": "2026-11-21",
        "reviewed_by": None,
    }
    (named,) = seeds(read(tmp_path, {"text": TEXT}, settings=SETTINGS.model_copy(update={"author": "A. Writer"})))
    assert named.provenance.author == "A. Writer"


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
        ({"text": TEXT, "license": "all mine"}, "license_unknown"),
        ({"text": TEXT, "license": "CC-BY-9.9"}, "license_unknown"),
        ({"text": TEXT, "license": 4}, "no_license"),
        ({"text": TEXT, "name": "N" * 3_000}, "not_a_seed"),
        (b"{", "not_json"),
        (b'{"text": "' + TEXT.encode() + b'"', "not_json"),
        (b'{"text": "caf\xe9 owner"}', "not_json"),
        (b'{"text": "a", "text": "b"}', "not_json"),
        (b'{"text": "' + b"x" * 1_000_001 + b'"}', "not_json"),
        (b"[" * 100_000, "not_json"),
    ],
)
def test_what_cannot_be_a_seed_is_set_aside_with_its_line_and_reason(
    tmp_path: Path, record: object, reason: str
) -> None:
    results = read(tmp_path, {"text": TEXT}, record, {"text": TEXT})
    assert reasons(results) == [(2, reason)]
    assert [seed.id for seed in seeds(results)] == ["people-00001", "people-00003"]
    (rejected,) = (result for result in results if isinstance(result, Rejected))
    assert 0 < len(rejected.detail) < 1_000


def test_a_second_record_of_one_id_is_set_aside(tmp_path: Path) -> None:
    results = read(tmp_path, *({"id": name, "text": TEXT} for name in ("Mei Lin", "mei-lin", "mei_lin", "MEI LIN!")))
    assert [seed.id for seed in seeds(results)] == ["mei-lin", "mei_lin"]
    assert [result for result in results if isinstance(result, Rejected)] == [
        Rejected(2, "id_taken", "mei-lin"),
        Rejected(4, "id_taken", "mei-lin"),
    ]


def test_a_rejected_record_leaves_its_id_free(tmp_path: Path) -> None:
    results = read(tmp_path, {"id": "mei", "text": TEXT, "license": "mine"}, {"id": "mei", "text": TEXT})
    assert [seed.id for seed in seeds(results)] == ["mei"]


@pytest.mark.parametrize(
    ("own", "given_license", "license"),
    [("MIT", "CC0-1.0", "MIT"), ("MIT", None, "MIT"), (None, "CC0-1.0", "CC0-1.0"), ("", "CC0-1.0", "CC0-1.0")],
)
def test_the_record_s_own_licence_comes_first(
    tmp_path: Path, own: str | None, given_license: str | None, license: str
) -> None:
    settings = SETTINGS.model_copy(update={"license": given_license})
    (seed,) = seeds(read(tmp_path, {"text": TEXT, "license": own}, settings=settings))
    assert seed.license == license


def test_without_any_licence_nothing_comes_in(tmp_path: Path) -> None:
    results = read(tmp_path, {"text": TEXT}, settings=SETTINGS.model_copy(update={"license": None}))
    assert reasons(results) == [(1, "no_license")]
    assert "--license" in results[0].detail  # type: ignore[union-attr]


def test_a_byte_order_mark_costs_no_record(tmp_path: Path) -> None:
    results = read(tmp_path, b"\xef\xbb\xbf" + json.dumps({"text": TEXT}).encode(), {"text": TEXT})
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


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        (TEXT, "en"),
        ("Ein Böttcher aus Łódź, der summt.", "en"),
        ("你是修钟的老魏。", "zh"),
        ("你是 Mei Lin，修钟。", "zh"),
        ("Mei Lin likes the word 好 and says it all day long.", "en"),
        ("Пекарь", None),
        ("さくらのきのしたで", None),
        ("1234 5678", None),
    ],
)
def test_the_script_tells_the_language(text: str, lang: str | None) -> None:
    assert language(text) == lang


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b\x07c\x7f", "abc"),
        ("\u202edlo \u2066woman\u2069\u200f", "dlo woman"),
        ("\ufeffA cook.\u200b", "A cook."),
        ("one\r\n\r\ntwo\t three", "one\n\ntwo three"),
        ("private \ue000use", "private use"),
        (" 修钟的人 ", "修钟的人"),
        ("café – “quoted” 😀", "café – “quoted” 😀"),
    ],
)
def test_marks_that_have_no_sound_are_taken_out(text: str, kept: str, tmp_path: Path) -> None:
    assert cleaned(text) == kept
    (seed,) = seeds(read(tmp_path, {"text": f"Someone kind. {text}", "name": f"Mo {text}"}))
    assert seed.text == cleaned(f"Someone kind. {text}")
    assert "\n" not in (seed.name or "")


@pytest.mark.parametrize(
    ("text", "seed_id"),
    [
        ("Mei Lin", "mei-lin"),
        ("Zoë Łukasz-Ñandú", "zoe-ukasz-nandu"),
        ("../../etc/passwd", "etc-passwd"),
        ("a__b", "a__b"),
        ("--a--", "a"),
        ("老魏", ""),
        ("x" * 90, "x" * 64),
        ("UUID-9F", "uuid-9f"),
    ],
)
def test_an_id_is_a_slug(text: str, seed_id: str) -> None:
    assert slug(text) == seed_id


@given(text=st.text())
def test_a_slug_is_an_id_a_seed_may_have_or_nothing(text: str) -> None:
    assert slug(text) == "" or re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", slug(text))


def test_ids_that_make_no_slug_are_numbered_by_their_line(tmp_path: Path) -> None:
    results = read(tmp_path, *({"id": own, "text": TEXT} for own in ("老魏", "小满", 0, "", None, "--")))
    assert reasons(results) == []
    numbered = [f"people-{line:05d}" for line in (1, 2, 4, 5, 6)]
    assert [seed.id for seed in seeds(results)] == [*numbered[:2], "0", *numbered[2:]]


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
    ids = [seed.id for seed in seeds(results)]
    assert sorted(set(ids)) == sorted(ids)
    for result in results:
        if isinstance(result, Rejected):
            assert result.reason.replace("_", "").isalpha()
            json.dumps(result._asdict()).encode()


def _holds(line: bytes, number: int) -> Any:
    return (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()


def test_the_longest_text_comes_in_whole(tmp_path: Path) -> None:
    longest = ("You bake. " * 5_000)[: MAX_TEXT - 1] + "."
    (seed,) = seeds(read(tmp_path, {"text": longest}))
    assert seed.text == longest


@pytest.mark.parametrize(("stem", "first"), [("x" * 90, "x" * 50 + "-00001"), ("人物", "00001"), ("a b", "a-b-00001")])
def test_records_without_ids_are_told_apart_whatever_their_file_is_called(
    tmp_path: Path, stem: str, first: str
) -> None:
    path = tmp_path / f"{stem}.jsonl"
    path.write_text(f'{{"text": "{TEXT}"}}\n' * 3, "utf-8")
    ids = [seed.id for seed in seeds(list(read_text_jsonl(path, SETTINGS)))]
    assert (ids[0], len(set(ids))) == (first, 3)
