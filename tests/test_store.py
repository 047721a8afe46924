import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.conversations import Sample
from pipeline.errors import BrokenVersion, UsageError
from pipeline.files import file_sha256
from pipeline.matrix import Expansion
from pipeline.persona_matrix import PersonaMatrix
from pipeline.plan import Plan
from pipeline.plan_file import plan_json
from pipeline.seeds import Seed
from pipeline.store import (
    Manifest,
    Source,
    Version,
    attach_pairings,
    build_shard,
    current_version,
    file_faults,
    find_versions,
    finished_shard,
    linked_copy,
    open_version,
    point_current,
    publish,
    scan_matrix,
    scan_pairings,
    seal,
    shard_ranges,
    sources_json,
    with_file,
    without_file,
)
from tests.small_versions import SHARD_ROWS, built, copied, samples_table_of, seeds_file, stored

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
        ("sources.json", None),
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
    assert [file.rows for file in small.manifest.files if file.rows] == [131_072, 131_072, 131_072, 6_784]
    assert [file.rows for file in large.manifest.files if file.rows] == [393_216, 6_784]
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
    assert find_versions(tmp_path, plan.id, ROWS) == []
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
    assert find_versions(tmp_path, copy.manifest.plan, ROWS) == []
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
    assert find_versions(tmp_path, copy.manifest.plan, rows) == ([copy] if rows == ROWS else [])
    assert find_versions(tmp_path, "0" * 12, ROWS) == []


def test_a_version_of_another_shard_size_is_found_since_it_is_what_would_be_committed(
    copy: Version, plan: Plan, tmp_path: Path
) -> None:
    building = built(tmp_path, plan, ROWS, 3 * SHARD_ROWS)
    committed = publish(tmp_path, seal(building, plan, seeds_file(tmp_path), ROWS, 3 * SHARD_ROWS))
    assert committed == copy
    assert find_versions(tmp_path, plan.id, ROWS) == [copy]


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
    size = next(file.bytes for file in copy.manifest.files if file.path == "shards/00000.parquet")
    assert file_faults(copy) == [
        "plan.json: missing",
        "seeds.jsonl: its bytes have changed (SHA-256 differs)",
        f"shards/00000.parquet: {size - 1:,} bytes, not {size:,}",
        "shards/00001.parquet: missing",
        "shards/00002.parquet: not in the manifest",
    ]


def test_a_version_brings_its_own_plan(version: Version, plan: Plan) -> None:
    assert (version.folder / "plan.json").read_text("utf-8") == plan_json(plan)


@pytest.fixture(scope="module")
def paired(
    plan: Plan, seeds: list[Seed], shipped_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> Version:
    return stored(tmp_path_factory.mktemp("paired"), plan, ROWS, samples=shipped_samples, seeds=seeds)


def files_of(version: Version) -> dict[str, tuple[bytes, int]]:
    return {name: ((version.folder / name).read_bytes(), os.stat(version.folder / name).st_ino)
            for name in names(version.folder)}  # fmt: skip


def test_a_paired_version_holds_each_persona_once_with_a_sample_or_a_reason(
    paired: Version, version: Version, shipped_samples: list[Sample]
) -> None:
    manifest = paired.manifest
    assert (manifest.samples, manifest.rows) == (len(shipped_samples), ROWS)
    assert manifest.rows_content == version.manifest.content != manifest.content
    files = {file.path: file.rows for file in manifest.files}
    assert [name for name in files if name.endswith(".parquet")] == [
        "shards/00000.parquet", "shards/00001.parquet", "samples.parquet",
        "pairings/00000.parquet", "unmatched/00000.parquet", "pairings/00001.parquet", "unmatched/00001.parquet",
    ]  # fmt: skip
    assert names(paired.folder) == {*files, "manifest.json"}
    parts = list(paired.paired())
    for number, part in enumerate(parts):
        assert [frame.height for frame in part] == [files[f"{name}/0000{number}.parquet"] for name in part._fields]
    assert sum(part.pairings.height for part in parts) == manifest.paired == scan_pairings(paired.folder).select(
        pl.len()).collect().item()  # fmt: skip
    ids = pl.concat([frame["persona_id"] for part in parts for frame in part]).sort()
    assert ids.equals(paired.scan().collect()["persona_id"])
    assert 0 < manifest.paired < ROWS


def test_a_version_brings_its_seeds_and_samples_as_they_were(
    paired: Version, seeds: list[Seed], shipped_samples: list[Sample]
) -> None:
    assert paired.seeds() == seeds
    stored_samples = paired.samples()
    records = [Sample.model_validate_json(record) for record in stored_samples["record"]]
    assert records == sorted(shipped_samples, key=lambda sample: sample.id)
    uses = dict(scan_pairings(paired.folder).group_by("sample_id").len().collect().iter_rows())
    assert dict(stored_samples.select("id", "uses").iter_rows()) == {s.id: uses.get(s.id, 0) for s in records}
    text = "".join(record + "\n" for record in stored_samples["record"])
    assert hashlib.sha256(text.encode()).hexdigest() == paired.manifest.samples_content


def test_shard_size_and_the_order_of_samples_change_no_pairing(
    paired: Version, plan: Plan, seeds: list[Seed], shipped_samples: list[Sample], tmp_path: Path
) -> None:
    large = stored(tmp_path, plan, ROWS, 3 * SHARD_ROWS, samples=shipped_samples[::-1], seeds=seeds)
    assert large.manifest.name == paired.manifest.name
    assert_frame_equal(large.scan_pairings().collect(), paired.scan_pairings().collect())
    assert_frame_equal(large.samples(), paired.samples())


def test_another_word_in_a_sample_is_another_version(
    paired: Version, seeds: list[Seed], shipped_samples: list[Sample], tmp_path: Path
) -> None:
    first, *others = shipped_samples
    turn = first.turns[0].model_copy(update={"text": "Other words."})
    changed = first.model_copy(update={"turns": (turn, *first.turns[1:])})
    bare = linked_copy(paired, tmp_path / "matrix" / "bare")
    again = attach_pairings(bare, samples_table_of([changed, *others], bare.plan(), seeds))
    assert again.manifest.paired == paired.manifest.paired
    assert again.manifest.name != paired.manifest.name


def test_a_copy_to_be_paired_anew_shares_the_rows_and_harms_nothing(
    paired: Version, version: Version, seeds: list[Seed], tmp_path: Path
) -> None:
    original = copied(paired, tmp_path)
    told = Source(kind="samples", file="talks.jsonl", records=1, sha256="0" * 64)
    original = with_file(with_file(original, "sources.json", sources_json([told])), "report.html", "old")
    before = files_of(original)
    bare = linked_copy(original, tmp_path / "matrix" / ".other")
    assert names(bare.folder) == names(version.folder)
    assert bare.manifest.model_dump(exclude={"files"}) == version.manifest.model_dump(exclude={"files"})
    assert file_faults(bare) == []
    assert bare.sources() == ()
    for shard in ("shards/00000.parquet", "shards/00001.parquet"):
        assert (bare.folder / shard).samefile(original.folder / shard)
    attach_pairings(with_file(bare, "report.html", "new"), original.samples().drop("uses"))
    assert files_of(original) == before


def test_where_a_disk_has_no_links_a_copy_has_bytes_of_its_own(
    paired: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("links are not supported here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    bare = linked_copy(paired, tmp_path / "bare")
    assert file_faults(bare) == []
    assert not (bare.folder / "shards" / "00000.parquet").samefile(paired.folder / "shards" / "00000.parquet")


def test_versions_with_and_without_pairings_are_found_side_by_side(
    plan: Plan, seeds: list[Seed], shipped_samples: list[Sample], tmp_path: Path
) -> None:
    made = [stored(tmp_path, plan, 500), *(stored(tmp_path, plan, 500, samples=some, seeds=seeds)
            for some in (shipped_samples, shipped_samples[1:]))]  # fmt: skip
    found = find_versions(tmp_path, plan.id, 500)
    assert sorted(version.manifest.name for version in found) == sorted(version.manifest.name for version in made)
    assert len({version.manifest.name for version in found}) == 3
    assert current_version(tmp_path) == made[-1]
    assert scan_pairings(tmp_path).select(pl.len()).collect().item() == made[-1].manifest.paired


def test_a_version_without_pairings_says_how_to_come_by_them(version: Version) -> None:
    with pytest.raises(UsageError, match="holds no pairings; run `personas pair` with the samples"):
        scan_pairings(version.folder)


@pytest.mark.parametrize(
    "stray", ["report.html", "samples.parquet", "pairings/00000.parquet", "unmatched/00007.parquet"]
)
def test_a_build_that_was_killed_after_pairing_began_is_gone_on_with(
    plan: Plan, building: Path, version: Version, tmp_path: Path, stray: str
) -> None:
    (building / stray).parent.mkdir(exist_ok=True)
    (building / stray).write_bytes(b"of other samples")
    rebuilt = publish(tmp_path, seal(building, plan, seeds_file(tmp_path), ROWS, SHARD_ROWS))
    assert file_faults(rebuilt) == []
    assert rebuilt.manifest == version.manifest


def test_a_file_is_added_replaced_and_taken_away_with_its_place_in_the_manifest(copy: Version) -> None:
    once = with_file(copy, "report.html", "one\n")
    twice = with_file(once, "report.html", "two\n")
    assert [file.path for file in once.manifest.files] == [file.path for file in twice.manifest.files]
    assert once.manifest.files[1:] == twice.manifest.files[1:] == copy.manifest.files
    assert (twice.folder / "report.html").read_text("utf-8") == "two\n"
    assert file_faults(twice) == []
    assert without_file(twice, "report.html") == without_file(copy, "report.html") == copy
    assert file_faults(copy) == []
