"""Small versions built as a flow would build them, and versions with files altered behind the manifest's back."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import polars as pl

from pipeline.conversations import Sample, canonical_sample
from pipeline.documents import canonical_json
from pipeline.files import write_text
from pipeline.matrix import Expansion
from pipeline.pairing import samples_table
from pipeline.plan import Plan
from pipeline.seeds import Seed
from pipeline.store import (
    Version,
    attach_pairings,
    build_shard,
    building_folder,
    described,
    open_version,
    publish,
    seal,
    shard_ranges,
)

SHARD_ROWS = 131_072


def seeds_file(out: Path, seeds: Sequence[Seed] = ()) -> Path:
    path = out / "seeds.jsonl"
    records = [canonical_json(seed.model_dump(mode="json", by_alias=True)) for seed in seeds]
    write_text(path, "".join(f"{record}\n" for record in records or ['{"id": "mei"}']))
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
    samples: Sequence[Sample] = (),
    seeds: Sequence[Seed] = (),
) -> Version:
    sealed = seal(built(out, plan, rows, shard_rows, order), plan, seeds_file(out, seeds), rows, shard_rows)
    return publish(out, attach_pairings(sealed, samples_table_of(samples, plan, seeds)) if samples else sealed)


def samples_table_of(samples: Iterable[Sample], plan: Plan, seeds: Iterable[Seed]) -> pl.DataFrame:
    return samples_table(map(canonical_sample, samples), plan, seeds)


def copied(version: Version, out: Path) -> Version:
    folder = out / "matrix" / version.folder.name
    shutil.copytree(version.folder, folder)
    return open_version(folder)


def altered(version: Version, number: int, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Version:
    return rewritten(version, f"shards/{number:05d}.parquet", change)


def rewritten(version: Version, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Version:
    """``version`` with one of its tables changed and its manifest made to agree."""
    path = version.folder / name
    frame = change(pl.read_parquet(path))
    frame.write_parquet(path)
    return resealed(version, path, frame.height)


def resealed(version: Version, path: Path, rows: int | None = None) -> Version:
    file = described(version.folder, path, rows)
    files = tuple(file if known.path == file.path else known for known in version.manifest.files)
    manifest = version.manifest.model_copy(update={"files": files})
    write_text(version.folder / "manifest.json", manifest.model_dump_json())
    return open_version(version.folder)
