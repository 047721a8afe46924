"""Small random worlds of personas and conversation samples, and what pairing makes of them, told in plain Python."""

from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from hypothesis import strategies as st

from pipeline.axes import Axes
from pipeline.axis_files import load_axes
from pipeline.conversations import Sample, Turn
from pipeline.matrix import Columns, Rows
from pipeline.plan import SPLITS, Plan, PlannedSeed, seed_hash, split_of
from pipeline.provenance import Consent, Provenance
from pipeline.seeds import Seed
from tests.conftest import ROOT
from tests.small_models import Model, models, personas

Row = dict[str, Any]
NAMES = {"en": ("Abelard", "Bathsheba", "Cosimo", "Dymphna", "Eudora", "Fridolin"),
         "zh": ("沈安邦", "林晚秋", "欧阳静", "赵铁柱", "陈小满", "周立夏")}  # fmt: skip
REGISTERS = ("intimate", "casual", "neutral", "formal")
SEEDS = 6


class World(NamedTuple):
    plan: Plan
    seeds: list[Seed]
    rows: pl.DataFrame
    samples: list[Sample]

    def __repr__(self) -> str:
        return f"<world of {self.rows.height} personas and {len(self.samples)} samples>"  # entropy: hypothesis' report

    @property
    def persons(self) -> list[Row]:
        return self.rows.to_dicts()

    @property
    def by_id(self) -> dict[str, Sample]:
        return {sample.id: sample for sample in self.samples}


def provenance(license: str = "CC0-1.0") -> Provenance:
    return Provenance(
        author=f"author of {license}", method="model-written", license=license, source="original",
        consent=Consent(basis="none needed"), created=date(2026, 11, 22),
    )  # fmt: skip


def sample(name: str, lang: str = "en", license: str = "CC0-1.0", said: str = "Hello?", **facets: Any) -> Sample:
    turns = (Turn(role="user", text=said), Turn(role="persona", text="Yes."))
    return Sample(**{"id": name, "lang": lang, "turns": turns, "provenance": provenance(license)} | facets)


@cache
def ids(kind: str, split: str) -> tuple[str, ...]:
    """Sixty ids that fall on this side."""
    found: Iterator[str] = (name for n in count() if split_of(seed_hash(name := f"{kind}-{n}")) == split)
    return tuple(next(found) for _ in range(60))


@cache
def shipped_axes() -> Axes:
    return load_axes(ROOT / "seeds" / "axes")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Personas of a random model whose levels are some of the shipped ones, and samples much like them."""
    axes, model = shipped_axes(), draw(models(seeds=SEEDS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="entropy"))
    some = {
        name: tuple(getattr(axes, name)[n] for n in rng.permutation(len(getattr(axes, name)))[:card])
        for name, card in zip(("scenario", "user_state", "tone"), model.tables.cards.tolist(), strict=False)
    }
    picked = Axes(**{name: getattr(axes, name) for name in Axes.model_fields} | some | {"rules": ()})
    seeds = [
        Seed(id=str(rng.choice(ids("seed", str(rng.choice(SPLITS)))[5 * n : 5 * n + 5])), lang=lang,
             name=NAMES[lang][n], provenance=provenance())
        for n, lang in enumerate(rng.choice(["en", "zh"], len(model.masks)).tolist())
    ]  # fmt: skip
    planned = tuple(
        PlannedSeed(id=seed.id, lang=seed.lang, license=seed.license, weight=1000, distinct_bits=31, cap=1 << 31,
                    traits=None, stances=("companion",), allowed=(), fingerprint="")
        for seed in seeds
    )  # fmt: skip
    plan = Plan(picked, model.tables, model.weights, planned, 1, (), {})
    rows = _rows(plan, model, rng)
    levels = rows.to_dicts()
    names = {split: iter(ids("sample", split)) for split in SPLITS}
    leave_open = rng.choice([0.2, 0.6, 0.9])
    samples = [_sample(rng, levels, names, picked, seeds, leave_open) for _ in range(rng.integers(1, 40))]
    return World(plan, seeds, rows, samples)


def _rows(plan: Plan, model: Model, rng: np.random.Generator) -> pl.DataFrame:
    told = []
    for ordinal in range(len(plan.seeds)):
        those = personas(model, ordinal)
        told += [(ordinal, k, those[rng.integers(len(those))]) for k in range(rng.integers(1, 60))]
    seeds, variants, codes = zip(*told, strict=True)
    return Columns(plan).frame(
        Rows(np.array(seeds, np.uint32), np.array(variants, np.uint32), np.array(codes, np.uint8))
    )


def _sample(
    rng: np.random.Generator, rows: list[Row], names: dict[str, Iterator[str]], axes: Axes, seeds: list[Seed],
    leave_open: float,
) -> Sample:  # fmt: skip
    """A sample that has much of some row: each facet is that row's, another, or left open."""
    row = rows[rng.integers(len(rows))]
    stranger = str(rng.choice(ids("stranger", str(rng.choice(SPLITS)))))
    whose = [row["seed_id"], None, stranger][rng.choice(3, p=[0.4, 0.4, 0.2])]
    called = next((seed.name for seed in seeds if seed.id == whose and rng.random() < 0.3), "")

    def facet(name: str) -> str | None:
        other = rng.choice([level.id for level in axes.levels[name]])
        return None if rng.random() < leave_open else str(row[name]) if rng.random() < 0.8 else str(other)

    scenario = facet("scenario")
    domains = {level.id: level.domain for level in axes.scenario}
    domain = domains[scenario] if scenario else [row["domain"], None, "stories"][rng.choice(3, p=[0.6, 0.2, 0.2])]
    return sample(
        next(names[str(rng.choice(SPLITS))]), row["lang"], said=f"Hello {called}, are you there?", domain=domain,
        scenario=scenario, seed_id=whose, user_state=facet("user_state"), tone=facet("tone"),
        register=facet("register"),
    )  # fmt: skip


def calls_by_name(world: World, sample: Sample) -> bool:
    return any(seed.id == sample.seed_id and str(seed.name) in sample.turns[0].text for seed in world.seeds)


def split_of_sample(sample: Sample) -> str:
    return split_of(seed_hash(sample.seed_id or sample.id))


def quarter(valence: int, arousal: int) -> tuple[bool, bool]:
    return valence >= 0, arousal >= 0


def rungs(world: World) -> dict[str, Callable[[Row, Sample], bool]]:
    """The ladder from the top, each rung by what a persona and a sample of its language and split must share."""
    tones = {tone.id: tone for tone in world.plan.axes.tone}

    def met(name: str) -> Callable[[Row, Sample], bool]:
        field = "register_" if name == "register" else name
        return lambda row, sample: getattr(sample, field) == row[name]  # an open one is None, which no row has

    def open_(*names: str) -> Callable[[Row, Sample], bool]:
        return lambda _, sample: all(getattr(sample, name) is None for name in names)

    def toned(row: Row, sample: Sample) -> bool:
        if sample.tone is None:
            return False
        tone = tones[sample.tone]
        return quarter(tone.valence, tone.arousal) == quarter(row["valence"], row["arousal"])

    def for_anyone(_: Row, sample: Sample) -> bool:
        return not calls_by_name(world, sample)

    def all_of(*tests: Callable[[Row, Sample], bool]) -> Callable[[Row, Sample], bool]:
        return lambda row, sample: all(test(row, sample) for test in tests)

    scene = (met("scenario"), met("user_state"), toned, met("register"))
    return {
        "authored": all_of(met("seed_id"), *scene),
        "scene": all_of(for_anyone, *scene),
        "situation": all_of(for_anyone, met("scenario"), met("user_state")),
        "scenario_manner": all_of(for_anyone, met("scenario"), toned, met("register")),
        "scenario_only": all_of(for_anyone, met("scenario")),
        "domain_manner": all_of(for_anyone, open_("scenario"), met("domain"), toned, met("register")),
        "domain_tone": all_of(for_anyone, open_("scenario"), met("domain"), toned),
        "domain_only": all_of(for_anyone, open_("scenario"), met("domain")),
        "language_only": all_of(for_anyone, open_("scenario", "domain")),
    }


def choices(world: World) -> dict[int, tuple[str | None, frozenset[str]]]:
    """For each persona the first rung that has samples for it, and their ids."""
    ladder, found = rungs(world), {}
    for row in world.persons:
        near = [s for s in world.samples if (s.lang, split_of_sample(s)) == (row["lang"], row["split"])]
        there = ((name, frozenset(s.id for s in near if fits(row, s))) for name, fits in ladder.items())
        found[row["persona_id"]] = next((one for one in there if one[1]), (None, frozenset()))
    return found


def score(row: Row, sample: Sample, plan: Plan) -> int | None:
    """0 to 255: the mean over what the sample states, rounded down."""
    points = [
        255 if row[name] == stated else 0
        for name in ("domain", "scenario", "user_state")
        if (stated := getattr(sample, name)) is not None
    ]
    if sample.register_ is not None:
        points.append(255 - 85 * abs(REGISTERS.index(row["register"]) - REGISTERS.index(sample.register_)))
    if sample.tone is not None:
        tone = next(tone for tone in plan.axes.tone if tone.id == sample.tone)
        apart = sum(abs(row[name] - getattr(tone, name)) for name in ("valence", "arousal", "dominance"))
        points.append(255 - apart * 255 // 600)
    return sum(points) // len(points) if points else None
