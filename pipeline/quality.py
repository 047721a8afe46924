"""Hold a matrix against its plan: rules, locks, doubles, coverage, balance.

The rules are checked from the stored columns by table lookup, not by decoding again, so that a fault in the decoder
would show.  A process has one shard in memory at a time.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from dataframely.exc import SchemaError, ValidationError
from tqdm import tqdm

from pipeline.axes import AXIS_NAMES
from pipeline.config import ROW_GROUP
from pipeline.coverage import NO_AXIS, all_cells, own_pairs
from pipeline.errors import BrokenVersion
from pipeline.kernel import count_cells
from pipeline.matrix import Expansion, Rows, codes_of
from pipeline.pairing import Pairer, samples_digest, samples_table
from pipeline.persona_matrix import PersonaMatrix
from pipeline.plan import Plan, cells_covered
from pipeline.plan_file import read_plan
from pipeline.rules import Tables
from pipeline.store import OF_PAIRINGS, Version, file_faults, paired_content, row_group_digest, with_uses
from pipeline.wording import counted
from pipeline.workers import worker_pool

SHARDS_A_PROCESS = 8  # two million rows, five seconds: a process takes two to start


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
        counts = [
            (self.broken_rules, "row that breaks a rule", "rows that break a rule"),
            (self.broken_locks, "row that breaks a lock", "rows that break a lock"),
            (self.duplicates, "row that occurs twice", "rows that occur twice"),
            (self.not_of_plan, "row that is not its plan's", "rows that are not their plan's"),
            (max(0, self.pairs_certified - self.pairs_covered), *_missing("certified pair")),
            (max(0, self.triples_certified - self.triples_covered), *_missing("certified triple")),
            (
                self.own_missed,
                "pair of domain and tone family that its seed has no row in",
                "pairs of domain and tone family that their seed has no row in",
            ),
        ]
        return [counted(count, one, many) for count, one, many in counts if count]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _missing(what: str) -> tuple[str, str]:
    return f"{what} that no row has", f"{what}s that no row has"


def verify(version: Version, workers: int = 1, progress: bool = False) -> tuple[list[str], Quality | None]:
    """Every fault of a stored version; the figures where its files can be read at all."""
    faults = file_faults(version)
    if faults:
        return faults, None
    plan, content, manifest = version.plan(), hashlib.sha256(), version.manifest
    if plan.id != manifest.plan:
        return [f"plan.json is plan {plan.id}, not {manifest.plan}"], None

    def told() -> Iterator[Tally]:
        with tqdm(total=manifest.rows, unit="row", unit_scale=True, delay=2, disable=not progress) as bar:
            for one in tallies(version, plan, workers):
                content.update("".join(one.digests).encode())
                yield one
                bar.update(one.rows)

    try:
        quality = measure(plan, manifest.rows, told())
    except BrokenVersion as error:
        return [str(error)], None
    if quality.rows != manifest.rows:
        faults.append(f"{counted(quality.rows, 'row')}, not {manifest.rows:,}")
    faults += quality.faults()
    if not faults and content.hexdigest() != manifest.rows_content:
        faults.append(f"the content of the rows is {content.hexdigest()[:12]}, not {manifest.rows_content[:12]}")
    if not faults and manifest.samples_content is not None:
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


@dataclass(frozen=True)
class Tally:
    """What one shard adds to the figures of a matrix."""

    rows: int
    broken_rules: int
    broken_locks: int
    not_of_plan: int
    duplicates: int
    cells: npt.NDArray[np.uint8]  # a bit for each cell of `all_cells` that has a row: 0.3 MB of all triples
    levels: npt.NDArray[np.int64]  # (axes, levels)
    seeds: slice  # ordinals from the least to the greatest
    own: npt.NDArray[np.bool_]  # (those seeds, domains, tone families): some row has both
    ends: tuple["Keys", ...]  # of the first and the last seed, which the shards beside this one may go on with
    digests: tuple[str, ...]  # of the row groups


class Keys(NamedTuple):
    """The different rows of a seed, each as one number."""

    seed: int
    rows: npt.NDArray[np.uint64]


def tally(expansion: Expansion, shard: pl.DataFrame, start: int) -> Tally:
    """Hold rows from ``start`` on against the plan.  Raises BrokenVersion where they cannot be a matrix's at all."""
    plan, tables = expansion.plan, expansion.plan.tables
    try:
        PersonaMatrix.validate(shard)
    except (SchemaError, ValidationError) as error:
        raise BrokenVersion(f"rows that no persona matrix may have: {error}") from None
    found = codes_of(plan, shard)
    cells = all_cells(tables, _strength(plan))
    counts = np.zeros(cells.offsets[-1], np.int32)
    count_cells(np.ascontiguousarray(found.codes.T), tables.cards, *cells, counts, 1)
    first, last = (int(found.seeds.min()), int(found.seeds.max())) if shard.height else (0, -1)
    own = np.zeros((last + 1 - first, *_own_shape(tables)), np.bool_)
    own[found.seeds - first, tables.domain_of[found.codes[:, 0]], tables.family_of[found.codes[:, 2]]] = True
    width = plan.weights.shape[1]
    duplicates, ends = _doubles(tables, found)
    wanted = expansion.columns.frame(expansion.codes(start, min(expansion.rows, start + shard.height)))
    return Tally(
        rows=shard.height,
        broken_rules=int(_breaks_rule(tables, found).sum()),
        broken_locks=int(_breaks_lock(plan, found).sum()),
        not_of_plan=_differing(shard, wanted),
        duplicates=duplicates,
        cells=np.packbits(counts > 0),
        levels=np.array([np.bincount(found.codes[:, axis], minlength=width) for axis in range(len(AXIS_NAMES))]),
        seeds=slice(first, last + 1),
        own=own,
        ends=ends,
        digests=tuple(row_group_digest(group) for group in _row_groups(found)),
    )


def tallies(version: Version, plan: Plan, workers: int = 1) -> Iterator[Tally]:
    """Of each shard in order, made by as many processes as have eight shards each."""
    files = [file for file in version.manifest.files if file.path.startswith("shards/")]
    starts = accumulate((file.rows or 0 for file in files), initial=0)
    shards = [(version.folder / file.path, start) for file, start in zip(files, starts, strict=False)]
    processes, rows = min(workers, len(files) // SHARDS_A_PROCESS), version.manifest.rows
    if processes < 2:
        expansion = Expansion(plan, rows)
        yield from (tally(expansion, pl.read_parquet(path), start) for path, start in shards)
        return
    of_all = version.folder / "plan.json", plan.id, rows
    with worker_pool(processes) as pool, ThreadPoolExecutor(processes) as threads:
        yield from threads.map(lambda shard: pool.run(_tally_file, *of_all, *shard), shards)


def _tally_file(plan_path: Path, plan_id: str, rows: int, path: Path, start: int) -> Tally:
    return tally(_expansion(plan_path, plan_id, rows), pl.read_parquet(path), start)


@lru_cache(maxsize=1)
def _expansion(plan_path: Path, plan_id: str, rows: int) -> Expansion:
    """``plan_id`` is there for the cache: another plan may come to stand at the same path."""
    return Expansion(read_plan(plan_path), rows)


def measure(plan: Plan, rows: int, found: Iterable[Tally]) -> Quality:
    """The figures of a matrix of ``rows`` from those of its shards, in order."""
    expansion = Expansion(plan, rows)
    cells = all_cells(plan.tables, _strength(plan))
    met, levels = np.packbits(np.zeros(cells.offsets[-1], np.bool_)), np.zeros(plan.weights.shape, np.int64)
    due = np.array(expansion.quotas) >= plan.report["own"]["from"]
    own = own_pairs(plan.tables, plan.weights, plan.masks, due)
    done = broken_rules = broken_locks = not_of_plan = duplicates = 0
    held = Keys(-1, np.empty(0, np.uint64))
    for one in found:
        done += one.rows
        broken_rules += one.broken_rules
        broken_locks += one.broken_locks
        not_of_plan += one.not_of_plan
        duplicates += one.duplicates
        met |= one.cells
        levels += one.levels
        own[one.seeds] &= ~one.own
        for seed, keys in one.ends:
            both = np.concatenate([held.rows, keys]) if seed == held.seed else keys
            held = Keys(seed, _distinct(both))
            duplicates += len(both) - len(held.rows)
    is_met, promised = np.unpackbits(met, count=int(cells.offsets[-1])), rows >= plan.base_rows
    (pairs, pairs_feasible), (triples, triples_feasible) = cells_covered(plan, "pairs"), cells_covered(plan, "triples")
    first_triple = int(cells.offsets[np.count_nonzero(cells.axes[:, 2] == NO_AXIS)])
    return Quality(
        rows=done,
        broken_rules=broken_rules,
        broken_locks=broken_locks,
        duplicates=duplicates,
        not_of_plan=not_of_plan,
        pairs_feasible=pairs_feasible,
        pairs_certified=pairs if promised else 0,
        pairs_covered=int(is_met[:first_triple].sum()),
        triples_feasible=triples_feasible,
        triples_certified=triples if promised else 0,
        triples_covered=int(is_met[first_triple:].sum()),
        own_seeds=int(due.sum()),
        own_missed=int(own.sum()),
        distance=distances(plan, levels),
    )


def _row_groups(rows: Rows) -> Iterator[Rows]:
    for first in range(0, len(rows.seeds), ROW_GROUP):
        own = slice(first, first + ROW_GROUP)
        yield Rows(rows.seeds[own], rows.variants[own], rows.codes[own])


def _strength(plan: Plan) -> int:
    return 3 if plan.report["triples"] else 2


def _own_shape(tables: Tables) -> tuple[int, int]:
    domains, _, families = tables.domain_state_family.shape
    return domains, families


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


def _doubles(tables: Tables, rows: Rows) -> tuple[int, tuple[Keys, ...]]:
    """How many rows occur twice, and the keys of the first and the last seed.  Rows come seed by seed."""
    packed = _packed(tables, rows)
    starts = np.concatenate([[0], np.nonzero(np.diff(rows.seeds))[0] + 1, [len(packed)]]).tolist()
    runs = [
        Keys(int(rows.seeds[start]), _distinct(packed[start:stop])) for start, stop in pairwise(starts) if stop > start
    ]
    return len(packed) - sum(len(run.rows) for run in runs), tuple(runs[:1] + runs[1:][-1:])


def _distinct(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Each of ``keys`` once, ascending.  numpy's `unique` hashes them: five times as long, fifty where they come as two
    ascending runs, which a stable sort only merges."""
    ordered = np.sort(keys, kind="stable")
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[first])


def _packed(tables: Tables, rows: Rows) -> npt.NDArray[np.uint64]:
    """Mixed-radix number of a row's levels; the product of all cardinalities is far below 2^64."""
    packed = np.zeros(len(rows.codes), np.uint64)
    for axis, card in enumerate(tables.cards.tolist()):
        packed = packed * np.uint64(card) + rows.codes[:, axis].astype(np.uint64)
    return packed
