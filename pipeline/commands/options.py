"""Options that several commands share, and what they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.config import Frame, read_config

if TYPE_CHECKING:
    from pipeline.store import Version

ConfigOption = Annotated[Path | None, typer.Option("-c", "--config", help="Run settings; default ./personas.toml.")]
RowsOption = Annotated[int | None, typer.Option("--rows", help="Rows of the matrix.")]
# --out of `export` is the pack, so there the folder has only its second name, which every command takes.
DATA = "Folder of plans and versions; default data."
OutOption = Annotated[Path | None, typer.Option("--out", "--data", help=DATA)]
DataOption = Annotated[Path | None, typer.Option("--data", help=DATA)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
FrameOption = Annotated[Frame, typer.Option("--frame", help="deploy: before the call; scene: state and situation too.")]
PlanOption = Annotated[Path | None, typer.Option("--plan", help="A plan file; default the current matrix's.")]


def matrix_at(out: Path | None) -> "Version":
    """The current matrix in ``out``, which is --out; the run's own folder where it is not given."""
    from pipeline.store import current_version

    return current_version(read_config(None, out=out).out)
