import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.errors import BrokenVersion, UsageError
from pipeline.matrix import Expansion, PersonaMatrix
from pipeline.plan import Plan
from pipeline.plan_file import plan_json
from pipeline.store import (
    Manifest,
    Version,
    build_shard,
    current_version,
    file_faults,
    file_sha256,
    find_version,
    finished_shard,
    open_version,
    point_current,
    publish,
    scan_matrix,
    seal,
    shard_ranges,
    write_text,
    write_whole,
)
from tests.small_versions import SHARD_ROWS, built, copied, seeds_file, stored

ROWS = 140_000  # two shards


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def version(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Version:
    return stored(tmp_path_factory.mktemp("store"), plan, ROWS)


@pytest.fixture
def copy(version: Version, tmp_path: Path) -> Version:
    return copied(version, tmp_path)


@pytest.fixture(scope="module")
def finished(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("finished"), plan, ROWS, SHARD_ROWS)


@pytest.fixture
def building(finished: Path, tmp_path: Path) -> Path:
    """A build that was interrupted after its last shard."""
    return shutil.copytree(finished, tmp_path / "matrix" / finished.name)


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


def test_a_manifest_reads_back_as_it_was_written(version: Version) -> None:
    text = (version.folder / "manifest.json").read_text("utf-8")
    assert Manifest.model_validate_json(text) == version.manifest
    assert json.dumps(version.manifest.model_dump(mode="json"), indent=2) + "\n" == text


def test_a_manifest_tells_what_the_version_is_made_of(version: Version, plan: Plan) -> None:
    manifest = version.manifest
    assert (manifest.plan, manifest.rows, manifest.base_rows, manifest.seeds, manifest.shard_rows) == (
        plan.id, ROWS, plan.base_rows, len(plan.seeds), SHARD_ROWS
    )  # fmt: skip
    assert manifest.polars == pl.__version__
    assert [(file.path, file.rows) for file in manifest.files] == [
        ("plan.json", None),
        ("seeds.jsonl", None),
        ("shards/00000.parquet", SHARD_ROWS),
        ("shards/00001.parquet", ROWS - SHARD_ROWS),
    ]
    for file in manifest.files:
        content = (version.folder / file.path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
    assert names(version.folder) == {file.path for file in manifest.files} | {"manifest.json"}
    assert version.folder.name == f"{plan.id}-{manifest.content[:12]}"
    assert version.plan().id == plan.id


def test_a_version_holds_the_rows_of_its_plan_in_order_of_id(version: Version, plan: Plan) -> None:
    rows = version.scan().collect()
    assert_frame_equal(rows, Expansion(plan, ROWS).frame(0, ROWS))
    assert rows["persona_id"].is_sorted()
    assert_frame_equal(pl.concat(version.shards()), rows)
    PersonaMatrix.validate(rows)


def test_shard_size_and_order_of_building_change_no_row(plan: Plan, tmp_path: Path) -> None:
    small = stored(tmp_path / "small", plan, 400_000, 131_072)
    again = stored(tmp_path / "again", plan, 400_000, 131_072, order=lambda numbers: numbers[::-1])
    large = stored(tmp_path / "large", plan, 400_000, 393_216)
    assert [file.rows for file in small.manifest.files] == [None, None, 131_072, 131_072, 131_072, 6_784]
    assert [file.rows for file in large.manifest.files] == [None, None, 393_216, 6_784]
    assert large.manifest.content == small.manifest.content
    assert_frame_equal(large.scan().collect(), small.scan().collect())
    assert again.manifest == small.manifest
    for file in small.manifest.files:
        assert (again.folder / file.path).read_bytes() == (small.folder / file.path).read_bytes()


def test_another_number_of_rows_is_another_content(version: Version, plan: Plan, tmp_path: Path) -> None:
    fewer = stored(tmp_path, plan, ROWS - 1)
    assert fewer.manifest.content != version.manifest.content


@pytest.mark.parametrize(
    ("rows", "shard_rows", "ranges"),
    [
        (1, 131_072, [(0, 1)]),
        (131_072, 131_072, [(0, 131_072)]),
        (131_073, 131_072, [(0, 131_072), (131_072, 131_073)]),
    ],
)
def test_shards_lie_end_to_end(rows: int, shard_rows: int, ranges: list[tuple[int, int]]) -> None:
    assert shard_ranges(rows, shard_rows) == ranges


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("part", "harm"),
    [
        ("shards/00001.parquet", flip_a_byte),
        ("shards/00001.parquet", cut_off),
        ("shards/00001.parquet", Path.unlink),
        ("notes/00001.json", Path.unlink),
    ],
)
def test_a_finished_shard_that_was_harmed_is_built_again(
    plan: Plan, building: Path, part: str, harm: Callable[[Path], None]
) -> None:
    was = file_sha256(building / "shards" / "00001.parquet")
    harm(building / part)
    assert finished_shard(building, 1) is None
    shard = build_shard(Expansion(plan, ROWS), building, 1, *shard_ranges(ROWS, SHARD_ROWS)[1])
    assert shard.file.sha256 == file_sha256(building / "shards" / "00001.parquet") == was
    assert finished_shard(building, 1) == shard


def test_a_finished_shard_is_kept(plan: Plan, building: Path) -> None:
    path = building / "shards" / "00001.parquet"
    before = path.stat()
    shard = build_shard(Expansion(plan, ROWS), building, 1, *shard_ranges(ROWS, SHARD_ROWS)[1])
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert shard == finished_shard(building, 1)


def test_a_version_with_an_unfinished_shard_is_not_committed(plan: Plan, building: Path, tmp_path: Path) -> None:
    flip_a_byte(building / "shards" / "00000.parquet")
    with pytest.raises(BrokenVersion, match=r"shards \[0\] are not finished; run the build again"):
        publish(tmp_path, seal(building, plan, seeds_file(tmp_path), ROWS, SHARD_ROWS))
    assert [path.name for path in (tmp_path / "matrix").iterdir()] == [building.name]


@pytest.mark.parametrize(
    "stray",
    [
        "shards/.00001.parquet.4194305.tmp",
        "notes/.00001.json.4194305.tmp",
        ".plan.json.4194305.tmp",
        ".manifest.json.4194305.tmp",
    ],
)
def test_what_a_killed_worker_left_half_written_gets_into_no_version(
    plan: Plan, building: Path, version: Version, tmp_path: Path, stray: str
) -> None:
    (building / stray).write_bytes(b"PAR1 half")
    rebuilt = publish(tmp_path, seal(building, plan, seeds_file(tmp_path), ROWS, SHARD_ROWS))
    assert file_faults(rebuilt) == []
    assert names(rebuilt.folder) == names(version.folder)
    assert {path.name for path in (tmp_path / "matrix").iterdir()} == {version.folder.name, "CURRENT"}


def test_a_commit_that_was_interrupted_before_its_last_step_is_gone_on_with(
    plan: Plan, building: Path, version: Version, tmp_path: Path
) -> None:
    shutil.copy(version.folder / "manifest.json", building / "manifest.json")
    assert find_version(tmp_path, plan.id, ROWS) is None
    committed = publish(tmp_path, seal(building, plan, seeds_file(tmp_path), ROWS, SHARD_ROWS))
    assert committed.manifest == version.manifest
    assert {path.name for path in (tmp_path / "matrix").iterdir()} == {version.folder.name, "CURRENT"}


def test_a_version_that_stands_is_not_replaced(plan: Plan, building: Path, copy: Version, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.folder.rglob("*")}
    committed = publish(tmp_path, seal(building, plan, seeds_file(tmp_path), ROWS, SHARD_ROWS))
    assert committed.folder == copy.folder
    assert {path: path.stat().st_mtime_ns for path in copy.folder.rglob("*")} == before
    assert not building.exists()


def test_a_folder_without_a_manifest_is_no_version(copy: Version, tmp_path: Path) -> None:
    (copy.folder / "manifest.json").unlink()
    with pytest.raises(BrokenVersion, match=r"no manifest, so not a whole version; build again"):
        open_version(copy.folder)
    assert find_version(tmp_path, copy.manifest.plan, ROWS) is None
    with pytest.raises(UsageError, match="no matrix has been built here"):
        scan_matrix(copy.folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 1}',
        pytest.param("plus one key", id="an unknown key"),
        pytest.param("short hash", id="no SHA-256"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_said_to_be_none(copy: Version, text: str) -> None:
    document = copy.manifest.model_dump(mode="json")
    if text == "plus one key":
        text = json.dumps(document | {"built_at": "2026-11-21"})
    elif text == "short hash":
        document["files"][0]["sha256"] = "abc"
        text = json.dumps(document)
    (copy.folder / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(BrokenVersion, match="manifest.json: not a manifest"):
        open_version(copy.folder)


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS, ROWS + 1])
def test_a_version_is_found_by_its_plan_and_rows(copy: Version, tmp_path: Path, rows: int) -> None:
    found = find_version(tmp_path, copy.manifest.plan, rows)
    assert (found == copy) == (rows == ROWS)
    assert find_version(tmp_path, "0" * 12, ROWS) is None


def test_a_version_of_another_shard_size_is_found_since_it_is_what_would_be_committed(
    copy: Version, plan: Plan, tmp_path: Path
) -> None:
    building = built(tmp_path, plan, ROWS, 3 * SHARD_ROWS)
    committed = publish(tmp_path, seal(building, plan, seeds_file(tmp_path), ROWS, 3 * SHARD_ROWS))
    assert committed == copy
    assert find_version(tmp_path, plan.id, ROWS) == copy


def test_a_reader_of_current_sees_the_old_name_or_the_new_one(tmp_path: Path) -> None:
    point_current(tmp_path, "old")
    with (tmp_path / "matrix" / "CURRENT").open() as reader:
        point_current(tmp_path, "a-longer-new-name")
        assert reader.read() == "old\n"
    assert [path.name for path in (tmp_path / "matrix").iterdir()] == ["CURRENT"]
    assert (tmp_path / "matrix" / "CURRENT").read_text("utf-8") == "a-longer-new-name\n"


def test_current_is_the_version_that_was_committed_last(version: Version, plan: Plan, tmp_path: Path) -> None:
    first = stored(tmp_path, plan, 2_000)
    assert current_version(tmp_path) == first
    second = stored(tmp_path, plan, 1_000)
    assert current_version(tmp_path) == second
    assert scan_matrix(tmp_path).select(pl.len()).collect().item() == 1_000
    assert scan_matrix(first.folder).select(pl.len()).collect().item() == 2_000


def test_current_may_not_name_what_is_gone(copy: Version, tmp_path: Path) -> None:
    point_current(tmp_path, copy.manifest.name)
    shutil.rmtree(copy.folder)
    with pytest.raises(BrokenVersion, match="no manifest"):
        current_version(tmp_path)


def test_where_nothing_was_built_the_message_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run `personas build`"):
        scan_matrix(tmp_path)


def test_all_faults_of_a_version_are_listed(copy: Version) -> None:
    cut_off(copy.folder / "shards" / "00000.parquet")
    (copy.folder / "shards" / "00001.parquet").rename(copy.folder / "shards" / "00002.parquet")
    (copy.folder / "plan.json").unlink()
    flip_a_byte(copy.folder / "seeds.jsonl")
    size = copy.manifest.files[2].bytes
    assert file_faults(copy) == [
        "plan.json: missing",
        "seeds.jsonl: its bytes have changed (SHA-256 differs)",
        f"shards/00000.parquet: {size - 1:,} bytes, not {size:,}",
        "shards/00001.parquet: missing",
        "shards/00002.parquet: not in the manifest",
    ]


def test_a_version_brings_its_own_plan(version: Version, plan: Plan) -> None:
    assert (version.folder / "plan.json").read_text("utf-8") == plan_json(plan)
