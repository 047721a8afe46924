"""A seed from the description that a foreign persona is; what the source does not tell stays open."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.importers.settings import Unfit, excerpt
from pipeline.importers.text import cleaned, spoken
from pipeline.seeds import Seed

MAX_TEXT = 50_000  # of a seed's text
MIN_LETTERS = 6  # less is a label, not a description


def description(text: object, field: str) -> str:
    """The text of a persona, cleaned."""
    if not isinstance(text, str) or sum(letter.isalnum() for letter in text) < MIN_LETTERS:
        raise Unfit("no_text", f"field {field!r} holds {excerpt(text)}")
    text = cleaned(text)
    if len(text) > MAX_TEXT:
        raise Unfit("text_too_long", f"{len(text):,} characters; {MAX_TEXT:,} is the most")
    return text


def person_name(name: object) -> str | None:
    return (spoken(name) or None) if isinstance(name, str) else None


def imported_seed(told: Mapping[str, Any], provenance: Mapping[str, Any]) -> Seed:
    try:
        return Seed.model_validate_json(json.dumps({**told, "provenance": provenance}))
    except ValidationError as error:
        first = error.errors()[0]
        raise Unfit("not_a_seed", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
