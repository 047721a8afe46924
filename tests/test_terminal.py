import json

import polars as pl
import pytest

from pipeline.terminal import WHOLE_IDS, console, notes, print_json, print_rows, print_table, print_wrapped

MARKED = "[bold]harbour[/bold] :ship: [red] a[1]/b [/]"


def test_what_is_printed_is_data_and_never_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console.print(MARKED)
    notes.print(MARKED)
    assert capsys.readouterr() == (f"{MARKED}\n", f"{MARKED}\n")


def test_a_table_s_cells_are_data_too(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["axis"], [[MARKED]])
    assert MARKED in capsys.readouterr().out


def test_rows_are_shown_all_and_their_ids_whole(capsys: pytest.CaptureFixture[str]) -> None:
    seed = "a-seed-whose-id-is-as-long-as-its-life-story"
    print_rows(pl.DataFrame({"seed_id": [seed] * 100, "name": ["[b]Orla[/b]"] * 100}), WHOLE_IDS)
    shown = capsys.readouterr().out
    assert shown.count(seed) == shown.count("[b]Orla[/b]") == 100


def test_a_document_is_one_line_of_json_in_its_own_script(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "沈安邦", "about": "two\nlines"})
    (line,) = capsys.readouterr().out.splitlines()
    assert "沈安邦" in line
    assert json.loads(line) == {"name": "沈安邦", "about": "two\nlines"}


def test_a_long_line_is_broken_at_its_blanks_alone(capsys: pytest.CaptureFixture[str]) -> None:
    ids = [f"a-level-of-a-hyphened-name-{number}" for number in range(40)]
    print_wrapped(", ".join(ids))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(line.startswith("    a-level") and len(line) <= console.width for line in lines)
    assert " ".join(line.strip() for line in lines) == ", ".join(ids)
