"""Personas as free text: JSON lines with an id, a name where there is one, and a description under one field.

What the record does not tell (age, traits, voice, stances, domains) stays open in the seed.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.documents import json_lines
from pipeline.errors import Fault
from pipeline.importers.settings import Imported, ImportSettings, Rejected, excerpt
from pipeline.provenance import spdx_expression
from pipeline.seeds import Seed

MAX_TEXT = 50_000
MIN_LETTERS = 6  # less is a label, not a description


def read_text_jsonl(source: Path, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    """A seed or a rejection for each line of ``source``, as they stream by."""
    faults: list[Fault] = []
    taken: set[str] = set()
    for line in json_lines(source, faults):
        yield from _unread(faults)
        yield _imported(source, line.number, line.document, settings, taken)
    yield from _unread(faults)


def _unread(faults: list[Fault]) -> Iterator[Rejected]:
    """Lines that are no JSON.  A fault of the file as a whole (a BOM, no record) loses no record."""
    for fault in faults:
        if fault.line and "byte order mark" not in fault.problem:
            yield Rejected(fault.line, "not_json", fault.problem)
    faults.clear()


def _imported(source: Path, number: int, record: Any, settings: ImportSettings, taken: set[str]) -> Imported | Rejected:
    if not isinstance(record, dict):
        return Rejected(number, "not_an_object", excerpt(record))
    text = record.get(settings.text_field)
    if not isinstance(text, str) or sum(letter.isalnum() for letter in text) < MIN_LETTERS:
        return Rejected(number, "no_text", f"field {settings.text_field!r} holds {excerpt(text)}")
    text = cleaned(text)
    if len(text) > MAX_TEXT:
        return Rejected(number, "text_too_long", f"{len(text):,} characters; {MAX_TEXT:,} is the most")
    lang = settings.lang or language(text)
    if lang is None:
        return Rejected(number, "language_unknown", f"neither Latin nor Chinese script: {excerpt(text)}")
    license = record.get("license") or settings.license
    if not isinstance(license, str):
        return Rejected(number, "no_license", "the record names none and --license was not given")
    name = record.get(settings.name_field)
    own_id = record.get(settings.id_field)
    seed_id = slug("" if own_id is None else str(own_id)) or slug(f"{slug(source.stem)[:50]}-{number:05d}")
    if seed_id in taken:
        return Rejected(number, "id_taken", seed_id)
    try:
        spdx_expression(license)
        seed = Seed.model_validate_json(settings.record(seed_id, lang, license, record.get("source"), source.name, {
            "name": cleaned(name).replace("\n", " ") or None if isinstance(name, str) else None,
            "text": text,
        }))  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        return Rejected(number, "not_a_seed", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except ValueError as error:
        return Rejected(number, "license_unknown", str(error))
    taken.add(seed_id)
    return Imported(number, seed)


def cleaned(text: str) -> str:
    """Without control characters and the marks that turn writing direction, which have no sound."""
    kept = (letter for letter in text if letter == "\n" or unicodedata.category(letter) not in {"Cc", "Cf", "Co", "Cs"})
    return "".join(kept).strip()


def language(text: str) -> str | None:
    """zh where three letters in ten are Chinese, en where most are Latin, else None."""
    letters = [letter for letter in text if letter.isalpha()]
    chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    latin = sum(letter.isascii() or "\u00c0" <= letter <= "\u024f" for letter in letters)
    if chinese and chinese >= 0.3 * len(letters):
        return "zh"
    return "en" if latin > 0.5 * len(letters) else None


def slug(text: str) -> str:
    """A seed id from a text: ASCII letters, digits, hyphens; nothing where it has none of these."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:64]
