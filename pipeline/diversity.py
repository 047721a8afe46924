"""Of many personas, the few that differ most: greedy k-centre, farthest first (Gonzalez 1985).

The next one picked is always the one farthest from all that are picked already.  So no persona is left farther from
the nearest picked one than twice the least that any choice of as many could achieve, and no polynomial algorithm can
promise better than twice (Hochbaum & Shmoys 1985).  Picking k of n takes k · n comparisons of persons and n numbers of
memory; there is no n · n table.

The distance is Gower's (1971): the weighted sum, over features, of whether two levels differ, or of how far apart two
values are on their scale.  Everything is in whole hundredths, so that equal distances are equal on every machine.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.axes import Axes
from pipeline.config import Frame

# What a difference counts, in hundredths.  Who somebody is weighs 7 in all, what the talk is about 5, how they speak
# 7.5 (with SCALES and ORDERED), so that no side alone decides who differs most.
DIFFERS = {
    "seed_id": 100, "lang": 100, "gender": 100, "world": 50,
    "domain": 200, "scenario": 100, "stance": 100, "relationship": 100,
    "tone_family": 100, "tone": 50, "environment": 50, "turn_taking": 50, "cue": 25,
    "user_state": 100,
}  # fmt: skip


class Scale(NamedTuple):
    """Values from ``low`` to ``high``, the ends ``weight`` hundredths apart; what lies beyond counts as the end."""

    weight: int
    low: int
    high: int


# Of ages beyond 100, as invented beings have, it counts that they are old.
SCALES = {
    "age": Scale(100, 0, 100),
    **dict.fromkeys(("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"), Scale(50, 1, 5)),
    **dict.fromkeys(("valence", "arousal", "dominance"), Scale(75, -100, 100)),
    **dict.fromkeys(("pace", "energy"), Scale(50, -1, 1)),
}
ORDERED = {"register": 75, "verbosity": 75}  # axes whose levels stand in order: weight from the first to the last
TOLD_IN_SCENES_ONLY = frozenset({"user_state"})  # two personas of the deploy frame never differ in it

FEATURES = (*DIFFERS, *SCALES, *ORDERED)  # columns of the matrix, and age, gender and world of seeds

Distances = npt.NDArray[np.int32]


class Feature(NamedTuple):
    values: npt.NDArray[np.int32]  # hundredths on a scale, or codes
    weight: int  # of a difference in code; 0 on a scale


def features(rows: pl.DataFrame, axes: Axes, frame: Frame) -> list[Feature]:
    """The features of ``rows``, which have the columns FEATURES.

    A value that a seed leaves open counts as the middle of its scale, and a level as one of its own.
    """
    found = []
    for name, weight in DIFFERS.items():
        if frame == "scene" or name not in TOLD_IN_SCENES_ONLY:
            found.append(Feature(_codes(rows[name]), weight))
    for name, weight in ORDERED.items():
        codes = _ranks(rows[name], {level.id: code for code, level in enumerate(axes.levels[name])})
        found.append(Feature(_scaled(codes, Scale(weight, 0, max(1, len(axes.levels[name]) - 1))), 0))
    for name, scale in SCALES.items():
        middle = (scale.low + scale.high) / 2
        values = rows[name].cast(pl.Float64).fill_null(middle).to_numpy()
        found.append(Feature(_scaled(values, scale), 0))
    return found


def _codes(column: pl.Series) -> npt.NDArray[np.int32]:
    return (column.cast(pl.String).rank("dense").fill_null(0)).to_numpy().astype(np.int32)


def _ranks(column: pl.Series, codes: Mapping[str, int]) -> npt.NDArray[np.float64]:
    return column.cast(pl.String).replace_strict(codes, return_dtype=pl.Float64).to_numpy()


def _scaled(values: npt.NDArray[np.float64], scale: Scale) -> npt.NDArray[np.int32]:
    part = (np.clip(values, scale.low, scale.high) - scale.low) / (scale.high - scale.low)
    return np.rint(scale.weight * part).astype(np.int32)


def distances(given: list[Feature], row: int) -> Distances:
    """Of every row to one of them, in hundredths."""
    total = np.zeros(len(given[0].values), np.int32)
    for values, weight in given:
        if weight:
            total += np.int32(weight) * (values != values[row])
        else:
            total += np.abs(values - values[row])
    return total


def medoid(given: list[Feature]) -> int:
    """The row whose distances to all others sum to the least; of several the first.

    The sum falls apart by feature, and of a feature only how often each value occurs matters: so n rows take n steps.
    """
    sums = np.zeros(len(given[0].values), np.int64)
    for values, weight in given:
        known, place, count = np.unique(values, return_inverse=True, return_counts=True)
        if weight:
            sums += (weight * (len(values) - count))[place]
        else:
            apart = np.abs(np.subtract.outer(known.astype(np.int64), known.astype(np.int64)))
            sums += (apart @ count)[place]
    return int(sums.argmin())


def farthest_first(given: list[Feature], count: int) -> list[int]:
    """``count`` rows (or all there are), the most typical first and then ever the farthest from those before.

    Of rows equally far the first is taken, and a first so many of a larger count are those of a smaller one.
    """
    picked = [medoid(given)]
    nearest = distances(given, picked[0])
    while len(picked) < min(count, len(nearest)):
        nearest[picked[-1]] = -1  # farther than which everyone is who is not picked, doubles too
        picked.append(int(nearest.argmax()))
        np.minimum(nearest, distances(given, picked[-1]), out=nearest)
    return picked
