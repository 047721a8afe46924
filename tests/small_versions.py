"""Small versions built as a flow would build them, and versions with rows altered behind the manifest's back."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl

from pipeline.matrix import Expansion
from pipeline.plan import Plan
from pipeline.store import (
    Version,
    build_shard,
    building_folder,
    described,
    open_version,
    publish,
    seal,
    shard_ranges,
    write_text,
)

SHARD_ROWS = 131_072


def seeds_file(out: Path) -> Path:
    path = out / "seeds.jsonl"
    write_text(path, '{"id": "mei"}\n')
    return path


def built(
    out: Path, plan: Plan, rows: int, shard_rows: int, order: Callable[[list[int]], list[int]] = lambda numbers: numbers
) -> Path:
    """The folder of a build whose shards are finished, in any order, and nothing else."""
    building = building_folder(out, plan, rows, shard_rows)
    ranges, expansion = shard_ranges(rows, shard_rows), Expansion(plan, rows)
    for number in order(list(range(len(ranges)))):
        build_shard(expansion, building, number, *ranges[number])
    return building


def stored(
    out: Path,
    plan: Plan,
    rows: int,
    shard_rows: int = SHARD_ROWS,
    order: Callable[[list[int]], list[int]] = lambda numbers: numbers,
) -> Version:
    return publish(out, seal(built(out, plan, rows, shard_rows, order), plan, seeds_file(out), rows, shard_rows))


def copied(version: Version, out: Path) -> Version:
    folder = out / "matrix" / version.folder.name
    shutil.copytree(version.folder, folder)
    return open_version(folder)


def altered(version: Version, number: int, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Version:
    """``version`` with one of its shards rewritten and its manifest made to agree."""
    path = version.folder / "shards" / f"{number:05d}.parquet"
    frame = change(pl.read_parquet(path))
    frame.write_parquet(path)
    return resealed(version, path, frame.height)


def resealed(version: Version, path: Path, rows: int | None = None) -> Version:
    file = described(version.folder, path, rows)
    files = tuple(file if known.path == file.path else known for known in version.manifest.files)
    manifest = version.manifest.model_copy(update={"files": files})
    write_text(version.folder / "manifest.json", manifest.model_dump_json())
    return open_version(version.folder)
