"""Personas, chosen and packed for others: `export`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from pipeline.commands.flow_server import flow_server
from pipeline.commands.options import DataOption, JsonOption, matrix_at
from pipeline.config import Audience, Disclosure, Frame, read_config
from pipeline.errors import UsageError
from pipeline.terminal import WHOLE_IDS, console, notes, print_json, print_rows
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.choice import Choice
    from pipeline.config import PackConfig, RunConfig
    from pipeline.exporting import Exported
    from pipeline.store import Version

app = typer.Typer()


class _ExportCommand(TyperCommand):
    """Its help lists the targets, and what can be asked of seeds."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from pipeline.packs.messages_jsonl import ABOUT, TARGET
        from pipeline.packs.targets import TARGETS
        from pipeline.seed_columns import SEED_COLUMNS

        told = {name: target.about for name, target in TARGETS.items()} | {TARGET: ABOUT}
        with formatter.section("Targets"):
            formatter.write_dl(sorted(told.items()))
        with formatter.section("Models, the default first"):
            formatter.write_dl([(name, ", ".join(t.models)) for name, t in TARGETS.items() if len(t.models) > 1])
        with formatter.section("Columns of seeds, for --where beside those of the matrix"):
            formatter.write_dl([(name, column.about) for name, column in SEED_COLUMNS.items()])
            formatter.write_paragraph()
            formatter.write("  --where \"age >= 60 AND array_contains(sensitivity, 'faith')\"\n")
            formatter.write_paragraph()
            formatter.write_text("`personas query`, without SQL, lists the columns of the matrix with their levels.")
        super().format_epilog(ctx, formatter)


@app.command(
    cls=_ExportCommand,
    epilog="Example: personas export --as openai-realtime --where \"lang = 'zh' AND domain = 'automotive'\" "
    "--limit 20 --out pack",
)
def export(
    as_: Annotated[
        list[str] | None,
        typer.Option("--as", help="A target, one of those below."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the pack, or .zip file; must not hold anything yet.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="polars SQL expression over matrix columns and those below.")
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", help="Words that person and tone should fit, in their language; best first.")
    ] = None,
    diverse: Annotated[
        int | None, typer.Option("--diverse", min=1, help="Take so many that differ most from each other.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            help="At most so many personas; default 100.  With --diverse, how many it picks from: all, or with --like "
            "ten times as many as it picks.",
        ),
    ] = None,
    frame: Annotated[
        Frame | None,
        typer.Option("--frame", help="deploy (default): before the call; scene: state and situation too."),
    ] = None,
    disclosure: Annotated[
        Disclosure | None,
        typer.Option("--disclosure", help="When it says it is an AI; default on_ask."),
    ] = None,
    crisis_line: Annotated[str | None, typer.Option("--crisis-line", help="Whom to call in an emergency.")] = None,
    audience: Annotated[
        Audience | None,
        typer.Option("--audience", help="Who may be listening; default general."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The vendor's model; default its newest.")] = None,
    facts: Annotated[
        bool, typer.Option("--facts", help="Add what can be checked of each persona, as data, beside its config.")
    ] = False,
    saved: Annotated[
        str | None, typer.Option("--saved", help="Rebuild the packs of a choice saved in personas.toml.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be exported; write nothing.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export personas: a folder with pack.json and one session config each, or one file of chat messages.

    messages-jsonl takes each persona with the conversation it is paired with; --where may then name fit, rung, score
    and sample_id too, and the frame follows from the pairing.

    With --saved NAME the settings are those of [packs.NAME] in personas.toml, all of its targets share one choice, and
    their packs are replaced under packs/NAME in the folder of plans and versions.
    """
    from pipeline.documents import refuse_unknown
    from pipeline.exporting import KNOWN_TARGETS, choice_of, refuse_at_once, saved_choice
    from pipeline.exporting import export as write

    targets = as_ or []
    refuse_unknown("--as", targets, KNOWN_TARGETS)
    settings = _said({"where": where, "like": like, "diverse": diverse, "limit": limit, "frame": frame,
                      "audience": audience, "disclosure": disclosure, "crisis_line": crisis_line,
                      "facts": facts or None})  # fmt: skip
    if saved is None:
        asked = _asked(targets, model, settings)
        if out is None and not dry_run:
            raise UsageError("Missing option '--out': name a new folder or .zip file, or look first with --dry-run")
        refuse_at_once(asked, None if dry_run else out)
    else:
        run = read_config(None, out=data)
        asked = saved_choice(run, saved, targets)
        said = _said({**settings, "out": out, "model": model})
        if said:
            option = _option(next(iter(said)))
            raise UsageError(f"{option}: goes not with --saved; write it under [packs.{saved}] in personas.toml")
        if not dry_run:
            _export_saved(run, saved, targets, as_json)
            return
    version = matrix_at(data)
    choice = choice_of(version, asked)
    if dry_run or out is None:
        _print_choice(version, choice, as_json)
        return
    for note in choice.notes:
        notes.print(note)
    pack = write(version, choice.rows, asked, targets[0], out, sys.stderr.isatty())
    if as_json:
        print_json(pack.model_dump(include={"pack", "personas", "checked", "licenses"}))
    else:
        _print_pack(pack)


def _said(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _option(setting: str) -> str:
    return f"--{setting.replace('_', '-')}"


def _asked(targets: Sequence[str], model: str | None, settings: dict[str, Any]) -> "PackConfig":
    from pydantic import ValidationError

    from pipeline.config import PackConfig

    if len(targets) != 1:
        what = "--as: given more than once" if targets else "Missing option '--as'"
        raise UsageError(f"{what}: name one target; a choice for several is saved in personas.toml, see --saved")
    models = {} if model is None else {targets[0]: model}
    try:
        return PackConfig.model_validate({**settings, "targets": tuple(targets), "models": models})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{_option(str(first['loc'][0]))} {first['input']!r}: {first['msg']}") from error


def _export_saved(run: "RunConfig", name: str, targets: Sequence[str], as_json: bool) -> None:
    matrix_at(run.out)  # to say at once that there is none; the flow opens it again
    with flow_server():
        from flows.packs import packs

        result = packs(run, (name,), tuple(targets), progress=sys.stderr.isatty())
    for note in result.notes:
        notes.print(note)
    if as_json:
        print_json({"packs": [pack.model_dump() for pack in result.packs]})
        return
    for pack in result.packs:
        _print_pack(pack)


def _print_pack(pack: "Exported") -> None:
    from pipeline.packs.targets import TARGETS

    unchanged = "" if pack.changed else "; nothing has changed"
    console.print(f"{_of_seeds(pack.personas, pack.seeds)}, {', '.join(pack.licenses)}{unchanged}")
    if not pack.checked and pack.target in TARGETS:
        console.print(f"not held against the vendor's types: install persona-matrix[{TARGETS[pack.target].extra}]")
    console.print(pack.pack if pack.pack.endswith(".zip") else str(Path(pack.pack) / "pack.json"))


def _print_choice(version: "Version", choice: "Choice", as_json: bool) -> None:
    from pipeline.exporting import licenses, overview

    shown, owned = overview(choice.rows, version.seeds()), licenses(choice.rows)
    seeds = shown["seed_id"].n_unique()
    if as_json:
        print_json({"personas": shown.to_dicts(), "seeds": seeds, "licenses": owned, "notes": choice.notes})
        return
    print_rows(shown, WHOLE_IDS)
    for note in choice.notes:
        console.print(note)
    console.print(f"{_of_seeds(shown.height, seeds)}, {', '.join(owned)}; nothing is written")


def _of_seeds(personas: int, seeds: int) -> str:
    return f"{counted(personas, 'persona')} of {counted(seeds, 'seed')}"
