"""What every importer is told, and what it answers."""

import json
from datetime import date
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipeline.provenance import License
from pipeline.seeds import Seed

SHOWN = 120


class ImportSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    license: License | None = Field(None, description="SPDX licence, where records name none.")
    author: str | None = Field(None, description="Who made the texts; else the source is named.")
    lang: Literal["en", "zh"] | None = Field(None, description="Language; else told by the script.")
    created: date = Field(description="Date of the import.")
    id_field: str = "id"
    name_field: str = "name"
    text_field: str = "text"

    def record(self, seed_id: str, lang: str, license: str, source: object, file: str, told: dict[str, Any]) -> str:
        """The JSON of a seed that tells ``told`` and leaves all else open."""
        origin = source if isinstance(source, str) and source.strip() else file
        provenance = {
            "author": self.author or origin,
            "method": "imported",
            "license": license,
            "consent": {"basis": "as licensed by the source"},
            "source": origin,
            "created": self.created.isoformat(),
        }
        return json.dumps({"id": seed_id, "lang": lang, **told, "provenance": provenance}, ensure_ascii=False)


class Imported(NamedTuple):
    line: int
    seed: Seed


class Rejected(NamedTuple):
    """A record that is left out: where it stood, why (snake_case), and what was seen."""

    line: int
    reason: str
    detail: str


def excerpt(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"
