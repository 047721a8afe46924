"""What a person or a program sees of a command: answers on standard output, all else on standard error."""

import json
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from polars import DataFrame

WHOLE_IDS = 1_000  # columns of a table that is not folded: what it names is copied into other commands

# Texts of seeds and names of files are data: "a[1]" is printed as it is, and so is ":ship:".
console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
notes = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table  # three commands print tables: the others start without

    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_rows(rows: "DataFrame", width: int) -> None:
    import polars as pl

    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True,
                   tbl_width_chars=width, fmt_str_lengths=60):  # fmt: skip
        console.print(str(rows))


def print_wrapped(text: str) -> None:
    """A long line below what it belongs to, broken at blanks."""
    margin = "    "
    console.print(
        fill(text, console.width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False,
             break_long_words=False)
    )  # fmt: skip


def print_json(document: object) -> None:
    print(json.dumps(document, ensure_ascii=False, default=str))
