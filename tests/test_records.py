import gc
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.axes import Axes
from pipeline.build import check_inputs
from pipeline.errors import Fault
from pipeline.locks import Openings, seed_faults
from pipeline.records import Placed, read_records
from pipeline.schema_check import schema_faults
from pipeline.seeds import SEEDS, Seed
from tests.conftest import ROOT

Record = dict[str, Any]


@pytest.fixture
def authored(shipped_seeds: list[Seed]) -> Record:
    """A grown-up with a locked trait."""
    seed = next(seed for seed in shipped_seeds if seed.locks.traits and seed.age and seed.age > 17)
    return json.loads(seed.model_dump_json(by_alias=True))  # type: ignore[no-any-return]


@pytest.fixture
def imported(authored: Record) -> Record:
    provenance = authored["provenance"] | {"method": "imported"}
    return {"id": "ferry", "lang": "en", "who": "You piloted a ferry.", "provenance": provenance}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seeds.jsonl"


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def test_one_reading_finds_every_kind_of_fault_and_none_of_what_is_left_out(path: Path, authored: Record) -> None:
    worst = authored | {"lang": "fr", "age": -1, "exchanges": [], "bridges": {"nowhere": "They drift."}}
    write(path, authored | {"greeting": 5}, worst)
    inputs, faults = check_inputs([path], ROOT / "seeds" / "axes")
    assert inputs is None
    assert sorted((fault.line, fault.field, fault.problem) for fault in faults) == [
        (1, "greeting", "5 is not of type 'string'"),
        (2, "age", "-1 is less than the minimum of 1"),
        (2, "bridges", "there is no 'nowhere'"),
        (2, "exchanges", "0 exchanges, not 3"),
        (2, "id", f"{authored['id']!r} is taken by {path}:1"),
        (2, "lang", "'fr' is not one of ['en', 'zh']"),
    ]


@pytest.mark.parametrize("field", [field.alias or name for name, field in Seed.model_fields.items()])
@pytest.mark.parametrize("method", ["authored", "imported"])
def test_a_broken_field_is_the_only_one_at_fault(
    path: Path, axes: Axes, request: pytest.FixtureRequest, field: str, method: str
) -> None:
    record = request.getfixturevalue(method) | {field: [[]]}
    (placed,), faults = read_records(SEEDS, [write(path, record)])
    assert placed.broken == {field}
    assert faults == schema_faults("seed", record, str(path), 1)
    assert placed.own(seed_faults(Openings(axes), placed)) == []


def test_where_it_is_not_known_whether_a_seed_is_imported_nothing_is_asked_of_it(path: Path, authored: Record) -> None:
    _, (fault,) = read_records(SEEDS, [write(path, authored | {"provenance": 5, "who": None, "exchanges": []})])
    assert fault.field == "provenance"


@pytest.mark.parametrize("field", SEEDS.stand_ins)
def test_a_field_that_is_lacking_is_broken_and_the_others_are_read(path: Path, authored: Record, field: str) -> None:
    del authored[field]
    (placed,), (fault,) = read_records(SEEDS, [write(path, authored)])
    assert (fault.field, fault.problem) == ("", f"{field!r} is a required property")
    assert placed.broken == {field}
    assert placed.record == Seed.model_validate_json(json.dumps(authored | {field: SEEDS.stand_ins[field]}))


def test_what_only_the_model_knows_hides_no_fault_across_fields(path: Path, authored: Record) -> None:
    authored["provenance"]["license"] = "CC BY"
    (placed,), faults = read_records(SEEDS, [write(path, authored | {"age": 9, "rating": "mature"})])
    assert [fault.field for fault in faults] == ["provenance.license", "rating"]
    assert "is not an SPDX licence" in faults[0].problem
    assert placed.broken == {"provenance"}


def test_what_only_the_model_knows_is_found_beside_what_the_schema_knows(path: Path, authored: Record) -> None:
    authored["provenance"]["license"] = "CC BY"
    authored |= {"lang": "fr", "age": 9, "rating": "mature"}
    (placed,), faults = read_records(SEEDS, [write(path, authored)])
    assert [fault.field for fault in faults] == ["lang", "provenance.license", "rating"]
    assert placed.broken == {"lang", "provenance"}


@pytest.mark.parametrize("document", [5, None, [], "seed"])
def test_what_is_no_object_is_a_fault_and_no_record(path: Path, document: object) -> None:
    placed, (fault,) = read_records(SEEDS, [write(path, document)])
    assert placed == []
    assert fault.problem.endswith("is not of type 'object'")


@pytest.fixture(params=[True, False])
def collecting(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Garbage collection, on or off before the test, and on after it."""
    (gc.enable if request.param else gc.disable)()
    yield request.param
    gc.enable()


def test_garbage_is_not_collected_while_reading_and_then_as_before(
    path: Path, authored: Record, collecting: bool
) -> None:
    seen = []

    def look(placed: Placed[Seed]) -> Iterable[Fault]:
        seen.append(gc.isenabled())
        return [placed.fault("", "", "")]

    read_records(replace(SEEDS, cross_field=look), [write(path, authored)])
    assert (seen, gc.isenabled()) == ([False], collecting)


def test_garbage_is_collected_as_before_also_where_reading_fails(
    path: Path, authored: Record, collecting: bool
) -> None:
    def fail(_: object) -> Iterable[Fault]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_records(replace(SEEDS, cross_field=fail), [write(path, authored)])
    assert gc.isenabled() == collecting
