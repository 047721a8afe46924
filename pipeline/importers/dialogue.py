"""A sample from the turns of a foreign conversation.

Foreign persona turns are nobody's here: only the user's side of such a sample is used, so there must be one.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from pipeline.conversations import MAX_TURNS, Sample
from pipeline.importers.origin import provenance
from pipeline.importers.settings import ImportSettings, Read, Unfit, excerpt
from pipeline.importers.source import Source
from pipeline.importers.text import chosen_language, own_id, spoken

MAX_CHARACTERS = 2_000  # of a turn
MAX_MEASURE = 1e6  # syllables a second, Hz or dB; NaN and infinity are above it too
ROLES = {
    **dict.fromkeys(("user", "human", "customer", "usr"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "chatgpt", "model", "agent", "sys", "persona"), "persona"),
}
NO_TURN = ("system", "developer")  # instructions to the model; `sys` is a party, the system of a user and a system
OUR_MARK = re.compile("[a-z]+(-[a-z]+)*")


class Said(NamedTuple):
    """A turn as the source has it; ``marks`` may name emotion, cues and measures in our form."""

    role: object
    text: object
    marks: Mapping[str, Any] = {}


def listed(record: object, *fields: str) -> list[Any]:
    """What stands in the first of ``fields`` that ``record`` has."""
    if not isinstance(record, dict):
        raise Unfit("not_an_object", excerpt(record))
    field = next((field for field in fields if field in record), fields[0])
    found = record.get(field)
    if not isinstance(found, list):
        raise Unfit("no_turns", f"field {field!r} holds {excerpt(found)}")
    for place, entry in enumerate(found, 1):
        if not isinstance(entry, dict):
            raise Unfit("not_a_turn", f"turn {place}: {excerpt(entry)}")
    return found


def imported_sample(read: Read, said: Iterable[Said], source: Source, settings: ImportSettings) -> Sample:
    record = read.document
    turns = [turn for place, one in enumerate(said, 1) if (turn := _turn(place, one)) is not None]
    if not turns:
        raise Unfit("no_turns", "nobody says anything")
    if len(turns) > MAX_TURNS:
        raise Unfit("too_many_turns", f"{len(turns):,} turns; {MAX_TURNS} is the most")
    if all(turn["role"] != "user" for turn in turns):
        raise Unfit("no_user_turn", f"{len(turns)} turns, none of them the user's")
    told = {
        "id": own_id(record, read.number, source, settings),
        "lang": chosen_language(
            settings, record.get("lang") or record.get("language"), " ".join(turn["text"] for turn in turns)
        ),
        "domain": chosen_domain(settings, record),
        "turns": turns,
        "provenance": provenance(record, source, settings),
    }
    try:
        return Sample.model_validate_json(json.dumps(told))
    except ValidationError as error:
        raise Unfit("not_a_sample", first_fault(error)) from error


def first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def chosen_domain(settings: ImportSettings, record: Mapping[str, Any]) -> str | None:
    """A domain of another name is not one of ours, whatever it means there."""
    told = record.get("domain")
    return settings.domain or (told if isinstance(told, str) and told in settings.domains else None)


def _turn(place: int, said: Said) -> dict[str, Any] | None:
    role = said.role.strip().casefold() if isinstance(said.role, str) else ""
    if role in NO_TURN:
        return None
    if role not in ROLES:
        raise Unfit("unknown_role", f"turn {place}: {excerpt(said.role)}")
    if not isinstance(said.text, str):
        raise Unfit("turn_not_text", f"turn {place}: {excerpt(said.text)}")
    text = spoken(said.text)
    if not text:
        raise Unfit("empty_turn", f"turn {place}: {excerpt(said.text)}")
    if len(text) > MAX_CHARACTERS:
        raise Unfit("turn_too_long", f"turn {place}: {len(text):,} characters; {MAX_CHARACTERS:,} is the most")
    return {"role": ROLES[role], "text": text, **_marks(said.marks)}


def _marks(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of what a turn says of its sound, the part that is in our form."""
    marks: dict[str, Any] = {}
    if _is_mark(told.get("emotion")):
        marks["emotion"] = told["emotion"]
    if isinstance(told.get("cues"), list) and (cues := [cue for cue in told["cues"] if _is_mark(cue)]):
        marks["cues"] = cues
    for measure in ("rate", "pitch", "energy"):
        value = told.get(measure)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_MEASURE:
            marks[measure] = value
    if isinstance(told.get("audio"), str):
        marks["audio"] = told["audio"]
    return marks


def _is_mark(value: object) -> bool:
    return isinstance(value, str) and OUR_MARK.fullmatch(value) is not None
