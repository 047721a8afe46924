"""The matrix as a LazyFrame that is computed while it is read."""

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.io.plugins import register_io_source

from pipeline.axes import AXIS_NAMES
from pipeline.config import ROW_GROUP, SceneSettings
from pipeline.matrix import COLUMNS, Expansion, Rows, matrix_schema
from pipeline.plan import Plan
from pipeline.seeds import Seed

if TYPE_CHECKING:
    from pipeline.scenes import Scenes

Parts = list[tuple[int, npt.NDArray[np.uint32]]]  # seed ordinals and variants of theirs
OF_SEED = ("seed_id", "lang", "license", "split")
OF_ID = ("persona_id", "variant", *OF_SEED)
# Rows; batches double to a row group.  polars reads two batches ahead of what it hands on: `head` of a filter waits for
# the first of them, the end of the program for both.
FIRST_BATCH = 1_024


def virtual_matrix(
    plan: Plan, rows: int, seeds: Sequence[Seed] = (), settings: SceneSettings | None = None
) -> pl.LazyFrame:
    """The matrix of ``rows`` personas, computed a batch at a time while it is read; nothing is stored.

    Columns that are not asked for are not computed, and axes are decoded only as far as the columns need.  What a
    predicate says of seeds (``seed_id``, ``lang``, ``license``, ``split``) or of a single axis (as ``domain``, which
    follows from ``scenario``) skips whole seeds; what it says of ``variant`` or ``persona_id`` skips rows.

    With the plan's ``seeds``, the column ``scene`` can be asked for.
    """
    source = _Source(plan, rows, seeds, settings or SceneSettings())
    return register_io_source(source.batches, schema=source.schema)


class _Source:
    def __init__(self, plan: Plan, rows: int, seeds: Sequence[Seed], settings: SceneSettings) -> None:
        self.plan, self.seeds, self.settings = plan, seeds, settings
        self.expansion = Expansion(plan, rows)
        self.schema = matrix_schema(plan) | ({"scene": pl.String()} if seeds else {})

    def batches(
        self, with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = list(self.schema) if with_columns is None else with_columns
        clauses = _conjuncts(predicate) if predicate is not None else []
        asked = {*wanted, *(name for clause in clauses for name in clause.meta.root_names())}
        # polars hands down a slice only where it comes before the predicate, so that all rows count towards it;
        # `filter` then `head` it cuts itself.
        left = self.expansion.rows if n_rows is None else n_rows
        skipping = clauses if n_rows is None else []
        seeds = self._seeds_for(skipping)
        scenes = self._scenes(seeds) if "scene" in asked else None
        needed = asked | scenes.needs if scenes is not None else asked
        computed = [name for name in COLUMNS if name in needed]
        axes = max((self.expansion.columns.axes_for(name) for name in computed), default=0)
        by_id = [clause for clause in skipping if {*clause.meta.root_names()} <= {*OF_ID}]

        def batch(parts: Parts) -> pl.DataFrame:
            frame = self.expansion.columns.frame(self.expansion.decoded(self._kept(parts, by_id), axes), computed)
            return scenes.told(frame.lazy()).collect() if scenes is not None else frame

        frames = _ahead(batch, self._runs(seeds))
        while left > 0:
            with _AT_WORK.entered():
                frame = next(frames, None)
                if frame is None:
                    return
                met = frame.head(left)
                left -= met.height
                found = (met if predicate is None else met.filter(predicate)).select(wanted)
            yield found

    def _scenes(self, ordinals: npt.NDArray[np.int64]) -> "Scenes":
        from pipeline.scenes import Scenes  # Jinja2 and all that scenes need

        met = {self.plan.seeds[ordinal].id for ordinal in ordinals}
        return Scenes(self.plan, [seed for seed in self.seeds if seed.id in met], self.settings)

    def _seeds_for(self, clauses: Sequence[pl.Expr]) -> npt.NDArray[np.int64]:
        """Ordinals of the seeds of which some row may meet all ``clauses``."""
        keep = np.array(self.expansion.quotas) > 0
        columns = self.expansion.columns
        asked = {name for clause in clauses for name in clause.meta.root_names()}
        of_seeds = columns.of_seeds([name for name in OF_SEED if name in asked])
        tables = [of_seeds, *(columns.of_axis(axis) for axis in range(len(AXIS_NAMES)))]
        for clause in clauses:
            roots = {*clause.meta.root_names()}
            for axis, table in enumerate(tables, -1):
                if roots and roots <= {*table.columns}:
                    met = table.select(clause.fill_null(False)).to_series().to_numpy()
                    keep &= met if axis < 0 else self.plan.masks[:, axis, : len(met)][:, met].any(axis=1)
        return np.nonzero(keep)[0]

    def _runs(self, seeds: npt.NDArray[np.int64]) -> Iterator[Parts]:
        """The variants of ``seeds`` in order, a batch at a time."""
        size, room = FIRST_BATCH, FIRST_BATCH
        parts: Parts = []
        for seed in seeds.tolist():
            done, quota = 0, self.expansion.quotas[seed]
            while done < quota:
                until = min(quota, done + room)
                parts.append((seed, self.expansion.variants(seed, done, until)))
                room -= until - done
                done = until
                if not room:
                    yield parts
                    size = room = min(2 * size, ROW_GROUP)
                    parts = []
        yield parts

    def _kept(self, parts: Parts, clauses: Sequence[pl.Expr]) -> Parts:
        """``parts`` without the rows whose ids alone tell that they are not wanted."""
        if not clauses or not parts:
            return parts
        seeds = np.concatenate([np.full(len(chosen), seed, np.uint32) for seed, chosen in parts])
        chosen = np.concatenate([chosen for _, chosen in parts])
        ids = self.expansion.columns.frame(Rows(seeds, chosen, np.empty((len(seeds), 0), np.uint8)), OF_ID)
        met = ids.select(pl.all_horizontal(clauses).fill_null(False)).to_series().to_numpy()
        kept = zip(seeds[met].tolist(), chosen[met].tolist(), strict=True)
        return [
            (seed, np.array([variant for _, variant in own], np.uint32)) for seed, own in groupby(kept, lambda k: k[0])
        ]


class _AtWork:
    """Keeps the interpreter from ending while a batch is computed.

    polars reads ahead in threads of its own, and one may be computing a batch that nobody waits for any more when the
    program ends (`filter` then `head`).  Coming back into an interpreter that has ended, it would abort the process.
    """

    def __init__(self) -> None:
        self._changed, self._computing, self._ending = threading.Condition(), 0, False
        atexit.register(self._end)

    @contextmanager
    def entered(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._ending)  # for ever: such a thread goes with the process
            self._computing += 1
        try:
            yield
        finally:
            with self._changed:
                self._computing -= 1
                self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: not self._computing)


_AT_WORK = _AtWork()


def _ahead(work: Callable[[Parts], pl.DataFrame], runs: Iterator[Parts]) -> Iterator[pl.DataFrame]:
    """``work`` on each of ``runs``, in order; while one is read, as many as there are cores are under way."""
    cores = os.cpu_count() or 1
    waiting: deque[Future[pl.DataFrame]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for parts in runs:
                small = sum(len(chosen) for _, chosen in parts) < ROW_GROUP
                while waiting and (small or len(waiting) == cores):
                    yield waiting.popleft().result()
                if small:  # the first batches may be all that is wanted: nothing is begun beside them
                    yield work(parts)
                else:
                    waiting.append(pool.submit(work, parts))
            while waiting:
                yield waiting.popleft().result()
        finally:
            for begun in waiting:
                begun.cancel()


def _conjuncts(predicate: pl.Expr) -> list[pl.Expr]:
    """The clauses that ``predicate`` joins by and; itself where there are none."""
    inputs = predicate.meta.pop()
    if len(inputs) == 2 and (inputs[1] & inputs[0]).meta.eq(predicate):
        return [*_conjuncts(inputs[1]), *_conjuncts(inputs[0])]
    return [predicate]
