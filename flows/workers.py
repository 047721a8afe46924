"""Worker processes: one numba and one polars thread each, the plan read once."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pipeline.matrix import Expansion
from pipeline.plan_file import read_plan
from pipeline.store import build_shard

ONE_THREAD = {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@lru_cache(maxsize=1)
def _expansion(plan_path: Path, rows: int) -> Expansion:
    return Expansion(read_plan(plan_path), rows)


def build_shards(plan_path: Path, rows: int, building: Path, batch: list[tuple[int, int, int]]) -> int:
    """Build each (number, start, stop) of ``batch`` that does not stand there yet; returns their rows."""
    expansion = _expansion(plan_path, rows)
    return sum(build_shard(expansion, building, *shard).file.rows or 0 for shard in batch)


def _begin_worker() -> None:
    """Ctrl-C is the parent's to handle; and a worker must not outlive a parent that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Spawned, not forked: polars and numba hold threads and locks that a fork would copy half-way."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
