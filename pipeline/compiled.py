"""The kernel, compiled before it is needed, by two processes side by side; `python -m pipeline.compiled` does it.

numba compiles on first use, one function after the other: about 20 seconds of one core for the whole kernel.  The two
sides share little, so that two cores need little more than half of it.
"""

import hashlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np

from pipeline import kernel
from pipeline.axes import TREE
from pipeline.coverage import all_cells
from pipeline.fit import concentrated, fit, neutral_weights, reachable
from pipeline.rules import Tables
from pipeline.workers import worker_pool


def compile_kernel() -> None:
    """Compile each side in a process of its own, and note that it is done."""
    with worker_pool(len(SIDES)) as pool, ThreadPoolExecutor(len(SIDES)) as threads:
        list(threads.map(pool.run, SIDES))
    mark_compiled()


def is_compiled() -> bool:
    """Whether all of this kernel has been compiled here before, as `mark_compiled` notes beside numba's cache."""
    return _mark().is_file()


def mark_compiled() -> None:
    _mark().touch()


def _mark() -> Path:
    """Named by what numba knows compiled code by: the source's bytes and its own version; and by Python's."""
    known = hashlib.sha256(Path(str(kernel.__file__)).read_bytes() + numba.__version__.encode() + sys.version.encode())
    return _folder() / f"kernel.{known.hexdigest()[:16]}.compiled"


def _folder() -> Path:
    """Where numba keeps compiled code: beside the source, or in the user's cache where that cannot be written to."""
    return Path(str(kernel.weigh.stats.cache_path))


# Run on axes of two levels each: types are all that the compiler looks at.


def compile_fit() -> None:
    """What fits a plan, tells which cells it can reach, and places and weighs single rows."""
    tables, work = _two_levels(), kernel.new_scratch(_two_levels())
    masks, cells = np.ones((1, len(TREE), 2), np.bool_), all_cells(tables, 3)
    fitted = fit(tables, masks, reachable(tables, masks), np.ones(1), [[0.5, 0.5]] * len(TREE))
    concentrated(tables, fitted.weights, masks)
    codes, numbers = np.zeros((1, len(TREE)), np.uint8), np.zeros(1, np.int64)
    kernel.place_rows(tables, fitted.weights, masks, np.zeros(1, np.uint64), numbers, codes, numbers, work)
    kernel.mean_logs(tables, np.zeros(257, np.int64), codes, numbers)
    kernel.possible_cells(tables, fitted.weights, masks[0], *cells, np.zeros(cells.offsets[-1], np.bool_), work)


def compile_rows() -> None:
    """What expands, counts and covers."""
    tables, work, cells = _two_levels(), kernel.new_scratch(_two_levels()), all_cells(_two_levels(), 3)
    masks, weights = np.ones((1, len(TREE), 2), np.bool_), neutral_weights(tables)
    codes, counts = np.zeros((1, len(TREE)), np.uint8), np.zeros(cells.offsets[-1], np.int32)
    hashes, one = np.zeros(1, np.uint64), np.ones(1, np.int64)
    kernel.expand(tables, weights, masks[0], hashes[0], np.zeros(1, np.uint32), codes, work)
    kernel.repeats(tables, weights, masks[0], hashes[0], 2, np.zeros(1, np.uint32), work)
    kernel.count_cells(np.zeros((len(TREE), 1), np.uint8), tables.cards, *cells, counts, 1)
    excess, levels = np.zeros((len(TREE), 2), np.int64), np.ones((len(TREE), 2))
    kernel.give_way(
        tables, weights, masks[0], hashes[0], np.zeros(1, np.bool_), 0, *cells, counts, excess, levels, work
    )
    pairs = np.zeros((1, 1, 1), np.bool_)
    kernel.add_own_pairs(tables, weights, masks, np.ones(1, np.bool_), pairs, work)
    kernel.strike_own_pairs(tables, weights, masks, hashes, one, one[:0], np.zeros(2, np.int64), pairs, work)
    kernel.cover_own(tables, weights, masks[0], one - 1, one - 1, codes, work)
    kernel.cover_cells(tables, weights, masks, masks, one, *cells, np.zeros(1, np.int64), counts, one, codes, work)


SIDES: tuple[Callable[[], None], ...] = (compile_fit, compile_rows)


def _two_levels() -> Tables:
    fits = np.full((2, 2), 256, np.uint16)
    return Tables(
        cards=np.full(len(TREE), 2),
        parents=np.array([axis.parent for axis in TREE]),
        domain_of=np.zeros(2, np.int64),
        family_of=np.zeros(2, np.int64),
        scenario_state=fits,
        scenario_tone=fits,
        state_tone=fits,
        domain_state_family=np.full((1, 2, 1), 256, np.uint16),
        edges=np.full((len(TREE), 2, 2), 256, np.uint16),
    )


if __name__ == "__main__" and not is_compiled():
    compile_kernel()
