"""Small random models, and their personas by plain enumeration: what the compiled code is held against."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from pipeline.axes import TREE
from pipeline.fit import Weights
from pipeline.kernel import WEIGHT_MAX, WEIGHT_MIN, Scratch, conditional, new_scratch
from pipeline.rules import ONE, Masks, Tables

AXES = len(TREE)
WIDTH = 3
MOST_COMBINATIONS = 600  # by Fractions a few milliseconds

Codes = tuple[int, ...]


class Model(NamedTuple):
    tables: Tables
    weights: Weights
    masks: Masks  # (seeds, axes, levels)


@st.composite
def models(draw: st.DrawFn, seeds: int = 1, tame: bool = False) -> Model:
    """Any model the kernel may be given; a tame one keeps weights within 1/8 to 8 and affinities above 1/16."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="entropy"))
    excluded = draw(st.sampled_from([0.0, 0.1, 0.3]), label="share of excluded pairs")
    locked = draw(st.sampled_from([0.0, 0.1, 0.3]), label="share of locked levels")
    cards = np.array(draw(st.lists(st.integers(1, WIDTH), min_size=AXES, max_size=AXES), label="cards"))
    while cards.prod() > MOST_COMBINATIONS:
        cards[rng.choice(np.flatnonzero(cards > 1))] -= 1
    scenarios, states, tones = cards[:3].tolist()
    domain_of, family_of = rng.integers(0, 2, scenarios), rng.integers(0, 2, tones)

    def affinities(*shape: int) -> np.ndarray:
        table = np.round(2 ** rng.uniform(4 if tame else 0, 8, shape)).astype(np.uint16)
        table[rng.random(shape) < 0.3] = ONE
        table[rng.random(shape) < excluded] = 0
        return table

    tables = Tables(
        cards=cards,
        parents=np.array([axis.parent for axis in TREE]),
        domain_of=domain_of,
        family_of=family_of,
        scenario_state=affinities(scenarios, states),
        scenario_tone=affinities(scenarios, tones),
        state_tone=affinities(states, tones),
        domain_state_family=affinities(2, states, 2),
        edges=affinities(AXES, WIDTH, WIDTH),
    )
    low, high = (9, 15) if tame else (6, 18)
    weights = np.round(2 ** rng.uniform(low, high, (AXES, WIDTH))).clip(WEIGHT_MIN, WEIGHT_MAX).astype(np.uint32)
    masks = (rng.random((seeds, AXES, WIDTH)) >= locked) & (np.arange(WIDTH) < cards[:, None])
    return Model(tables, weights, masks)


def all_codes(tables: Tables) -> Iterator[Codes]:
    return iter(np.ndindex(*tables.cards.tolist()))


def allowed(tables: Tables, mask: np.ndarray, codes: Codes) -> bool:
    return affinity_product(tables, codes) > 0 and all(mask[axis, level] for axis, level in enumerate(codes))


def affinity_product(tables: Tables, codes: Codes) -> int:
    return prod(affinities_met(tables, codes))


def affinities_met(tables: Tables, codes: Codes) -> list[int]:
    s, u, t = codes[:3]
    met = [tables.scenario_state[s, u], tables.scenario_tone[s, t], tables.state_tone[u, t]]
    met.append(tables.domain_state_family[tables.domain_of[s], u, tables.family_of[t]])
    met += [tables.edges[axis, codes[TREE[axis].parent], codes[axis]] for axis in range(3, AXES)]
    return [int(affinity) for affinity in met]


def personas(model: Model, seed: int = 0) -> list[Codes]:
    """Every persona of a seed, in the order of their codes."""
    return [codes for codes in all_codes(model.tables) if allowed(model.tables, model.masks[seed], codes)]


def true_probabilities(model: Model, seed: int = 0) -> dict[Codes, Fraction]:
    """Level weights times affinities, without any rounding."""
    weight = {
        codes: affinity_product(model.tables, codes) * prod(int(model.weights[a, v]) for a, v in enumerate(codes))
        for codes in personas(model, seed)
    }
    total = sum(weight.values())
    return {codes: Fraction(w, total) for codes, w in weight.items()}


def decoder_probabilities(model: Model, work: Scratch) -> dict[Codes, Fraction]:
    """Shares of the point range that the decoder gives each persona; ``work`` has been weighed."""
    codes, found = np.zeros(AXES, np.uint8), {}

    def below(axis: int, share: Fraction) -> None:
        if axis == AXES:
            found[tuple(codes.tolist())] = share
            return
        total = int(conditional(model.tables, axis, codes, work))
        for level, weight in enumerate(work.row[: model.tables.cards[axis]].tolist()):
            if weight:
                codes[axis] = level
                below(axis + 1, share * Fraction(weight, total))

    below(0, Fraction(1))
    return found


def marginals_of(probabilities: dict[Codes, Fraction]) -> np.ndarray:
    sums = np.zeros((AXES, WIDTH))
    for codes, share in probabilities.items():
        sums[np.arange(AXES), codes] += float(share)
    return sums


def scratch(model: Model) -> Scratch:
    return new_scratch(model.tables)


def random_hashes(count: int, entropy: int) -> Sequence[int]:
    return np.random.default_rng(entropy).integers(0, 2**64, count, np.uint64, endpoint=False).tolist()
