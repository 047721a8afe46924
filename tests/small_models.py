"""Small random models, and their personas by plain enumeration: what the compiled code is held against."""

from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from pipeline.axes import TREE
from pipeline.fit import Weights
from pipeline.kernel import Scratch, conditional
from pipeline.rules import ONE, AffinityTable, Masks, Tables

AXES = len(TREE)
MOST_COMBINATIONS = 600  # enumerated in a few milliseconds

Codes = tuple[int, ...]
Floats = npt.NDArray[np.float64]


class Model(NamedTuple):
    tables: Tables
    weights: Weights
    masks: Masks  # (seeds, axes, levels)

    def __repr__(self) -> str:
        return f"<model of {self.tables.cards} levels>"  # its entropy is in hypothesis' report


@st.composite
def models(draw: st.DrawFn, seeds: int = 1, feasible: bool = True, tame: bool = False) -> Model:
    """Any model the kernel may be given: weights of 1/64 to 64, affinities of 1/256 to 1 or excluded, any locks.

    Every seed of a feasible one has a persona.  A tame one keeps weights within 1/8 to 8 and affinities above 1/16; of
    the others every second is steep and has nothing but the ends of both ranges, so that some personas are unlikely
    beyond the reach of the sequence.
    """
    steep = not tame and draw(st.booleans(), label="steep")
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="entropy"))
    excluded = draw(st.sampled_from([0.0, 0.1, 0.3]), label="share of excluded pairs")
    locked = draw(st.sampled_from([0.0, 0.1, 0.3]), label="share of locked levels")
    cards = np.array(draw(st.lists(st.integers(1, 3), min_size=AXES, max_size=AXES), label="cards"))
    while cards.prod() > MOST_COMBINATIONS:
        cards[rng.choice(np.flatnonzero(cards > 1))] -= 1
    width, (scenarios, states, tones) = int(cards.max()), cards[:3].tolist()

    def powers_of_two(low: int, high: int, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
        exponents = rng.choice([low, high], shape) if steep else rng.uniform(low, high, shape)
        return np.round(2.0**exponents).astype(np.int64)

    def affinities(*shape: int) -> AffinityTable:
        table = powers_of_two(4 if tame else 0, 8, shape).astype(np.uint16)
        table[rng.random(shape) < 0.3] = ONE
        table[rng.random(shape) < excluded] = 0
        return table

    tables = Tables(
        cards=cards,
        parents=np.array([axis.parent for axis in TREE]),
        domain_of=rng.integers(0, 2, scenarios),
        family_of=rng.integers(0, 2, tones),
        scenario_state=affinities(scenarios, states),
        scenario_tone=affinities(scenarios, tones),
        state_tone=affinities(states, tones),
        domain_state_family=affinities(2, states, 2),
        edges=affinities(AXES, width, width),
    )
    weights = powers_of_two(*((9, 15) if tame else (6, 18)), (AXES, width)).astype(np.uint32)
    masks = (rng.random((seeds, AXES, width)) >= locked) & (np.arange(width) < cards[:, None])
    if feasible:
        for mask in masks:
            codes = rng.integers(0, cards)
            mask[np.arange(AXES), codes] = True
            _permit(tables, tuple(codes.tolist()))
    return Model(tables, weights, masks)


def _permit(tables: Tables, codes: Codes) -> None:
    s, u, t = codes[:3]
    cells = [
        (tables.scenario_state, (s, u)), (tables.scenario_tone, (s, t)), (tables.state_tone, (u, t)),
        (tables.domain_state_family, (tables.domain_of[s], u, tables.family_of[t])),
        *((tables.edges, (axis, codes[TREE[axis].parent], codes[axis])) for axis in range(3, AXES)),
    ]  # fmt: skip
    for table, cell in cells:
        table[cell] = table[cell] or 100


def affinities_met(tables: Tables, codes: Codes) -> list[int]:
    s, u, t = codes[:3]
    met = [tables.scenario_state[s, u], tables.scenario_tone[s, t], tables.state_tone[u, t]]
    met.append(tables.domain_state_family[tables.domain_of[s], u, tables.family_of[t]])
    met += [tables.edges[axis, codes[TREE[axis].parent], codes[axis]] for axis in range(3, AXES)]
    return [int(affinity) for affinity in met]


def personas(model: Model, seed: int = 0) -> list[Codes]:
    """Every persona of a seed, in the order of their codes."""
    mask = model.masks[seed]
    return [
        codes
        for codes in np.ndindex(*model.tables.cards.tolist())
        if mask[range(AXES), codes].all() and all(affinities_met(model.tables, codes))
    ]


def true_probabilities(model: Model, seed: int = 0) -> dict[Codes, Fraction]:
    """Level weights times affinities, nothing rounded."""
    weight = {
        codes: prod(affinities_met(model.tables, codes)) * prod(model.weights[range(AXES), codes].tolist())
        for codes in personas(model, seed)
    }
    total = sum(weight.values())
    return {codes: Fraction(w, total) for codes, w in weight.items()}


def decoder_probabilities(model: Model, work: Scratch) -> dict[Codes, Fraction]:
    """The share of all points that each persona has; ``work`` has been weighed."""
    codes, found = np.zeros(AXES, np.uint8), {}

    def spread(axis: int, share: Fraction) -> None:
        if axis == AXES:
            found[tuple(codes.tolist())] = share
            return
        total = int(conditional(model.tables, axis, codes, work))
        for level, weight in enumerate(work.row[: model.tables.cards[axis]].tolist()):
            if weight:
                codes[axis] = level
                spread(axis + 1, share * Fraction(weight, total))

    spread(0, Fraction(1))
    return found


def marginals_of(model: Model, probabilities: dict[Codes, Fraction]) -> Floats:
    """Level shares, (axes, levels)."""
    sums = np.zeros(model.weights.shape)
    for codes, share in probabilities.items():
        sums[range(AXES), codes] += float(share)
    return sums
