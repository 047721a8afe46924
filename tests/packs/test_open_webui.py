import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.packs.open_webui import array, faults, plain, workspace_model
from pipeline.packs.pack import Order, write_pack
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return workspace_model(golden_persona())


def test_a_person_who_chooses_sees_who_it_is_how_they_sound_and_whose_text_it_is(document: Document) -> None:
    orla = golden_persona()
    assert (document["id"], document["name"]) == ("orla-keane-5", "Orla Keane · long-drive-home · steady-low")
    told = document["meta"]["description"]
    assert all(word in told for word in ("Portumna", "orla-keane-5", "CC-BY-4.0", orla.seed.provenance.author))
    assert {"name": "orla-keane"} in document["meta"]["tags"]
    assert document["meta"]["suggestion_prompts"][0] == {"content": "When is the next crossing?"}
    assert document["params"] == {"system": orla.scene}
    assert document["base_model_id"] == "gpt-5.4-mini"
    assert faults(document) == []


def test_a_seed_of_a_foreign_source_needs_neither_name_nor_role() -> None:
    open_seed = {"name": None, "role": None, "place": None, "exchanges": ()}
    document = workspace_model(golden_persona(seed=golden_seeds()[0].model_copy(update=open_seed)))
    assert document["name"].startswith("orla-keane · ")
    assert faults(document) == []


def test_all_personas_of_a_pack_are_one_array_with_ids_of_their_own(tmp_path: Path) -> None:
    chosen = [replace(golden_persona(), row={**golden_persona().row, "persona_id": number}) for number in range(5)]
    write_pack(tmp_path / "pack", Order("open-webui", "plan"), chosen)
    models = json.loads((tmp_path / "pack" / "models.json").read_text("utf-8"))
    assert models == [workspace_model(persona) for persona in chosen]
    assert [model["id"] for model in models] == [f"orla-keane-{number}" for number in range(5)]


def test_an_empty_pack_is_an_empty_array() -> None:
    assert json.loads("".join(array([]))) == []


@given(text=st.text(st.sampled_from("{} aUSER_NAME"), max_size=20))
def test_no_text_of_a_seed_is_a_variable_and_none_loses_a_character(text: str) -> None:
    assert "{{" not in plain(text)
    assert plain(text).replace(" ", "") == text.replace(" ", "")


def test_a_text_without_variables_is_told_as_it_stands() -> None:
    assert plain("{a} } {") == "{a} } {"
    assert plain("{{{USER_NAME}}}") == "{ { {USER_NAME}}}"


def space_in_id(document: Document) -> None:
    document["id"] = "orla keane"


def long_id(document: Document) -> None:
    document["id"] = "o" * 257


def no_base_model(document: Document) -> None:
    document["base_model_id"] = None


def system_beside(document: Document) -> None:
    document["system"] = document["params"].pop("system")


def variable(document: Document) -> None:
    document["params"]["system"] += " {{USER_NAME}}"


def bare_tag(document: Document) -> None:
    document["meta"]["tags"] = ["orla-keane"]


def bare_suggestion(document: Document) -> None:
    document["meta"]["suggestion_prompts"] = ["When is the next crossing?"]


def first_message(document: Document) -> None:
    document["meta"]["greeting"] = "Hello."


def wrapped(document: Document) -> None:
    document["info"] = {}


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (space_in_id, "id"),
        (long_id, "id"),
        (no_base_model, "base_model_id"),
        (system_beside, "system"),
        (variable, "params.system"),
        (bare_tag, "meta.tags[0]"),
        (bare_suggestion, "meta.suggestion_prompts[0]"),
        (first_message, "greeting"),
        (wrapped, "info"),
    ],
)
def test_a_model_that_the_import_would_skip_or_strip_is_a_fault(
    document: Document, harm: Callable[[Document], None], told: str
) -> None:
    wrong = copy.deepcopy(document)
    harm(wrong)
    assert told in " ".join(map(str, faults(wrong)))


def test_the_longest_id_of_a_seed_fits() -> None:
    seed = golden_seeds()[0].model_copy(update={"id": "o" * 64})
    assert faults(workspace_model(golden_persona(seed=seed))) == []
