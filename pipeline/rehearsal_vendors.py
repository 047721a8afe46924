"""What each vendor's realtime server answers to a client's events, each held against the vendor's own types first.

OpenAI's GA shape and the flat one of StepFun, Qwen-Omni and Azure Voice Live after the client and server events of the
official SDK (`openai.types.realtime` and `openai.types.beta.realtime`), what is the vendor's own in the flat one after
schemas/vendor/; Gemini Live after `google-genai`.
No model listens: a response says back what it was told to say.  A valid event that a call sends but nobody answers,
such as audio, is taken in silence.
"""

import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple, Protocol, get_args
from urllib.parse import parse_qs, urlsplit

from google.genai import types as gemini
from openai.types import realtime as ga
from openai.types.beta import realtime as flat
from pydantic.alias_generators import to_camel

from pipeline.errors import Fault
from pipeline.packs import azure_voice_live, gemini_live, openai_realtime, qwen_omni_realtime, stepfun_realtime
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.target import Document, Target

INVALID_PAYLOAD = 1007  # the code with which Gemini Live closes on what it does not take
GEMINI_PATH = re.compile(r"/ws/google\.ai\.generativelanguage\.v1(alpha|beta)?\.GenerativeService\.BidiGenerateContent")
QUOTED = re.compile("“(.+?)”", re.DOTALL)


class Closed(Exception):
    """The server closes the session with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(f"{code} {reason}")


class Speaker(Protocol):
    """The server's side of one session."""

    binary: bool  # frames

    @property
    def name(self) -> str: ...

    def opening(self) -> Iterator[Document]:
        """What is sent before the client says anything."""

    def answers(self, message: Any) -> Iterator[Document]:
        """To one JSON value; raises Closed where the vendor would hang up."""

    def unreadable(self, problem: str) -> Document:
        """The answer to what is not JSON, or raises Closed."""


def speaker_for(path: str) -> Speaker | None:
    """By the path and query of the URL; None where no vendor has such a path."""
    url = urlsplit(path)
    if GEMINI_PATH.fullmatch(url.path):
        return GeminiLive()
    model = parse_qs(url.query).get("model", [""])[0]
    if url.path == "/v1/realtime":
        return Realtime(STEPFUN if model.startswith("step") else GA, model, decided=bool(model))
    shape = {"/api-ws/v1/realtime": QWEN, "/voice-live/realtime": AZURE}.get(url.path)
    return None if shape is None else Realtime(shape, model)


class Shape(NamedTuple):
    """Where OpenAI's GA events and the flat (beta) ones differ."""

    name: str
    events: dict[str, type]
    target: Target
    own_events: frozenset[str]  # which the vendor has in a form of its own, and the target checks
    session: Document
    modalities: str
    item_events: tuple[str, ...]
    text: str
    transcript: str
    content: dict[str, str]  # type of a part to type of an item's content


def _by_type(union: Any) -> dict[str, type]:
    """Built here: the SDKs put that off to the first use, and for a TypeAdapter it is 15 ms at each use."""
    members = get_args(get_args(union)[0])
    for member in members:
        member.model_rebuild()
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in members}


GA = Shape(
    "openai-realtime",
    _by_type(ga.RealtimeClientEvent),
    openai_realtime.TARGET,
    frozenset(),
    {"type": "realtime", "output_modalities": ["audio"], "instructions": ""},
    "output_modalities",
    ("conversation.item.added", "conversation.item.done"),
    "response.output_text",
    "response.output_audio_transcript",
    {"text": "output_text", "audio": "output_audio"},
)
STEPFUN = Shape(
    "stepfun-realtime",
    _by_type(flat.RealtimeClientEvent),
    stepfun_realtime.TARGET,
    frozenset(),
    {"modalities": ["text", "audio"], "instructions": ""},
    "modalities",
    ("conversation.item.created",),
    "response.text",
    "response.audio_transcript",
    {"text": "text", "audio": "audio"},
)
QWEN = STEPFUN._replace(name="qwen-omni-realtime", target=qwen_omni_realtime.TARGET)
AZURE = STEPFUN._replace(
    name="azure-voice-live",
    target=azure_voice_live.TARGET,
    own_events=frozenset({"response.create", "conversation.item.create"}),
)


class Realtime:
    """OpenAI's protocol and those after it.  On their common path the first session.update may tell which it is."""

    binary = False

    def __init__(self, shape: Shape, model: str, decided: bool = True) -> None:
        self.shape, self.model, self.decided = shape, model, decided
        self.session = {**self.shape.session, **({"model": model} if model else {})}
        self.numbers = count(1)

    @property
    def name(self) -> str:
        return self.shape.name

    def opening(self) -> Iterator[Document]:
        yield self._event("session.created", session=self.session)

    def unreadable(self, problem: str) -> Document:
        return self._error(problem, "invalid_json")

    def answers(self, message: Any) -> Iterator[Document]:
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str) or kind not in self.shape.events:
            known = ", ".join(sorted(self.shape.events))
            yield self._error(f"type: no client event {kind!r}; known are {known}", "invalid_value", param="type")
            return
        if kind == "session.update":
            self._decide(message)
        found = self._faults(kind, message)
        if found:
            own = message.get("event_id")
            more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
            yield self._error(
                f"{found[0].field}: {found[0].problem}{more}", "invalid_value", param=found[0].field,
                event_id=own if isinstance(own, str) else None,
            )  # fmt: skip
        elif kind == "session.update":
            self.session = _merged(self.session, message["session"])
            yield self._event("session.updated", session=self.session)
        elif kind == "conversation.item.create":
            item = {"id": self._id("item"), "object": "realtime.item", "status": "completed", **message["item"]}
            for name in self.shape.item_events:
                yield self._event(name, item=item, previous_item_id=message.get("previous_item_id"))
        elif kind == "response.create":
            yield from self._response(message.get("response") or {})

    def _decide(self, message: Document) -> None:
        session = message.get("session")
        if not self.decided and isinstance(session, dict):
            self.decided = True
            if "type" not in session and "modalities" in session:
                self.shape, self.session = STEPFUN, dict(STEPFUN.session)

    def _faults(self, kind: str, message: Document) -> list[Fault]:
        target = self.shape.target
        if kind == "session.update":
            return target.faults(message, self.model or target.models[0])
        if kind in self.shape.own_events and target.event_faults is not None:
            return target.event_faults(message)
        return sdk_faults(self.shape.events[kind], message, kind)

    def _response(self, asked: Document) -> Iterator[Document]:
        """A response of one item with one part, in one delta; the transcript of what would be heard, without audio."""
        said = _said(asked.get("instructions") or self.session["instructions"])
        modalities = asked.get(self.shape.modalities) or self.session[self.shape.modalities]
        kind, key, stream = "audio", "transcript", self.shape.transcript
        if "audio" not in modalities:
            kind, key, stream = "text", "text", self.shape.text
        response = {"id": self._id("resp"), "object": "realtime.response", "status": "in_progress", "output": []}
        item = {"id": self._id("item"), "object": "realtime.item", "type": "message", "role": "assistant",
                "status": "in_progress", "content": []}  # fmt: skip
        place = {"response_id": response["id"], "output_index": 0}
        part = {**place, "item_id": item["id"], "content_index": 0}
        whole = {**item, "status": "completed", "content": [{"type": self.shape.content[kind], key: said}]}
        yield self._event("response.created", response=response)
        yield self._event("response.output_item.added", item=item, **place)
        yield self._event("response.content_part.added", part={"type": kind, key: ""}, **part)
        yield self._event(f"{stream}.delta", delta=said, **part)
        yield self._event(f"{stream}.done", **{key: said}, **part)
        yield self._event("response.content_part.done", part={"type": kind, key: said}, **part)
        yield self._event("response.output_item.done", item=whole, **place)
        yield self._event("response.done", response={**response, "status": "completed", "output": [whole]})

    def _error(self, problem: str, code: str, param: str | None = None, event_id: str | None = None) -> Document:
        error = {"type": "invalid_request_error", "code": code, "message": problem, "param": param,
                 "event_id": event_id}  # fmt: skip
        return self._event("error", error=error)

    def _event(self, kind: str, **fields: Any) -> Document:
        return {"type": kind, "event_id": self._id("event"), **fields}

    def _id(self, of: str) -> str:
        return f"{of}_{next(self.numbers)}"


def _merged(old: Document, new: Document) -> Document:
    """An update leaves what it does not name."""
    return old | {
        key: _merged(old[key], value) if isinstance(value, dict) and isinstance(old.get(key), dict) else value
        for key, value in new.items()
    }


def _said(told: str) -> str:
    """What is quoted last: the first words stand behind a scene, which quotes catchphrases."""
    quoted = QUOTED.findall(told)
    return quoted[-1] if quoted else told


class GeminiLive:
    """The first message sets up, every other is one of three; what is not valid ends the session.

    As everywhere in JSON of Protocol Buffers a key is clientContent or client_content; Google's SDK sends the latter.
    """

    name, binary = "gemini-live", True

    def __init__(self) -> None:
        self.stands = False

    def opening(self) -> Iterator[Document]:
        yield from ()

    def unreadable(self, problem: str) -> Document:
        raise Closed(INVALID_PAYLOAD, problem)

    def answers(self, message: Any) -> Iterator[Document]:
        wanted = GEMINI_MESSAGES if self.stands else {"setup": setup_faults}
        key, content = next(iter(message.items())) if isinstance(message, dict) and len(message) == 1 else ("", None)
        kind = to_camel(key)
        if kind not in wanted:
            which = "this" if self.stands else "the first"
            raise Closed(INVALID_PAYLOAD, f"{which} message must be one of {', '.join(wanted)}, and nothing beside it")
        found = wanted[kind](content)
        if found:
            raise Closed(INVALID_PAYLOAD, f"{kind}.{found[0].field}: {found[0].problem}")
        if not self.stands:
            self.stands = True
            yield {"setupComplete": {}}
        elif kind == "clientContent" and (said := gemini.LiveClientContent.model_validate(content)).turn_complete:
            parts = (said.turns[-1].parts if said.turns else None) or ()
            told = " ".join(part.text or "" for part in parts)
            yield {"serverContent": {"outputTranscription": {"text": _said(told)}}}
            yield {"serverContent": {"generationComplete": True}}
            yield {"serverContent": {"turnComplete": True}}


def _aliases(sdk_type: Any) -> set[str]:
    return {str(field.alias) for field in sdk_type.model_fields.values()}


# The SDK's type of the setup lacks realtimeInputConfig, so the keys are those of its config that do not belong to
# generation, nor to the connection itself.
SETUP_KEYS = _aliases(gemini.LiveConnectConfig) - _aliases(gemini.GenerationConfig) - {"httpOptions"}


def setup_faults(setup: Any) -> list[Fault]:
    """Of a BidiGenerateContentSetup, its keys in camel case; enum levels that the SDK would but warn of are faults."""
    if not isinstance(setup, dict):
        return [Fault("setup", 0, "", "it must be an object", "See the SDK's types.")]
    model = setup.get("model")
    if not isinstance(model, str) or not model.startswith("models/"):
        return [Fault("setup", 0, "model", "it must be models/ and a name", "Name the model.")]
    config = {key: value for key, value in setup.items() if key != "model"}
    strange = sorted(config.keys() - SETUP_KEYS)
    if strange:
        belongs = "it belongs under generationConfig" if strange[0] in _aliases(gemini.GenerationConfig) else ""
        return [Fault("setup", 0, strange[0], belongs or "the API does not know this key", "Move or remove it.")]
    return gemini_live.type_faults(gemini.LiveConnectConfig, config, "")


for _built in (gemini.LiveConnectConfig, gemini.LiveClientContent, gemini.LiveClientRealtimeInput,
               gemini.LiveClientToolResponse):  # fmt: skip
    _built.model_rebuild()


GEMINI_MESSAGES: dict[str, Callable[[Any], list[Fault]]] = {
    "clientContent": lambda content: gemini_live.type_faults(gemini.LiveClientContent, content, ""),
    "realtimeInput": lambda content: gemini_live.type_faults(gemini.LiveClientRealtimeInput, content, ""),
    "toolResponse": lambda content: gemini_live.type_faults(gemini.LiveClientToolResponse, content, ""),
}
