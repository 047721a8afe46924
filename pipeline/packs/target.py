"""What a target is: how a persona becomes what a vendor's API takes, how that is checked, and what it cannot say."""

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pydantic_core import to_json

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.voices import VoiceTable

Document = dict[str, Any]


class Limit(NamedTuple):
    """How long the instructions may be, and who says so."""

    size: int
    unit: Literal["characters", "tokens"]
    source: str


class Gathered(NamedTuple):
    """One file that holds the documents of all personas of a pack."""

    name: str
    lines: Callable[[Iterable[Document]], Iterable[str]]


class Socket(NamedTuple):
    """How a config is sent over a WebSocket and what the server answers; for `personas rehearse`."""

    path: str  # of the vendor's URL; {model} is replaced
    first_message: Callable[[Document], Document]
    accepted: frozenset[str]  # types of the server's messages, or their only key where they have no type
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "


def as_json(document: Document) -> dict[str, bytes]:
    return {".json": to_json(document, indent=2) + b"\n"}


@dataclass(frozen=True)
class Target:
    """One vendor's API, or one file format.

    ``export`` and ``anchor`` get the persona and the model's name; ``faults`` a document and the model's name.
    """

    about: str  # a line for the command's help
    export: Callable[[Persona, str], Document]
    faults: Callable[[Document, str], list[Fault]]
    instructions: Callable[[Document], str]  # of a document: the text that the vendor's model is told
    not_expressed: tuple[str, ...]  # what of a persona the format has no place for
    imports: str  # what those lines need
    client: str  # three lines that use the first config of a pack in the vendor's own client
    left_to_app: str = ""  # what a config leaves open, and how an app that wants it says so
    models: tuple[str, ...] = ("",)  # the first is the default
    also_called: Mapping[str, str] = field(default_factory=dict)  # what people call a model, to the vendor's own id
    limit: Limit | None = None
    voices: VoiceTable | None = None
    voices_by_model: Mapping[str, VoiceTable] = field(default_factory=dict)  # where models differ in their voices
    greeting: Callable[[Persona], Document | None] | None = None  # an event; none where the config itself carries it
    anchor: Callable[[Persona, str], Document] | None = None  # the event that sends the anchor in mid-session
    event_faults: Callable[[Document], list[Fault]] | None = None  # of a greeting or an anchor
    reading: Callable[[Persona], Document] | None = (
        None  # greeting and exchanges, marked as the vendor's TTS takes them
    )
    reading_faults: Callable[[Document], list[Fault]] | None = None
    files: Callable[[Document], dict[str, bytes]] = as_json  # suffix to content
    gathered: Gathered | None = None  # instead of files of each persona's own
    socket: Socket | None = None
    checker: str | None = None  # the package that checking needs
    extra: str = "check"  # the extra that brings it

    def voices_of(self, model: str) -> VoiceTable | None:
        return self.voices_by_model.get(model, self.voices)

    @property
    def during(self) -> bool:
        """Whether there is anything to send once a session stands."""
        return any(of is not None for of in (self.greeting, self.anchor, self.reading))

    def can_check(self) -> bool:
        try:
            return self.checker is None or importlib.util.find_spec(self.checker) is not None
        except ModuleNotFoundError:  # the package around it is not there
            return False
