"""Paired personas as chat messages: training examples where the sample is authored for the persona, prompts elsewhere.

One JSON object a line, in the form that chat fine-tuning takes (https://platform.openai.com/docs/guides/
supervised-fine-tuning: ``messages`` of ``role`` and ``content``), with whose it is beside it.  A context-only pairing
gives the scene and the user's opening; what the user says later, the facts and a rubric stand beside it.  Its reply is
never given: one reply under hundreds of personas would teach a model to ignore the persona (arXiv 2408.10903).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.axes import Axes
from pipeline.config import Frame, SceneSettings
from pipeline.conversations import Sample, Turn
from pipeline.errors import DataError
from pipeline.files import write_whole
from pipeline.packs.notices import Owners, attribution, readme
from pipeline.packs.pack import Pack, PackedLicense, in_new_place, write_pack_file
from pipeline.packs.persona import BATCH
from pipeline.pairing import ASSERTED
from pipeline.plan import Plan
from pipeline.provenance import mixing_fault
from pipeline.scene_parts import FRAMES, GAP, bare, raised
from pipeline.scenes import Scenes
from pipeline.seeds import Seed
from pipeline.store import described

TARGET = "messages-jsonl"
ABOUT = "Chat fine-tuning: personas with the conversations they are paired with, one file."
IMPORTS = "from datasets import load_dataset"
CLIENT = """\
examples = load_dataset("json", data_files="{file}", split="train").filter(lambda row: row["split"] == "train")
messages = examples[0]["messages"]"""
ROLES = {"user": "user", "persona": "assistant"}
Message = dict[str, str]


def write_messages(
    folder: Path, version: str, rows: pl.DataFrame, plan: Plan, seeds: Sequence[Seed], samples: pl.DataFrame,
    settings: SceneSettings,
) -> Pack:  # fmt: skip
    """Export ``rows``, personas of a version with their pairing, to ``folder``/messages.jsonl and pack.json.

    Raises UsageError for a folder in use, DataError where licences may not be mixed.
    """
    by_id = {seed.id: seed for seed in seeds}
    met = samples.filter(pl.col("id").is_in(rows["sample_id"].unique().implode()))
    known = {sample.id: sample for sample in map(Sample.model_validate_json, met["record"])}
    told = [by_id[name] for name in rows["seed_id"].unique().sort()]
    owners = _owners([*told, *known.values()])
    with in_new_place(folder) as packing:
        path = packing / "messages.jsonl"
        write_whole(path, lambda temporary: _write_lines(temporary, rows, plan, by_id, known, settings))
        pack = Pack(
            target=TARGET,
            plan=version,
            settings=settings,
            checked=False,  # chat messages have no vendor; tests read them back with the datasets library
            not_expressed=(
                "voice",
                "turn_taking as voice-activity settings",
                "settings.frame: it follows from the rung",
            ),
            licenses=tuple(
                PackedLicense(
                    license=license,
                    authors=tuple(sorted(by_author)),
                    seeds=tuple(seed.id for seed in told if seed.license == license),
                    samples=tuple(
                        sorted(sample.id for sample in known.values() if sample.provenance.license == license)
                    ),
                )
                for license, by_author in sorted(owners.items())
            ),
            personas=(),
            files=(described(packing, path, rows.height),),
        )
        return write_pack_file(packing, pack, readme(pack, IMPORTS, CLIENT, rows.height), attribution(owners))


def _write_lines(
    path: Path, rows: pl.DataFrame, plan: Plan, seeds: dict[str, Seed], samples: dict[str, Sample],
    settings: SceneSettings,
) -> None:  # fmt: skip
    met = [seeds[seed_id] for seed_id in rows["seed_id"].unique(maintain_order=True)]
    told = {frame: Scenes(plan, met, settings.model_copy(update={"frame": frame})) for frame in FRAMES}
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for batch in rows.iter_slices(BATCH):
            for row in _with_fitting_scenes(batch, told):
                document = example(row, seeds[row["seed_id"]], samples[row["sample_id"]], plan.axes)
                stream.write(json.dumps(document, ensure_ascii=False) + "\n")


def _with_fitting_scenes(batch: pl.DataFrame, told: dict[Frame, Scenes]) -> Iterator[dict[str, Any]]:
    """Where the sample has the persona's scenario and state they are asserted; elsewhere only what deploy knows is."""
    asserted = pl.col("rung").is_in(ASSERTED)
    framed = [
        told[frame].told(batch.filter(chosen).lazy()).collect()
        for frame, chosen in zip(FRAMES, (~asserted, asserted), strict=True)
    ]
    return pl.concat(framed).sort("persona_id").iter_rows(named=True)


def example(row: dict[str, Any], seed: Seed, sample: Sample, axes: Axes) -> dict[str, Any]:
    """One line: the messages, and beside them whose they are and what the reply is to be held against."""
    said = _messages(sample.turns, seed.lang)
    is_target = row["fit"] == "authored_for"
    role = "assistant" if is_target else "user"
    by_role = [place for place, message in enumerate(said) if message["role"] == role]
    # A training example ends with a reply; a prompt is what the user says first.
    given = slice(0, by_role[-1] + 1) if is_target else slice(by_role[0], by_role[0] + 1)
    scenario = axes.scenario[axes.codes["scenario"][sample.scenario]] if sample.scenario is not None else None
    return {
        "messages": [{"role": "system", "content": row["scene"]}, *said[given]],
        "later_user_turns": [message["content"] for message in said[given.stop :] if message["role"] == "user"],
        "facts": [] if scenario is None else list(getattr(scenario.facts, seed.lang)),
        "rubric": [] if is_target else rubric(row, seed, sample, axes),
        "persona_id": row["persona_id"],
        "seed_id": seed.id,
        "sample_id": sample.id,
        "fit": row["fit"],
        "rung": row["rung"],
        "split": row["split"],
        "seed_license": seed.license,
        "sample_license": sample.provenance.license,
    }


def rubric(row: dict[str, Any], seed: Seed, sample: Sample, axes: Axes) -> list[str]:
    """What a reply is to be held against, in the words of the axes and the seed; each is spoken to the persona."""
    told = [
        axes.tone[axes.codes["tone"][row["tone"]]].direction,
        axes.levels["verbosity"][axes.codes["verbosity"][row["verbosity"]]],
    ]
    if sample.user_state is not None:
        told.append(axes.user_state[axes.codes["user_state"][sample.user_state]].ask)
    words = [getattr(wording, seed.lang)[0] for wording in told]
    return [*(_sentence(text, seed.lang) for text in words if text), *seed.limits]


def _sentence(text: str, lang: str) -> str:
    """What a state asks is written as a clause, so that it can follow another."""
    return raised(bare(text)) + ("." if lang == "en" else "。")


def _messages(turns: Iterable[Turn], lang: str) -> list[Message]:
    """Turns as messages; what one side says in a row is one message."""
    said: list[Message] = []
    for turn in turns:
        role = ROLES[turn.role]
        if said and said[-1]["role"] == role:
            said[-1]["content"] += GAP[lang] + turn.text
        else:
            said.append({"role": role, "content": turn.text})
    return said


def _owners(records: Iterable[Seed | Sample]) -> Owners:
    owners: Owners = defaultdict(lambda: defaultdict(set))
    for record in records:
        owners[record.provenance.license][record.provenance.author].add(record.id)
    fault = mixing_fault(owners)
    if fault is not None:
        raise DataError(f"these licences may not be mixed in one pack: {fault}; narrow --where to one of them")
    return owners
