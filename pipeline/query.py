"""Answer SQL over a matrix, or write the answer to a file."""

import re
from collections.abc import Callable, Collection
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import UsageError
from pipeline.files import write_whole
from pipeline.wording import nearest

NO_COLUMN = re.compile('unable to find column "(.*?)"')
NO_LEVEL = re.compile('from `str` to `enum` failed for value "(.*)"')
ROWS_AT_ONCE = 16_384  # of scenes, 40 MB; a row group as large stays a good one
# By ending: how rows are written, and how they are read back to be counted.
WRITTEN: dict[str, tuple[Callable[[pl.LazyFrame, Path], object], Callable[[Path], pl.LazyFrame]]] = {
    ".parquet": (
        lambda rows, path: rows.sink_parquet(path, compression_level=3, row_group_size=ROWS_AT_ONCE),
        pl.scan_parquet,
    ),
    ".csv": (lambda rows, path: rows.sink_csv(path), pl.scan_csv),
    ".jsonl": (lambda rows, path: rows.sink_ndjson(path), pl.scan_ndjson),
}


def answer(rows: pl.LazyFrame, sql: str) -> pl.DataFrame:
    """The answer to a polars SQL query over the table ``personas``."""
    try:
        return pl.SQLContext(personas=rows).execute(sql, eager=True)
    except PolarsError as error:
        raise UsageError(f"{sql!r}: {problem(error, rows)}") from error


def write_answer(rows: pl.LazyFrame, sql: str, path: Path) -> int:
    """Write the answer to ``path``, as Parquet, CSV or JSON lines by its ending, without holding it whole; its rows.

    Parquet is compressed with zstd at level 3.
    """
    if path.suffix not in WRITTEN:
        raise UsageError(f"--to {path}: the ending must be one of {', '.join(WRITTEN)}")
    write, scan = WRITTEN[path.suffix]
    try:
        found = pl.SQLContext(personas=rows).execute(sql)
        with pl.Config() as config:
            config.set_streaming_chunk_size(ROWS_AT_ONCE)
            write_whole(path, lambda temporary: write(found, temporary))
        return int(scan(path).select(pl.len()).collect().item())
    except PolarsError as error:
        raise UsageError(f"{sql!r}: {problem(error, rows)}") from error


def problem(error: PolarsError, rows: pl.LazyFrame, asked: Collection[str] | None = None) -> str:
    """What polars found wrong, without the plan it prints after it; of a name that there is not, which there is.

    ``asked``: the columns that the query names, where that is known; levels are looked for in these alone.
    """
    told = str(error).strip().split("\n", 1)[0]
    schema = rows.collect_schema()
    if (column := NO_COLUMN.search(told)) is not None:
        return f"there is no column {column[1]!r}. {nearest(column[1], schema)}"
    if (level := NO_LEVEL.search(told)) is not None:
        enums = [dtype for name, dtype in schema.items() if isinstance(dtype, pl.Enum) and (not asked or name in asked)]
        return (
            f"there is no level {level[1]!r}. {nearest(level[1], {each for enum in enums for each in enum.categories})}"
        )
    return told
