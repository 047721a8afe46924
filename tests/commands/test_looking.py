import json
import re
import wave
from pathlib import Path

import polars as pl
import pytest

from pipeline.packs.targets import TARGETS
from pipeline.plan_file import plan_json
from pipeline.seed_columns import SEED_COLUMNS
from pipeline.store import Version
from tests.conftest import Run
from tests.golden_content import GOLDEN, ROWS, SHEN, golden_plan


def test_a_plan_is_not_used_with_seeds_that_have_changed(run: Run, run_file: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan_json(golden_plan()), "utf-8")
    text = (GOLDEN / "seeds.jsonl").read_text("utf-8").replace("cable ferry on the lake", "cable ferry")
    (tmp_path / "seeds.jsonl").write_text(text, "utf-8")
    (tmp_path / "personas.toml").write_text('seeds = ["seeds.jsonl"]\n', "utf-8")
    done = run("show", 5, "--plan", "plan.json")
    assert done.code == 1
    assert "1 seed is gone or has changed since the plan was frozen: orla-keane" in done.err


def test_show_prints_a_persona_with_its_scene(run: Run, out: Path) -> None:
    done = run("show", SHEN, "--out", out)
    assert (done.code, done.err) == (0, "")
    facts, scene = done.out.split("\n\n", 1)
    assert facts.startswith(f"persona_id {SHEN} · seed_id shen-anbang · lang zh · variant 0 · scenario ")
    assert scene.startswith("你是沈安邦")


def test_show_as_json_is_the_row_and_its_scene(run: Run, out: Path, version: Version) -> None:
    row = version.scan().collect().row(7, named=True)
    document = run("show", row["persona_id"], "--out", out, "--json").document
    assert {key: value for key, value in document.items() if key != "scene"} == row
    assert document["scene"].startswith("You are Orla Keane")


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_show_as_a_target_is_the_config_itself(run: Run, out: Path, target: str) -> None:
    document = run("show", 5, "--out", out, "--as", target).document
    exporter = TARGETS[target]
    assert exporter.faults(document, exporter.models[0]) == []
    scene = run("show", 5, "--out", out, "--json").document["scene"]
    assert scene.split("\n\n")[-1] in exporter.instructions(document)  # what keeps it safe, and in character


def test_show_in_the_scene_frame_tells_the_situation(run: Run, out: Path, version: Version) -> None:
    orla = version.scan().collect().row(0, named=True)["persona_id"]
    deploy, scene = (
        run("show", orla, "--out", out, "--frame", frame, "--json").document for frame in ("deploy", "scene")
    )
    assert deploy["scene"] != scene["scene"]
    assert {**deploy, "scene": ""} == {**scene, "scene": ""}


@pytest.mark.parametrize(
    ("persona", "said"),
    [
        (99 << 32, "the plan has no seed with ordinal 99; it has 2"),
        (1 << 80, "the plan has no seed with ordinal"),
        ((1 << 32) - 1, "orla-keane has no coverage slot 2,147,483,647 in this plan"),
    ],
)
def test_a_persona_the_plan_does_not_have_is_wrong_usage(run: Run, out: Path, persona: int, said: str) -> None:
    done = run("show", persona, "--out", out)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("source", [[], ["--virtual", str(ROWS)]])
def test_query_answers_over_the_stored_and_the_computed_matrix(
    run: Run, out: Path, version: Version, source: list[str]
) -> None:
    sql = "SELECT seed_id, count(*) AS n FROM personas GROUP BY seed_id ORDER BY seed_id"
    counts = version.scan().collect()["seed_id"].value_counts().sort("seed_id")
    done = run("query", sql, "--out", out, "--json", *source)
    assert (done.code, done.document) == (0, [{"seed_id": i, "n": n} for i, n in counts.iter_rows()])
    shown = run("query", sql, "--out", out, *source)
    assert shown.code == 0
    assert "orla-keane" in shown.out
    assert shown.out.splitlines()[-1] == "2 rows"


@pytest.mark.parametrize("frame", ["deploy", "scene"])
@pytest.mark.parametrize("source", [[], ["--virtual", str(ROWS)]])
def test_query_writes_scenes_as_show_tells_them(
    run: Run, out: Path, tmp_path: Path, source: list[str], frame: str
) -> None:
    file = tmp_path / "scenes.jsonl"
    sql = "SELECT persona_id, scene FROM personas ORDER BY persona_id LIMIT 3"
    done = run("query", sql, "--to", file, "--frame", frame, "--out", out, *source)
    assert (done.code, done.out) == (0, f"3 rows, 0.0 MB: {file}\n")
    written = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    shown = [run("show", row["persona_id"], "--frame", frame, "--out", out, "--json").document for row in written]
    assert [row["scene"] for row in written] == [one["scene"] for one in shown]
    assert run("query", sql, "--to", file, "--out", out, "--json", *source).document == {"rows": 3, "file": str(file)}


def test_query_shows_every_row_and_column_it_was_asked_for(run: Run, out: Path, version: Version) -> None:
    done = run("query", "SELECT persona_id FROM personas", "--out", out)
    ids = {str(value) for value in version.scan().collect()["persona_id"]}
    assert ids <= set(re.findall(r"\d+", done.out))
    assert "…" not in done.out


@pytest.mark.parametrize(
    "sql",
    ["SELEC", "", "SELECT mood FROM personas", "SELECT * FROM people", "SELECT CAST(seed_id AS INT) FROM personas"],
)
@pytest.mark.parametrize("source", [[], ["--virtual", "100"]])
def test_bad_sql_is_a_line_and_exit_code_2(run: Run, out: Path, sql: str, source: list[str]) -> None:
    done = run("query", sql, "--out", out, *source)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"personas: {sql!r}: ")
    assert len(done.err.splitlines()) == 1


def test_more_rows_than_there_are_personas_is_refused_with_the_most_there_are(run: Run, out: Path) -> None:
    done = run("query", "SELECT count(*) FROM personas", "--out", out, "--virtual", 10**9)
    assert done.code == 1
    assert re.search(r"1,000,000,000 rows asked for, but these 2 seeds have at most \d+ distinct rows", done.err)


def test_a_line_is_shown_in_every_notation(run: Run, out: Path) -> None:
    done = run("preview", 5, "--out", out)
    assert done.code == 0
    assert [line for line in done.out.splitlines() if line and not line.startswith(" ")] == [
        "text", "instruction", "prosody", "stepaudio", "editx", "ssml", "azure",
    ]  # fmt: skip
    assert '<speak version="1.1"' in done.out


@pytest.mark.parametrize("line", ["greeting", "1", "2", "3"])
def test_a_line_is_spoken_into_a_file(run: Run, out: Path, line: str, tmp_path: Path) -> None:
    path = tmp_path / "line.wav"
    document = run("preview", SHEN + 5, "--line", line, "--wav", path, "--out", out, "--json").document
    assert (document["persona_id"], document["line"], document["wav"]) == (SHEN + 5, line, str(path))
    with wave.open(str(path)) as stream:
        assert stream.getnframes() / stream.getframerate() > 0.15 * len(document["text"]) / 2


@pytest.mark.parametrize("file", ["line.mp3", "line", "line.wav.txt", "wav"])
def test_a_line_is_spoken_into_a_wav_file_and_no_other(run: Run, out: Path, file: str, tmp_path: Path) -> None:
    done = run("preview", 5, "--wav", file, "--out", out)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"personas: --wav {file}: the ending must be .wav\n"
    assert list(tmp_path.iterdir()) == []


def test_a_query_without_sql_lists_the_columns_with_their_levels(run: Run, out: Path, version: Version) -> None:
    shown, listed = run("query", "--out", out), run("query", "--out", out, "--json").document
    rows = version.scan().collect()
    assert [column["name"] for column in listed["columns"]] == rows.columns
    assert listed["seed_columns"].keys() == SEED_COLUMNS.keys()
    for column in listed["columns"]:
        assert f"\n{column['name']}: {column['about']}" in f"\n{shown.out}"
        held = rows[column["name"]]
        if isinstance(held.dtype, pl.Enum):
            assert set(held) <= set(column["levels"])
            assert all(level in shown.out for level in column["levels"])
        elif column["least"] is not None:
            assert held.drop_nulls().is_between(column["least"], column["most"]).all()
            assert f"{column['least']} to {column['most']}." in shown.out
    assert "\nsensitivity: a list of faith, " in shown.out


def test_the_columns_of_a_plan_are_listed_without_a_matrix(run: Run, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan_json(golden_plan()), "utf-8")
    assert "\n    steady-low, clear-even, half-smile\n" in run("query", "--plan", "plan.json").out
    assert run("query").code == 2


@pytest.mark.parametrize("option", [["--to", "columns.csv"], ["--virtual", "5"]])
def test_columns_are_listed_and_not_queried(run: Run, out: Path, option: list[str]) -> None:
    done = run("query", "--out", out, *option)
    assert (done.code, done.out) == (2, "")
    assert "--to and --virtual go with a query" in done.err


TOLD = [
    ("SELECT tome FROM personas", [], "there is no column 'tome'. Did you mean 'tone'?"),
    ("SELECT tome FROM personas", ["--virtual", "100"], "there is no column 'tome'. Did you mean 'tone'?"),
    ("SELECT 1 FROM personas WHERE mood = 'x'", [], "there is no column 'mood'. Known: affinity, agreeableness, "),
    ("SELECT 1 FROM personas WHERE tone = 'stedy-low'", [], "no level 'stedy-low'. Did you mean 'steady-low'?"),
]


@pytest.mark.parametrize(("sql", "source", "said"), TOLD)
@pytest.mark.parametrize("to", [[], ["--to", "found.csv"]])
def test_a_misspelt_column_or_level_is_answered_with_what_there_is(
    run: Run, out: Path, sql: str, source: list[str], said: str, to: list[str]
) -> None:
    done = run("query", sql, "--out", out, *source, *to)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["query", "SELECT 1 AS n"], ["query"], ["show", 5], ["preview", 5], ["report"], ["verify"]]
)
def test_the_folder_of_versions_has_one_name_that_every_command_takes(
    run: Run, copied: Path, command: list[object]
) -> None:
    folder = copied.parent.parent.rename("elsewhere")
    named = [run(*command, option, folder) for option in ("--data", "--out")]
    assert [done.code for done in named] == [0, 0]
    assert named[0] == named[1]
