"""Feasible pairs and triples of levels: which there are, which the sequence misses, and rows that cover those."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.axes import Axes
from pipeline.fit import Weights, reachable
from pipeline.kernel import (
    COVERED,
    NO_HOST,
    SEQUENCE_END,
    U8Codes,
    U64s,
    count_sequence,
    cover_cells,
    new_scratch,
    place_rows,
    possible_cells,
)
from pipeline.rules import Masks, Tables, axis_codes, compile_tables

Counts = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

NO_AXIS = -1


class CoverageRows(NamedTuple):
    """Frozen rows, seed by seed, those of a seed in the order in which they join it."""

    seeds: npt.NDArray[np.uint32]
    variants: npt.NDArray[np.uint32]  # place on the seed's sequence, or 2^31 + slot
    codes: U8Codes  # (rows, axes)


class Cells(NamedTuple):
    """Cells of all pairs, and triples, of axes, laid end to end."""

    axes: npt.NDArray[np.int64]  # (groups, 3): two or three axes, NO_AXIS where there is no third
    offsets: npt.NDArray[np.int64]  # (groups + 1,)


class Coverage(NamedTuple):
    rows: CoverageRows
    prefixes: list[int]  # rows of each seed's sequence that come before its coverage rows
    feasible: Bools  # by cell: some seed has a persona in it
    covered: Bools  # by cell: some row at base_rows is in it


def all_cells(tables: Tables, strength: int) -> Cells:
    """Cells of all pairs of axes, and of all triples where ``strength`` is 3."""
    axes = range(len(tables.cards))
    groups = [(*pair, NO_AXIS) for pair in combinations(axes, 2)]
    if strength == 3:
        groups += list(combinations(axes, 3))
    sizes = [int(np.prod(tables.cards[[axis for axis in group if axis != NO_AXIS]])) for group in groups]
    return Cells(np.array(groups), np.concatenate([[0], np.cumsum(sizes)]))


def cover(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    reach: Masks,
    hashes: Sequence[int],
    rows: Sequence[int],
    caps: Sequence[int],
    strength: int = 2,
) -> Coverage:
    """Coverage rows for the cells that ``rows`` of each seed's sequence miss, at most half of a seed's rows.

    A coverage row takes the place of the last row of its seed's sequence; what only that row covered is covered again
    in the next round, until nothing feasible is missed that there is room for.  A cell that no seed's sequence reaches
    is infeasible where the rules, with everything open that any seed has open, leave no persona in it, or where none
    of the seeds that can take each of its levels can take them together.
    """
    cells = all_cells(tables, strength)
    work, hashed = new_scratch(tables), np.array(hashes, np.uint64)
    prefixes = np.array(rows, np.int64)
    counts = _counted(tables, weights, masks, hashed, prefixes, cells)
    feasible = counts > 0
    open_cells = np.zeros(len(counts), np.bool_)
    union = np.asarray(masks.any(axis=0))
    possible_cells(tables, weights, union, *cells, open_cells, work)
    room = np.array([min(n, cap) // 2 for n, cap in zip(rows, caps, strict=True)], np.int64)
    found = [(np.zeros(0, np.int64), np.zeros((0, len(tables.cards)), np.uint8))]
    while len(missed := np.nonzero((counts == 0) & open_cells)[0]):
        hosts, codes = np.zeros(len(missed), np.int64), np.zeros((len(missed), len(tables.cards)), np.uint8)
        made, verdicts = cover_cells(tables, weights, masks, reach, room, *cells, missed, counts, hosts, codes, work)
        feasible[missed[verdicts != NO_HOST]] = True
        open_cells[missed[verdicts != COVERED]] = False
        found.append((hosts[:made], codes[:made]))
        for host, taken in zip(*np.unique(hosts[:made], return_counts=True), strict=True):
            last = prefixes[host]
            prefixes[host] -= taken
            first = prefixes[host]
            count_sequence(tables, weights, masks[host], hashed[host], first, last, *cells, counts, -1, work)
    return Coverage(_placed(tables, weights, masks, hashed, found), prefixes.tolist(), feasible, counts > 0)


def _counted(
    tables: Tables, weights: Weights, masks: Masks, hashes: U64s, rows: npt.NDArray[np.int64], cells: Cells
) -> Counts:
    """How many of ``rows`` of each seed's sequence are in each cell."""

    def counted(seeds: npt.NDArray[np.int64]) -> Counts:
        counts, work = np.zeros(cells.offsets[-1], np.int32), new_scratch(tables)
        for seed in seeds:
            count_sequence(tables, weights, masks[seed], hashes[seed], 0, int(rows[seed]), *cells, counts, 1, work)
        return counts

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(counted, np.array_split(np.arange(len(masks)), 2))
    return one + other


def _placed(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    hashes: U64s,
    found: Sequence[tuple[npt.NDArray[np.int64], U8Codes]],
) -> CoverageRows:
    """The rows seed by seed, with their places on the sequence or, where it passes them by, slots of their seed."""
    hosts, codes = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(hosts, kind="stable")
    hosts, codes = hosts[order], codes[order]
    places = np.zeros(len(hosts), np.int64)
    place_rows(tables, weights, masks, hashes, hosts, codes, places, new_scratch(tables))
    # Rows off the sequence up to this one, and those of the seeds before its own.
    off: npt.NDArray[np.int64] = np.cumsum(places < 0)
    first = np.searchsorted(hosts, hosts)
    before = off[first] - (places[first] < 0)
    places = np.where(places < 0, SEQUENCE_END + off - 1 - before, places)
    return CoverageRows(hosts.astype(np.uint32), places.astype(np.uint32), codes)


def unreachable(axes: Axes) -> list[tuple[str, str, str]]:
    """Levels that the rules leave no persona at all, with the rules that do it: (axis, level, reasons)."""
    reach = _reach_of_all(axes)
    return [
        (name, level.id, _blamed(axes, axis, code))
        for axis, (name, levels) in enumerate(axes.levels.items())
        for code, level in enumerate(levels)
        if not reach[axis, code]
    ]


def _reach_of_all(axes: Axes) -> Bools:
    """Levels that somebody without a single lock could take: (axes, levels)."""
    tables = compile_tables(axes)
    open_to_all = np.arange(int(tables.cards.max())) < tables.cards[:, None]
    return np.asarray(reachable(tables, open_to_all[None])[0])


def _blamed(axes: Axes, axis: int, code: int) -> str:
    """Why a level has no persona: a hard rule without which it had one; where it takes several, all that name it."""
    name = list(axes.levels)[axis]
    naming = [
        rule
        for rule in axes.rules
        if rule.hard
        and any(name == named and code in codes for named, codes in (axis_codes(axes, t) for t in rule.hard))
    ]
    alone = []
    for rule in naming:
        others = tuple(other for other in axes.rules if other is not rule)
        if _reach_of_all(axes.model_copy(update={"rules": others}))[axis, code]:
            alone.append(rule)
    return "; ".join(rule.reason for rule in alone or naming) or "no scenario allows it together with the rules"
