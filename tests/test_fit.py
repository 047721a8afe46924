from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.axes import TREE
from pipeline.fit import (
    GOOD_ENOUGH,
    Floats,
    attainable,
    concentrated,
    fit,
    marginals,
    neutral_weights,
    quantised,
    reachable,
    total_variation,
)
from pipeline.kernel import WEIGHT_MAX, WEIGHT_MIN, WEIGHT_ONE, new_scratch, weigh
from pipeline.rules import ONE, Masks, Tables
from tests.small_models import (
    AXES,
    Model,
    decoder_probabilities,
    marginals_of,
    models,
    personas,
)

UNITS = st.integers(0, 10)


def uniform(cards: list[int], seeds: int) -> Model:
    """Every affinity is 1 and no level is locked."""
    width, (s, u, t) = max(cards), cards[:3]
    shapes = {
        "scenario_state": (s, u), "scenario_tone": (s, t), "state_tone": (u, t), "domain_state_family": (1, u, 1),
        "edges": (AXES, width, width),
    }  # fmt: skip
    tables = Tables(
        cards=np.array(cards),
        parents=np.array([axis.parent for axis in TREE]),
        domain_of=np.zeros(s, np.int64),
        family_of=np.zeros(t, np.int64),
        **{name: np.full(shape, ONE, np.uint16) for name, shape in shapes.items()},
    )
    masks = np.tile(np.arange(width) < np.array(cards)[:, None], (seeds, 1, 1))
    return Model(tables, neutral_weights(tables), masks)


@st.composite
def quotas(draw: st.DrawFn) -> tuple[Masks, Floats, Floats]:
    """Levels that each seed reaches, the seeds' shares, and target shares of the levels."""
    seeds, levels = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    reach = rng.random((seeds, levels)) < draw(st.sampled_from([0.3, 0.6, 0.9]))
    reach[range(seeds), rng.integers(0, levels, seeds)] = True
    shares = np.array(draw(st.lists(UNITS, min_size=seeds, max_size=seeds)), np.float64)
    target = np.array(draw(st.lists(UNITS, min_size=levels, max_size=levels)), np.float64)
    shares[0] += shares.sum() == 0
    target[0] += target.sum() == 0
    return reach, shares / shares.sum(), target / target.sum()


def bound_to(reach: Masks, levels: tuple[int, ...]) -> Masks:
    """Seeds that reach no other level."""
    others = np.setdiff1d(np.arange(reach.shape[1]), levels)
    return ~reach[:, others].any(axis=1)


def subsets(levels: int) -> list[tuple[int, ...]]:
    return [chosen for size in range(levels + 1) for chosen in combinations(range(levels), size)]


@given(quotas())
def test_attainable_shares_are_the_nearest_that_seeds_can_carry(case: tuple[Masks, Floats, Floats]) -> None:
    reach, shares, target = case
    found = attainable(reach, shares, target)
    # By max-flow min-cut: what fits the target is held back by some set of levels, and by the seeds beyond it.
    cuts = [target[list(cut)].sum() + shares[~bound_to(reach, cut)].sum() for cut in subsets(len(target))]
    assert np.abs(found - target).sum() / 2 == pytest.approx(1 - min(cuts), abs=1e-7)
    assert found.sum() == pytest.approx(1)


@given(quotas())
def test_attainable_shares_leave_every_seed_on_its_own_levels(case: tuple[Masks, Floats, Floats]) -> None:
    reach, shares, target = case
    found = attainable(reach, shares, target)
    for levels in subsets(len(target)):  # Gale's condition for a flow that fills ``found``
        assert found[list(levels)].sum() >= shares[bound_to(reach, levels)].sum() - 1e-7


def test_what_no_seed_can_carry_goes_where_its_seeds_can_go_in_proportion_to_the_targets() -> None:
    reach = np.array([[True, True, True], [False, True, True]])
    found = attainable(reach, np.array([0.1, 0.9]), np.array([0.4, 0.2, 0.4]))
    np.testing.assert_allclose(found, [0.1, 0.3, 0.6], atol=1e-8)


@given(models(seeds=3, feasible=False))
def test_a_level_is_reachable_exactly_where_some_persona_of_the_seed_has_it(model: Model) -> None:
    reach = reachable(model.tables, model.masks)
    for seed in range(3):
        taken = {(axis, level) for codes in personas(model, seed) for axis, level in enumerate(codes)}
        assert {(int(axis), int(level)) for axis, level in np.argwhere(reach[seed])} == taken


def test_a_level_is_reachable_however_unlikely_it_is() -> None:
    model = uniform([2] * AXES, seeds=1)
    tables, scenario, relationship, register = model.tables, 0, 3, 4
    tables.scenario_state[1] = tables.scenario_tone[1] = 1
    for axis in np.flatnonzero(tables.parents == scenario):
        tables.edges[axis, 1] = 1
    tables.edges[relationship, :, 1] = [0, 1]  # only in the second scenario, which hardly ever occurs
    tables.edges[register, :, 1] = [0, 1]  # only in the second relationship
    reach = reachable(tables, model.masks)
    assert marginals(tables, model.weights, model.masks, np.ones(1))[register, 1] < 1e-9
    assert reach.all()
    tables.edges[register, 1, 1] = 0
    assert np.argwhere(~reachable(tables, model.masks)[0]).tolist() == [[register, 1]]


@given(models(seeds=3), st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_marginals_weigh_each_seed_by_its_share(model: Model, shares: list[int]) -> None:
    expected = np.zeros(model.weights.shape)
    for seed, share in enumerate(shares):
        work = new_scratch(model.tables)
        weigh(model.tables, model.weights, model.masks[seed], work)
        expected += share / sum(shares) * marginals_of(model, decoder_probabilities(model, work))
    found = marginals(model.tables, model.weights, model.masks, np.array(shares, np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(models(seeds=3))
def test_marginals_of_many_seeds_do_not_depend_on_threads(model: Model) -> None:
    shares = np.random.default_rng(0).random(99)
    found = marginals(model.tables, model.weights, np.tile(model.masks, (33, 1, 1)), shares)
    folded = marginals(model.tables, model.weights, model.masks, shares.reshape(33, 3).sum(axis=0))
    np.testing.assert_allclose(found, folded, atol=1e-12)


@given(models(seeds=2, feasible=False))
def test_a_seed_without_personas_has_no_likeliest_one(model: Model) -> None:
    found = concentrated(model.tables, model.weights, model.masks)
    assert (found > 0).tolist() == [[bool(personas(model, seed))] * 2 for seed in range(2)]


@given(models(seeds=3, tame=True))
@settings(max_examples=20)  # a fit is up to 150 rounds
def test_targets_that_some_weights_meet_are_met(model: Model) -> None:
    shares = np.full(3, 1 / 3)
    reach = reachable(model.tables, model.masks)
    met = marginals(model.tables, model.weights, model.masks, shares)
    targets = [met[axis, :card].tolist() for axis, card in enumerate(model.tables.cards)]
    found = fit(model.tables, model.masks, reach, shares, targets)
    np.testing.assert_allclose(found.attainable, met, atol=1e-7)
    assert total_variation(met, found.fitted).max() < 0.005


@given(models(seeds=3), st.integers(0, 2**32 - 1))
@settings(max_examples=20)  # a fit is up to 150 rounds
def test_a_fit_reports_what_its_weights_realise_and_keeps_them_in_bounds(model: Model, entropy: int) -> None:
    rng = np.random.default_rng(entropy)
    shares = rng.integers(1, 9, 3).astype(np.float64)
    targets = [rng.dirichlet(np.full(card, 0.5)).tolist() for card in model.tables.cards]
    found = fit(model.tables, model.masks, reachable(model.tables, model.masks), shares, targets)
    assert found.weights.dtype == np.uint32
    assert found.weights.min() >= WEIGHT_ONE / 64 == WEIGHT_MIN
    assert found.weights.max() <= WEIGHT_ONE * 64 == WEIGHT_MAX
    np.testing.assert_allclose(found.fitted, marginals(model.tables, found.weights, model.masks, shares), atol=1e-12)
    for axis, target in enumerate(targets):
        np.testing.assert_allclose(found.targets[axis, : len(target)], target)
    np.testing.assert_allclose([found.targets.sum(axis=1), found.attainable.sum(axis=1)], 1)


@given(models(seeds=3, tame=True))
@settings(max_examples=20)  # a fit is up to 150 rounds
def test_a_fit_is_no_further_from_what_is_attainable_than_equal_weights(model: Model) -> None:
    shares = np.full(3, 1 / 3)
    targets = [np.arange(1, card + 1) / sum(range(1, card + 1)) for card in model.tables.cards]
    found = fit(model.tables, model.masks, reachable(model.tables, model.masks), shares, [t.tolist() for t in targets])
    neutral = marginals(model.tables, neutral_weights(model.tables), model.masks, shares)
    worst = total_variation(found.attainable, found.fitted).max()
    assert worst <= max(GOOD_ENOUGH, total_variation(found.attainable, neutral).max())


def test_a_fit_aims_at_what_is_attainable_of_a_target() -> None:
    model = uniform([1] * 11 + [2], seeds=10)
    model.masks[1:, 11, 1] = False  # one seed in ten may take the second level, and half of the rows should
    targets = [*([1.0] for _ in range(11)), [0.5, 0.5]]
    found = fit(model.tables, model.masks, reachable(model.tables, model.masks), np.ones(10), targets)
    np.testing.assert_allclose(found.attainable[11], [0.9, 0.1], atol=1e-7)
    np.testing.assert_allclose(found.fitted[11], [0.9, 0.1], atol=0.002)


@pytest.mark.parametrize(
    ("exact", "stored"),
    [
        ((1.0,), (4096,)),
        ((1.0, 4.0), (2048, 8192)),  # only the ratio counts: both are centred on 1
        ((1e-3, 1e3), (64, 262_144)),  # a ratio of a million, of which 4096 is kept
        ((1 / 64, 1.0, 64), (64, 4096, 262_144)),
    ],
)
def test_weights_are_stored_in_4096ths_within_a_64th_and_64(exact: tuple[float], stored: tuple[int]) -> None:
    logs = np.log([[*exact, 1e30]])
    wanted = np.array([[True] * len(exact) + [False]])
    assert quantised(logs, wanted)[0, :-1].tolist() == list(stored)
