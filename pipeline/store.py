"""Versions on disk: shards written once, a manifest written last, and a pointer replaced at once.

    data/inputs/<hash>/seeds.jsonl, axes.json   what passed validation, by the hash of the files it came from
    data/plans/<inputs>-<base_rows>.json        plans, by what they were made from
    data/matrix/.building-<plan>-<rows>-<shard_rows>/   a version under way; a rerun goes on from it
    data/matrix/<plan>-<content>/               a whole version; never changed
        plan.json  seeds.jsonl  shards/00000.parquet …  manifest.json
    data/matrix/CURRENT                         the name of the newest version

A file counts only once it has its final name, and a version only once it has its manifest, so a reader sees a whole
version or none, and an interrupted build leaves nothing to clean by hand.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import ROW_GROUP
from pipeline.errors import BrokenVersion, UsageError
from pipeline.matrix import Columns, Expansion, PersonaMatrix, Rows
from pipeline.plan import Plan
from pipeline.plan_file import plan_json, read_plan

MANIFEST_VERSION = 1
HASH_CHUNK = 1 << 20
NOTES = "notes"  # of finished shards; gone once a version is published


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StoredFile(_Record):
    path: str = Field(description="Relative to the version.")
    rows: int | None = Field(description="Rows of a table; null for other files.")
    bytes: int
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Shard(_Record):
    """A finished shard; stands beside it while the version is under way."""

    file: StoredFile
    digests: tuple[str, ...] = Field(description="SHA-256 of the canonical bytes of each row group.")


class Manifest(_Record):
    """What a version is made of.  No clock value, so that the same version has the same manifest anywhere."""

    version: int = MANIFEST_VERSION
    plan: str = Field(description="Id of the plan.")
    content: str = Field(description="SHA-256 over the canonical rows in id order; independent of shards and workers.")
    rows: int
    base_rows: int
    seeds: int
    shard_rows: int
    polars: str = Field(description="Version that wrote the files; their hashes are promised for it alone.")
    files: tuple[StoredFile, ...]

    @property
    def name(self) -> str:
        return f"{self.plan}-{self.content[:12]}"


@dataclass(frozen=True)
class Version:
    """A whole version that can be read."""

    folder: Path
    manifest: Manifest

    def plan(self) -> Plan:
        return read_plan(self.folder / "plan.json")

    def seeds_file(self) -> Path:
        return self.folder / "seeds.jsonl"

    def scan(self) -> pl.LazyFrame:
        """The matrix, lazily; row groups of other seeds are skipped by their statistics."""
        return pl.scan_parquet(self.folder / "shards" / "*.parquet")

    def shards(self) -> Iterator[pl.DataFrame]:
        for file in self.manifest.files:
            if file.rows is not None:
                yield pl.read_parquet(self.folder / file.path)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then give it its name in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def write_text(path: Path, text: str) -> None:
    write_whole(path, lambda temporary: temporary.write_text(text, "utf-8", newline="\n"))


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def described(folder: Path, path: Path, rows: int | None = None) -> StoredFile:
    return StoredFile(
        path=path.relative_to(folder).as_posix(), rows=rows, bytes=path.stat().st_size, sha256=file_sha256(path)
    )


def building_folder(out: Path, plan: Plan, rows: int, shard_rows: int) -> Path:
    return out / "matrix" / f".building-{plan.id}-{rows}-{shard_rows}"


def shard_ranges(rows: int, shard_rows: int) -> list[tuple[int, int]]:
    return [(start, min(start + shard_rows, rows)) for start in range(0, rows, shard_rows)]


def build_shard(expansion: Expansion, folder: Path, number: int, start: int, stop: int) -> Shard:
    """Expand, validate and write rows ``start`` to ``stop`` - 1; what already stands there whole is kept."""
    done = finished_shard(folder, number)
    if done is not None:
        return done
    columns = Columns(expansion.plan)
    digests, frames = [], []
    for first in range(start, stop, ROW_GROUP):
        rows = expansion.codes(first, min(first + ROW_GROUP, stop))
        digests.append(row_group_digest(rows))
        frames.append(columns.frame(rows))
    frame = PersonaMatrix.validate(pl.concat(frames))
    path = _shard_path(folder, number)
    write_whole(path, lambda temporary: frame.write_parquet(temporary, row_group_size=ROW_GROUP, compression="zstd"))
    shard = Shard(file=described(folder, path, frame.height), digests=tuple(digests))
    write_text(_note_path(folder, number), shard.model_dump_json())
    return shard


def row_group_digest(rows: Rows) -> str:
    return hashlib.sha256(rows.digest_bytes()).hexdigest()


def _shard_path(folder: Path, number: int) -> Path:
    return folder / "shards" / f"{number:05d}.parquet"


def _note_path(folder: Path, number: int) -> Path:
    return folder / NOTES / f"{number:05d}.json"


def finished_shard(folder: Path, number: int) -> Shard | None:
    """The shard if an earlier run finished it and it is still what it was."""
    note, path = _note_path(folder, number), _shard_path(folder, number)
    if not (note.is_file() and path.is_file()):
        return None
    shard = Shard.model_validate_json(note.read_text("utf-8"))
    same = path.stat().st_size == shard.file.bytes and file_sha256(path) == shard.file.sha256
    return shard if same else None


def seal(building: Path, plan: Plan, seeds_file: Path, rows: int, shard_rows: int) -> Version:
    """Give a version whose shards are finished its manifest.  Readers do not see it yet."""
    shards = [finished_shard(building, number) for number in range(len(shard_ranges(rows, shard_rows)))]
    missing = [number for number, shard in enumerate(shards) if shard is None]
    if missing:
        raise BrokenVersion(f"{building}: shards {missing[:8]} are not finished; run the build again")
    whole = [shard for shard in shards if shard is not None]
    _discard_temporaries(building)
    write_text(building / "plan.json", plan_json(plan))
    write_text(building / "seeds.jsonl", seeds_file.read_text("utf-8"))
    content = hashlib.sha256("".join(digest for shard in whole for digest in shard.digests).encode()).hexdigest()
    manifest = Manifest(
        plan=plan.id,
        content=content,
        rows=rows,
        base_rows=plan.base_rows,
        seeds=len(plan.seeds),
        shard_rows=shard_rows,
        polars=pl.__version__,
        files=(
            described(building, building / "plan.json"),
            described(building, building / "seeds.jsonl"),
            *(shard.file for shard in whole),
        ),
    )
    write_text(building / "manifest.json", json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n")
    return open_version(building)


def publish(out: Path, sealed: Version) -> Version:
    """Give a sealed version its name, and point CURRENT at it."""
    folder = out / "matrix" / sealed.manifest.name
    if (folder / "manifest.json").is_file():
        discard(sealed.folder)
    else:
        discard(sealed.folder / NOTES)
        sealed.folder.replace(folder)
    point_current(out, sealed.manifest.name)
    return open_version(folder)


def _discard_temporaries(folder: Path) -> None:
    """What a worker that was killed had begun to write; a version holds nothing that its manifest does not name."""
    for path in folder.rglob(".*.tmp"):
        path.unlink()


def discard(folder: Path) -> None:
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def point_current(out: Path, name: str) -> None:
    for left in (out / "matrix").glob(".CURRENT.*.tmp"):
        left.unlink()  # of a run that was killed in this very line
    write_text(out / "matrix" / "CURRENT", name + "\n")


def current_version(out: Path) -> Version:
    pointer = out / "matrix" / "CURRENT"
    if not pointer.is_file():
        raise UsageError(
            f"{out / 'matrix'}: no matrix has been built here; run `personas build`, or name the folder of one"
        )
    return open_version(out / "matrix" / pointer.read_text("utf-8").strip())


def scan_matrix(path: Path | str = Path("data")) -> pl.LazyFrame:
    """The current matrix under an output folder, or the version at ``path``, as a LazyFrame."""
    folder = Path(path)
    version = open_version(folder) if (folder / "manifest.json").is_file() else current_version(folder)
    return version.scan()


def open_version(folder: Path) -> Version:
    """Raises BrokenVersion where the folder has no manifest that can be read."""
    path = folder / "manifest.json"
    try:
        manifest = Manifest.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BrokenVersion(f"{folder}: no manifest, so not a whole version; build again") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise BrokenVersion(f"{path}: not a manifest: {error}") from error
    return Version(folder, manifest)


def find_version(out: Path, plan: str, rows: int) -> Version | None:
    """The version of this plan and size, if it was built before; how its rows are cut into files does not matter."""
    for manifest in sorted((out / "matrix").glob(f"{plan}-*/manifest.json")):
        version = open_version(manifest.parent)
        if version.manifest.rows == rows:
            return version
    return None


def file_faults(version: Version) -> list[str]:
    """Files that are missing, altered, or not in the manifest."""
    faults, known = [], {"manifest.json"}
    for file in version.manifest.files:
        known.add(file.path)
        path = version.folder / file.path
        if not path.is_file():
            faults.append(f"{file.path}: missing")
        elif path.stat().st_size != file.bytes:
            faults.append(f"{file.path}: {path.stat().st_size:,} bytes, not {file.bytes:,}")
        elif file_sha256(path) != file.sha256:
            faults.append(f"{file.path}: its bytes have changed (SHA-256 differs)")
    for path in sorted(version.folder.rglob("*")):
        name = path.relative_to(version.folder).as_posix()
        if path.is_file() and name not in known and not name.startswith(f"{NOTES}/"):
            faults.append(f"{name}: not in the manifest")
    return faults


def plan_path(out: Path, inputs: str, base_rows: int) -> Path:
    return out / "plans" / f"{inputs}-{base_rows}.json"
