from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes import Axes, Rule
from pipeline.axis_files import load_axes
from pipeline.coverage import Coverage, all_pairs, cover, position, unreachable
from pipeline.fit import likeliest_personas, reachable
from pipeline.kernel import SEQUENCE_END, Scratch, count_pairs, expand, interval, new_scratch, weigh
from pipeline.plan import _cap_bits
from pipeline.rules import Tables
from tests.small_models import AXES, Codes, Model, models, personas

Pair = tuple[int, int, int, int]  # axis, level, other axis, its level
HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3)


@pytest.fixture(scope="module")
def small_axes() -> Axes:
    return load_axes(Path(__file__).parent / "small_axes")


def pairs_in(rows: Sequence[Codes]) -> set[Pair]:
    return {(a, codes[a], b, codes[b]) for codes in rows for a, b in combinations(range(AXES), 2)}


def cells(tables: Tables, chosen: np.ndarray) -> set[Pair]:
    """Marked cells of the end-to-end layout, as pairs."""
    every = [
        (a, level, b, other)
        for a, b in combinations(range(AXES), 2)
        for level in range(tables.cards[a])
        for other in range(tables.cards[b])
    ]
    return {pair for pair, marked in zip(every, chosen.tolist(), strict=True) if marked}


def sequence(model: Model, seed: int, seed_hash: int, rows: int, first: int = 0) -> list[Codes]:
    codes = np.zeros((rows, AXES), np.uint8)
    work = new_scratch(model.tables)
    expand(model.tables, model.weights, model.masks[seed], np.uint64(seed_hash), first, codes, work)
    return [tuple(row) for row in codes.tolist()]


def covering(model: Model, hashes: Sequence[int], rows: Sequence[int]) -> Coverage:
    tables, weights, masks = model
    return cover(tables, weights, masks, reachable(tables, masks), hashes, rows, caps(model))


def caps(model: Model) -> list[int]:
    return [1 << _cap_bits(p) for p in likeliest_personas(*model)]


def frozen_rows(coverage: Coverage, seed: int) -> list[Codes]:
    return [row.codes for row in coverage.rows if row.seed == seed]


@given(models(seeds=3), HASHES, st.floats(0.1, 1))
def test_feasible_pairs_are_those_of_some_persona_of_some_seed(model: Model, hashes: list[int], share: float) -> None:
    found = covering(model, hashes, [max(1, int(cap * share)) for cap in caps(model)])
    possible = set().union(*(pairs_in(personas(model, seed)) for seed in range(3)))
    assert cells(model.tables, found.feasible) == possible


@given(models(seeds=3), HASHES, st.floats(0.1, 1))
def test_covered_pairs_are_those_of_the_rows(model: Model, hashes: list[int], share: float) -> None:
    found = covering(model, hashes, [max(1, int(cap * share)) for cap in caps(model)])
    rows = [row for seed in range(3) for row in sequence(model, seed, hashes[seed], found.prefixes[seed])]
    assert cells(model.tables, found.covered) == pairs_in([*rows, *(row.codes for row in found.rows)])


@given(models(seeds=3), HASHES)
def test_every_feasible_pair_is_covered_unless_its_seeds_are_full(model: Model, hashes: list[int]) -> None:
    rows = caps(model)
    found = covering(model, hashes, rows)
    for pair in cells(model.tables, found.feasible & ~found.covered):
        for seed in range(3):
            full = len(frozen_rows(found, seed)) == rows[seed] // 2
            assert full or pair not in pairs_in(personas(model, seed))


@given(models(seeds=3, tame=True), HASHES)
def test_every_feasible_pair_is_covered_where_there_is_room(model: Model, hashes: list[int]) -> None:
    room = [3_000] * 3  # nothing stops a caller from asking for more rows than are distinct
    tables, weights, masks = model
    found = cover(tables, weights, masks, reachable(tables, masks), hashes, room, room)
    assert cells(tables, found.covered) == cells(tables, found.feasible)


@given(models(seeds=3), HASHES, st.floats(0.1, 1))
def test_coverage_rows_are_distinct_personas_of_their_seed_in_place_of_its_last_rows(
    model: Model, hashes: list[int], share: float
) -> None:
    asked = [max(1, int(cap * share)) for cap in caps(model)]
    found = covering(model, hashes, asked)
    for seed, rows in enumerate(asked):
        frozen = frozen_rows(found, seed)
        kept = sequence(model, seed, hashes[seed], found.prefixes[seed])
        assert len(kept) + len(frozen) == rows
        assert len({*kept, *frozen}) == rows
        assert {*frozen} <= {*personas(model, seed)}


@given(models(seeds=3), HASHES)
def test_a_coverage_row_keeps_its_place_on_the_sequence_or_takes_the_next_slot(model: Model, hashes: list[int]) -> None:
    found = covering(model, hashes, caps(model))
    work = new_scratch(model.tables)
    for seed in range(3):
        own = [row for row in found.rows if row.seed == seed]
        slots = [row.variant for row in own if row.variant >= SEQUENCE_END]
        assert slots == [SEQUENCE_END + number for number in range(len(slots))]
        weigh(model.tables, model.weights, model.masks[seed], work)
        for row in own:
            k = position(model.tables, np.array(row.codes, np.uint8), hashes[seed], work)
            assert row.variant == k or (k is None and row.variant >= SEQUENCE_END)
            assert row.variant >= found.prefixes[seed]


@given(models(), st.integers(0, 2**64 - 1))
def test_the_position_of_a_row_is_where_the_sequence_first_reaches_it(model: Model, seed_hash: int) -> None:
    enumerated = 1 << 12
    first: dict[Codes, int] = {}
    for k, codes in enumerate(sequence(model, 0, seed_hash, enumerated)):
        first.setdefault(codes, k)
    work = new_scratch(model.tables)
    weigh(model.tables, model.weights, model.masks[0], work)
    for codes in personas(model)[::4]:
        found = position(model.tables, np.array(codes, np.uint8), seed_hash, work)
        if found is None:
            assert not reached(model, codes, seed_hash, 31, work)
        elif found >= enumerated:
            assert codes not in first
            assert sequence(model, 0, seed_hash, 1, found) == [codes]
            assert not reached(model, codes, seed_hash, found.bit_length() - 1, work)
            assert found < SEQUENCE_END
        else:
            assert found == first[codes]


def reached(model: Model, codes: Codes, seed_hash: int, bits: int, work: Scratch) -> bool:
    """Whether one of the first 2^bits points, which lie 2^(64 - bits) apart from the hash on, is in the interval."""
    row = np.array(codes, np.uint8)
    first, last = (int(end) for end in interval(model.tables, row, np.zeros_like(row), work))
    apart = 1 << (64 - bits)
    return first <= last and (last - seed_hash) // apart > (first - 1 - seed_hash) // apart


@given(models(), st.integers(0, 2**64 - 1))
def test_rows_are_counted_and_discounted_by_pair(model: Model, seed_hash: int) -> None:
    rows = sequence(model, 0, seed_hash, 40)
    pairs = all_pairs(model.tables)
    counts = np.zeros(pairs.offsets[-1], np.int64)
    count_pairs(np.array(rows, np.uint8), model.tables.cards, pairs.axes, pairs.offsets, counts, 1)
    by_hand = Counter(pair for row in rows for pair in pairs_in([row]))
    for number, times in Counter(by_hand.values()).items():
        assert cells(model.tables, counts == number) == {pair for pair, n in by_hand.items() if n == number}
        assert int((counts == number).sum()) == times
    count_pairs(np.array(rows[1:], np.uint8), model.tables.cards, pairs.axes, pairs.offsets, counts, -1)
    assert cells(model.tables, counts > 0) == pairs_in(rows[:1])


def test_no_shipped_level_is_unreachable(axes: Axes) -> None:
    assert unreachable(axes) == []


def test_an_unreachable_level_is_named_with_the_rules_that_cut_it_off(small_axes: Axes) -> None:
    scenarios = tuple(scenario.id for scenario in small_axes.scenario)
    rule = Rule(hard=({"tone": "low"}, {"scenario": scenarios}), reason="nobody may sound so")
    cut_off = changed(small_axes, rules=(*small_axes.rules, rule))
    assert unreachable(cut_off) == [("tone", "low", "low is slow; nobody may sound so")]


def test_a_level_that_no_scenario_lists_is_unreachable_without_a_rule(small_axes: Axes) -> None:
    scenarios = tuple(scenario.model_copy(update={"verbosity": {"long": 1.0}}) for scenario in small_axes.scenario)
    stripped = changed(small_axes, scenario=scenarios)
    assert unreachable(stripped) == [("verbosity", "short", "no scenario allows it together with the rules")]


def changed(axes: Axes, **parts: object) -> Axes:
    return Axes.model_validate(axes.model_copy(update=parts).model_dump(by_alias=True))
