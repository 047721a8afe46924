"""Conversation samples: one spoken conversation a line, each shipped one authored for one seed and one scenario."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.axes import AXIS_NAMES, Axes
from pipeline.documents import canonical_json, json_lines
from pipeline.errors import Fault, InvalidRecords
from pipeline.locks import Openings
from pipeline.provenance import UNKNOWN_PROVENANCE, Provenance
from pipeline.records import Kind, Placed, read_records, stream_records
from pipeline.seeds import Lang, Seed, SeedId, Text
from pipeline.wording import nearest

MAX_TURNS = 200
ZH_TITLES = (
    "叔 伯 哥 姐 姨 婶 嫂 爷 奶 公 婆 妈 爸 总 导 工 姑 "
    "师傅 老师 阿姨 阿婆 大爷 大妈 大夫 医生 先生 女士 小姐 教练 经理 主任"
).split()
COMPOUND_SURNAMES = (
    "欧阳 司马 上官 诸葛 司徒 东方 独孤 慕容 夏侯 尉迟 皇甫 令狐 端木 公孙 轩辕 呼延 赫连 申屠 闻人 澹台 长孙 宇文"
).split()
FIELD_OF_AXIS = {"scenario": "scenario", "user_state": "user_state", "tone": "tone", "register": "register_"}


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
    """One conversation.  With ``seed_id``, its persona turns are that seed's and may be training targets.

    What is null is open: the conversation may belong to any domain, state or tone.
    """

    id: SeedId
    lang: Lang
    domain: str | None = None
    scenario: str | None = None
    user_state: str | None = Field(None, description="How the user sounds.")
    tone: str | None = Field(None, description="The tone that the persona's turns are spoken in.")
    register_: str | None = Field(None, alias="register", description="The register that the two speak in.")
    seed_id: SeedId | None = Field(None, description="The seed in whose voice the persona's turns are authored.")
    turns: Annotated[tuple[Turn, ...], Field(min_length=1, max_length=MAX_TURNS)]
    provenance: Provenance


SAMPLES = Kind(
    "sample",
    Sample,
    {"id": "unknown", "lang": "en", "provenance": UNKNOWN_PROVENANCE, "turns": [{"role": "user", "text": "unknown"}]},
)


def load_samples(paths: Sequence[Path]) -> list[Sample]:
    """All samples under ``paths``, in file and line order.  Raises InvalidRecords with every fault of every file."""
    placed, faults = read_records(SAMPLES, paths)
    if faults:
        raise InvalidRecords(faults)
    return [sample.record for sample in placed]


def is_samples(path: Path) -> bool:
    """Whether a JSON-lines file holds samples: its first record has turns."""
    first = next(json_lines(path, []), None)
    return first is not None and isinstance(first.document, dict) and "turns" in first.document


def check_samples(
    paths: Sequence[Path], axes: Axes | None, seeds: Mapping[str, Seed | None], all_seeds: bool = True
) -> tuple[list[str], list[Fault]]:
    """The canonical records in id order, and every fault of every file, held against the axes and the seeds.

    Where the axes could not be read they are None.  A seed that is itself at fault is None: what it can be is not
    known.  Where ``seeds`` are not all there are, a sample may speak for a seed that is not among them.
    """
    faults: list[Fault] = []
    records: list[tuple[str, str]] = []
    openings = None if axes is None else Openings(axes)
    for placed in stream_records(SAMPLES, paths, faults):
        if openings is not None:
            faults += placed.own(sample_faults(openings, seeds, placed, all_seeds))
        records.append((placed.record.id, canonical_sample(placed.record)))
    return [record for _, record in sorted(records)], faults


def canonical_sample(sample: Sample) -> str:
    return canonical_json(sample.model_dump(mode="json", by_alias=True))


def addresses(user_text: str, seed: Seed) -> bool:
    """Whether the user calls the persona by name: such a user's side fits nobody else.

    In English any part of the name, as a word; in Chinese the given name anywhere, or the surname before a title.
    """
    name = seed.name or ""
    if seed.lang == "en":
        parts = [re.escape(part) for part in re.split(r"[\s-]+", name) if len(part) > 2]
        return bool(parts) and re.search(rf"\b({'|'.join(parts)})\b", user_text) is not None
    surname = 2 if name[:2] in COMPOUND_SURNAMES else 1
    family, given = re.escape(name[:surname]), re.escape(name[surname:])
    called = rf"{family}({'|'.join(ZH_TITLES)})|[老小阿]{family}"
    return bool(name) and re.search(f"{given}|{called}" if given else called, user_text) is not None


def sample_faults(
    openings: Openings, seeds: Mapping[str, Seed | None], placed: Placed[Sample], all_seeds: bool = True
) -> Iterable[Fault]:
    """What in a sample refers to nothing, or to a persona that cannot be."""
    sample, fault, axes = placed.record, placed.fault, openings.axes
    heard = {turn.role for turn in sample.turns}
    if "user" not in heard:
        yield fault("turns", "the user says nothing", "Add what they say; a persona is paired by the user's side.")
    if sample.seed_id is not None and "persona" not in heard:
        yield fault("turns", f"{sample.seed_id} says nothing", "Add what they say, or drop seed_id.")
    references = {"domain": sample.domain, "scenario": sample.scenario, "user_state": sample.user_state,
                  "tone": sample.tone, "register": sample.register_}  # fmt: skip
    unknown = {name: level for name, level in references.items() if level is not None and level not in axes.codes[name]}
    for name, missing in unknown.items():
        yield fault(name, f"there is no {name} {missing!r}", nearest(missing, axes.codes[name]))
    seed = seeds.get(sample.seed_id) if sample.seed_id is not None else None
    if sample.seed_id is not None and sample.seed_id not in seeds and all_seeds:
        yield fault("seed_id", f"there is no seed {sample.seed_id!r}", nearest(sample.seed_id, seeds))
    elif seed is not None and seed.lang != sample.lang:
        yield fault("lang", f"{seed.id} speaks {seed.lang}, not {sample.lang}", "Correct one of them.")
    if unknown:
        return
    scenario = axes.scenario[axes.codes["scenario"][sample.scenario]] if sample.scenario is not None else None
    if scenario is not None and scenario.domain != sample.domain:
        yield fault("domain", f"{sample.scenario} is of {scenario.domain}", "Correct one of them.")
    if scenario is not None and sample.user_state is not None and sample.user_state not in scenario.states:
        problem = f"{sample.scenario} does not allow {sample.user_state!r}"
        yield fault("user_state", problem, nearest(sample.user_state, scenario.states))
    if seed is not None:
        open_levels = openings.of(seed)
        for axis, name in enumerate(AXIS_NAMES):
            level = getattr(sample, FIELD_OF_AXIS.get(name, ""), None)
            if level is not None and not open_levels[axis, axes.codes[name][level]]:
                problem = f"{seed.id} never has the {name} {level!r}"
                yield fault(name, problem, f"Choose a {name} that this seed can have.")
