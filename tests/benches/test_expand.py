"""Expanding, validating and writing rows against the floor: random columns of the same types, written the same way.

    make bench

The figure to read is the ratio of the two medians of one run; seconds belong to the machine.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.axes import Axes
from pipeline.config import ROW_GROUP
from pipeline.matrix import Expansion, matrix_schema
from pipeline.plan import Plan, make_plan
from pipeline.seeds import Seed
from pipeline.store import build_shard

ROWS = 4 * ROW_GROUP


@pytest.fixture(scope="module")
def full_plan(shipped_seeds: list[Seed], axes: Axes) -> Plan:
    return make_plan(shipped_seeds, axes, ROWS)


def floor(plan: Plan, path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = []
    for name, dtype in matrix_schema(plan).items():
        if name == "persona_id":
            columns.append(pl.Series(name, np.arange(ROWS, dtype=np.uint64)))
        elif name == "variant":
            columns.append(pl.Series(name, np.arange(ROWS, dtype=np.uint32) % (ROWS // len(plan.seeds))))
        elif name == "seed_id":
            ids = pl.Series(name, [seed.id for seed in plan.seeds])
            columns.append(ids.gather(np.sort(rng.integers(0, len(ids), ROWS, np.uint32))))
        elif isinstance(dtype, pl.Enum):
            codes = rng.integers(0, len(dtype.categories), ROWS, np.uint32)
            columns.append(pl.Series(name, codes).cat.to(dtype))
        else:
            columns.append(pl.Series(name, rng.integers(0, 5, ROWS, np.uint8)).cast(dtype))
    pl.DataFrame(columns).write_parquet(path, row_group_size=ROW_GROUP, compression="zstd")


@pytest.mark.parametrize("what", ["floor", "matrix"])
def test_expand_validate_write(
    benchmark: Any, full_plan: Plan, tmp_path_factory: pytest.TempPathFactory, what: str
) -> None:
    folder = tmp_path_factory.mktemp("bench")
    expansion = Expansion(full_plan, ROWS)
    build_shard(expansion, folder / "warm", 0, 0, ROW_GROUP)
    taken = iter(range(1000))

    def matrix() -> None:
        build_shard(expansion, folder / str(next(taken)), 0, 0, ROWS)

    work: dict[str, Callable[[], None]] = {
        "floor": lambda: floor(full_plan, folder / "floor.parquet"),
        "matrix": matrix,
    }
    benchmark.pedantic(work[what], rounds=5)
    benchmark.extra_info["rows"] = ROWS
