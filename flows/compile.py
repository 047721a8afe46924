"""Compile the kernel ahead, each side of it in a process of its own: `python -m flows.compile`."""

from concurrent.futures import ThreadPoolExecutor

from flows.workers import worker_pool
from pipeline.compiled import SIDES, is_compiled, mark_compiled


def compile_kernel() -> None:
    with worker_pool(len(SIDES)) as pool, ThreadPoolExecutor(len(SIDES)) as threads:
        list(threads.map(pool.run, SIDES))
    mark_compiled()


if __name__ == "__main__" and not is_compiled():
    compile_kernel()
