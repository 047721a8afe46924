from pathlib import Path
from typing import Any

import pytest

from pipeline.importers.origin import provenance
from pipeline.importers.settings import ImportSettings, Unfit
from pipeline.importers.source import Source
from pipeline.provenance import Provenance
from tests.importers.files import SETTINGS, UNLICENSED

SOURCE = Source(Path("talks.jsonl"), "talks.jsonl")


def origin(record: dict[str, Any], settings: ImportSettings = SETTINGS) -> dict[str, Any]:
    found = provenance(record, SOURCE, settings)
    Provenance.model_validate({**found, "created": settings.created})
    return found


def test_provenance_says_imported_from_where_by_whom_and_when() -> None:
    assert origin({}) == {
        "author": "talks.jsonl",
        "method": "imported",
        "license": "CC0-1.0",
        "consent": {"basis": "as licensed by the source"},
        "source": "talks.jsonl",
        "created": "2026-11-21",
    }


@pytest.mark.parametrize(
    ("record", "given", "author", "source"),
    [
        ({"author": "A. Record"}, "A. User", "A. Record", "talks.jsonl"),
        ({}, "A. User", "A. User", "talks.jsonl"),
        ({"author": " ", "source": "KdConv"}, None, "KdConv", "KdConv"),
        ({"author": "A.\nRecord\u202e", "source": "\x00"}, None, "A. Record", "talks.jsonl"),
        ({"author": 7, "source": ["a", "b"]}, None, "talks.jsonl", "talks.jsonl"),
    ],
)
def test_the_record_says_who_and_whence_else_the_user_else_the_file(
    record: dict[str, Any], given: str | None, author: str, source: str
) -> None:
    found = origin(record, SETTINGS.model_copy(update={"author": given}))
    assert (found["author"], found["source"]) == (author, source)


@pytest.mark.parametrize(
    ("told", "given", "license"),
    [("MIT", None, "MIT"), ("mit", "CC0-1.0", "MIT"), (None, "CC0-1.0", "CC0-1.0"), ("", "CC0-1.0", "CC0-1.0")],
)
def test_a_record_s_own_licence_goes_first(told: object, given: str | None, license: str) -> None:
    assert origin({"license": told}, SETTINGS.model_copy(update={"license": given}))["license"] == license


@pytest.mark.parametrize(
    ("record", "settings", "reason"),
    [
        ({}, UNLICENSED, "no_license"),
        ({"license": 4}, SETTINGS, "no_license"),
        ({"license": "all mine"}, SETTINGS, "license_unknown"),
        ({"license": "CC-BY-9.9"}, SETTINGS, "license_unknown"),
        ({"consent": False}, SETTINGS, "consent_unreadable"),
        ({"consent": {"reference": "file 7"}}, SETTINGS, "consent_unreadable"),
        ({"consent": {"basis": ""}}, SETTINGS, "consent_unreadable"),
    ],
)
def test_what_cannot_be_told_apart_from_no_permission_is_refused(
    record: dict[str, Any], settings: ImportSettings, reason: str
) -> None:
    with pytest.raises(Unfit) as refused:
        origin(record, settings)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("told", "consent"),
    [
        ("signed by the caller", {"basis": "signed by the caller"}),
        ({"basis": "opt-in", "reference": "ledger 12"}, {"basis": "opt-in", "reference": "ledger 12"}),
        (None, {"basis": "as licensed by the source"}),
        ("", {"basis": "as licensed by the source"}),
    ],
)
def test_consent_is_carried(told: object, consent: dict[str, str]) -> None:
    assert origin({"consent": told})["consent"] == consent
