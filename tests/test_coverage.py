from collections import Counter
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pipeline.axes import TREE, Axes, Rule
from pipeline.axis_files import load_axes
from pipeline.coverage import NO_AXIS, Coverage, all_cells, cover, own_from, unreachable
from pipeline.fit import concentrated, reachable
from pipeline.kernel import (
    SEQUENCE_END,
    WEIGHT_MAX,
    WEIGHT_MIN,
    WEIGHT_ONE,
    Scratch,
    count_cells,
    expand,
    give_way,
    interval,
    new_scratch,
    position,
    weigh,
)
from pipeline.plan import limits
from pipeline.rules import ONE, Tables
from tests.small_models import AXES, Codes, Model, models, personas

Cell = tuple[tuple[int, int], ...]  # axis and level, two or three times
STRENGTHS = st.sampled_from([2, 3])
AFFINITIES = ("scenario_state", "scenario_tone", "state_tone", "domain_state_family", "edges")
LEAST_OWN = st.sampled_from([16, 30, 2_000])
HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3)


@st.composite
def rare_pairs(draw: st.DrawFn) -> Model:
    """Models of many personas, all alike but for one scenario and tone far likelier than the others."""
    tables, weights, masks = draw(models(seeds=3))
    alike = {name: np.where(getattr(tables, name) > 0, ONE, 0).astype(np.uint16) for name in AFFINITIES}
    weights = np.full_like(weights, WEIGHT_ONE)
    for axis in (0, 2):
        weights[axis] = draw(st.permutations([WEIGHT_MAX, *[WEIGHT_MIN] * (weights.shape[1] - 1)]))
    return Model(tables._replace(**alike), weights, masks)


EITHER = models(seeds=3) | rare_pairs()


@pytest.fixture(scope="module")
def small_axes() -> Axes:
    return load_axes(Path(__file__).parent / "small_axes")


def cells_in(rows: Sequence[Codes], strength: int) -> set[Cell]:
    """The pairs, and triples, of levels that the rows have."""
    sizes = range(2, strength + 1)
    return {cell for codes in rows for size in sizes for cell in combinations(enumerate(codes), size)}


def marked_cells(tables: Tables, marked: np.ndarray, strength: int) -> set[Cell]:
    """Marked cells of the end-to-end layout."""
    every = [
        tuple(zip(axes, levels, strict=True))
        for size in range(2, strength + 1)
        for axes in combinations(range(AXES), size)
        for levels in product(*(range(tables.cards[axis]) for axis in axes))
    ]
    return {cell for cell, found in zip(every, marked.tolist(), strict=True) if found}


def sequence(model: Model, seed: int, seed_hash: int, rows: int, first: int = 0) -> list[Codes]:
    codes = np.zeros((rows, AXES), np.uint8)
    work = new_scratch(model.tables)
    places = np.arange(first, first + rows, dtype=np.uint32)
    expand(model.tables, model.weights, model.masks[seed], np.uint64(seed_hash), places, codes, work)
    return [tuple(row) for row in codes.tolist()]


def covering(
    model: Model, hashes: Sequence[int], rows: Sequence[int], strength: int = 2, least_own: int = 2_000
) -> Coverage:
    tables, weights, masks = model
    return cover(tables, weights, masks, reachable(tables, masks), hashes, rows, caps(model), strength, least_own)


def first_rows(model: Model, found: Coverage, seed: int, seed_hash: int, rows: int) -> list[Codes]:
    """The first ``rows`` rows of a seed: its sequence without the frozen rows, and each of those where it joins;
    nothing occurs twice."""
    frozen = frozen_rows(model, found, seed, seed_hash)
    joining = dict(zip(found.rows.joins[found.rows.seeds == seed].tolist(), frozen, strict=True))
    assert list(joining) == sorted(joining)
    assert len(joining) == len(frozen)
    order: dict[Codes, None] = {}
    going_on = iter(sequence(model, seed, seed_hash, rows + len(joining)))
    while len(order) < rows:
        if len(order) in joining:
            assert joining[len(order)] not in order
            order[joining[len(order)]] = None
        else:
            order[next(codes for codes in going_on if codes not in order and codes not in frozen)] = None
    return list(order)


def pairs_of(model: Model, rows: Sequence[Codes]) -> set[tuple[int, int]]:
    domains, families = model.tables.domain_of.tolist(), model.tables.family_of.tolist()
    return {(domains[codes[0]], families[codes[2]]) for codes in rows}


def caps(model: Model) -> list[int]:
    return [1 << limits(*each).distinct_bits for each in concentrated(*model).tolist()]


def frozen_rows(model: Model, coverage: Coverage, seed: int, seed_hash: int) -> list[Codes]:
    """Frozen rows of a seed, in the order in which they join it."""
    seeds, variants, _, codes = coverage.rows
    slots = iter(codes[seeds[variants >= SEQUENCE_END] == seed].tolist())
    return [
        tuple(next(slots)) if variant >= SEQUENCE_END else sequence(model, seed, seed_hash, 1, variant)[0]
        for variant in variants[seeds == seed].tolist()
    ]


def covering_rows(coverage: Coverage, seed: int, rows: int) -> int:
    """How many of a seed's first ``rows`` rows are frozen."""
    return int((coverage.rows.joins[coverage.rows.seeds == seed] < rows).sum())


@given(models(seeds=3), HASHES, st.floats(0.1, 1), STRENGTHS)
def test_feasible_cells_are_those_of_some_persona_of_some_seed(
    model: Model, hashes: list[int], share: float, strength: int
) -> None:
    found = covering(model, hashes, [max(1, int(cap * share)) for cap in caps(model)], strength)
    possible = set().union(*(cells_in(personas(model, seed), strength) for seed in range(3)))
    assert marked_cells(model.tables, found.feasible, strength) == possible


@given(EITHER, HASHES, st.floats(0.1, 1), STRENGTHS, LEAST_OWN)
def test_covered_cells_are_those_of_the_rows(
    model: Model, hashes: list[int], share: float, strength: int, least_own: int
) -> None:
    asked = [max(1, int(cap * share)) for cap in caps(model)]
    found = covering(model, hashes, asked, strength, least_own)
    rows = [row for seed in range(3) for row in first_rows(model, found, seed, hashes[seed], asked[seed])]
    assert marked_cells(model.tables, found.covered, strength) == cells_in(rows, strength)


@given(models(seeds=3), HASHES, STRENGTHS)
def test_every_feasible_cell_is_covered_unless_its_seeds_are_full(
    model: Model, hashes: list[int], strength: int
) -> None:
    rows = caps(model)
    found = covering(model, hashes, rows, strength)
    left = marked_cells(model.tables, found.feasible & ~found.covered, strength)
    for seed in range(3):
        if covering_rows(found, seed, rows[seed]) < rows[seed] // 2:
            assert left.isdisjoint(cells_in(personas(model, seed), strength))


@given(models(seeds=3, tame=True), st.integers(0, 2**32 - 1), STRENGTHS)
def test_every_feasible_cell_is_covered_where_there_is_room(model: Model, entropy: int, strength: int) -> None:
    assume(min(caps(model)) >= 4)
    many = model._replace(masks=np.repeat(model.masks, 20, axis=0))
    hashes = np.random.default_rng(entropy).integers(0, 2**63, 60).tolist()
    found = covering(many, hashes, caps(many), strength)
    assert found.covered.tolist() == found.feasible.tolist()


@given(EITHER, HASHES, st.floats(0.1, 1), STRENGTHS, LEAST_OWN)
def test_all_rows_a_seed_can_have_are_distinct_personas_of_it(
    model: Model, hashes: list[int], share: float, strength: int, least_own: int
) -> None:
    found = covering(model, hashes, [max(1, int(cap * share)) for cap in caps(model)], strength, least_own)
    for seed, cap in enumerate(caps(model)):
        rows = first_rows(model, found, seed, hashes[seed], cap)
        assert len({*rows}) == cap
        assert {*rows} <= {*personas(model, seed)}


@given(rare_pairs(), HASHES, st.floats(0.1, 1), st.integers(1, 40))
def test_from_its_first_rows_on_a_seed_has_every_pair_of_domain_and_tone_family_it_can_take(
    model: Model, hashes: list[int], share: float, least_own: int
) -> None:
    asked = [max(1, int(cap * share)) for cap in caps(model)]
    found = covering(model, hashes, asked, 2, least_own)
    pairs = 0
    for seed, cap in enumerate(caps(model)):
        able = pairs_of(model, personas(model, seed))
        enough = own_from(model.tables, least_own)
        if cap >= enough:
            assert pairs_of(model, first_rows(model, found, seed, hashes[seed], enough)) == able
        pairs += len(able)
    assert found.own <= pairs


@given(EITHER, HASHES, STRENGTHS, LEAST_OWN)
def test_a_coverage_row_keeps_its_place_on_the_sequence_or_takes_the_next_slot(
    model: Model, hashes: list[int], strength: int, least_own: int
) -> None:
    found = covering(model, hashes, caps(model), strength, least_own)
    work = new_scratch(model.tables)
    assert found.rows.seeds.tolist() == sorted(found.rows.seeds.tolist())
    for seed in range(3):
        mine = found.rows.seeds == seed
        variants = found.rows.variants[mine].tolist()
        slots = [variant for variant in variants if variant >= SEQUENCE_END]  # in the order in which they join
        assert slots == [SEQUENCE_END + number for number in range(len(slots))]
        weigh(model.tables, model.weights, model.masks[seed], work)
        for variant, codes in zip(variants, frozen_rows(model, found, seed, hashes[seed]), strict=True):
            k = position(model.tables, np.array(codes, np.uint8), np.uint64(hashes[seed]), work)
            assert variant == k or (k == -1 and variant >= SEQUENCE_END)


@given(models(), st.integers(0, 2**64 - 1), STRENGTHS, st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_row_that_gives_way_is_of_those_no_cell_needs_the_one_that_levels_have_most_too_much_of(
    model: Model, seed_hash: int, strength: int, wanted: int, entropy: int
) -> None:
    rows = sequence(model, 0, seed_hash, 24)
    levels = np.ones(model.weights.shape) + np.arange(model.weights.shape[1])
    excess = np.random.default_rng(entropy).integers(-3, 9, model.weights.shape)
    cells = all_cells(model.tables, strength)
    counts = np.zeros(cells.offsets[-1], np.int32)
    count_cells(np.array([*zip(*rows, strict=True)], np.uint8), model.tables.cards, *cells, counts, 1)
    passed = np.zeros(len(rows), np.bool_)
    passed[3] = True
    scratch = new_scratch(model.tables)
    before, left = excess.copy(), dict(enumerate(rows))
    given_ = model.tables, model.weights, model.masks[0], np.uint64(seed_hash)
    give_way(*given_, passed, wanted, *cells, counts, excess, levels, scratch)
    assert passed.sum() == wanted + 1
    del left[3]
    for _ in range(wanted):
        # What is left without a row, counting the third row as there.
        needed = {k for k in left if not cells_in([rows[k]], strength) <= cells_in(
            [rows[3], *(other for n, other in left.items() if n != k)], strength)}  # fmt: skip
        spare = [k for k in left if k not in needed] or [*left]
        gains = {k: sum(before[axis, level] / levels[axis, level] for axis, level in enumerate(rows[k])) for k in spare}
        best = max(gains.values())
        taken = next(k for k in spare if gains[k] == pytest.approx(best) and passed[k])
        for axis, level in enumerate(left.pop(taken)):
            before[axis, level] -= 1
    assert excess.tolist() == before.tolist()
    assert {*left} == {*np.nonzero(~passed)[0].tolist()}


def lone() -> Model:
    """One persona, which every point is."""
    ones = np.ones(AXES, np.int64)
    fits = np.full((1, 1), ONE, np.uint16)
    tables = Tables(
        ones, np.array([axis.parent for axis in TREE]), ones[:1] - 1, ones[:1] - 1, fits, fits, fits,
        fits[None], np.full((AXES, 1, 1), ONE, np.uint16),
    )  # fmt: skip
    return Model(tables, np.full((AXES, 1), WEIGHT_ONE, np.uint32), np.ones((1, AXES, 1), np.bool_))


@given(models(), st.integers(0, 2**64 - 1))
@example(lone(), 1 << 63)
def test_the_position_of_a_row_is_where_the_sequence_first_reaches_it(model: Model, seed_hash: int) -> None:
    enumerated = 1 << 12
    first: dict[Codes, int] = {}
    for k, codes in enumerate(sequence(model, 0, seed_hash, enumerated)):
        first.setdefault(codes, k)
    work = new_scratch(model.tables)
    weigh(model.tables, model.weights, model.masks[0], work)
    for codes in personas(model)[::4]:
        found = int(position(model.tables, np.array(codes, np.uint8), np.uint64(seed_hash), work))
        if found == -1:
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
    first, last = (int(end) for end in interval(model.tables, row, work))
    apart = 1 << (64 - bits)
    return first <= last and (last - seed_hash) // apart > (first - 1 - seed_hash) // apart


@given(models(), st.integers(0, 2**64 - 1), STRENGTHS)
def test_rows_are_counted_and_discounted_by_cell(model: Model, seed_hash: int, strength: int) -> None:
    rows = sequence(model, 0, seed_hash, 40)
    cells = all_cells(model.tables, strength)
    assert (cells.axes[:, 2] == NO_AXIS).sum() == AXES * (AXES - 1) // 2
    counts = np.zeros(cells.offsets[-1], np.int32)
    count_cells(np.array([*zip(*rows, strict=True)], np.uint8), model.tables.cards, *cells, counts, 1)
    by_hand = Counter(cell for row in rows for cell in cells_in([row], strength))
    for number, times in Counter(by_hand.values()).items():
        expected = {cell for cell, n in by_hand.items() if n == number}
        assert marked_cells(model.tables, counts == number, strength) == expected
        assert int((counts == number).sum()) == times
    count_cells(np.array([*zip(*rows[1:], strict=True)], np.uint8), model.tables.cards, *cells, counts, -1)
    assert marked_cells(model.tables, counts > 0, strength) == cells_in(rows[:1], strength)


def test_no_shipped_level_is_unreachable(axes: Axes) -> None:
    assert unreachable(axes) == []


def test_an_unreachable_level_is_named_with_the_rule_that_cuts_it_off(small_axes: Axes) -> None:
    scenarios = tuple(scenario.id for scenario in small_axes.scenario)
    rule = Rule(hard=({"tone": "low"}, {"scenario": scenarios}), reason="nobody may sound so")
    cut_off = changed(small_axes, rules=(*small_axes.rules, rule))  # another rule names it too, and is not to blame
    assert unreachable(cut_off) == [("tone", "low", "nobody may sound so")]


def test_rules_that_cut_a_level_off_together_are_all_named(small_axes: Axes) -> None:
    first, *rest = (scenario.id for scenario in small_axes.scenario)
    rules = (
        Rule(hard=({"tone": "low"}, {"scenario": (first, *rest)}), reason="never"),
        Rule(
            hard=({"tone": "low"}, {"user_state": tuple(state.id for state in small_axes.user_state)}),
            reason="to nobody",
        ),
    )
    found = unreachable(changed(small_axes, rules=(*small_axes.rules, *rules)))
    assert found == [("tone", "low", "low is slow; never; to nobody")]


def test_a_level_that_no_scenario_lists_is_unreachable_without_a_rule(small_axes: Axes) -> None:
    scenarios = tuple(scenario.model_copy(update={"verbosity": {"long": 1.0}}) for scenario in small_axes.scenario)
    stripped = changed(small_axes, scenario=scenarios)
    assert unreachable(stripped) == [("verbosity", "short", "no scenario allows it together with the rules")]


def changed(axes: Axes, **parts: object) -> Axes:
    return Axes.model_validate(axes.model_copy(update=parts).model_dump(by_alias=True))
