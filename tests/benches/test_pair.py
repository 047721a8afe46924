"""Pairing a million rows with a hundred thousand samples, as a build does it, against expanding the same rows.

    make bench

The figure to read is the ratio of the two medians of one run; seconds belong to the machine.
"""

from collections.abc import Callable, Sequence
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest

from pipeline.axes import Axes
from pipeline.config import ROW_GROUP
from pipeline.conversations import Sample, canonical_sample
from pipeline.matrix import Expansion
from pipeline.pairing import samples_table
from pipeline.plan import Plan, make_plan
from pipeline.seeds import Seed
from pipeline.store import Version, attach_pairings, build_shard, seal
from tests.small_versions import SHARD_ROWS, built, seeds_file

ROWS = 8 * ROW_GROUP
SAMPLES = 100_000


@pytest.fixture(scope="module")
def full_plan(shipped_seeds: list[Seed], axes: Axes) -> Plan:
    return make_plan(shipped_seeds, axes, ROWS)


@pytest.fixture(scope="module")
def sealed(full_plan: Plan, shipped_seeds: list[Seed], tmp_path_factory: pytest.TempPathFactory) -> Version:
    out = tmp_path_factory.mktemp("sealed")
    building = built(out, full_plan, ROWS, 2 * SHARD_ROWS)
    return seal(building, full_plan, seeds_file(out, shipped_seeds), ROWS, 2 * SHARD_ROWS)


@pytest.fixture(scope="module")
def records(shipped_samples: Sequence[Sample]) -> list[str]:
    """The shipped samples over and over, and as an import gives them, of its domain alone."""
    bare = {"seed_id": None, "scenario": None, "user_state": None, "tone": None, "register_": None}
    imported = [sample.model_copy(update=bare) for sample in shipped_samples]
    told = cycle([*shipped_samples, *imported])
    return [canonical_sample(next(told).model_copy(update={"id": f"s-{n}"})) for n in range(SAMPLES)]


@pytest.mark.benchmark(group=f"pair {ROWS:,} rows with {SAMPLES:,} samples")
@pytest.mark.parametrize("what", ["expand", "pair"])
def test_expand_then_pair(
    benchmark: Any, full_plan: Plan, sealed: Version, shipped_seeds: list[Seed], records: list[str], tmp_path: Path,
    what: str,
) -> None:  # fmt: skip
    expansion, numbers = Expansion(full_plan, ROWS), count()

    def expand() -> None:
        folder = tmp_path / str(next(numbers))
        for number, start in enumerate(range(0, ROWS, 2 * SHARD_ROWS)):
            build_shard(expansion, folder, number, start, start + 2 * SHARD_ROWS)

    def pair() -> None:
        attach_pairings(sealed, samples_table(records, full_plan, shipped_seeds))

    work: dict[str, Callable[[], None]] = {"expand": expand, "pair": pair}
    benchmark.pedantic(work[what], rounds=3, warmup_rounds=1)
    benchmark.extra_info["rows"] = ROWS
