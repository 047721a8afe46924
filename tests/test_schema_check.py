import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from pipeline.schema_check import _yes_or_no, field_name, schema_faults, validator, yaml_faults
from pipeline.yaml_files import YamlFile
from tests.conftest import JSON, ROOT
from tests.golden_content import GOLDEN

SHIPPED = {
    "seed": sorted((ROOT / "seeds" / "personas").rglob("*.jsonl")),
    "sample": sorted((ROOT / "data" / "conversations").rglob("*.jsonl")),
    "pack": sorted((GOLDEN / "packs").rglob("pack.json")),
}
# 1.0 is an integer to a schema, and true is none.
ODD_VALUES = [None, True, 0, 1.0, 2.5, -1, "", "x", [], [None], ["x"], {}, {"x": 1}]


@given(document=JSON)
def test_any_document_is_held_against_a_schema_and_every_fault_can_be_printed(document: Any) -> None:
    faults = schema_faults("seed", document, "seeds.jsonl", 3)
    assert faults  # nothing so small is a seed
    for fault in faults:
        assert fault.line == 3
        assert fault.remedy
        assert "\n" not in fault.problem


@pytest.mark.parametrize(
    ("document", "field", "problem", "remedy"),
    [
        ({}, "", "'id' is a required property", "Add it."),
        ({"nmae": 1}, "", "('nmae' was unexpected)", "Remove it, or correct its spelling."),
        ({"lang": "fr"}, "lang", "'fr' is not one of ['en', 'zh']", "Use one of these values."),
        ({"name": 5}, "name", "5 is not of type 'string'", "Change its type."),
        ({"age": 0}, "age", "0 is less than the minimum of 1", "See minimum in schemas/."),
        ({"voice": {"age_band": "teen"}}, "voice.age_band", "'teen' is not one of", "Use one of these values."),
        ({"voice": {}}, "voice", "'timbre' is a required property", "Add it."),
        ({"stances": []}, "stances", "[] should be non-empty", "Add items."),
        ({"knows": ["bees", ""]}, "knows[1]", "'' should be non-empty", "Fill it, or use null where null is allowed."),
        ({"who": "tab\there"}, "who", "does not match", "Write it in this form."),
        ({"who": "x" * 2001}, "who", "… is too long", "Shorten it."),
        ({"traits": {"openness": 6}}, "traits.openness", "6 is greater than the maximum of 5", "See maximum in"),
        ({"exchanges": [{"they": "Hello?"}]}, "exchanges[0]", "'you' is a required property", "Add it."),
        (
            {"provenance": {"created": "21/11/2026"}},
            "provenance.created",
            "is not a 'date'",
            "Write it in this format.",
        ),
        ([], "", "[] is not of type 'object'", "Change its type."),
        (None, "", "None is not of type 'object'", "Change its type."),
    ],
)
def test_a_fault_names_the_innermost_field_and_a_remedy(document: Any, field: str, problem: str, remedy: str) -> None:
    faults = schema_faults("seed", document, "seeds.jsonl", 7)
    assert any(f.field == field and problem in f.problem and f.remedy.startswith(remedy) for f in faults), faults
    assert {(f.file, f.line) for f in faults} == {("seeds.jsonl", 7)}
    assert all(len(f.problem) <= 200 for f in faults)


def test_all_faults_of_a_document_are_found_at_once() -> None:
    faults = schema_faults("seed", {"id": "A", "lang": "fr", "age": -1, "voice": {"pace": "warp"}}, "f", 1)
    assert {"id", "lang", "age", "voice", "voice.pace", ""} == {fault.field for fault in faults}


def test_a_definition_of_a_schema_can_be_used_by_itself() -> None:
    rule = {"affinity": 0.5, "pair": [{"tone": "low"}, {"pace": "slower"}], "reason": "slow"}
    assert validator("axes#Rule").is_valid(rule)
    assert not validator("axes#Rule").is_valid(rule | {"affinity": 2})


@pytest.mark.parametrize(
    ("path", "name"), [((), ""), (("voice", "pace"), "voice.pace"), (("a", 0, "b", 1), "a[0].b[1]"), ((3,), "[3]")]
)
def test_a_field_is_written_as_one_would_in_code(path: tuple[str | int, ...], name: str) -> None:
    assert field_name(path) == name


def test_yaml_faults_stand_on_the_line_of_their_field(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "- {hard: [{tone: a}, {pace: b}],\n   reason: ''}\n- {reason: r,\n   x: 1}\n", "utf-8"
    )
    faults = yaml_faults("axes#RulesFile", YamlFile(tmp_path / "x.yaml", []))
    assert [(f.line, f.field, f.problem) for f in sorted(faults)] == [
        (2, "[0].reason", "'' should be non-empty"),
        (3, "[1]", "Additional properties are not allowed ('x' was unexpected)"),
    ]


@cache
def documents(schema: str) -> list[Any]:
    texts = [path.read_text("utf-8") for path in SHIPPED[schema]]
    return [json.loads(part) for text in texts for part in ([text] if schema == "pack" else text.splitlines())]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each object and list in ``value`` with each of its keys."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def mutated(data: st.DataObject, document: Any) -> Any:
    document = deepcopy(document)
    holder, key = data.draw(st.sampled_from(list(places(document))))
    match data.draw(st.sampled_from(["delete", "replace", "nest", "add"])):
        case "delete":
            del holder[key]
        case "replace":
            holder[key] = data.draw(st.sampled_from(ODD_VALUES))
        case "nest":
            holder[key] = [holder[key]]
        case "add" if isinstance(holder, dict):
            holder["extra"] = data.draw(st.sampled_from(ODD_VALUES))
        case _:
            holder.append(data.draw(st.sampled_from(ODD_VALUES)))
    return document


@pytest.mark.parametrize("schema", SHIPPED)
def test_a_mutated_document_is_valid_exactly_where_the_standard_validator_says_so(schema: str) -> None:
    committed = json.loads((ROOT / "schemas" / f"{schema}.schema.json").read_text("utf-8"))
    standard = Draft202012Validator(committed, format_checker=FormatChecker())
    answers = set()

    @settings(max_examples=300)
    @given(data=st.data())
    def agree(data: st.DataObject) -> None:
        document = mutated(data, data.draw(st.sampled_from(documents(schema))))
        answer = standard.is_valid(document)
        assert _yes_or_no(schema).is_valid(document) == validator(schema).is_valid(document) == answer
        answers.add(answer)

    agree()
    assert answers == {True, False}
