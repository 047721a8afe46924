"""Feasible pairs and triples of levels: which there are, which the sequence misses, and rows that cover those."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.axes import Axes
from pipeline.fit import Weights, in_two_threads, reachable
from pipeline.kernel import (
    COVERED,
    NO_HOST,
    SEQUENCE_END,
    Scratch,
    U8Codes,
    U64s,
    add_own_pairs,
    count_cells,
    count_sequence,
    cover_cells,
    cover_own,
    new_scratch,
    place_rows,
    possible_cells,
    strike_own_pairs,
)
from pipeline.rules import Masks, Tables, axis_codes, compile_tables

Counts = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NO_AXIS = -1
OWN_FROM = 2_000  # rows of a seed from which on they hold each pair of domain and tone family that it can take


class CoverageRows(NamedTuple):
    """Frozen rows, seed by seed, those of a seed in the order in which they join it."""

    seeds: npt.NDArray[np.uint32]
    variants: npt.NDArray[np.uint32]  # place on the seed's sequence, or 2^31 + slot
    joins: npt.NDArray[np.uint32]  # how many rows of its seed come before it
    codes: U8Codes  # (rows, axes)


class Cells(NamedTuple):
    """Cells of all pairs, and triples, of axes, laid end to end."""

    axes: npt.NDArray[np.int64]  # (groups, 3): two or three axes, NO_AXIS where there is no third
    offsets: npt.NDArray[np.int64]  # (groups + 1,)


class Coverage(NamedTuple):
    rows: CoverageRows
    feasible: Bools  # by cell: some seed has a persona in it
    covered: Bools  # by cell: some row at base_rows is in it
    own: int  # rows that cover a domain and tone family for their own seed


def all_cells(tables: Tables, strength: int) -> Cells:
    """Cells of all pairs of axes, and of all triples where ``strength`` is 3."""
    axes = range(len(tables.cards))
    groups = [(*pair, NO_AXIS) for pair in combinations(axes, 2)]
    if strength == 3:
        groups += list(combinations(axes, 3))
    sizes = [int(np.prod(tables.cards[[axis for axis in group if axis != NO_AXIS]])) for group in groups]
    return Cells(np.array(groups), np.concatenate([[0], np.cumsum(sizes)]))


def own_from(tables: Tables, least: int = OWN_FROM) -> int:
    """From how many rows on a seed covers its own pairs: ``least``, or four times as many as there are.

    Rows for all are half of a seed's at most, so that a quarter for its own pairs always finds room before them.
    """
    domains, _, families = tables.domain_state_family.shape
    return max(least, 4 * int(domains * families))


def own_pairs(tables: Tables, weights: Weights, masks: Masks, wanted: Bools) -> Bools:
    """What each seed of ``wanted`` can take together: (seeds, domains, tone families)."""
    domains, _, families = tables.domain_state_family.shape
    pairs = np.zeros((len(masks), domains, families), np.bool_)
    in_two_threads(
        lambda part: add_own_pairs(tables, weights, masks[part], wanted[part], pairs[part], new_scratch(tables)),
        len(masks),
    )
    return pairs


def cover(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    reach: Masks,
    hashes: Sequence[int],
    rows: Sequence[int],
    caps: Sequence[int],
    strength: int = 2,
    least_own: int = OWN_FROM,
) -> Coverage:
    """Coverage rows for the cells that ``rows`` of each seed's sequence miss, at most half of a seed's rows; and for
    the pairs of domain and tone family that a seed of `own_from` rows misses for itself.

    A coverage row takes the place of the last row of its seed's sequence; what only that row covered is covered again
    in the next round, until nothing feasible is missed that there is room for.  A cell that no seed's sequence reaches
    is infeasible where the rules, with everything open that any seed has open, leave no persona in it, or where none
    of the seeds that can take each of its levels can take them together.
    """
    cells = all_cells(tables, strength)
    work, hashed = new_scratch(tables), np.array(hashes, np.uint64)
    first = own_from(tables, least_own)
    found = _FoundRows(tables, weights, masks, hashed, np.array(rows, np.int64), np.array(caps, np.int64), first)
    lengths = found.rows.copy()  # of each seed's sequence that are among its rows
    counts = _counted(tables, weights, masks, hashed, lengths, cells)
    feasible = counts > 0
    open_cells = np.zeros(len(counts), np.bool_)
    union = np.asarray(masks.any(axis=0))
    possible_cells(tables, weights, union, *cells, open_cells, work)
    room = np.minimum(found.rows, found.caps) // 2

    def join(hosts: npt.NDArray[np.int64]) -> None:
        for host, taken in zip(*np.unique(hosts, return_counts=True), strict=True):
            last = lengths[host]
            lengths[host] -= taken
            count_sequence(tables, weights, masks[host], hashed[host], lengths[host], last, *cells, counts, -1, work)

    while True:
        hosts, codes = found.missed_own(found.rows >= first, work)
        count_cells(codes, tables.cards, *cells, counts, 1)
        feasible |= counts > 0
        join(hosts)
        missed = np.nonzero((counts == 0) & open_cells)[0]
        if not len(missed) and not len(hosts):
            break
        hosts, codes = np.zeros(len(missed), np.int64), np.zeros((len(missed), len(tables.cards)), np.uint8)
        made, verdicts = cover_cells(tables, weights, masks, reach, room, *cells, missed, counts, hosts, codes, work)
        feasible[missed[verdicts != NO_HOST]] = True
        open_cells[missed[verdicts != COVERED]] = False
        found.add(hosts[:made], codes[:made])
        join(hosts[:made])
    # Of smaller seeds: these join after base_rows: nothing promised there changes.
    while len(found.missed_own(found.rows < first, work)[0]):
        pass
    return Coverage(_placed(tables, weights, masks, hashed, found), feasible, counts > 0, int(found.is_own.sum()))


class _FoundRows:
    """The coverage rows found so far: for which seed, for all or for its own pairs of domain and tone family, and
    where in its rows they join.

    The first ``own_from`` rows of a seed hold a row in each such pair that it can take, whatever the number of rows
    the plan is made for.  Where that is fewer, these rows come after those that cover cells for all; else before.
    """

    def __init__(
        self, tables: Tables, weights: Weights, masks: Masks, hashes: U64s, rows: Ints, caps: Ints, own_from: int
    ) -> None:
        self._tables, self._weights, self._masks, self._hashes = tables, weights, masks, hashes
        self.rows, self.caps, self.own_from = rows, caps, own_from
        self.hosts = np.zeros(0, np.int64)
        self.codes = np.zeros((0, len(tables.cards)), np.uint8)
        self.is_own = np.zeros(0, np.bool_)
        # Rows of each seed's sequence that together with its own rows are known to miss nothing.
        self._held = np.where(caps >= own_from, own_from + 1, 0)

    def add(self, hosts: Ints, codes: U8Codes, own: bool = False) -> None:
        self.hosts = np.concatenate([self.hosts, hosts])
        self.codes = np.concatenate([self.codes, codes])
        self.is_own = np.concatenate([self.is_own, np.full(len(hosts), own)])

    def counts(self) -> tuple[Ints, Ints]:
        """How many rows each seed has for all, and for its own pairs."""
        seeds = len(self._masks)
        for_all = np.bincount(self.hosts[~self.is_own], minlength=seeds)
        return for_all, np.bincount(self.hosts[self.is_own], minlength=seeds)

    def starts(self) -> tuple[Ints, Ints]:
        """How many rows of each seed come before those for all, and before those for its own pairs."""
        for_all, own = self.counts()
        small = self.rows < self.own_from
        first_own = np.where(small, self.own_from, np.minimum(self.own_from, self.rows - for_all)) - own
        return np.where(small, np.minimum(self.rows, first_own), self.rows) - for_all, first_own

    def missed_own(self, seeds: Bools, work: Scratch) -> tuple[Ints, U8Codes]:
        """New rows for what ``seeds`` would miss with ``own_from`` rows; they have been added.

        A row that joins takes the place of the sequence's last, so a seed is looked at until none does.
        """
        for_all, own = self.counts()
        small = self.rows < self.own_from
        reached = np.where(small, self.own_from - for_all, np.minimum(self.own_from, self.rows - for_all)) - own
        due = seeds & (reached < self._held)
        self._held = np.where(due, reached, self._held)
        lengths = np.where(due, reached, 0)
        pairs = own_pairs(self._tables, self._weights, self._masks, due)
        in_two_threads(
            lambda part: strike_own_pairs(
                self._tables, self._weights, self._masks[part], self._hashes[part], lengths[part], pairs[part],
                new_scratch(self._tables),
            ),
            len(due),
        )  # fmt: skip
        self._use_rows_for_all(pairs, small)
        found = [(np.zeros(0, np.int64), self.codes[:0])]
        for seed in np.nonzero(pairs.any(axis=(1, 2)))[0]:
            own_domains, own_families = np.nonzero(pairs[seed])
            codes = np.zeros((len(own_domains), self.codes.shape[1]), np.uint8)
            cover_own(self._tables, self._weights, self._masks[seed], own_domains, own_families, codes, work)
            found.append((np.full(len(codes), seed), codes))
        hosts, codes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        self.add(hosts, codes, own=True)
        return hosts, codes

    def _use_rows_for_all(self, pairs: Bools, small: Bools) -> None:
        """Strike from ``pairs`` what a coverage row holds; of a seed where rows for all come later, one comes early."""
        cells = self.hosts, self._tables.domain_of[self.codes[:, 0]], self._tables.family_of[self.codes[:, 2]]
        late = np.nonzero(pairs[cells] & ~self.is_own & ~small[self.hosts])[0]
        _, first = np.unique(np.ravel_multi_index(tuple(cell[late] for cell in cells), pairs.shape), return_index=True)
        self.is_own[late[first]] = True
        pairs[cells] = False


def _counted(tables: Tables, weights: Weights, masks: Masks, hashes: U64s, rows: Ints, cells: Cells) -> Counts:
    """How many of ``rows`` of each seed's sequence are in each cell."""

    def count(part: slice) -> Counts:
        counts, work = np.zeros(cells.offsets[-1], np.int32), new_scratch(tables)
        for seed in range(part.start, part.stop):
            count_sequence(tables, weights, masks[seed], hashes[seed], 0, int(rows[seed]), *cells, counts, 1, work)
        return counts

    first, second = in_two_threads(count, len(masks))
    return first + second


def _placed(tables: Tables, weights: Weights, masks: Masks, hashes: U64s, found: _FoundRows) -> CoverageRows:
    """The rows seed by seed, with their places on the sequence or, where it passes them by, slots of their seed."""
    for_all, own = found.starts()
    order = np.lexsort((found.is_own, found.hosts))
    hosts, codes, is_own = found.hosts[order], found.codes[order], found.is_own[order]
    nth = np.arange(len(hosts)) - np.searchsorted(hosts * 2 + is_own, hosts * 2 + is_own)
    joins = np.where(is_own, own[hosts], for_all[hosts]) + nth
    order = np.lexsort((joins, hosts))
    hosts, codes, joins = hosts[order], codes[order], joins[order]
    places = np.zeros(len(hosts), np.int64)
    place_rows(tables, weights, masks, hashes, hosts, codes, places, new_scratch(tables))
    # Rows off the sequence up to this one, and those of the seeds before its own.
    off: npt.NDArray[np.int64] = np.cumsum(places < 0)
    first = np.searchsorted(hosts, hosts)
    before = off[first] - (places[first] < 0)
    places = np.where(places < 0, SEQUENCE_END + off - 1 - before, places)
    return CoverageRows(hosts.astype(np.uint32), places.astype(np.uint32), joins.astype(np.uint32), codes)


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
