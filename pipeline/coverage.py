"""Every feasible pair of levels: which are possible, which the sequence misses, and rows that cover those."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.axes import Axes
from pipeline.fit import Weights, reachable
from pipeline.kernel import (
    NO_HOST,
    NO_ROOM,
    SEQUENCE_END,
    Scratch,
    U8Codes,
    bit_reverse,
    count_pairs,
    count_sequence,
    decode,
    find_host,
    interval,
    mix,
    new_scratch,
    possible,
)
from pipeline.rules import Masks, Tables, axis_codes, compile_tables

Counts = npt.NDArray[np.int64]


class CoverageRow(NamedTuple):
    """A frozen row of one seed.  ``variant`` is its place on the sequence, or 2^31 + slot."""

    seed: int
    variant: int
    codes: tuple[int, ...]


class Pairs(NamedTuple):
    """Cells of all axis pairs, laid end to end."""

    axes: npt.NDArray[np.int64]  # (pairs, 2)
    offsets: npt.NDArray[np.int64]  # (pairs + 1,)


class Coverage(NamedTuple):
    rows: list[CoverageRow]
    prefixes: list[int]  # rows of each seed's sequence that come before its coverage rows
    feasible: npt.NDArray[np.bool_]  # by cell: some seed has a persona with this pair (proved by clamping)
    covered: npt.NDArray[np.bool_]  # by cell: some row at base_rows has it


def all_pairs(tables: Tables) -> Pairs:
    axes = np.array(list(combinations(range(len(tables.cards)), 2)))
    sizes = tables.cards[axes[:, 0]] * tables.cards[axes[:, 1]]
    return Pairs(axes, np.concatenate([[0], np.cumsum(sizes)]))


def cover(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    reach: Masks,
    hashes: Sequence[int],
    rows: Sequence[int],
    caps: Sequence[int],
) -> Coverage:
    """Coverage rows for the pairs that ``rows`` of each seed's sequence miss, at most half of a seed's rows.

    A coverage row takes the place of the last row of its seed's sequence; what only that row covered is covered again
    in the next round, until nothing feasible is missed that there is room for.
    """
    pairs = all_pairs(tables)
    counts = np.zeros(pairs.offsets[-1], np.int64)
    work, code = new_scratch(tables), np.zeros((1, len(tables.cards)), np.uint8)
    prefixes = list(rows)

    def count(seed: int, first: int, last: int, sign: int) -> None:
        count_sequence(tables, weights, masks[seed], np.uint64(hashes[seed]), first, last,
                       pairs.axes, pairs.offsets, counts, sign, code, work)  # fmt: skip

    for seed, n in enumerate(rows):
        count(seed, 0, n, 1)
    room = np.array([min(n, cap) // 2 for n, cap in zip(rows, caps, strict=True)], np.int64)
    feasible = counts > 0
    proved_infeasible = np.zeros(len(counts), np.bool_)
    out_of_room = np.zeros(len(counts), np.bool_)
    union = masks.any(axis=0)
    found: list[CoverageRow] = []
    slots = [0] * len(rows)
    clamped = np.zeros_like(union)
    while len(missed := np.nonzero((counts == 0) & ~proved_infeasible & ~out_of_room)[0]):
        for cell in missed.tolist():
            if counts[cell]:
                continue
            clamp = _cell(pairs, tables, cell)
            start = int(mix(np.uint64(cell))) % len(masks)
            host = NO_HOST
            if possible(tables, weights, union, *clamp, clamped, work):
                host = find_host(tables, weights, masks, reach, room, *clamp, start, clamped, work)
            if host == NO_HOST:
                proved_infeasible[cell] = True
                continue
            feasible[cell] = True
            if host == NO_ROOM:
                out_of_room[cell] = True
                continue
            # `work` is still weighed for the host with both levels clamped: any point of it is a persona with the pair.
            decode(tables, np.uint64(mix(np.uint64(cell + 1))), code[0], work)
            count_pairs(code, tables.cards, pairs.axes, pairs.offsets, counts, 1)
            covering = code[0].copy()
            room[host] -= 1
            prefixes[host] -= 1
            count(host, prefixes[host], prefixes[host] + 1, -1)
            k = position(tables, covering, hashes[host], work)
            if k is None:
                k = SEQUENCE_END + slots[host]
                slots[host] += 1
            found.append(CoverageRow(host, k, tuple(covering.tolist())))
    return Coverage(found, prefixes, feasible | (counts > 0), counts > 0)


def _cell(pairs: Pairs, tables: Tables, cell: int) -> tuple[int, int, int, int]:
    """Axis, level, other axis, its level."""
    pair = int(np.searchsorted(pairs.offsets, cell, side="right")) - 1
    one, other = pairs.axes[pair].tolist()
    level, level_other = divmod(cell - int(pairs.offsets[pair]), int(tables.cards[other]))
    return one, level, other, level_other


def position(tables: Tables, codes: U8Codes, seed_hash: int, work: Scratch) -> int | None:
    """The smallest k < 2^31 whose point decodes to ``codes``; None where the sequence passes the row by.

    The row holds an interval of points.  Point k is bit-reverse(k) + hash, so k < 2^m are the multiples of 2^(64−m):
    the smallest m with a multiple inside has exactly one (two would have a multiple of the next power between them).
    """
    whole = 1 << 64
    first, last = (int(end) for end in interval(tables, codes, np.empty_like(codes), work))
    if first > last:
        return None
    low, length = (first - seed_hash) % whole, last - first
    for m in range(32):
        grid = whole >> m
        multiple = -(-low // grid) * grid
        if multiple - low <= length:
            return int(bit_reverse(np.uint64(multiple % whole)))
    return None


def unreachable(axes: Axes) -> list[tuple[str, str, str]]:
    """Levels that the rules leave no persona at all, with the rules that name them: (axis, level, reasons)."""
    tables = compile_tables(axes)
    open_to_all = np.zeros((1, len(tables.cards), int(tables.cards.max())), np.bool_)
    for axis, card in enumerate(tables.cards):
        open_to_all[0, axis, :card] = True
    reach = reachable(tables, open_to_all)[0]
    return [
        (name, level.id, _blamed(axes, name, code))
        for axis, (name, levels) in enumerate(axes.levels.items())
        for code, level in enumerate(levels)
        if not reach[axis, code]
    ]


def _blamed(axes: Axes, axis: str, code: int) -> str:
    """Why a level has no persona: the hard rules that name it, or that no scenario allows it."""
    reasons = [
        rule.reason
        for rule in axes.rules
        if rule.hard
        and any(axis == named and code in codes for named, codes in (axis_codes(axes, t) for t in rule.hard))
    ]
    return "; ".join(reasons) or "no scenario allows it together with the rules"
