import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from socket import socket
from typing import Any
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from pipeline.cli import main
from pipeline.config import SceneSettings
from pipeline.errors import UsageError
from pipeline.packs.pack import Order as PackOrder
from pipeline.packs.pack import write_pack
from pipeline.packs.persona import personas
from pipeline.packs.targets import TARGETS
from pipeline.rehearsal import LONGEST_REASON, PIECE, Order, Report, hidden, rehearse, shortened
from pipeline.rehearsal_server import serving
from tests.golden_content import golden_plan, golden_rows, golden_seeds
from tests.local_servers import answering, in_a_thread

SPOKEN = sorted(name for name, target in TARGETS.items() if target.socket is not None)
KEY = "sk-proj-0123456789abcdefghijklmnop"
Handler = Callable[[ServerConnection], Awaitable[None]]


def packed(path: Path, target: str = "openai-realtime") -> Path:
    """A pack of the two golden personas."""
    made = personas(golden_rows(), golden_plan(), golden_seeds(), SceneSettings())
    write_pack(path, PackOrder(target, "plan", SceneSettings()), made)
    return path


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packs")
    return {target: packed(folder / target, target) for target in SPOKEN}


@pytest.fixture(scope="module")
def pack(packs: dict[str, Path]) -> Path:
    return packs["openai-realtime"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with in_a_thread(serving()) as url:
        yield url


@pytest.mark.parametrize("suffix", ["", ".zip"])
@pytest.mark.parametrize("target", SPOKEN)
def test_a_pack_is_accepted_whole_anchors_and_all(url: str, target: str, suffix: str, tmp_path: Path) -> None:
    pack = packed(tmp_path / f"pack{suffix}", target)
    report = rehearse(Order(pack, url, anchor=TARGETS[target].anchor is not None, budget_ms=60_000))
    assert (report.sessions, report.finished, report.accepted, report.rejected) == (2, 2, 2, {})
    assert (report.target, report.model, report.within_budget) == (target, TARGETS[target].models[0], 2)
    assert report.all_accepted
    for latency in (report.connect_ms, report.accept_ms):
        assert latency.p50 is not None
        assert latency.p99 is not None
        assert 0 < latency.p50 <= latency.p99 < 10_000


@pytest.mark.parametrize(
    ("target", "keys", "reason"),
    [
        ("openai-realtime", ("session", "temperature"), "error: session.temperature: the API does not know this key"),
        ("stepfun-realtime", ("session", "temperature"), "error: session: Additional properties are not allowed"),
        ("gemini-live", ("first_message", "setup", "temperature"), "closed by the server with 1007: setup.temperature"),
    ],
)
def test_a_harmed_config_is_rejected_in_the_server_s_words_and_the_other_is_not(
    url: str, packs: dict[str, Path], target: str, keys: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    shutil.copytree(packs[target], tmp_path / "pack")
    config = tmp_path / "pack" / "configs" / "orla-keane-5.json"
    document = json.loads(config.read_text("utf-8"))
    part = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = 0.8
    config.write_text(json.dumps(document), "utf-8")
    report = rehearse(Order(tmp_path / "pack", url))
    assert (report.accepted, report.finished) == (1, 2)
    (rejection,) = report.rejections
    assert (rejection.persona_id, rejection.config) == (5, "configs/orla-keane-5.json")
    assert rejection.reason.startswith(reason)
    assert report.rejected == {rejection.reason: 1}


def test_an_anchor_that_the_server_objects_to_is_a_rejection(url: str, pack: Path, tmp_path: Path) -> None:
    shutil.copytree(pack, tmp_path / "pack")
    during = tmp_path / "pack" / "during" / "orla-keane-5.json"
    document = json.loads(during.read_text("utf-8"))
    document["anchor"]["item"]["role"] = "narrator"
    during.write_text(json.dumps(document), "utf-8")
    assert rehearse(Order(tmp_path / "pack", url)).all_accepted
    report = rehearse(Order(tmp_path / "pack", url, anchor=True))
    assert [rejection.persona_id for rejection in report.rejections] == [5]


@pytest.mark.parametrize("harm", [b"{", b"[]", b'{"session": "\xff"}', None])
def test_a_broken_file_of_the_pack_is_one_rejection(
    url: str, packs: dict[str, Path], harm: bytes | None, tmp_path: Path
) -> None:
    shutil.copytree(packs["gemini-live"], tmp_path / "pack")
    config = tmp_path / "pack" / "configs" / "orla-keane-5.json"
    config.unlink()
    if harm is not None:
        config.write_bytes(harm)
    report = rehearse(Order(tmp_path / "pack", url))
    assert report.rejected == {"its file in the pack is missing or broken; see `personas verify`": 1}
    assert report.accepted == 1


def test_more_sessions_than_configs_go_round_and_fewer_take_the_first(pack: Path) -> None:
    lines: list[str] = []
    with in_a_thread(serving(say=lines.append)) as url:
        assert rehearse(Order(pack, url, sessions=5)).accepted == 5
        assert len(lines) == 5
        assert rehearse(Order(pack, url, sessions=1)).accepted == 1


def test_a_thousand_sessions_over_fifty_connections_lose_none(pack: Path) -> None:
    lines: list[str] = []
    with in_a_thread(serving(say=lines.append)) as url:
        report = rehearse(Order(pack, url, sessions=1000, at_once=50))
    assert (report.accepted, report.finished, report.rejected) == (1000, 1000, {})
    assert len({line.split()[0] for line in lines}) == 1000


def test_no_more_sessions_are_open_than_were_asked_for(pack: Path) -> None:
    opened, most = 0, 0

    async def handler(connection: ServerConnection) -> None:
        nonlocal opened, most
        opened += 1
        most = max(most, opened)
        await connection.recv()
        await connection.send('{"type": "session.updated"}')
        await connection.wait_closed()
        opened -= 1

    with in_a_thread(answering(handler)) as url:
        assert rehearse(Order(pack, url, sessions=40, at_once=5)).all_accepted
    assert 1 < most <= 5


async def silent(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def leaves(connection: ServerConnection) -> None:
    await connection.close(4001, "quota exceeded")


async def drops(connection: ServerConnection) -> None:
    connection.transport.abort()


async def bad_json(connection: ServerConnection) -> None:
    await connection.send("{session")


async def a_list(connection: ServerConnection) -> None:
    await connection.send("[1]")


async def binary(connection: ServerConnection) -> None:
    await connection.send(b"\x00\xff\xfe")


async def only_greets(connection: ServerConnection) -> None:
    await connection.send('{"type": "session.created"}')
    await connection.wait_closed()


async def echoes_the_key(connection: ServerConnection) -> None:
    assert connection.request is not None
    said = connection.request.headers["Authorization"]
    await connection.send(json.dumps({"type": "error", "error": {"message": f"denied: {said}"}}))


async def hangs_up_with_the_key(connection: ServerConnection) -> None:
    assert connection.request is not None
    said = f"{connection.request.headers['Authorization']} is the key that may not open a session here, is it"
    await connection.close(4003, f"x{'.' * 80}{said}".encode()[:123].decode())


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (silent, "not accepted within 0.3 s"),
        (only_greets, "not accepted within 0.3 s"),
        (leaves, "closed by the server with 4001: quota exceeded"),
        (drops, "the connection was lost"),
        (bad_json, "the server sent what is not JSON"),
        (a_list, "the server sent JSON that is no object"),
        (binary, "the server sent a binary frame that is no text"),
        (echoes_the_key, "error: denied: Bearer ***"),
        (hangs_up_with_the_key, f"closed by the server with 4003: x{'.' * 80}Bearer ***"),
    ],
)
def test_what_a_server_does_wrong_is_a_plain_reason(handler: Handler, reason: str, pack: Path) -> None:
    with in_a_thread(answering(handler)) as url:
        report = rehearse(Order(pack, url, timeout_s=0.3, key=KEY))
    assert report.accepted == 0
    assert sum(report.rejected.values()) == 2
    assert [shown.split(" is the key")[0] for shown in report.rejected] == [reason]
    assert KEY[:PIECE] not in report.model_dump_json()
    assert report.accept_ms.p50 is None


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 503])
def test_a_handshake_refused_is_told_with_its_status_and_without_the_key(status: int, pack: Path) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        said = {"error": {"message": f"Incorrect key: {request.headers['Authorization']}. See \x1b[31m the docs."}}
        response = connection.respond(HTTPStatus(status), json.dumps(said))
        response.headers["Location"] = "/v1/realtime"
        return response

    with in_a_thread(answering(silent, process_request=refuse)) as url:
        report = rehearse(Order(pack, url, key=KEY))
    where = " at /v1/realtime?model=gpt-realtime-2.1" if status == 404 else ""
    said = "Incorrect key: Bearer ***. See [31m the docs."
    assert report.rejected == {f"handshake refused with HTTP {status}{where}: {said}": 2}
    assert report.connect_ms.p50 is None


def test_a_port_nobody_listens_on_is_a_plain_reason(pack: Path) -> None:
    report = rehearse(Order(pack, "ws://127.0.0.1:1"))
    assert report.rejected == {"connection refused: nobody listens there": 2}


def test_a_server_without_tls_is_a_plain_reason(url: str, pack: Path) -> None:
    report = rehearse(Order(pack, url.replace("ws:", "wss:")))
    assert report.rejected == {"no connection: the server hung up; perhaps it speaks ws://, not wss://": 2}


def test_a_proxy_that_cannot_be_used_is_a_plain_reason(url: str, pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("socks_proxy", "socks5://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    (reason,) = rehearse(Order(pack, url)).rejected
    assert reason.startswith(("no connection: ", "handshake failed: "))


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "handshake failed: "), (b"", "no connection within 0.2 s")],
)
def test_a_server_that_speaks_no_http_or_nothing_is_a_plain_reason(greeting: bytes, reason: str, pack: Path) -> None:
    async def run() -> Report:
        left = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            while await reader.read(1000):
                pass
            writer.close()
            left.set()

        async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            order = Order(pack, f"ws://127.0.0.1:{port}", sessions=1, timeout_s=0.2)
            report = await asyncio.to_thread(rehearse, order)
            await left.wait()
            return report

    (told,) = asyncio.run(run()).rejected
    assert told.startswith(reason)


def test_a_binary_frame_of_json_is_read(pack: Path) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(b'{"type": "session.updated"}')
        await connection.wait_closed()

    with in_a_thread(answering(handler)) as url:
        assert rehearse(Order(pack, url)).all_accepted


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "give ws:// or wss://"),
        ("127.0.0.1:1", "give ws:// or wss://"),
        ("ws://", "give ws:// or wss://"),
        ("ws://here:port", "give ws:// or wss://"),
        (f"ws://here/?key={KEY}", "the key goes in --key-env"),
        (f"ws://user:{KEY}@here", "the key goes in --key-env"),
    ],
)
def test_a_url_that_cannot_be_used_is_wrong_usage_and_is_not_repeated(url: str, said: str, pack: Path) -> None:
    with pytest.raises(UsageError, match=said) as told:
        rehearse(Order(pack, url))
    assert KEY not in str(told.value)


def test_a_pack_that_no_socket_speaks_names_those_that_have_one(tmp_path: Path) -> None:
    document = json.loads((packed(tmp_path / "pack") / "pack.json").read_text("utf-8")) | {"target": "messages-jsonl"}
    (tmp_path / "pack" / "pack.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(
        UsageError, match="messages-jsonl is not spoken over a WebSocket.* one of azure-voice-live, gemini"
    ):
        rehearse(Order(tmp_path / "pack", "ws://127.0.0.1:1"))


@given(st.text(max_size=9), st.integers(0, len(KEY) - PIECE), st.integers(PIECE, len(KEY)), st.text(max_size=9))
def test_no_piece_of_a_key_is_ever_shown(before: str, start: int, size: int, after: str) -> None:
    piece = KEY[start : start + size]
    shown = hidden(before + piece + after, KEY)
    assert all(KEY[place : place + PIECE] not in shown for place in range(len(KEY) - PIECE + 1))
    assert "***" in shown


@given(st.text(alphabet="xyz \n\0", max_size=300))
def test_a_reason_without_the_key_stays_as_it_is_but_for_its_length_and_blanks(text: str) -> None:
    assert hidden(text, KEY) == text.replace("\0", " ")
    assert len(shortened(text)) <= LONGEST_REASON
    assert shortened(text).isprintable()


def test_a_key_is_hidden_however_it_is_written() -> None:
    assert hidden("a+b/c== and a%2Bb%2Fc%3D%3D", "a+b/c==") == "*** and ***"
    assert hidden("key", None) == "key"


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["rehearse", *map(str, arguments)])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_command_prints_a_table_writes_a_report_and_exits_0(
    url: str, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(pack, "--url", url, "--budget-ms", 60_000, "--report", tmp_path / "r.json") == 0
    out = capsys.readouterr().out
    assert "2 of 2 stood within 60000 ms" in out
    assert re.search(r"2 of 2 sessions accepted; [\d.,]+ a second", out)
    assert re.search(r"connect +│ +[\d.]+", out)
    assert Report.model_validate_json((tmp_path / "r.json").read_bytes()).all_accepted


def test_the_command_counts_rejections_by_reason_and_exits_1_without_showing_the_key(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY + "\n")
    with in_a_thread(answering(echoes_the_key)) as url:
        arguments = (pack, "--url", url, "--key-env", "MY_KEY", "--report", tmp_path / "r.json")
        assert command(*arguments) == 1
        shown = capsys.readouterr()
        assert "      2 rejected: error: denied: Bearer ***\n" in shown.out
        assert command(*arguments, "--json") == 1
        printed = capsys.readouterr()
    assert json.loads(printed.out)["rejected"] == {"error: denied: Bearer ***": 2}
    written = Report.model_validate_json((tmp_path / "r.json").read_bytes())
    assert [rejection.persona_id for rejection in written.rejections] == [5, (1 << 32) + 5]
    assert KEY[:PIECE] not in shown.out + shown.err + printed.out + printed.err + (tmp_path / "r.json").read_text()


def test_where_nothing_was_accepted_the_command_shows_no_figures(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(pack, "--url", "ws://127.0.0.1:1") == 1
    assert capsys.readouterr().out.splitlines() == [
        "      2 rejected: connection refused: nobody listens there", "0 of 2 sessions accepted"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a pack and the server's --url, or give --serve"),
        (["pack"], "name a pack and the server's --url"),
        (["pack", "--serve"], "--serve takes no pack"),
        (["none", "--url", "ws://127.0.0.1:1"], "none: neither a folder nor a zip file"),
        (["pack", "--url", "ws://127.0.0.1:1", "--key-env", "NOT_SET"], "NOT_SET: this environment variable holds no"),
        (["pack", "--url", "ws://127.0.0.1:1", "--at-once", "0"], "--at-once"),
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*arguments) == 2
    assert said in capsys.readouterr().err


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_reports_what_is_finished_closes_the_sockets_and_exits_130(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[int] = []
    seen = 0

    async def handler(connection: ServerConnection) -> None:
        nonlocal seen
        seen += 1
        if seen <= 3:
            await connection.send('{"type": "session.updated"}')
        elif seen == 6:
            ctrl_c()
        await connection.wait_closed()
        closed.append(seen)

    with in_a_thread(answering(handler)) as url:
        assert command(pack, "--url", url, "--sessions", 1000, "--at-once", 3, "--json") == 130
    report = json.loads(capsys.readouterr().out)
    assert (report["accepted"], report["sessions"], report["interrupted"]) == (3, 1000, True)
    assert len(closed) == seen


def test_the_served_url_is_printed_and_ctrl_c_ends_it(
    pack: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reports: list[Report] = []

    def meanwhile() -> None:
        while not reports or "connection refused: nobody listens there" in reports[-1].rejected:
            reports.append(rehearse(Order(pack, f"ws://127.0.0.1:{port}", key=KEY)))
        reports.append(rehearse(Order(pack, f"ws://127.0.0.1:{port}", key="wrong")))
        ctrl_c()

    other = threading.Thread(target=meanwhile)
    other.start()
    assert command("--serve", "--port", port, "--require-key-env", "MY_KEY") == 130
    other.join()
    *_, accepted, refused = reports
    assert accepted.all_accepted
    assert refused.rejected == {"handshake refused with HTTP 401: the key is missing or not the right one": 2}
    shown = capfd.readouterr()
    assert shown.out == f"ws://127.0.0.1:{port}\n"
    assert "#1 openai-realtime session.update → session.updated\n" in shown.err
    assert KEY not in shown.err
    assert "Traceback" not in shown.err


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A foreign server, https://www.npmjs.com/package/@copilotkit/aimock; its http:// address."""
    folder = tmp_path_factory.mktemp("aimock")
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not there, and aimock runs on them")
    install = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "@copilotkit/aimock@1.43.0"]
    installed = subprocess.run(install, cwd=folder, check=False, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"npm could not install aimock: {installed.stderr.strip().splitlines()[-1:]}")
    (folder / "fixtures").mkdir()
    answer = {"match": {"userMessage": "hello"}, "response": {"content": "Orla here."}}
    (folder / "fixtures" / "one.json").write_text(json.dumps({"fixtures": [answer]}), "utf-8")
    cli = folder / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    process = subprocess.Popen(["node", str(cli), "--port", "0", "--fixtures", str(folder / "fixtures")],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    assert process.stdout is not None
    address = None
    while address is None:
        line = process.stdout.readline()
        assert line, "aimock ended before it listened"
        address = re.search(r"http://[\w.]+:\d+", line)
    yield address[0]
    process.terminate()
    process.communicate(timeout=10)


@pytest.mark.parametrize("target", ["gemini-live", "openai-realtime", "stepfun-realtime"])  # whose paths aimock has
def test_a_foreign_server_accepts_every_target_s_configs(aimock: str, packs: dict[str, Path], target: str) -> None:
    report = rehearse(Order(packs[target], aimock.replace("http", "ws"), sessions=20))
    assert (report.accepted, report.rejected) == (20, {})


def test_the_official_client_delivers_a_pack_s_config_and_greeting_to_a_foreign_server(aimock: str, pack: Path) -> None:
    update = json.loads((pack / "configs" / "orla-keane-5.json").read_text("utf-8"))
    during = json.loads((pack / "during" / "orla-keane-5.json").read_text("utf-8"))
    hello = {"type": "conversation.item.create", "item": {
        "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}}  # fmt: skip

    async def speak() -> list[Any]:
        heard: list[Any] = []
        client = AsyncOpenAI(api_key="x", websocket_base_url=f"{aimock.replace('http', 'ws')}/v1")
        async with client, client.realtime.connect(model="gpt-realtime") as connection:
            for event in (update, hello, during["greeting"]):
                await connection.send(event)
            async with asyncio.timeout(10):
                while not heard or heard[-1].type not in {"response.done", "error"}:
                    heard.append(await connection.recv())
        return heard

    heard = asyncio.run(speak())
    assert [event.type for event in heard[:2]] == ["session.created", "session.updated"]
    assert heard[1].session.instructions == update["session"]["instructions"]
    assert heard[-1].type == "response.done"
    with urlopen(f"{aimock}/v1/_requests") as journal:  # what the model would have been told for this response
        told = [message for request in json.load(journal) for message in request["body"]["messages"]]
    assert during["greeting"]["response"]["instructions"] in [message["content"] for message in told]
