import json
import re
from pathlib import Path

import pytest

from pipeline.packs.targets import TARGETS
from pipeline.seed_columns import SEED_COLUMNS
from pipeline.store import Version
from tests.conftest import Run


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
    assert shown.out.splitlines() == ["3 personas of 1 seed, CC-BY-4.0", "other/pack.json"]
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


def test_the_help_of_export_says_how_to_list_the_columns_and_levels_of_the_matrix(run: Run) -> None:
    told = " ".join(run("export", "--help").out.split())
    assert "`personas query`, without SQL, lists the columns of the matrix with their levels." in told


GATHERED = ("messages-jsonl", "open-webui", "prompts-csv")


@pytest.mark.parametrize("target", GATHERED)
def test_facts_are_refused_where_there_is_no_config_for_them_to_lie_beside(run: Run, target: str) -> None:
    done = run("export", "--as", target, "--out", "pack", "--facts")
    assert (done.code, done.out) == (2, "")
    assert f"--facts: not for {target}: all personas are in one file; they go beside each config of " in done.err
    others = done.err.split("beside each config of ")[1].strip().split(", ")
    assert {*others, *GATHERED} == {*TARGETS, "messages-jsonl"}


@pytest.mark.parametrize("target", ["messages-jsonl", "prompts-csv", "character-card", "covo-audio"])
def test_a_model_is_refused_where_there_are_none_to_choose_from(run: Run, target: str) -> None:
    done = run("export", "--as", target, "--out", "pack", "--model", "gpt-5.4")
    assert (done.code, done.out) == (2, "")
    assert f"--model gpt-5.4: {target} has no models; azure-voice-live, " in done.err
    assert "openai-realtime" in done.err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            'targets = ["prompts-csv"]\nfacts = true',
            "packs.desk.facts: not for prompts-csv: all personas are in one file",
        ),
        ('targets = ["messages-jsonl"]\nmodels = {messages-jsonl = "x"}', "--model x: messages-jsonl has no models"),
        ('targets = ["prompts-csv", "openai-realtime"]\nfacts = true', "no matrix has been built here"),
    ],
)
def test_a_saved_choice_is_refused_what_none_of_its_targets_takes(
    run: Run, tmp_path: Path, settings: str, said: str
) -> None:
    (tmp_path / "personas.toml").write_text(f"[packs.desk]\n{settings}\n", "utf-8")
    done = run("export", "--saved", "desk")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


DRY = ("export", "--as", "openai-realtime", "--dry-run")


def test_a_dry_run_shows_what_would_be_exported_and_writes_nothing(run: Run, out: Path, tmp_path: Path) -> None:
    chosen = ("--data", out, "--where", "age = 60", "--limit", 2)
    shown = run(*DRY, *chosen, "--out", "pack")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[-1] == "2 personas of 1 seed, CC-BY-4.0; nothing is written"
    document = run(*DRY, *chosen, "--json").document
    assert (document["seeds"], document["licenses"], document["notes"]) == (1, ["CC-BY-4.0"], [])
    assert [one["name"] for one in document["personas"]] == ["沈安邦"] * 2
    for one in document["personas"]:
        shown_of = [one[name] for name in ("persona_id", "seed_id", "name", "role", "tone")]
        assert re.search(" .* ".join(map(str, shown_of)) + " ", shown.out)
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
        "messages.jsonl: its bytes have changed (SHA-256 differs)", "pack: 1 fault"
    ]  # fmt: skip


@pytest.mark.parametrize("rung", ["language_only", "scenario_only", "situation"])
def test_pairings_can_be_chosen_by_their_rung(run: Run, paired: Version, tmp_path: Path, rung: str) -> None:
    wanted = paired.scan_pairings().collect().filter(rung=rung)
    done = run("export", "--as", "messages-jsonl", "--where", f"rung = '{rung}'", "--limit", 999, "--out", "pack")
    assert done.code == 0
    lines = [json.loads(line) for line in (tmp_path / "pack" / "messages.jsonl").read_text("utf-8").splitlines()]
    assert [line["persona_id"] for line in lines] == wanted["persona_id"].to_list()
    assert [line["sample_id"] for line in lines] == wanted["sample_id"].to_list()
