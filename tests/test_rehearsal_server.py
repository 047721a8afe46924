import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from google import genai
from google.genai import live as google_live
from google.genai import types as gemini
from openai import AsyncOpenAI
from openai.types import realtime as ga
from openai.types.beta import realtime as flat
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipeline.errors import UsageError
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.target import Document
from pipeline.packs.targets import TARGETS
from pipeline.rehearsal_server import serving
from tests.local_servers import in_a_thread
from tests.packs.personas import golden_persona

GEMINI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
OPENAI = "/v1/realtime?model=gpt-realtime"
STEPFUN = "/v1/realtime?model=stepaudio-2.5-realtime"
GREETING = "Orla Keane here, who's this on the road so late?"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with in_a_thread(serving()) as url:
        yield url


def document(target: str) -> Document:
    return json.loads(json.dumps(TARGETS[target].export(golden_persona(), TARGETS[target].models[0])))


def greeting(target: str) -> Document:
    found = TARGETS[target].greeting
    assert found is not None
    return found(golden_persona()) or {}


def anchor(target: str) -> Document:
    found = TARGETS[target].anchor
    assert found is not None
    return found(golden_persona(), "")


def spoken(url: str, *messages: Document | str | bytes, until: str) -> list[Document]:
    """What the server says from the start until the first event whose type, or only key, is ``until``."""

    async def speak() -> list[Document]:
        heard: list[Document] = []
        async with connect(url) as connection:
            for message in messages:
                await connection.send(json.dumps(message) if isinstance(message, dict) else message)
            async with asyncio.timeout(10):
                while not heard or (heard[-1].get("type") or next(iter(heard[-1]))) != until:
                    heard.append(json.loads(await connection.recv()))
        return heard

    return asyncio.run(speak())


def server_types(union: Any) -> dict[str, Any]:
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in get_args(get_args(union)[0])}


SERVER_TYPES = {OPENAI: server_types(ga.RealtimeServerEvent), STEPFUN: server_types(flat.RealtimeServerEvent)}


def as_openai_s(event: Document) -> Document:
    """Without what only StepFun has, which OpenAI's types of the flat shape cannot know: its model, one threshold."""
    event = json.loads(json.dumps(event))
    if event.get("session", {}).get("model") == "stepaudio-2.5-realtime":
        del event["session"]["model"]
        event["session"].get("turn_detection", {}).pop("energy_awakeness_threshold", None)
    return event


@pytest.mark.parametrize(("path", "target"), [(OPENAI, "openai-realtime"), (STEPFUN, "stepfun-realtime")])
def test_a_whole_session_is_made_of_the_official_server_events(url: str, path: str, target: str) -> None:
    update = document(target)
    heard = spoken(url + path, update, anchor(target), greeting(target), until="response.done")
    for event in heard:
        assert sdk_faults(SERVER_TYPES[path][event["type"]], as_openai_s(event), event["type"]) == []
    assert len({event["event_id"] for event in heard}) == len(heard)
    by_type = {event["type"]: event for event in heard}
    assert heard[0]["type"] == "session.created"
    updated = by_type["session.updated"]["session"]
    assert updated | update["session"] == updated
    item = by_type["conversation.item.added" if path == OPENAI else "conversation.item.created"]["item"]
    assert item["content"] == anchor(target)["item"]["content"]
    (said,) = [event["transcript"] for event in heard if event["type"].endswith("transcript.done")]
    assert said == golden_persona().seed.greeting
    assert by_type["response.done"]["response"]["output"][0]["content"][0]["transcript"] == said


def test_a_session_of_text_is_answered_in_text(url: str) -> None:
    update = {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}
    heard = spoken(url + OPENAI, update, {"type": "response.create"}, until="response.done")
    assert [event["type"] for event in heard if "text" in event["type"]] == [
        "response.output_text.delta", "response.output_text.done",
    ]  # fmt: skip
    for event in heard:
        assert sdk_faults(SERVER_TYPES[OPENAI][event["type"]], event, "") == []


def test_an_update_leaves_what_it_does_not_name(url: str) -> None:
    later = {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}}
    first = document("openai-realtime")
    heard = spoken(url + OPENAI, first, later, {"type": "response.create"}, until="response.done")
    session = [event for event in heard if event["type"] == "session.updated"][-1]["session"]
    assert session["instructions"] == first["session"]["instructions"]
    assert session["audio"]["output"] == first["session"]["audio"]["output"] | {"voice": "cedar"}


def harmed(update: Document, path: str, value: object) -> Document:
    *parents, last = path.split(".")
    part: Any = update
    for name in parents:
        part = part[name]
    part[last] = value
    return update


@pytest.mark.parametrize(
    ("path", "target", "field", "value", "said"),
    [
        (OPENAI, "openai-realtime", "session.temperature", 0.8, "session.temperature"),
        (OPENAI, "openai-realtime", "session.voice", "marin", "session.voice"),
        (OPENAI, "openai-realtime", "session.audio.output.speeed", 1, "session.audio.output.speeed"),
        (OPENAI, "openai-realtime", "session.audio.output.speed", 9, "session.audio.output.speed"),
        (OPENAI, "openai-realtime", "session.audio.input.format.rate", 16000, "session"),
        (OPENAI, "openai-realtime", "session.type", "voice", "session"),
        (OPENAI, "openai-realtime", "session", "all of it", "session"),
        (OPENAI, "openai-realtime", "type", "session.updat", "session.updat"),
        (OPENAI, "openai-realtime", "type", 7, "type"),
        (STEPFUN, "stepfun-realtime", "session.temperature", 0.8, "temperature"),
        (STEPFUN, "stepfun-realtime", "session.turn_detection.energy_awakeness_threshold", 9000, "9000"),
        (STEPFUN, "stepfun-realtime", "session.modalities", ["text"], "session.modalities"),
    ],
)
def test_what_the_types_do_not_know_is_an_error_that_names_it(
    url: str, path: str, target: str, field: str, value: object, said: str
) -> None:
    (_, error) = spoken(url + path, harmed(document(target), field, value), until="error")
    assert sdk_faults(SERVER_TYPES[path]["error"], error, "error") == []
    assert said in error["error"]["message"]
    if error["error"]["param"] != "type":
        assert error["error"]["event_id"] == "persona_5"


@pytest.mark.parametrize("message", ["{", b"\xff\xfe", "[" * 100_000, "[]", "null", '{"type": {}}'])
def test_a_message_that_cannot_be_read_is_an_error_and_the_session_goes_on(url: str, message: str | bytes) -> None:
    heard = spoken(url + OPENAI, message, document("openai-realtime"), until="session.updated")
    assert [event["type"] for event in heard] == ["session.created", "error", "session.updated"]


def test_nulls_of_optional_fields_are_taken(url: str) -> None:
    update = {"type": "session.update", "session": {"type": "realtime", "audio": {"input": None, "output": None}}}
    assert spoken(url + OPENAI, update, until="session.updated")


@pytest.mark.parametrize(("other", "path"), [("stepfun-realtime", OPENAI), ("openai-realtime", STEPFUN)])
def test_the_shape_of_the_other_vendor_is_refused(url: str, other: str, path: str) -> None:
    assert spoken(url + path, document(other), until="error")


@pytest.mark.parametrize("target", ["openai-realtime", "stepfun-realtime"])
def test_without_a_model_the_shape_of_the_first_update_tells_the_vendor(url: str, target: str) -> None:
    (_, updated) = spoken(f"{url}/v1/realtime", document(target), until="session.updated")
    assert updated["session"]["instructions"] == document(target)["session"]["instructions"]


def test_gemini_is_set_up_and_greets_in_binary_frames(url: str) -> None:
    async def speak() -> list[Any]:
        async with connect(url + GEMINI) as connection:
            await connection.send(json.dumps(document("gemini-live")["first_message"]))
            await connection.send(json.dumps(anchor("gemini-live")))
            await connection.send(json.dumps(greeting("gemini-live")))
            return [await connection.recv() for _ in range(4)]

    frames = asyncio.run(speak())
    assert all(isinstance(frame, bytes) for frame in frames)
    messages = [gemini.LiveServerMessage.model_validate_json(frame) for frame in frames]
    assert json.loads(frames[0]) == {"setupComplete": {}}
    said = messages[1].server_content
    assert said is not None
    assert said.output_transcription is not None
    assert str(golden_persona().seed.greeting) in str(said.output_transcription.text)
    assert messages[3].server_content is not None
    assert messages[3].server_content.turn_complete


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("setup.temperature", 0.8, "setup.temperature: it belongs under generationConfig"),
        ("setup.emotion", "warm", "setup.emotion: the API does not know this key"),
        ("setup.generationConfig.emotion", "warm", "emotion"),
        ("setup.realtimeInputConfig.automaticActivityDetection.startOfSpeechSensitivity", "HIGH", "HIGH"),
        ("setup.model", "gemini-3.8-live", "setup.model: it must be models/"),
        ("setup", [], "setup.: it must be an object"),
        ("clientContent", {}, "the first message must be one of setup"),
    ],
)
def test_what_gemini_does_not_take_ends_the_session_with_the_path(
    url: str, field: str, value: object, said: str
) -> None:
    message = harmed(document("gemini-live")["first_message"], field, value)
    with pytest.raises(ConnectionClosed) as closed:
        spoken(url + GEMINI, message, until="setupComplete")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007
    assert said in closed.value.rcvd.reason


def test_a_second_setup_ends_a_session_of_gemini_s(url: str) -> None:
    setup = document("gemini-live")["first_message"]
    with pytest.raises(ConnectionClosed, match="this message must be one of clientContent"):
        spoken(url + GEMINI, setup, setup, until="turnComplete")


@pytest.mark.parametrize("path", ["/", "/v1/realtime/calls", "/v1/v1/realtime", GEMINI + "x"])
def test_a_path_that_no_vendor_has_is_not_found(url: str, path: str) -> None:
    with pytest.raises(InvalidStatus, match="404"):
        spoken(url + path, until="session.created")


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, OPENAI, 401),
        ({"Authorization": "Bearer wrong"}, OPENAI, 401),
        ({"Authorization": "Bearer s3cret"}, OPENAI, None),
        ({"x-goog-api-key": "s3cret"}, GEMINI, None),
        ({}, f"{GEMINI}?key=s3cret", None),
        ({}, f"{GEMINI}?key=", 401),
    ],
)
def test_a_key_is_asked_for_where_the_server_has_one(headers: dict[str, str], path: str, status: int | None) -> None:
    async def speak() -> None:
        async with serving(key="s3cret") as url, connect(url + path, additional_headers=headers):
            pass

    if status is None:
        asyncio.run(speak())
    else:
        with pytest.raises(InvalidStatus, match=str(status)):
            asyncio.run(speak())


def test_every_event_is_a_line_with_its_answer_and_nothing_of_its_content() -> None:
    lines: list[str] = []
    update = harmed(document("openai-realtime"), "session.temperature", 1)
    with in_a_thread(serving(say=lines.append)) as url:
        spoken(url + OPENAI, {"type": "response.create"}, update, until="error")
        spoken(url + GEMINI, document("gemini-live")["first_message"], until="setupComplete")
    assert re.match("#1 openai-realtime response.create → response.created, ", lines[0])
    assert lines[1] == "#1 openai-realtime session.update → error: session.temperature: the API does not know this key"
    assert lines[2] == "#2 gemini-live setup → setupComplete"


def test_a_client_that_speaks_something_else_is_one_line_and_no_traceback() -> None:
    lines: list[str] = []

    async def speak() -> None:
        async with serving(say=lines.append) as url:
            host, port = url.removeprefix("ws://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"\x16\x03\x01\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()

    asyncio.run(speak())
    assert len(lines) == 1
    assert lines[0].startswith("opening handshake failed")


def test_a_port_in_use_is_wrong_usage(url: str) -> None:
    async def second() -> None:
        async with serving(port=int(url.rsplit(":", 1)[1])):
            pass

    with pytest.raises(UsageError, match="give another --host or --port"):
        asyncio.run(second())


def test_the_official_client_holds_a_session_with_it(url: str) -> None:
    async def speak() -> list[Any]:
        heard = []
        client = AsyncOpenAI(api_key="x", websocket_base_url=f"{url}/v1")
        async with client, client.realtime.connect(model="gpt-realtime") as connection:
            heard.append(await connection.recv())
            await connection.send(document("openai-realtime"))
            await connection.send(greeting("openai-realtime"))
            while heard[-1].type != "response.done":
                heard.append(await connection.recv())
        return heard

    heard = asyncio.run(speak())
    assert [event.type for event in heard[:3]] == ["session.created", "session.updated", "response.created"]
    assert heard[1].session.instructions == golden_persona().scene
    assert heard[-1].response.output[0].content[0].transcript == golden_persona().seed.greeting


def test_google_s_own_client_greets_over_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_tls(uri: str, **options: Any) -> Any:
        return connect(uri.replace("wss:", "ws:"), **options | {"ssl": None})

    monkeypatch.setattr(google_live, "ws_connect", without_tls)

    async def speak() -> list[str]:
        client = genai.Client(api_key="x", http_options={"base_url": url.replace("ws:", "http:")})
        content = greeting("gemini-live")["clientContent"]
        async with client.aio.live.connect(**document("gemini-live")["connect"]) as session:
            await session.send_client_content(turns=content["turns"], turn_complete=True)
            heard = [message.server_content async for message in session.receive()]
        return [
            content.output_transcription.text or "" for content in heard if content and content.output_transcription
        ]

    (heard,) = asyncio.run(speak())
    assert (golden_persona().greeting or "none") in heard
