"""WebSocket servers in a thread of their own, so that what is tested may block or run a loop of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from websockets.asyncio.server import ServerConnection, serve


@contextmanager
def in_a_thread(server: AbstractAsyncContextManager[str]) -> Iterator[str]:
    """``server`` gives its URL."""
    loop, ready, urls = asyncio.new_event_loop(), threading.Event(), []
    done = asyncio.Event()

    async def run() -> None:
        async with server as url:
            urls.append(url)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()


@asynccontextmanager
async def answering(handler: Callable[[ServerConnection], Awaitable[None]], **options: object):  # type: ignore[no-untyped-def]
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
