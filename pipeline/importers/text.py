"""What becomes of foreign text: what has no sound is taken out, the language is told, an id is made."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from pipeline.importers.settings import ImportSettings, Unfit, excerpt
from pipeline.importers.source import Source

CHINESE = re.compile("[\u4e00-\u9fff]+")
LATIN = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]+")
MAX_FILE_SLUG = 39  # with a digest and a number an id has room for no more
SOUNDLESS = {"Cc", "Cf", "Co", "Cs"}
LANGUAGES = {"en": "en", "eng": "en", "english": "en", "zh": "zh", "chi": "zh", "zho": "zh", "chinese": "zh"}


def cleaned(text: str) -> str:
    """Without control characters and the marks that turn writing direction, which have no sound."""
    return "\n".join(_sounding(line.replace("\t", " ")) for line in text.splitlines()).strip()


def _sounding(line: str) -> str:
    if line.isprintable():  # nothing that is soundless is; it takes a tenth of the time to tell so
        return line
    return "".join(sign for sign in line if unicodedata.category(sign) not in SOUNDLESS)


def spoken(text: str) -> str:
    """The same on one line: a line break has no sound either."""
    return " ".join(cleaned(text).split())


def language(text: str) -> str | None:
    """zh where three letters in ten are Chinese, en where most are Latin, else None."""
    letters = sum(map(str.isalpha, text))
    chinese = sum(map(len, CHINESE.findall(text)))
    latin = sum(map(len, LATIN.findall(text)))
    if chinese and chinese >= 0.3 * letters:
        return "zh"
    return "en" if latin > 0.5 * letters else None


def chosen_language(settings: ImportSettings, told: object, text: str) -> str:
    """The user's word goes before the record's, and that before what the script of ``text`` tells."""
    if settings.lang is not None:
        return settings.lang
    if isinstance(told, str) and told.strip():
        known = LANGUAGES.get(re.split("[-_ ]", told.strip().casefold())[0])
        if known is None:
            raise Unfit("language_unknown", f"neither English nor Chinese: the record says {excerpt(told)}")
        return known
    found = language(text)
    if found is None:
        raise Unfit("language_unknown", f"neither Latin nor Chinese script: {excerpt(text)}")
    return found


def slug(text: str) -> str:
    """An id from a text: ASCII letters, digits, hyphens; nothing where it has none of these."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:64]


def own_id(record: Mapping[str, Any], number: int, source: Source, settings: ImportSettings) -> str:
    """What the record says its id is; else the file and the record's number."""
    own = record.get(settings.id_field)
    told = str(own) if isinstance(own, str | int) else ""
    return (slug(told) if _keeps_its_letters(told) else "") or numbered(file_id(source), number)


def file_id(source: Source) -> str:
    """The slug of a file's name, with a digest of it where the slug alone would not tell it from others."""
    plain = slug(source.stem)
    if plain and len(plain) <= MAX_FILE_SLUG and _keeps_its_letters(source.stem):
        return plain
    return slug(f"{plain[:MAX_FILE_SLUG]}-{hashlib.sha256(source.name.encode()).hexdigest()[:10]}")


def numbered(text: str, number: int) -> str:
    return slug(f"{slug(text)[:50]}-{number:05d}")


def _keeps_its_letters(text: str) -> bool:
    """Whether a slug has all of the letters that tell ``text`` from others: of 老魏-2 it has the 2."""
    return not any(sign.isalnum() and not sign.isascii() for sign in unicodedata.normalize("NFKD", text))
