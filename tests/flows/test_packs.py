import json
from pathlib import Path

import flows.prefect_settings  # noqa: F401  # isort: skip  (before prefect reads its settings)

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.packs import packs
from pipeline.errors import UsageError
from pipeline.exporting import CHOICE
from pipeline.files import exclusive
from pipeline.packs.pack import pack_faults, read_pack
from tests.conftest import ROOT
from tests.golden_content import golden_version

TARGETS = ("openai-realtime", "stepfun-realtime")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a personas.toml that saves two choices, with a matrix."""
    home = tmp_path_factory.mktemp("packs")
    golden_version(home / "data")
    (home / "personas.toml").write_text(
        f"[packs.desk]\ntargets = {json.dumps(TARGETS)}\nlimit = 3\naudience = 'general'\n"
        "[packs.sunday]\ntargets = ['gemini-live']\nwhere = \"scenario = 'empty-sunday'\"\ndiverse = 2\nzip = true\n",
        "utf-8",
    )
    return home


def test_the_flow_rebuilds_what_is_saved_and_leaves_alone_what_has_not_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    first = packs(progress=False)
    made = {pack.target: Path(pack.pack) for pack in first.packs}
    assert made == {
        **{target: Path("data/packs/desk") / target for target in TARGETS},
        "gemini-live": Path("data/packs/sunday/gemini-live.zip"),
    }
    assert [pack.changed for pack in first.packs] == [True] * 3
    assert all(pack_faults(path) == [] for path in made.values())
    personas = [[one.persona_id for one in read_pack(made[target]).personas] for target in TARGETS]
    assert personas[0] == personas[1]
    assert len(personas[0]) == 3
    assert [note.split(" of ")[0] for note in first.notes] == ["the 2 that differ most"]
    assert {path.name for path in Path("data/packs").iterdir()} == {"desk", "sunday", ".lock"}
    assert {path.name for path in Path("data/packs/desk").iterdir()} == {*TARGETS, CHOICE}
    before = {path: path.stat().st_mtime_ns for path in Path("data/packs/desk").rglob("*")}
    again = packs(names=("desk",), targets=TARGETS[:1], progress=False)
    assert [(pack.target, pack.changed) for pack in again.packs] == [(TARGETS[0], False)]
    assert {path: path.stat().st_mtime_ns for path in Path("data/packs/desk").rglob("*")} == before
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["packs"])))
    assert any("desk, sunday" in str(artifact.description) for artifact in artifacts)
    with exclusive(Path("data"), "packs"), pytest.raises(UsageError, match="another build is at work here"):
        packs(names=("desk",), progress=False)


def test_without_a_saved_choice_there_is_nothing_to_rebuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no choice is saved; write one under"):
        packs.fn(progress=False)
    with pytest.raises(UsageError, match="--saved desk: no such choice"):
        packs.fn(names=("desk",), progress=False)


def test_the_deployment_gives_the_flow_parameters_that_it_takes() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    (deployment,) = [one for one in deployments if one["name"] == "packs"]
    assert deployment["entrypoint"] == "flows/packs.py:packs"
    assert packs.validate_parameters(deployment["parameters"]) == {
        "config": None, "names": (), "targets": (), "progress": False
    }  # fmt: skip
