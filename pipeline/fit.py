"""Fit level weights to target shares, and find what share of each level the seeds can carry at all."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.kernel import WEIGHT_MAX, WEIGHT_MIN, WEIGHT_ONE, add_all_marginals, concentrations, new_scratch
from pipeline.rules import Masks, Tables

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.uint32]
T = TypeVar("T")

MAX_ROUNDS = 60
GOOD_ENOUGH = 1e-3  # total variation of the worst axis: a fifth of what the certificate allows a whole matrix
MEMORY = 10  # rounds that Anderson's mixing looks back on
FLOW_UNITS = 1 << 30  # scipy's maximum_flow counts in int32


class Fit(NamedTuple):
    weights: Weights  # (axes, levels), 4096 = 1
    targets: Floats  # (axes, levels), each axis sums to 1: what was authored
    attainable: Floats  # the nearest the seeds can carry, whatever the weights
    fitted: Floats  # what decoding realises


def neutral_weights(tables: Tables) -> Weights:
    return np.full((len(tables.cards), int(tables.cards.max())), WEIGHT_ONE, np.uint32)


def reachable(tables: Tables, masks: Masks) -> Masks:
    """Levels that at least one persona of each seed takes: bool, (seeds, axes, levels)."""
    each, weights, ones = np.zeros(masks.shape), neutral_weights(tables), np.ones(len(masks))

    def find(part: slice) -> None:
        into = np.arange(part.stop - part.start)
        add_all_marginals(tables, weights, masks[part], ones[part], into, each[part], new_scratch(tables))

    in_two_threads(find, len(masks))
    return each > 0


def concentrated(tables: Tables, weights: Weights, masks: Masks) -> Floats:
    """Of each seed's personas the greatest probability and the sum of the cubes of all, (seeds, 2); 0 for none."""
    found = np.zeros((len(masks), 2))
    in_two_threads(
        lambda part: concentrations(tables, weights, masks[part], new_scratch(tables), found[part]), len(masks)
    )
    return found


def in_two_threads(work: Callable[[slice], T], seeds: int) -> list[T]:
    """What ``work`` makes of the first half of the seeds and of the second."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, (slice(0, seeds // 2), slice(seeds // 2, seeds))))


def marginals(tables: Tables, weights: Weights, masks: Masks, shares: Floats) -> Floats:
    """Exact level shares over all seeds, (axes, levels), each axis summing to 1."""
    one = np.zeros(len(masks), np.int64)

    def summed(part: slice) -> Floats:
        sums = np.zeros((1, *weights.shape))
        add_all_marginals(tables, weights, masks[part], shares[part], one[part], sums, new_scratch(tables))
        return np.asarray(sums[0])

    sums: Floats = np.sum(in_two_threads(summed, len(masks)), axis=0)
    totals: Floats = np.maximum(sums.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return np.asarray(sums / totals)


def fit(tables: Tables, masks: Masks, reach: Masks, shares: Floats, targets: Sequence[Sequence[float]]) -> Fit:
    """Iterative proportional fitting (Deming & Stephan 1940) of level weights, all axes at once.

    One round multiplies each weight by target / share.  Scenario, state and tone are coupled, so that rounds alone
    circle towards the fit (85 rounds to a distance of 0.001 on the shipped content); Anderson's mixing of the last
    rounds (Anderson 1965; Walker & Ni 2011) takes 15.  It is written out because scipy's `anderson` has no bounds.

    Weights stay within [1/64, 64]: towards an unattainable target they would grow without bound and crowd a seed's
    rows on few levels.  So the fit aims at the attainable shares.
    """
    authored = np.zeros(masks.shape[1:])
    for axis, shares_of_axis in enumerate(targets):
        authored[axis, : len(shares_of_axis)] = shares_of_axis
    shares = shares / shares.sum()
    reached = np.stack([attainable(reach[:, axis], shares, authored[axis]) for axis in range(len(targets))])
    masks, shares = distinct(masks, shares)
    best: tuple[float, Weights, Floats] | None = None
    mixing = _Mixing(np.sqrt(reached[reached > 0]))
    logs = np.zeros(authored.shape)
    for _ in range(MAX_ROUNDS):
        weights = quantised(logs, reached > 0)
        fitted = marginals(tables, weights, masks, shares)
        distance = float(total_variation(reached, fitted).max())
        if best is None or distance < best[0]:
            best = (distance, weights, fitted)
        if distance < GOOD_ENOUGH:
            break
        pull = np.log(reached[reached > 0] / np.maximum(fitted[reached > 0], np.finfo(float).tiny))
        logs[reached > 0] += mixing.step(logs[reached > 0], np.clip(pull, -1, 1))
    assert best is not None
    return Fit(best[1], authored, reached, best[2])


class _Mixing:
    """Anderson's mixing: the step that the last rounds' points and pulls, taken as linear, say is right."""

    def __init__(self, importance: Floats) -> None:
        self._importance = importance
        self._points: list[Floats] = []
        self._pulls: list[Floats] = []

    def step(self, point: Floats, pull: Floats) -> Floats:
        self._points = [*self._points, point.copy()][-MEMORY - 1 :]
        self._pulls = [*self._pulls, pull][-MEMORY - 1 :]
        if len(self._points) == 1:
            return pull
        moved, changed = np.diff(self._points, axis=0), np.diff(self._pulls, axis=0)
        share = np.linalg.lstsq((changed * self._importance).T, pull * self._importance, rcond=1e-6)[0]
        return np.clip(pull - share @ (moved + changed), -1, 1)


def distinct(masks: Masks, shares: Floats) -> tuple[Masks, Floats]:
    """One mask and the summed shares of seeds with the same open levels, as those of an import: they are alike."""
    packed = np.packbits(masks.reshape(len(masks), -1), axis=1)
    # A row of bits as one value: numpy sorts ten thousand of these in 4 ms, as rows of bool in 210 ms.
    whole = packed.view(f"V{packed.shape[1]}").ravel()
    _, first, member = np.unique(whole, return_index=True, return_inverse=True)
    return masks[first], np.bincount(member.ravel(), weights=shares, minlength=len(first)).astype(np.float64)


def quantised(logs: Floats, wanted: Masks) -> Weights:
    """Integer weights of logarithms, by axis; only their ratios matter, so each axis is centred in its bounds."""
    top = np.where(wanted, logs, -np.inf).max(axis=1, keepdims=True)
    bottom = np.where(wanted, logs, np.inf).min(axis=1, keepdims=True)
    exact = np.exp(np.clip(logs - (top + bottom) / 2, np.log(1 / 64), np.log(64)))
    return np.asarray(np.clip(np.rint(exact * WEIGHT_ONE), WEIGHT_MIN, WEIGHT_MAX).astype(np.uint32))


def total_variation(one: Floats, other: Floats) -> Floats:
    """Half the summed absolute difference, by axis: the share of rows that would have to move."""
    return np.asarray(np.abs(one - other).sum(axis=1) / 2)


def attainable(reach: Masks, shares: Floats, target: Floats) -> Floats:
    """The level shares nearest ``target`` in total variation that the seeds can carry, each on its reachable levels.

    Total variation is 1 − Σ min(target, share), and the greatest Σ min is a maximum flow from seeds through their
    reachable levels to the targets (Ford & Fulkerson 1956).  What does not flow goes where its seed can go, in
    proportion to the targets there.  Seeds with the same reachable levels are one node.
    """
    # Here, because it takes a quarter of a second to import, and those who only read a plan never need it.
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_flow

    sets, supply = distinct(reach, shares)
    if sets[supply > 0][:, target > 0].all():
        return target.copy()
    levels = len(target)
    source, sink = len(sets) + levels, len(sets) + levels + 1
    units_in = np.rint(supply * FLOW_UNITS).astype(np.int32)
    units_out = np.rint(target * FLOW_UNITS).astype(np.int32)
    groups, reached = np.nonzero(sets)
    rows = np.concatenate([np.full(len(sets), source), groups, len(sets) + np.arange(levels)])
    columns = np.concatenate([np.arange(len(sets)), len(sets) + reached, np.full(levels, sink)])
    capacity = np.concatenate([units_in, np.full(len(groups), FLOW_UNITS, np.int32), units_out])
    graph = csr_matrix((capacity, (rows, columns)), shape=(sink + 1, sink + 1), dtype=np.int32)
    flow = maximum_flow(graph, source, sink).flow
    carried = np.asarray(flow[: len(sets), len(sets) : len(sets) + levels].todense(), np.float64) / FLOW_UNITS
    left = np.maximum(supply - carried.sum(axis=1), 0)
    open_target = sets * np.maximum(target, 1e-12)
    placed = left[:, None] * open_target / np.maximum(open_target.sum(axis=1, keepdims=True), 1e-300)
    result = carried.sum(axis=0) + placed.sum(axis=0)
    return result / result.sum()  # type: ignore[no-any-return]
