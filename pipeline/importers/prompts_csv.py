"""Personas as the "act as" prompts of prompts.csv: ``act,prompt`` and, since 2025, ``for_devs,type,contributor``.

Source: https://github.com/f/awesome-chatgpt-prompts.  A prompt of another type than text (a picture, a form to fill in)
describes nobody.  Many contributors are e-mail addresses, which are nobody's name and are not passed on.
"""

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.documents import BOM, MAX_LINE_BYTES, bounded_lines
from pipeline.importers.origin import provenance
from pipeline.importers.persona import description, imported_seed, person_name
from pipeline.importers.settings import Imported, ImportSettings, Rejected, Unfit, excerpt
from pipeline.importers.source import Source
from pipeline.importers.text import chosen_language, file_id, numbered, slug
from pipeline.seeds import Seed

COLUMNS = ("act", "prompt")


def read_prompts_csv(source: Source, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    with source.open() as stream:
        header: list[str] | None = None
        for line, row in _rows(stream):
            if isinstance(row, Unfit):
                yield Rejected(line, row.reason, row.detail)
            elif header is None:
                header = [name.strip().casefold() for name in row]
                if missing := [name for name in COLUMNS if name not in header]:
                    detail = f"the header {excerpt(row)} has no column {' or '.join(missing)}"
                    yield Rejected(line, "no_header", detail)
                    return
            elif len(row) > len(header):  # a comma that is not quoted: what follows it would be lost
                yield Rejected(line, "not_csv", f"{len(row)} fields under {len(header)} columns")
            else:
                try:
                    yield Imported(line, _seed(dict(zip(header, row, strict=False)), line, source, settings))
                except Unfit as unfit:
                    yield Rejected(line, unfit.reason, unfit.detail)


class _Lines:
    """Lines for a csv reader, which holds a row, however many lines it has, in memory: a row without end is refused."""

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = bounded_lines(stream)
        self.number = self._row_bytes = 0

    def begin_row(self) -> int:
        self._row_bytes = 0
        return self.number + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = next(self._lines)
        self.number += 1
        self._row_bytes += len(raw)
        if self._row_bytes > MAX_LINE_BYTES:
            raise Unfit("record_too_long", f"longer than {MAX_LINE_BYTES:,} bytes")
        return (raw.removeprefix(BOM) if self.number == 1 else raw).decode("utf-8", "surrogateescape")


def _rows(stream: BinaryIO) -> Iterator[tuple[int, list[str] | Unfit]]:
    """Each row that is not empty, or what is wrong with it, and the line it begins on.

    After a fault in a row of several lines nobody knows where the next one begins: a line of a text might look like it.
    """
    lines = _Lines(stream)
    rows = csv.reader(lines, strict=True)
    while True:
        line = lines.begin_row()
        try:
            row = next(rows)
        except StopIteration:
            return
        except (csv.Error, Unfit) as error:
            several = lines.number > line
            detail = f"{error}; what follows is not read" if several else str(error)
            yield line, Unfit(error.reason if isinstance(error, Unfit) else "not_csv", detail)
            if several:
                return
        else:
            if any(field.strip() for field in row):
                yield line, row if _is_text(row) else Unfit("not_csv", "not UTF-8")


def _is_text(row: list[str]) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 have been read as surrogates
        return False
    return True


def _seed(row: dict[str, str], line: int, source: Source, settings: ImportSettings) -> Seed:
    if row.get("type", "").strip().upper() not in {"", "TEXT"}:
        raise Unfit("not_a_persona", f"a prompt of the type {excerpt(row['type'])}")
    text = description(row.get("prompt"), "prompt")
    told = {
        "id": numbered(slug(row.get("act", "")) or file_id(source), line),
        "lang": chosen_language(settings, None, text),
        "name": person_name(row.get("act")),
        "text": text,
    }
    return imported_seed(told, provenance({"author": _contributors(row.get("contributor", ""))}, source, settings))


def _contributors(told: str) -> str:
    return ", ".join(name for name in re.split(r"\s*,\s*", told.strip()) if name and "@" not in name)
