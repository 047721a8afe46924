import json
from copy import deepcopy
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidRecords
from pipeline.seeds import AUTHORED_FIELDS, TRAITS, Seed, load_seeds, read_seeds
from tests.conftest import ROOT

Record = dict[str, Any]


@pytest.fixture(scope="session")
def authored() -> Record:
    """A shipped seed that keeps a secret."""
    lines = (ROOT / "seeds" / "personas" / "en" / "first.jsonl").read_text("utf-8").splitlines()
    return next(record for record in map(json.loads, lines) if record["keeps"])


@pytest.fixture
def record(authored: Record) -> Record:
    return deepcopy(authored)


IMPORTED: Record = {
    "id": "from-elsewhere",
    "lang": "en",
    "text": "A retired ferry pilot.\n\tSpeaks little.",
    "provenance": {
        "author": "unknown",
        "method": "imported",
        "license": "CC0-1.0",
        "consent": {"basis": "invented"},
        "source": "elsewhere.csv",
        "created": "2026-01-31",
    },
}


def write(path: Path, *records: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    return path


def changed(record: Record, field: str, value: object) -> Record:
    """``record`` with one field, such as ``voice.pace``, set or (with ...) taken out."""
    record = deepcopy(record)
    *outer, last = field.split(".")
    inner = record
    for name in outer:
        inner = inner[int(name) if name.isdigit() else name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return record


def test_the_shipped_seeds_are_without_fault(shipped_seeds: list[Seed]) -> None:
    assert len(shipped_seeds) >= 200
    assert len({seed.id for seed in shipped_seeds}) == len(shipped_seeds)
    assert {seed.lang for seed in shipped_seeds} == {"en", "zh"}
    assert all(seed.bridges and seed.speech.register_ and len(seed.exchanges) == 3 for seed in shipped_seeds)


def test_seeds_come_in_file_and_line_order_with_the_place_they_stand_at(tmp_path: Path, record: Record) -> None:
    for name, ids in (("b.jsonl", "pq"), ("a.jsonl", "zy")):
        write(tmp_path / name, *(record | {"id": i} for i in ids))
    placed, faults = read_seeds([tmp_path])
    assert faults == []
    places = [(Path(seed.file).name, seed.line, seed.record.id) for seed in placed]
    assert places == [("a.jsonl", 1, "z"), ("a.jsonl", 2, "y"), ("b.jsonl", 1, "p"), ("b.jsonl", 2, "q")]


def test_every_fault_of_every_file_is_listed_at_once(tmp_path: Path, record: Record) -> None:
    write(tmp_path / "a.jsonl", changed(record, "age", -3) | {"hobby": "chess", "lang": "fr"}, record)
    write(tmp_path / "b.jsonl", record, changed(changed(record, "exchanges", []), "rating", "mature") | {"age": 9})
    with (tmp_path / "b.jsonl").open("ab") as stream:
        stream.write(b'{"id": \n\xff\n')
    (tmp_path / "c.jsonl").touch()
    with pytest.raises(InvalidRecords) as caught:
        load_seeds([tmp_path])
    assert [(Path(fault.file).name, fault.line, fault.field) for fault in caught.value.faults] == [
        ("a.jsonl", 1, ""),
        ("a.jsonl", 1, "age"),
        ("a.jsonl", 1, "lang"),
        ("a.jsonl", 2, "id"),
        ("b.jsonl", 1, "id"),
        ("b.jsonl", 2, "exchanges"),
        ("b.jsonl", 2, "id"),
        ("b.jsonl", 2, "rating"),
        ("b.jsonl", 3, ""),
        ("b.jsonl", 4, ""),
        ("c.jsonl", 0, ""),
    ]
    message = str(caught.value)
    assert message.startswith("11 faults in the data\n")
    assert f"{tmp_path}/a.jsonl:1: Additional properties are not allowed ('hobby' was unexpected). Remove it" in message
    assert f"{tmp_path}/b.jsonl:2: exchanges: 0 exchanges, not 3. Request, beyond them, provocation." in message
    assert f"{tmp_path}/c.jsonl: holds no record. Add records, or delete the file." in message


def test_a_message_shows_twenty_faults_and_says_how_to_see_the_others(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecords) as caught:
        load_seeds([write(tmp_path / "x.jsonl", *[5] * 27)])
    assert len(caught.value.faults) == 27
    assert str(caught.value).count("is not of type 'object'") == 20
    assert str(caught.value).endswith("… and 7 more: run `personas validate` to see all")


@pytest.mark.parametrize(
    ("field", "value", "faulty", "problem"),
    [
        ("hobby", "chess", "", "'hobby' was unexpected"),
        ("voice.volume", 3, "voice", "'volume' was unexpected"),
        ("provenance.consent.signed", True, "provenance.consent", "'signed' was unexpected"),
        ("id", ..., "", "'id' is a required property"),
        ("provenance", ..., "", "'provenance' is a required property"),
        ("keeps.cracks", ..., "keeps", "'cracks' is a required property"),
        ("id", "Amina Yusuf", "id", "does not match"),
        ("id", "../amina", "id", "does not match"),
        ("id", "amina\n", "id", "String should match pattern"),
        ("id", "-amina", "id", "does not match"),
        ("id", "a" * 65, "id", "does not match"),
        ("id", "", "id", "does not match"),
        ("lang", "fr", "lang", "'fr' is not one of ['en', 'zh']"),
        ("age", 0, "age", "less than the minimum of 1"),
        ("age", "31", "age", "'31' is not of type 'integer'"),
        ("age", 31.5, "age", "31.5 is not of type 'integer'"),
        ("age", True, "age", "True is not of type 'integer'"),
        ("gender", "woman", "gender", "'woman' is not one of"),
        ("traits.openness", 0, "traits.openness", "0 is less than the minimum of 1"),
        ("traits.openness", 6, "traits.openness", "6 is greater than the maximum of 5"),
        ("traits.openness", ..., "traits", "'openness' is a required property"),
        ("stances", ["friend"], "stances[0]", "'friend' is not one of"),
        ("stances", [], "stances", "non-empty"),
        ("bridges", {}, "bridges", "non-empty"),
        ("bridges", {"travel": 5}, "bridges.travel", "5 is not of type 'string'"),
        ("locks.traits", {"openness": []}, "locks.traits.openness", "non-empty"),
        ("locks.traits", {"honesty": [1]}, "locks.traits", "'honesty' is not one of"),
        ("locks.tones", {"only": []}, "locks.tones.only", "non-empty"),
        ("locks.moods", {}, "locks", "'moods' was unexpected"),
        ("who", "one\ntwo", "who", "does not match"),
        ("who", "one\n", "who", "String should match pattern"),
        ("who", "a\ttab", "who", "does not match"),
        ("who", "bell\x07", "who", "does not match"),
        ("who", "nul\x00", "who", "does not match"),
        ("who", "del\x7f", "who", "does not match"),
        ("who", " \u3000\u00a0", "who", "does not match"),
        ("who", "x" * 2001, "who", "is too long"),
        ("exchanges.1.you", "a\nb", "exchanges[1].you", "does not match"),
        ("speech.habits", ["You hum.", 4], "speech.habits[1]", "4 is not of type 'string'"),
        ("weight", 0, "weight", "less than or equal to the minimum of 0"),
        ("weight", 1001, "weight", "greater than the maximum of 1000"),
        ("weight", float("nan"), "weight", "less than or equal to 1000"),
        ("weight", float("inf"), "weight", "inf is greater than the maximum"),
        ("sensitivity", ["politics"], "sensitivity[0]", "'politics' is not one of"),
        ("provenance.license", "CC BY", "provenance.license", "is not an SPDX licence"),
        ("provenance.license", "", "provenance.license", "an empty text is not an SPDX licence"),
        ("provenance.created", "31/01/2026", "provenance.created", "is not a 'date'"),
        ("provenance.created", "2026-02-30", "provenance.created", "is not a 'date'"),
        ("provenance.method", "found", "provenance.method", "'found' is not one of"),
        ("provenance.consent.basis", "", "provenance.consent.basis", "non-empty"),
    ],
)
def test_a_faulty_field_is_named_with_what_is_wrong_and_left_out(
    tmp_path: Path, record: Record, field: str, value: object, faulty: str, problem: str
) -> None:
    path = write(tmp_path / "seeds.jsonl", record | {"id": "sound"}, changed(record, field, value))
    (sound, broken), (fault,) = read_seeds([path])
    assert (sound.record.id, sound.broken) == ("sound", frozenset())
    assert broken.broken == {field.split(".")[0]} - {"hobby"}
    assert (fault.file, fault.line, fault.field) == (str(path), 2, faulty)
    assert problem in fault.problem
    assert fault.remedy.endswith(".")


@pytest.mark.parametrize(
    ("field", "value", "faulty", "problem"),
    [
        ("speech.register", None, "speech.register", "an authored seed leaves this open"),
        ("exchanges", [{"they": "Hello?", "you": "Yes."}], "exchanges", "1 exchanges, not 3"),
        ("locks.traits", {"openness": [5]}, "locks.traits.openness", "[5] leaves out home, 2"),
        ("rating", "mature", "rating", "a minor of 17 cannot be mature"),
    ],
)
def test_fields_that_do_not_go_together_are_a_fault_but_none_is_broken(
    tmp_path: Path, record: Record, field: str, value: object, faulty: str, problem: str
) -> None:
    base = changed(record, "traits.openness", 2) | {"age": 17}
    base["locks"]["traits"] = {}
    path = write(tmp_path / "seeds.jsonl", base | {"id": "sound"}, changed(base, field, value))
    (_, at_fault), (fault,) = read_seeds([path])
    assert (at_fault.line, at_fault.broken) == (2, frozenset())
    assert (fault.file, fault.line, fault.field, fault.problem) == (str(path), 2, faulty, problem)
    assert fault.remedy.endswith(".")


@pytest.mark.parametrize("name", AUTHORED_FIELDS)
@pytest.mark.parametrize("lack", [None, ...])
def test_only_an_imported_seed_may_leave_a_field_open(tmp_path: Path, record: Record, name: str, lack: object) -> None:
    record["locks"] = {}
    path = write(tmp_path / "seeds.jsonl", changed(record, name, lack))
    _, (fault,) = read_seeds([path])
    assert (fault.field, fault.problem) == (name, "an authored seed leaves this open")
    write(path, changed(changed(record, name, lack), "provenance.method", "imported") | {"text": "As it came."})
    (seed,) = load_seeds([path])
    assert getattr(seed, name) is None


def test_an_imported_seed_keeps_its_text_and_is_unconstrained_in_what_it_does_not_tell(tmp_path: Path) -> None:
    (seed,) = load_seeds([write(tmp_path / "seeds.jsonl", IMPORTED)])
    assert seed.text == "A retired ferry pilot.\n\tSpeaks little."
    assert seed.traits is seed.voice is seed.age is seed.bridges is seed.stances is seed.speech.register_ is None
    assert seed.played == ("companion", "character")
    assert seed.license == "CC0-1.0"


def test_an_imported_seed_may_tell_who_they_are_instead_of_a_text(tmp_path: Path) -> None:
    (seed,) = load_seeds([write(tmp_path / "seeds.jsonl", IMPORTED | {"text": None, "who": "You piloted a ferry."})])
    assert seed.who == "You piloted a ferry."


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"text": None}, "text", "an imported seed has neither text nor who"),
        ({"text": "nul\x00"}, "text", "does not match"),
        ({"text": "x" * 50_001}, "text", "is too long"),
        ({"locks": {"traits": {"openness": [3]}}}, "locks.traits.openness", "locks a trait that is not authored"),
    ],
)
def test_an_imported_seed_can_be_at_fault(tmp_path: Path, changes: Record, field: str, problem: str) -> None:
    _, (fault,) = read_seeds([write(tmp_path / "seeds.jsonl", IMPORTED | changes)])
    assert fault.field == field
    assert problem in fault.problem


@given(home=st.integers(1, 5), band=st.lists(st.integers(1, 5), min_size=1), trait=st.sampled_from(TRAITS))
def test_a_lock_is_a_fault_exactly_where_it_leaves_out_home(
    authored: Record, tmp_path_factory: Any, home: int, band: list[int], trait: str
) -> None:
    record = changed(changed(authored, f"traits.{trait}", home), "locks", {"traits": {trait: band}})
    path = write(tmp_path_factory.getbasetemp() / "locked.jsonl", record)
    _, faults = read_seeds([path])
    assert [fault.remedy for fault in faults] == ([] if home in band else [f"Add {home} to the band."])


@pytest.mark.parametrize(
    "text",
    [
        "{{ config.items() }} {% for x in y %}",
        "{# gone #} ${HOME} $(reboot) `id` %s %(x)d {0} {heard_as}",
        "<script>alert(1)</script> <speak><break time='9s'/></speak> &amp; <!--",
        "'; DROP TABLE personas; -- \"",
        "../../etc/passwd C:\\windows \\u0041 \\n",
        "🧵 Ӓ \u200fעברית\u200e 寄 e\u0301",
    ],
)
def test_markup_and_templates_in_text_are_just_text(tmp_path: Path, record: Record, text: str) -> None:
    record |= {"name": text, "life": text, "bridges": {"travel": text}, "knows": [text]}
    record["speech"]["catchphrases"] = [{"text": text, "when": text}]
    (seed,) = load_seeds([write(tmp_path / "seeds.jsonl", record)])
    assert seed.name == seed.life == seed.knows[0] == seed.speech.catchphrases[0].when == text
    assert seed.bridges == {"travel": text}


def test_a_seed_too_deep_to_walk_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    for depth in range(880, 1000):
        lists, objects = "[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth
        path.write_text("".join(f'{{"{field}": {value}}}\n' for field in ("id", "locks") for value in (lists, objects)))
        _, faults = read_seeds([path])
        assert {fault.line for fault in faults} == {1, 2, 3, 4}


def test_a_very_long_text_with_a_control_character_is_refused_at_once(tmp_path: Path, record: Record) -> None:
    path = write(tmp_path / "seeds.jsonl", record | {"life": "a" * 900_000 + "\t"})
    started = process_time()
    _, faults = read_seeds([path])
    assert {fault.field for fault in faults} == {"life"}
    assert process_time() - started < 10  # a pattern that backtracks takes hours


@pytest.mark.parametrize("names", [("a.jsonl", "a.jsonl", "a.jsonl"), ("a.jsonl", "b.jsonl", "c/a.jsonl")])
def test_an_id_given_twice_is_a_fault_that_names_the_first_place(
    tmp_path: Path, record: Record, names: tuple[str, ...]
) -> None:
    records: dict[str, list[Record]] = {}
    for name in names:
        records.setdefault(name, []).append(record)
    for name, same in records.items():
        write(tmp_path / name, *same)
    _, faults = read_seeds([tmp_path])
    assert len(faults) == 2
    for fault, name in zip(faults, names[1:], strict=True):
        assert (fault.file, fault.field) == (str(tmp_path / name), "id")
        assert fault.problem == f"{record['id']!r} is taken by {tmp_path / 'a.jsonl'}:1"
        assert fault.remedy == "Give this seed an id of its own."


def test_the_fingerprint_depends_on_the_record_and_not_on_its_spelling(tmp_path: Path, record: Record) -> None:
    plain, spelled = tmp_path / "plain.jsonl", tmp_path / "spelled.jsonl"
    write(plain, record)
    turned = dict(reversed(changed(record, "weight", 1).items())) | {"locks": record["locks"]}
    spelled.write_text(json.dumps(turned, ensure_ascii=True, separators=(", ", " :  ")) + "\r\n", "utf-8")
    (first,), (second,) = load_seeds([plain]), load_seeds([spelled])
    assert plain.read_bytes() != spelled.read_bytes()
    assert first.fingerprint == second.fingerprint
    for field, value in (("name", "Other"), ("weight", 1.5), ("provenance.created", "2020-01-01"), ("keeps", None)):
        (other,) = load_seeds([write(plain, changed(record, field, value))])
        assert other.fingerprint != first.fingerprint


def test_a_seed_written_out_is_read_back_as_it_was(tmp_path: Path, shipped_seeds: list[Seed]) -> None:
    path = write(
        tmp_path / "seeds.jsonl", *(seed.model_dump(mode="json", by_alias=True) for seed in shipped_seeds[:40])
    )
    assert load_seeds([path]) == shipped_seeds[:40]


def test_of_thousands_of_seeds_the_few_faulty_ones_are_found(tmp_path: Path, shipped_seeds: list[Seed]) -> None:
    records = [seed.model_dump(mode="json", by_alias=True) for seed in shipped_seeds]
    copies = [records[n % len(records)] | {"id": f"copy-{n}"} for n in range(3_000)]
    faulty = {1: copies[0] | {"mood": "sour"}, 1_500: copies[1_499] | {"age": -1}, 3_000: copies[0] | {"id": "copy-9"}}
    lines = [faulty.get(number, copy) for number, copy in enumerate(copies, 1)]
    path = write(tmp_path / "seeds.jsonl", *lines)
    placed, faults = read_seeds([path])
    assert [(fault.line, fault.field) for fault in faults] == [(1, ""), (1_500, "age"), (3_000, "id")]
    assert {seed.line: seed.broken for seed in placed if seed.broken} == {1_500: {"age"}}
    sound = [(seed.line, seed.record) for seed in placed if seed.line not in faulty]
    assert [(line, seed.id) for line, seed in sound] == [
        (number, f"copy-{number - 1}") for number in range(1, 3_001) if number not in faulty
    ]
    assert all(seed.life == shipped_seeds[(line - 1) % len(shipped_seeds)].life for line, seed in sound)
