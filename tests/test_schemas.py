import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from pipeline.schema_check import schema_faults
from pipeline.schemas import DRAFT, drifted, schema_files, schemas, write_schemas
from pipeline.seeds import Seed
from tests.conftest import ROOT


def test_the_committed_schemas_are_what_the_models_say() -> None:
    assert drifted(ROOT / "schemas") == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_schemas(tmp_path / "schemas")
    return tmp_path / "schemas"


def test_schemas_just_written_have_not_drifted(folder: Path) -> None:
    assert drifted(folder) == []
    assert {path.name for path in folder.iterdir()} >= {"seed.schema.json", "axes.schema.json", "run.schema.json"}


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_drifted_or_missing_schema_is_found(folder: Path, name: str) -> None:
    path = folder / f"{name}.schema.json"
    path.write_text(path.read_text("utf-8").replace('"type"', '"typ"', 1), "utf-8")
    assert drifted(folder) == [path]
    path.unlink()
    assert drifted(folder) == [path]


def test_a_schema_no_model_stands_behind_is_found_and_a_vendors_is_not(folder: Path) -> None:
    orphan = folder / "mood.schema.json"
    orphan.write_text("{}", "utf-8")
    (folder / "vendor").mkdir()
    (folder / "vendor" / "theirs.schema.json").write_text("{}", "utf-8")
    assert drifted(folder) == [orphan]


@pytest.mark.parametrize(("name", "schema"), schemas().items())
def test_every_schema_is_a_valid_one_that_refuses_unknown_fields(name: str, schema: dict[str, object]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DRAFT
    definitions = [schema, *schema.get("$defs", {}).values()]  # type: ignore[attr-defined]
    records = [definition for definition in definitions if "properties" in definition]
    assert records
    assert [record["title"] for record in records if record.get("additionalProperties") is not False] == []


def test_schemas_are_the_same_whenever_they_are_generated() -> None:
    assert schema_files(Path()) == schema_files(Path())


def test_any_json_schema_tool_accepts_the_shipped_content() -> None:
    def committed(name: str) -> dict[str, object]:
        return json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text("utf-8"))  # type: ignore[no-any-return]

    seed = Draft202012Validator(committed("seed"))
    lines = [
        line for path in (ROOT / "seeds" / "personas").rglob("*.jsonl") for line in path.read_text("utf-8").splitlines()
    ]
    assert lines
    assert all(seed.is_valid(json.loads(line)) for line in lines[::10])
    axes = committed("axes")
    for kind, file in (("ToneFile", "tone"), ("StateFile", "user_state"), ("DomainsFile", "domains")):
        validator = Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": axes["$defs"]})
        assert validator.is_valid(yaml.safe_load((ROOT / "seeds" / "axes" / f"{file}.yaml").read_text("utf-8")))
        assert not validator.is_valid({"levels": []})


ODD_VALUES = [None, True, 0, 1, 1.0, -1, 3.5, 10**6, "", " ", "x", "en", "2026-11-21", "2026-11-21T00:00:00", "\u0007",
              "\u2028", [], ["x"], [1], {}, {"x": 1}]  # fmt: skip


@settings(max_examples=400)
@given(data=st.data())
def test_what_the_model_accepts_the_schema_accepts(data: st.DataObject, shipped_seeds: list[Seed]) -> None:
    chosen = data.draw(st.integers(0, len(shipped_seeds) - 1))  # hypothesis would look at all seeds for each example
    document = shipped_seeds[chosen].model_dump(mode="json", by_alias=True)
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        inside = place[key]
        if not (isinstance(inside, dict | list) and inside and data.draw(st.booleans())):
            break
        place = inside
    place[key] = data.draw(st.sampled_from(ODD_VALUES))
    try:
        Seed.model_validate_json(json.dumps(document))
    except ValidationError:
        return
    assert schema_faults("seed", document, "", 0) == []
