"""Versions on disk: shards written once, a manifest written last, and a pointer replaced at once.

    data/inputs/<hash>/seeds.jsonl, axes.json   what passed validation, by the hash of the files it came from
    data/plans/<inputs>-<base_rows>-v<version>.json     plans, by what they were made from
    data/matrix/.building-<plan>-<rows>-<shard_rows>/   a version under way; a rerun goes on from it
    data/matrix/<plan>-<content>/               a whole version; never changed
        plan.json  seeds.jsonl  sources.json  shards/00000.parquet …
        samples.parquet  pairings/00000.parquet …  unmatched/00000.parquet …      where there are samples
        report.html  manifest.json
    data/matrix/.lock                           held by the one build at work
    data/matrix/CURRENT                         the name of the newest version

A file counts only once it has its final name, and a version only once it has its manifest, so a reader sees a whole
version or none, and an interrupted build leaves nothing to clean by hand.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import polars as pl
from polars.exceptions import ComputeError
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from pipeline.config import ROW_GROUP
from pipeline.errors import BrokenVersion, UsageError
from pipeline.files import discard, file_sha256, write_text, write_whole
from pipeline.matrix import Expansion, Rows
from pipeline.pairing import Paired, Pairer, samples_digest
from pipeline.persona_matrix import PersonaMatrix
from pipeline.plan import PLAN_VERSION, Plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.seeds import Seed

MANIFEST_VERSION: Literal[2] = 2
SAMPLES = "samples.parquet"
SOURCES = "sources.json"
REPORT = "report.html"
OF_PAIRINGS = ("pairings", "unmatched")
StorageOptions = dict[str, str] | None
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


class Source(_Record):
    """A file that a version was made from."""

    kind: Literal["seeds", "axes", "samples"]
    file: str
    records: int | None = Field(description="Null where the file does not hold one a line.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    rejected: dict[str, int] = Field({}, description="What its import set aside, by reason.")


class Sources(RootModel[tuple[Source, ...]]):
    pass


class Manifest(_Record):
    """What a version is made of.  No clock value, so that the same version has the same manifest anywhere."""

    version: Literal[2] = MANIFEST_VERSION
    plan: str = Field(description="Id of the plan.")
    content: str = Field(
        description="SHA-256 over rows_content and, where there are samples, theirs and the pairings'."
    )
    rows_content: str = Field(
        description="SHA-256 over the canonical rows in id order; independent of shards and workers."
    )
    samples_content: str | None = Field(None, description="SHA-256 over the canonical samples in id order.")
    samples: int = 0
    paired: int = Field(0, description="Personas with a sample; the others are in unmatched/ with the reason.")
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

    def seeds(self) -> list[Seed]:
        # Lines of bytes, not of str: a text may hold U+2028, which ends a line of str.
        lines = (self.folder / "seeds.jsonl").read_bytes().splitlines()
        return [Seed.model_validate_json(line) for line in lines]

    def scan(self) -> pl.LazyFrame:
        """The matrix, lazily; row groups of other seeds are skipped by their statistics."""
        return pl.scan_parquet(self.folder / "shards" / "*.parquet")

    def shards(self) -> Iterator[pl.DataFrame]:
        return self._frames("shards")

    def scan_pairings(self) -> pl.LazyFrame:
        """persona_id, sample_id, fit, rung, score; lazily.  Raises UsageError where the version holds none."""
        if self.manifest.samples_content is None:
            raise UsageError(f"{self.folder}: holds no pairings; run `personas pair` with the samples to pair")
        return pl.scan_parquet(self.folder / "pairings" / "*.parquet")

    def paired(self) -> Iterator[Paired]:
        # As many as there are of both: that there are as many as shards is verify's to say.
        for pairings, unmatched in zip(self._frames("pairings"), self._frames("unmatched"), strict=False):
            yield Paired(pairings, unmatched)

    def sources(self) -> tuple[Source, ...]:
        return Sources.model_validate_json((self.folder / SOURCES).read_text("utf-8")).root

    def samples(self) -> pl.DataFrame:
        return pl.read_parquet(self.folder / SAMPLES)

    def _frames(self, folder: str) -> Iterator[pl.DataFrame]:
        for file in self.manifest.files:
            if file.path.startswith(f"{folder}/"):
                yield pl.read_parquet(self.folder / file.path)


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
    digests, frames = [], []
    for first in range(start, stop, ROW_GROUP):
        rows = expansion.codes(first, min(first + ROW_GROUP, stop))
        digests.append(row_group_digest(rows))
        frames.append(expansion.columns.frame(rows))
    frame = PersonaMatrix.validate(pl.concat(frames))
    path = _shard_path(folder, number)
    write_whole(path, lambda temporary: frame.write_parquet(temporary, row_group_size=ROW_GROUP, compression="zstd"))
    shard = Shard(file=described(folder, path, frame.height), digests=tuple(digests))
    write_text(_note_path(folder, number), shard.model_dump_json())
    return shard


@lru_cache(maxsize=1)
def _expansion(plan_path: Path, rows: int) -> Expansion:
    return Expansion(read_plan(plan_path), rows)


def build_shards(plan_path: Path, rows: int, building: Path, batch: list[tuple[int, int, int]]) -> int:
    """Build each (number, start, stop) of ``batch`` that does not stand there yet; returns their rows."""
    expansion = _expansion(plan_path, rows)
    return sum(build_shard(expansion, building, *shard).file.rows or 0 for shard in batch)


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


def seal(
    building: Path, plan: Plan, seeds_file: Path, rows: int, shard_rows: int, sources: Sequence[Source] = ()
) -> Version:
    """Give a version whose shards are finished its manifest.  Readers do not see it yet."""
    shards = [finished_shard(building, number) for number in range(len(shard_ranges(rows, shard_rows)))]
    missing = [number for number, shard in enumerate(shards) if shard is None]
    if missing:
        raise BrokenVersion(f"{building}: shards {missing[:8]} are not finished; run the build again")
    whole = [shard for shard in shards if shard is not None]
    _discard_temporaries(building)
    _discard_pairings(building)  # and the report, of a run that was killed after this point
    write_text(building / "plan.json", plan_json(plan))
    write_text(building / "seeds.jsonl", seeds_file.read_text("utf-8"))
    write_text(building / SOURCES, sources_json(sources))
    content = hashlib.sha256("".join(digest for shard in whole for digest in shard.digests).encode()).hexdigest()
    manifest = Manifest(
        plan=plan.id,
        content=content,
        rows_content=content,
        rows=rows,
        base_rows=plan.base_rows,
        seeds=len(plan.seeds),
        shard_rows=shard_rows,
        polars=pl.__version__,
        files=(
            described(building, building / "plan.json"),
            described(building, building / "seeds.jsonl"),
            described(building, building / SOURCES),
            *(shard.file for shard in whole),
        ),
    )
    _write_manifest(building, manifest)
    return open_version(building)


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    write_text(folder / "manifest.json", json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n")


def sources_json(sources: Sequence[Source]) -> str:
    return json.dumps([source.model_dump(mode="json") for source in sources], ensure_ascii=False, indent=2) + "\n"


def with_file(version: Version, name: str, text: str) -> Version:
    """Write a text file into a version and name it in the manifest, which is replaced last."""
    write_text(version.folder / name, text)
    written, known = described(version.folder, version.folder / name), version.manifest.files
    held = name in {file.path for file in known}
    files = tuple(written if file.path == name else file for file in known) if held else (written, *known)
    _write_manifest(version.folder, version.manifest.model_copy(update={"files": files}))
    return open_version(version.folder)


def without_file(version: Version, name: str) -> Version:
    files = tuple(file for file in version.manifest.files if file.path != name)
    _write_manifest(version.folder, version.manifest.model_copy(update={"files": files}))
    (version.folder / name).unlink(missing_ok=True)
    return open_version(version.folder)


def linked_copy(version: Version, folder: Path) -> Version:
    """The rows of ``version`` in another folder, to be given other pairings; its files are shared where disks allow."""
    discard(folder)
    dropped = (SAMPLES, REPORT, *OF_PAIRINGS)
    kept = [file for file in version.manifest.files if not file.path.startswith(dropped)]
    for file in kept:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.hardlink_to(version.folder / file.path)
        except OSError:  # another disk, or one without links
            shutil.copyfile(version.folder / file.path, path)
    rows = version.manifest
    bare = {"content": rows.rows_content, "samples_content": None, "samples": 0, "paired": 0, "files": tuple(kept)}
    _write_manifest(folder, rows.model_copy(update=bare))
    sources = [source for source in version.sources() if source.kind != "samples"]
    return with_file(open_version(folder), SOURCES, sources_json(sources))


def attach_pairings(sealed: Version, samples: pl.DataFrame) -> Version:
    """Pair every row of a sealed version, shard by shard, and name the result in its manifest."""
    folder, plan = sealed.folder, sealed.plan()
    pairer = Pairer(plan, samples)
    files, paired = [], 0
    for number, shard in enumerate(sealed.shards()):
        result = pairer.pair(shard)
        paired += result.pairings.height
        for name, frame in zip(OF_PAIRINGS, result, strict=True):
            files.append(_stored_table(folder, folder / name / f"{number:05d}.parquet", frame))
    files.insert(0, _stored_table(folder, folder / SAMPLES, with_uses(samples, pairer)))
    samples_content = samples_digest(samples)
    content = paired_content(sealed.manifest.rows_content, samples_content, pairer)
    update = {"content": content, "samples_content": samples_content, "samples": samples.height, "paired": paired,
              "files": (*sealed.manifest.files, *files)}  # fmt: skip
    _write_manifest(folder, sealed.manifest.model_copy(update=update))
    return open_version(folder)


def with_uses(samples: pl.DataFrame, pairer: Pairer) -> pl.DataFrame:
    return samples.with_columns(pl.Series("uses", pairer.uses, pl.UInt64))


def paired_content(rows_content: str, samples_content: str, pairer: Pairer) -> str:
    return hashlib.sha256((rows_content + samples_content + pairer.digest).encode()).hexdigest()


def _stored_table(folder: Path, path: Path, frame: pl.DataFrame) -> StoredFile:
    write_whole(path, lambda temporary: frame.write_parquet(temporary, row_group_size=ROW_GROUP, compression="zstd"))
    return described(folder, path, frame.height)


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


def _discard_pairings(folder: Path) -> None:
    for name in OF_PAIRINGS:
        discard(folder / name)
    for name in (SAMPLES, REPORT):
        (folder / name).unlink(missing_ok=True)


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


def scan_matrix(path: Path | str = Path("data"), storage_options: StorageOptions = None) -> pl.LazyFrame:
    """The current matrix under an output folder, or the version at ``path``, as a LazyFrame.

    An output folder may be in an object store, as ``s3://bucket/personas``; ``storage_options`` are polars' own.
    """
    if _is_url(path):
        return _scan_remote(str(path), "shards", storage_options)
    return _version_at(Path(path)).scan()


def scan_pairings(path: Path | str = Path("data"), storage_options: StorageOptions = None) -> pl.LazyFrame:
    """The pairings of the current matrix under an output folder, or of the version at ``path``, as a LazyFrame."""
    if _is_url(path):
        return _scan_remote(str(path), "pairings", storage_options)
    return _version_at(Path(path)).scan_pairings()


def _is_url(path: Path | str) -> bool:
    return "://" in str(path)


def _scan_remote(out: str, kind: str, storage_options: StorageOptions) -> pl.LazyFrame:
    """Tables of the current version of an output folder in an object store.  Raises UsageError where there is none."""
    pointer = f"{out}/matrix/CURRENT"
    try:
        name = pl.scan_csv(pointer, has_header=False, storage_options=storage_options).collect().item()
    except (OSError, ComputeError) as error:
        raise UsageError(f"{pointer}: cannot be read ({str(error).splitlines()[0]}); is a matrix there?") from None
    return pl.scan_parquet(f"{out}/matrix/{name}/{kind}/*.parquet", storage_options=storage_options)


def _version_at(folder: Path) -> Version:
    return open_version(folder) if (folder / "manifest.json").is_file() else current_version(folder)


def open_version(folder: Path) -> Version:
    """Raises BrokenVersion where the folder has no manifest that can be read."""
    path = folder / "manifest.json"
    try:
        manifest = Manifest.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BrokenVersion(f"{folder}: no manifest, so not a whole version; build again") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise BrokenVersion(f"{path}: not a manifest of version {MANIFEST_VERSION}; build again: {error}") from error
    return Version(folder, manifest)


def find_versions(out: Path, plan: str, rows: int) -> list[Version]:
    """The versions of this plan and size that were built before; how their rows are cut into files does not matter.

    One whose manifest another release of this program wrote is none of them.
    """
    found = []
    for manifest in sorted((out / "matrix").glob(f"{plan}-*/manifest.json")):
        with suppress(BrokenVersion):
            found.append(open_version(manifest.parent))
    return [version for version in found if version.manifest.rows == rows]


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


def refuse_harmed(version: Version) -> None:
    """Raises BrokenVersion with every fault of its files."""
    faults = file_faults(version)
    if faults:
        what = f"{version.folder}: not what it should be; remove it to build it anew"
        raise BrokenVersion("\n".join([what, *faults]))


def plan_path(out: Path, inputs: str, base_rows: int) -> Path:
    return out / "plans" / f"{inputs}-{base_rows}-v{PLAN_VERSION}.json"
