"""Prefect's server for one run, where none is configured: out of Ctrl-C's reach, and gone when its parent is.

The server that Prefect would start of itself stands in the terminal's foreground group, so that Ctrl-C ends it before
the flow can report to it (a minute of retries, then ConnectError), and it outlives a parent that was killed.
"""

import flows.prefect_settings  # noqa: F401  # isort: skip  (before prefect reads its settings)

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

# The parent alone holds the other end of standard input: it ends with the parent, however that dies.
SERVE = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from uvicorn import main
main()
"""


@contextmanager
def prefect_server() -> Iterator[None]:
    if PREFECT_API_URL.value():
        yield
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    app = ["--factory", "prefect.server.api.server:create_app", "--lifespan", "on", "--log-level", "error"]
    host, port = address.split(":")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, *app, "--host", host, "--port", port],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"},
    )
    try:
        url = f"http://{address}/api"
        _wait_for(process, url)
        with temporary_settings({PREFECT_API_URL: url}):
            yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"Prefect's server did not start (status {process.poll()})")
