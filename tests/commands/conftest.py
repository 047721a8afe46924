"""A stored matrix that commands are run on."""

import shutil
from pathlib import Path

import pytest

from pipeline.store import Version, open_version
from tests.golden_content import GOLDEN, ROWS, golden_samples, golden_version


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def paired_once(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return golden_version(tmp_path_factory.mktemp("paired"), golden_samples())


@pytest.fixture
def paired(paired_once: Version, tmp_path: Path) -> Version:
    """A paired matrix as ./data."""
    shutil.copytree(paired_once.folder.parent, tmp_path / "data" / "matrix")
    return open_version(tmp_path / "data" / "matrix" / paired_once.folder.name)
