"""Hold a matrix against its plan: rules, locks, doubles, coverage, balance.

The rules are checked from the stored columns by table lookup, not by decoding again, so that a fault in the decoder
would show.  One shard is in memory at a time.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from dataframely.exc import SchemaError, ValidationError

from pipeline.axes import AXIS_NAMES
from pipeline.config import ROW_GROUP
from pipeline.coverage import NO_AXIS, all_cells, own_pairs
from pipeline.kernel import count_cells
from pipeline.matrix import Columns, Expansion, Rows, codes_of
from pipeline.pairing import Pairer, samples_digest, samples_table
from pipeline.persona_matrix import PersonaMatrix
from pipeline.plan import Plan, cells_covered
from pipeline.rules import Tables
from pipeline.store import OF_PAIRINGS, Version, file_faults, paired_content, row_group_digest, with_uses


@dataclass(frozen=True)
class Quality:
    """Figures of one matrix."""

    rows: int
    broken_rules: int  # this, the next three and own_missed must be zero
    broken_locks: int
    duplicates: int
    not_of_plan: int  # rows that decoding their id does not give
    pairs_feasible: int
    pairs_certified: int  # what the plan promises at this size; 0 below its base_rows
    pairs_covered: int
    triples_feasible: int  # 0 where the plan does not cover triples; see TRIPLES_FROM
    triples_certified: int
    triples_covered: int
    own_seeds: int  # seeds with rows enough to have every pair of domain and tone family they can take
    own_missed: int  # such pairs that their seed has no row in
    distance: dict[str, float]  # total variation of each axis to its attainable shares

    @property
    def worst_distance(self) -> float:
        return max(self.distance.values())

    def faults(self) -> list[str]:
        counts = {
            "rows that break a rule": self.broken_rules,
            "rows that break a lock": self.broken_locks,
            "rows that occur twice": self.duplicates,
            "rows that are not their plan's": self.not_of_plan,
            "certified pairs that no row has": max(0, self.pairs_certified - self.pairs_covered),
            "certified triples that no row has": max(0, self.triples_certified - self.triples_covered),
            "pairs of domain and tone family that their seed has no row in": self.own_missed,
        }
        return [f"{count:,} {what}" for what, count in counts.items() if count]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def verify(version: Version) -> tuple[list[str], Quality | None]:
    """Every fault of a stored version; the figures where its files can be read at all."""
    faults = file_faults(version)
    if faults:
        return faults, None
    plan, content = version.plan(), hashlib.sha256()
    if plan.id != version.manifest.plan:
        return [f"plan.json is plan {plan.id}, not {version.manifest.plan}"], None
    try:
        quality = measure(plan, version.manifest.rows, _digesting(plan, version.shards(), content))
    except (SchemaError, ValidationError) as error:
        return [f"rows that no persona matrix may have: {error}"], None
    if quality.rows != version.manifest.rows:
        faults.append(f"{quality.rows:,} rows, not {version.manifest.rows:,}")
    faults += quality.faults()
    if not faults and content.hexdigest() != version.manifest.rows_content:
        wanted = version.manifest.rows_content[:12]
        faults.append(f"the content of the rows is {content.hexdigest()[:12]}, not {wanted}")
    if not faults and version.manifest.samples_content is not None:
        faults += pairing_faults(version, plan)
    return faults, quality


def pairing_faults(version: Version, plan: Plan) -> list[str]:
    """Where the pairings are not those that dealing the version's samples to its rows gives."""
    manifest, samples = version.manifest, version.samples()
    if "record" not in samples.columns or samples_digest(samples) != manifest.samples_content:
        return ["samples.parquet: not the samples that the manifest names"]
    table = samples_table(samples["record"], plan, version.seeds())
    pairer = Pairer(plan, table)
    faults, paired = [], 0
    for number, (rows, stored) in enumerate(zip(version.shards(), version.paired(), strict=False)):
        wanted = pairer.pair(rows)
        paired += stored.pairings.height
        differ = [name for name, one, other in zip(OF_PAIRINGS, stored, wanted, strict=True) if not one.equals(other)]
        faults += [f"{name}/{number:05d}.parquet: not what pairing its rows gives" for name in differ]
    content = paired_content(manifest.rows_content, manifest.samples_content, pairer)
    if (content, samples.height, paired) != (manifest.content, manifest.samples, manifest.paired):
        faults.append("the pairings are not those that the manifest names")
    if not samples.equals(with_uses(table, pairer)):
        faults.append("samples.parquet: not what its records say and the pairings show")
    return faults


def _digesting(plan: Plan, shards: Iterable[pl.DataFrame], content: "hashlib._Hash") -> Iterator[pl.DataFrame]:
    """``shards`` as they are; once each has been measured, its row groups' digests are added to ``content``."""
    for shard in shards:
        yield shard
        for group in shard.iter_slices(ROW_GROUP):
            content.update(row_group_digest(codes_of(plan, group)).encode())


def measure(plan: Plan, rows: int, shards: Iterable[pl.DataFrame]) -> Quality:
    expansion, columns = Expansion(plan, rows), Columns(plan)
    cells = all_cells(plan.tables, 3 if plan.report["triples"] else 2)
    counts = np.zeros(cells.offsets[-1], np.int32)
    levels = np.zeros(plan.weights.shape, np.int64)
    broken_rules = broken_locks = not_of_plan = done = 0
    doubles = _Doubles(plan)
    due = np.array(expansion.quotas) >= plan.report["own"]["from"]
    own = own_pairs(plan.tables, plan.weights, plan.masks, due)
    for shard in shards:
        PersonaMatrix.validate(shard)
        found = codes_of(plan, shard)
        broken_rules += int(_breaks_rule(plan.tables, found).sum())
        broken_locks += int(_breaks_lock(plan, found).sum())
        not_of_plan += _differing(shard, columns.frame(expansion.codes(done, min(rows, done + shard.height))))
        doubles.add(found)
        count_cells(found.codes, plan.tables.cards, *cells, counts, 1)
        own[found.seeds, plan.tables.domain_of[found.codes[:, 0]], plan.tables.family_of[found.codes[:, 2]]] = False
        for axis in range(len(AXIS_NAMES)):
            levels[axis] += np.bincount(found.codes[:, axis], minlength=plan.weights.shape[1])
        done += shard.height
    promised = rows >= plan.base_rows
    (pairs, pairs_feasible), (triples, triples_feasible) = cells_covered(plan, "pairs"), cells_covered(plan, "triples")
    first_triple = int(cells.offsets[np.count_nonzero(cells.axes[:, 2] == NO_AXIS)])
    return Quality(
        rows=done,
        broken_rules=broken_rules,
        broken_locks=broken_locks,
        duplicates=doubles.count,
        not_of_plan=not_of_plan,
        pairs_feasible=pairs_feasible,
        pairs_certified=pairs if promised else 0,
        pairs_covered=int((counts[:first_triple] > 0).sum()),
        triples_feasible=triples_feasible,
        triples_certified=triples if promised else 0,
        triples_covered=int((counts[first_triple:] > 0).sum()),
        own_seeds=int(due.sum()),
        own_missed=int(own.sum()),
        distance=distances(plan, levels),
    )


def distances(plan: Plan, levels: npt.NDArray[np.int64]) -> dict[str, float]:
    found = {}
    for axis, name in enumerate(AXIS_NAMES):
        attainable = np.array([shares[1] for shares in plan.report["axes"][name]["levels"].values()])
        realised = levels[axis, : len(attainable)] / max(1, levels[axis].sum())
        found[name] = round(float(np.abs(realised - attainable).sum() / 2), 6)
    return found


def _breaks_rule(tables: Tables, rows: Rows) -> npt.NDArray[np.bool_]:
    s, u, t = rows.codes[:, 0], rows.codes[:, 1], rows.codes[:, 2]
    broken = (tables.scenario_state[s, u] == 0) | (tables.scenario_tone[s, t] == 0) | (tables.state_tone[u, t] == 0)
    broken |= tables.domain_state_family[tables.domain_of[s], u, tables.family_of[t]] == 0
    for axis, parent in enumerate(tables.parents.tolist()):
        if parent >= 0:
            broken |= tables.edges[axis, rows.codes[:, parent], rows.codes[:, axis]] == 0
    return np.asarray(broken)


def _breaks_lock(plan: Plan, rows: Rows) -> npt.NDArray[np.bool_]:
    broken = np.zeros(len(rows.seeds), np.bool_)
    for axis in range(len(AXIS_NAMES)):
        broken |= ~plan.masks[rows.seeds, axis, rows.codes[:, axis]]
    return broken


def _differing(found: pl.DataFrame, wanted: pl.DataFrame) -> int:
    """Rows of which any column is not what the plan gives; all of them where the columns are others."""
    if found.schema != wanted.schema:
        return max(found.height, wanted.height)
    if found.height != wanted.height:
        return abs(found.height - wanted.height)
    differ = [found[name].ne_missing(wanted[name]) for name in wanted.columns]
    return int(pl.select(pl.any_horizontal(differ).sum()).item())


class _Doubles:
    """Counts rows that occur twice.  Rows come seed by seed, so only the last seed of a shard is carried over."""

    def __init__(self, plan: Plan) -> None:
        self.count = 0
        self._cards = plan.tables.cards
        self._seed = -1
        self._keys = np.empty(0, np.uint64)

    def add(self, rows: Rows) -> None:
        keys = self._packed(rows)
        for seed, own in _by_seed(rows.seeds, keys):
            held = np.concatenate([self._keys, own]) if seed == self._seed else own
            unique = np.unique(held)
            self.count += len(held) - len(unique)
            self._seed, self._keys = seed, unique

    def _packed(self, rows: Rows) -> npt.NDArray[np.uint64]:
        """Mixed-radix number of a row's levels; the product of all cardinalities is far below 2^64."""
        packed = np.zeros(len(rows.codes), np.uint64)
        for axis, card in enumerate(self._cards.tolist()):
            packed = packed * np.uint64(card) + rows.codes[:, axis].astype(np.uint64)
        return packed


def _by_seed(
    seeds: npt.NDArray[np.uint32], keys: npt.NDArray[np.uint64]
) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
    starts = np.concatenate([[0], np.nonzero(np.diff(seeds))[0] + 1, [len(seeds)]])
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        if stop > start:
            yield int(seeds[start]), keys[start:stop]
