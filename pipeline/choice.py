"""Choose personas for a pack: those of an SQL expression that an audience may hear, then the best, or the most diverse.

    fitting     `where`, over columns of the matrix and SEED_COLUMNS
    held        of those that an app cannot tell apart before the call, one
    admitted    what the audience may hear
    picked      one of each seed, then the second of each, …; of `like`, the best seeds first, each in its best tones
    diverse     of those, or of all, the ones that differ most

The same matrix and settings give the same choice, in whatever order its rows come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from polars.exceptions import PolarsError

from pipeline.config import Audience, PackConfig
from pipeline.errors import UsageError
from pipeline.matrix import level_enums
from pipeline.plan import Plan
from pipeline.query import problem
from pipeline.scenes import deployable
from pipeline.seed_columns import SEED_COLUMNS, seed_table
from pipeline.seeds import Seed
from pipeline.wording import agreeing, counted, nearest

LIMIT = 100
POOL = 10  # of the best, so many times as are asked for are enough to differ, and few enough to be the best
CANDIDATES = 200_000  # more are thinned before they are compared: 100 picks of so many take half a second of one core
LIKENESS = "likeness"
# Each audience hears what is made for it and for those before it, but children hear only what is made for them.
AUDIENCES: tuple[Audience, ...] = ("children", "general", "mature")


@dataclass(frozen=True)
class Choice:
    """Whole rows in their order, with LIKENESS where it was asked for, and what is to be said of them."""

    rows: pl.DataFrame
    notes: tuple[str, ...] = ()


def choose(rows: pl.LazyFrame, plan: Plan, seeds: Sequence[Seed], asked: PackConfig, one_of_alike: bool) -> Choice:
    """The personas of ``rows`` that ``asked`` asks for; with ``one_of_alike`` only those that an app can tell apart.

    Raises UsageError for an expression that is none, or where nothing is left.
    """
    of_seeds = seed_table(seeds)
    fitting = where(rows, of_seeds, asked.where)
    held = deployable(fitting, plan) if one_of_alike else fitting
    allowed = _allowed(plan, of_seeds, asked.audience)
    try:
        admitted = held.filter(allowed)
        notes: list[str] = []
        if asked.like is not None:
            admitted = _alike(admitted, asked.like, plan, seeds)
        if asked.diverse is None:
            picked = _in_turn(admitted, asked.limit or LIMIT, asked.like is not None)
            wanted = asked.limit or LIMIT
        else:
            picked, told = _diverse(admitted, of_seeds, plan, asked)
            wanted = asked.diverse
            notes += [] if picked.is_empty() else [told]
        if picked.height < wanted:
            notes += _left_out(held, plan, of_seeds, asked)
        if picked.is_empty():
            raise UsageError("; ".join(_nothing(held.filter(allowed), asked, notes)))
        met = rows.filter(pl.col("persona_id").is_in(picked["persona_id"].implode())).collect()
    except PolarsError as error:
        named = pl.sql_expr(asked.where).meta.root_names() if asked.where is not None else ()
        raise UsageError(f"--where {asked.where!r}: {problem(error, rows, named)}") from error
    return Choice(picked.join(met, on="persona_id", maintain_order="left").select(*met.columns, *picked.columns[1:]),
                  tuple(notes))  # fmt: skip


def where(rows: pl.LazyFrame, of_seeds: pl.DataFrame, expression: str | None) -> pl.LazyFrame:
    """``rows`` for which a polars SQL expression over their columns and those of their seeds holds."""
    if expression is None:
        return rows
    try:
        condition = pl.sql_expr(expression)
        own = rows.collect_schema().names()
        asked = set(condition.meta.root_names())
        for name in sorted(asked - {*own, *SEED_COLUMNS}):
            known = nearest(name, [*own, *SEED_COLUMNS])
            raise UsageError(f"--where {expression!r}: there is no column {name!r}. {known}")
        of_seed = [name for name in SEED_COLUMNS if name in asked]
        if not of_seed:
            return rows.filter(condition)
        joined = rows.join(of_seeds.lazy().select("seed_id", *of_seed), on="seed_id", how="left", maintain_order="left")
        return joined.filter(condition).select(own)
    except PolarsError as error:
        raise UsageError(f"--where {expression!r}: {problem(error, rows)}") from error


def _needs(plan: Plan, of_seeds: pl.DataFrame) -> dict[Audience, pl.Expr]:
    """For each audience, whether a row is made for it: the strictest of its scenario's and its seed's."""
    scenarios = {
        audience: [scenario.id for scenario in plan.axes.scenario if scenario.audience == audience]
        for audience in AUDIENCES
    }
    rated = of_seeds.filter(rating="mature")["seed_id"].implode()
    mature = pl.col("seed_id").is_in(rated) | pl.col("scenario").is_in(scenarios["mature"])
    for_children = pl.col("scenario").is_in(scenarios["children"]) & ~mature
    return {"children": for_children, "general": ~mature & ~for_children, "mature": mature}


def _allowed(plan: Plan, of_seeds: pl.DataFrame, audience: Audience) -> pl.Expr:
    needs = _needs(plan, of_seeds)
    heard = AUDIENCES[: AUDIENCES.index(audience) + 1]
    return pl.any_horizontal(needs[one] for one in heard)


def _left_out(held: pl.LazyFrame, plan: Plan, of_seeds: pl.DataFrame, asked: PackConfig) -> list[str]:
    """What the audience kept out, and which audience would let it in."""
    needs = _needs(plan, of_seeds)
    told = []
    for audience in AUDIENCES[AUDIENCES.index(asked.audience) + 1 :]:
        kept = held.filter(needs[audience]).select(pl.len(), pl.col("seed_id").n_unique()).collect()
        personas, seeds = kept.row(0)
        rated = "rated mature" if audience == "mature" else "not for children"
        if personas:
            of = f"{counted(personas, 'persona')} of {counted(seeds, 'seed')} {agreeing(personas, 'is', 'are')}"
            told.append(f"{of} {rated}; --audience {audience} lets them in")
    return told


def _nothing(admitted: pl.LazyFrame, asked: PackConfig, notes: Sequence[str]) -> list[str]:
    """Why a choice is empty, and what may be done about it."""
    if asked.like is None:
        fits = f"--audience {asked.audience}" if asked.where is None else f"--where {asked.where!r}"
        return [f"no persona fits {fits}", *(notes or ["take clauses away until one does"])]
    from pipeline.ranking import langs_of

    among = "" if asked.where is None else f" that fits --where {asked.where!r}"
    said = f"no persona{among} has a word of --like {asked.like!r}"
    there = admitted.select(pl.col("lang").unique().sort().cast(pl.String)).collect()["lang"].to_list()
    if there and not set(langs_of(asked.like)) & set(there):
        return [said, f"those there are speak {' and '.join(there)}: ask in their language", *notes]
    return [said, *(notes or ["try others, or more of them"])]


def _alike(rows: pl.LazyFrame, query: str, plan: Plan, seeds: Sequence[Seed]) -> pl.LazyFrame:
    """``rows`` of the seeds that have a word of the query, with LIKENESS; where no seed has, those whose tone has.

    A seed alone has no tone, so how well the row's tone fits is added to how well its seed does.  Most seeds have rows
    in most tones: that settles which of a seed's rows is taken, and leaves the order of seeds to what they say.
    """
    from pipeline.ranking import ranked  # half a second to import

    found, enums = ranked(query, seeds, plan.axes), level_enums(plan)
    langs, tones = [lang for lang, _ in found.tones], [tone for _, tone in found.tones]
    schema = {"lang": enums["lang"], "tone": enums["tone"], "_tone": pl.Float64()}
    of_tones = pl.LazyFrame({"lang": langs, "tone": tones, "_tone": list(found.tones.values())}, schema)
    of_seeds = pl.LazyFrame(
        {"seed_id": list(found.seeds), "_seed": list(found.seeds.values())}, {"seed_id": pl.String, "_seed": pl.Float64}
    )
    scored = (
        rows.join(of_tones, on=["lang", "tone"], how="left", maintain_order="left")
        .join(of_seeds, on="seed_id", how="left", maintain_order="left")
        .with_columns(pl.sum_horizontal("_seed", "_tone").alias(LIKENESS))
    )
    met = scored.filter(pl.col("_seed").is_not_null())
    either = scored.filter(pl.col(LIKENESS) > 0) if met.head(1).collect().is_empty() else met
    return either.drop("_seed", "_tone")


def _in_turn(rows: pl.LazyFrame, limit: int, scored: bool) -> pl.DataFrame:
    """One of each seed, then the second of each, and so on: persona_id, and LIKENESS where that is what goes first."""
    turn = pl.int_range(pl.len(), dtype=pl.UInt32).over("seed_id").alias("_turn")
    if not scored:
        in_order = rows.select("persona_id", "seed_id").sort("persona_id").with_columns(turn)
        return in_order.sort("_turn", "persona_id").head(limit).select("persona_id").sort("persona_id").collect()
    best = rows.select("persona_id", "seed_id", LIKENESS).sort(LIKENESS, "persona_id", descending=[True, False])
    in_order = best.with_columns(turn).sort("_turn", LIKENESS, "persona_id", descending=[False, True, False])
    return in_order.head(limit).select("persona_id", LIKENESS).collect()


def _diverse(rows: pl.LazyFrame, of_seeds: pl.DataFrame, plan: Plan, asked: PackConfig) -> tuple[pl.DataFrame, str]:
    """The personas that differ most, the most typical first, and of how many they were picked."""
    from pipeline.diversity import FEATURES, farthest_first, features

    count = asked.diverse or 0
    limit = asked.limit or (None if asked.like is None else POOL * count)
    chosen = None if limit is None else _in_turn(rows, limit, asked.like is not None)
    pool = rows if chosen is None else rows.filter(pl.col("persona_id").is_in(chosen["persona_id"].implode()))
    known = of_seeds.lazy().select("seed_id", *(name for name in FEATURES if name in SEED_COLUMNS))
    pool = pool.join(known, on="seed_id", how="left").select("persona_id", *FEATURES).sort("persona_id")
    fitting = int(rows.select(pl.len()).collect().item()) if chosen is None else chosen.height
    taken = counted(min(count, fitting), "that differs", "that differ")
    told = f"the {taken} most of {counted(min(fitting, CANDIDATES), 'candidate')}"
    if fitting > CANDIDATES:
        # Of n in order of id, exactly as many as are wanted, evenly apart: where ⌊i · wanted / n⌋ steps up.
        pool = pool.filter((pl.int_range(pl.len(), dtype=pl.Int64) * CANDIDATES) % fitting < CANDIDATES)
        told += f", taken evenly from the {fitting:,} that fit"
    candidates = pool.collect()
    if candidates.is_empty():
        return candidates.select("persona_id"), told
    picked = candidates[farthest_first(features(candidates, plan.axes, asked.frame), count)].select("persona_id")
    if chosen is None:
        return picked, told
    return picked.join(chosen, on="persona_id", maintain_order="left"), told
