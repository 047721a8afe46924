import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        wheel = build_wheel(str(folder))
    finally:
        os.chdir(here)
    with zipfile.ZipFile(folder / wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize(
    "path",
    [
        "pipeline/shipped/seeds/axes/tone.yaml",
        "pipeline/shipped/seeds/axes/scenarios/automotive.yaml",
        "pipeline/shipped/seeds/personas/en/first.jsonl",
        "pipeline/shipped/schemas/seed.schema.json",
        "pipeline/shipped/schemas/vendor/stepfun-realtime.schema.json",
        "pipeline/templates/zh/who.j2",
        "flows/build.py",
    ],
)
def test_a_wheel_brings_its_content_along(installed: Path, path: str) -> None:
    assert (installed / path).is_file()


def test_a_wheel_validates_its_own_content(installed: Path, tmp_path: Path) -> None:
    script = (
        "import sys, pipeline, pipeline.cli\n"
        f"assert pipeline.__file__.startswith({str(installed)!r})\n"
        "from pipeline.config import content_root\n"
        "sys.argv = ['personas', 'validate', str(content_root() / 'seeds' / 'personas')]\n"
        "pipeline.cli.main()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(installed), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "no faults", done.stderr
    assert done.returncode == 0
