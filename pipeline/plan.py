"""The plan: the fitted, frozen recipe from which every persona follows.

A plan holds the axes with their rules, the integer tables and level weights, what each seed may be, and the coverage
rows.  `decode(plan, seed, k)` needs nothing else, and no float lies between a plan and a row.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline import kernel
from pipeline.axes import AXIS_NAMES, Axes
from pipeline.coverage import NO_AXIS, Coverage, FrozenRows, all_cells, cover, own_from, repeated
from pipeline.documents import canonical_json
from pipeline.errors import PlanRefused, UsageError
from pipeline.fit import Fit, Floats, Weights, concentrated, fit, reachable, total_variation
from pipeline.kernel import SEQUENCE_END, Scratch
from pipeline.locks import Openings
from pipeline.quotas import apportion
from pipeline.rules import Masks, Tables, compile_tables
from pipeline.seeds import TRAITS, Seed
from pipeline.wording import counted

PLAN_VERSION = 5
CELLS: tuple[Literal["pairs", "triples"], ...] = ("pairs", "triples")
ID_BITS = 32  # persona_id = seed ordinal · 2^32 + variant
SEQUENCE_BITS = 31
MAX_SEEDS = 1 << 21  # so that ids stay below 2^53, which JSON readers keep exact
SPLITS = ("train", "validation", "test")
# Base rows from which every triple of levels is covered, where nobody says otherwise.  Of the shipped axes, scenario,
# tone and temperament alone have 392,000 feasible triples, so that many rows at least: there is no room much below.
TRIPLES_FROM = 1_000_000
# Caps follow from the fit, the fit from the rows that caps allow.  Where they chase each other, the last fit stands.
MAX_REFITS = 10


@dataclass(frozen=True)
class PlannedSeed:
    """What a plan remembers of a seed; its text is in the version's seeds.jsonl, under this fingerprint."""

    id: str
    lang: str
    license: str
    weight: int  # thousandths
    distinct_bits: int  # the first 2^distinct_bits rows of the sequence are different personas
    cap: int  # rows at most
    traits: tuple[int, ...] | None  # home, in the order of TRAITS
    stances: tuple[str, ...]
    allowed: tuple[int, ...]  # a bit mask of open levels for each axis
    fingerprint: str

    @cached_property
    def hash(self) -> int:
        return seed_hash(self.id)

    @property
    def split(self) -> str:
        return split_of(self.hash)


def split_of(id_hash: int) -> str:
    """Nine seeds in ten train, half of the rest validate: by id alone, so that no seed ever changes sides."""
    twentieth = int(kernel.mix(np.uint64(id_hash ^ 0x5EED))) % 20
    return SPLITS[0] if twentieth < 18 else SPLITS[twentieth - 17]


def seed_hash(seed_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(seed_id.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Plan:
    axes: Axes
    tables: Tables
    weights: Weights  # uint32 (axes, levels), 4096 = 1
    seeds: tuple[PlannedSeed, ...]  # by ordinal
    base_rows: int
    coverage: FrozenRows
    report: dict[str, Any]  # what the fit and the coverage reached; not part of the recipe

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of the recipe."""
        return recipe_id(recipe(self))

    @cached_property
    def masks(self) -> Masks:
        """Open levels, bool (seeds, axes, levels)."""
        raw = b"".join(bits.to_bytes(32, "little") for seed in self.seeds for bits in seed.allowed)
        bits = np.frombuffer(raw, np.uint8).reshape(len(self.seeds), len(AXIS_NAMES), 32)
        return np.unpackbits(bits, axis=2, count=self.weights.shape[1], bitorder="little").view(np.bool_)

    @cached_property
    def _coverage_starts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where each seed's rows begin, and where its slots do."""
        ends = np.arange(len(self.seeds) + 1)
        slots = self.coverage.seeds[self.coverage.variants >= SEQUENCE_END]
        return np.searchsorted(self.coverage.seeds, ends), np.searchsorted(slots, ends)

    def coverage_of(self, seed: int) -> FrozenRows:
        """A seed's frozen rows, in the order in which they join it."""
        rows, slots = (slice(*starts[seed : seed + 2].tolist()) for starts in self._coverage_starts)
        seeds, variants, joins, codes = self.coverage
        return FrozenRows(seeds[rows], variants[rows], joins[rows], codes[slots])

    @cached_property
    def ordinals(self) -> dict[str, int]:
        return {seed.id: ordinal for ordinal, seed in enumerate(self.seeds)}

    def quotas(self, rows: int) -> list[int]:
        """Rows of each seed in a matrix of ``rows``."""
        weights, caps = [seed.weight for seed in self.seeds], [seed.cap for seed in self.seeds]
        return apportion(rows, weights, caps, names=list(self.ordinals))


def make_plan(seeds: Sequence[Seed], axes: Axes, base_rows: int, triples: bool | None = None) -> Plan:
    """Fit level weights to the axes' targets over all seeds, and freeze the rows that cover every feasible pair.

    ``triples``: cover every feasible triple too; None means from TRIPLES_FROM base rows on.

    Raises PlanRefused, naming the seeds, where a seed has no persona or the rows cannot be met without duplicates.
    """
    if not seeds:
        raise PlanRefused("there are no seeds; a plan needs at least one")
    if len(seeds) > MAX_SEEDS:
        raise PlanRefused(f"{len(seeds):,} seeds; a plan holds {MAX_SEEDS:,} at most")
    tables = compile_tables(axes)
    openings = Openings(axes)
    masks = np.stack([openings.of(seed) for seed in seeds])
    reach = reachable(tables, masks)
    refuse_empty(seeds, reach)
    targets = [axes.targets(name) for name in AXIS_NAMES]
    thousandths = [max(1, round(seed.weight * 1000)) for seed in seeds]
    fitted, limits, quotas = _fitted_quotas(seeds, tables, masks, reach, thousandths, targets, base_rows)
    caps = [limit.cap for limit in limits]
    hashes = [seed_hash(seed.id) for seed in seeds]
    strength = 3 if (base_rows >= TRIPLES_FROM if triples is None else triples) else 2
    coverage = cover(tables, fitted.weights, masks, reach, hashes, quotas, caps, strength)
    return Plan(
        axes=axes,
        tables=tables,
        weights=fitted.weights,
        seeds=tuple(
            PlannedSeed(
                id=seed.id,
                lang=seed.lang,
                license=seed.license,
                weight=weight,
                distinct_bits=limit.distinct_bits,
                cap=limit.cap,
                traits=None if seed.traits is None else tuple(getattr(seed.traits, trait) for trait in TRAITS),
                stances=seed.played,
                allowed=tuple(_bits(mask) for mask in masks[ordinal]),
                fingerprint=seed.fingerprint,
            )
            for ordinal, (seed, weight, limit) in enumerate(zip(seeds, thousandths, limits, strict=True))
        ),
        base_rows=base_rows,
        coverage=coverage.rows,
        report=_report(axes, fitted, coverage, tables, strength),
    )


def _fitted_quotas(
    seeds: Sequence[Seed],
    tables: Tables,
    masks: Masks,
    reach: Masks,
    thousandths: Sequence[int],
    targets: Sequence[Sequence[float]],
    rows: int,
) -> tuple[Fit, list["Limits"], list[int]]:
    """The fit, each seed's limits and its rows.

    Seeds at their caps have fewer rows than their weights ask for, so the fit is made anew for the rows they have; a
    fit whose caps hold the rows is never given up for one whose caps do not.
    """
    shares: Floats = np.array(thousandths, np.float64)
    held: tuple[Fit, list[Limits], list[int]] | None = None
    for _ in range(MAX_REFITS):
        fitted = fit(tables, masks, reach, shares, targets)
        found = [limits(*each) for each in concentrated(tables, fitted.weights, masks).tolist()]
        try:
            quotas = apportion(rows, thousandths, [each.cap for each in found], names=[seed.id for seed in seeds])
        except PlanRefused:
            if held is None:
                raise
            break
        held = fitted, found, quotas
        realised = np.array(quotas, np.float64)
        if np.abs(realised / realised.sum() - shares / shares.sum()).sum() < 0.01 or rows < 100 * len(seeds):
            break
        shares = realised
    assert held is not None
    return held


def refuse_empty(seeds: Sequence[Seed], reach: Masks) -> None:
    empty = [seed.id for ordinal, seed in enumerate(seeds) if not reach[ordinal, 0].any()]
    if empty:
        names = ", ".join(empty[:20])
        raise PlanRefused(
            f"{counted(len(empty), 'seed has', 'seeds have')} no persona: their locks and the rules together exclude "
            f"everything: {names}. Free a tone family or add a bridge."
        )


class Limits(NamedTuple):
    distinct_bits: int
    cap: int


def limits(greatest: float, cubes: float) -> Limits:
    """How many rows a seed can have, from the greatest probability of its personas and the sum of the cubes of all.

    The first 2^b rows are different where b ≤ −log2 of the greatest, rounded up by the float error of a product of a
    dozen quotients and by decode's truncation.  Beyond, a persona of probability p > 2^−b holds at most 2^b·p + 1 of
    the first 2^b points, so at most Σ 2^b·p ≤ 2^b · 4^b · Σ p³ of them repeat an earlier one, and b is taken so far
    that this is a sixteenth (on average over shifts of the sequence 4/27 of that repeat).
    """
    distinct = wide = 0
    while distinct < SEQUENCE_BITS and (greatest * (1 + 1e-12) + 16 * 2.0**-64) * (1 << (distinct + 1)) <= 1:
        distinct += 1
    while wide < SEQUENCE_BITS and cubes * (1 + 1e-9) * 4.0 ** (wide + 1) <= 1 / 16:
        wide += 1
    return Limits(distinct, max(1 << distinct, 15 * (1 << wide) // 16))


def _bits(mask: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def decode(plan: Plan, seed: int, variant: int, work: Scratch | None = None) -> tuple[int, ...]:
    """Level codes of row ``variant`` of a seed, by axis; ``variant`` from 2^31 up is a coverage slot.

    Raises UsageError for a seed or slot the plan does not have, and for a row that repeats an earlier one.
    """
    if not 0 <= seed < len(plan.seeds):
        raise UsageError(f"the plan has no seed with ordinal {seed:,}; it has {len(plan.seeds):,}")
    if variant >= SEQUENCE_END:
        frozen = plan.coverage_of(seed)
        if variant - SEQUENCE_END < len(frozen.codes):
            return tuple(frozen.codes[variant - SEQUENCE_END].tolist())
        raise UsageError(f"{plan.seeds[seed].id} has no coverage slot {variant - SEQUENCE_END:,} in this plan")
    scratch = work or kernel.new_scratch(plan.tables)
    kernel.weigh(plan.tables, plan.weights, plan.masks[seed], scratch)
    planned, codes = plan.seeds[seed], np.zeros(len(AXIS_NAMES), np.uint8)
    t = np.uint64(kernel.point(np.uint64(planned.hash), np.uint64(variant)))
    kernel.decode(plan.tables, t, codes, scratch)
    if variant >= 1 << planned.distinct_bits:
        first = int(kernel.position(plan.tables, codes, np.uint64(planned.hash), scratch))
        if first != variant:
            raise UsageError(f"{planned.id} has no row {variant:,}: that is its row {first:,} again")
    return tuple(codes.tolist())


class SeedRows(NamedTuple):
    """A seed's rows in id order: its sequence up to ``length`` without ``passed``, then single ``extra`` variants."""

    length: int
    passed: npt.NDArray[np.uint32]
    extra: npt.NDArray[np.uint32]

    def variants(self, start: int, stop: int) -> npt.NDArray[np.uint32]:
        """Variants of rows ``start`` to ``stop`` - 1."""
        in_sequence = self.length - len(self.passed)
        places = np.arange(start, min(stop, in_sequence))
        # The number of rows before each that is passed, none of which grows smaller.
        before = self.passed - np.arange(len(self.passed))
        places += np.searchsorted(before, places, side="right")
        later = self.extra[max(0, start - in_sequence) : max(0, stop - in_sequence)]
        return np.concatenate([places.astype(np.uint32), later])


def seed_rows(plan: Plan, seed: int, rows: int) -> SeedRows:
    """The first ``rows`` rows of a seed.

    They come in one fixed order, whatever the total: its sequence, without rows whose persona an earlier one has and
    without those frozen, and each frozen row where it joins.  So a larger matrix holds every row of a smaller one.
    """
    frozen = plan.coverage_of(seed)
    taken = np.sort(frozen.variants[frozen.joins < rows])
    needed = looked_at = rows - len(taken)
    while True:
        passed = np.union1d(_repeats(plan, seed, looked_at), frozen.variants)
        length = needed + int(np.searchsorted(passed - np.arange(len(passed)), needed))
        if length <= looked_at:
            passed = np.setdiff1d(passed[passed < length], taken)
            return SeedRows(length, passed, taken[taken >= length])
        assert looked_at < SEQUENCE_END, f"{plan.seeds[seed].id} has no {rows:,} rows"  # its cap says otherwise
        looked_at = min(SEQUENCE_END, length + length // 64)


def _repeats(plan: Plan, seed: int, length: int) -> npt.NDArray[np.uint32]:
    """Rows k < ``length`` of the sequence whose persona an earlier row has, ascending."""
    planned = plan.seeds[seed]
    if length <= 1 << planned.distinct_bits:
        return np.zeros(0, np.uint32)
    work = kernel.new_scratch(plan.tables)
    return repeated(plan.tables, plan.weights, plan.masks[seed], np.uint64(planned.hash), length, work)


def persona_id(seed: int, variant: int) -> int:
    return (seed << ID_BITS) | variant


def split_id(persona: int) -> tuple[int, int]:
    return persona >> ID_BITS, persona & ((1 << ID_BITS) - 1)


def _report(axes: Axes, fitted: Fit, coverage: Coverage, tables: Tables, strength: int) -> dict[str, Any]:
    """What was aimed at and what was reached, by axis, by pair of axes, and by triple where they are covered; and the
    rows that cover pairs of domain and tone family for their own seed."""
    by_axis = {}
    distances = zip(
        total_variation(fitted.targets, fitted.attainable),
        total_variation(fitted.attainable, fitted.fitted),
        strict=True,
    )
    for number, (name, (reach, miss)) in enumerate(zip(AXIS_NAMES, distances, strict=True)):
        by_axis[name] = {
            "authored_to_attainable": round(float(reach), 6),
            "attainable_to_fitted": round(float(miss), 6),
            "levels": {
                level.id: [round(float(t[number, code]), 6) for t in (fitted.targets, fitted.attainable, fitted.fitted)]
                for code, level in enumerate(axes.levels[name])
            },
        }
    cells = all_cells(tables, strength)
    met: dict[str, dict[str, dict[str, int]]] = {"pairs": {}, "triples": {}}
    for number, group in enumerate(cells.axes.tolist()):
        own = slice(int(cells.offsets[number]), int(cells.offsets[number + 1]))
        names = ", ".join(AXIS_NAMES[axis] for axis in group if axis != NO_AXIS)
        met["pairs" if NO_AXIS in group else "triples"][names] = {
            "cells": own.stop - own.start,
            "feasible": int(coverage.feasible[own].sum()),
            "covered": int(coverage.covered[own].sum()),
        }
    return {
        "axes": by_axis,
        **met,
        "coverage_rows": coverage.covering,
        "own": {"from": own_from(tables), "rows": coverage.own},
    }


def cells_covered(plan: Plan, of: Literal["pairs", "triples"]) -> tuple[int, int]:
    """Covered and feasible pairs, or triples, of levels at base_rows."""
    groups = plan.report[of].values()
    return sum(group["covered"] for group in groups), sum(group["feasible"] for group in groups)


def recipe(plan: Plan) -> dict[str, Any]:
    """Everything that a persona follows from, as JSON; its hash is the plan's id."""
    return {
        "version": PLAN_VERSION,
        "base_rows": plan.base_rows,
        "axes": plan.axes.model_dump(mode="json", by_alias=True),
        "tables": {name: table.tolist() for name, table in plan.tables._asdict().items() if name != "edges"}
        | {"edges": _edge_lists(plan.tables)},
        "weights": [row[:card].tolist() for row, card in zip(plan.weights, plan.tables.cards, strict=True)],
        "seeds": [
            {
                "id": seed.id,
                "lang": seed.lang,
                "license": seed.license,
                "weight": seed.weight,
                "distinct_bits": seed.distinct_bits,
                "cap": seed.cap,
                "traits": seed.traits,
                "stances": seed.stances,
                "allowed": [f"{bits:x}" for bits in seed.allowed],
                "fingerprint": seed.fingerprint,
            }
            for seed in plan.seeds
        ],
        "coverage": {name: _packed(column) for name, column in plan.coverage._asdict().items()},
    }


def _packed(column: npt.NDArray[np.integer]) -> str:
    """Base64 of the numbers, lowest byte first: the rows of a plan that covers triples are hundreds of thousands."""
    return base64.b64encode(column.astype(column.dtype.newbyteorder("<")).tobytes()).decode()


def recipe_id(recipe: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(recipe).encode()).hexdigest()[:12]


def _edge_lists(tables: Tables) -> list[list[list[int]]]:
    cards = tables.cards
    return [
        [] if parent < 0 else tables.edges[axis, : cards[parent], : cards[axis]].tolist()
        for axis, parent in enumerate(tables.parents)
    ]
