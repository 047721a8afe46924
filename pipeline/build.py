"""What a run works on, and what each stage makes of it.  The order of the stages stands in flows/build.py."""

import hashlib
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline import __version__
from pipeline.axes import Axes
from pipeline.axis_files import read_axes
from pipeline.config import RunConfig, content_root
from pipeline.coverage import unreachable
from pipeline.documents import canonical_json, find_files
from pipeline.errors import Fault, InvalidRecords, PlanRefused
from pipeline.plan import Plan, make_plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.rules import seed_faults
from pipeline.seeds import Seed, read_seeds
from pipeline.store import plan_path, write_text


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


def check_inputs(seed_paths: Sequence[Path], axes_path: Path) -> tuple[Inputs | None, list[Fault]]:
    """Read and check everything; the inputs only where there is no fault."""
    axes, axes_faults = read_axes(axes_path)
    placed, seed_file_faults = read_seeds(seed_paths)
    faults = [*axes_faults, *seed_file_faults]
    if axes is not None and not axes_faults:
        faults += [
            Fault(
                str(axes_path), 0, axis, f"no persona can have {level!r}: {why}", "Loosen the rule, or drop the level."
            )
            for axis, level, why in unreachable(axes)
        ]
    if axes is not None:
        for file, line, seed in placed:
            faults += seed_faults(axes, seed, file, line)
    if faults or axes is None:
        return None, faults
    return Inputs(tuple(seed for _, _, seed in placed), axes), []


def accept_inputs(config: RunConfig) -> Path:
    """Check seeds and axes, and keep them in canonical form under the hash of the files they came from.

    Raises InvalidRecords with every fault of every file.  Files that were accepted before are not checked again.
    """
    folder = config.out / "inputs" / _files_hash(config)
    if (folder / "axes.json").is_file():
        return folder
    inputs, faults = check_inputs(config.seed_paths, config.axes_path)
    if inputs is None:
        raise InvalidRecords(faults)
    records = (seed.model_dump(mode="json", by_alias=True) for seed in inputs.seeds)
    write_text(folder / "seeds.jsonl", "".join(canonical_json(record) + "\n" for record in records))
    write_text(folder / "axes.json", inputs.axes.canonical() + "\n")  # last: its presence says that all is accepted
    return folder


def _files_hash(config: RunConfig) -> str:
    """Sixteen hexadecimal digits over the bytes of all files, the schemas they are held against, and this program."""
    digest = hashlib.sha256(__version__.encode())
    files = [
        *find_files(config.seed_paths, (".jsonl",)),
        *find_files([config.axes_path], (".yaml", ".yml")),
        *find_files([content_root() / "schemas"], (".json",)),
    ]
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
        write_text(path, plan_json(make_plan(inputs.seeds, inputs.axes, config.base_rows)))
    read_plan(path).quotas(config.rows)
    return path


def hold_against(plan: Plan, seeds: Sequence[Seed], path: Path) -> None:
    """A frozen plan is only good for the seeds it was frozen with."""
    now = {seed.id: seed.fingerprint for seed in seeds}
    changed = [seed.id for seed in plan.seeds if now.get(seed.id) != seed.fingerprint]
    if changed:
        names = ", ".join(changed[:8])
        raise PlanRefused(
            f"{path}: {len(changed)} seeds are gone or have changed since the plan was frozen: {names}. "
            "Build without plan.file to fit a new plan."
        )


def peak_rss_mb() -> float:
    """Peak resident memory of this process or the largest of its finished workers, in MB (Linux counts kilobytes)."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(max(own, workers) / 1024, 1)
