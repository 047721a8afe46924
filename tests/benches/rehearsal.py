"""What a rehearsal costs beside the bare exchange: `python -m tests.benches.rehearsal`.

Medians over rounds of the median of a round, one session at a time against the same server in a process of its own:
connecting and sending the same config with nothing but `websockets` takes 1.
"""

import asyncio
import json
import statistics
import tempfile
import time
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from pipeline.config import SceneSettings
from pipeline.packs.pack import Order as PackOrder
from pipeline.packs.pack import write_pack
from pipeline.packs.persona import personas
from pipeline.rehearsal import Order, rehearse
from tests.golden_content import golden_plan, golden_rows, golden_seeds

ROUNDS, SESSIONS = 9, 200  # in turn, so that what else the machine does meets both


def accepting(told: Connection) -> None:
    """A server that takes whatever comes, so that only the client's work is measured."""

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "session.updated"}')
        await connection.wait_closed()

    async def run() -> None:
        async with serve(handler, "127.0.0.1", 0, compression=None) as server:
            told.send(server.sockets[0].getsockname()[1])
            await server.serve_forever()

    asyncio.run(run())


class Cost(NamedTuple):
    """Of a session, in milliseconds: medians, and the client's processor time on average."""

    connect_ms: float
    accept_ms: float
    processor_ms: float


def floor(url: str, message: str) -> Cost:
    connecting, exchanging = [], []

    async def run() -> None:
        for _ in range(SESSIONS):
            began = time.perf_counter()
            async with connect(url, compression=None, ping_interval=None) as connection:
                stood = time.perf_counter()
                await connection.send(message)
                await connection.recv()
                exchanging.append((time.perf_counter() - stood) * 1000)
                connecting.append((stood - began) * 1000)

    began = time.process_time()
    asyncio.run(run())
    spent = (time.process_time() - began) / SESSIONS * 1000
    return Cost(statistics.median(connecting), statistics.median(exchanging), spent)


def rehearsal(order: Order) -> Cost:
    began = time.process_time()
    report = rehearse(order)
    spent = (time.process_time() - began) / SESSIONS * 1000
    assert report.all_accepted
    return Cost(report.connect_ms.p50 or 0, report.accept_ms.p50 or 0, spent)


def main() -> None:
    ours, theirs = Pipe()
    server = Process(target=accepting, args=(theirs,), daemon=True)
    server.start()
    url = f"ws://127.0.0.1:{ours.recv()}"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        pack = Path(folder) / "pack"
        made = personas(golden_rows(), golden_plan(), golden_seeds(), SceneSettings())
        write_pack(pack, PackOrder("openai-realtime", "plan", SceneSettings()), made)
        message = json.dumps(json.loads(next((pack / "configs").iterdir()).read_bytes()))
        rounds = [(floor(url, message), rehearsal(Order(pack, url, sessions=SESSIONS, at_once=1)))
                  for _ in range(ROUNDS)]  # fmt: skip
    server.terminate()
    bare_rounds, own_rounds = zip(*rounds, strict=True)
    table = Table("of a session", "rehearsal", "bare websockets", "ratio")
    for what, own, least in zip(
        Cost._fields, zip(*own_rounds, strict=True), zip(*bare_rounds, strict=True), strict=True
    ):
        value, of = statistics.median(own), statistics.median(least)
        table.add_row(what.replace("_", " "), f"{value:.2f}", f"{of:.2f}", f"{value / of:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
