from pathlib import Path

from tests.conftest import ROOT, Run
from tests.golden_content import ROWS


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
    assert run("verify").out.splitlines() == [found, f"data/matrix/{copied.name}: 1 fault"]


def test_verify_names_what_is_amiss_in_a_pack_and_exits_1(run: Run, out: Path, tmp_path: Path) -> None:
    run("export", "--as", "stepfun-realtime", "--data", out, "--out", "pack", "--limit", 2)
    (tmp_path / "pack" / "extra").touch()
    done = run("verify", "pack")
    assert done.code == 1
    assert done.out.splitlines() == ["extra: not in pack.json", "pack: 1 fault"]


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
