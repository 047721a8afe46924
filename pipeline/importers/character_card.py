"""Personas as character cards: JSON files, or PNG images that carry the JSON, one character a file.

Source: https://github.com/malfoyslastname/character-card-spec-v2 (V1, flat, and V2, under ``data``) and
https://github.com/kwaroran/character-card-spec-v3 (V3; in a PNG its chunk ``ccv3`` goes before ``chara``, the V2 one).
Of the specifications' macros only the two names are filled in; nothing else of the text is evaluated.  Notes to users,
tags, prompts to a model, sample chats and lorebooks stay behind: they are no description of who this is.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from pipeline.documents import BOM, json_line
from pipeline.errors import Fault
from pipeline.importers.origin import provenance
from pipeline.importers.persona import description, imported_seed, person_name
from pipeline.importers.png_text import SIGNATURE, png_text
from pipeline.importers.settings import Imported, ImportSettings, Rejected, Unfit, excerpt
from pipeline.importers.source import Source
from pipeline.importers.text import chosen_language, file_id, spoken
from pipeline.importers.user_macro import with_user_named
from pipeline.seeds import Seed

MAX_CARD = 4_000_000  # bytes; lorebooks make some cards large, and what JSON takes when read is twenty times as much
MAX_GREETING = 2_000
CHUNKS = ("ccv3", "chara")
SPECS = ("chara_card_v2", "chara_card_v3")
TOLD_IN = ("description", "personality", "scenario")
V1_FIELDS = {"name", "description", "first_mes"}  # of those V1 requires; other JSON has names and descriptions too
CHAR = re.compile(r"\{\{char\}\}|<char>|<bot>", re.IGNORECASE)
NOT_SPOKEN = re.compile(r'[*{}<>\[\]"“”「」]')  # macros, stage directions, markup, and speech that is told about


def read_character_card(source: Source, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    try:
        yield Imported(0, _seed(source, settings))
    except Unfit as unfit:
        yield Rejected(0, unfit.reason, unfit.detail)


def _seed(source: Source, settings: ImportSettings) -> Seed:
    card = _card(_document(source))
    name = person_name(card.get("name"))
    told = [card[field] for field in TOLD_IN if isinstance(card.get(field), str) and card[field].strip()]
    text = description("\n\n".join(told), " + ".join(TOLD_IN))
    lang = chosen_language(settings, None, CHAR.sub("", text))
    called = person_name(card.get("nickname")) or name
    origin = provenance({"author": card.get("creator")}, source, settings)
    return imported_seed({
        "id": file_id(source),
        "lang": lang,
        "name": name,
        "text": description(with_user_named(_with_name(text, called), lang), "description"),
        "greeting": _greeting(card.get("first_mes"), called),
    }, origin)  # fmt: skip


def _document(source: Source) -> Any:
    with source.open() as stream:
        begin = stream.read(len(SIGNATURE))
        if begin == SIGNATURE:
            found = png_text(stream, CHUNKS, MAX_CARD)
            if found is None:
                raise Unfit("not_a_card", f"a PNG without a chunk {' or '.join(CHUNKS)}")
            where, raw = f"the chunk {found[0]}: ", _decoded(*found)
        else:
            where, raw = "", (begin + stream.read(MAX_CARD)).removeprefix(BOM)
    if len(raw) > MAX_CARD:
        raise Unfit("card_too_large", f"more than {MAX_CARD:,} bytes")
    faults: list[Fault] = []
    line = json_line("", 0, raw, faults)
    if line is None:
        raise Unfit("not_json", f"{where}{faults[0].problem}")
    return line.document


def _decoded(chunk: str, text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise Unfit("not_base64", f"the chunk {chunk}: {error}") from error


def _card(document: Any) -> dict[str, Any]:
    """The fields of a card, wherever its version keeps them."""
    if isinstance(document, dict):
        if document.get("spec") in SPECS and isinstance(document.get("data"), dict):
            fields: dict[str, Any] = document["data"]
            return fields
        if "spec" not in document and document.keys() >= V1_FIELDS:
            return document
    raise Unfit("not_a_card", excerpt(document))


def _with_name(text: str, name: str | None) -> str:
    return text if name is None else CHAR.sub(lambda _: name, text)


def _greeting(told: object, name: str | None) -> str | None:
    """The first message, if somebody can say it on the telephone as it stands."""
    if not isinstance(told, str) or len(told) > MAX_GREETING:
        return None
    greeting = spoken(_with_name(told, name))
    return greeting if 0 < len(greeting) <= MAX_GREETING and not NOT_SPOKEN.search(greeting) else None
