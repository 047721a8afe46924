import ast
import asyncio
import builtins
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import SceneSettings
from pipeline.errors import BrokenVersion, DataError, UsageError
from pipeline.packs.facts import facts
from pipeline.packs.pack import Order, Pack, extract, pack_faults, read_pack, write_pack
from pipeline.packs.persona import Persona, personas
from pipeline.packs.targets import TARGETS
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
        exported = TARGETS[target].files(TARGETS[target].export(persona, TARGETS[target].models[0]))
        written = [(tmp_path / "new" / "pack" / file.path).read_bytes() for file in packed.files]
        assert written[: len(exported)] == list(exported.values())
        assert isinstance(json.loads(content), dict)
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


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_pack(tmp_path / "pack.zip", Order("stepfun-realtime", "plan-content", SETTINGS), both())
    return tmp_path / "pack.zip"


def test_a_zip_holds_what_the_folder_holds(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        held = {name: zipped.read(name) for name in zipped.namelist()}
    assert held == {f"pack/{name}": content for name, content in files(folder).items()}
    assert pack_faults(archive) == []
    assert read_pack(archive) == read_pack(folder)
    assert sorted(path.name for path in archive.parent.iterdir()) == ["pack", "pack.zip"]


def test_a_zip_s_bytes_depend_on_no_clock_and_no_compressor(archive: Path, tmp_path: Path) -> None:
    write_pack(tmp_path / "other" / "pack.zip", Order("stepfun-realtime", "plan-content", SETTINGS), both())
    assert archive.read_bytes() == (tmp_path / "other" / "pack.zip").read_bytes()
    with zipfile.ZipFile(archive) as zipped:
        assert {(info.date_time[0], info.compress_type) for info in zipped.infolist()} == {(1980, zipfile.ZIP_STORED)}


def test_a_zip_that_is_there_is_left_as_it_is(archive: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(UsageError, match=r"in use and not empty; name a new folder or \.zip file"):
        write_pack(archive, Order("stepfun-realtime", "another-plan", SETTINGS), both())
    assert archive.read_bytes() == before


def test_a_changed_zip_is_found(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("pack/configs/extra.json", "{}")
    assert pack_faults(archive) == ["configs/extra.json: not in pack.json"]


@pytest.mark.parametrize("kind", ["configs/orla", "during/orla", "facts/orla", "README", "ATTRIBUTION"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_changed_byte_is_found_in_every_kind_of_file(kind: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / ("pack.zip" if zipped else "pack")
    write_pack(path, Order("stepfun-realtime", "plan", SETTINGS, facts=True), both())
    if zipped:
        with zipfile.ZipFile(path) as archive:
            held = next(info for info in archive.infolist() if kind in info.filename)
        changed_file, name = path, held.filename.removeprefix("pack/")
        place = held.header_offset + 30 + len(held.filename.encode()) + held.file_size // 2
    else:
        changed_file = next(file for file in path.rglob("*") if kind in file.as_posix())
        name, place = changed_file.relative_to(path).as_posix(), changed_file.stat().st_size // 2
    content = bytearray(changed_file.read_bytes())
    content[place] ^= 1
    changed_file.write_bytes(content)
    assert pack_faults(path) == [f"{name}: its bytes have changed (SHA-256 differs)"]


@pytest.mark.parametrize(
    ("old", "new"), [("CC-BY-4.0", "CC-BY-4.1"), ('"checked": true', '"checked": false'), ("}", "} ")]
)
def test_what_a_pack_json_says_cannot_change_unseen(folder: Path, old: str, new: str) -> None:
    path = folder / "pack.json"
    text = path.read_text("utf-8")
    path.write_text(new.join(text.rsplit(old, 1)), "utf-8")
    assert pack_faults(folder) == ["pack.json: its bytes have changed (SHA-256 differs)"]


def test_a_damaged_zip_is_not_extracted(archive: Path, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[content.index(b'"instructions"') + 40] ^= 1
    archive.write_bytes(content)
    with pytest.raises(BrokenVersion, match=r"pack\.zip: .*orla-keane-5\.json.*`personas verify` names"):
        extract(archive, tmp_path / "extracted")


def test_a_damaged_zip_is_faults_or_a_broken_version_wherever_the_damage_is(archive: Path) -> None:
    whole = archive.read_bytes()
    found = 0
    for place in range(0, len(whole), len(whole) // 300):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found += bool(pack_faults(archive))
        except (BrokenVersion, UsageError):
            found += 1
    # What is not found is in the names and dates that an archive has of its own, some 5 % of this one.
    assert found > 270


def test_a_zip_that_hides_a_file_behind_another_is_no_pack(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("other/pack.json", "{}")
    with pytest.raises(BrokenVersion, match="a pack is one folder"):
        pack_faults(archive)


@pytest.mark.parametrize(
    ("name", "told"), [("other.zip", "nor a zip file, or one cut short"), ("no.zip", "zip file; name")]
)
def test_what_is_no_pack_is_said_plainly(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "other.zip").write_text("not a zip", "utf-8")
    with pytest.raises(UsageError, match=told):
        pack_faults(tmp_path / name)


def test_a_zip_without_pack_json_is_no_pack(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as zipped:
        zipped.writestr("notes/readme.txt", "mine")
    with pytest.raises(UsageError, match="neither a matrix version nor a pack"):
        pack_faults(tmp_path / "other.zip")


def test_facts_go_along_when_asked_for(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, Order("stepfun-realtime", "plan", SETTINGS, facts=True), both())
    for persona, packed in zip(both(), pack.personas, strict=True):
        (name,) = [file.path for file in packed.files if file.path.startswith("facts/")]
        assert json.loads((tmp_path / name).read_text("utf-8")) == facts(persona)
    assert pack_faults(tmp_path) == []
    assert "`facts/`" in (tmp_path / "README.md").read_text("utf-8")


@pytest.mark.parametrize("target", sorted(name for name, target in TARGETS.items() if target.anchor is not None))
def test_what_is_sent_in_mid_session_carries_the_anchor(target: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path, Order(target, "plan", SETTINGS), both())
    for persona, packed in zip(both(), pack.personas, strict=True):
        (name,) = [file.path for file in packed.files if file.path.startswith("during/")]
        during = json.loads((tmp_path / name).read_text("utf-8"))
        assert during["anchor_text"] == persona.anchor
        assert any(persona.anchor in text for text in strings(during["anchor"]))


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def test_what_was_left_out_is_said_of_each_persona(tmp_path: Path) -> None:
    book = " ".join(f"Sentence {number} is about rope." for number in range(9_000))
    wordy = golden_seeds()[0].model_copy(update={"who": None, "text": book})
    chosen = personas(golden_rows(), golden_plan(), [wordy, golden_seeds()[1]], SETTINGS)
    pack = write_pack(tmp_path, Order("openai-realtime", "plan", SETTINGS), chosen)
    first, second = pack.personas
    assert any(part.startswith("who: the last") for part in first.left_out)
    assert second.left_out == ()
    assert pack.limit is not None
    assert pack.limit.startswith("16,384 tokens")


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_model_the_target_does_not_know_is_refused_by_name(target: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--model parrot-1: {target} knows"):
        write_pack(tmp_path / "pack", Order(target, "plan", SETTINGS, model="parrot-1"), both())
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_notices_say_how_to_use_it_and_whose_it_is(target: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path, Order(target, "plan", SETTINGS), both())
    usage, owners = ((tmp_path / name).read_text("utf-8") for name in ("README.md", "ATTRIBUTION.md"))
    imports, client = usage.split("```python\n")[1].split("```")[0].strip().split("\n\n")
    assert 1 <= len(client.splitlines()) <= 3
    exec(imports, {})
    compile(client, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    named = [file.path for file in (*pack.personas[0].files, *pack.files)]
    assert any(name in usage for name in named)
    assert all(text in usage for text in pack.not_expressed)
    assert "## CC-BY-4.0\n\nhttps://spdx.org/licenses/CC-BY-4.0.html\n" in owners
    assert "orla-keane, shen-anbang" in owners
    assert ("`reading`" in usage) == (TARGETS[target].reading is not None)
    assert "{" not in usage.replace(usage.split("```")[1], "")


class Anything:
    """Stands for all that a vendor's client has, and keeps what it is called with."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def __getattr__(self, name: str) -> "Anything":
        return self

    def __call__(self, *arguments: Any, **named: Any) -> "Anything":
        self.given += [*arguments, *named.values()]
        return self

    def __await__(self) -> Iterator[None]:
        return iter(())

    async def __aenter__(self) -> "Anything":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # three lines have no room to close a file
@pytest.mark.parametrize("greets", [True, False])
@pytest.mark.parametrize("target", sorted(name for name, target in TARGETS.items() if '["greeting"]' in target.client))
def test_the_lines_of_a_readme_run_whether_or_not_the_persona_speaks_first(
    target: str, greets: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = golden_seeds()[0] if greets else golden_seeds()[0].model_copy(update={"greeting": None})
    write_pack(tmp_path, Order(target, "plan", SETTINGS), [golden_persona(seed=seed)])
    imports, client = (tmp_path / "README.md").read_text("utf-8").split("```python\n")[1].split("```")[0].split("\n\n")
    code = compile(client, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    vendor = Anything()
    for name in re.findall(r'environ\["(\w+)"\]', client):
        monkeypatch.setenv(name, "key")
    monkeypatch.chdir(tmp_path)
    ran = eval(code, dict.fromkeys(code.co_names, vendor) | vars(builtins) | {"json": json, "os": os})
    asyncio.run(ran)
    assert None not in vendor.given
    told = [json.dumps(given) for given in vendor.given if not isinstance(given, Anything)]
    greeting = [one for one in told if "Ferry. Wind" in one and "You are Orla Keane" not in one]
    assert len(greeting) == greets


@pytest.mark.parametrize("target", sorted({*TARGETS} - {"open-webui", "prompts-csv", "covo-audio"}))
def test_the_first_words_say_that_it_is_an_ai_where_the_app_wants_it(target: str) -> None:
    exporter = TARGETS[target]
    for disclosure in ("on_ask", "at_open", "at_open_and_every"):
        settings = SceneSettings.model_validate({"disclosure": disclosure})
        for persona in personas(golden_rows(), golden_plan(), golden_seeds(), settings):
            event = exporter.greeting(persona) if exporter.greeting is not None else None
            said = strings([exporter.export(persona, exporter.models[0]), event])
            assert persona.greeting is not None
            assert ("AI" in persona.greeting) == (disclosure != "on_ask")
            assert any(persona.greeting in text for text in said)
