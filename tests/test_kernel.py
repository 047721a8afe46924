from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.axes import TREE
from pipeline.kernel import (
    WEIGHT_MAX,
    WEIGHT_ONE,
    Scratch,
    add_marginals,
    bit_reverse,
    concentration,
    conditional,
    decode,
    expand,
    interval,
    mix,
    new_scratch,
    point,
    repeats,
    weigh,
)
from pipeline.plan import Plan
from pipeline.rules import Masks, Tables
from pipeline.scenes import _phrasing_bits
from tests.small_models import (
    AXES,
    Codes,
    Floats,
    Model,
    decoder_probabilities,
    marginals_of,
    models,
    personas,
    true_probabilities,
)

POINTS = 1 << 64
LAST = POINTS - 1
POINT = st.one_of(st.integers(0, LAST), st.sampled_from([0, 1, LAST - 1, LAST, POINTS // 2 - 1, POINTS // 2]))


def weighed(model: Model, seed: int = 0) -> Scratch:
    work = new_scratch(model.tables)
    assert weigh(model.tables, model.weights, model.masks[seed], work)
    return work


def decoded(tables: Tables, t: int, work: Scratch) -> Codes:
    codes = np.zeros(AXES, np.uint8)
    decode(tables, np.uint64(t), codes, work)
    return tuple(codes.tolist())


def ends(tables: Tables, codes: Codes, work: Scratch) -> tuple[int, int]:
    first, last = interval(tables, np.array(codes, np.uint8), work)
    return int(first), int(last)


@given(models(feasible=False))
def test_no_weight_is_left_exactly_where_no_persona_is_possible(model: Model) -> None:
    work = new_scratch(model.tables)
    assert weigh(model.tables, model.weights, model.masks[0], work) == bool(personas(model))


@given(models())
def test_exactly_the_possible_personas_have_points(model: Model) -> None:
    assert list(decoder_probabilities(model, weighed(model))) == personas(model)


@given(models(), st.lists(POINT, min_size=20, max_size=20))
def test_a_point_is_unranked_as_by_unbounded_integers(model: Model, points: list[int]) -> None:
    work, codes = weighed(model), np.zeros(AXES, np.uint8)
    for t in points:
        left = t
        for axis in range(AXES):
            left *= int(conditional(model.tables, axis, codes, work))
            weights = work.row[: model.tables.cards[axis]].tolist()
            level = next(v for v in range(len(weights)) if sum(weights[: v + 1]) * POINTS > left)
            left = (left - sum(weights[:level]) * POINTS) // weights[level]
            codes[axis] = level
        assert decoded(model.tables, t, work) == tuple(codes.tolist())


@given(models())
def test_intervals_of_all_personas_tile_the_points_in_order_of_their_codes(model: Model) -> None:
    work, start = weighed(model), 0
    probabilities = decoder_probabilities(model, work)
    for codes, share in probabilities.items():
        first, last = ends(model.tables, codes, work)
        assert abs(last + 1 - first - share * POINTS) < AXES + 1  # each axis rounds both ends once
        if first > last:
            continue  # too unlikely for a single point
        assert first == start
        assert decoded(model.tables, first, work) == decoded(model.tables, last, work) == codes
        start = last + 1
    assert start == POINTS


@given(models())
def test_an_impossible_persona_has_no_interval(model: Model) -> None:
    work = weighed(model)
    impossible = {*np.ndindex(*model.tables.cards.tolist())} - {*personas(model)}
    for codes in sorted(impossible)[::4]:
        first, last = ends(model.tables, codes, work)
        assert first > last


@given(models(), st.floats(0.1, 1000))
def test_marginals_are_those_of_the_decoder(model: Model, share: float) -> None:
    work, sums = weighed(model), np.ones((AXES, model.weights.shape[1]))
    add_marginals(model.tables, share, sums, work)
    np.testing.assert_allclose(
        sums - 1, share * marginals_of(model, decoder_probabilities(model, work)), atol=1e-9 * share
    )


@given(models(tame=True))
def test_the_decoder_follows_level_weights_times_affinities(model: Model) -> None:
    realised = marginals_of(model, decoder_probabilities(model, weighed(model)))
    np.testing.assert_allclose(realised, marginals_of(model, true_probabilities(model)), atol=3e-3)


def test_shipped_seeds_follow_level_weights_times_affinities(plan: Plan) -> None:
    work = new_scratch(plan.tables)
    for mask in plan.masks:
        realised = np.zeros(plan.weights.shape)
        assert weigh(plan.tables, plan.weights, mask, work)
        add_marginals(plan.tables, 1.0, realised, work)
        np.testing.assert_allclose(realised, in_floats(plan, mask), atol=1e-3)


def in_floats(plan: Plan, mask: Masks) -> Floats:
    """Marginals of one seed by sum-product in floating point, without any scaling."""
    tables, cards = plan.tables, plan.tables.cards
    edges = tables.edges / 256
    belief = np.where(mask, plan.weights / WEIGHT_ONE, 0)
    for axis in range(AXES - 1, 2, -1):
        belief[TREE[axis].parent] *= edges[axis] @ belief[axis]
    s, u, t = (belief[axis, : cards[axis]] for axis in range(3))
    triple = tables.domain_state_family[tables.domain_of][:, :, tables.family_of] / 256
    pairs = [(tables.scenario_state, "su"), (tables.scenario_tone, "st"), (tables.state_tone, "ut")]
    joint = np.einsum("s,u,t,sut,su,st,ut->sut", s, u, t, triple, *(table / 256 for table, _ in pairs))
    joint /= joint.sum()
    marginals = np.zeros(plan.weights.shape)
    for axis, others in enumerate([(1, 2), (0, 2), (0, 1)]):
        marginals[axis, : cards[axis]] = joint.sum(axis=others)
    for axis in range(3, AXES):
        given_parent = edges[axis] * belief[axis]
        given_parent /= np.maximum(given_parent.sum(axis=1, keepdims=True), 1e-300)
        marginals[axis] = marginals[TREE[axis].parent] @ given_parent
    return marginals


@given(models())
def test_the_likeliest_persona_and_the_cubes_of_all_are_found(model: Model) -> None:
    work = weighed(model)
    each = decoder_probabilities(model, work).values()
    wanted = float(max(each)), float(sum(p**3 for p in each))
    assert concentration(model.tables, work) == pytest.approx(wanted, rel=1e-12)


@given(models(), POINT, st.integers(0, 3_000))
def test_rows_that_repeat_an_earlier_one_are_found(model: Model, seed_hash: int, length: int) -> None:
    codes, work = np.zeros((length, AXES), np.uint8), weighed(model)
    of_seed = model.tables, model.weights, model.masks[0], np.uint64(seed_hash)
    expand(*of_seed, np.arange(length, dtype=np.uint32), codes, work)
    _, first = np.unique(codes, axis=0, return_index=True)
    found = np.zeros(length, np.uint32)
    count = repeats(*of_seed, length, found, work)
    assert sorted(found[:count]) == sorted({*range(length)} - {*first})
    assert repeats(*of_seed, length, found[:1], work) == count


@given(models(), POINT)
def test_no_persona_occurs_twice_while_the_likeliest_has_room_for_one_point(model: Model, seed_hash: int) -> None:
    work = weighed(model)
    most = max(decoder_probabilities(model, work).values()) + Fraction(AXES, POINTS)
    rows = max((1 << m for m in range(16) if most * (1 << m) <= 1), default=1)
    codes = np.zeros((rows, AXES), np.uint8)
    places = np.arange(rows, dtype=np.uint32)
    expand(model.tables, model.weights, model.masks[0], np.uint64(seed_hash), places, codes, work)
    assert len(np.unique(codes, axis=0)) == rows


@given(models(), POINT, st.lists(st.integers(0, 2**31 - 1), max_size=50), st.integers(0, AXES))
def test_a_row_depends_on_its_place_alone(model: Model, seed_hash: int, places: list[int], axes: int) -> None:
    work, codes = weighed(model), np.zeros((len(places), axes), np.uint8)
    expand(model.tables, model.weights, model.masks[0], np.uint64(seed_hash), np.array(places, np.uint32), codes, work)
    for k, row in zip(places, codes.tolist(), strict=True):
        t = (int(f"{k:064b}"[::-1], 2) + seed_hash) % POINTS
        assert tuple(row) == decoded(model.tables, t, work)[:axes]


@given(st.integers(0, 2**64 - 1))
@example(1)
def test_bits_are_reversed(k: int) -> None:
    assert int(bit_reverse(np.uint64(k))) == int(f"{k:064b}"[::-1], 2)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10))
def test_the_first_rows_of_a_seed_lie_evenly_at_powers_of_two(seed_hash: int, bits: int) -> None:
    points = sorted(int(point(np.uint64(seed_hash), np.uint64(k))) for k in range(1 << bits))
    gaps = {(after - before) % POINTS for before, after in zip(points, [*points[1:], points[0] + POINTS], strict=True)}
    assert gaps == {POINTS >> bits if bits else 0}


def test_mix_is_the_finaliser_of_splitmix64() -> None:
    assert int(mix(np.uint64(0x9E3779B97F4A7C15))) == 0xE220A8397B1DCDAF  # its first output from state 0


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_scenes_choose_phrasings_by_the_same_mix(ids: list[int]) -> None:
    bits = _phrasing_bits(pl.Series("persona_id", ids, pl.UInt64))
    assert bits.tolist() == [int(mix(np.uint64(one))) for one in ids]


@pytest.mark.parametrize("affinity", [1, 256])
def test_the_most_levels_a_byte_can_tell_do_not_overflow(affinity: int) -> None:
    most = 255
    cards = np.array([20, most, 20, *[most] * 9])  # 255 states bring every sum to its bound; the rest is for speed
    full = {name: np.full(shape, affinity, np.uint16) for name, shape in {
        "scenario_state": (20, most), "scenario_tone": (20, 20), "state_tone": (most, 20),
        "domain_state_family": (1, most, 1), "edges": (AXES, most, most)}.items()}  # fmt: skip
    none = np.zeros(most, np.int64)
    tables = Tables(cards, np.array([axis.parent for axis in TREE]), domain_of=none[:20], family_of=none[:20], **full)
    mask = np.arange(most) < cards[:, None]
    work = new_scratch(tables)
    assert weigh(tables, np.full((AXES, most), WEIGHT_MAX, np.uint32), mask, work)
    sums = np.zeros((AXES, most))
    add_marginals(tables, 1.0, sums, work)
    np.testing.assert_allclose(sums, mask / cards[:, None], rtol=1e-3)
    codes = np.zeros(AXES, np.uint8)
    assert all(int(conditional(tables, axis, codes, work)) < 2**32 for axis in range(AXES))
