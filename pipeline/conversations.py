"""Conversation samples: one spoken conversation a line, each shipped one authored for one seed and one scenario."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.axes import Axes
from pipeline.documents import Line, field_name, find_files, json_lines, nearest, schema_faults
from pipeline.errors import Fault, InvalidRecords
from pipeline.provenance import Provenance
from pipeline.rules import meets
from pipeline.seeds import Lang, Seed, SeedId, Text

MAX_TURNS = 200


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Turn(_Part):
    role: Literal["user", "persona"]
    text: Text
    emotion: Annotated[str, Field(pattern="^[a-z]+(-[a-z]+)*$")] | None = None
    cues: tuple[Annotated[str, Field(pattern="^[a-z]+(-[a-z]+)*$")], ...] = Field((), description="What is heard.")
    rate: float | None = Field(None, description="Syllables a second, where measured.")
    pitch: float | None = Field(None, description="Mean fundamental frequency in Hz, where measured.")
    energy: float | None = Field(None, description="Mean level in dB, where measured.")
    audio: str | None = Field(None, description="Path or address of the recording.")


class Sample(_Part):
    """One conversation.  With ``seed_id``, its persona turns are that seed's and may be training targets."""

    id: SeedId
    lang: Lang
    domain: str
    scenario: str | None = None
    user_state: str | None = None
    seed_id: SeedId | None = None
    turns: Annotated[tuple[Turn, ...], Field(min_length=1, max_length=MAX_TURNS)]
    provenance: Provenance


def load_samples(paths: Sequence[Path]) -> list[Sample]:
    """All samples under ``paths``, in file and line order.  Raises InvalidRecords with every fault of every file."""
    placed, faults = read_samples(paths)
    if faults:
        raise InvalidRecords(faults)
    return [sample for _, _, sample in placed]


def read_samples(paths: Sequence[Path]) -> tuple[list[tuple[str, int, Sample]], list[Fault]]:
    """Samples with the file and line they stand on, and the faults of all others."""
    faults: list[Fault] = []
    samples: list[tuple[str, int, Sample]] = []
    for path in find_files(paths, (".jsonl",)):
        for line in json_lines(path, faults):
            sample = _sample(str(path), line, faults)
            if sample is not None:
                samples.append((str(path), line.number, sample))
    first: dict[str, str] = {}
    for file, number, sample in samples:
        taken = first.setdefault(sample.id, f"{file}:{number}")
        if taken != f"{file}:{number}":
            problem = f"{sample.id!r} is taken by {taken}"
            faults.append(Fault(file, number, "id", problem, "Give this sample an id of its own."))
    return samples, faults


def _sample(file: str, line: Line, faults: list[Fault]) -> Sample | None:
    found = schema_faults("sample", line.document, file, line.number)
    if not found:
        try:
            return Sample.model_validate_json(line.raw)
        except ValidationError as error:
            found = [
                Fault(file, line.number, field_name(e["loc"]), e["msg"], "See schemas/sample.schema.json.")
                for e in error.errors()
            ]
    faults += found
    return None


def is_samples(path: Path) -> bool:
    """Whether a JSON-lines file holds samples: its first record has turns."""
    first = next(json_lines(path, []), None)
    return first is not None and isinstance(first.document, dict) and "turns" in first.document


def check_samples(paths: Sequence[Path], axes: Axes, seeds: Mapping[str, Seed]) -> list[Fault]:
    """Every fault of every file, held against the axes and the seeds that samples name."""
    placed, faults = read_samples(paths)
    for file, line, sample in placed:
        faults += sample_faults(axes, seeds, sample, file, line)
    return faults


def sample_faults(axes: Axes, seeds: Mapping[str, Seed], sample: Sample, file: str, line: int) -> Iterable[Fault]:
    """What in a sample refers to nothing, or to a persona that cannot be."""
    references = {"domain": sample.domain, "scenario": sample.scenario, "user_state": sample.user_state}
    unknown = {name: level for name, level in references.items() if level is not None and level not in axes.codes[name]}
    for name, level in unknown.items():
        yield Fault(file, line, name, f"there is no {name} {level!r}", nearest(level, axes.codes[name]))
    if unknown or sample.scenario is None:
        return
    scenario = axes.scenario[axes.codes["scenario"][sample.scenario]]
    if scenario.domain != sample.domain:
        yield Fault(file, line, "domain", f"{sample.scenario} is of {scenario.domain}", "Correct one of them.")
    if sample.user_state is not None and sample.user_state not in scenario.states:
        problem = f"{sample.scenario} does not allow {sample.user_state!r}"
        yield Fault(file, line, "user_state", problem, nearest(sample.user_state, scenario.states))
    if sample.seed_id is None:
        return
    seed = seeds.get(sample.seed_id)
    if seed is None:
        yield Fault(file, line, "seed_id", f"there is no seed {sample.seed_id!r}", nearest(sample.seed_id, seeds))
    elif seed.lang != sample.lang:
        yield Fault(file, line, "lang", f"{seed.id} speaks {seed.lang}, not {sample.lang}", "Correct one of them.")
    elif not meets(seed, scenario):
        problem = f"{seed.id} never meets {sample.scenario}"
        yield Fault(file, line, "scenario", problem, "Choose a scenario of its bridges and stances.")
