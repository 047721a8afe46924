"""Two seeds and a small set of axes under tests/golden/, which no edit of the shipped content touches."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.axes import AXIS_NAMES, Axes
from pipeline.axis_files import load_axes
from pipeline.conversations import Sample, load_samples
from pipeline.matrix import Columns, Rows
from pipeline.plan import Plan, make_plan
from pipeline.seeds import Seed, load_seeds
from pipeline.store import Version
from tests.small_versions import stored

GOLDEN = Path(__file__).parent / "golden"
ROWS = 150
SHEN = 1 << 32  # the first row of shen-anbang, the second seed

# One persona of each language, by name: how weights are fitted changes nothing in it.
PERSONAS = {
    "orla-keane": {
        "scenario": "long-drive-home", "user_state": "tired", "tone": "steady-low", "relationship": "regular",
        "register": "casual", "verbosity": "short", "environment": "car", "turn_taking": "waits", "pace": "slower",
        "energy": "usual", "cue": "none", "temperament": "openness+1",
    },
    "shen-anbang": {
        "scenario": "empty-sunday", "user_state": "tired", "tone": "half-smile", "relationship": "stranger",
        "register": "neutral", "verbosity": "long", "environment": "quiet", "turn_taking": "back-channels",
        "pace": "usual", "energy": "softer", "cue": "small-laugh", "temperament": "none",
    },
}  # fmt: skip


@cache
def golden_axes() -> Axes:
    return load_axes(GOLDEN / "axes")


@cache
def golden_seeds() -> list[Seed]:
    return load_seeds([GOLDEN / "seeds.jsonl"])


@cache
def golden_samples() -> list[Sample]:
    """Of each language one authored for a seed, and others that fit less and less."""
    return load_samples([GOLDEN / "conversations.jsonl"])


@cache
def golden_plan() -> Plan:
    return make_plan(golden_seeds(), golden_axes(), ROWS)


def rows_of(plan: Plan, personas: Sequence[tuple[str, int, Mapping[str, str]]]) -> pl.DataFrame:
    """Matrix rows of personas, each given as its seed's id, a variant, and the ids of its levels."""
    codes = [[plan.axes.codes[axis][levels[axis]] for axis in AXIS_NAMES] for _, _, levels in personas]
    seeds = [plan.ordinals[seed] for seed, _, _ in personas]
    variants = [variant for _, variant, _ in personas]
    return Columns(plan).frame(
        Rows(np.array(seeds, np.uint32), np.array(variants, np.uint32), np.array(codes, np.uint8))
    )


def golden_rows(**levels: str) -> pl.DataFrame:
    """The golden personas, with other ``levels`` where given."""
    return rows_of(golden_plan(), [(seed, 5, {**own, **levels}) for seed, own in PERSONAS.items()])


def golden_version(out: Path, samples: Sequence[Sample] = (), seeds: Sequence[Seed] | None = None) -> Version:
    """A stored matrix of the golden content, with the texts of its seeds, paired where there are samples."""
    plan = golden_plan() if seeds is None else make_plan(seeds, golden_axes(), ROWS)
    return stored(out, plan, ROWS, samples=samples, seeds=seeds or golden_seeds())
