"""Whose a foreign record is: its author, licence and consent, as far as it or the user says."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from pipeline.importers.settings import ImportSettings, Unfit, excerpt
from pipeline.importers.source import Source
from pipeline.importers.text import spoken
from pipeline.provenance import Consent, spdx_expression

_known_license = lru_cache(1024)(spdx_expression)


def provenance(record: Mapping[str, Any], source: Source, settings: ImportSettings) -> dict[str, Any]:
    """From the fields license, consent, source and author of a record; what it does not say, the user may.

    Consent that cannot be read is no consent; where none is spoken of, the source's licence is what there is.
    """
    license = record.get("license") or settings.license
    if not isinstance(license, str):
        raise Unfit("no_license", "the record names none and --license was not given")
    try:
        license = _known_license(license)
    except ValueError as error:
        raise Unfit("license_unknown", str(error)) from error
    origin = _told(record.get("source")) or source.name
    return {
        "author": _told(record.get("author")) or settings.author or origin,
        "method": "imported",
        "license": license,
        "consent": _consent(record.get("consent")),
        "source": origin,
        "created": settings.created.isoformat(),
    }


def _told(value: object) -> str | None:
    return (spoken(value) or None) if isinstance(value, str) else None


def _consent(told: object) -> dict[str, Any]:
    if told is None or told == "":
        return {"basis": "as licensed by the source"}
    try:
        consent = Consent.model_validate({"basis": told} if isinstance(told, str) else told)
    except ValidationError as error:
        raise Unfit("consent_unreadable", excerpt(told)) from error
    return consent.model_dump(exclude_unset=True)
