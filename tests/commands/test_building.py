import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.store import Version, current_version
from tests.conftest import ROOT, Run
from tests.golden_content import GOLDEN, ROWS, SHEN, golden_plan, golden_samples

STAGES = ["validate", "plan", "expand", "write", "pair", "verify", "report"]


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
