"""Weigh, decode and count personas of one seed: all compiled code, and in one file for a reason.

numba's cache knows a function by its own file alone: compiled code in another file would go on with the
functions of this one as they were when it was compiled.

The axes form a tree of factors (`axes.TREE`) whose root is the merged node scenario × user_state × tone:

    weight(x) = Π level weights · A(s,u) · A(s,t) · A(u,t) · A(domain s, u, family t) · Π A(parent, leaf)

A zero is an excluded combination; a lock is a zero of the seed.  `weigh` passes messages from the leaves to the root
(sum-product, Pearl 1988; Koller & Friedman 2009, ch. 10) in unsigned 64-bit integers.  Sums are scaled down by powers
of two to stay in range, and a feasible value is never scaled below 1, so that a weight is zero exactly where no
persona exists.  Every later question (which row, how likely, is it possible at all) reads the same weights through
`conditional`, so nothing is answered by a second set of tables.

`decode` unranks a point t of [0, 2^64): at each axis, with total T < 2^32 and t·T = pos·2^64 + frac, the level whose
slice of the cumulative weight holds pos is taken, and t is stretched over that slice:
t' = floor(((pos − acc)·2^64 + frac) / w).  Point k of a seed is bit-reverse(k) + hash(seed): the van der Corput
sequence in base 2, shifted (a digital net: the first 2^m points are 2^−m apart).  So row k never depends on how many
rows are asked for, and the first 2^m rows of a seed differ while no persona is likelier than 2^−m; beyond, `repeats`
finds the few that fall on an earlier one's persona, to be left out.  Codes grow with t in lexicographic order, which
`interval` uses to find where on the sequence a given row lies.

Sizes, with up to 255 levels an axis: level weights < 2^18, affinities ≤ 2^8, messages < 2^30, beliefs of scenario and
tone < 2^24, of state < 2^20, of leaves < 2^16; sums over tones < 2^56, over states < 2^60, over a leaf < 2^32.
"""

import sys
from types import ModuleType
from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from pipeline.rules import Masks, Tables

# With its array functions numba asks whether BLAS is there, and to that end imports all of scipy.linalg: 0.2 s of every
# cold start, for the sake of matrices that nothing here multiplies.  It is there; code that does will import it then.
BLAS = "scipy.linalg.cython_blas"
if BLAS not in sys.modules:
    sys.modules[BLAS] = ModuleType(BLAS)
    import numba.np.arraymath  # noqa: F401

    del sys.modules[BLAS]

U64 = np.uint64
U8Codes = npt.NDArray[np.uint8]
U64s = npt.NDArray[np.uint64]
Weights = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]

WEIGHT_ONE = 1 << 12
WEIGHT_MAX = WEIGHT_ONE * 64
WEIGHT_MIN = WEIGHT_ONE // 64
SEQUENCE_END = 1 << 31
COVERED, NO_HOST, NO_ROOM = 0, -1, -2
# Typed, so that numba compiles one `conditional` and not another for each literal.
SCENARIO, USER_STATE, TONE = np.int64(0), np.int64(1), np.int64(2)
ROOT_BITS = (24, 20, 24)
LEAF_BITS = 16

_jit = nb.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")


class Scratch(NamedTuple):
    """Working space of one thread; `weigh` fills it for one seed."""

    belief: U64s  # (axes, levels): level weight times the messages of its children
    message: U64s  # (axes, parent levels): what a leaf axis tells its parent, < 2^30
    given_state: U64s  # (scenarios, states): sum over tones, < 2^24
    scenario: U64s  # (scenarios,): the root's weights, sum < 2^32
    row: U64s  # (levels,): weights of the axis being decided
    domain_state_tone: npt.NDArray[np.uint32]  # affinities of state and tone and of domain, state and family, in one
    given: npt.NDArray[np.int64]  # (axes + 1,): where each axis's conditionals begin, counted in conditionals
    cells: npt.NDArray[np.int64]  # (axes,): where they begin in ``sums``
    sums: npt.NDArray[np.uint32]  # running sums of every conditional that this seed has needed so far
    summed: npt.NDArray[np.uint32]  # by conditional: the ``serial`` of the seed it was summed for
    serial: npt.NDArray[np.uint32]  # (1,): counts the seeds weighed


def new_scratch(tables: Tables) -> Scratch:
    width = int(tables.cards.max())
    axes, scenarios, states = len(tables.cards), int(tables.cards[0]), int(tables.cards[1])
    above = [1, scenarios, scenarios * states, *(int(tables.cards[parent]) for parent in tables.parents[3:])]
    sizes = np.array(above) * tables.cards
    return Scratch(
        np.zeros((axes, width), U64),
        np.zeros((axes, width), U64),
        np.zeros((scenarios, states), U64),
        np.zeros(scenarios, U64),
        np.zeros(width, U64),
        tables.domain_state_family[:, :, tables.family_of].astype(np.uint32) * tables.state_tone,
        np.concatenate([[0], np.cumsum(above)]),
        np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        np.zeros(sizes.sum(), np.uint32),
        np.zeros(sum(above), np.uint32),
        np.zeros(1, np.uint32),
    )


@_jit
def _shifted(value: np.uint64, shift: np.uint64) -> np.uint64:
    """``value`` scaled down by 2^shift; feasible stays feasible."""
    scaled = value >> shift
    return scaled if scaled > U64(0) or value == U64(0) else U64(1)


@_jit
def _shift_below(largest: np.uint64, bits: int) -> np.uint64:
    shift = U64(0)
    while (largest >> shift) >= (U64(1) << U64(bits)):
        shift += U64(1)
    return shift


@_jit
def weigh(tables: Tables, weights: npt.NDArray[np.uint32], mask: Masks, work: Scratch) -> bool:
    """Pass messages up the tree for one seed; False where its locks and the rules leave no persona."""
    axes = len(tables.cards)
    work.serial[0] += np.uint32(1)
    for axis in range(axes - 1, -1, -1):
        card = tables.cards[axis]
        largest = U64(0)
        for level in range(card):
            value = U64(weights[axis, level]) << U64(12) if mask[axis, level] else U64(0)
            for child in range(max(axis + 1, 3), axes):
                if tables.parents[child] == axis and value > U64(0):
                    told = work.message[child, level]
                    value = U64(0) if told == U64(0) else max((value * told) >> U64(30), U64(1))
            work.belief[axis, level] = value
            largest = max(largest, value)
        shift = _shift_below(largest, ROOT_BITS[axis] if axis < len(ROOT_BITS) else LEAF_BITS)
        for level in range(card):
            work.belief[axis, level] = _shifted(work.belief[axis, level], shift)
        if axis >= 3:
            _tell_parent(tables, axis, work)
    return _weigh_root(tables, work)


@_jit
def _tell_parent(tables: Tables, axis: int, work: Scratch) -> None:
    largest = U64(0)
    for above in range(tables.cards[tables.parents[axis]]):
        total = U64(0)
        for level in range(tables.cards[axis]):
            total += U64(tables.edges[axis, above, level]) * work.belief[axis, level]
        work.message[axis, above] = total
        largest = max(largest, total)
    down = _shift_below(largest, 30)
    up = U64(0)
    while largest > U64(0) and (largest << up) < (U64(1) << U64(29)):
        up += U64(1)
    for above in range(tables.cards[tables.parents[axis]]):
        work.message[axis, above] = _shifted(work.message[axis, above] << up, down)


@_jit
def _weigh_root(tables: Tables, work: Scratch) -> bool:
    scenarios, states = tables.cards[0], tables.cards[1]
    largest = U64(0)
    for s in range(scenarios):
        for u in range(states):
            total = U64(0)
            if work.belief[0, s] > U64(0) and work.belief[1, u] > U64(0) and tables.scenario_state[s, u] > 0:
                total = _tones(tables, s, u, work)
            work.given_state[s, u] = total
            largest = max(largest, total)
    shift = _shift_below(largest, 24)
    largest = U64(0)
    for s in range(scenarios):
        total = U64(0)
        for u in range(states):
            work.given_state[s, u] = _shifted(work.given_state[s, u], shift)
            total += work.belief[1, u] * U64(tables.scenario_state[s, u]) * work.given_state[s, u]
        work.scenario[s] = total
        largest = max(largest, total)
    # 30 bits of the sum over states times a 24-bit belief stay below 2^54.
    shift = _shift_below(largest, 30)
    largest = U64(0)
    for s in range(scenarios):
        work.scenario[s] = _shifted(work.scenario[s], shift) * work.belief[0, s]
        largest = max(largest, work.scenario[s])
    shift = _shift_below(largest, 24)
    for s in range(scenarios):
        work.scenario[s] = _shifted(work.scenario[s], shift)
    return bool(largest > U64(0))


@_jit
def _tones(tables: Tables, s: int, u: int, work: Scratch) -> np.uint64:
    """Weights of the tones given scenario and state, into ``work.row``; their sum, < 2^56."""
    total = U64(0)
    belief, row = work.belief[2], work.row
    of_scenario, of_state = tables.scenario_tone[s], work.domain_state_tone[tables.domain_of[s], u]
    for t in range(tables.cards[2]):
        weight = belief[t] * U64(of_scenario[t]) * U64(of_state[t])
        row[t] = weight
        total += weight
    return total


@_jit
def conditional(tables: Tables, axis: int | np.int64, codes: U8Codes, work: Scratch) -> np.uint64:
    """Weights of ``axis`` given the codes before it, into ``work.row``; their total, below 2^32."""
    card = tables.cards[axis]
    total = U64(0)
    if axis == 0:
        for level in range(card):
            work.row[level] = work.scenario[level]
        return _scaled_total(card, U64(0), work)
    if axis == 1:
        s = codes[0]
        for level in range(card):
            weight = work.belief[1, level] * U64(tables.scenario_state[s, level]) * work.given_state[s, level]
            work.row[level] = weight
            total += weight
    elif axis == 2:
        total = _tones(tables, codes[0], codes[1], work)
    else:
        above = codes[tables.parents[axis]]
        for level in range(card):
            work.row[level] = U64(tables.edges[axis, above, level]) * work.belief[axis, level]
        return _scaled_total(card, U64(0), work)
    # Raising up to 255 levels to 1 adds less than 2^8 to a sum below 2^31.
    return _scaled_total(card, _shift_below(total, 31), work)


@_jit
def _scaled_total(card: int, shift: np.uint64, work: Scratch) -> np.uint64:
    total = U64(0)
    for level in range(card):
        work.row[level] = _shifted(work.row[level], shift)
        total += work.row[level]
    return total


@_jit
def _stretched(t: np.uint64, weight: np.uint64, more: np.uint64, before: np.uint64) -> tuple[np.uint64, np.uint64]:
    """before · 2^64 + t · weight + more, as high · 2^64 + rest; weight, more and before below 2^32."""
    low, half = U64(0xFFFFFFFF), U64(32)
    product = (t & low) * weight + more
    middle = (t >> half) * weight + (product >> half)
    return before + (middle >> half), (middle << half) | (product & low)


@_jit
def _divided(high: np.uint64, rest: np.uint64, divisor: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Quotient and remainder of high · 2^64 + rest, by two 32-bit digits of long division; high < divisor < 2^32."""
    low, half = U64(0xFFFFFFFF), U64(32)
    digits = (high << half) | (rest >> half)
    quotient = digits // divisor
    digits = ((digits - quotient * divisor) << half) | (rest & low)
    return (quotient << half) + digits // divisor, digits % divisor


@_jit
def _running_sums(tables: Tables, axis: int | np.int64, codes: U8Codes, work: Scratch) -> np.int64:
    """Where in ``work.sums`` the running sums of ``conditional`` begin; a seed sums each conditional once."""
    if axis == 0:
        above = np.int64(0)
    elif axis == 1:
        above = np.int64(codes[0])
    elif axis == 2:
        above = codes[0] * tables.cards[1] + codes[1]
    else:
        above = np.int64(codes[tables.parents[axis]])
    first = work.cells[axis] + above * tables.cards[axis]
    if work.summed[work.given[axis] + above] != work.serial[0]:
        work.summed[work.given[axis] + above] = work.serial[0]
        conditional(tables, axis, codes, work)
        total = U64(0)
        for level in range(tables.cards[axis]):
            total += work.row[level]
            work.sums[first + level] = total
    return np.int64(first)


@_jit
def _slice(first: np.int64, level: np.int64, work: Scratch) -> tuple[np.uint64, np.uint64]:
    """Running sum before a level, and the level's own weight."""
    before = U64(work.sums[first + level - 1]) if level > 0 else U64(0)
    return before, U64(work.sums[first + level]) - before


@_jit
def decode(tables: Tables, t: np.uint64, codes: U8Codes, work: Scratch) -> None:
    """The persona at point ``t``, written to ``codes``; ``work`` must have been weighed for the seed.

    Where ``codes`` is shorter than the axes, only the first of them are decided.
    """
    # Sums that stand are found without `_running_sums`, whose call counts references to every array of ``work``: with
    # it a row takes four times as long.
    cards, parents = tables.cards, tables.parents
    given, cells, sums, summed, serial = work.given, work.cells, work.sums, work.summed, work.serial[0]
    left = U64(t)
    for axis in range(len(codes)):
        if axis == 0:
            above = np.int64(0)
        elif axis == 1:
            above = np.int64(codes[0])
        elif axis == 2:
            above = codes[0] * cards[1] + codes[1]
        else:
            above = np.int64(codes[parents[axis]])
        first = cells[axis] + above * cards[axis]
        if summed[given[axis] + above] != serial:
            _running_sums(tables, axis, codes, work)
        last = first + cards[axis] - 1
        total = U64(sums[last])
        pos, frac = _stretched(left, total, U64(0), U64(0))
        below, level = first, last  # the level is the first whose running sum is above pos
        while below < level:
            middle = (below + level) >> 1
            if U64(sums[middle]) > pos:
                level = middle
            else:
                below = middle + 1
        before = U64(sums[level - 1]) if level > first else U64(0)
        weight = U64(sums[level]) - before
        left, _ = _divided(pos - before, frac, weight)
        codes[axis] = level - first


@_jit
def mix(x: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele, Lea & Flood 2014): a bijection that spreads every bit."""
    y = U64(x)
    y ^= y >> U64(30)
    y *= U64(0xBF58476D1CE4E5B9)
    y ^= y >> U64(27)
    y *= U64(0x94D049BB133111EB)
    y ^= y >> U64(31)
    return y


@_jit
def bit_reverse(k: np.uint64) -> np.uint64:
    y = U64(k)
    y = ((y >> U64(1)) & U64(0x5555555555555555)) | ((y & U64(0x5555555555555555)) << U64(1))
    y = ((y >> U64(2)) & U64(0x3333333333333333)) | ((y & U64(0x3333333333333333)) << U64(2))
    y = ((y >> U64(4)) & U64(0x0F0F0F0F0F0F0F0F)) | ((y & U64(0x0F0F0F0F0F0F0F0F)) << U64(4))
    y = ((y >> U64(8)) & U64(0x00FF00FF00FF00FF)) | ((y & U64(0x00FF00FF00FF00FF)) << U64(8))
    y = ((y >> U64(16)) & U64(0x0000FFFF0000FFFF)) | ((y & U64(0x0000FFFF0000FFFF)) << U64(16))
    return (y >> U64(32)) | (y << U64(32))


@_jit
def point(seed_hash: np.uint64, k: np.uint64) -> np.uint64:
    return bit_reverse(U64(k)) + U64(seed_hash)


@_jit
def expand(
    tables: Tables,
    weights: npt.NDArray[np.uint32],
    mask: Masks,
    seed_hash: np.uint64,
    places: npt.NDArray[np.uint32],
    codes: U8Codes,
    work: Scratch,
) -> None:
    """Rows of one seed's sequence at ``places`` into ``codes``, (rows, axes), of which there may be fewer than all."""
    weigh(tables, weights, mask, work)
    for row in range(len(places)):
        decode(tables, point(seed_hash, U64(places[row])), codes[row], work)


@_jit
def mean_logs(tables: Tables, logs: npt.NDArray[np.int64], codes: U8Codes, means: npt.NDArray[np.int64]) -> None:
    """Floor of the mean, over the affinities that meet in each row, of ``logs[affinity]``."""
    axes = codes.shape[1]
    scenario_state, scenario_tone, state_tone = tables.scenario_state, tables.scenario_tone, tables.state_tone
    triple, edges, parents = tables.domain_state_family, tables.edges, tables.parents
    domain_of, family_of = tables.domain_of, tables.family_of
    for row in range(len(codes)):
        s, u, t = codes[row, 0], codes[row, 1], codes[row, 2]
        total = logs[scenario_state[s, u]] + logs[scenario_tone[s, t]] + logs[state_tone[u, t]]
        total += logs[triple[domain_of[s], u, family_of[t]]]
        for axis in range(3, axes):
            total += logs[edges[axis, codes[row, parents[axis]], codes[row, axis]]]
        means[row] = total // (axes + 1)


@_jit
def interval(tables: Tables, codes: U8Codes, work: Scratch) -> tuple[np.uint64, np.uint64]:
    """First and last point t that decode to ``codes``; first > last where the row has no point.

    Backwards through `decode`: at the last axis every t' will do, and t' is in [a, b] at an axis where t · T is in
    [acc · 2^64 + a · w, acc · 2^64 + (b + 1) · w − 1].
    """
    one = U64(1)
    first, last = U64(0), U64(0xFFFFFFFFFFFFFFFF)
    for axis in range(len(tables.cards) - 1, -1, -1):
        sums = _running_sums(tables, axis, codes, work)
        total = U64(work.sums[sums + tables.cards[axis] - 1])
        before, weight = _slice(sums, np.int64(codes[axis]), work)
        if weight == U64(0):
            return one, U64(0)
        high, rest = _stretched(first, weight, U64(0), before)
        found_first, left = _divided(high, rest, total)
        if left > U64(0):
            if found_first == U64(0xFFFFFFFFFFFFFFFF):
                return one, U64(0)
            found_first += one
        high, rest = _stretched(last, weight, weight - one, before)
        last, left = _divided(high, rest, total)
        first = found_first
        if first > last:
            return one, U64(0)
    return first, last


@_jit
def position(tables: Tables, codes: U8Codes, seed_hash: np.uint64, work: Scratch) -> np.int64:
    """The smallest k < 2^31 whose point decodes to ``codes``; -1 where the sequence passes the row by.

    The row holds an interval of points.  Point k is bit-reverse(k) + hash, so k < 2^m are the multiples of 2^(64−m),
    of which 0 is 2^64 too: the smallest m with a multiple inside has exactly one (two would have a multiple of the next
    power between them, and all around the circle there is 0).
    """
    first, last = interval(tables, codes, work)
    if first > last:
        return np.int64(-1)
    start, length = first - seed_hash, last - first
    if U64(0) - start <= length:
        return np.int64(0)
    for m in range(1, 32):
        below = (U64(1) << U64(64 - m)) - U64(1)
        multiple = (start + below) & ~below
        if multiple - start <= length:
            return np.int64(bit_reverse(multiple))
    return np.int64(-1)


@_jit
def _hanging(tables: Tables, work: Scratch) -> tuple[Floats, Floats, Floats]:
    """Of what the axes from the leaves up leave open, (axes, levels) each: the greatest probability of a leaf axis and
    all below it, given a level of its parent; of all that hangs from a level; and the sum of the cubes of those.
    """
    axes = len(tables.cards)
    codes, shape = np.zeros(axes, np.uint8), work.belief.shape
    top, below, cubes = np.zeros(shape), np.ones(shape), np.ones(shape)
    for axis in range(axes - 1, 2, -1):
        parent = tables.parents[axis]
        for above in range(tables.cards[parent]):
            cubed = 0.0
            if work.belief[parent, above] > U64(0):
                codes[parent] = above
                first = _running_sums(tables, axis, codes, work)
                total = np.float64(work.sums[first + tables.cards[axis] - 1])
                for level in range(tables.cards[axis]):
                    _, weight = _slice(first, np.int64(level), work)
                    if weight > U64(0):
                        p = np.float64(weight) / total
                        top[axis, above] = max(top[axis, above], p * below[axis, level])
                        cubed += p * p * p * cubes[axis, level]
            below[parent, above] *= top[axis, above]
            cubes[parent, above] *= cubed
    return top, below, cubes


@_jit
def repeats(
    tables: Tables,
    weights: Weights,
    mask: Masks,
    seed_hash: np.uint64,
    length: int,
    found: npt.NDArray[np.uint32],
    work: Scratch,
) -> int:
    """Rows k < ``length`` of a seed's sequence whose persona an earlier row has, in no order, into ``found``; how many
    there are, which may be more than it has room for.

    Points k < 2^m are 2^(64−m) apart, so only a persona likelier than 2^−m holds two of them.  Those are found by
    going down the axes and turning back where even the likeliest rest falls below it (branch and bound, Land & Doig
    1960); 10^−8 is more than decode's truncation, 16 · 2^−64, is of 2^−31.
    """
    if not weigh(tables, weights, mask, work):
        return 0
    m = 0
    while (1 << m) < length:
        m += 1
    if m == 0:
        return 0
    least, axes = 2.0**-m * (1 - 1e-8), len(tables.cards)
    top, below, _ = _hanging(tables, work)
    bounds, codes, levels, firsts = np.ones(axes), np.zeros(axes, np.uint8), np.full(axes, -1), np.zeros(axes, np.int64)
    firsts[0] = _running_sums(tables, 0, codes, work)
    axis = count = 0
    while axis >= 0:
        levels[axis] += 1
        if levels[axis] == tables.cards[axis]:
            axis -= 1
            continue
        _, weight = _slice(firsts[axis], levels[axis], work)
        if weight == U64(0):
            continue
        bound = bounds[axis] * np.float64(weight) / np.float64(work.sums[firsts[axis] + tables.cards[axis] - 1])
        bound *= below[axis, levels[axis]]
        if axis >= 3:
            bound /= top[axis, codes[tables.parents[axis]]]
        if bound < least:
            continue
        codes[axis] = levels[axis]
        if axis == axes - 1:
            count = _add_repeats(tables, codes, seed_hash, m, length, found, count, work)
        else:
            axis += 1
            bounds[axis], levels[axis], firsts[axis] = bound, -1, _running_sums(tables, axis, codes, work)
    return count


@_jit
def _add_repeats(
    tables: Tables,
    codes: U8Codes,
    seed_hash: np.uint64,
    m: int,
    length: int,
    found: npt.NDArray[np.uint32],
    count: int,
    work: Scratch,
) -> int:
    """Add to ``found`` all rows below ``length`` ≤ 2^m that are this persona, without the first."""
    first, last = interval(tables, codes, work)
    if first > last:
        return count
    step = U64(1) << U64(64 - m)
    point_ = (first - seed_hash + step - U64(1)) & ~(step - U64(1))
    earliest = U64(SEQUENCE_END)
    for _ in range(1 << m):
        if point_ - (first - seed_hash) > last - first:
            break
        k = bit_reverse(point_)
        if k < U64(length):
            if earliest < U64(SEQUENCE_END):
                if count < len(found):
                    found[count] = max(k, earliest)
                count += 1
            earliest = min(k, earliest)
        point_ += step
    return count


# Loops, not array expressions, below: numba compiles the messages of their broadcasting errors for three seconds each.


@_jit
def add_marginals(tables: Tables, share: float, sums: npt.NDArray[np.float64], work: Scratch) -> None:
    """Add ``share`` times the seed's exact probabilities of every level to ``sums`` (axes, levels)."""
    axes = len(tables.cards)
    codes = np.zeros(axes, np.uint8)
    own = np.zeros(sums.shape)
    states = np.zeros(tables.cards[1])
    total = np.float64(conditional(tables, SCENARIO, codes, work))
    for s in range(tables.cards[0]):
        if work.scenario[s] == U64(0):
            continue
        own[0, s] = share * np.float64(work.scenario[s]) / total
        codes[0] = s
        total_states = np.float64(conditional(tables, USER_STATE, codes, work))
        for u in range(tables.cards[1]):
            states[u] = own[0, s] * np.float64(work.row[u]) / total_states
        for u in range(tables.cards[1]):
            if states[u] == 0.0:
                continue
            own[1, u] += states[u]
            codes[1] = u
            each = states[u] / np.float64(conditional(tables, TONE, codes, work))
            for t in range(tables.cards[2]):
                own[2, t] += each * np.float64(work.row[t])
    for axis in range(3, axes):
        parent = tables.parents[axis]
        for above in range(tables.cards[parent]):
            if own[parent, above] == 0.0:
                continue
            codes[parent] = above
            each = own[parent, above] / np.float64(conditional(tables, axis, codes, work))
            for level in range(tables.cards[axis]):
                own[axis, level] += each * np.float64(work.row[level])
    for axis in range(axes):
        for level in range(tables.cards[axis]):
            sums[axis, level] += own[axis, level]


@_jit
def concentration(tables: Tables, work: Scratch) -> tuple[float, float]:
    """Of a seed's personas: the greatest probability, and the sum of the cubes of all."""
    codes, states = np.zeros(len(tables.cards), np.uint8), np.zeros(tables.cards[1])
    _, below, cubes = _hanging(tables, work)
    greatest = cubed = 0.0
    total = np.float64(conditional(tables, SCENARIO, codes, work))
    for s in range(tables.cards[0]):
        if work.scenario[s] == U64(0):
            continue
        codes[0] = s
        scenario = np.float64(work.scenario[s]) / total
        total_states = np.float64(conditional(tables, USER_STATE, codes, work))
        for u in range(tables.cards[1]):
            states[u] = scenario * np.float64(work.row[u]) / total_states
        for u in range(tables.cards[1]):
            if states[u] == 0.0:
                continue
            codes[1] = u
            each = states[u] / np.float64(conditional(tables, TONE, codes, work))
            hanging, hanging_cubes = below[0, s] * below[1, u], cubes[0, s] * cubes[1, u]
            for t in range(tables.cards[2]):
                p = each * np.float64(work.row[t])
                greatest = max(greatest, p * hanging * below[2, t])
                cubed += p * p * p * hanging_cubes * cubes[2, t]
    return greatest, cubed


@_jit
def add_all_marginals(
    tables: Tables, weights: Weights, masks: Masks, shares: Floats, into: Places, sums: Floats, work: Scratch
) -> None:
    """Add each seed's marginals, times its share, to ``sums[into[seed]]``, (…, axes, levels)."""
    for seed in range(len(masks)):
        if weigh(tables, weights, masks[seed], work):
            add_marginals(tables, shares[seed], sums[into[seed]], work)


@_jit
def concentrations(tables: Tables, weights: Weights, masks: Masks, work: Scratch, found: Floats) -> None:
    """`concentration` of each seed into ``found``, (seeds, 2)."""
    for seed in range(len(masks)):
        if weigh(tables, weights, masks[seed], work):
            found[seed, 0], found[seed, 1] = concentration(tables, work)


@_jit
def count_cells(by_axis: U8Codes, cards: Places, axes: Places, offsets: Places, counts: Counts, sign: int) -> None:
    """Add ``sign`` to the count of every cell that each row of ``by_axis`` (axes, rows) is in.

    Group by group and along an axis, since the cells of one group stay in a core's cache, and those of all triples do
    not: 1 ns a cell, against 20 row by row.
    """
    for group in range(len(axes)):
        one, other, third, first = axes[group, 0], axes[group, 1], axes[group, 2], offsets[group]
        for row in range(by_axis.shape[1]):
            cell = by_axis[one, row] * cards[other] + by_axis[other, row]
            if third >= 0:
                cell = cell * cards[third] + by_axis[third, row]
            counts[first + cell] += sign


@_jit
def _cell(codes: U8Codes, cards: Places, axes: Places, offsets: Places, group: int) -> np.int64:
    """Which of the cells, laid end to end, a row (axes,) is in of a group of two or three axes."""
    cell = codes[axes[group, 0]] * cards[axes[group, 1]] + codes[axes[group, 1]]
    if axes[group, 2] >= 0:
        cell = cell * cards[axes[group, 2]] + codes[axes[group, 2]]
    return np.int64(offsets[group] + cell)


@_jit
def _count_row(codes: U8Codes, cards: Places, axes: Places, offsets: Places, counts: Counts, sign: int) -> None:
    for group in range(len(axes)):
        counts[_cell(codes, cards, axes, offsets, group)] += sign


@_jit
def _covers_alone(codes: U8Codes, cards: Places, axes: Places, offsets: Places, counts: Counts) -> bool:
    found = False
    for group in range(len(axes)):
        if counts[_cell(codes, cards, axes, offsets, group)] <= 1:
            found = True
            break
    return found


@_jit
def give_way(
    tables: Tables,
    weights: Weights,
    mask: Masks,
    seed_hash: np.uint64,
    passed: Masks,
    wanted: int,
    axes: Places,
    offsets: Places,
    counts: Counts,
    excess: Places,
    levels: Floats,
    work: Scratch,
) -> None:
    """Mark in ``passed``, (rows,), ``wanted`` more of the first rows of a seed's sequence, and discount them.

    ``excess``, (axes, levels), is how many more rows each level has than it should, of ``levels``.  The row taken is
    one that leaves no cell empty, of these the one that lowers χ² = Σ excess²/levels most (steepest descent: the
    derivative of χ² by a row is twice the sum over its levels of excess/levels); where every row alone covers some
    cell, the one that lowers it most of all.
    """
    rows, cards = len(passed), tables.cards
    by_axis, codes = np.zeros((len(cards), rows), np.uint8), np.zeros(len(cards), np.uint8)
    alone = passed.copy()  # rows known to cover some cell alone: counts only fall here, so they go on doing so
    slopes, gains = np.zeros(excess.shape[1]), np.zeros(rows)
    weigh(tables, weights, mask, work)
    for k in range(rows):
        if not passed[k]:
            decode(tables, point(seed_hash, U64(k)), codes, work)
            by_axis[:, k] = codes
    for _ in range(wanted):
        gains[:] = 0.0
        for axis in range(len(cards)):
            for level in range(cards[axis]):
                slopes[level] = np.float64(excess[axis, level]) / max(1.0, levels[axis, level])
            for k in range(rows):
                gains[k] += slopes[by_axis[axis, k]]
        taken = _greatest(gains, alone)
        while taken >= 0:
            codes[:] = by_axis[:, taken]
            if not _covers_alone(codes, cards, axes, offsets, counts):
                break
            alone[taken] = True
            taken = _greatest(gains, alone)
        if taken < 0:
            taken = _greatest(gains, passed)
            codes[:] = by_axis[:, taken]
        passed[taken] = alone[taken] = True
        _count_row(codes, cards, axes, offsets, counts, -1)
        for axis in range(len(cards)):
            excess[axis, codes[axis]] -= 1


@_jit
def _greatest(gains: Floats, passed: Masks) -> int:
    """The first place of the greatest of ``gains`` that are not passed; −1 where all are."""
    found = -1
    for k in range(len(gains)):
        if not passed[k] and (found < 0 or gains[k] > gains[found]):
            found = k
    return found


@_jit
def possible(tables: Tables, weights: Weights, mask: Masks, clamp: Places, clamped: Masks, work: Scratch) -> bool:
    """Whether a persona has the levels ``clamp``, by axis, −1 for any: pass messages; they are zero only if not."""
    for axis in range(mask.shape[0]):
        if clamp[axis] >= 0 and not mask[axis, clamp[axis]]:
            return False
        for code in range(mask.shape[1]):
            clamped[axis, code] = mask[axis, code] and (clamp[axis] < 0 or code == clamp[axis])
    return weigh(tables, weights, clamped, work)


@_jit
def possible_cells(
    tables: Tables, weights: Weights, mask: Masks, axes: Places, offsets: Places, found: Masks, work: Scratch
) -> None:
    """Mark every cell in which ``mask`` leaves a persona.

    Pairs by clamping both levels; triples of a pair by which levels of later axes keep a probability then.
    """
    cards = tables.cards
    clamp = np.full(len(cards), -1, np.int64)
    clamped = np.empty_like(mask)
    reached = np.zeros(mask.shape)
    for group in range(len(axes)):
        one, other = axes[group, 0], axes[group, 1]
        if axes[group, 2] >= 0:
            continue
        for level in range(cards[one]):
            for level_other in range(cards[other]):
                clamp[one], clamp[other] = level, level_other
                if not possible(tables, weights, mask, clamp, clamped, work):
                    continue
                cell = level * cards[other] + level_other
                found[offsets[group] + cell] = True
                reached[:] = 0.0
                marked = False
                for triple in range(group + 1, len(axes)):
                    third = axes[triple, 2]
                    if third < 0 or axes[triple, 0] != one or axes[triple, 1] != other:
                        continue
                    if not marked:
                        add_marginals(tables, 1.0, reached, work)
                        marked = True
                    for code in range(cards[third]):
                        found[offsets[triple] + cell * cards[third] + code] = reached[third, code] > 0.0
        clamp[one] = clamp[other] = -1


@_jit
def find_host(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    reach: Masks,
    room: Places,
    clamp: Places,
    start: int | np.int64,
    clamped: Masks,
    work: Scratch,
) -> int | np.int64:
    """The first seed from ``start`` on with these levels and room for a row; NO_ROOM or NO_HOST where there is none."""
    found = NO_HOST
    for step in range(len(masks)):
        seed = (start + step) % len(masks)
        reached = True
        for axis in range(len(clamp)):
            reached = reached and (clamp[axis] < 0 or reach[seed, axis, clamp[axis]])
        if not reached or (found == NO_ROOM and room[seed] <= 0):
            continue  # once it is known to be feasible, only a seed with room is worth the proof
        if possible(tables, weights, masks[seed], clamp, clamped, work):
            if room[seed] > 0:
                return seed
            found = NO_ROOM
    return found


@_jit
def cover_cells(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    reach: Masks,
    room: Places,
    axes: Places,
    offsets: Places,
    missed: Places,
    counts: Counts,
    hosts: Places,
    codes: U8Codes,
    work: Scratch,
) -> tuple[int, Places]:
    """Find a row for each of the cells ``missed`` that no row before it covers.

    Returns how many there are, their seeds and levels left in ``hosts`` and ``codes``, and by cell COVERED, NO_ROOM or
    NO_HOST.
    """
    clamped = np.empty_like(masks[0])
    clamp = np.full(len(tables.cards), -1, np.int64)
    verdicts = np.full(len(missed), COVERED, np.int64)
    rows = 0
    for number in range(len(missed)):
        cell = missed[number]
        if counts[cell] > 0:
            continue
        group = np.searchsorted(offsets, cell, side="right") - 1
        rest = cell - offsets[group]
        for place in range(2, -1, -1):
            axis = axes[group, place]
            if axis >= 0:
                clamp[axis] = rest % tables.cards[axis]
                rest //= tables.cards[axis]
        start = np.int64(mix(U64(cell)) % U64(len(masks)))
        host = find_host(tables, weights, masks, reach, room, clamp, start, clamped, work)
        for place in range(3):
            if axes[group, place] >= 0:
                clamp[axes[group, place]] = -1
        if host < 0:
            verdicts[number] = host
            continue
        # `work` is still weighed for the host with the levels clamped: any point of it is a persona in the cell.
        decode(tables, mix(U64(cell + 1)), codes[rows], work)
        _count_row(codes[rows], tables.cards, axes, offsets, counts, 1)
        hosts[rows] = host
        room[host] -= 1
        rows += 1
    return rows, verdicts


@_jit
def place_rows(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    hashes: U64s,
    hosts: Places,
    codes: U8Codes,
    places: Places,
    work: Scratch,
) -> None:
    """Into ``places``: where on its seed's sequence each row lies, −1 for nowhere.  Rows come seed by seed."""
    for row in range(len(hosts)):
        if row == 0 or hosts[row] != hosts[row - 1]:
            weigh(tables, weights, masks[hosts[row]], work)
        places[row] = position(tables, codes[row], hashes[hosts[row]], work)


@_jit
def add_own_pairs(
    tables: Tables, weights: Weights, masks: Masks, wanted: npt.NDArray[np.bool_], pairs: Masks, work: Scratch
) -> None:
    """Mark in ``pairs``, (seeds, domains, tone families), what each seed of ``wanted`` can take together."""
    codes = np.zeros(3, np.uint8)
    states = np.zeros(tables.cards[1], np.uint64)
    for seed in range(len(masks)):
        if not wanted[seed] or not weigh(tables, weights, masks[seed], work):
            continue
        for s in range(tables.cards[0]):
            if work.scenario[s] == U64(0):
                continue
            codes[0] = s
            conditional(tables, USER_STATE, codes, work)
            for u in range(tables.cards[1]):
                states[u] = work.row[u]
            for u in range(tables.cards[1]):
                if states[u] > U64(0) and _tones(tables, s, u, work) > U64(0):
                    for t in range(tables.cards[2]):
                        if work.row[t] > U64(0):
                            pairs[seed, tables.domain_of[s], tables.family_of[t]] = True


@_jit
def strike_own_pairs(
    tables: Tables,
    weights: Weights,
    masks: Masks,
    hashes: U64s,
    lengths: Places,
    late: Places,
    starts: Places,
    pairs: Masks,
    work: Scratch,
) -> None:
    """Strike from ``pairs`` those that the first ``lengths`` rows of each seed's sequence have, without those that are
    ``late``: places in ascending order, of a seed from its ``starts`` to the next's."""
    codes = np.zeros(3, np.uint8)
    for seed in range(len(masks)):
        left, next_late = np.count_nonzero(pairs[seed]), starts[seed]
        if left > 0 and lengths[seed] > 0:
            weigh(tables, weights, masks[seed], work)
        for k in range(lengths[seed]):
            if left == 0:
                break
            if next_late < starts[seed + 1] and late[next_late] == k:
                next_late += 1
                continue
            decode(tables, point(hashes[seed], U64(k)), codes, work)
            domain, family = tables.domain_of[codes[0]], tables.family_of[codes[2]]
            left -= np.int64(pairs[seed, domain, family])
            pairs[seed, domain, family] = False


@_jit
def cover_own(
    tables: Tables, weights: Weights, mask: Masks, domains: Places, families: Places, codes: U8Codes, work: Scratch
) -> None:
    """Into ``codes``, (rows, axes): a persona of the seed for each domain and tone family, which it must be able to
    take together."""
    narrowed = np.empty_like(mask)
    for row in range(len(domains)):
        for axis in range(mask.shape[0]):
            for level in range(mask.shape[1]):
                open_ = mask[axis, level]
                if axis == 0 and level < tables.cards[0]:
                    open_ = open_ and tables.domain_of[level] == domains[row]
                elif axis == 2 and level < tables.cards[2]:
                    open_ = open_ and tables.family_of[level] == families[row]
                narrowed[axis, level] = open_
        weigh(tables, weights, narrowed, work)
        decode(tables, mix(U64(row + 1)), codes[row], work)
