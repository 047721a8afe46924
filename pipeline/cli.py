"""The command line: `personas …`."""

import json
import os
import re
import sys
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

from pipeline.config import content_root, read_config
from pipeline.errors import EXIT_INTERRUPTED, PersonasError, UsageError

if TYPE_CHECKING:
    from polars import DataFrame

    from pipeline.choice import Choice
    from pipeline.config import PackConfig, RunConfig
    from pipeline.exporting import Exported
    from pipeline.plan import Plan
    from pipeline.rehearsal import Report
    from pipeline.seeds import Seed
    from pipeline.store import Version

REASONS_SHOWN = 20  # of a rehearsal's rejections

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Authored personas, expanded by exact rules into a Parquet matrix, packed for realtime voice APIs.",
)
console = Console(highlight=False, soft_wrap=True)
WHOLE_IDS = 1_000  # columns of a table that is not folded: what it names is copied into other commands
notes = Console(stderr=True, highlight=False, soft_wrap=True)

ConfigOption = Annotated[Path | None, typer.Option("-c", "--config", help="Run settings; default ./personas.toml.")]
RowsOption = Annotated[int | None, typer.Option("--rows", help="Rows of the matrix.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder of plans and versions; default data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
FrameOption = Annotated[
    Literal["deploy", "scene"], typer.Option("--frame", help="deploy: before the call; scene: state and situation too.")
]
PlanOption = Annotated[Path | None, typer.Option("--plan", help="A plan file; default the current matrix's.")]


@app.callback(invoke_without_command=True)
def program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version of the program, and of its plans.")
    ] = False,
) -> None:
    if version:
        from pipeline import __version__
        from pipeline.plan import PLAN_VERSION

        print(f"persona-matrix {__version__}, plans of version {PLAN_VERSION}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command; a user's mistake is a message and an exit code, never a traceback."""
    try:
        status = app(args=arguments, standalone_mode=False, prog_name="personas")
        if status == EXIT_INTERRUPTED:
            raise KeyboardInterrupt  # typer has made an exit code of it
        sys.exit(status or 0)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except PersonasError as error:
        notes.print(f"personas: {error}", markup=False)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise  # not about a path that the user named
        notes.print(f"personas: {error.filename}: {error.strerror}; check the path", markup=False)
        sys.exit(UsageError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        notes.print("personas: interrupted; what is finished is kept, the same command goes on from there")
        sys.exit(EXIT_INTERRUPTED)
    except _click_errors() as error:
        error.show()
        sys.exit(UsageError.exit_code)


def _click_errors() -> type[Any]:
    """typer carries click under one of two names, depending on its version."""
    return typer.BadParameter.__mro__[2]


@app.command(epilog="Example: personas build --rows 1000000 --workers 2")
def build(
    config: ConfigOption = None,
    rows: RowsOption = None,
    out: OutOption = None,
    workers: Annotated[
        str | None,
        typer.Option("--workers", help="Worker processes, default one a core; or a Dask scheduler's tcp://…"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the matrix: validate, plan, expand, write, pair, verify, report.

    A build that was interrupted is gone on with.
    """
    from pipeline.files import exclusive

    run = read_config(config, rows=rows, out=out, workers=workers)
    with exclusive(run.out):  # to say so at once; the flow holds it
        pass
    notes.print("starting the flow (about ten seconds; a minute the first time)")
    from flows.build import build as build_flow
    from flows.server import prefect_server

    with prefect_server():
        result = build_flow(run, progress=sys.stderr.isatty())
    if as_json:
        _print_json(result.model_dump())
        return
    table = Table("stage", "seconds")
    for stage, seconds in result.stages.items():
        table.add_row(stage, f"{seconds:.2f}")
    console.print(table)
    spent = result.stages.get("expand")
    speed = f", {result.rows / spent:,.0f} rows/s expanded" if spent else ", whose rows stood already"
    console.print(
        f"{result.rows:,} personas of {result.seeds:,} seeds{speed}, peak memory {result.peak_rss_mb:,.0f} MB"
    )
    console.print(result.version_dir)


@app.command(epilog="Example: personas validate seeds data/conversations")
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders of seeds and samples; folders of axes.")],
    as_json: JsonOption = False,
) -> None:
    """List every fault in seeds, axes and samples.  Exit 0: clean; 1: faults in the data; 2: wrong usage."""
    from pipeline.build import check_inputs
    from pipeline.conversations import is_samples
    from pipeline.documents import find_files

    rest, axes_path = _sorted_out(paths)
    files = find_files(rest, (".jsonl",))
    samples = [path for path in files if is_samples(path)]
    seeds = [path for path in files if path not in samples]
    if samples and not seeds:  # samples name the seeds they are authored for
        seeds = [content_root() / "seeds" / "personas"]
    _, faults = check_inputs(seeds, axes_path, samples)
    if as_json:
        _print_json({"faults": [vars(fault) for fault in sorted(faults)]})
    else:
        for fault in sorted(faults):
            console.print(str(fault), markup=False)
        console.print(f"{len(faults):,} faults" if faults else "no faults")
    raise typer.Exit(1 if faults else 0)


def _sorted_out(paths: Sequence[Path]) -> tuple[list[Path], Path]:
    """Seeds and axes among ``paths``: a folder of axes is one with domains.yaml; without one the shipped axes count."""
    axes = [folder for path in paths for folder in (path, path / "axes") if (folder / "domains.yaml").is_file()]
    if len(axes) > 1:
        raise UsageError(f"{axes[0]} and {axes[1]} are both folders of axes; name one")
    seeds = [path for path in paths if path not in axes]
    for path in seeds:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder; check the path")
    return seeds, axes[0] if axes else content_root() / "seeds" / "axes"


class _ImportCommand(TyperCommand):
    """Its help lists the formats there are, which are not loaded before somebody asks."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from pipeline.importers.formats import IMPORTERS

        for made, heading in {"seeds": "Personas, into seeds", "samples": "Conversations, into samples"}.items():
            formats = {name: format for name, format in IMPORTERS.items() if format.makes == made}
            with formatter.section(heading):
                formatter.write_dl([(name, format.about) for name, format in formats.items()])
                formatter.write_paragraph()
                for format in formats.values():
                    formatter.write(f"  {format.example}\n")
        super().format_epilog(ctx, formatter)


@app.command(
    "import",
    cls=_ImportCommand,
    epilog="Example: personas import --from text-jsonl characters.jsonl seeds/characters.jsonl --license CC0-1.0",
)
def import_(
    source: Annotated[Path, typer.Argument(help="The file to read, or a folder of files of this format.")],
    target: Annotated[Path, typer.Argument(help="The JSON-lines file to write; rejects go beside it.")],
    from_: Annotated[str, typer.Option("--from", help="The source's format, one of those below.")],
    license: Annotated[str | None, typer.Option("--license", help="SPDX licence, where records name none.")] = None,
    author: Annotated[
        str | None, typer.Option("--author", help="Who made the texts, where records say nothing.")
    ] = None,
    lang: Annotated[
        Literal["en", "zh"] | None, typer.Option("--lang", help="Default: as records say, or told by the script.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", help="Domain of all conversations.  Default: a record's, if we know it.")
    ] = None,
    id_field: Annotated[str, typer.Option("--id-field", help="Field of JSON records.")] = "id",
    name_field: Annotated[str, typer.Option("--name-field", help="Of text-jsonl.")] = "name",
    text_field: Annotated[str, typer.Option("--text-field", help="Of text-jsonl.")] = "text",
    as_json: JsonOption = False,
) -> None:
    """Turn foreign personas into seeds, or conversations into samples.

    What the source does not tell stays open; what cannot be read is set aside with its reason.
    """
    from pipeline.importers.formats import IMPORTERS
    from pipeline.importers.run import run_import
    from pipeline.importers.settings import ImportSettings
    from pipeline.provenance import spdx_expression

    _known("--from", from_, IMPORTERS)
    try:
        if license is not None:
            license = spdx_expression(license)
    except ValueError as error:
        raise UsageError(f"--license: {error}; see https://spdx.org/licenses") from error
    settings = ImportSettings(
        license=license, author=author, lang=lang, created=date.today(),
        domain=domain, domains=_domains(domain) if IMPORTERS[from_].makes == "samples" else frozenset(),
        id_field=id_field, name_field=name_field, text_field=text_field,
    )  # fmt: skip
    if domain is not None and not settings.domains:
        raise UsageError(f"--domain {domain}: only conversations have one; {from_} gives personas")
    result = run_import(from_, source, target, settings, progress=sys.stderr.isatty())
    if as_json:
        _print_json(result.model_dump())
        return
    console.print(f"{result.read:,} read, {result.imported:,} imported to {result.records_file}")
    for reason, count in result.rejected.items():
        console.print(f"{count:,} rejected: {reason}")
    if result.rejected:
        console.print(f"rejects with line and reason: {result.rejects_file}")


def _domains(wanted: str | None) -> frozenset[str]:
    """The shipped axes' domains, of which ``wanted`` must be one."""
    from pipeline.axis_files import load_axes
    from pipeline.documents import nearest

    domains = load_axes(content_root() / "seeds" / "axes").codes["domain"]
    if wanted is not None and wanted not in domains:
        raise UsageError(f"--domain {wanted}: not known. {nearest(wanted, domains)}")
    return frozenset(domains)


@app.command(epilog="Example: personas plan --out plan.json")
def plan(
    config: ConfigOption = None,
    rows: RowsOption = None,
    triples: Annotated[
        bool | None, typer.Option("--triples/--pairs", help="Cover every triple of levels, or pairs only.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to save the plan.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit and freeze: targets, what the seeds can attain, what the fit reached, which pairs are covered."""
    from pipeline.build import check_inputs
    from pipeline.errors import InvalidRecords
    from pipeline.files import write_text
    from pipeline.plan import CELLS, cells_covered, make_plan
    from pipeline.plan_file import plan_json

    run = read_config(config, rows=rows)
    inputs, faults = check_inputs(run.seed_paths, run.axes_path)
    if inputs is None:
        raise InvalidRecords(faults)
    made = make_plan(inputs.seeds, inputs.axes, run.base_rows, run.plan.triples if triples is None else triples)
    if out is not None:
        write_text(out, plan_json(made))
    met: dict[str, dict[str, int]] = {}
    for of in CELLS:
        covered, feasible = cells_covered(made, of)
        met[of] = {"covered": covered, "feasible": feasible}
    covering = len(made.coverage.seeds)
    own = made.report["own"]
    summary = {"plan": made.id, "base_rows": made.base_rows, "coverage_rows": covering, **met, "own": own}
    if as_json:
        _print_json(summary | {"axes": made.report["axes"]})
        return
    table = Table("axis", "levels", "authored → attainable", "attainable → fitted", "furthest from its target")
    for name, axis in made.report["axes"].items():
        worst = max(axis["levels"], key=lambda level: abs(axis["levels"][level][0] - axis["levels"][level][2]))
        target, _, fitted = axis["levels"][worst]
        table.add_row(
            name,
            str(len(axis["levels"])),
            f"{axis['authored_to_attainable']:.4f}",
            f"{axis['attainable_to_fitted']:.4f}",
            f"{worst}: {target:.3%} wanted, {fitted:.3%} reached",
        )
    console.print(table)
    told = [f"{cells['covered']:,} of {cells['feasible']:,} feasible {what}" for what, cells in met.items()]
    counted = " and ".join(told if met["triples"]["feasible"] else told[:1])
    console.print(f"plan {made.id}: {counted} covered at {made.base_rows:,} rows, {covering:,} coverage rows")
    console.print(f"from {own['from']:,} rows on, a seed has every pair of domain and tone family that it can take; "
                  f"{own['rows']:,} of the coverage rows are for that")  # fmt: skip
    for what, cells in met.items():
        if cells["covered"] < cells["feasible"]:
            missing = cells["feasible"] - cells["covered"]
            console.print(f"{missing:,} {what} need more rows than {made.base_rows:,}; ask for more to cover them")
    if out is not None:
        console.print(str(out))


@app.command(epilog="Example: personas pair conversations.jsonl")
def pair(
    samples: Annotated[list[Path], typer.Argument(help="Files or folders of conversation samples.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pair the current matrix with conversation samples: a new version with the same rows."""
    from pipeline.build import pair_current

    version = pair_current(read_config(None, out=out).out, samples, lambda step: print(f"{step} …", file=sys.stderr))
    manifest, by_rung = version.manifest, version.scan_pairings().group_by("rung").len().sort("rung").collect()
    if as_json:
        counts = dict(by_rung.iter_rows())
        _print_json({"version_dir": str(version.folder), "samples": manifest.samples, "paired": manifest.paired,
                     "unmatched": manifest.rows - manifest.paired, "rungs": counts})  # fmt: skip
        return
    for rung, count in by_rung.iter_rows():
        console.print(f"{count:>12,} {rung}")
    console.print(f"{manifest.paired:,} of {manifest.rows:,} personas paired with {manifest.samples:,} samples; the "
                  "others are in unmatched/ with the reason")  # fmt: skip
    console.print(str(version.folder))


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
    from pipeline.config import SceneSettings
    from pipeline.packs.persona import personas
    from pipeline.packs.shortening import fitted
    from pipeline.packs.targets import TARGETS

    if as_ is not None:
        _known("--as", as_, TARGETS)
    frozen, seeds = _plan_and_seeds(plan, out)
    rows = _row(frozen, persona_id)
    (persona,) = personas(rows, frozen, seeds, SceneSettings(frame=frame))
    if as_ is not None:
        target = TARGETS[as_]
        _print_json(target.export(fitted(persona, target.limit)[0], target.models[0]))
    elif as_json:
        _print_json({**rows.row(0, named=True), "scene": persona.scene})
    else:
        facts = " · ".join(f"{name} {value}" for name, value in rows.row(0, named=True).items() if value is not None)
        console.print(f"{facts}\n\n{persona.scene}", markup=False)


@app.command(epilog="Example: personas preview 4294967296 --line 2 --wav line.wav")
def preview(
    persona_id: Annotated[int, typer.Argument(help="An id from the matrix.")],
    line: Annotated[
        Literal["greeting", "1", "2", "3"], typer.Option("--line", help="The greeting, or an answer of the seed's.")
    ] = "greeting",
    wav: Annotated[Path | None, typer.Option("--wav", help="Speak it offline, by espeak-ng, into this file.")] = None,
    plan: PlanOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """How a persona reads a line: plain, with a director's marks in each notation, and as sound."""
    from pipeline.config import SceneSettings
    from pipeline.packs.persona import personas
    from pipeline.readings.preview import previewed
    from pipeline.speech import spoken, write_wav

    frozen, seeds = _plan_and_seeds(plan, out)
    (persona,) = personas(_row(frozen, persona_id), frozen, seeds, SceneSettings())
    shown = previewed(persona, line)
    if wav is not None:
        write_wav(spoken(shown["ssml"], persona.seed.lang, persona.seed.gender), wav)
    if as_json:
        _print_json({"persona_id": persona_id, "line": line, **shown, "wav": str(wav) if wav else None})
        return
    for notation, text in shown.items():
        console.print(f"{notation}\n  {text}\n", markup=False)
    if wav is not None:
        console.print(str(wav), markup=False)


@app.command(
    epilog='Example: personas query "SELECT persona_id, tone, scene FROM personas LIMIT 1000" --to scenes.parquet'
)
def query(
    sql: Annotated[str, typer.Argument(help="polars SQL over the table personas; scene is a column too.")],
    virtual: Annotated[int | None, typer.Option("--virtual", min=1, help="Rows of a matrix never stored.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write it to this .parquet, .csv or .jsonl file.")] = None,
    frame: FrameOption = "deploy",
    plan: PlanOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Query the current matrix, or with --virtual one that is computed while it is read."""
    from pipeline.config import SceneSettings
    from pipeline.plan_file import read_plan
    from pipeline.query import answer, write_answer
    from pipeline.scenes import with_scenes
    from pipeline.virtual import virtual_matrix

    settings = SceneSettings(frame=frame)
    if re.search(r"\bscene\b", sql):
        frozen, seeds = _plan_and_seeds(plan, out)
        rows = (
            with_scenes(_version(out).scan(), frozen, seeds, settings)
            if virtual is None
            else virtual_matrix(frozen, virtual, seeds, settings)
        )
    elif virtual is None:
        rows = _version(out).scan()
    else:
        rows = virtual_matrix(_version(out).plan() if plan is None else read_plan(plan), virtual)
    if to is not None:
        height = write_answer(rows, sql, to)
        if as_json:
            _print_json({"rows": height, "file": str(to)})
        else:
            console.print(f"{height:,} rows, {to.stat().st_size / 1e6:,.1f} MB: {to}", markup=False)
        return
    found = answer(rows, sql)
    if as_json:
        _print_json(found.to_dicts())
        return
    _print_rows(found, console.width)
    console.print(f"{found.height:,} rows")


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
            formatter.write("  --where \"age >= 60 AND array_contains(languages, 'ga')\"\n")
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
        Literal["deploy", "scene"] | None,
        typer.Option("--frame", help="deploy (default): before the call; scene: state and situation too."),
    ] = None,
    disclosure: Annotated[
        Literal["on_ask", "at_open", "at_open_and_every"] | None,
        typer.Option("--disclosure", help="When it says it is an AI; default on_ask."),
    ] = None,
    crisis_line: Annotated[str | None, typer.Option("--crisis-line", help="Whom to call in an emergency.")] = None,
    audience: Annotated[
        Literal["general", "children", "mature"] | None,
        typer.Option("--audience", help="Who may be listening; default general."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The vendor's model; default its newest.")] = None,
    facts: Annotated[bool, typer.Option("--facts", help="Add what can be checked of each persona, as data.")] = False,
    saved: Annotated[
        str | None, typer.Option("--saved", help="Rebuild the packs of a choice saved in personas.toml.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be exported; write nothing.")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of plans and versions; default data.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Export personas: a folder with pack.json and one session config each, or one file of chat messages.

    messages-jsonl takes each persona with the conversation it is paired with; --where may then name fit, rung, score
    and sample_id too, and the frame follows from the pairing.

    With --saved NAME the settings are those of [packs.NAME] in personas.toml, all of its targets share one choice, and
    their packs are replaced under packs/NAME in the folder of plans and versions.
    """
    from pipeline.exporting import choice_of, refuse_unknown, saved_choice
    from pipeline.exporting import export as write

    targets = as_ or []
    refuse_unknown("--as", targets)
    given = {"where": where, "like": like, "diverse": diverse, "limit": limit, "frame": frame, "audience": audience,
             "disclosure": disclosure, "crisis_line": crisis_line, "facts": facts or None}  # fmt: skip
    settings = {name: value for name, value in given.items() if value is not None}
    if saved is None:
        asked = _asked(targets, model, settings)
        if out is None and not dry_run:
            raise UsageError("Missing option '--out': name a new folder or .zip file, or look first with --dry-run")
    else:
        run = read_config(None, out=data)
        asked = saved_choice(run, saved, targets)
        for name in [*settings, *(name for name, value in (("out", out), ("model", model)) if value is not None)]:
            option = name.replace("_", "-")
            raise UsageError(f"--{option}: goes not with --saved; write it under [packs.{saved}] in personas.toml")
        if not dry_run:
            _export_saved(run, saved, targets, as_json)
            return
    version = _version(data)
    choice = choice_of(version, asked)
    if dry_run or out is None:
        _show_choice(version, choice, as_json)
        return
    for note in choice.notes:
        notes.print(note, markup=False)
    pack = write(version, choice.rows, asked, targets[0], out, sys.stderr.isatty())
    if as_json:
        _print_json(pack.model_dump(include={"pack", "personas", "checked", "licenses"}))
    else:
        _tell_pack(pack)


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
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option} {first['input']!r}: {first['msg']}") from error


def _export_saved(run: "RunConfig", name: str, targets: Sequence[str], as_json: bool) -> None:
    _version(run.out)  # to say at once that there is none; the flow opens it again
    notes.print("starting the flow (about ten seconds; a minute the first time)")
    from flows.packs import packs
    from flows.server import prefect_server

    with prefect_server():
        result = packs(run, (name,), tuple(targets), progress=sys.stderr.isatty())
    for note in result.notes:
        notes.print(note, markup=False)
    if as_json:
        _print_json({"packs": [pack.model_dump() for pack in result.packs]})
        return
    for pack in result.packs:
        _tell_pack(pack)


def _tell_pack(pack: "Exported") -> None:
    from pipeline.packs.targets import TARGETS

    unchanged = "" if pack.changed else "; nothing has changed"
    console.print(f"{pack.personas:,} personas of {pack.seeds:,} seeds, {', '.join(pack.licenses)}{unchanged}")
    if not pack.checked and pack.target in TARGETS:
        console.print("not held against the vendor's types: install persona-matrix[check]", markup=False)
    console.print(pack.pack if pack.pack.endswith(".zip") else str(Path(pack.pack) / "pack.json"), markup=False)


def _show_choice(version: "Version", choice: "Choice", as_json: bool) -> None:
    from pipeline.exporting import licenses, overview

    shown, owned = overview(choice.rows, version.seeds()), licenses(choice.rows)
    seeds = shown["seed_id"].n_unique()
    if as_json:
        _print_json({"personas": shown.to_dicts(), "seeds": seeds, "licenses": owned, "notes": choice.notes})
        return
    _print_rows(shown, WHOLE_IDS)
    for note in choice.notes:
        console.print(note, markup=False)
    console.print(f"{shown.height:,} personas of {seeds:,} seeds, {', '.join(owned)}; nothing is written")


@app.command(epilog="Example: personas rehearse pack --url wss://api.openai.com --key-env OPENAI_API_KEY")
def rehearse(
    pack: Annotated[Path | None, typer.Argument(help="A pack: a folder or a .zip file.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="The server's ws:// or wss:// address.")] = None,
    sessions: Annotated[int | None, typer.Option("--sessions", min=1, help="Default: one for each config.")] = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Sessions that are open at a time.")] = 8,
    timeout: Annotated[float, typer.Option("--timeout", min=0.01, help="Seconds to connect; to be accepted.")] = 10,
    key_env: Annotated[str | None, typer.Option("--key-env", help="Environment variable that holds the key.")] = None,
    anchor: Annotated[bool, typer.Option("--anchor", help="Send the anchor too; an objection is a rejection.")] = False,
    budget_ms: Annotated[
        float | None, typer.Option("--budget-ms", min=0, help="Say how many sessions stood in this time.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write all as JSON, each rejection too.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Be a strict server instead, until Ctrl-C.")] = False,
    host: Annotated[str, typer.Option("--host", help="With --serve.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="With --serve; 0: one that is free.")] = 0,
    require_key_env: Annotated[
        str | None, typer.Option("--require-key-env", help="With --serve: the variable with the key to ask for.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="With --serve: no line for each event.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send a pack's configs to a realtime server: how many it takes, why not the others, and how fast.

    Or be that server: --serve holds each event of a client against the vendor's own types.  Exit 0: all were accepted;
    1: some were not; 2: wrong usage.
    """
    if serve:
        if pack is not None or url is not None:
            raise UsageError("--serve takes no pack and no --url: it is what others connect to")
        _serve(host, port, _key("--require-key-env", require_key_env), quiet, as_json)
        return
    if pack is None or url is None:
        raise UsageError("name a pack and the server's --url, or give --serve to be the server")
    from pipeline.files import write_text
    from pipeline.rehearsal import Order
    from pipeline.rehearsal import rehearse as rehearse_pack

    key = _key("--key-env", key_env)
    order = Order(pack, url, sessions, at_once, timeout, key, anchor, budget_ms)
    found = rehearse_pack(order, progress=sys.stderr.isatty())
    if report is not None:
        write_text(report, found.model_dump_json(indent=2) + "\n")
    if as_json:
        _print_json(found.model_dump(exclude={"rejections"}))
    else:
        _print_rehearsal(found)
    if found.interrupted:
        sys.exit(EXIT_INTERRUPTED)  # main's own message promises that the same command goes on from there
    raise typer.Exit(0 if found.all_accepted else 1)


def _serve(host: str, port: int, key: str | None, quiet: bool, as_json: bool) -> None:
    try:
        from pipeline.rehearsal_server import serve
    except ModuleNotFoundError as missing:
        problem = f"--serve needs the vendors' own types ({missing.name} is not there): install persona-matrix[check]"
        raise UsageError(problem) from missing

    def ready(url: str) -> None:
        print(json.dumps({"url": url}) if as_json else url, flush=True)

    try:
        serve(host, port, key, ready, lambda line: None if quiet else print(line, file=sys.stderr))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)  # the way to end it: nothing to say


def _key(option: str, name: str | None) -> str | None:
    """The key in the environment variable ``name``, which is in no message."""
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise UsageError(f"{option} {name}: this environment variable holds no key; set it to one of plain characters")
    return key


def _print_rehearsal(found: "Report") -> None:
    table = Table("", "p50 ms", "p95 ms", "p99 ms")
    for what, latency in {"connect": found.connect_ms, "accept": found.accept_ms}.items():
        table.add_row(what, *("–" if value is None else f"{value:,.1f}" for value in latency.model_dump().values()))
    console.print(table)
    for reason, times in list(found.rejected.items())[:REASONS_SHOWN]:
        console.print(f"{times:>7,} rejected: {reason}", markup=False)
    if len(found.rejected) > REASONS_SHOWN:
        console.print(f"… and {len(found.rejected) - REASONS_SHOWN:,} reasons more; --report FILE writes all")
    if found.budget_ms is not None:
        console.print(f"{found.within_budget:,} of {found.sessions:,} stood within {found.budget_ms:g} ms, "
                      "connect and accept together")  # fmt: skip
    early = f", interrupted after {found.finished:,}" if found.interrupted else ""
    console.print(
        f"{found.accepted:,} of {found.sessions:,} sessions accepted{early}; {found.sessions_per_s:,} a second"
    )


@app.command(epilog="Example: personas report --open")
def report(
    path: Annotated[Path | None, typer.Argument(help="A version; default the current matrix.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Verify the version and write its report anew.")] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where the report of a version stands; written if it is not there yet."""
    from pipeline.report import rewrite_report
    from pipeline.store import REPORT, open_version

    version = _version(out) if path is None else open_version(path)
    file = version.folder / REPORT
    if rewrite or not file.is_file():
        version = rewrite_report(version, os.cpu_count() or 1)
    if as_json:
        _print_json({"report": str(file)})
    else:
        console.print(str(file), soft_wrap=True)
    if open_:
        typer.launch(str(file))


@app.command(epilog="Example: personas verify")
def verify(
    path: Annotated[Path | None, typer.Argument(help="A version or a pack; default the current matrix.")] = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a matrix version or a pack against its manifest: every byte, rule, lock, double and certified pair."""
    from pipeline.packs.pack import pack_faults
    from pipeline.quality import verify as verify_version
    from pipeline.store import open_version

    if path is not None and not path.exists():
        raise UsageError(f"{path}: no such folder or file; name a version under data/matrix, or a pack")
    quality = None
    if path is not None and not (path / "manifest.json").is_file():
        faults, what = pack_faults(path), str(path)
    else:
        version = _version(out) if path is None else open_version(path)
        faults, quality = verify_version(version, os.cpu_count() or 1, progress=not as_json)
        what = str(version.folder)
    if as_json:
        _print_json({"path": what, "faults": faults, "quality": quality.as_dict() if quality else None})
    else:
        for fault in faults:
            console.print(fault, markup=False)
        if quality is not None:
            triples = own = ""
            if quality.triples_feasible:
                triples = f"and {quality.triples_covered:,} of {quality.triples_feasible:,} feasible triples "
            if quality.own_seeds:
                own = (f"{quality.own_seeds:,} seeds lack {quality.own_missed} of the pairs of domain and tone family "
                       "that they can take; ")  # fmt: skip
            console.print(
                f"{quality.rows:,} rows; {quality.broken_rules} break a rule, {quality.broken_locks} a lock, "
                f"{quality.duplicates} occur twice; {quality.pairs_covered:,} of {quality.pairs_feasible:,} feasible "
                f"pairs {triples}occur; {own}total variation to attainable shares at most {quality.worst_distance:.4f}"
            )
        console.print(f"{what}: {len(faults)} faults" if faults else f"{what}: whole")
    raise typer.Exit(1 if faults else 0)


@app.command(epilog="Example: personas schemas --check")
def schemas(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the committed files are up to date.")
    ] = False,
    folder: Annotated[Path | None, typer.Option("--out", help="Where they stand; default schemas/.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the JSON Schemas of seeds, axes, runs, manifests and packs, or check them for drift."""
    from pipeline.schemas import drifted, write_schemas

    where = folder or content_root() / "schemas"
    if not check:
        write_schemas(where)
    stale = [str(path) for path in drifted(where)]
    if as_json:
        _print_json({"folder": str(where), "drifted": stale})
    else:
        for path in stale:
            console.print(f"{path}: differs from the models; run `personas schemas`")
        console.print(f"{where}: {len(stale)} drifted" if stale else f"{where}: up to date")
    raise typer.Exit(1 if stale else 0)


def _known(option: str, name: str, registry: Collection[str]) -> None:
    if name not in registry:
        raise UsageError(f"{option} {name}: not known; choose one of {', '.join(sorted(registry))}")


def _version(out: Path | None) -> "Version":
    from pipeline.store import current_version

    return current_version(read_config(None, out=out).out)


def _plan_and_seeds(plan: Path | None, out: Path | None) -> "tuple[Plan, list[Seed]]":
    """A plan and the seeds it was made of: of the current version, or a plan file with the seeds of the run."""
    from pipeline.build import hold_against
    from pipeline.plan_file import read_plan
    from pipeline.seeds import load_seeds

    if plan is None:
        version = _version(out)
        return version.plan(), version.seeds()
    frozen, seeds = read_plan(plan), load_seeds(read_config(None).seed_paths)
    hold_against(frozen, seeds, plan)
    return frozen, seeds


def _row(plan: "Plan", persona_id: int) -> "DataFrame":
    from pipeline.matrix import Columns, persona_rows
    from pipeline.plan import split_id

    return Columns(plan).frame(persona_rows(plan, [split_id(persona_id)]))


def _print_rows(rows: "DataFrame", width: int) -> None:
    import polars as pl

    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True,
                   tbl_width_chars=width, fmt_str_lengths=60):  # fmt: skip
        console.print(str(rows), markup=False)


def _print_json(document: object) -> None:
    print(json.dumps(document, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
