"""Choose personas for a pack: those of an SQL expression, as many different people as there are."""

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import UsageError
from pipeline.plan import Plan
from pipeline.query import first_line
from pipeline.scene_parts import SceneSettings
from pipeline.scenes import deployable
from pipeline.store import Version


def where(rows: pl.LazyFrame, expression: str | None) -> pl.LazyFrame:
    """``rows`` for which a polars SQL expression holds."""
    if expression is None:
        return rows
    try:
        return rows.filter(pl.sql_expr(expression))
    except PolarsError as error:
        raise UsageError(f"--where {expression!r}: {first_line(error)}") from error


def chosen(rows: pl.LazyFrame, plan: Plan, expression: str | None, limit: int, settings: SceneSettings) -> pl.DataFrame:
    """At most ``limit`` personas that an app can hold: first one of each seed, then the second of each, and so on."""
    fitting = where(rows, expression)
    return _spread(rows, deployable(fitting, plan) if settings.frame == "deploy" else fitting, expression, limit)


def chosen_paired(version: Version, expression: str | None, limit: int) -> pl.DataFrame:
    """At most ``limit`` personas with their pairings; the expression may name columns of both."""
    rows = version.scan().join(version.scan_pairings(), on="persona_id", maintain_order="left")
    return _spread(rows, where(rows, expression), expression, limit)


def _spread(rows: pl.LazyFrame, fitting: pl.LazyFrame, expression: str | None, limit: int) -> pl.DataFrame:
    """Of ``fitting``, in id order: first one of each seed, then the second of each, and so on."""
    turn = pl.int_range(pl.len(), dtype=pl.UInt32).over("seed_id").alias("_turn")
    try:
        picked = (
            fitting.select("persona_id", "seed_id").with_columns(turn).sort("_turn", "persona_id").head(limit).collect()
        )
        found = rows.filter(pl.col("persona_id").is_in(picked["persona_id"].implode())).collect()
    except PolarsError as error:
        raise UsageError(f"--where {expression!r}: {first_line(error)}") from error
    return found.sort("persona_id")
