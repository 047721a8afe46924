"""The server that a command's flow reports to."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.terminal import notes


@contextmanager
def flow_server() -> Iterator[None]:
    """Says that it takes a while, and loads Prefect; flows are imported within."""
    notes.print("starting the flow (about ten seconds; a minute the first time)")
    from flows.server import prefect_server

    with prefect_server():
        yield
