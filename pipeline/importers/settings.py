"""What every importer is told, and what it answers."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipeline.conversations import Sample
from pipeline.provenance import License
from pipeline.seeds import Lang, Seed

SHOWN = 120


class ImportSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    license: License | None = Field(None, description="SPDX licence, where records name none.")
    author: str | None = Field(None, description="Who made the texts, where records do not say; else the source.")
    lang: Lang | None = Field(None, description="Language; else as records say, or told by the script.")
    created: date = Field(description="Date of the import.")
    domain: str | None = Field(None, description="Domain of every conversation of the source.")
    domains: frozenset[str] = Field(frozenset(), description="Domains there are; a record's other ones are not ours.")
    id_field: str = "id"
    name_field: str = "name"
    text_field: str = "text"


class Read(NamedTuple):
    """A document of a source: the line it begins on, and the number that tells it from the file's others."""

    line: int
    number: int
    document: Any


class Imported(NamedTuple):
    line: int
    record: Seed | Sample


class Rejected(NamedTuple):
    """A record that is left out: where it stood (0: the file as a whole), why (snake_case), and what was seen."""

    line: int
    reason: str
    detail: str


class Unfit(Exception):
    """Raised where a record shows that it cannot be imported."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def converted(
    found: Iterable[Read | Rejected], convert: Callable[[Read], Seed | Sample]
) -> Iterator[Imported | Rejected]:
    """An answer for each document that is ``found``, as they stream by."""
    for read in found:
        if isinstance(read, Rejected):
            yield read
            continue
        try:
            yield Imported(read.line, convert(read))
        except Unfit as unfit:
            yield Rejected(read.line, unfit.reason, unfit.detail)


def excerpt(value: object) -> str:
    try:
        shown = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:  # what could just be read may still be too deep to show
        return "nested too deeply"
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"
