import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.files import exclusive, write_text, write_whole
from tests.conftest import ROOT


def half_written(path: Path) -> None:
    path.write_text("half of it", "utf-8")
    raise OSError("no space left on device")


@pytest.mark.parametrize("before", [None, "what stood there"])
def test_a_writer_that_fails_leaves_what_stood_there_and_nothing_else(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "manifest.json"
    if before is not None:
        write_text(path, before)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, half_written)
    assert {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()} == (
        {"manifest.json": before} if before is not None else {}
    )


def test_a_file_bears_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    path, seen = tmp_path / "deep" / "plan.json", []

    def write(temporary: Path) -> None:
        temporary.write_text("whole", "utf-8")
        seen.append(path.exists())

    write_whole(path, write)
    assert seen == [False]
    assert path.read_text("utf-8") == "whole"


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_written_as_utf_8_with_its_own_line_ends(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text.txt"
    write_text(path, text)
    assert path.read_bytes() == text.encode()


def test_one_build_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    with exclusive(tmp_path / "one"):
        refused = pytest.raises(UsageError, match=r"one/matrix: another build is at work here; wait for it")
        with refused, exclusive(tmp_path / "one"):
            pass
        with exclusive(tmp_path / "other"):
            pass
    with exclusive(tmp_path / "one"):
        pass


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from pipeline.files import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False).returncode == 9
    with exclusive(tmp_path):
        assert (tmp_path / "matrix" / ".lock").exists()
