import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.importers.settings import ImportSettings
from tests.conftest import ROOT
from tests.importers.files import SETTINGS, UNLICENSED, Answers, answers, as_lines, reasons, samples

PROVENANCE = {
    "author": "A. Writer", "method": "human-written", "license": "CC-BY-4.0", "consent": {"basis": "none needed"},
    "source": "original", "created": "2026-01-02", "reviewed_by": "B. Reader",
}  # fmt: skip
RECORD: dict[str, Any] = {
    "id": "late-call", "lang": "en", "domain": "automotive", "scenario": "long-drive-home", "user_state": "tired",
    "tone": "steady-low", "register": "casual", "seed_id": "orla-keane",
    "turns": [{"role": "user", "text": "Still there?", "emotion": "tired", "cues": ["sigh"], "rate": 3.5}],
    "provenance": PROVENANCE,
}  # fmt: skip


def read(folder: Path, *lines: object, settings: ImportSettings = UNLICENSED) -> Answers:
    return answers("samples-jsonl", folder, as_lines(*lines), settings)


def test_a_record_of_ours_is_kept_as_it_is(tmp_path: Path) -> None:
    (sample,) = samples(read(tmp_path, RECORD))
    assert sample.model_dump(mode="json", by_alias=True, exclude_unset=True) == RECORD


def test_the_shipped_samples_go_through_unchanged(tmp_path: Path) -> None:
    files = (ROOT / "data" / "conversations").glob("*.jsonl")
    shipped = [line for path in files for line in path.read_bytes().splitlines()]
    domains = frozenset(json.loads(line)["domain"] for line in shipped)
    found = read(tmp_path, *shipped, settings=SETTINGS.model_copy(update={"domains": domains}))
    assert [s.model_dump(mode="json", by_alias=True, exclude_unset=True) for s in samples(found)] == [
        json.loads(line) for line in shipped
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "Late Call"}, "not_a_sample"),
        ({"id": None}, "not_a_sample"),
        ({"lang": "fr"}, "not_a_sample"),
        ({"turns": []}, "not_a_sample"),
        ({"turns": [{"role": "assistant", "text": "Hi."}]}, "not_a_sample"),
        ({"turns": [{"role": "user", "text": "two\nlines"}]}, "not_a_sample"),
        ({"turns": [{"role": "user", "text": "x" * 2_001}]}, "not_a_sample"),
        ({"turns": [{"role": "user", "text": "Hi.", "rate": float("nan")}]}, "not_a_sample"),
        ({"turns": RECORD["turns"] * 300}, "not_a_sample"),
        ({"turns": [{"role": "persona", "text": "Hello?"}]}, "no_user_turn"),
        ({"notes": "mine"}, "not_a_sample"),
        ({"provenance": {"license": "MIT"}}, "not_a_sample"),
        ({"provenance": {**PROVENANCE, "license": "mine"}}, "not_a_sample"),
        ({"provenance": None}, "no_license"),
        ({"provenance": {k: v for k, v in PROVENANCE.items() if k != "license"}}, "no_license"),
        ({"domain": "kiosk"}, "domain_unknown"),
        ({"domain": None}, None),
    ],
)
def test_what_is_not_our_record_is_set_aside(tmp_path: Path, change: dict[str, Any], reason: str | None) -> None:
    assert reasons(read(tmp_path, RECORD, {**RECORD, **change})) == ([(2, reason)] if reason else [])


@pytest.mark.parametrize("line", ["a text", [RECORD], b"{", b'{"turns": ' + b"[" * 900 + b"]" * 900 + b"}"])
def test_what_is_no_record_at_all_is_set_aside(tmp_path: Path, line: object) -> None:
    assert len(reasons(read(tmp_path, line))) == 1


def test_provenance_that_is_missing_is_the_import_s(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"author": "A. Collector"})
    bare = {name: value for name, value in RECORD.items() if name != "provenance"}
    without_licence = {name: value for name, value in PROVENANCE.items() if name != "license"}
    first, second = samples(read(tmp_path, bare, {**RECORD, "provenance": without_licence}, settings=settings))
    assert (first.provenance.author, first.provenance.method) == ("A. Collector", "imported")
    assert second.provenance.model_dump(mode="json") == {
        **PROVENANCE, "license": "CC0-1.0", "consent": {"basis": "none needed", "reference": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "given", "scenario", "domain"),
    [
        ("kiosk", None, None, None),
        ("kiosk", "travel", None, "travel"),
        (None, "travel", None, "travel"),
        ("automotive", "travel", "long-drive-home", "domain_differs"),
        ("automotive", "automotive", "long-drive-home", "automotive"),
    ],
)
def test_a_domain_is_ours_or_open_and_never_contradicts_the_scenario(
    tmp_path: Path, told: str | None, given: str | None, scenario: str | None, domain: str | None
) -> None:
    settings = SETTINGS.model_copy(update={"domain": given})
    found = read(tmp_path, {**RECORD, "domain": told, "scenario": scenario}, settings=settings)
    assert [reason for _, reason in reasons(found)] + [sample.domain for sample in samples(found)] == [domain]
