"""What has been made, held to account: `report`, `verify`, `schemas`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import JsonOption, OutOption, matrix_at
from pipeline.config import content_root
from pipeline.errors import UsageError
from pipeline.terminal import console, print_json
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.quality import Quality
    from pipeline.store import Version

app = typer.Typer()


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
    from pipeline.store import REPORT

    version = _version(path, out)
    file = version.folder / REPORT
    if rewrite or not file.is_file():
        version = rewrite_report(version, os.cpu_count() or 1)
    if as_json:
        print_json({"report": str(file)})
    else:
        console.print(str(file))
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

    if path is not None and not path.exists():
        raise UsageError(f"{path}: no such folder or file; name a version under data/matrix, or a pack")
    quality = None
    if path is not None and not (path / "manifest.json").is_file():
        faults, what = pack_faults(path), str(path)
    else:
        version = _version(path, out)
        faults, quality = verify_version(version, os.cpu_count() or 1, progress=not as_json)
        what = str(version.folder)
    if as_json:
        print_json({"path": what, "faults": faults, "quality": quality.as_dict() if quality else None})
    else:
        for fault in faults:
            console.print(fault)
        if quality is not None:
            _print_quality(quality)
        console.print(f"{what}: {counted(len(faults), 'fault')}" if faults else f"{what}: whole")
    raise typer.Exit(1 if faults else 0)


def _version(path: Path | None, out: Path | None) -> "Version":
    from pipeline.store import open_version

    return matrix_at(out) if path is None else open_version(path)


def _print_quality(quality: "Quality") -> None:
    triples = own = ""
    if quality.triples_feasible:
        triples = f"and {quality.triples_covered:,} of {quality.triples_feasible:,} feasible triples "
    if quality.own_seeds:
        own = (f"{counted(quality.own_seeds, 'seed lacks', 'seeds lack')} {quality.own_missed} of the pairs of domain "
               "and tone family that they can take; ")  # fmt: skip
    console.print(
        f"{counted(quality.rows, 'row')}; {counted(quality.broken_rules, 'breaks', 'break')} a rule, "
        f"{quality.broken_locks} a lock, {counted(quality.duplicates, 'occurs', 'occur')} twice; "
        f"{quality.pairs_covered:,} of {quality.pairs_feasible:,} feasible pairs {triples}occur; {own}"
        f"total variation to attainable shares at most {quality.worst_distance:.4f}"
    )


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
        print_json({"folder": str(where), "drifted": stale})
    else:
        for path in stale:
            console.print(f"{path}: differs from the models; run `personas schemas`")
        console.print(f"{where}: {len(stale)} drifted" if stale else f"{where}: up to date")
    raise typer.Exit(1 if stale else 0)
