"""From seeds and samples to a matrix: `build`, and each of its stages by itself."""

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from pipeline.commands.flow_server import flow_server
from pipeline.commands.options import ConfigOption, JsonOption, OutOption, RowsOption
from pipeline.config import content_root, read_config
from pipeline.errors import UsageError
from pipeline.terminal import console, notes, print_json, print_table
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.plan import Plan

app = typer.Typer()


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
    with flow_server():
        from flows.build import build as build_flow

        result = build_flow(run, progress=sys.stderr.isatty())
    if as_json:
        print_json(result.model_dump())
        return
    print_table(("stage", "seconds"), [(stage, f"{seconds:.2f}") for stage, seconds in result.stages.items()])
    spent = result.stages.get("expand")
    speed = f", {result.rows / spent:,.0f} rows/s expanded" if spent else ", whose rows stood already"
    made = f"{counted(result.rows, 'persona')} of {counted(result.seeds, 'seed')}"
    console.print(f"{made}{speed}, peak memory {result.peak_rss_mb:,.0f} MB")
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
        print_json({"faults": [vars(fault) for fault in sorted(faults)]})
    else:
        for fault in sorted(faults):
            console.print(str(fault))
        console.print(counted(len(faults), "fault") if faults else "no faults")
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
    from pipeline.documents import refuse_unknown
    from pipeline.importers.formats import IMPORTERS
    from pipeline.importers.run import run_import
    from pipeline.importers.settings import ImportSettings
    from pipeline.provenance import spdx_expression

    refuse_unknown("--from", [from_], IMPORTERS)
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
        print_json(result.model_dump())
        return
    console.print(f"{result.read:,} read, {result.imported:,} imported to {result.records_file}")
    for reason, count in result.rejected.items():
        console.print(f"{count:,} rejected: {reason}")
    if result.rejected:
        console.print(f"rejects with line and reason: {result.rejects_file}")


def _domains(wanted: str | None) -> frozenset[str]:
    """The shipped axes' domains, of which ``wanted`` must be one."""
    from pipeline.axis_files import load_axes
    from pipeline.wording import nearest

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
    if as_json:
        print_json({"plan": made.id, "base_rows": made.base_rows, "coverage_rows": made.report["coverage_rows"], **met,
                    "own": made.report["own"], "axes": made.report["axes"]})  # fmt: skip
        return
    _print_plan(made, met)
    if out is not None:
        console.print(str(out))


def _print_plan(made: "Plan", met: dict[str, dict[str, int]]) -> None:
    own = made.report["own"]
    fitted_axes = []
    for name, axis in made.report["axes"].items():
        worst = max(axis["levels"], key=lambda level: abs(axis["levels"][level][0] - axis["levels"][level][2]))
        target, _, fitted = axis["levels"][worst]
        fitted_axes.append(
            (
                name,
                str(len(axis["levels"])),
                f"{axis['authored_to_attainable']:.4f}",
                f"{axis['attainable_to_fitted']:.4f}",
                f"{worst}: {target:.3%} wanted, {fitted:.3%} reached",
            )
        )
    headings = ("axis", "levels", "authored → attainable", "attainable → fitted", "furthest from its target")
    print_table(headings, fitted_axes)
    told = [f"{cells['covered']:,} of {cells['feasible']:,} feasible {what}" for what, cells in met.items()]
    covered = " and ".join(told if met["triples"]["feasible"] else told[:1])
    console.print(f"plan {made.id}: {covered} covered at {counted(made.base_rows, 'row')}, "
                  f"{counted(made.report['coverage_rows'], 'coverage row')}")  # fmt: skip
    console.print(f"from {own['from']:,} rows on, a seed has every pair of domain and tone family that it can take; "
                  f"{own['rows']:,} of the coverage rows are for that")  # fmt: skip
    for what, cells in met.items():
        if cells["covered"] < cells["feasible"]:
            missing = cells["feasible"] - cells["covered"]
            needing = counted(missing, f"{what.removesuffix('s')} needs", f"{what} need")
            console.print(f"{needing} more rows than {made.base_rows:,}; ask for more to cover them")


@app.command(epilog="Example: personas pair conversations.jsonl")
def pair(
    samples: Annotated[list[Path], typer.Argument(help="Files or folders of conversation samples.")],
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pair the current matrix with conversation samples: a new version with the same rows."""
    from pipeline.build import pair_current

    version = pair_current(read_config(None, out=out).out, samples, lambda step: notes.print(f"{step} …"))
    manifest, by_rung = version.manifest, version.scan_pairings().group_by("rung").len().sort("rung").collect()
    if as_json:
        counts = dict(by_rung.iter_rows())
        print_json({"version_dir": str(version.folder), "samples": manifest.samples, "paired": manifest.paired,
                     "unmatched": manifest.rows - manifest.paired, "rungs": counts})  # fmt: skip
        return
    for rung, count in by_rung.iter_rows():
        console.print(f"{count:>12,} {rung}")
    console.print(f"{manifest.paired:,} of {counted(manifest.rows, 'persona')} paired with "
                  f"{counted(manifest.samples, 'sample')}; the others are in unmatched/ with the reason")  # fmt: skip
    console.print(str(version.folder))
