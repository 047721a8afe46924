from pathlib import Path

import pytest

from flows.cluster import workers_at
from pipeline.errors import UsageError
from tests.flows.dask_cluster import cluster

pytest.importorskip("distributed", reason="the extra `scale` is not installed")


def test_a_cluster_without_workers_or_without_a_scheduler_is_refused(tmp_path: Path) -> None:
    with cluster(tmp_path, 0) as (address, _), pytest.raises(UsageError, match="no workers; start some with `dask"):
        workers_at(address)
    with pytest.raises(UsageError, match=f"--workers {address}: no Dask scheduler answers there"):
        workers_at(address)
