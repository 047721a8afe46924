"""A strict realtime server on this machine, to point an app or `personas rehearse` at.

It speaks what rehearsal_vendors answers, by the path that a client opens: OpenAI's and StepFun's /v1/realtime?model=…
and Gemini's …BidiGenerateContent.  No model, no audio, no network beyond the port.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import count
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_sockets
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pipeline.errors import UsageError
from pipeline.packs.target import Document
from pipeline.rehearsal_vendors import Closed, Speaker, speaker_for

LONGEST_CLOSE_REASON = 123  # bytes: RFC 6455, section 5.5, leaves 125 to a control frame, two of them for the code

Say = Callable[[str], None]


def serve(host: str, port: int, key: str | None, ready: Say, say: Say) -> None:
    """Serve until interrupted; ``ready`` gets the URL, ``say`` one line an event.  Raises UsageError: port in use."""

    async def run() -> None:
        async with serving(host, port, key, say) as url:
            ready(url)
            await asyncio.Event().wait()

    asyncio.run(run())


def _silent(line: str) -> None:
    pass


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", port: int = 0, key: str | None = None, say: Say = _silent
) -> AsyncIterator[str]:
    """Serve meanwhile; the value is the URL.  ``port`` 0: one that is free.  ``key``: what clients have to show."""
    numbers = count(1)

    async def converse(connection: ServerConnection) -> None:
        number = next(numbers)
        await _converse(connection, lambda line: say(f"#{number} {line}"))

    def turned_away(connection: ServerConnection, request: Request) -> Response | None:
        return _turned_away(connection, request, key)

    try:
        server = await serve_sockets(
            converse, host, port, process_request=turned_away, compression=None, logger=_logger(say)
        )
    except OSError as error:
        raise UsageError(f"{host}:{port}: {error.strerror or error}; give another --host or --port") from error
    async with server:
        address, bound = next(iter(server.sockets)).getsockname()[:2]
        yield f"ws://[{address}]:{bound}" if ":" in address else f"ws://{address}:{bound}"


def _turned_away(connection: ServerConnection, request: Request, key: str | None) -> Response | None:
    if speaker_for(request.path) is None:
        return connection.respond(HTTPStatus.NOT_FOUND, _told("no vendor that this server knows has this path"))
    if key is not None and not any(hmac.compare_digest(key.encode(), shown.encode()) for shown in _keys(request)):
        return connection.respond(HTTPStatus.UNAUTHORIZED, _told("the key is missing or not the right one"))
    return None


def _told(problem: str) -> str:
    return json.dumps({"error": {"message": problem}})


def _keys(request: Request) -> list[str]:
    """Where the vendors' clients put it: OpenAI's and StepFun's in the first, Gemini's in either of the others."""
    bearers = [value.removeprefix("Bearer ") for value in request.headers.get_all("Authorization")]
    return bearers + request.headers.get_all("x-goog-api-key") + parse_qs(urlsplit(request.path).query).get("key", [])


async def _converse(connection: ServerConnection, say: Say) -> None:
    assert connection.request is not None
    speaker = speaker_for(connection.request.path)
    assert speaker is not None, "paths that nobody speaks are turned away"
    try:
        for event in speaker.opening():
            await _send(connection, speaker, event)
        async for frame in connection:
            heard, answers = _answered(speaker, frame)
            say(f"{speaker.name} {heard} → {', '.join(map(_told_of, answers)) or 'taken'}")
            for event in answers:
                await _send(connection, speaker, event)
    except Closed as closed:
        say(f"{speaker.name} closed: {closed}")
        reason = closed.reason.encode()[:LONGEST_CLOSE_REASON].decode("utf-8", "ignore")
        await connection.close(closed.code, reason)
    except ConnectionClosed as closed:
        say(f"{speaker.name} the client left: {closed}")


def _answered(speaker: Speaker, frame: str | bytes) -> tuple[str, list[Document]]:
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError: a binary frame may hold JSON too
        return "what is not JSON", [speaker.unreadable("the message is not JSON")]
    kind = message.get("type", next(iter(message), "")) if isinstance(message, dict) else type(message).__name__
    return ascii(kind)[1:-1][:60], list(speaker.answers(message))


def _told_of(event: Document) -> str:
    if event.get("type") == "error":
        return f"error: {ascii(event['error']['message'])[1:-1]}"
    return str(event.get("type") or next(iter(event)))


async def _send(connection: ServerConnection, speaker: Speaker, event: Document) -> None:
    await connection.send(json.dumps(event, ensure_ascii=False), text=not speaker.binary)


def _logger(say: Say) -> logging.Logger:
    """What the library would log with a traceback, such as a client that speaks TLS, as one line."""

    class OneLine(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            say(f"{record.getMessage()}{f': {error}' if error else ''}")

    logger = logging.Logger("rehearsal", logging.WARNING)
    logger.addHandler(OneLine())
    return logger
