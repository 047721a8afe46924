import json
import wave
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.golden_content import golden_version


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return golden_version(tmp_path_factory.mktemp("preview")).folder.parent.parent


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_a_line_is_shown_in_every_notation(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("preview", 5, "--out", out) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line and not line.startswith(" ")] == [
        "text", "instruction", "prosody", "stepaudio", "editx", "ssml", "azure",
    ]  # fmt: skip
    assert '<speak version="1.1"' in shown


@pytest.mark.parametrize("line", ["greeting", "1", "2", "3"])
def test_a_line_is_spoken_into_a_file(line: str, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "line.wav"
    assert run("preview", (1 << 32) + 5, "--line", line, "--wav", path, "--out", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["persona_id"], document["line"], document["wav"]) == ((1 << 32) + 5, line, str(path))
    with wave.open(str(path)) as stream:
        assert stream.getnframes() / stream.getframerate() > 0.15 * len(document["text"]) / 2
