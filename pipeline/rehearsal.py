"""Send a pack's configs over real WebSocket sessions and tell which of them the server takes, and how fast.

How a config is sent and what the server answers is its target's ``socket``.  Rejections are told in the server's own
words, one plain reason each.  A session is: connect, send the first message, wait for the acceptance, with ``anchor``
also send the anchor and listen for an objection, close.
"""

import asyncio
import json
import re
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from tqdm import tqdm
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from pipeline.errors import UsageError
from pipeline.packs.pack import Pack, PackedPersona, extract, read_file, read_pack
from pipeline.packs.target import Document, Socket
from pipeline.packs.targets import TARGETS

LONGEST_REASON = 200
# An objection to an anchor is an event of its own, an assent need not be one: how long to listen for the objection.
OBJECTION_S = 0.5
CLOSE_S = 1.0  # for the server's half of the closing handshake, which nobody waits for in a call
PIECE = 8  # characters of a key that are not to show even where a server quotes only part of it


class Order(NamedTuple):
    """What is asked of a rehearsal.  ``key`` is the secret itself; seconds and milliseconds as their names say."""

    pack: Path
    url: str
    sessions: int | None = None
    at_once: int = 8
    timeout_s: float = 10.0
    key: str | None = None
    anchor: bool = False
    budget_ms: float | None = None


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Latency(_Record):
    """Milliseconds; null where no session came so far."""

    p50: float | None
    p95: float | None
    p99: float | None


class Rejection(_Record):
    persona_id: int
    config: str = Field(description="Path in the pack.")
    reason: str


class Report(_Record):
    """What a rehearsal found."""

    pack: str
    target: str
    model: str
    url: str
    sessions: int = Field(description="As many as were asked for.")
    finished: int = Field(description="Fewer than sessions where the rehearsal was interrupted.")
    accepted: int
    rejected: dict[str, int] = Field(description="Reason to count, the most frequent first.")
    connect_ms: Latency = Field(description="TCP, TLS and the upgrade to a WebSocket.")
    accept_ms: Latency = Field(description="From sending the config to its acceptance.")
    seconds: float
    sessions_per_s: float
    budget_ms: float | None
    within_budget: int | None = Field(description="Accepted sessions that stood, connect and accept together, in time.")
    interrupted: bool
    rejections: tuple[Rejection, ...]

    @property
    def all_accepted(self) -> bool:
        return self.accepted == self.sessions


class _Refused(Exception):
    """Why a session does not stand, for people to read."""


class _Stood(NamedTuple):
    connect_ms: float
    accept_ms: float


class _Tally:
    """What is finished so far."""

    def __init__(self) -> None:
        self.stood: list[_Stood] = []
        self.connect_ms: list[float] = []  # of rejected sessions too, where they came so far
        self.rejections: list[Rejection] = []

    @property
    def finished(self) -> int:
        return len(self.stood) + len(self.rejections)

    def report(self, order: Order, pack: Pack, sessions: int, seconds: float, interrupted: bool) -> Report:
        reasons = Counter(rejection.reason for rejection in self.rejections)
        within = None
        if order.budget_ms is not None:
            within = sum(sum(stood) <= order.budget_ms for stood in self.stood)
        return Report(
            pack=str(order.pack),
            target=pack.target,
            model=pack.model,
            url=order.url,
            sessions=sessions,
            finished=self.finished,
            accepted=len(self.stood),
            rejected=dict(reasons.most_common()),
            connect_ms=_latency(self.connect_ms),
            accept_ms=_latency([stood.accept_ms for stood in self.stood]),
            seconds=round(seconds, 3),
            sessions_per_s=round(self.finished / seconds, 1),
            budget_ms=order.budget_ms,
            within_budget=within,
            interrupted=interrupted,
            rejections=tuple(self.rejections),
        )


def _latency(milliseconds: list[float]) -> Latency:
    if not milliseconds:
        return Latency(p50=None, p95=None, p99=None)
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(milliseconds, [50, 95, 99]))
    return Latency(p50=p50, p95=p95, p99=p99)


def rehearse(order: Order, progress: bool = False) -> Report:
    """Open ``order.sessions`` sessions (default: one a config), ``at_once`` at a time.

    Ctrl-C ends it early: the sockets are closed and the report covers what was finished.  Raises UsageError for a pack
    whose target is not spoken over a WebSocket, and for a URL or a key that cannot be used.
    """
    pack = read_pack(order.pack)
    socket = _socket(pack)
    url = _session_url(order.url, socket, pack.model)
    if order.anchor and TARGETS[pack.target].anchor is None:
        raise UsageError(f"--anchor: {pack.target} has no event that sends one")
    sessions = len(pack.personas) if order.sessions is None else order.sessions
    tally, interrupted = _Tally(), False
    with _folder(order.pack) as folder, tqdm(total=sessions, unit="session", disable=not progress) as bar:
        began = time.perf_counter()
        try:
            asyncio.run(_Rehearsal(order, folder, url, socket, tally, bar).run(pack, sessions))
        except KeyboardInterrupt:
            interrupted = True
        seconds = time.perf_counter() - began
    return tally.report(order, pack, sessions, seconds, interrupted)


def _socket(pack: Pack) -> Socket:
    target = TARGETS.get(pack.target)
    if target is None or target.socket is None:
        known = ", ".join(name for name, target in sorted(TARGETS.items()) if target.socket is not None)
        raise UsageError(f"{pack.target} is not spoken over a WebSocket; a rehearsal needs a pack for one of {known}")
    if not pack.personas:
        raise UsageError("the pack holds no config; export one")
    return target.socket


def _session_url(url: str, socket: Socket, model: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"ws", "wss"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise UsageError("--url: give ws:// or wss://, a host and, where it is not the usual one, a port")
    if parts.query or parts.fragment or parts.username is not None:
        # Not repeated in the message: it may be the key.
        raise UsageError("--url: only the server's address; the path is the target's own, the key goes in --key-env")
    return url.rstrip("/") + socket.path.replace("{model}", quote(model, safe=""))


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """The pack as a folder: to look up one file of a zip file is to read its whole table of contents."""
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        extract(path, Path(folder))
        yield next(Path(folder).glob("*/pack.json")).parent


class _Connect(connect):
    """A redirect is an answer like any other: followed, it would carry the key to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Rehearsal:
    def __init__(self, order: Order, folder: Path, url: str, socket: Socket, tally: _Tally, bar: "tqdm[Any]") -> None:
        self.order, self.folder, self.url, self.socket = order, folder, url, socket
        self.tally, self.bar = tally, bar
        # Made once: reading the system's certificates takes tens of milliseconds, which are not the server's.
        self.tls = ssl.create_default_context() if url.startswith("wss:") else None
        self.headers = {} if order.key is None else {socket.key_header: socket.key_prefix + order.key}

    async def run(self, pack: Pack, sessions: int) -> None:
        free = asyncio.Semaphore(self.order.at_once)
        async with asyncio.TaskGroup() as group:
            for persona in islice(cycle(pack.personas), sessions):
                await free.acquire()  # before the task is made, so that no more of them are waiting than at work
                group.create_task(self._session(persona)).add_done_callback(lambda _: free.release())

    async def _session(self, persona: PackedPersona) -> None:
        try:
            self.tally.stood.append(await self._stood(persona))
        except _Refused as refused:
            reason = shortened(hidden(str(refused), self.order.key))
            config = persona.files[0].path if persona.files else ""
            self.tally.rejections.append(Rejection(persona_id=persona.persona_id, config=config, reason=reason))
        self.bar.update()

    async def _stood(self, persona: PackedPersona) -> _Stood:
        first, anchor = self._messages(persona)
        began = time.perf_counter()
        connection = await self._connection()
        connect_ms = _since(began)
        self.tally.connect_ms.append(connect_ms)
        async with connection:
            try:
                began = time.perf_counter()
                await self._accepted(connection, first)
                accept_ms = _since(began)
                if anchor is not None:
                    await self._unopposed(connection, anchor)
            except ConnectionClosed as closed:
                raise _Refused(_closing(closed)) from closed
        return _Stood(connect_ms, accept_ms)

    def _messages(self, persona: PackedPersona) -> tuple[str, str | None]:
        """The first message and the anchor, as they are sent."""
        try:
            names = {file.path.partition("/")[0]: file.path for file in persona.files}
            first = self.socket.first_message(self._document(names["configs"]))
            anchor = self._document(names["during"])["anchor"] if self.order.anchor else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _Refused("its file in the pack is missing or broken; see `personas verify`") from error
        return _as_text(first), None if anchor is None else _as_text(anchor)

    def _document(self, name: str) -> Document:
        return dict(json.loads(read_file(self.folder, name)))

    async def _connection(self) -> ClientConnection:
        try:
            # Nothing is compressed: one message of 5 kB is not worth a window of 32 kB at either end.
            return await _Connect(
                self.url, additional_headers=self.headers, open_timeout=self.order.timeout_s, close_timeout=CLOSE_S,
                ssl=self.tls, compression=None, ping_interval=None,
            )  # fmt: skip
        except TimeoutError as error:
            raise _Refused(f"no connection within {self.order.timeout_s:g} s") from error
        except InvalidStatus as refusal:
            raise _Refused(self._handshake(refusal)) from refusal
        except WebSocketException as error:
            raise _Refused(f"handshake failed: {error}") from error
        except ConnectionRefusedError as error:
            raise _Refused("connection refused: nobody listens there") from error
        except ConnectionResetError as error:  # it says nothing of itself
            perhaps = "; perhaps it speaks ws://, not wss://" if self.tls else ""
            raise _Refused(f"no connection: the server hung up{perhaps}") from error
        except ImportError as error:  # the environment names a SOCKS proxy, for which there is a package of its own
            raise _Refused(f"no connection: {error}") from error
        except OSError as error:
            raise _Refused(f"no connection: {error.strerror or error}") from error

    def _handshake(self, refusal: InvalidStatus) -> str:
        status, body = refusal.response.status_code, refusal.response.body or b""
        where = f" at {self.url.removeprefix(self.order.url.rstrip('/'))}" if status == 404 else ""
        text = body.decode("utf-8", "replace").strip()
        try:
            said = _complaint(json.loads(text))
        except (ValueError, RecursionError):
            said = text
        return f"handshake refused with HTTP {status}{where}{': ' if said else ''}{said}"

    async def _accepted(self, connection: ClientConnection, first: str) -> None:
        try:
            async with asyncio.timeout(self.order.timeout_s):
                with suppress(ConnectionClosed):  # why it was closed may stand in a message sent before
                    await connection.send(first)
                while not self.socket.accepted & _kinds(message := await _received(connection)):
                    _object(message)
        except TimeoutError as error:
            raise _Refused(f"not accepted within {self.order.timeout_s:g} s") from error

    async def _unopposed(self, connection: ClientConnection, anchor: str) -> None:
        await connection.send(anchor)
        try:
            async with asyncio.timeout(OBJECTION_S):
                while True:
                    _object(await _received(connection))
        except TimeoutError:
            return


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _as_text(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False)


async def _received(connection: ClientConnection) -> Document:
    """The server's next message.

    Gemini sends its JSON in binary frames (github.com/ai-shifu/ai-shifu/pull/2760), and the vendors' own clients read
    either kind, so a binary frame is refused only if it is no text.
    """
    try:
        text = (await connection.recv(decode=False)).decode()
    except UnicodeDecodeError as error:
        raise _Refused("the server sent a binary frame that is no text") from error
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Refused("the server sent what is not JSON") from error
    if not isinstance(message, dict):
        raise _Refused("the server sent JSON that is no object")
    return message


def _kinds(message: Document) -> set[str]:
    """Its type, or its keys where it has none."""
    kind = message.get("type")
    return {kind} if isinstance(kind, str) else set(message)


def _object(message: Document) -> None:
    if "error" in _kinds(message):
        raise _Refused(f"error: {_complaint(message)}")


def _complaint(message: Any) -> str:
    """What is said in ``{"error": {"message": …}}``, or all of it where it has another shape."""
    error = message.get("error", message) if isinstance(message, dict) else message
    said = error.get("message", error) if isinstance(error, dict) else error
    return said if isinstance(said, str) else _as_text(said)


def _closing(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "the connection was lost" if closed.sent is None else f"closed by us: {closed.sent.reason}"
    return f"closed by the server with {closed.rcvd.code}{': ' if closed.rcvd.reason else ''}{closed.rcvd.reason}"


def hidden(text: str, key: str | None) -> str:
    """``text`` with every piece of the key that is at least PIECE long blotted out, as servers quote and cut it."""
    if not key:
        return text
    forms = {key, quote(key, safe=""), json.dumps(key)[1:-1]}
    size = min(PIECE, *map(len, forms))
    pieces = {form[start : start + size] for form in forms for start in range(len(form) - size + 1)}
    blotted: set[int] = set()
    for start in range(len(text) - size + 1):
        if text[start : start + size] in pieces:
            blotted.update(range(start, start + size))
    shown = "".join("\0" if place in blotted else letter for place, letter in enumerate(text.replace("\0", " ")))
    return re.sub("\0+", "***", shown)


def shortened(text: str) -> str:
    """On one line, without control characters, at most LONGEST_REASON long."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
