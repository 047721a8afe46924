"""Shards built by the workers of a Dask cluster, through prefect-dask (the extra `scale`).

The workers have this package installed, see the folder of the matrix under the same path, and reach Prefect's server.
A worker that dies takes nothing along: Dask gives its tasks to another, and a shard that stands is not built again.
"""

import flows.prefect_settings  # noqa: F401  # isort: skip  (before prefect reads its settings)

from typing import Any

from prefect.task_runners import TaskRunner

from pipeline.errors import UsageError

CONNECT_TIMEOUT = 5  # seconds


def workers_at(address: str) -> int:
    """How many workers the cluster at ``address`` has.

    Raises UsageError where nobody answers there, where it has no workers, or where the extra is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(f"--workers {address}: {error}; install persona-matrix[scale]") from None
    try:
        with Client(address, timeout=CONNECT_TIMEOUT) as client:
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
    except OSError as error:
        raise UsageError(f"--workers {address}: no Dask scheduler answers there ({error})") from None
    if not workers:
        raise UsageError(f"--workers {address}: the cluster has no workers; start some with `dask worker {address}`")
    return workers


def dask_runner(address: str) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    return DaskTaskRunner(address=address)
