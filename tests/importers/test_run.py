import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build import check_inputs
from pipeline.errors import UsageError
from pipeline.importers.run import IMPORTERS, ImportResult, run_import
from pipeline.importers.settings import ImportSettings
from pipeline.matrix import Expansion
from pipeline.plan import make_plan
from pipeline.scene_parts import SceneSettings
from pipeline.scenes import with_scenes
from pipeline.seeds import TRAITS, load_seeds
from tests.golden_content import GOLDEN, golden_axes

SETTINGS = ImportSettings(license="CC0-1.0", created=date(2026, 11, 21))
GOOD = [
    {"id": "cooper", "name": "Ansel", "text": "A cooper from a hill town who hums {{7*7}} while working."},
    {"text": "你是修钟的老魏，说话慢，最怕别人催。", "license": "MIT"},
]
BAD = ["no object", {"text": "?"}, {"id": "cooper", "text": "Another cooper of the same id."}]


def imported(folder: Path, records: list[object], name: str = "text-jsonl") -> ImportResult:
    source = folder / "people.jsonl"
    source.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    return run_import(name, source, folder / "seeds" / "people.jsonl", SETTINGS)


def rejects(result: ImportResult) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(result.rejects_file).read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", IMPORTERS)
def test_seeds_go_to_one_file_and_rejects_with_their_reasons_beside_it(name: str, tmp_path: Path) -> None:
    result = imported(tmp_path, [*GOOD, *BAD], name)
    assert result.model_dump() == {
        "read": 5,
        "imported": 2,
        "rejected": {"id_taken": 1, "no_text": 1, "not_an_object": 1},
        "seeds_file": str(tmp_path / "seeds" / "people.jsonl"),
        "rejects_file": str(tmp_path / "seeds" / "people.jsonl.rejects.jsonl"),
    }
    source = str(tmp_path / "people.jsonl")
    assert [(r["file"], r["line"], r["reason"]) for r in rejects(result)] == [
        (source, 3, "not_an_object"),
        (source, 4, "no_text"),
        (source, 5, "id_taken"),
    ]
    assert sorted(path.name for path in (tmp_path / "seeds").iterdir()) == [
        "people.jsonl",
        "people.jsonl.rejects.jsonl",
    ]


def test_what_was_imported_passes_validation_with_nothing_made_up(tmp_path: Path) -> None:
    result = imported(tmp_path, GOOD)
    inputs, faults = check_inputs([Path(result.seeds_file)], GOLDEN / "axes")
    assert faults == []
    assert inputs is not None
    assert [seed.id for seed in inputs.seeds] == ["cooper", "people-00002"]
    written = [json.loads(line) for line in Path(result.seeds_file).read_text("utf-8").splitlines()]
    assert [set(record) for record in written] == [{"id", "lang", "name", "text", "provenance"}] * 2
    assert written[1]["name"] is None


def test_an_import_of_nothing_but_rejects_says_so(tmp_path: Path) -> None:
    result = imported(tmp_path, ["no object"])
    assert (result.read, result.imported, result.rejected) == (1, 0, {"not_an_object": 1})


def test_importing_again_gives_the_same_files(tmp_path: Path) -> None:
    first = imported(tmp_path, [*GOOD, *BAD])
    before = [Path(name).read_bytes() for name in (first.seeds_file, first.rejects_file)]
    again = imported(tmp_path, [*GOOD, *BAD])
    assert again == first
    assert [Path(name).read_bytes() for name in (again.seeds_file, again.rejects_file)] == before


def test_a_source_that_is_not_there_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; name the file to import"):
        run_import("text-jsonl", tmp_path / "none.jsonl", tmp_path / "seeds.jsonl", SETTINGS)
    assert list(tmp_path.iterdir()) == []


@given(records=st.lists(st.sampled_from([*GOOD, *BAD, None, {"text": "Пекарь из города"}]), max_size=12))
def test_counts_add_up(tmp_path_factory: pytest.TempPathFactory, records: list[object]) -> None:
    result = imported(tmp_path_factory.getbasetemp(), records)
    assert result.read == len(records) == result.imported + sum(result.rejected.values())
    written = Path(result.seeds_file).read_text("utf-8").splitlines()
    assert (len(written), len(rejects(result))) == (result.imported, sum(result.rejected.values()))


def test_an_import_makes_a_matrix_with_scenes_and_everything_open(tmp_path: Path) -> None:
    result = imported(tmp_path, GOOD)
    seeds = load_seeds([Path(result.seeds_file)])
    plan = make_plan(seeds, golden_axes(), 100)
    rows = Expansion(plan, 100).frame(0, 100)
    assert rows.select(TRAITS).null_count().row(0) == (100,) * len(TRAITS)
    assert set(rows["register"].to_list()) == {"intimate", "casual", "neutral", "formal"}
    assert set(rows["stance"].to_list()) == {"companion"}
    assert set(rows["domain"].to_list()) == {"automotive", "companionship"}
    assert set(rows["license"].to_list()) == {"CC0-1.0", "MIT"}
    told = with_scenes(rows.lazy(), plan, seeds, SceneSettings()).collect()
    for seed_id, scene in told.select("seed_id", "scene").iter_rows():
        assert GOOD[seed_id != "cooper"]["text"] in scene
        assert "None" not in scene
        assert ("You are Ansel" if seed_id == "cooper" else "你就是这里说的这个人：") in scene
