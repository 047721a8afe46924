from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.diversity import DIFFERS, FEATURES, SCALES, Feature, distances, farthest_first, features, medoid
from pipeline.matrix import Expansion
from pipeline.seed_columns import seed_table
from tests.golden_content import ROWS, golden_axes, golden_plan, golden_seeds


def told(*columns: tuple[list[int], int]) -> list[Feature]:
    return [Feature(np.array(values, np.int32), weight) for values, weight in columns]


@st.composite
def few(draw: st.DrawFn) -> list[Feature]:
    """Up to nine personas, of whom several may be alike."""
    rows = draw(st.integers(1, 9))
    values = st.lists(st.integers(0, 6), min_size=rows, max_size=rows)
    columns = draw(st.lists(st.tuples(values, st.sampled_from([0, 1, 5, 20])), min_size=1, max_size=4))
    return told(*columns)


def table(given: list[Feature]) -> Any:
    return np.array([distances(given, row) for row in range(len(given[0].values))])


def radius(apart: Any, picked: Any) -> int:
    """How far the one who is left farthest is from the nearest picked one."""
    return int(apart[:, list(picked)].min(axis=1).max())


@given(few(), st.integers(1, 4))
def test_no_choice_of_as_many_is_better_than_half_as_far(given: list[Feature], count: int) -> None:
    apart = table(given)
    best = min(radius(apart, chosen) for chosen in combinations(range(len(apart)), min(count, len(apart))))
    assert radius(apart, farthest_first(given, count)) <= 2 * best


@given(few())
def test_distances_are_a_metric(given: list[Feature]) -> None:
    apart = table(given)
    assert (apart == apart.T).all()
    assert not apart.diagonal().any()
    assert (apart[:, :, None] + apart[None, :, :] >= apart[:, None, :]).all()


@given(few(), st.integers(1, 12))
def test_picks_are_distinct_and_those_of_a_smaller_count_come_first(given: list[Feature], count: int) -> None:
    picked = farthest_first(given, count)
    assert len(set(picked)) == len(picked) == min(count, len(given[0].values))
    assert farthest_first(given, count - 1 or 1) == picked[: count - 1 or 1]


@given(few())
def test_the_first_is_the_most_typical_of_all(given: list[Feature]) -> None:
    sums = table(given).sum(axis=1)
    assert medoid(given) == farthest_first(given, 1)[0] == int(sums.argmin())


def test_of_equally_far_ones_the_first_is_taken() -> None:
    assert farthest_first(told(([0, 0, 0, 1, 1, 2], 10)), 4) == [0, 3, 5, 1]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    frame = Expansion(golden_plan(), ROWS).frame(0, ROWS)
    return frame.join(seed_table(golden_seeds()), on="seed_id", how="left", maintain_order="left")


@pytest.mark.parametrize(
    ("name", "values", "hundredths"),
    [
        ("age", [0, 100], 100),
        ("age", [20, 60], 40),
        ("age", [100, 4_000], 0),
        ("age", [None, 50], 0),
        ("openness", [1, 5], 50),
        ("valence", [-100, 100], 75),
        ("pace", [-1, 1], 50),
        ("gender", ["female", "male"], 100),
        ("gender", ["female", None], 100),
        ("gender", [None, None], 0),
        ("world", ["real", "invented"], 50),
    ],
)
def test_a_difference_counts_what_its_weight_says(
    rows: pl.DataFrame, name: str, values: list[Any], hundredths: int
) -> None:
    two = rows.head(1).select(pl.all().repeat_by(2)).explode(pl.all())
    two = two.with_columns(pl.Series(name, values, rows.schema[name]))
    assert distances(features(two, golden_axes(), "scene"), 0).tolist() == [0, hundredths]


@pytest.mark.parametrize(("frame", "hundredths"), [("deploy", 0), ("scene", DIFFERS["user_state"])])
def test_the_other_party_s_state_counts_only_where_it_is_told(rows: pl.DataFrame, frame: Any, hundredths: int) -> None:
    states = [state.id for state in golden_axes().user_state[:2]]
    two = rows.head(1).select(pl.all().repeat_by(2)).explode(pl.all())
    two = two.with_columns(pl.Series("user_state", states, rows.schema["user_state"]))
    assert distances(features(two, golden_axes(), frame), 0).tolist() == [0, hundredths]


def test_levels_that_stand_in_order_are_farther_apart_the_farther_they_stand(rows: pl.DataFrame) -> None:
    levels = [level.id for level in golden_axes().speech.register_.levels]
    some = rows.head(1).select(pl.all().repeat_by(len(levels))).explode(pl.all())
    some = some.with_columns(pl.Series("register", levels, rows.schema["register"]))
    apart = distances(features(some, golden_axes(), "deploy"), 0)
    assert (np.diff(apart) > 0).all()
    assert apart[-1] == 75


def test_every_feature_is_weighed_once(rows: pl.DataFrame) -> None:
    assert len(set(FEATURES)) == len(FEATURES) == len(features(rows, golden_axes(), "scene"))
    assert set(SCALES) <= set(rows.columns)


def test_the_most_diverse_of_real_rows_are_of_both_seeds_and_of_every_tone(rows: pl.DataFrame) -> None:
    picked = rows[farthest_first(features(rows, golden_axes(), "scene"), 12)]
    assert picked["seed_id"].n_unique() == 2
    assert picked["tone"].n_unique() == rows["tone"].n_unique()
    assert picked["scenario"].n_unique() == rows["scenario"].n_unique()
