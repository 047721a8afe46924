import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config import PackConfig, RunConfig
from pipeline.errors import DataError, UsageError
from pipeline.exporting import CHOICE, choice_of, export, export_saved, overview, save_choice, saved_choice
from pipeline.packs.pack import pack_faults, read_pack
from pipeline.seeds import Seed
from pipeline.store import Version
from tests.golden_content import golden_samples, golden_seeds, golden_version

SESSION, OTHER, CHAT = "openai-realtime", "stepfun-realtime", "messages-jsonl"


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return golden_version(tmp_path_factory.mktemp("exporting"), golden_samples())


def asked(*targets: str, **settings: Any) -> PackConfig:
    return PackConfig(targets=targets or (SESSION,), **settings)


def rebuilt(version: Version, out: Path, settings: PackConfig) -> dict[str, bool]:
    """Which of the packs of a saved choice named `desk` were written anew."""
    path, _ = save_choice(out, "desk", version, settings)
    return {target: export_saved(version, path, settings, target, False).changed for target in settings.targets}


def states(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_targets_of_a_choice_have_the_same_personas(version: Version, tmp_path: Path) -> None:
    settings = asked(SESSION, OTHER, CHAT, limit=4)
    assert rebuilt(version, tmp_path, settings) == {SESSION: True, OTHER: True, CHAT: True}
    desk = tmp_path / "packs" / "desk"
    assert names(desk) == {SESSION, OTHER, CHAT, CHOICE}
    chosen = pl.read_parquet(desk / CHOICE)["persona_id"].to_list()
    assert len(chosen) == 4
    for target in (SESSION, OTHER):
        assert [persona.persona_id for persona in read_pack(desk / target).personas] == chosen
    lines = (desk / CHAT / "messages.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["persona_id"] for line in lines] == chosen
    assert [pack_faults(desk / target) for target in settings.targets] == [[], [], []]


def test_packs_of_the_same_choice_are_left_untouched(version: Version, tmp_path: Path) -> None:
    settings = asked(SESSION, CHAT, limit=2, like="ferry 钟表")
    rebuilt(version, tmp_path, settings)
    before = states(tmp_path)
    assert rebuilt(version, tmp_path, settings) == {SESSION: False, CHAT: False}
    assert states(tmp_path) == before


@pytest.mark.parametrize("packed", [False, True])
def test_a_pack_that_is_not_what_is_asked_for_now_is_replaced_as_a_whole(
    version: Version, tmp_path: Path, packed: bool
) -> None:
    rebuilt(version, tmp_path, asked(limit=4, zip=packed))
    assert rebuilt(version, tmp_path, asked(limit=2, zip=packed, crisis_line="110")) == {SESSION: True}
    desk = tmp_path / "packs" / "desk"
    assert names(desk) == {f"{SESSION}.zip" if packed else SESSION, CHOICE}
    pack = read_pack(desk / (f"{SESSION}.zip" if packed else SESSION))
    assert (len(pack.personas), pack.settings.crisis_line) == (2, "110")
    assert pack_faults(desk / (f"{SESSION}.zip" if packed else SESSION)) == []


@pytest.mark.parametrize("harm", ["append", "remove", "add", "no pack.json"])
def test_a_pack_that_was_harmed_is_replaced(version: Version, tmp_path: Path, harm: str) -> None:
    settings = asked(limit=2)
    rebuilt(version, tmp_path, settings)
    pack = tmp_path / "packs" / "desk" / SESSION
    config = next((pack / "configs").iterdir())
    if harm == "append":
        config.write_bytes(config.read_bytes() + b"\n")
    elif harm == "remove":
        config.unlink()
    elif harm == "add":
        (pack / "extra").touch()
    else:
        (pack / "pack.json").unlink()
    assert rebuilt(version, tmp_path, settings) == {SESSION: True}
    assert pack_faults(pack) == []


@pytest.mark.parametrize("first", [False, True])
def test_a_pack_stands_there_once_as_a_folder_or_as_a_file(version: Version, tmp_path: Path, first: bool) -> None:
    rebuilt(version, tmp_path, asked(limit=2, zip=first))
    rebuilt(version, tmp_path, asked(limit=2, zip=not first))
    assert names(tmp_path / "packs" / "desk") == {SESSION if first else f"{SESSION}.zip", CHOICE}


def test_a_zip_file_holds_a_folder_named_for_its_target(version: Version, tmp_path: Path) -> None:
    rebuilt(version, tmp_path, asked(limit=1, zip=True))
    with zipfile.ZipFile(tmp_path / "packs" / "desk" / f"{SESSION}.zip") as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {SESSION}


def test_a_rebuild_that_fails_leaves_the_standing_pack_as_it_was(version: Version, tmp_path: Path) -> None:
    rebuilt(version, tmp_path, asked(limit=2))
    before = states(tmp_path / "packs" / "desk" / SESSION)
    with pytest.raises(UsageError, match="--model gpt-9: openai-realtime knows"):
        rebuilt(version, tmp_path, asked(limit=2, models={SESSION: "gpt-9"}))
    assert states(tmp_path / "packs" / "desk" / SESSION) == before
    assert names(tmp_path / "packs" / "desk") == {SESSION, CHOICE}


def test_what_a_killed_rebuild_left_is_cleared_by_the_next(version: Version, tmp_path: Path) -> None:
    rebuilt(version, tmp_path, asked(limit=2))
    desk = tmp_path / "packs" / "desk"
    (desk / ".building" / SESSION).mkdir(parents=True)
    (desk / SESSION).rename(desk / f".{SESSION}.old")
    assert rebuilt(version, tmp_path, asked(limit=2)) == {SESSION: True}
    assert names(desk) == {SESSION, CHOICE}


def test_a_choice_for_configs_alone_needs_no_pairings(tmp_path: Path) -> None:
    version = golden_version(tmp_path)
    assert choice_of(version, asked(limit=3)).rows.height == 3
    with pytest.raises(UsageError, match="holds no pairings"):
        choice_of(version, asked(SESSION, CHAT))


def test_chat_messages_alone_are_not_held_to_what_an_app_knows_before_the_call(version: Version) -> None:
    paired = version.scan_pairings().collect().height
    assert choice_of(version, asked(CHAT, limit=999)).rows.height == paired
    assert choice_of(version, asked(CHAT, SESSION, limit=999)).rows.height < paired


def test_licences_that_may_not_be_mixed_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    seeds = [licensed(seed, name) for seed, name in zip(golden_seeds(), ("CC-BY-SA-4.0", "CC-BY-NC-4.0"), strict=True)]
    version = golden_version(tmp_path, seeds=seeds)
    with pytest.raises(DataError, match="may not be mixed in one pack"):
        choice_of(version, asked())
    assert choice_of(version, asked(where="lang = 'en'", limit=2)).rows.height == 2


def licensed(seed: Seed, license: str) -> Seed:
    return seed.model_copy(update={"provenance": seed.provenance.model_copy(update={"license": license})})


def test_an_overview_names_the_personas_in_their_order(version: Version) -> None:
    choice = choice_of(version, asked(like="ferry", limit=2))
    shown = overview(choice.rows, golden_seeds())
    assert shown.columns == ["persona_id", "seed_id", "name", "role", "lang", "scenario", "tone", "likeness"]
    assert shown["name"].to_list() == ["Orla Keane"] * 2
    assert shown["persona_id"].to_list() == choice.rows["persona_id"].to_list()
    assert "sample_id" in overview(choice_of(version, asked(CHAT)).rows, golden_seeds()).columns


def test_an_export_in_order_of_likeness_keeps_that_order(version: Version, tmp_path: Path) -> None:
    rows = choice_of(version, asked(like="calm ferry 钟表", limit=4)).rows
    assert not rows["persona_id"].is_sorted()
    export(version, rows, asked(), SESSION, tmp_path / "pack", False)
    assert [one.persona_id for one in read_pack(tmp_path / "pack").personas] == rows["persona_id"].to_list()


@pytest.mark.parametrize(
    ("name", "targets", "said"),
    [
        ("desc", [], "--saved desc: no such choice. Did you mean 'desk'?"),
        ("desk", [OTHER], f"--as {OTHER}: packs.desk has the targets {SESSION}"),
        ("odd", [], "packs.odd.targets: gpt: not known; choose one of"),
    ],
)
def test_a_choice_or_target_that_is_not_saved_is_refused(name: str, targets: list[str], said: str) -> None:
    config = RunConfig(packs={"desk": asked(), "odd": asked("gpt")})
    with pytest.raises(UsageError, match=said.replace(".", r"\.").replace("?", r"\?")):
        saved_choice(config, name, targets)
    with pytest.raises(UsageError, match=r"write it under \[packs.desk\] in personas.toml"):
        saved_choice(RunConfig(), "desk")
    assert saved_choice(config, "desk", [SESSION]) == asked()


def test_packs_of_another_version_are_another_choice(version: Version, tmp_path: Path) -> None:
    rebuilt(version, tmp_path, asked(limit=2))
    shutil.rmtree(tmp_path / "packs" / "desk" / SESSION / "during", ignore_errors=True)
    other = golden_version(tmp_path / "other")
    assert rebuilt(other, tmp_path, asked(limit=2)) == {SESSION: True}
    assert read_pack(tmp_path / "packs" / "desk" / SESSION).plan == other.manifest.name
