import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline import __version__
from pipeline.cli import main
from pipeline.packs.targets import TARGETS
from pipeline.plan import PLAN_VERSION
from pipeline.plan_file import plan_json
from pipeline.seed_columns import SEED_COLUMNS
from pipeline.store import Version, current_version, open_version
from tests.command_lines import GROUP, fault, words
from tests.conftest import ROOT
from tests.golden_content import GOLDEN, ROWS, golden_plan, golden_samples, golden_version

COMMANDS = sorted(GROUP.commands)
SHEN = 1 << 32
STAGES = ["validate", "plan", "expand", "write", "pair", "verify", "report"]


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that --json prints."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in an empty folder; nothing but SystemExit may come out."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        assert isinstance(left.value.code, int)
        return Done(left.value.code, *capsys.readouterr())

    return command


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """A stored matrix of 150 personas of the two golden seeds."""
    return golden_version(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def out(version: Version) -> Path:
    return version.folder.parent.parent


@pytest.fixture
def copied(version: Version, tmp_path: Path) -> Path:
    """The same matrix as ./data, to be harmed."""
    shutil.copytree(version.folder.parent, tmp_path / "data" / "matrix")
    return tmp_path / "data" / "matrix" / version.folder.name


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    text = f'seeds = ["{GOLDEN / "seeds.jsonl"}"]\naxes = "{GOLDEN / "axes"}"\nrows = {ROWS}\n'
    path.write_text(text, "utf-8")
    return path


def test_the_program_tells_its_version(run: Run) -> None:
    assert run("--version") == (0, f"persona-matrix {__version__}, plans of version {PLAN_VERSION}\n", "")


def test_the_program_ends_without_a_last_look_for_garbage() -> None:
    script = """if True:
        import atexit, gc
        from pipeline.cli import main
        atexit.register(lambda: print(gc.get_freeze_count() > len(gc.get_objects())))
        main(["--version"])
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["True"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_that_the_program_takes(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert (done.code, done.err) == (0, "")
    example = " ".join(done.out.strip().split("\n\n")[-1].split())
    assert example.startswith(f"Example: personas {name}")
    assert words(example)[0] == name
    assert fault(example) is None


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_json(name: str) -> None:
    assert "--json" in {option for parameter in GROUP.commands[name].params for option in parameter.opts}


def test_the_program_s_help_names_every_command(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    assert all(re.search(rf"^  {name}\b", done.out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["perform"], "No such command 'perform'"),
        (["build", "--fast"], "No such option: --fast"),
        (["build", "--rows", "many"], "--rows"),
        (["build", "--rows", "0"], "rows: Input should be greater than or equal to 1 (got 0)"),
        (["build", "--workers", "0"], "workers: Value error, 1 to 1,024 worker processes"),
        (["build", "-c", "none.toml"], "none.toml: no such file; give -c"),
        (["plan", "-c", "none.toml"], "none.toml: no such file; give -c"),
        (["validate"], "Missing argument"),
        (["validate", "none.jsonl"], "none.jsonl: no such file or folder; check the path"),
        (["import", "a.jsonl", "b.jsonl"], "Missing option '--from'"),
        (["import", "--from", "docx", "a", "b"], "--from docx: not known; choose one of character-card, openai"),
        (["import", "--from", "text-jsonl", "none.jsonl", "b"], "none.jsonl: no such file; name the file to import"),
        (["import", "--from", "text-jsonl", "a", "b", "--lang", "fr"], "'fr' is not one of 'en', 'zh'"),
        (["show", "five"], "persona_id"),
        (
            ["show", "5", "--as", "messages-jsonl"],
            "--as messages-jsonl: not known; choose one of azure-voice-live",
        ),
        (
            ["show", "5", "--as", "gpt"],
            "--as gpt: not known; choose one of azure-voice-live, character-card",
        ),
        (["show", "5", "--frame", "both"], "--frame"),
        (["show", "5", "--plan", "none.json"], "none.json: not a plan that can be read"),
        (["show", "5"], "data/matrix: no matrix has been built here; run `personas build`"),
        (["query", "SELECT 1"], "no matrix has been built here; run `personas build`"),
        (["query", "SELECT 1", "--virtual", "0"], "--virtual"),
        (["export", "--as", "openai-realtime"], "Missing option '--out'"),
        (["export", "--as", "gpt", "--out", "pack"], "--as gpt: not known; choose one of"),
        (["export", "--as", "openai-realtime", "--out", "pack"], "no matrix has been built here"),
        (["export", "--as", "openai-realtime", "--out", "pack", "--limit", "0"], "--limit"),
        (["export", "--as", "openai-realtime", "--out", "pack", "--disclosure", "never"], "--disclosure"),
        (["export", "--as", "openai-realtime", "--out", "pack", "--crisis-line", ""], "--crisis-line"),
        (["export", "--as", "openai-realtime", "--out", "pack", "--crisis-line", "9" * 81], "--crisis-line"),
        (["export", "--out", "pack"], "Missing option '--as': name one target"),
        (
            ["export", "--as", "openai-realtime", "--out", "p", "--model", "gpt-9"],
            "--model gpt-9: openai-realtime",
        ),
        (["export", "--as", "openai-realtime", "--out", __file__], "in use and not empty"),
        (["export", "--as", "gemini-live", "--as", "openai-realtime", "--out", "p"], "--as: given more than once"),
        (["export", "--as", "gemini-live", "--out", "p", "--like", ""], "--like '': String should have at least 1"),
        (["export", "--as", "gemini-live", "--out", "p", "--diverse", "0"], "--diverse"),
        (["export", "--as", "gemini-live", "--out", "p", "--audience", "adults"], "--audience"),
        (["export", "--saved", "desk"], "--saved desk: no such choice. write it under [packs.desk] in personas.toml"),
        (["verify", "none"], "none: no such folder"),
        (["verify", "."], "neither a matrix version nor a pack"),
        (["verify"], "no matrix has been built here"),
        (["schemas", "--chek"], "No such option: --chek"),
    ],
)
def test_wrong_usage_is_a_message_and_exit_code_2(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_no_command_at_all_is_wrong_usage_and_shows_the_help(run: Run) -> None:
    done = run()
    assert done.code == 2
    assert "Usage: personas" in done.out + done.err


def test_validate_finds_the_golden_content_clean(run: Run) -> None:
    assert run("validate", GOLDEN / "seeds.jsonl", GOLDEN / "axes") == (0, "no faults\n", "")
    done = run("validate", GOLDEN / "conversations.jsonl", GOLDEN / "seeds.jsonl", GOLDEN / "axes", "--json")
    assert (done.code, done.document) == (0, {"faults": []})


def test_validate_lists_every_fault_and_exits_1(run: Run, tmp_path: Path) -> None:
    lines = (GOLDEN / "seeds.jsonl").read_text("utf-8").splitlines()
    harmed = [json.loads(line) for line in lines]
    del harmed[0]["age"]
    harmed[1]["speech"]["register"] = "slangy"
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, harmed)) + "\n{\n", "utf-8")
    shown = run("validate", "mine.jsonl", GOLDEN / "axes")
    assert shown.code == 1
    assert shown.out.splitlines()[0].startswith("mine.jsonl:1: age: ")
    assert shown.out.splitlines()[1].startswith("mine.jsonl:2: speech.register: ")
    assert shown.out.splitlines()[2].startswith("mine.jsonl:3: not valid JSON")
    assert shown.out.splitlines()[3:] == ["3 faults"]
    done = run("validate", "mine.jsonl", GOLDEN / "axes", "--json")
    assert done.code == 1
    assert [(f["file"], f["line"], f["field"]) for f in done.document["faults"]] == [
        ("mine.jsonl", 1, "age"),
        ("mine.jsonl", 2, "speech.register"),
        ("mine.jsonl", 3, ""),
    ]
    assert all(f["problem"] and f["remedy"] for f in done.document["faults"])


def test_validate_lists_the_faults_of_seeds_and_of_samples_together(run: Run, tmp_path: Path) -> None:
    seed = json.loads((GOLDEN / "seeds.jsonl").read_text("utf-8").splitlines()[0])
    sample = {
        "id": "talk", "lang": "en", "domain": "automotive", "scenario": "long-drive-home", "user_state": "tierd",
        "seed_id": seed["id"], "provenance": seed["provenance"],
        "turns": [{"role": "user", "text": "Still there?"}, {"role": "persona", "text": "Still here."}],
    }  # fmt: skip
    (tmp_path / "seeds.jsonl").write_text(json.dumps(seed | {"age": -1}), "utf-8")
    (tmp_path / "talks.jsonl").write_text(json.dumps(sample), "utf-8")
    done = run("validate", "talks.jsonl", "seeds.jsonl", GOLDEN / "axes")
    assert done.code == 1
    assert done.out.splitlines() == [
        "seeds.jsonl:1: age: -1 is less than the minimum of 1. See minimum in schemas/.",
        "talks.jsonl:1: user_state: there is no user_state 'tierd'. Did you mean 'tired'?",
        "2 faults",
    ]


def test_two_folders_of_axes_cannot_both_count(run: Run, tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "axes", tmp_path / "axes")
    done = run("validate", "axes", GOLDEN)
    assert done.code == 2
    assert "are both folders of axes; name one" in done.err


def test_import_writes_seeds_and_rejects_and_says_how_many(run: Run, tmp_path: Path) -> None:
    records = [{"name": "Ansel", "text": "A cooper who hums."}, {"text": "?"}, {"text": "!"}]
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, records)), "utf-8")
    arguments = ("import", "--from", "text-jsonl", "people.jsonl", "mine/people.jsonl", "--license", "CC0-1.0")
    shown = run(*arguments)
    assert shown.code == 0
    assert shown.out.splitlines() == [
        "3 read, 1 imported to mine/people.jsonl",
        "2 rejected: no_text",
        "rejects with line and reason: mine/people.jsonl.rejects.jsonl",
    ]
    assert run(*arguments, "--json").document == {
        "read": 3,
        "imported": 1,
        "rejected": {"no_text": 2},
        "records_file": "mine/people.jsonl",
        "rejects_file": "mine/people.jsonl.rejects.jsonl",
    }
    assert len((tmp_path / "mine" / "people.jsonl.rejects.jsonl").read_text("utf-8").splitlines()) == 2
    (tmp_path / "mine" / "people.jsonl.rejects.jsonl").unlink()
    assert run("validate", "mine").out == "no faults\n"


def test_rejects_beside_the_seeds_are_not_taken_for_seeds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "people.jsonl").write_text('{"text": "A cooper who hums."}\n{"text": "?"}\n', "utf-8")
    run("import", "--from", "text-jsonl", "people.jsonl", "mine/people.jsonl", "--license", "CC0-1.0")
    assert run("validate", "mine") == (0, "no faults\n", "")


def test_plan_tells_what_is_reached_and_saves_what_show_can_use(run: Run, run_file: Path, tmp_path: Path) -> None:
    done = run("plan", "-c", run_file, "--out", "made/plan.json", "--json")
    assert done.code == 0
    document = done.document
    assert document.keys() == {"plan", "base_rows", "coverage_rows", "pairs", "triples", "own", "axes"}
    assert document["own"] == {"from": 2_000, "rows": 0}
    assert (document["plan"], document["base_rows"]) == (golden_plan().id, ROWS)
    assert document["pairs"]["covered"] == document["pairs"]["feasible"] > 0
    assert document["axes"].keys() == golden_plan().report["axes"].keys()
    run_file.rename(tmp_path / "personas.toml")
    shown = run("show", SHEN + 3, "--plan", "made/plan.json")
    assert shown.code == 0
    assert "你是沈安邦，六十岁。" in shown.out
    human = run("plan")
    assert human.code == 0
    assert f"plan {golden_plan().id}: " in human.out
    assert "feasible pairs covered at 150 rows" in human.out
    assert "from 2,000 rows on, a seed has every pair of domain and tone family that it can take" in human.out


def test_a_plan_is_not_used_with_seeds_that_have_changed(run: Run, run_file: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan_json(golden_plan()), "utf-8")
    text = (GOLDEN / "seeds.jsonl").read_text("utf-8").replace("cable ferry on the lake", "cable ferry")
    (tmp_path / "seeds.jsonl").write_text(text, "utf-8")
    (tmp_path / "personas.toml").write_text('seeds = ["seeds.jsonl"]\n', "utf-8")
    done = run("show", 5, "--plan", "plan.json")
    assert done.code == 1
    assert "1 seeds are gone or have changed since the plan was frozen: orla-keane" in done.err


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


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_export_writes_a_pack_that_verifies(run: Run, out: Path, target: str, tmp_path: Path) -> None:
    arguments = ("export", "--as", target, "--data", out, "--where", "lang = 'zh'", "--limit", 3)
    done = run(*arguments, "--out", "pack", "--json", "--crisis-line", "110", "--disclosure", "at_open")
    assert (done.code, done.err) == (0, "")
    assert done.document == {"pack": "pack", "personas": 3, "checked": True, "licenses": ["CC-BY-4.0"]}
    pack = json.loads((tmp_path / "pack" / "pack.json").read_text("utf-8"))
    settings = {"frame": "deploy", "disclosure": "at_open", "crisis_line": "110", "audience": "general"}
    assert pack["settings"] == settings
    assert [persona["lang"] for persona in pack["personas"]] == ["zh"] * 3
    held = [file["path"] for persona in pack["personas"] for file in persona["files"] if "configs/" in file["path"]]
    for name in held or [file["path"] for file in pack["files"]]:
        assert b"110" in (tmp_path / "pack" / name).read_bytes() or name.endswith(".png")
    verified = run("verify", "pack", "--json")
    assert (verified.code, verified.document) == (0, {"path": "pack", "faults": [], "quality": None})
    shown = run(*arguments, "--out", "other")
    assert shown.out.splitlines() == ["3 personas of 1 seeds, CC-BY-4.0", "other/pack.json"]
    refused = run(*arguments, "--out", "pack")
    assert refused.code == 2
    assert "pack: in use and not empty; name a new folder" in refused.err


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("lang =", "unable to parse"),
        ("tome = 'sad'", "there is no column 'tome'. Did you mean 'tone'?"),
        ("lang", "Boolean"),
        ("lang = 'fr'", "fr"),
        ("pace > 5", "no persona fits --where 'pace > 5'; take clauses away until one does"),
    ],
)
def test_an_export_of_nothing_writes_nothing(run: Run, out: Path, where: str, said: str, tmp_path: Path) -> None:
    done = run("export", "--as", "openai-realtime", "--data", out, "--out", "pack", "--where", where)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "pack").exists()


def test_the_help_of_export_names_every_column_that_can_be_asked_of_seeds(run: Run) -> None:
    told = run("export", "--help").out
    assert all(re.search(rf"^  {name} ", told, re.MULTILINE) for name in SEED_COLUMNS)


DRY = ("export", "--as", "openai-realtime", "--dry-run")


def test_a_dry_run_shows_what_would_be_exported_and_writes_nothing(run: Run, out: Path, tmp_path: Path) -> None:
    chosen = ("--data", out, "--where", "age = 60", "--limit", 2)
    shown = run(*DRY, *chosen, "--out", "pack")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[-1] == "2 personas of 1 seeds, CC-BY-4.0; nothing is written"
    document = run(*DRY, *chosen, "--json").document
    assert (document["seeds"], document["licenses"], document["notes"]) == (1, ["CC-BY-4.0"], [])
    assert [one["name"] for one in document["personas"]] == ["沈安邦"] * 2
    for one in document["personas"]:
        assert re.search(rf"{one['persona_id']} .* {one['seed_id']} .* {one['name']} .* {one['tone']} ", shown.out)
    assert list(tmp_path.iterdir()) == []
    run(*(word for word in DRY if word != "--dry-run"), *chosen, "--out", "pack")
    pack = json.loads((tmp_path / "pack" / "pack.json").read_text("utf-8"))
    assert [one["persona_id"] for one in pack["personas"]] == [one["persona_id"] for one in document["personas"]]


def test_a_dry_run_shows_how_like_and_of_how_many(run: Run, out: Path) -> None:
    done = run(*DRY, "--data", out, "--like", "ferry", "--limit", 6, "--diverse", 2, "--json")
    assert done.document["notes"] == ["the 2 that differ most of 6 candidates"]
    assert all(one["likeness"] > 0 for one in done.document["personas"])
    assert run(*DRY, "--data", out, "--diverse", 2).out.splitlines()[-2].startswith("the 2 that differ most of ")


def test_an_export_says_beside_its_answer_how_it_chose(run: Run, out: Path, tmp_path: Path) -> None:
    done = run("export", "--as", "openai-realtime", "--data", out, "--diverse", 2, "--out", "pack", "--json")
    assert done.err.startswith("the 2 that differ most of ")
    assert done.document["personas"] == 2
    refused = run("export", "--as", "openai-realtime", "--data", out, "--audience", "children", "--out", "other")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("personas: no persona fits --audience children; ")
    assert refused.err.endswith("personas of 2 seeds are not for children; --audience general lets them in\n")
    assert not (tmp_path / "other").exists()


def test_a_zipped_pack_is_named_as_it_is(run: Run, out: Path, tmp_path: Path) -> None:
    done = run("export", "--as", "openai-realtime", "--data", out, "--limit", 1, "--out", "pack.zip")
    assert done.out.splitlines()[-1] == "pack.zip"
    assert (tmp_path / "pack.zip").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--where", "age > 3"], "--where: goes not with --saved; write it under [packs.desk] in personas.toml"),
        (["--out", "pack"], "--out: goes not with --saved"),
        (["--model", "gpt-realtime"], "--model: goes not with --saved"),
        (["--facts"], "--facts: goes not with --saved"),
        (["--as", "gemini-live"], "--as gemini-live: packs.desk has the targets openai-realtime"),
        ([], "no matrix has been built here"),
    ],
)
def test_what_a_saved_choice_says_cannot_be_said_again(run: Run, tmp_path: Path, options: list[str], said: str) -> None:
    (tmp_path / "personas.toml").write_text('[packs.desk]\ntargets = ["openai-realtime"]\n', "utf-8")
    done = run("export", "--saved", "desk", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_saved_choice_can_be_looked_at_first(run: Run, out: Path, tmp_path: Path) -> None:
    text = '[packs.desk]\ntargets = ["openai-realtime"]\nwhere = "age = 60"\nlimit = 3\n'
    (tmp_path / "personas.toml").write_text(text, "utf-8")
    document = run("export", "--saved", "desk", "--dry-run", "--data", out, "--json").document
    assert [one["seed_id"] for one in document["personas"]] == ["shen-anbang"] * 3
    assert not (out / "packs").exists()


def test_a_file_is_no_folder_for_a_pack(run: Run, out: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").write_text("mine", "utf-8")
    done = run("export", "--as", "openai-realtime", "--data", out, "--out", "pack", "--limit", 1)
    assert done.code == 2
    assert "name a new folder" in done.err


def test_verify_finds_a_stored_matrix_whole(run: Run, copied: Path) -> None:
    done = run("verify", "--json")
    assert done.code == 0
    assert done.document["faults"] == []
    assert (done.document["path"], done.document["quality"]["rows"]) == (f"data/matrix/{copied.name}", ROWS)
    shown = run("verify", copied)
    assert shown.code == 0
    assert shown.out.splitlines()[-1] == f"{copied}: whole"
    assert shown.out.startswith("150 rows; 0 break a rule, 0 a lock, 0 occur twice; ")


def test_verify_names_what_was_changed_and_exits_1(run: Run, copied: Path) -> None:
    with (copied / "seeds.jsonl").open("a") as stream:
        stream.write("\n")
    done = run("verify", "--json")
    assert done.code == 1
    assert done.document["quality"] is None
    (found,) = done.document["faults"]
    assert found.startswith("seeds.jsonl: ")
    assert run("verify").out.splitlines() == [found, f"data/matrix/{copied.name}: 1 faults"]


def test_verify_names_what_is_amiss_in_a_pack_and_exits_1(run: Run, out: Path, tmp_path: Path) -> None:
    run("export", "--as", "stepfun-realtime", "--data", out, "--out", "pack", "--limit", 2)
    (tmp_path / "pack" / "extra").touch()
    done = run("verify", "pack")
    assert done.code == 1
    assert done.out.splitlines() == ["extra: not in pack.json", "pack: 1 faults"]


@pytest.fixture(scope="module")
def paired_once(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return golden_version(tmp_path_factory.mktemp("paired"), golden_samples())


@pytest.fixture
def paired(paired_once: Version, tmp_path: Path) -> Version:
    """A paired matrix as ./data."""
    shutil.copytree(paired_once.folder.parent, tmp_path / "data" / "matrix")
    return open_version(tmp_path / "data" / "matrix" / paired_once.folder.name)


def test_pair_makes_a_new_version_and_says_how_well_it_went(run: Run, copied: Path, version: Version) -> None:
    done = run("pair", GOLDEN / "conversations.jsonl", "--json")
    assert done.code == 0
    document = done.document
    new = current_version(Path("data"))
    rungs = dict(new.scan_pairings().group_by("rung").len().collect().iter_rows())
    assert document == {
        "version_dir": str(new.folder), "samples": len(golden_samples()), "paired": new.manifest.paired,
        "unmatched": ROWS - new.manifest.paired, "rungs": rungs,
    }  # fmt: skip
    assert new.folder.name != copied.name
    assert run("verify").out.splitlines()[-1] == f"{new.folder}: whole"
    assert run("verify", copied).code == 0
    shown = run("pair", GOLDEN / "conversations.jsonl")
    assert f"{new.manifest.paired:,} of {ROWS} personas paired with {len(golden_samples())} samples; " in shown.out
    assert [line.split() for line in shown.out.splitlines()[:-2]] == [
        [f"{count:,}", rung] for rung, count in new.scan_pairings().group_by("rung").len().sort("rung").collect().rows()
    ]
    assert shown.out.splitlines()[-1] == str(new.folder)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pair"], 2, "Missing argument"),
        (["pair", "none.jsonl"], 2, "none.jsonl: no such file or folder; check the path"),
        (["pair", str(GOLDEN / "seeds.jsonl")], 1, "faults in the data"),
        (["report", "none"], 1, "none: no manifest, so not a whole version"),
        (["export", "--as", "messages-jsonl", "--out", "p"], 2, "holds no pairings; run `personas pair`"),
    ],
)
def test_what_cannot_be_paired_or_reported_is_said(
    run: Run, copied: Path, arguments: list[str], code: int, said: str
) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert {path.name for path in copied.parent.iterdir()} - {".lock"} == {copied.name, "CURRENT"}


def test_report_prints_where_it_stands_and_writes_it_once(run: Run, copied: Path) -> None:
    file = f"data/matrix/{copied.name}/report.html"
    assert run("report") == (0, f"{file}\n", "")
    written = Path(file).stat()
    assert run("report", copied, "--json").document == {"report": str(copied / "report.html")}
    assert (Path(file).stat().st_ino, Path(file).stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert run("verify").code == 0


def test_a_report_rewritten_leaves_the_version_whole(run: Run, copied: Path) -> None:
    run("report")
    report = copied / "report.html"
    text = report.read_text("utf-8")
    report.write_text("scribbled over", "utf-8")
    assert run("verify").code == 1
    assert run("report", "--rewrite").code == 0
    assert report.read_text("utf-8") == text
    assert run("verify").code == 0


def test_a_paired_matrix_is_exported_as_chat_messages(run: Run, paired: Version, tmp_path: Path) -> None:
    arguments = ("export", "--as", "messages-jsonl", "--where", "lang = 'en' AND fit = 'authored_for'", "--limit", 2)
    done = run(*arguments, "--out", "pack", "--json", "--crisis-line", "110")
    assert done.code == 0
    lines = [json.loads(line) for line in (tmp_path / "pack" / "messages.jsonl").read_text("utf-8").splitlines()]
    assert done.document == {"pack": "pack", "personas": len(lines), "checked": False, "licenses": ["CC-BY-4.0"]}
    assert len(lines) > 0
    assert {(line["fit"], line["seed_id"], line["sample_id"]) for line in lines} == {
        ("authored_for", "orla-keane", "orla-late-road")
    }
    assert all("110" in line["messages"][0]["content"] for line in lines)
    pack = json.loads((tmp_path / "pack" / "pack.json").read_text("utf-8"))
    assert (pack["plan"], pack["target"]) == (paired.manifest.name, "messages-jsonl")
    assert run("verify", "pack").out == "pack: whole\n"
    flipped = bytearray((tmp_path / "pack" / "messages.jsonl").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (tmp_path / "pack" / "messages.jsonl").write_bytes(flipped)
    found = run("verify", "pack")
    assert found.code == 1
    assert found.out.splitlines() == [
        "messages.jsonl: its bytes have changed (SHA-256 differs)", "pack: 1 faults"
    ]  # fmt: skip


@pytest.mark.parametrize("rung", ["language_only", "scenario_only", "situation"])
def test_pairings_can_be_chosen_by_their_rung(run: Run, paired: Version, tmp_path: Path, rung: str) -> None:
    wanted = paired.scan_pairings().collect().filter(rung=rung)
    done = run("export", "--as", "messages-jsonl", "--where", f"rung = '{rung}'", "--limit", 999, "--out", "pack")
    assert done.code == 0
    lines = [json.loads(line) for line in (tmp_path / "pack" / "messages.jsonl").read_text("utf-8").splitlines()]
    assert [line["persona_id"] for line in lines] == wanted["persona_id"].to_list()
    assert [line["sample_id"] for line in lines] == wanted["sample_id"].to_list()


def test_a_matrix_without_its_manifest_is_broken_data(run: Run, copied: Path) -> None:
    (copied / "manifest.json").unlink()
    for command in (
        ["query", "SELECT 1"],
        ["show", "5"],
        ["verify"],
        ["export", "--as", "stepfun-realtime", "--out", "p"],
    ):
        done = run(*command)
        assert done.code == 1
        assert "no manifest, so not a whole version; build again" in done.err


def test_schemas_are_written_and_checked_for_drift(run: Run, tmp_path: Path) -> None:
    missing = run("schemas", "--check", "--out", "s", "--json")
    assert missing.code == 1
    assert len(missing.document["drifted"]) > 3
    assert not (tmp_path / "s").exists()
    assert run("schemas", "--out", "s").code == 0
    assert run("schemas", "--check", "--out", "s").out == "s: up to date\n"
    (tmp_path / "s" / "seed.schema.json").write_text("{}", "utf-8")
    drifted = run("schemas", "--check", "--out", "s")
    assert drifted.code == 1
    assert "seed.schema.json: differs from the models; run `personas schemas`" in drifted.out


def test_the_shipped_schemas_have_not_drifted(run: Run) -> None:
    done = run("schemas", "--check", "--json")
    assert (done.code, done.document) == (0, {"folder": str(ROOT / "schemas"), "drifted": []})


def test_build_makes_a_matrix_and_prints_one_json_object_last(run: Run, tmp_path: Path) -> None:
    for lang in ("en", "zh"):
        lines = (ROOT / "seeds" / "personas" / lang / "first.jsonl").read_text("utf-8").splitlines()
        path = tmp_path / "seeds" / f"{lang}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines[:5]) + "\n", "utf-8")
        talks = (ROOT / "data" / "conversations" / f"{lang}.jsonl").read_text("utf-8").splitlines()
        (tmp_path / f"talks-{lang}.jsonl").write_text("\n".join(talks[:40]) + "\n", "utf-8")
    (tmp_path / "run.toml").write_text(
        'seeds = ["seeds"]\nsamples = ["talks-en.jsonl", "talks-zh.jsonl"]\nout = "data"\nworkers = 1\n', "utf-8"
    )
    command = [sys.executable, "-m", "pipeline.cli", "build", "-c", "run.toml", "--rows", "20000", "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path / "prefect")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert result.keys() == {"version_dir", "rows", "seeds", "stages", "peak_rss_mb", "total_s"}
    assert (result["rows"], result["seeds"]) == (20_000, 10)
    assert [stage for stage in result["stages"] if stage != "compile"] == STAGES
    assert 0 < sum(result["stages"].values()) <= result["total_s"]
    assert result["peak_rss_mb"] > 50
    assert {path.name for path in (tmp_path / result["version_dir"]).iterdir()} == {
        "manifest.json", "plan.json", "seeds.jsonl", "sources.json", "shards", "samples.parquet", "pairings",
        "unmatched", "report.html",
    }  # fmt: skip
    verified = run("verify", "--json")
    assert (verified.code, verified.document["path"]) == (0, result["version_dir"])
    assert run("query", "SELECT count(*) AS n FROM personas", "--json").document == [{"n": 20_000}]


def test_a_licence_that_is_none_is_the_user_s_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "a", "text": "A long enough description."}\n', "utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["import", "--from", "text-jsonl", str(source), str(tmp_path / "out.jsonl"), "--license", "Nope-1"])
    assert ended.value.code == 2
    assert "'Nope-1' is not an SPDX licence" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out.jsonl").exists()


def test_a_path_that_cannot_be_written_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["schemas", "--out", str(ROOT / "README.md")])
    assert ended.value.code == 2
    assert "README.md" in capsys.readouterr().err
