from collections.abc import Callable
from dataclasses import replace
from math import prod

import dataframely as dy
import numpy as np
import polars as pl
import pytest
from dataframely.exc import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError as InvalidModel

from pipeline.axes import AXIS_NAMES, TREE, Axes, StepAxis
from pipeline.matrix import (
    COLUMNS,
    LEVEL,
    Columns,
    Expansion,
    Rows,
    codes_of,
    level_enums,
    matrix_schema,
    persona_rows,
)
from pipeline.persona_matrix import PersonaMatrix
from pipeline.plan import Plan, make_plan
from pipeline.rules import ONE
from pipeline.seeds import TRAITS, Locks, Seed
from tests.conftest import BASE_ROWS

ROWS = BASE_ROWS  # so that coverage rows are among them
Query = Callable[[pl.LazyFrame], pl.LazyFrame]


@pytest.fixture(scope="module")
def expansion(plan: Plan) -> Expansion:
    return Expansion(plan, ROWS)


@pytest.fixture(scope="module")
def whole(expansion: Expansion) -> Rows:
    return expansion.codes(0, ROWS)


@pytest.fixture(scope="module")
def frame(expansion: Expansion) -> pl.DataFrame:
    return expansion.frame(0, ROWS)


@pytest.fixture(scope="module")
def told(frame: pl.DataFrame) -> list[dict[str, object]]:
    """Every thirteenth row, by column."""
    return frame.gather_every(13).to_dicts()


@pytest.fixture(scope="module")
def untold(seeds: list[Seed], axes: Axes) -> Plan:
    """A plan over a seed with traits and one whose source tells neither traits, stances nor bridges."""
    nothing = {"traits": None, "stances": None, "bridges": None, "locks": Locks()}
    return make_plan([seeds[0], seeds[1].model_copy(update=nothing)], axes, 400)


def equal(one: Rows, other: Rows) -> bool:
    return one.digest_bytes() == other.digest_bytes()


@given(st.integers(0, ROWS), st.integers(0, 3000))
def test_any_range_is_a_slice_of_the_whole(expansion: Expansion, whole: Rows, start: int, length: int) -> None:
    stop = min(start + length, ROWS)
    part = expansion.codes(start, stop)
    assert equal(part, Rows(*(column[start:stop] for column in whole)))


@given(st.lists(st.integers(0, ROWS), max_size=8))
def test_ranges_laid_end_to_end_are_the_whole(expansion: Expansion, whole: Rows, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), ROWS]
    parts = [expansion.codes(start, stop) for start, stop in zip(edges, edges[1:], strict=False)]
    assert equal(Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True))), whole)


def test_a_seed_is_the_run_of_rows_that_its_range_tells(plan: Plan, expansion: Expansion, whole: Rows) -> None:
    for seed, quota in enumerate(plan.quotas(ROWS)):
        start, stop = expansion.seed_range(seed)
        assert stop - start == quota
        assert (whole.seeds[start:stop] == seed).all()


@pytest.mark.parametrize("rows", [1, 5, 33])
def test_a_matrix_may_have_fewer_rows_than_seeds(plan: Plan, rows: int) -> None:
    frame = Expansion(plan, rows).frame(0, rows)
    assert frame["persona_id"].n_unique() == frame.height == rows


def test_the_bytes_of_rows_are_little_endian_ordinals_variants_and_codes() -> None:
    rows = Rows(np.array([1], np.uint32), np.array([2**31], np.uint32), np.array([[7, 8]], np.uint8))
    assert rows.digest_bytes() == bytes([1, 0, 0, 0, 0, 0, 0, 128, 7, 8])


def test_a_matrix_meets_its_declaration(plan: Plan, frame: pl.DataFrame) -> None:
    assert PersonaMatrix.validate(frame).equals(frame)
    assert frame.schema == pl.Schema(matrix_schema(plan))
    assert frame.columns == PersonaMatrix.column_names() == list(COLUMNS)


@pytest.mark.parametrize(
    "broken",
    [
        pl.col("variant") + 1,
        pl.lit(None, pl.Int8).alias("openness"),
        pl.lit(6, pl.Int8).alias("neuroticism"),
        pl.lit(2, pl.Int8).alias("pace"),
        pl.lit(1 << 53, pl.UInt64).alias("persona_id"),
    ],
)
def test_a_row_that_cannot_be_is_no_matrix(frame: pl.DataFrame, broken: pl.Expr) -> None:
    with pytest.raises(ValidationError):
        PersonaMatrix.validate(frame.with_columns(broken))


def test_rows_are_in_order_of_their_ids(frame: pl.DataFrame) -> None:
    ids = frame["persona_id"]
    assert ids.is_sorted()
    assert ids.n_unique() == ROWS
    assert (ids // 2**32 * 2**32 + frame["variant"] == ids).all()


def test_codes_are_read_back_from_the_columns(plan: Plan, frame: pl.DataFrame, whole: Rows) -> None:
    assert equal(codes_of(plan, frame), whole)
    assert equal(codes_of(plan, frame[7:12]), Rows(*(column[7:12] for column in whole)))


def test_single_personas_are_rows_of_the_matrix(plan: Plan, whole: Rows) -> None:
    chosen = [ROWS - 1, 0, 777, 1_618, 1_666]
    asked = [(int(whole.seeds[row]), int(whole.variants[row])) for row in chosen]
    assert equal(persona_rows(plan, asked), Rows(*(column[chosen] for column in whole)))


@pytest.mark.parametrize("name", [axis for axis in AXIS_NAMES if axis not in {"pace", "energy"}])
def test_a_level_is_told_by_its_id(plan: Plan, frame: pl.DataFrame, whole: Rows, name: str) -> None:
    levels = [level.id for level in plan.axes.levels[name]]
    assert frame[name].to_list() == [levels[code] for code in whole.codes[:, AXIS_NAMES.index(name)]]


@pytest.mark.parametrize("name", ["pace", "energy"])
def test_pace_and_energy_are_told_as_steps(axes: Axes, frame: pl.DataFrame, whole: Rows, name: str) -> None:
    steps = [level.step for level in getattr(axes.speech, name).levels]
    assert frame[name].to_list() == [steps[code] for code in whole.codes[:, AXIS_NAMES.index(name)]]
    assert {*frame[name]} == {-1, 0, 1}


def test_steps_out_of_order_are_no_axis(axes: Axes) -> None:
    pace = axes.speech.pace.model_dump()
    with pytest.raises(InvalidModel, match="the levels are the steps -1, 0 and 1, in this order"):
        StepAxis.model_validate(pace | {"levels": pace["levels"][::-1]})


def test_columns_of_the_tone_are_those_of_its_record(axes: Axes, told: list[dict[str, object]]) -> None:
    for row in told:
        tone = next(tone for tone in axes.tone if tone.id == row["tone"])
        assert (row["tone_family"], row["pitch"]) == (tone.family, tone.implies.pitch)
        assert (row["valence"], row["arousal"], row["dominance"]) == (tone.valence, tone.arousal, tone.dominance)


def test_domain_and_stance_follow_from_scenario_and_seed(
    axes: Axes, seeds: list[Seed], told: list[dict[str, object]]
) -> None:
    by_id = {seed.id: seed for seed in seeds}
    for row in told:
        scenario = next(scenario for scenario in axes.scenario if scenario.id == row["scenario"])
        played = [stance for stance in scenario.stances if stance in by_id[str(row["seed_id"])].played]
        assert (row["domain"], row["stance"]) == (scenario.domain, played[0])


def test_columns_of_the_seed_are_those_of_its_record(plan: Plan, seeds: list[Seed], frame: pl.DataFrame) -> None:
    parts = frame.partition_by("seed_id", maintain_order=True)
    assert [part["seed_id"][0] for part in parts] == [seed.id for seed in seeds]
    for ordinal, (seed, part) in enumerate(zip(seeds, parts, strict=True)):
        assert {*part["persona_id"] // 2**32} == {ordinal}
        assert [*part.select("lang", "license", "split").unique().row(0)] == [
            seed.lang, seed.provenance.license, plan.seeds[ordinal].split,
        ]  # fmt: skip


def test_traits_are_home_and_the_shift_of_the_day(axes: Axes, seeds: list[Seed], told: list[dict[str, object]]) -> None:
    shifts = {level.id: level.shift for level in axes.temperament}
    homes = {seed.id: seed.traits for seed in seeds}
    for row in told:
        shift = shifts[str(row["temperament"])]
        expected = [getattr(homes[str(row["seed_id"])], trait) + shift.get(trait, 0) for trait in TRAITS]
        assert [row[trait] for trait in TRAITS] == expected


def test_what_a_source_does_not_tell_is_null_and_open(untold: Plan) -> None:
    frame = PersonaMatrix.validate(Expansion(untold, 400).frame(0, 400), cast=False)
    known, unknown = frame.partition_by("seed_id", maintain_order=True)
    assert unknown.select(TRAITS).null_count().row(0) == (unknown.height,) * len(TRAITS)
    assert known.select(TRAITS).null_count().row(0) == (0,) * len(TRAITS)
    assert {*unknown["stance"]} <= {"companion", "character"}


def test_affinity_is_the_geometric_mean_of_what_meets_in_a_row(plan: Plan, frame: pl.DataFrame, whole: Rows) -> None:
    tables = plan.tables
    for row in range(0, ROWS, 7):
        codes = whole.codes[row].tolist()
        s, u, t = codes[:3]
        met = [
            tables.scenario_state[s, u], tables.scenario_tone[s, t], tables.state_tone[u, t],
            tables.domain_state_family[tables.domain_of[s], u, tables.family_of[t]],
            *(tables.edges[axis, codes[TREE[axis].parent], codes[axis]] for axis in range(3, len(TREE))),
        ]  # fmt: skip
        mean = prod(float(affinity) for affinity in met) ** (1 / len(met))
        # 255 stands for 1.  Logarithms are rounded down to 1,024ths, twice on the way there and once on the way back.
        assert mean * 2 ** (-2 / 1024) - 1 < frame["affinity"][row] + 1 < mean * 2 ** (1 / 1024)


def test_rows_that_fit_in_everything_have_the_full_affinity(plan: Plan, whole: Rows) -> None:
    tables = plan.tables._asdict()
    full = {name: np.full_like(table, ONE) for name, table in tables.items() if table.dtype == np.uint16}
    fitting = replace(plan, tables=plan.tables._replace(**full))
    assert Columns(fitting).frame(whole, ["affinity"])["affinity"].unique().to_list() == [255]


def test_levels_are_the_same_in_every_shard(plan: Plan, expansion: Expansion, frame: pl.DataFrame) -> None:
    shards = [expansion.frame(start, start + 5_000) for start in range(0, ROWS, 5_000)]
    assert all(shard.schema == frame.schema for shard in shards)
    assert pl.concat(shards).equals(frame)
    for name, enum in level_enums(plan).items():
        assert frame.schema[name] == enum


def test_levels_do_not_depend_on_which_seeds_a_plan_has(plan: Plan, untold: Plan) -> None:
    one, other = level_enums(plan), level_enums(untold)
    assert [name for name in one if one[name] != other[name]] in ([], ["license"])
    assert one["scenario"].categories.to_list() == [scenario.id for scenario in plan.axes.scenario]


def test_every_column_says_what_it_is() -> None:
    columns: dict[str, dy.Column] = PersonaMatrix.columns()
    assert [name for name, column in columns.items() if not column.description] == []


def test_columns_have_the_types_that_are_declared() -> None:
    declared = {name: column.dtype for name, column in PersonaMatrix.columns().items()}
    assert {name: dtype or pl.Enum([]) for name, dtype in COLUMNS.items()} == declared
    assert LEVEL is None
