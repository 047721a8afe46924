import ast
import re
from pathlib import Path

import pytest

import pipeline
from pipeline.config import read_config
from tests.command_lines import fault, words
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^\s*(?:\$ )?(?:\S*/)?personas\s")


def blocks(*languages: str) -> list[str]:
    return [text for language, text in FENCED if language in languages]


def command_lines() -> list[str]:
    shown = "\n".join(blocks("", "sh", "bash", "shell", "console", "text")).replace("\\\n", " ")
    return [line for line in shown.splitlines() if COMMAND.match(line)]


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_shown_is_one_the_program_takes(line: str) -> None:
    assert fault(line) is None


def test_command_lines_are_shown_for_what_people_come_for() -> None:
    assert {words(line)[0] for line in command_lines()} >= {"query", "show", "export", "import", "validate"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("$ personas perform packs/car", "unknown command perform"),
        ("personas export --as openai-realtime --out pack --format json", "unknown option --format"),
        ("personas show 5 -f deploy | less", "unknown option -f"),
        ("personas show five", "persona_id"),
        ("personas show --frame scene", "persona_id"),
        ("personas show 5 --frame both", "--frame"),
    ],
)
def test_a_command_line_the_program_would_refuse_is_found(line: str, why: str) -> None:
    assert why in (fault(line) or "")


@pytest.mark.parametrize(
    "line", ["$ .venv/bin/personas show 5 --as openai-realtime | jq .  # one", "personas show PERSONA_ID"]
)
def test_a_command_line_may_be_piped_and_have_placeholders(line: str) -> None:
    assert fault(line) is None


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^\$ |^ {4})make ([a-z]+)\b", README, re.MULTILINE))))
def test_every_make_target_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("text", blocks("python"))
def test_python_shown_imports_only_public_names(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            assert {alias.name for alias in node.names} <= set(pipeline.__all__)


@pytest.mark.parametrize("text", blocks("toml"))
def test_a_run_shown_is_one_that_can_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text, "utf-8")
    read_config(tmp_path / "run.toml")
