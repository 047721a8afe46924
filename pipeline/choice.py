"""Choose personas from a matrix: by SQL, and for a pack as many different people as there are."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import UsageError
from pipeline.files import write_whole
from pipeline.plan import Plan
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


def query(rows: pl.LazyFrame, sql: str) -> pl.DataFrame:
    """The answer to a polars SQL query over the table ``personas``."""
    try:
        return pl.SQLContext(personas=rows).execute(sql, eager=True)
    except PolarsError as error:
        raise UsageError(f"{sql!r}: {first_line(error)}") from error


def write_answer(rows: pl.LazyFrame, sql: str, path: Path) -> int:
    """Write the answer to ``path``, as Parquet, CSV or JSON lines by its ending, without holding it whole; its rows.

    Parquet is compressed with zstd at level 3.
    """
    if path.suffix not in WRITTEN:
        raise UsageError(f"--to {path}: the ending must be one of {', '.join(WRITTEN)}")
    try:
        answer = pl.SQLContext(personas=rows).execute(sql)
        height = pl.len().alias("rows")
        with pl.Config() as config:
            config.set_streaming_chunk_size(ROWS_AT_ONCE)
            write_whole(path, lambda temporary: WRITTEN[path.suffix][0](answer, temporary))
        return int(WRITTEN[path.suffix][1](path).select(height).collect().item())
    except PolarsError as error:
        raise UsageError(f"{sql!r}: {first_line(error)}") from error


ROWS_AT_ONCE = 16_384  # of scenes, 40 MB; a row group as large stays a good one
WRITTEN: dict[str, tuple[Callable[[pl.LazyFrame, Path], object], Callable[[Path], pl.LazyFrame]]] = {
    ".parquet": (
        lambda rows, path: rows.sink_parquet(path, compression_level=3, row_group_size=ROWS_AT_ONCE),
        pl.scan_parquet,
    ),
    ".csv": (lambda rows, path: rows.sink_csv(path), pl.scan_csv),
    ".jsonl": (lambda rows, path: rows.sink_ndjson(path), pl.scan_ndjson),
}


def first_line(error: Exception) -> str:
    """What polars found wrong, without the plan it prints after it."""
    return str(error).strip().split("\n", 1)[0]
