"""Personas, looked at: `show`, `preview`, `query`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.commands.options import FrameOption, JsonOption, OutOption, PlanOption, matrix_at
from pipeline.config import SceneSettings, read_config
from pipeline.errors import UsageError
from pipeline.terminal import console, print_json, print_rows, print_wrapped
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.packs.persona import Persona
    from pipeline.plan import Plan
    from pipeline.seeds import Seed

app = typer.Typer()


@app.command(epilog="Example: personas show 4294967296 --as stepfun-realtime")
def show(
    persona_id: Annotated[int, typer.Argument(help="An id from the matrix.")],
    as_: Annotated[str | None, typer.Option("--as", help="Print the session config for this target instead.")] = None,
    frame: FrameOption = "deploy",
    plan: PlanOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """One persona with its scene, computed from the plan alone."""
    from pipeline.documents import refuse_unknown
    from pipeline.packs.shortening import fitted
    from pipeline.packs.targets import TARGETS

    if as_ is not None:
        refuse_unknown("--as", [as_], TARGETS)
    row, persona = _persona(persona_id, SceneSettings(frame=frame), plan, out)
    if as_ is not None:
        target = TARGETS[as_]
        print_json(target.export(fitted(persona, target.limit)[0], target.models[0]))
    elif as_json:
        print_json({**row, "scene": persona.scene})
    else:
        facts = " · ".join(f"{name} {value}" for name, value in row.items() if value is not None)
        console.print(f"{facts}\n\n{persona.scene}")


@app.command(epilog="Example: personas preview 4294967296 --line 2 --wav line.wav")
def preview(
    persona_id: Annotated[int, typer.Argument(help="An id from the matrix.")],
    line: Annotated[
        Literal["greeting", "1", "2", "3"], typer.Option("--line", help="The greeting, or an answer of the seed's.")
    ] = "greeting",
    wav: Annotated[
        Path | None, typer.Option("--wav", help="Speak it offline, by espeak-ng, into this .wav file.")
    ] = None,
    plan: PlanOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """How a persona reads a line: plain, with a director's marks in each notation, and as sound."""
    from pipeline.readings.preview import previewed
    from pipeline.speech import spoken, write_wav

    if wav is not None and wav.suffix.lower() != ".wav":
        raise UsageError(f"--wav {wav}: the ending must be .wav")
    _, persona = _persona(persona_id, SceneSettings(), plan, out)
    shown = previewed(persona, line)
    if wav is not None:
        write_wav(spoken(shown["ssml"], persona.seed.lang, persona.seed.gender), wav)
    if as_json:
        print_json({"persona_id": persona_id, "line": line, **shown, "wav": str(wav) if wav else None})
        return
    for notation, text in shown.items():
        console.print(f"{notation}\n  {text}\n")
    if wav is not None:
        console.print(str(wav))


@app.command(
    epilog='Example: personas query "SELECT persona_id, tone, scene FROM personas LIMIT 1000" --to scenes.parquet'
)
def query(
    sql: Annotated[
        str | None,
        typer.Argument(help="polars SQL over the table personas; scene is a column too.  Without it: what columns."),
    ] = None,
    virtual: Annotated[int | None, typer.Option("--virtual", min=1, help="Rows of a matrix never stored.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write it to this .parquet, .csv or .jsonl file.")] = None,
    frame: FrameOption = "deploy",
    plan: PlanOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Query the current matrix, or with --virtual one that is computed while it is read.

    Without SQL it lists the columns of the matrix with their levels, for a query and for --where of export.
    """
    from pipeline.plan_file import read_plan
    from pipeline.query import answer, write_answer
    from pipeline.scenes import with_scenes
    from pipeline.virtual import virtual_matrix

    if sql is None:
        if to is not None or virtual is not None:
            raise UsageError("--to and --virtual go with a query; without one, the columns are listed")
        _list_columns(matrix_at(out).plan() if plan is None else read_plan(plan), as_json)
        return
    settings = SceneSettings(frame=frame)
    if re.search(r"\bscene\b", sql):
        frozen, seeds = _plan_and_seeds(plan, out)
        rows = (
            with_scenes(matrix_at(out).scan(), frozen, seeds, settings)
            if virtual is None
            else virtual_matrix(frozen, virtual, seeds, settings)
        )
    elif virtual is None:
        rows = matrix_at(out).scan()
    else:
        rows = virtual_matrix(matrix_at(out).plan() if plan is None else read_plan(plan), virtual)
    if to is not None:
        height = write_answer(rows, sql, to)
        if as_json:
            print_json({"rows": height, "file": str(to)})
        else:
            console.print(f"{counted(height, 'row')}, {to.stat().st_size / 1e6:,.1f} MB: {to}")
        return
    found = answer(rows, sql)
    if as_json:
        print_json(found.to_dicts())
        return
    print_rows(found, console.width)
    console.print(counted(found.height, "row"))


def _list_columns(plan: "Plan", as_json: bool) -> None:
    from pipeline.column_list import listed_columns
    from pipeline.seed_columns import SEED_COLUMNS

    columns = listed_columns(plan)
    of_seeds = {name: column.about for name, column in SEED_COLUMNS.items()}
    if as_json:
        print_json({"columns": [column._asdict() for column in columns], "seed_columns": of_seeds})
        return
    for column in columns:
        bounds = f"  {column.least} to {column.most}." if column.least is not None else ""
        console.print(f"{column.name}: {column.about}{bounds}")
        if column.levels is not None:
            print_wrapped(", ".join(column.levels))
    console.print("\nColumns of seeds, which --where of export may name too:")
    for name, about in of_seeds.items():
        console.print(f"{name}: {about}")


def _plan_and_seeds(plan: Path | None, out: Path | None) -> "tuple[Plan, list[Seed]]":
    """A plan and the seeds it was made of: of the current version, or a plan file with the seeds of the run."""
    from pipeline.build import hold_against
    from pipeline.plan_file import read_plan
    from pipeline.seeds import load_seeds

    if plan is None:
        version = matrix_at(out)
        return version.plan(), version.seeds()
    frozen, seeds = read_plan(plan), load_seeds(read_config(None).seed_paths)
    hold_against(frozen, seeds, plan)
    return frozen, seeds


def _persona(
    persona_id: int, settings: SceneSettings, plan: Path | None, out: Path | None
) -> "tuple[dict[str, Any], Persona]":
    """One row of the matrix, and the persona it makes."""
    from pipeline.matrix import Columns, persona_rows
    from pipeline.packs.persona import personas
    from pipeline.plan import split_id

    frozen, seeds = _plan_and_seeds(plan, out)
    rows = Columns(frozen).frame(persona_rows(frozen, [split_id(persona_id)]))
    (persona,) = personas(rows, frozen, seeds, settings)
    return rows.row(0, named=True), persona
