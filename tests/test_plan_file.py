import gc
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.matrix import Expansion
from pipeline.plan import Plan
from pipeline.plan_file import plan_json, read_plan


def test_a_plan_that_is_saved_and_read_is_the_same_plan(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan_json(plan), "utf-8")
    read = read_plan(path)
    assert read.id == plan.id
    assert plan_json(read) == plan_json(plan)
    rows = plan.base_rows + 1_000
    assert Expansion(read, rows).codes(0, rows).digest_bytes() == Expansion(plan, rows).codes(0, rows).digest_bytes()
    assert [seed.split for seed in read.seeds] == [seed.split for seed in plan.seeds]


def changed(document: dict[str, Any], *path: str | int, value: object) -> dict[str, Any]:
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    assert place[path[-1]] != value
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("weights", 3, 0), 77),
        (("weights",), []),
        (("tables", "scenario_state", 0, 0), 99),
        (("tables",), {}),
        (("coverage", "codes"), "AAAA"),
        (("coverage", "seeds"), "AQAAAA=="),
        (("coverage", "joins"), ""),
        (("base_rows",), 3),
        (("axes", "scenario", 0, "share"), 7.5),
        (("seeds", 0, "allowed", 1), "1"),
        (("seeds", 0, "license"), "MIT"),
        (("seeds",), None),
        (("id",), "0123456789ab"),
        (("report", "pairs", "scenario, tone", "covered"), 0),
        (("report_id",), "0123456789ab"),
    ],
)
def test_a_plan_changed_by_hand_is_refused(plan: Plan, tmp_path: Path, path: tuple[str, ...], value: object) -> None:
    document = changed(json.loads(plan_json(plan)), *path, value=value)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match="changed after it was frozen.*Restore the file, or fit a new plan with"):
        read_plan(file)


@pytest.mark.parametrize("field", ["id", "tables", "seeds", "report", "report_id"])
def test_a_plan_that_lacks_a_part_is_refused(plan: Plan, tmp_path: Path, field: str) -> None:
    document = json.loads(plan_json(plan))
    del document[field]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match="changed after it was frozen"):
        read_plan(file)


def test_a_plan_of_another_version_is_refused_with_a_way_out(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(changed(json.loads(plan_json(plan)), "version", value=1)), "utf-8")
    with pytest.raises(
        UsageError, match="a plan of version 1; this program reads version 5. Use the program that made it"
    ):
        read_plan(file)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", "{}", '"version"', b"\xff\xfe"])
def test_what_is_no_plan_is_refused_with_a_way_out(tmp_path: Path, text: str | bytes | None) -> None:
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(
        UsageError, match=r"plan.json: not a plan that can be read .*make one with `personas plan --out`"
    ):
        read_plan(file)


@pytest.fixture
def gone_over() -> Iterator[list[int]]:
    """Generations that the garbage collector has gone over."""
    found: list[int] = []

    def note(phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            found.append(told["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    gc.unfreeze()
    gc.enable()


def test_no_garbage_is_looked_for_while_a_plan_is_read(plan: Plan, tmp_path: Path, gone_over: list[int]) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan_json(plan), "utf-8")
    gc.collect()
    gone_over.clear()
    read = read_plan(path)
    assert gone_over == []
    assert gc.isenabled()
    assert any(held is read for held in gc.get_objects(generation=2))


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("text", ["", None], ids=["refused", "read"])
def test_reading_a_plan_leaves_the_garbage_collector_as_it_was(
    plan: Plan, tmp_path: Path, gone_over: list[int], enabled: bool, frozen: bool, text: str | None
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan_json(plan) if text is None else text, "utf-8")
    if frozen:
        gc.freeze()
    if not enabled:
        gc.disable()
    count = gc.get_freeze_count()
    with suppress(UsageError):
        read_plan(path)
    assert (gc.isenabled(), gc.get_freeze_count() > 0) == (enabled, count > 0)
