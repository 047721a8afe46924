import dataclasses
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.axes import AXIS_NAMES, Axes, Term
from pipeline.axis_files import load_axes
from pipeline.coverage import LATE_UNTIL, FrozenRows
from pipeline.errors import PlanRefused, UsageError
from pipeline.fit import concentrated, fit, reachable
from pipeline.kernel import SEQUENCE_END
from pipeline.matrix import Expansion
from pipeline.plan import (
    MAX_SEEDS,
    Plan,
    PlannedSeed,
    cells_covered,
    decode,
    limits,
    make_plan,
    persona_id,
    seed_rows,
    split_id,
)
from pipeline.plan_file import plan_json
from pipeline.rules import axis_codes
from pipeline.seeds import TRAITS, LevelLock, Locks, Seed
from tests.conftest import BASE_ROWS

STANCES = ("service", "companion", "expert", "character", "practice")


@pytest.fixture(scope="module")
def small_axes() -> Axes:
    return load_axes(Path(__file__).parent / "small_axes")


@pytest.fixture
def open_seed(seeds: list[Seed]) -> Callable[..., Seed]:
    """A seed that every scenario of the small axes is open to, but for the levels it is locked to."""

    def made(name: str, **only: tuple[str, ...]) -> Seed:
        locks = Locks(levels={axis: LevelLock(only=levels) for axis, levels in only.items()})
        speech = seeds[0].speech.model_copy(update={"register_": None})
        open_to_all = {"bridges": None, "stances": STANCES, "traits": None}
        return seeds[0].model_copy(update={"id": name, "locks": locks, "speech": speech, **open_to_all})

    return made


@pytest.fixture(scope="module")
def whole(plan: Plan) -> list[tuple[int, int, tuple[int, ...]]]:
    """Seed, variant and codes of every row at base_rows."""
    rows = Expansion(plan, BASE_ROWS).codes(0, BASE_ROWS)
    return [(s, k, tuple(c)) for s, k, c in zip(*(part.tolist() for part in rows), strict=True)]


def test_a_plan_asked_for_more_rows_than_it_has_names_its_seeds(plan: Plan) -> None:
    most = sum(seed.cap for seed in plan.seeds)
    assert sum(plan.quotas(most)) == most
    with pytest.raises(PlanRefused, match=rf"have at most {most:,} distinct rows") as refused:
        plan.quotas(most + 1)
    tightest = min(plan.seeds, key=lambda seed: seed.cap)
    assert f"{tightest.id} ({tightest.cap:,})" in str(refused.value)


def test_a_seed_of_twice_the_weight_has_twice_the_rows(plan: Plan) -> None:
    seeds = tuple(dataclasses.replace(plan.seeds[0], weight=weight) for weight in (1000, 2000, 500))
    assert dataclasses.replace(plan, seeds=seeds).quotas(700) == [200, 400, 100]


@pytest.mark.parametrize(
    ("greatest", "bits"),
    [(1.0, 0), (0.51, 0), (0.49, 1), (1 / 1000, 9), (2.0**-20, 19), (2.0**-20 * (1 - 1e-9), 20), (1e-30, 31)],
)
def test_rows_are_different_while_the_likeliest_persona_fills_less_than_one(greatest: float, bits: int) -> None:
    assert limits(greatest, 1.0) == (bits, 1 << bits)


@pytest.mark.parametrize(
    ("greatest", "cubes", "cap"),
    [
        (1.0, 1.0, 1),
        (1 / 1000, 1000 / 1000**3, 512),  # a thousand alike: of 512 rows none repeats another, of 1,024 some must
        (2.0**-10, 0.99 * 2.0**-30, 7_680),  # 15/16 of 2^13, of which at most 2^13 · 4^13 · 2^−30 = 2^9 repeat another
        (2.0**-15, 2.0**-43, 15 << 15),
    ],
)
def test_a_seed_has_rows_while_few_of_its_sequence_repeat_others(greatest: float, cubes: float, cap: int) -> None:
    assert limits(greatest, cubes).cap == cap


def test_no_persona_of_a_seed_occurs_twice_even_with_all_rows_it_can_have(plan: Plan) -> None:
    expansion = Expansion(plan, sum(seed.cap for seed in plan.seeds))
    seed = min(range(len(plan.seeds)), key=lambda seed: plan.seeds[seed].cap)
    first, last = expansion.seed_range(seed)
    assert last - first == plan.seeds[seed].cap > 1 << plan.seeds[seed].distinct_bits
    rows = expansion.codes(first, last)
    assert len(np.unique(rows.codes.view(f"V{rows.codes.shape[1]}"))) == last - first
    assert (np.diff(rows.variants.astype(np.int64)) > 0).all()
    repeated = np.setdiff1d(np.arange(1 << 18), rows.variants)[0]
    with pytest.raises(UsageError, match=f"has no row {repeated:,}: that is its row .* again"):
        decode(plan, seed, int(repeated))


def test_every_feasible_pair_occurs_at_base_rows(plan: Plan, whole: list[tuple[int, int, tuple[int, ...]]]) -> None:
    occurring = {
        f"{AXIS_NAMES[a]}, {AXIS_NAMES[b]}": len({(codes[a], codes[b]) for _, _, codes in whole})
        for a, b in combinations(range(len(AXIS_NAMES)), 2)
    }
    assert occurring == {name: pair["feasible"] for name, pair in plan.report["pairs"].items()}
    assert cells_covered(plan, "pairs") == (sum(occurring.values()), sum(occurring.values()))


@pytest.mark.parametrize(("triples", "strength"), [(True, 3), (False, 2), (None, 2)])
def test_every_feasible_triple_occurs_at_base_rows_where_that_is_asked_for(
    small_axes: Axes, open_seed: Callable[..., Seed], triples: bool | None, strength: int
) -> None:
    made = make_plan([open_seed("una"), open_seed("ida", cue=("sigh",))], small_axes, 300, triples)
    codes = Expansion(made, 300).codes(0, 300).codes.tolist()
    occurring = {cell for row in codes for cell in combinations(enumerate(row), 3)}
    covered, feasible = cells_covered(made, "triples")
    if strength == 3:
        assert covered == feasible == len(occurring)
        assert len(made.coverage.seeds) > 0
    else:
        assert made.report["triples"] == {}
        assert covered == feasible == 0


def test_no_row_breaks_a_rule(plan: Plan, whole: list[tuple[int, int, tuple[int, ...]]]) -> None:
    axes = plan.axes
    met = {(a, b): {(c[a], c[b]) for _, _, c in whole} for a, b in combinations(range(len(AXIS_NAMES)), 2)}
    for rule in axes.rules:
        if rule.hard:
            (a, one), (b, other) = sorted(places(axes, term) for term in rule.hard)
            assert met[a, b].isdisjoint((x, y) for x in one for y in other), rule.reason


def places(axes: Axes, term: Term) -> tuple[int, list[int]]:
    axis, codes = axis_codes(axes, term)
    return AXIS_NAMES.index(axis), codes


def test_no_row_leaves_what_its_scenario_allows(plan: Plan, whole: list[tuple[int, int, tuple[int, ...]]]) -> None:
    axes = plan.axes
    for codes in {codes for _, _, codes in whole}:
        at = {name: axes.levels[name][code].id for name, code in zip(AXIS_NAMES, codes, strict=True)}
        scenario = axes.scenario[codes[0]]
        assert at["user_state"] in scenario.states
        assert axes.tone[codes[2]].family in scenario.tone_families
        assert at["relationship"] in scenario.relationships
        assert at["verbosity"] in scenario.verbosity
        assert at["environment"] in scenario.environment.allowed


def test_no_row_breaks_a_lock_of_its_seed(
    plan: Plan, seeds: list[Seed], whole: list[tuple[int, int, tuple[int, ...]]]
) -> None:
    axes = plan.axes
    for ordinal, _, codes in whole:
        seed, scenario, tone = seeds[ordinal], axes.scenario[codes[0]], axes.tone[codes[2]]
        assert seed.bridges is not None
        assert scenario.domain in seed.bridges
        assert {*scenario.stances} & {*seed.played}
        assert {*seed.locks.scenarios.never}.isdisjoint({scenario.id, scenario.domain, *scenario.needs})
        assert {*seed.locks.tones.never}.isdisjoint({tone.id, tone.family})
        assert seed.locks.tones.only is None or {*seed.locks.tones.only} & {tone.id, tone.family}
        assert abs(axes.codes["register"][str(seed.speech.register_)] - codes[AXIS_NAMES.index("register")]) <= 1
        for trait, step in axes.temperament[codes[-1]].shift.items():
            assert getattr(seed.traits, trait) + step in seed.locks.traits.get(trait, range(1, 6))
        for axis, lock in seed.locks.levels.items():
            level = axes.levels[axis][codes[AXIS_NAMES.index(axis)]].id
            assert level not in lock.never
            assert lock.only is None or level in lock.only


def ids_of(plan: Plan, seed: int, rows: int) -> list[int]:
    return seed_rows(plan, seed, rows).variants(0, rows).tolist()


@given(st.data())
def test_a_larger_matrix_holds_every_row_of_a_smaller_one(plan: Plan, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, len(plan.seeds) - 1))
    base, most = plan.quotas(BASE_ROWS)[seed], plan.seeds[seed].cap
    first = min(plan.coverage_of(seed).joins.tolist(), default=base)
    count = st.one_of(st.integers(0, most), st.integers(max(0, first - 2), base + 2))
    fewer, more = sorted((data.draw(count), data.draw(count)))
    small, large = ids_of(plan, seed, fewer), ids_of(plan, seed, more)
    assert (len(small), len(large)) == (fewer, more)
    assert {*small} <= {*large}
    assert large == sorted({*large})


@given(st.data())
@example([(2, 6), (3, 3)])
@example([(9, 2), (12, 20), (30, 19)])
def test_a_seed_takes_its_sequence_without_the_frozen_rows_and_each_of_those_where_it_joins(
    plan: Plan, data: st.DataObject | list[tuple[int, int]]
) -> None:
    frozen = data if isinstance(data, list) else data.draw(joining_rows())
    joins, variants_of_it = (np.array(column, np.uint32) for column in zip(*frozen, strict=True))
    codes = np.zeros((sum(variant >= SEQUENCE_END for _, variant in frozen), len(AXIS_NAMES)), np.uint8)
    dense = dataclasses.replace(plan, coverage=FrozenRows(np.zeros_like(joins), variants_of_it, joins, codes))
    in_turn = (k for k in range(90) if k not in dict(frozen).values())
    order: list[int] = []
    while len(order) < 40:
        joining = dict(frozen).get(len(order))
        order.append(next(in_turn) if joining is None else joining)
    for rows in range(40):
        assert ids_of(dense, 0, rows) == sorted(order[:rows])


@st.composite
def joining_rows(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Rows of a seed after which others join, and the variants of those: earlier or later than on the sequence."""
    joins = sorted(draw(st.sets(st.integers(0, 45), min_size=1)))
    variants = draw(st.lists(st.integers(0, 45) | st.integers(SEQUENCE_END, SEQUENCE_END + 3), unique=True))
    return list(zip(joins, variants, strict=False)) or [(joins[0], 33)]


def test_coverage_rows_come_in_at_the_rows_they_were_frozen_for_and_others_give_way(plan: Plan) -> None:
    assert plan.report["coverage_rows"] > 0
    assert plan.report["own"]["rows"] == 0
    covering = 0
    for seed, quota in enumerate(plan.quotas(BASE_ROWS)):
        frozen = plan.coverage_of(seed)
        among = frozen.joins < quota
        held, late = {*frozen.variants[among].tolist()}, {*frozen.variants[~among].tolist()}
        assert frozen.joins[among].tolist() == [*range(quota - len(held), quota)]
        assert held <= {*ids_of(plan, seed, quota)}
        assert held.isdisjoint(ids_of(plan, seed, quota - len(held)))
        assert len(late) == len(held)
        assert late <= {*range(quota)}
        assert late.isdisjoint(ids_of(plan, seed, quota))
        assert ((frozen.joins[~among] < LATE_UNTIL * quota) | (frozen.joins[~among] >= plan.seeds[seed].cap)).all()
        covering += len(held)
    assert covering == plan.report["coverage_rows"]


def test_a_row_decodes_alone_to_what_it_is_in_the_matrix(
    plan: Plan, whole: list[tuple[int, int, tuple[int, ...]]]
) -> None:
    early = plan.coverage.joins < np.array(plan.quotas(BASE_ROWS))[plan.coverage.seeds]
    frozen = {*zip(plan.coverage.seeds[early].tolist(), plan.coverage.variants[early].tolist(), strict=True)}
    pulled_forward = [row for row in whole if row[:2] in frozen and row[1] < SEQUENCE_END]
    slots = [row for row in whole if row[1] >= SEQUENCE_END]
    assert len(pulled_forward) + len(slots) == len(frozen)
    assert pulled_forward
    assert slots
    for seed, variant, codes in [*pulled_forward, *slots, *whole[::97]]:
        assert decode(plan, seed, variant) == codes


@pytest.mark.parametrize(
    ("seed", "variant", "says"),
    [
        (1_000, 0, r"no seed with ordinal 1,000; it has \d+"),
        (-1, 0, "no seed"),
        (3, SEQUENCE_END + 9999, "no coverage slot 9,999"),
    ],
)
def test_an_id_that_the_plan_does_not_have_is_refused(plan: Plan, seed: int, variant: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        decode(plan, seed, variant)


@given(st.integers(0, MAX_SEEDS - 1), st.integers(0, 2**32 - 1))
def test_an_id_tells_seed_and_variant_and_stays_exact_in_json_readers(seed: int, variant: int) -> None:
    persona = persona_id(seed, variant)
    assert split_id(persona) == (seed, variant)
    assert int(float(persona)) == persona


def planned(seed_id: str, **parts: Any) -> PlannedSeed:
    given_parts = {
        "lang": "en",
        "license": "MIT",
        "weight": 1000,
        "distinct_bits": 3,
        "cap": 8,
        "traits": None,
        "stances": (),
    }
    return PlannedSeed(id=seed_id, **given_parts | {"allowed": (), "fingerprint": ""} | parts)


def test_a_seed_stays_on_its_side_of_the_split_whatever_else_changes(plan: Plan, seeds: list[Seed], axes: Axes) -> None:
    held_out = next(n for n, seed in enumerate(plan.seeds) if seed.split != "train")
    alone = make_plan(seeds[held_out : held_out + 1], axes, 100)
    assert alone.seeds[0].split == plan.seeds[held_out].split
    for number in range(200):
        other = planned(f"seed-{number}", weight=9, lang="zh", cap=1 << 20, traits=(1,) * 5, fingerprint="f")
        assert other.split == planned(f"seed-{number}").split


def test_one_seed_in_ten_is_held_out_half_of_them_for_test() -> None:
    sides = Counter(planned(f"seed-{number}").split for number in range(10_000))
    assert sides.keys() == {"train", "validation", "test"}
    assert sides["train"] == pytest.approx(9_000, abs=150)
    assert sides["test"] == pytest.approx(500, abs=110)


def test_the_same_seeds_and_axes_give_the_same_plan(seeds: list[Seed], axes: Axes) -> None:
    assert plan_json(make_plan(seeds[:2], axes, 600)) == plan_json(make_plan(seeds[:2], axes, 600))


def test_a_plan_remembers_what_a_row_needs_of_a_seed(plan: Plan, seeds: list[Seed]) -> None:
    for seed, kept in zip(seeds, plan.seeds, strict=True):
        assert (kept.id, kept.lang, kept.license, kept.fingerprint) == (
            seed.id,
            seed.lang,
            seed.license,
            seed.fingerprint,
        )
        assert kept.traits == tuple(getattr(seed.traits, trait) for trait in TRAITS)
        assert kept.stances == seed.played
        assert kept.weight == round(seed.weight * 1000)


def test_no_plan_is_made_of_no_seeds(axes: Axes) -> None:
    with pytest.raises(PlanRefused, match="there are no seeds"):
        make_plan([], axes, 10)


def test_seeds_without_a_persona_are_named(small_axes: Axes, open_seed: Callable[..., Seed]) -> None:
    never = [open_seed(name, user_state=("sad",), tone=("teasing",)) for name in ("ida", "ole")]
    with pytest.raises(PlanRefused, match="2 seeds have no persona: .*: ida, ole. Free a tone family or add a bridge"):
        make_plan([open_seed("una"), *never], small_axes, 10)


def test_more_rows_than_are_distinct_are_refused_by_name(small_axes: Axes, open_seed: Callable[..., Seed]) -> None:
    with pytest.raises(
        PlanRefused, match=r"1,000,000 rows asked for, .* loosen the tightest: una \(256\), ida \(256\)"
    ):
        make_plan([open_seed("una"), open_seed("ida")], small_axes, 1_000_000)


def test_a_fit_that_holds_the_rows_is_not_given_up_for_one_that_does_not(
    small_axes: Axes, open_seed: Callable[..., Seed]
) -> None:
    ida = open_seed(
        "ida", scenario=("castle", "platform-change"), user_state=("neutral", "sad"), verbosity=("short",),
        environment=("quiet",), turn_taking=("waits",), pace=("usual", "more"), cue=("none",), temperament=("none",),
    )  # fmt: skip
    made = make_plan([ida, open_seed("ole", cue=("sigh",))], small_axes, 200)
    quotas = made.quotas(200)
    assert sum(quotas) == 200
    assert all(n <= seed.cap for n, seed in zip(quotas, made.seeds, strict=True))
    assert caps_for(made, [100, 100]) == [seed.cap for seed in made.seeds] == [32, 256]
    assert quotas == [32, 168]
    assert sum(caps_for(made, quotas)) < 200  # a fit for those rows would have no room for them


def caps_for(plan: Plan, rows: list[int]) -> list[int]:
    targets = [plan.axes.targets(name) for name in AXIS_NAMES]
    fitted = fit(plan.tables, plan.masks, reachable(plan.tables, plan.masks), np.array(rows, np.float64), targets)
    return [limits(*each).cap for each in concentrated(plan.tables, fitted.weights, plan.masks).tolist()]


def test_a_report_tells_target_attainable_and_fitted_of_every_level(plan: Plan) -> None:
    for name in AXIS_NAMES:
        axis = plan.report["axes"][name]
        targets, attainable, fitted = np.array(list(axis["levels"].values())).T
        assert [*axis["levels"]] == [level.id for level in plan.axes.levels[name]]
        np.testing.assert_allclose(targets, plan.axes.targets(name), atol=1e-6)
        assert axis["authored_to_attainable"] == pytest.approx(np.abs(targets - attainable).sum() / 2, abs=1e-4)
        assert axis["attainable_to_fitted"] == pytest.approx(np.abs(attainable - fitted).sum() / 2, abs=1e-4)


def test_fitted_shares_are_those_of_the_rows(plan: Plan) -> None:
    rows = 6 * BASE_ROWS
    bare = dataclasses.replace(plan, coverage=no_coverage(plan))  # coverage rows are not drawn by weight
    codes = Expansion(bare, rows).codes(0, rows).codes
    for axis, name in enumerate(AXIS_NAMES):
        fitted = np.array(list(plan.report["axes"][name]["levels"].values()))[:, 2]
        np.testing.assert_allclose(np.bincount(codes[:, axis], minlength=len(fitted)) / rows, fitted, atol=0.003)


def no_coverage(plan: Plan) -> FrozenRows:
    return FrozenRows(*(column[:0] for column in plan.coverage))
