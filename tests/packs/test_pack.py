import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import BrokenVersion, DataError, UsageError
from pipeline.packs.pack import Order, Pack, pack_faults, write_pack
from pipeline.packs.persona import Persona, personas
from pipeline.packs.targets import TARGETS
from pipeline.scene_parts import SceneSettings
from pipeline.schema_check import schema_faults
from pipeline.seeds import Seed
from tests.golden_content import golden_plan, golden_rows, golden_seeds
from tests.packs.personas import golden_persona, licensed

SETTINGS = SceneSettings(frame="scene", disclosure="at_open", crisis_line="112")


def both() -> list[Persona]:
    return list(personas(golden_rows(), golden_plan(), golden_seeds(), SETTINGS))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pack(tmp_path / "pack", Order("stepfun-realtime", "plan-content", SETTINGS), both())
    return tmp_path / "pack"


@pytest.mark.parametrize("target", sorted(name for name, target in TARGETS.items() if target.gathered is None))
def test_a_pack_holds_a_config_for_each_persona_and_says_whose_they_are(target: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "new" / "pack", Order(target, "plan-content", SETTINGS), both())
    document = json.loads((tmp_path / "new" / "pack" / "pack.json").read_text("utf-8"))
    assert Pack.model_validate_json(json.dumps(document)) == pack
    assert schema_faults("pack", document, "pack.json", 0) == []
    assert (pack.target, pack.plan, pack.settings, pack.checked) == (target, "plan-content", SETTINGS, True)
    assert pack.not_expressed == TARGETS[target].not_expressed
    assert [(p.persona_id, p.seed_id, p.lang, p.license) for p in pack.personas] == [
        (5, "orla-keane", "en", "CC-BY-4.0"),
        ((1 << 32) + 5, "shen-anbang", "zh", "CC-BY-4.0"),
    ]
    for persona, packed in zip(both(), pack.personas, strict=True):
        config = packed.files[0]
        content = (tmp_path / "new" / "pack" / config.path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (config.bytes, config.sha256)
        assert json.loads(content) == TARGETS[target].export(persona, TARGETS[target].models[0])
        assert persona.scene[:8].encode() in content  # read by people too: no escapes
    assert pack_faults(tmp_path / "new" / "pack") == []


@pytest.mark.parametrize("target", sorted(name for name, target in TARGETS.items() if target.gathered is not None))
def test_a_gathered_pack_is_one_file_of_all_its_personas(target: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", Order(target, "plan-content", SETTINGS), both())
    (file,) = pack.files
    assert (file.rows, pack.checked, [persona.files for persona in pack.personas]) == (2, True, [(), ()])
    content = (tmp_path / "pack" / file.path).read_text("utf-8")
    for persona in both():
        assert persona.scene[:8] in content
        assert f"{persona.seed.id}-{persona.id}" in content  # whose it is
    assert sorted(files(tmp_path / "pack")) == sorted(["ATTRIBUTION.md", "README.md", file.path, "pack.json"])
    assert pack_faults(tmp_path / "pack") == []


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_same_choice_gives_the_same_bytes(target: str, tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_pack(tmp_path / name, Order(target, "plan-content", SETTINGS), both())
    assert files(tmp_path / "one") == files(tmp_path / "other")
    assert len(files(tmp_path / "one")) > 3


def test_a_config_s_name_tells_seed_and_persona(folder: Path) -> None:
    assert sorted(files(folder)) == [
        "ATTRIBUTION.md",
        "README.md",
        "configs/orla-keane-5.json",
        f"configs/shen-anbang-{(1 << 32) + 5}.json",
        "during/orla-keane-5.json",
        f"during/shen-anbang-{(1 << 32) + 5}.json",
        "pack.json",
    ]


def test_a_folder_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="not empty; name a new folder"):
        write_pack(tmp_path, Order("stepfun-realtime", "plan", SETTINGS), both())
    assert files(tmp_path) == {"notes.txt": b"mine"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    write_pack(tmp_path, Order("stepfun-realtime", "plan", SETTINGS), both())
    assert pack_faults(tmp_path) == []


@pytest.mark.parametrize(
    ("licenses", "reason"),
    [
        (("CC-BY-ND-4.0",), "CC-BY-ND-4.0 allows no adaptation"),
        (("CC0-1.0", "CC-BY-NC-ND-4.0"), "CC-BY-NC-ND-4.0 allows no adaptation"),
        (("CC-BY-SA-4.0", "ODbL-1.0"), "CC-BY-SA-4.0 and ODbL-1.0 each claim the whole"),
        (("CC-BY-NC-4.0", "CC-BY-SA-4.0"), "CC-BY-SA-4.0 claims the whole, which CC-BY-NC-4.0 restricts"),
    ],
)
def test_licences_that_may_not_be_mixed_are_refused_with_a_way_out(
    licenses: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    chosen = [licensed(golden_persona(), license) for license in licenses]
    with pytest.raises(DataError, match=f"{reason}; narrow --where to one of them"):
        write_pack(tmp_path / "pack", Order("openai-realtime", "plan", SETTINGS), chosen)
    assert not (tmp_path / "pack" / "pack.json").exists()


def test_licences_that_may_be_mixed_go_along_with_their_authors_and_seeds(tmp_path: Path) -> None:
    orla, shen = (golden_persona(name) for name in ("orla-keane", "shen-anbang"))
    chosen = [licensed(orla, "CC0-1.0"), licensed(shen, "CC-BY-4.0"), licensed(orla, "CC-BY-SA-4.0")]
    chosen = [replace(p, row={**p.row, "persona_id": n}) for n, p in enumerate(chosen)]
    pack = write_pack(tmp_path, Order("stepfun-realtime", "plan", SETTINGS), chosen)
    assert [(o.license, o.authors, o.seeds) for o in pack.licenses] == [
        ("CC-BY-4.0", ("author of CC-BY-4.0",), ("shen-anbang",)),
        ("CC-BY-SA-4.0", ("author of CC-BY-SA-4.0",), ("orla-keane",)),
        ("CC0-1.0", ("author of CC0-1.0",), ("orla-keane",)),
    ]
    assert [packed.license for packed in pack.personas] == ["CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0"]


def test_the_seed_s_text_cannot_leave_the_folder(tmp_path: Path) -> None:
    hostile: Seed = golden_seeds()[0].model_copy(update={"name": "../../x", "life": "</speak>{{7*7}}"})
    write_pack(tmp_path / "pack", Order("stepfun-realtime", "plan", SETTINGS), [golden_persona(seed=hostile)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack"]
    assert pack_faults(tmp_path / "pack") == []


def changed(folder: Path) -> str:
    path = folder / "configs" / "orla-keane-5.json"
    path.write_bytes(path.read_bytes().replace(b"cable", b"cabal", 1))
    return "configs/orla-keane-5.json: its bytes have changed"


def missing(folder: Path) -> str:
    (folder / "configs" / "orla-keane-5.json").unlink()
    return "configs/orla-keane-5.json: missing"


def added(folder: Path) -> str:
    (folder / "configs" / "extra.json").write_text("{}", "utf-8")
    return "configs/extra.json: not in pack.json"


def hidden(folder: Path) -> str:
    (folder / ".DS_Store").write_bytes(b"\0")
    return ".DS_Store: not in pack.json"


@pytest.mark.parametrize("harm", [changed, missing, added, hidden])
def test_what_is_not_as_the_pack_says_is_found(folder: Path, harm: Callable[[Path], str]) -> None:
    wanted = harm(folder)
    (found,) = pack_faults(folder)
    assert found.startswith(wanted)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', "extra", "\\xff"])
def test_a_pack_json_that_cannot_be_read_is_no_pack(folder: Path, text: str) -> None:
    path = folder / "pack.json"
    if text == "extra":
        text = json.dumps(json.loads(path.read_text("utf-8")) | {"made_on": "2026-11-21"})
    path.write_bytes(b"\xff" if text == "\\xff" else text.encode())
    with pytest.raises(BrokenVersion, match=r"pack\.json: not a pack"):
        pack_faults(folder)


def test_a_folder_that_is_neither_matrix_nor_pack_is_said_to_be_neither(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a matrix version nor a pack"):
        pack_faults(tmp_path)
