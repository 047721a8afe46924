"""Packs, tried on a realtime server before anybody calls: `rehearse`."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from pipeline.commands.options import JsonOption
from pipeline.errors import EXIT_INTERRUPTED, UsageError
from pipeline.terminal import console, print_json, print_table
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.rehearsal import Report

REASONS_SHOWN = 20  # of a rehearsal's rejections

app = typer.Typer()


class _RehearseCommand(TyperCommand):
    """Its help lists the targets whose packs can be rehearsed."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from pipeline.packs.targets import TARGETS

        with formatter.section("Packs for these targets, which are spoken over a WebSocket"):
            formatter.write_dl([(name, target.about) for name, target in TARGETS.items() if target.socket is not None])
        super().format_epilog(ctx, formatter)


@app.command(
    cls=_RehearseCommand,
    epilog="Example: personas rehearse pack --url wss://api.openai.com --key-env OPENAI_API_KEY",
)
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
        print_json(found.model_dump(exclude={"rejections"}))
    else:
        _print_rehearsal(found)
    if found.interrupted:
        sys.exit(EXIT_INTERRUPTED)  # main's own message is of what is written
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
    latencies = {"connect": found.connect_ms, "accept": found.accept_ms}
    if found.connect_ms.p50 is not None:
        print_table(("", "p50 ms", "p95 ms", "p99 ms"), [
            (what, *("–" if value is None else f"{value:,.1f}" for value in latency.model_dump().values()))
            for what, latency in latencies.items()
        ])  # fmt: skip
    for reason, times in list(found.rejected.items())[:REASONS_SHOWN]:
        console.print(f"{times:>7,} rejected: {reason}")
    if len(found.rejected) > REASONS_SHOWN:
        console.print(f"… and {counted(len(found.rejected) - REASONS_SHOWN, 'more reason')}; --report FILE writes all")
    if found.budget_ms is not None:
        console.print(f"{found.within_budget:,} of {found.sessions:,} stood within {found.budget_ms:g} ms, "
                      "connect and accept together")  # fmt: skip
    early = f", interrupted after {found.finished:,}" if found.interrupted else ""
    rate = f"; {found.sessions_per_s:,} a second" if found.accepted else ""
    console.print(f"{found.accepted:,} of {counted(found.sessions, 'session')} accepted{early}{rate}")
