"""The columns that a query can name: what each means, and the levels or numbers that it may hold."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from pipeline.matrix import level_enums
from pipeline.persona_matrix import PersonaMatrix
from pipeline.plan import Plan


class ListedColumn(NamedTuple):
    """``levels`` in their order, ``least`` and ``most`` where it holds numbers that are declared to lie between."""

    name: str
    about: str
    levels: Sequence[str] | None
    least: int | None
    most: int | None


def listed_columns(plan: Plan) -> list[ListedColumn]:
    """The columns of a matrix under ``plan``, in their order."""
    enums: dict[str, pl.Enum] = level_enums(plan)
    return [
        ListedColumn(
            name,
            column.description or "",
            enums[name].categories.to_list() if name in enums else None,
            getattr(column, "min", None),
            getattr(column, "max", None),
        )  # fmt: skip
        for name, column in PersonaMatrix.columns().items()
    ]
