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
    cover_cells,
    cover_own,
    expand,
    give_way,
    new_scratch,
    place_rows,
    possible_cells,
    repeats,
    strike_own_pairs,
)
from pipeline.rules import Masks, Tables, axis_codes, compile_tables

Counts = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NO_AXIS = -1
LATE_UNTIL = 16  # times base_rows: by then every row that gave way has come
COUNTED_AT_ONCE = 1 << 16  # rows; those of one seed are too few to be worth a group's way into the cache
OWN_FROM = 2_000  # rows of a seed from which on they hold each pair of domain and tone family that it can take


class FrozenRows(NamedTuple):
    """Seed by seed, those of a seed in the order in which they join it: rows that cover, and rows of the sequence that
    gave way to those."""

    seeds: npt.NDArray[np.uint32]
    variants: npt.NDArray[np.uint32]  # place on the seed's sequence, or 2^31 + slot
    joins: npt.NDArray[np.uint32]  # how many rows of its seed come before it
    codes: U8Codes  # (slots, axes): of the rows that are off the sequence, seed by seed, slot by slot


class Cells(NamedTuple):
    """Cells of all pairs, and triples, of axes, laid end to end."""

    axes: npt.NDArray[np.int64]  # (groups, 3): two or three axes, NO_AXIS where there is no third
    offsets: npt.NDArray[np.int64]  # (groups + 1,)


class Coverage(NamedTuple):
    rows: FrozenRows
    feasible: Bools  # by cell: some seed has a persona in it
    covered: Bools  # by cell: some row at base_rows is in it
    covering: int  # rows that cover; as many or fewer gave way to them
    own: int  # of these, those that cover a domain and tone family for their own seed


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

    For each that joins, a row of its seed gives way until later: one that no cell needs, chosen so that levels keep
    the shares they have without coverage rows.  Where every row of the seed is needed, what the one that goes had
    covered is covered again in the next round, until nothing feasible is missed that there is room for.  A cell that
    no seed's sequence reaches is infeasible where the rules, with everything open that any seed has open, leave no
    persona in it, or where none of the seeds that can take each of its levels can take them together.
    """
    cells = all_cells(tables, strength)
    work, hashed = new_scratch(tables), np.array(hashes, np.uint64)
    first = own_from(tables, least_own)
    found = _FoundRows(tables, weights, masks, hashed, np.array(rows, np.int64), np.array(caps, np.int64), first, cells)
    counts = found.counts  # join changes them
    feasible = counts > 0
    open_cells = np.zeros(len(counts), np.bool_)
    union = np.asarray(masks.any(axis=0))
    possible_cells(tables, weights, union, *cells, open_cells, work)
    room = np.minimum(found.rows, found.caps) // 2
    while True:
        own_hosts, own_codes = found.missed_own(~found.small)
        found.join(own_hosts, own_codes, own=True)
        feasible |= counts > 0
        missed = np.nonzero((counts == 0) & open_cells)[0]
        if not len(missed) and not len(own_hosts):
            break
        hosts, codes = np.zeros(len(missed), np.int64), np.zeros((len(missed), len(tables.cards)), np.uint8)
        made, verdicts = cover_cells(
            tables, weights, masks, reach, room, *cells, missed, counts.copy(), hosts, codes, work
        )
        feasible[missed[verdicts != NO_HOST]] = True
        open_cells[missed[verdicts != COVERED]] = False
        found.join(hosts[:made], codes[:made], own=False)
    covered = counts > 0
    while True:  # smaller seeds' own join after base_rows, where nothing has to give way to them
        own_hosts, own_codes = found.missed_own(found.small)
        if not len(own_hosts):
            break
        found.keep(own_hosts, own_codes, own=True)
    return Coverage(found.frozen(), feasible, covered, len(found.hosts), int(found.is_own.sum()))


class _FoundRows:
    """The coverage rows found so far: for which seed, for all or for its own pairs of domain and tone family, and
    where on its sequence; and the rows of each sequence that gave way to them.

    The first ``own_from`` rows of a seed hold a row in each such pair that it can take, whatever the number of rows
    the plan is made for.  Where that is well below, these rows come after those that cover cells for all; else before.
    """

    def __init__(
        self,
        tables: Tables,
        weights: Weights,
        masks: Masks,
        hashes: U64s,
        rows: Ints,
        caps: Ints,
        own_from: int,
        cells: Cells,
    ) -> None:
        self._tables, self._weights, self._masks, self._hashes = tables, weights, masks, hashes
        self.rows, self.caps, self.own_from, self._cells = rows, caps, own_from, cells
        domains, _, families = tables.domain_state_family.shape
        self.small = rows < own_from - domains * families  # so that what is their own joins after all their rows
        self._work = new_scratch(tables)
        self.hosts = np.zeros(0, np.int64)
        self.places = np.zeros(0, np.int64)  # on the seed's sequence, −1 for off it
        self.codes = np.zeros((0, len(tables.cards)), np.uint8)
        self.is_own = np.zeros(0, np.bool_)
        # Of each sequence's first rows, the places of those that gave way and of those that cover, ascending.
        self._late = [np.zeros(0, np.int64)] * len(masks)
        self._early = [np.zeros(0, np.int64)] * len(masks)
        # Of the many groups of axes, those with most cells tell soonest that a row is needed.
        sparsest = np.argsort(-np.diff(cells.offsets), kind="stable")
        self._sparsest_first = cells.axes[sparsest], cells.offsets[sparsest]
        self._repeats, self.counts = self._counted()
        self._levels = _level_counts(tables, cells, self.counts)
        self._excess = np.zeros(self._levels.shape, np.int64)
        # Rows of each seed's sequence that together with its own rows are known to miss nothing.
        self._held = np.where(caps >= own_from, own_from + 1, 0)

    def _counted(self) -> tuple[list[npt.NDArray[np.uint32]], Counts]:
        """Rows of each seed's sequence that repeat an earlier one, and how many of the others are in each cell."""

        def count(part: slice) -> tuple[list[npt.NDArray[np.uint32]], Counts]:
            found, held, work = [], [], new_scratch(self._tables)
            counts = np.zeros(self._cells.offsets[-1], np.int32)
            for seed in range(part.start, part.stop):
                given = self._tables, self._weights, self._masks[seed], self._hashes[seed]
                found.append(repeated(*given, int(self.rows[seed]), work))
                places = np.setdiff1d(np.arange(self.rows[seed], dtype=np.uint32), found[-1], assume_unique=True)
                held.append(np.zeros((len(places), len(self._tables.cards)), np.uint8))
                expand(*given, places, held[-1], work)
                if seed == part.stop - 1 or sum(map(len, held)) >= COUNTED_AT_ONCE:
                    by_axis = np.ascontiguousarray(np.concatenate(held).T)
                    count_cells(by_axis, self._tables.cards, *self._cells, counts, 1)
                    held.clear()
            return found, counts

        (first, counts), (second, more) = in_two_threads(count, len(self._masks))
        return first + second, counts + more

    def keep(self, hosts: Ints, codes: U8Codes, own: bool) -> Ints:
        """Add rows; returns where on their seeds' sequences they lie."""
        order = np.argsort(hosts, kind="stable")
        hosts, codes = hosts[order], codes[order]
        places = np.zeros(len(hosts), np.int64)
        place_rows(self._tables, self._weights, self._masks, self._hashes, hosts, codes, places, self._work)
        self.hosts, self.codes = np.concatenate([self.hosts, hosts]), np.concatenate([self.codes, codes])
        self.places = np.concatenate([self.places, places])
        self.is_own = np.concatenate([self.is_own, np.full(len(hosts), own)])
        return places

    def join(self, hosts: Ints, codes: U8Codes, own: bool) -> None:
        """Add rows among the first ``rows`` of their seeds; to each that was not, another gives way."""
        before = len(self.hosts)
        places = self.keep(hosts, codes, own)
        hosts, codes = self.hosts[before:], self.codes[before:]
        for host, first, count in zip(*np.unique(hosts, return_index=True, return_counts=True), strict=True):
            mine = slice(first, first + count)
            reached = (places[mine] >= 0) & (places[mine] < self.rows[host])
            new = codes[mine][~reached | np.isin(places[mine], self._late[host])]
            self._late[host] = np.setdiff1d(self._late[host], places[mine])
            self._early[host] = np.union1d(self._early[host], places[mine][reached])
            count_cells(np.ascontiguousarray(new.T), self._tables.cards, *self._cells, self.counts, 1)
            np.add.at(self._excess, (np.arange(new.shape[1]), new), 1)
            passed = np.zeros(self.rows[host], np.bool_)
            staying = np.concatenate([self._repeats[host], self._early[host]])
            passed[staying] = passed[self._late[host]] = True
            # Rows for all are half of a seed's at most, its own pairs a third, repeats a sixteenth.
            assert np.count_nonzero(~passed) >= len(new)
            give_way(
                self._tables, self._weights, self._masks[host], self._hashes[host], passed, len(new),
                *self._sparsest_first, self.counts, self._excess, self._levels, self._work,
            )  # fmt: skip
            passed[staying] = False
            self._late[host] = np.nonzero(passed)[0]
            self._held[host] = self.own_from + 1 if self.caps[host] >= self.own_from else 0

    def _counts(self) -> tuple[Ints, Ints]:
        """How many rows each seed has for all, and for its own pairs."""
        seeds = len(self._masks)
        for_all = np.bincount(self.hosts[~self.is_own], minlength=seeds)
        return for_all, np.bincount(self.hosts[self.is_own], minlength=seeds)

    def _first_own(self) -> Ints:
        """How many rows of each seed come before those for its own pairs."""
        for_all, own = self._counts()
        return np.where(self.small, self.own_from, np.minimum(self.own_from, self.rows - for_all)) - own

    def missed_own(self, seeds: Bools) -> tuple[Ints, U8Codes]:
        """Rows for what ``seeds`` would miss with ``own_from`` rows, whether what gave way is back by then or not.

        A row that joins takes the place of the sequence's last, so a seed is looked at until none does.
        """
        reached = self._first_own()  # of its sequence, with as many late as there are rows for all
        due = seeds & (reached < self._held)
        self._held = np.where(due, reached, self._held)
        lengths = np.where(due, reached, 0)
        pairs = own_pairs(self._tables, self._weights, self._masks, due)
        late, starts = np.concatenate(self._late), np.cumsum([0, *map(len, self._late)])
        in_two_threads(
            lambda part: strike_own_pairs(
                self._tables, self._weights, self._masks[part], self._hashes[part], lengths[part],
                late, starts[part.start : part.stop + 1], pairs[part], new_scratch(self._tables),
            ),
            len(due),
        )  # fmt: skip
        self._use_rows_for_all(pairs)
        found = [(np.zeros(0, np.int64), self.codes[:0])]
        for seed in np.nonzero(pairs.any(axis=(1, 2)))[0]:
            own_domains, own_families = np.nonzero(pairs[seed])
            codes = np.zeros((len(own_domains), self.codes.shape[1]), np.uint8)
            cover_own(self._tables, self._weights, self._masks[seed], own_domains, own_families, codes, self._work)
            found.append((np.full(len(codes), seed), codes))
        hosts, codes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return hosts, codes

    def _use_rows_for_all(self, pairs: Bools) -> None:
        """Strike from ``pairs`` what a coverage row holds; of a seed where rows for all come later, one comes early."""
        cells = self.hosts, self._tables.domain_of[self.codes[:, 0]], self._tables.family_of[self.codes[:, 2]]
        in_time = self.is_own | self.small[self.hosts]
        pairs[tuple(cell[in_time] for cell in cells)] = False
        late = np.nonzero(pairs[cells])[0]
        _, first = np.unique(np.ravel_multi_index(tuple(cell[late] for cell in cells), pairs.shape), return_index=True)
        self.is_own[late[first]] = True
        pairs[cells] = False

    def frozen(self) -> FrozenRows:
        """The rows seed by seed, with their places on the sequence or, where it passes them by, slots of their seed;
        and those that gave way."""
        for_all, _ = self._counts()
        order = np.lexsort((self.is_own, self.hosts))
        hosts, codes, is_own, places = self.hosts[order], self.codes[order], self.is_own[order], self.places[order]
        nth = np.arange(len(hosts)) - np.searchsorted(hosts * 2 + is_own, hosts * 2 + is_own)
        joins = np.where(is_own, self._first_own()[hosts], self.rows[hosts] - for_all[hosts]) + nth
        order = np.lexsort((joins, hosts))
        hosts, codes, joins, places = hosts[order], codes[order], joins[order], places[order]
        is_off = places < 0
        # Rows off the sequence up to this one, and those of the seeds before its own.
        off: npt.NDArray[np.int64] = np.cumsum(is_off)
        first = np.searchsorted(hosts, hosts)
        places = np.where(is_off, SEQUENCE_END + off - 1 - (off[first] - is_off[first]), places)

        late_hosts, late, late_joins = self._late_rows()
        hosts, places = np.concatenate([hosts, late_hosts]), np.concatenate([places, late])
        joins = np.concatenate([joins, np.minimum(late_joins, np.iinfo(np.uint32).max)])
        order = np.lexsort((joins, hosts))
        seeds, variants, joined = (column[order].astype(np.uint32) for column in (hosts, places, joins))
        return FrozenRows(seeds, variants, joined, codes[is_off])

    def _late_rows(self) -> tuple[Ints, Ints, Ints]:
        """Seeds and places of the rows that gave way, and after how many rows of their seed they join it.

        The row at place k comes after ``rows`` + 15·k, so evenly up to 16 times base_rows N.  C coverage rows of a
        bias b (total variation) are balanced at N; of n rows, (n − N)/15N of those that gave way are back, which
        leaves C·b/15N·(1 − N/n) unbalanced, at most C·b/16N.

        Sooner where a seed's cap is near: of its first 2^b ≥ cap points and of its coverage rows past these, all
        personas have to be among cap rows but as many as there are of the latter.
        """
        hosts = np.repeat(np.arange(len(self._late)), [len(late) for late in self._late])
        late = np.concatenate(self._late)
        # A small seed's own row may be late as well.
        kept = ~np.isin((hosts << 32) + late, (self.hosts << 32) + self.places)
        hosts, late = hosts[kept], late[kept]
        nth = np.arange(len(hosts)) - np.searchsorted(hosts, hosts)
        points = 2 ** np.ceil(np.log2(self.caps)).astype(np.int64)
        is_past = (self.places < 0) | (self.places >= points[self.hosts])
        past = np.bincount(self.hosts[is_past], minlength=len(self._late))
        own = np.where(self.small, self._counts()[1], 0)  # these take a block of places that are not to be counted
        latest = self.caps - own + past - np.bincount(hosts, minlength=len(self._late))
        joins = np.minimum(self.rows[hosts] + (LATE_UNTIL - 1) * late, latest[hosts] + nth)
        joins = np.maximum(joins, self.rows[hosts] + nth)
        return hosts, late, joins + np.where(joins >= self._first_own()[hosts], own[hosts], 0)


def repeated(
    tables: Tables, weights: Weights, mask: Masks, seed_hash: np.uint64, length: int, work: Scratch
) -> npt.NDArray[np.uint32]:
    """Rows k < ``length`` of a seed's sequence whose persona an earlier row has, ascending."""
    room = 1024 + length // 64
    while True:
        found = np.zeros(room, np.uint32)
        count = int(repeats(tables, weights, mask, seed_hash, length, found, work))
        if count <= room:
            return np.sort(found[:count])
        room = count


def _level_counts(tables: Tables, cells: Cells, counts: Counts) -> npt.NDArray[np.float64]:
    """How many rows have each level, (axes, levels), from how many are in each cell of pairs."""
    levels = np.zeros((len(tables.cards), int(tables.cards.max())))
    for axis, card in enumerate(tables.cards):
        group = next(number for number, pair in enumerate(cells.axes) if axis in pair)
        one, other, _ = cells.axes[group]
        both = counts[cells.offsets[group] : cells.offsets[group + 1]].reshape(tables.cards[one], tables.cards[other])
        levels[axis, :card] = both.sum(axis=1 if axis == one else 0)
    return levels


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
