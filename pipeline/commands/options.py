"""Options that several commands share, and what they name."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.config import read_config
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.store import Version

ConfigOption = Annotated[Path | None, typer.Option("-c", "--config", help="Run settings; default ./personas.toml.")]
RowsOption = Annotated[int | None, typer.Option("--rows", help="Rows of the matrix.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder of plans and versions; default data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
FrameOption = Annotated[
    Literal["deploy", "scene"], typer.Option("--frame", help="deploy: before the call; scene: state and situation too.")
]
PlanOption = Annotated[Path | None, typer.Option("--plan", help="A plan file; default the current matrix's.")]


def refuse_unknown(option: str, name: str, registry: Collection[str]) -> None:
    if name not in registry:
        raise UsageError(f"{option} {name}: not known; choose one of {', '.join(sorted(registry))}")


def matrix_at(out: Path | None) -> "Version":
    from pipeline.store import current_version

    return current_version(read_config(None, out=out).out)
