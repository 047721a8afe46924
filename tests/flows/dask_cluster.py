"""A Dask cluster of real processes on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT


def started(arguments: list[str], folder: Path, until: Callable[[str], bool]) -> subprocess.Popen[bytes]:
    """A process of Dask's whose log has told that it is up."""
    log = folder / f"{len(list(folder.iterdir()))}.log"
    env = os.environ | {"PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"}
    with log.open("w") as stream:
        command = [sys.executable, "-m", "dask", *arguments]
        process = subprocess.Popen(command, cwd=folder, env=env, stderr=stream, stdout=stream, start_new_session=True)
    deadline = time.monotonic() + 60
    while not until(log.read_text("utf-8")):
        assert process.poll() is None, log.read_text("utf-8")
        assert time.monotonic() < deadline, log.read_text("utf-8")
        time.sleep(0.1)
    return process


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and its workers, each a process, and the address of the scheduler."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        scheduler = folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(scheduler)]
        running.append(started(["scheduler", *options], folder, lambda _: scheduler.is_file()))
        address = str(json.loads(scheduler.read_text("utf-8"))["address"])
        for _ in range(workers):
            options = ["--nthreads", "1", "--no-dashboard", "--no-nanny"]
            running.append(started(["worker", address, *options], folder, lambda log: "Registered to" in log))
        yield address, running[1:]
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
