"""What of a persona is read aloud: the greeting, and what it says in its seed's three exchanges."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pipeline.direction import Reading, directed
from pipeline.errors import UsageError
from pipeline.packs.persona import Persona
from pipeline.seeds import Lang

LOCALE: dict[Lang, str] = {"en": "en-US", "zh": "zh-CN"}
GREETING = "greeting"


class SpokenLine(NamedTuple):
    name: str  # greeting, or the number of the exchange
    reading: Reading


def spoken_lines(persona: Persona) -> list[SpokenLine]:
    """The lines that the seed has; one imported from elsewhere may have none."""
    return list(_read(persona))


def spoken_line(persona: Persona, name: str) -> SpokenLine:
    """Raises UsageError where the seed has no such line."""
    lines = {line.name: line for line in spoken_lines(persona)}
    if name not in lines:
        has = ", ".join(lines) or "none"
        raise UsageError(f"the seed {persona.seed.id} has no line {name}; it has {has}")
    return lines[name]


def _read(persona: Persona) -> Iterator[SpokenLine]:
    def read(text: str, they: str | None, *, provoked: bool = False) -> Reading:
        return directed(
            text, persona.seed.lang, persona.tone, persona.row["cue"], persona.pace, persona.energy, persona.pitch,
            domain=persona.row["domain"], they=they, provoked=provoked,
        )  # fmt: skip

    if persona.greeting is not None:
        yield SpokenLine(GREETING, read(persona.greeting, None))
    exchanges = persona.seed.exchanges
    for number, (they, you) in enumerate(((each.they, each.you) for each in exchanges), 1):
        # The last is a provocation in every seed that this project's own check has passed.
        yield SpokenLine(str(number), read(you, they, provoked=number == len(exchanges)))


def reading_document(persona: Persona, written: Callable[[Reading], dict[str, Any]]) -> dict[str, Any]:
    """All lines of ``persona``, each with its plain text and as ``written`` in a notation."""
    lines = [{"line": line.name, "text": line.reading.text, **written(line.reading)} for line in spoken_lines(persona)]
    return {"persona_id": persona.id, "lines": lines}
