"""What a run works on, and what each stage makes of it.  The order of the stages stands in flows/build.py."""

import hashlib
import json
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline import __version__
from pipeline.axes import Axes
from pipeline.axis_files import read_axes
from pipeline.config import RunConfig, content_root
from pipeline.conversations import check_samples
from pipeline.coverage import unreachable
from pipeline.documents import REJECTS, canonical_json, find_files
from pipeline.errors import BrokenVersion, Fault, InvalidRecords, PlanRefused
from pipeline.files import discard, exclusive, file_sha256, write_text
from pipeline.locks import Openings, seed_faults
from pipeline.pairing import samples_table
from pipeline.plan import Plan, make_plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.quality import verify
from pipeline.report import with_report
from pipeline.seeds import Seed, read_seeds
from pipeline.store import (
    SOURCES,
    Source,
    Sources,
    Version,
    attach_pairings,
    current_version,
    linked_copy,
    plan_path,
    publish,
    refuse_harmed,
    sources_json,
    with_file,
)
from pipeline.wording import counted


@dataclass(frozen=True)
class Inputs:
    """Seeds and axes that passed every check."""

    seeds: tuple[Seed, ...]
    axes: Axes


class BuildResult(BaseModel):
    """What `personas build --json` prints last."""

    model_config = ConfigDict(frozen=True)

    version_dir: str
    rows: int
    seeds: int
    stages: dict[str, float]
    peak_rss_mb: float
    total_s: float


def check_inputs(
    seed_paths: Sequence[Path], axes_path: Path, sample_paths: Sequence[Path] = ()
) -> tuple[Inputs | None, list[Fault]]:
    """Read and check everything; the inputs only where there is no fault."""
    axes, axes_faults = read_axes(axes_path)
    placed, seed_faults_found = read_seeds(seed_paths)
    faults = [*axes_faults, *seed_faults_found]
    if axes is not None and not axes_faults:
        faults += [
            Fault(
                str(axes_path), 0, axis, f"no persona can have {level!r}: {why}", "Loosen the rule, or drop the level."
            )
            for axis, level, why in unreachable(axes)
        ]
    if axes is not None:
        openings = Openings(axes)
        for seed in placed:
            faults += seed.own(seed_faults(openings, seed))
    if sample_paths:
        at_fault = {(fault.file, fault.line) for fault in faults}
        seeds = {s.record.id: None if (s.file, s.line) in at_fault else s.record for s in placed}
        faults += check_samples(sample_paths, axes, seeds)[1]
    if faults or axes is None:
        return None, faults
    return Inputs(tuple(seed.record for seed in placed), axes), []


def accept_inputs(config: RunConfig) -> Path:
    """Check seeds and axes, and keep them in canonical form under the hash of the files they came from.

    Raises InvalidRecords with every fault of every file.  Files that were accepted before are not checked again.
    """
    folder = config.out / "inputs" / _files_hash(config)
    if (folder / "axes.json").is_file() and (folder / SOURCES).is_file():
        return folder
    inputs, faults = check_inputs(config.seed_paths, config.axes_path)
    if inputs is None:
        raise InvalidRecords(faults)
    records = (seed.model_dump(mode="json", by_alias=True) for seed in inputs.seeds)
    write_text(folder / "seeds.jsonl", "".join(canonical_json(record) + "\n" for record in records))
    axis_files = find_files([config.axes_path], (".yaml", ".yml"))
    sources = [
        *(_source("seeds", path) for path in find_files(config.seed_paths, (".jsonl",))),
        *(_source("axes", path) for path in axis_files),
    ]
    write_text(folder / SOURCES, sources_json(sources))
    write_text(folder / "axes.json", inputs.axes.canonical() + "\n")  # last: its presence says that all is accepted
    return folder


def accept_samples(config: RunConfig, inputs_folder: Path) -> Path | None:
    """Check the samples of a run, and keep them in canonical form, in id order; None where it has none.

    The SHA-256 of that file is the ``samples_content`` of a version that is paired with them.  A sample may speak for a
    seed that is not of this run: then only its user's side is of use here.  Raises InvalidRecords with every fault.
    """
    files = find_files(config.sample_paths, (".jsonl",)) if config.sample_paths else []
    if not files:
        return None
    path = inputs_folder / "samples" / f"{_hash_of(files)}.jsonl"
    if not path.is_file():
        inputs = accepted_inputs(inputs_folder)
        seeds = {seed.id: seed for seed in inputs.seeds}
        samples, faults = check_samples(files, inputs.axes, seeds, all_seeds=False)
        if faults:
            raise InvalidRecords(faults)
        write_text(path, "".join(f"{sample}\n" for sample in samples))
    return path


def _source(kind: Literal["seeds", "axes", "samples"], path: Path) -> Source:
    records = sum(1 for line in path.read_bytes().splitlines() if line.strip()) if path.suffix == ".jsonl" else None
    rejects = path.with_name(f"{path.name}{REJECTS}")
    lines = rejects.read_bytes().splitlines() if rejects.is_file() else []
    rejected = Counter(str(json.loads(line)["reason"]) for line in lines if line.strip())
    return Source(
        kind=kind, file=_shown(path), records=records, sha256=file_sha256(path), rejected=dict(sorted(rejected.items()))
    )


def _shown(path: Path) -> str:
    """A shipped file by its place in the project, any other by the path it was given by."""
    shipped = content_root()
    return path.relative_to(shipped).as_posix() if path.is_relative_to(shipped) else path.as_posix()


def accepted_sources(folder: Path) -> tuple[Source, ...]:
    return Sources.model_validate_json((folder / SOURCES).read_text("utf-8")).root


def pair_version(sealed: Version, samples: Path, paths: Sequence[Path]) -> Version:
    """Pair a sealed version with accepted samples, which came from ``paths``."""
    return _paired(sealed, samples.read_text("utf-8").removesuffix("\n").split("\n"), paths)


def _paired(sealed: Version, samples: Sequence[str], paths: Sequence[Path]) -> Version:
    sources = [source for source in sealed.sources() if source.kind != "samples"]
    sources += [_source("samples", path) for path in find_files(paths, (".jsonl",))]
    told = with_file(sealed, SOURCES, sources_json(sources))
    return attach_pairings(told, samples_table(samples, sealed.plan(), sealed.seeds()))


def pair_current(out: Path, sample_paths: Sequence[Path], tell: Callable[[str], None] = lambda _: None) -> Version:
    """Pair the current matrix with other samples: a new version that shares its rows.

    ``tell`` hears of each step as it begins.  Raises InvalidRecords with every fault of the samples.
    """
    current_version(out)  # before the lock, which would leave its file where nothing was built
    with exclusive(out):
        return _paired_anew(out, sample_paths, tell)


def _paired_anew(out: Path, sample_paths: Sequence[Path], tell: Callable[[str], None]) -> Version:
    tell("check samples")
    for left in (out / "matrix").glob(".pairing-*"):
        discard(left)  # of a run that was killed
    version = current_version(out)
    refuse_harmed(version)
    seeds = {seed.id: seed for seed in version.seeds()}
    samples, faults = check_samples(sample_paths, version.plan().axes, seeds, all_seeds=False)
    if faults:
        raise InvalidRecords(faults)
    tell("pair")
    building = out / "matrix" / f".pairing-{version.manifest.name}"
    sealed = _paired(linked_copy(version, building), samples, sample_paths)
    tell("verify")
    broken, quality = verify(sealed)
    if broken or quality is None:
        discard(building)
        raise BrokenVersion("\n".join([f"{version.folder}: not what it should be", *broken]))
    tell("report")
    return publish(out, with_report(sealed, quality))


def _files_hash(config: RunConfig) -> str:
    return _hash_of(
        [
            *find_files(config.seed_paths, (".jsonl",)),
            *find_files([config.axes_path], (".yaml", ".yml")),
            *find_files([content_root() / "schemas"], (".json",)),
        ]
    )


def _hash_of(files: Sequence[Path]) -> str:
    """Sixteen hexadecimal digits over the bytes of all files and this program's version."""
    digest = hashlib.sha256(__version__.encode())
    for path in files:
        content = path.read_bytes()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:16]


def accepted_inputs(folder: Path) -> Inputs:
    # Lines of bytes, not of str: a text may hold U+2028, which ends a line of str.
    lines = (folder / "seeds.jsonl").read_bytes().splitlines()
    axes = Axes.model_validate_json((folder / "axes.json").read_text("utf-8"))
    return Inputs(tuple(Seed.model_validate_json(line) for line in lines), axes)


def obtain_plan(config: RunConfig, inputs_folder: Path) -> Path:
    """Where the plan of a run stands: the frozen one it names, the one made before, or a new one.

    Raises PlanRefused where the plan has no room for the rows of the run.
    """
    path = config.plan.file or plan_path(config.out, inputs_folder.name, config.base_rows)
    if config.plan.file is not None:
        hold_against(read_plan(path), accepted_inputs(inputs_folder).seeds, path)
    elif not path.is_file():
        inputs = accepted_inputs(inputs_folder)
        write_text(path, plan_json(make_plan(inputs.seeds, inputs.axes, config.base_rows, config.plan.triples)))
    read_plan(path).quotas(config.rows)
    return path


def hold_against(plan: Plan, seeds: Sequence[Seed], path: Path) -> None:
    """A frozen plan is only good for the seeds it was frozen with."""
    now = {seed.id: seed.fingerprint for seed in seeds}
    changed = [seed.id for seed in plan.seeds if now.get(seed.id) != seed.fingerprint]
    if changed:
        names = ", ".join(changed[:8])
        those = counted(len(changed), "seed is gone or has changed", "seeds are gone or have changed")
        raise PlanRefused(
            f"{path}: {those} since the plan was frozen: {names}. Build without plan.file to fit a new plan."
        )


def peak_rss_mb() -> float:
    """Peak resident memory of this process or the largest of its finished workers, in MB (Linux counts kilobytes)."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(max(own, workers) / 1024, 1)
