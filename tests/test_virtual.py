import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.axes import AXIS_NAMES
from pipeline.config import ROW_GROUP, SceneSettings
from pipeline.matrix import Expansion
from pipeline.plan import Plan
from pipeline.plan_file import plan_json
from pipeline.scenes import with_scenes
from pipeline.seeds import Seed
from pipeline.virtual import FIRST_BATCH, virtual_matrix
from tests.conftest import BASE_ROWS

ROWS = BASE_ROWS  # so that coverage rows are among them
SEED = "shen-anbang"
Query = Callable[[pl.LazyFrame], pl.LazyFrame]


@pytest.fixture(scope="module")
def frame(plan: Plan) -> pl.DataFrame:
    return Expansion(plan, ROWS).frame(0, ROWS)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Rows and axes of every batch that is decoded."""
    seen: list[tuple[int, int]] = []
    original = Expansion.decoded

    def recorded(self: Expansion, parts: Any, axes: int = len(AXIS_NAMES)) -> Any:
        rows = original(self, parts, axes)
        seen.append((len(rows.seeds), axes))
        return rows

    monkeypatch.setattr(Expansion, "decoded", recorded)
    return seen


QUERIES: dict[str, Query] = {
    "all": lambda rows: rows,
    "one column": lambda rows: rows.select("tone"),
    "columns in another order": lambda rows: rows.select("affinity", "persona_id", "seed_id"),
    "count": lambda rows: rows.select(pl.len()),
    "predicate": lambda rows: rows.filter(pl.col("domain") == "travel"),
    "predicate on a column that is not kept": lambda rows: rows.filter(pl.col("pace") == 1).select("scenario"),
    "count of a predicate": lambda rows: rows.filter(pl.col("lang") == "zh").select(pl.len()),
    "null predicate": lambda rows: rows.filter(pl.col("openness").is_null()),
    "head": lambda rows: rows.head(10),
    "head of none": lambda rows: rows.head(0),
    "head beyond the end": lambda rows: rows.head(10 * ROWS),
    "head of a predicate": lambda rows: rows.filter(pl.col("lang") == "zh").head(10),
    "predicate on a head": lambda rows: rows.head(200).filter(pl.col("pace") == 1),
    "predicate on a head of columns": lambda rows: rows.select("pace", "tone").head(200).filter(pl.col("pace") == 1),
    "tail": lambda rows: rows.tail(10),
    "slice": lambda rows: rows.slice(1_650, 40),
    "seed": lambda rows: rows.filter(pl.col("seed_id") == SEED),
    "seeds and a state": lambda rows: rows.filter(
        pl.col("seed_id").is_in([SEED, "nobody"]) & (pl.col("user_state") == "sad")
    ),
    "split": lambda rows: rows.filter(pl.col("split") != "train").select("persona_id", "split"),
    "not a language": lambda rows: rows.filter(~(pl.col("lang") == "zh"), pl.col("tone_family") == "wry"),
    "domain or domain": lambda rows: rows.filter((pl.col("domain") == "travel") | (pl.col("domain") == "bedtime")),
    "seed or domain": lambda rows: rows.filter((pl.col("seed_id") == SEED) | (pl.col("domain") == "bedtime")),
    "variants": lambda rows: rows.filter(pl.col("variant").is_between(3, 7), pl.col("lang") == "en"),
    "coverage slots": lambda rows: rows.filter(pl.col("variant") >= 1 << 31),
    "ids": lambda rows: rows.filter(pl.col("persona_id").is_in([5, (3 << 32) + 8, (1 << 40)])),
    "nothing": lambda rows: rows.filter(pl.col("seed_id") == "nobody"),
    "mean": lambda rows: (
        rows.filter(pl.col("lang") == "en").group_by("domain").agg(pl.col("affinity").mean()).sort("domain")
    ),
    "groups": lambda rows: rows.group_by("tone_family").len().sort("tone_family"),
    "join": lambda rows: rows.head(5).join(rows.select("persona_id", "tone"), on="persona_id", maintain_order="left"),
}


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_virtual_matrix_answers_as_a_stored_one(plan: Plan, frame: pl.DataFrame, query: Query, engine: str) -> None:
    virtual = query(virtual_matrix(plan, ROWS)).collect(engine=engine)  # type: ignore[call-overload]
    assert virtual.equals(query(frame.lazy()).collect())
    assert virtual.schema == query(frame.lazy()).collect_schema()


def test_a_virtual_matrix_runs_on_over_row_groups(plan: Plan) -> None:
    rows = 2 * ROW_GROUP + 10
    ids = virtual_matrix(plan, rows).select("persona_id").collect()["persona_id"]
    expected = Expansion(plan, rows).frame(0, rows)["persona_id"]
    assert ids.equals(expected)
    across = virtual_matrix(plan, rows).select("persona_id").head(ROW_GROUP + 5).collect()["persona_id"]
    assert across.equals(expected.head(ROW_GROUP + 5))


@pytest.mark.parametrize(
    ("query", "rows", "decided"),
    [
        (lambda rows: rows.filter(pl.col("seed_id") == SEED).select("tone"), "of the seed", 3),
        (lambda rows: rows.filter(pl.col("lang") == "zh").select("domain"), "of the language", 1),
        (lambda rows: rows.select("persona_id", "lang"), "all", 0),
        (lambda rows: rows.filter(pl.col("variant") < 10), "of low variants", len(AXIS_NAMES)),
        (lambda rows: rows.filter(pl.col("seed_id") == "nobody"), "none", len(AXIS_NAMES)),
        (lambda rows: rows.group_by("domain").len(), "all", 1),
    ],
)
def test_only_the_rows_and_axes_that_a_query_needs_are_decoded(
    plan: Plan, frame: pl.DataFrame, decoded: list[tuple[int, int]], query: Query, rows: str, decided: int
) -> None:
    query(virtual_matrix(plan, ROWS)).collect()
    wanted = {
        "all": ROWS, "none": 0, "of low variants": frame.filter(pl.col("variant") < 10).height,
        "of the seed": frame.filter(pl.col("seed_id") == SEED).height,
        "of the language": frame.filter(pl.col("lang") == "zh").height,
    }  # fmt: skip
    assert sum(count for count, _ in decoded) == wanted[rows]
    assert {axes for _, axes in decoded} == {decided}


def test_seeds_without_a_bridge_to_a_domain_are_skipped(
    plan: Plan, frame: pl.DataFrame, decoded: list[tuple[int, int]]
) -> None:
    met = virtual_matrix(plan, ROWS).filter(pl.col("domain") == "automotive").collect()
    whose = frame.filter(pl.col("domain") == "automotive")["seed_id"].unique()
    assert 0 < len(whose) < len(plan.seeds)
    assert sum(count for count, _ in decoded) == frame.filter(pl.col("seed_id").is_in(whose.implode())).height
    assert met.equals(frame.filter(pl.col("domain") == "automotive"))


def test_the_head_of_many_rows_is_one_small_batch(plan: Plan, decoded: list[tuple[int, int]]) -> None:
    most = sum(seed.cap for seed in plan.seeds)
    assert most > 7 * ROW_GROUP
    virtual_matrix(plan, most).head(10).collect()
    assert decoded == [(FIRST_BATCH, len(AXIS_NAMES))]


def test_scenes_can_be_asked_for(plan: Plan, seeds: list[Seed], frame: pl.DataFrame) -> None:
    settings = SceneSettings(frame="scene")
    virtual = virtual_matrix(plan, ROWS, seeds, settings)
    told = virtual.filter(pl.col("seed_id") == SEED).select("persona_id", "scene").head(20).collect()
    rows = frame.lazy().filter(pl.col("seed_id") == SEED).head(20)
    assert told.equals(with_scenes(rows, plan, seeds, settings).select("persona_id", "scene").collect())
    whole = virtual.head(3).collect()
    assert whole.columns == [*frame.columns, "scene"]
    assert whole["scene"].str.len_chars().min() > 400
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        virtual_matrix(plan, ROWS).select("scene").collect()


ENDS_EARLY = """
import sys
from pathlib import Path
import polars as pl
from pipeline.plan_file import read_plan
from pipeline.virtual import virtual_matrix

plan = read_plan(Path(sys.argv[1]))
rows = virtual_matrix(plan, sum(seed.cap for seed in plan.seeds)).filter(pl.col("seed_id") == plan.seeds[1].id)
print(rows.head(10).collect().height)
"""


def test_a_program_ends_well_while_polars_still_reads_ahead(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan_json(plan), "utf-8")
    run = [sys.executable, "-c", ENDS_EARLY, str(tmp_path / "plan.json")]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "10\n", "")
