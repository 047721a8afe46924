"""What a rehearsal costs beside the bare exchange: `python -m tests.benches.rehearsal`.

Ratios of medians, one session at a time against the same server in a process of its own: connecting and sending the
same config with nothing but `websockets` takes 1.
"""

import asyncio
import json
import statistics
import tempfile
import time
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from pipeline.packs.pack import Order as PackOrder
from pipeline.packs.pack import write_pack
from pipeline.packs.persona import personas
from pipeline.rehearsal import Order, rehearse
from pipeline.scene_parts import SceneSettings
from tests.golden_content import golden_plan, golden_rows, golden_seeds

SESSIONS = 1000


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


async def bare(url: str, message: str) -> tuple[list[float], list[float]]:
    """Milliseconds of connecting and of the exchange."""
    connecting, exchanging = [], []
    for _ in range(SESSIONS):
        began = time.perf_counter()
        async with connect(url, compression=None, ping_interval=None) as connection:
            stood = time.perf_counter()
            await connection.send(message)
            await connection.recv()
            connecting.append((stood - began) * 1000)
            exchanging.append((time.perf_counter() - stood) * 1000)
    return connecting, exchanging


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
        began = time.process_time()
        connecting, exchanging = map(statistics.median, asyncio.run(bare(url, message)))
        least = (time.process_time() - began) / SESSIONS * 1000
        began = time.process_time()
        report = rehearse(Order(pack, url, sessions=SESSIONS, at_once=1))
        spent = (time.process_time() - began) / SESSIONS * 1000
    server.terminate()
    assert report.all_accepted
    table = Table("of a session", "rehearsal", "bare websockets", "ratio")
    for what, value, floor in (
        ("connect, median ms", report.connect_ms.p50 or 0, connecting),
        ("accept, median ms", report.accept_ms.p50 or 0, exchanging),
        ("processor of the client, ms", spent, least),
    ):
        table.add_row(what, f"{value:.2f}", f"{floor:.2f}", f"{value / floor:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
