import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build import check_inputs
from pipeline.config import SceneSettings
from pipeline.conversations import Sample, load_samples
from pipeline.errors import UsageError
from pipeline.importers.formats import IMPORTERS
from pipeline.importers.run import ImportResult, run_import
from pipeline.importers.settings import Imported
from pipeline.importers.source import Source
from pipeline.matrix import Expansion
from pipeline.plan import make_plan
from pipeline.provenance import UNKNOWN_PROVENANCE
from pipeline.scenes import with_scenes
from pipeline.seeds import TRAITS, load_seeds
from tests.golden_content import GOLDEN, golden_axes
from tests.importers.files import SETTINGS, V1_CARD, V2_CARD, V3_CARD, as_json, as_lines, png, text_chunk, turns

GOOD: list[object] = [
    {"id": "cooper", "name": "Ansel", "text": "A cooper from a hill town who hums {{7*7}} while working."},
    {"text": "你是修钟的老魏，说话慢，最怕别人催。", "license": "MIT"},
]
BAD: list[object] = ["no object", {"text": "?"}, {"id": "cooper", "text": "Another cooper of the same id."}]


def imported(folder: Path, records: list[object], name: str = "text-jsonl") -> ImportResult:
    source = folder / "people.jsonl"
    source.write_bytes(as_lines(*records))
    return run_import(name, source, folder / "seeds" / "people.jsonl", SETTINGS)


def written(result: ImportResult) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(result.records_file).read_bytes().splitlines()]


def rejects(result: ImportResult) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(result.rejects_file).read_bytes().splitlines()]


def test_seeds_go_to_one_file_and_rejects_with_their_reasons_beside_it(tmp_path: Path) -> None:
    result = imported(tmp_path, [*GOOD, *BAD])
    assert result.model_dump() == {
        "read": 5,
        "imported": 2,
        "rejected": {"id_taken": 1, "no_text": 1, "not_an_object": 1},
        "records_file": str(tmp_path / "seeds" / "people.jsonl"),
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
    inputs, faults = check_inputs([Path(result.records_file)], GOLDEN / "axes")
    assert faults == []
    assert inputs is not None
    assert [seed.id for seed in inputs.seeds] == ["cooper", "people-00002"]
    assert [set(record) for record in written(result)] == [{"id", "lang", "name", "text", "provenance"}] * 2
    assert written(result)[1]["name"] is None


def test_conversations_become_samples_that_pass_validation(tmp_path: Path) -> None:
    result = imported(
        tmp_path, [turns("Hello.", domain="film"), turns(), turns("One\ntwo."), {"turns": []}], "turns-jsonl"
    )
    assert (result.read, result.imported, result.rejected) == (4, 3, {"no_turns": 1})
    assert [sample.id for sample in load_samples([Path(result.records_file)])] == [f"people-0000{n}" for n in (1, 2, 3)]
    assert [record["domain"] for record in written(result)] == [None] * 3


def test_a_folder_of_cards_is_one_source(tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    (cards / "north").mkdir(parents=True)
    (cards / "mei.png").write_bytes(png(text_chunk("chara", V2_CARD), text_chunk("ccv3", V3_CARD)))
    (cards / "mei.json").write_bytes(as_json(V1_CARD))
    (cards / "north" / "mei.PNG").write_bytes(png(text_chunk("chara", V2_CARD)))
    (cards / "north" / "photo.png").write_bytes(png())
    (cards / "settings.json").write_bytes(b"{}")
    (cards / "read-me.txt").write_bytes(b"Cards of mine.")
    result = run_import("character-card", cards, cards / "seeds.jsonl", SETTINGS)
    assert (result.read, result.imported) == (5, 2)
    assert [(Path(str(r["file"])).name, r["line"], r["reason"]) for r in rejects(result)] == [
        ("mei.png", 0, "id_taken"),
        ("photo.png", 0, "not_a_card"),
        ("settings.json", 0, "not_a_card"),
    ]
    seeds = load_seeds([Path(result.records_file)])
    assert [(seed.id, seed.provenance.source) for seed in seeds] == [
        ("mei", "mei.json"),
        ("north-mei", "north/mei.PNG"),
    ]


def test_records_of_several_files_are_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jsonl").write_bytes(as_lines(GOOD[1], GOOD[0]))
    result = run_import("text-jsonl", folder, folder / "all.jsonl", SETTINGS)
    assert [record["id"] for record in written(result)] == ["a-00001", "cooper", "b-00001"]
    assert [(r["file"], r["line"], r["reason"]) for r in rejects(result)] == [(str(folder / "b.jsonl"), 2, "id_taken")]
    assert run_import("text-jsonl", folder, folder / "all.jsonl", SETTINGS) == result


def test_a_folder_without_a_file_of_the_format_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no \.csv file"):
        run_import("prompts-csv", tmp_path, tmp_path / "seeds.jsonl", SETTINGS)


def test_a_source_is_not_written_over(tmp_path: Path) -> None:
    source = tmp_path / "people.jsonl"
    source.write_bytes(as_lines(*GOOD))
    with pytest.raises(UsageError, match="is the source itself; name another file to write"):
        run_import("text-jsonl", source, tmp_path / "." / "people.jsonl", SETTINGS)
    assert source.read_bytes() == as_lines(*GOOD)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_import_that_is_interrupted_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    before = imported(tmp_path, GOOD)
    kept = {path: path.read_bytes() for path in (tmp_path / "seeds").iterdir()}

    def broken_off(*_: object) -> Iterator[Imported]:
        yield from IMPORTERS["text-jsonl"].read(Source(tmp_path / "people.jsonl", "people.jsonl"), SETTINGS)
        raise error

    monkeypatch.setitem(IMPORTERS, "broken", IMPORTERS["text-jsonl"]._replace(read=broken_off))
    with pytest.raises(error):
        run_import("broken", tmp_path / "people.jsonl", Path(before.records_file), SETTINGS)
    assert {path: path.read_bytes() for path in (tmp_path / "seeds").iterdir()} == kept


def test_a_sample_too_long_for_a_line_is_set_aside(tmp_path: Path) -> None:
    said = [{"role": "user", "text": "好" * 2_000}] * 200  # 1.2 MB as UTF-8, which readers of lines refuse
    (tmp_path / "talk.json").write_bytes(as_json([{"messages": [{"role": "user", "content": "short"}]}]))
    sample = Sample.model_validate_json(json.dumps({
        "id": "long", "lang": "zh", "turns": said, "provenance": UNKNOWN_PROVENANCE,
    }))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(IMPORTERS, "long", IMPORTERS["sharegpt"]._replace(read=lambda *_: iter([Imported(1, sample)])))
        result = run_import("long", tmp_path / "talk.json", tmp_path / "out.jsonl", SETTINGS)
    assert (result.imported, result.rejected) == (0, {"record_too_long": 1})


def test_progress_goes_to_stderr_in_bytes_and_to_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "a.png").write_bytes(png(text_chunk("ccv3", V3_CARD)) + bytes(100_000))
    (tmp_path / "cards" / "b.json").write_bytes(as_json(V2_CARD))
    run_import("character-card", tmp_path / "cards", tmp_path / "seeds.jsonl", SETTINGS, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err.split("\r")[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_file_whose_name_is_no_text_can_be_imported(tmp_path: Path) -> None:
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl"))
    source.write_bytes(as_lines(GOOD[1], "no object"))
    result = run_import("text-jsonl", source, tmp_path / "seeds.jsonl", SETTINGS)
    assert [seed.provenance.source for seed in load_seeds([tmp_path / "seeds.jsonl"])] == ["caf\ufffd.jsonl"]
    assert [str(r["file"]).endswith("caf\ufffd.jsonl") for r in rejects(result)] == [True]


def test_an_import_of_nothing_but_rejects_says_so(tmp_path: Path) -> None:
    result = imported(tmp_path, ["no object"])
    assert (result.read, result.imported, result.rejected) == (1, 0, {"not_an_object": 1})


def test_importing_again_gives_the_same_files(tmp_path: Path) -> None:
    first = imported(tmp_path, [*GOOD, *BAD])
    before = [Path(name).read_bytes() for name in (first.records_file, first.rejects_file)]
    again = imported(tmp_path, [*GOOD, *BAD])
    assert again == first
    assert [Path(name).read_bytes() for name in (again.records_file, again.rejects_file)] == before


def test_a_source_that_is_not_there_leaves_no_file_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; name the file to import"):
        run_import("text-jsonl", tmp_path / "none.jsonl", tmp_path / "seeds.jsonl", SETTINGS)
    assert list(tmp_path.iterdir()) == []


@given(records=st.lists(st.sampled_from([*GOOD, *BAD, None, {"text": "Пекарь из города"}]), max_size=12))
def test_counts_add_up(tmp_path_factory: pytest.TempPathFactory, records: list[object]) -> None:
    result = imported(tmp_path_factory.getbasetemp(), records)
    assert result.read == len(records) == result.imported + sum(result.rejected.values())
    assert (len(written(result)), len(rejects(result))) == (result.imported, sum(result.rejected.values()))


def test_an_import_makes_a_matrix_with_scenes_and_everything_open(tmp_path: Path) -> None:
    result = imported(tmp_path, GOOD)
    seeds = load_seeds([Path(result.records_file)])
    plan = make_plan(seeds, golden_axes(), 100)
    rows = Expansion(plan, 100).frame(0, 100)
    assert rows.select(TRAITS).null_count().row(0) == (100,) * len(TRAITS)
    assert set(rows["register"].to_list()) == {"intimate", "casual", "neutral", "formal"}
    assert set(rows["stance"].to_list()) == {"companion"}
    assert set(rows["domain"].to_list()) == {"automotive", "companionship"}
    assert set(rows["license"].to_list()) == {"CC0-1.0", "MIT"}
    told = with_scenes(rows.lazy(), plan, seeds, SceneSettings()).collect()
    for seed_id, scene in told.select("seed_id", "scene").iter_rows():
        assert GOOD[seed_id != "cooper"]["text"] in scene  # type: ignore[index]
        assert "None" not in scene
        assert ("You are Ansel" if seed_id == "cooper" else "你就是这里说的这个人：") in scene
