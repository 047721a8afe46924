import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.cli import main
from pipeline.plan import PLAN_VERSION
from tests.command_lines import GROUP, fault, words
from tests.conftest import ROOT, Run

COMMANDS = sorted(GROUP.commands)


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


def test_a_path_that_cannot_be_written_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["schemas", "--out", str(ROOT / "README.md")])
    assert ended.value.code == 2
    assert "README.md" in capsys.readouterr().err
