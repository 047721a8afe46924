import json
import shutil
from pathlib import Path

import pytest

from pipeline.build import (
    accept_inputs,
    accept_samples,
    accepted_inputs,
    accepted_sources,
    check_inputs,
    hold_against,
    obtain_plan,
    pair_current,
    pair_version,
    peak_rss_mb,
)
from pipeline.config import PlanConfig, RunConfig
from pipeline.conversations import Sample, canonical_sample
from pipeline.documents import canonical_json
from pipeline.errors import BrokenVersion, InvalidRecords, PlanRefused, UsageError
from pipeline.files import file_sha256
from pipeline.plan import PLAN_VERSION, Plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.quality import verify
from pipeline.seeds import Seed
from pipeline.store import Source, current_version, linked_copy
from tests.conftest import ROOT
from tests.golden_content import GOLDEN, golden_samples, golden_version
from tests.small_samples import sample

AXES = ROOT / "seeds" / "axes"
PACES = ("slower", "usual", "quicker")


def record(seed: Seed, **changes: object) -> str:
    return canonical_json(seed.model_dump(mode="json", by_alias=True) | changes)


def write_lines(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return path


def states(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def accepted(seeds: list[Seed], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path]:
    """A run, and the folder of what it accepted."""
    out = tmp_path_factory.mktemp("build")
    path = write_lines(out / "seeds" / "all.jsonl", *(record(seed) for seed in seeds))
    config = RunConfig(seeds=(path,), rows=20_000, out=out / "data", plan=PlanConfig(base_rows=5_000))
    return config, accept_inputs(config)


@pytest.fixture
def run(accepted: tuple[RunConfig, Path], tmp_path: Path) -> RunConfig:
    """The same run in a folder of its own, where its inputs were accepted before."""
    config, _ = accepted
    shutil.copytree(config.out.parent, tmp_path, dirs_exist_ok=True)
    return config.model_copy(update={"seeds": (tmp_path / "seeds" / "all.jsonl",), "out": tmp_path / "data"})


def test_what_was_accepted_reads_back_as_it_was(accepted: tuple[RunConfig, Path], seeds: list[Seed]) -> None:
    config, folder = accepted
    inputs = accepted_inputs(folder)
    assert list(inputs.seeds) == seeds
    assert inputs == check_inputs(config.seed_paths, config.axes_path)[0]


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "😀", "\u202e"])
def test_a_text_with_an_odd_character_reads_back_as_it_was(
    accepted: tuple[RunConfig, Path], tmp_path: Path, seeds: list[Seed], odd: str
) -> None:
    _, folder = accepted
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    written = [seeds[0].model_copy(update={"greeting": f"Hello{odd}there."}), seeds[1]]
    write_lines(tmp_path / "seeds.jsonl", *(record(seed) for seed in written))
    assert list(accepted_inputs(tmp_path).seeds) == written


def test_files_that_were_accepted_are_not_checked_again(run: RunConfig) -> None:
    folder = accept_inputs(run)
    before = states(folder)
    assert accept_inputs(run) == folder
    assert states(folder) == before


def test_an_acceptance_that_was_interrupted_is_done_again(run: RunConfig) -> None:
    folder = accept_inputs(run)
    whole = {name: (folder / name).read_bytes() for name in ("axes.json", "seeds.jsonl")}
    (folder / "axes.json").unlink()
    (folder / "seeds.jsonl").write_text("{", "utf-8")
    assert accept_inputs(run) == folder
    assert {name: (folder / name).read_bytes() for name in whole} == whole


def test_a_changed_seed_file_is_another_input(run: RunConfig, seeds: list[Seed]) -> None:
    before = accept_inputs(run)
    write_lines(run.seeds[0], *(record(seed, weight=2.0 if seed == seeds[0] else 1.0) for seed in seeds))
    after = accept_inputs(run)
    assert after != before
    assert [seed.weight for seed in accepted_inputs(after).seeds] == [2.0] + [1.0] * (len(seeds) - 1)
    assert [seed.weight for seed in accepted_inputs(before).seeds] == [1.0] * len(seeds)


def test_the_same_files_at_another_place_are_the_same_input(run: RunConfig) -> None:
    folder = accept_inputs(run)
    before = states(folder)
    moved = run.model_copy(update={"seeds": (run.seeds[0].rename(run.out.parent / "moved.jsonl"),)})
    assert accept_inputs(moved) == folder
    assert states(folder) == before


def test_all_faults_of_all_files_are_listed_and_nothing_is_accepted(tmp_path: Path, seeds: list[Seed]) -> None:
    axes = shutil.copytree(AXES, tmp_path / "axes")
    (axes / "rules-more.yaml").write_text(
        '- {hard: [{tone: no-such-tone}, {pace: slower}], reason: "x"}\n'
        '- {affinity: 0.5, pair: [{user_state: tired}, {pace: slower}], reason: "x"}\n',
        "utf-8",
    )
    first = write_lines(
        tmp_path / "seeds" / "a.jsonl",
        record(seeds[0]),
        "not JSON",
        record(seeds[1], age=-1, lang="fr"),
        record(seeds[2]),
    )
    second = write_lines(
        tmp_path / "seeds" / "b.jsonl",
        record(seeds[0]),
        record(seeds[3], bridges={"no-such-domain": "They come to you."}),
        record(seeds[4], greeting=None),
    )
    config = RunConfig(seeds=(tmp_path / "seeds",), axes=axes, out=tmp_path / "data")
    with pytest.raises(InvalidRecords) as caught:
        accept_inputs(config)
    found = {(Path(fault.file).name, fault.line, fault.field) for fault in caught.value.faults}
    assert found == {
        ("rules-more.yaml", 1, "[0].hard[0].tone"),
        ("rules-more.yaml", 2, "[1].pair"),
        (first.name, 2, ""),
        (first.name, 3, "age"),
        (first.name, 3, "lang"),
        (second.name, 1, "id"),
        (second.name, 2, "bridges"),
        (second.name, 3, "greeting"),
    }
    assert len(caught.value.faults) == len(found)
    assert str(caught.value).startswith("8 faults in the data\n")
    assert "there is no 'no-such-domain'. Known: automotive" in str(caught.value)
    assert not config.out.exists()


def test_a_level_that_the_rules_leave_no_persona_is_a_fault(run: RunConfig, tmp_path: Path) -> None:
    axes = shutil.copytree(AXES, tmp_path / "axes")
    rule = '- {{hard: [{{tone: deadpan}}, {{pace: {}}}], reason: "deadpan has no pace"}}\n'
    (axes / "rules-more.yaml").write_text("".join(rule.format(pace) for pace in PACES), "utf-8")
    inputs, faults = check_inputs(run.seed_paths, axes)
    assert inputs is None
    assert [(fault.file, fault.field, fault.problem.split(":")[0]) for fault in faults] == [
        (str(axes), "tone", "no persona can have 'deadpan'")
    ]
    assert "deadpan has no pace" in faults[0].problem


def test_paths_that_lead_nowhere_are_wrong_usage(run: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere: no such file or folder; check the path"):
        accept_inputs(run.model_copy(update={"seeds": (tmp_path / "nowhere",)}))


def test_a_plan_is_made_once(run: RunConfig, seeds: list[Seed]) -> None:
    folder = accept_inputs(run)
    path = obtain_plan(run, folder)
    assert path == run.out / "plans" / f"{folder.name}-5000-v{PLAN_VERSION}.json"
    plan, before = read_plan(path), states(path.parent)
    assert (plan.base_rows, [seed.id for seed in plan.seeds]) == (5_000, [seed.id for seed in seeds])
    assert obtain_plan(run, folder) == path
    assert states(path.parent) == before


def test_a_matrix_below_base_rows_has_a_plan_of_its_own(run: RunConfig) -> None:
    folder = accept_inputs(run)
    small = run.model_copy(update={"rows": 1_000})
    assert read_plan(obtain_plan(small, folder)).base_rows == 1_000
    assert obtain_plan(small, folder) != obtain_plan(run, folder)


@pytest.fixture
def frozen(plan: Plan, tmp_path: Path) -> Path:
    path = tmp_path / "frozen.json"
    path.write_text(plan_json(plan), "utf-8")
    return path


def test_a_frozen_plan_is_used_as_it_is(run: RunConfig, frozen: Path) -> None:
    config = run.model_copy(update={"plan": PlanConfig(file=frozen)})
    assert obtain_plan(config, accept_inputs(config)) == frozen
    assert not (run.out / "plans").exists()


def test_a_frozen_plan_is_refused_where_its_seeds_have_changed(run: RunConfig, frozen: Path, seeds: list[Seed]) -> None:
    lines = [record(seeds[0], wants="You want none of it any more."), *(record(seed) for seed in seeds[2:])]
    write_lines(run.seeds[0], *lines)
    config = run.model_copy(update={"plan": PlanConfig(file=frozen)})
    with pytest.raises(PlanRefused) as caught:
        obtain_plan(config, accept_inputs(config))
    assert str(caught.value).startswith(
        f"{frozen}: 2 seeds are gone or have changed since the plan was frozen: {seeds[0].id}, {seeds[1].id}. "
    )
    assert "Build without plan.file to fit a new plan." in str(caught.value)


def test_a_frozen_plan_may_leave_out_seeds_that_came_later(
    plan: Plan, shipped_seeds: list[Seed], seeds: list[Seed]
) -> None:
    later = [seed for seed in shipped_seeds if seed not in seeds]
    hold_against(plan, [*later, *seeds], Path("plan.json"))
    with pytest.raises(PlanRefused, match=f"{len(seeds)} seeds are gone or have changed"):
        hold_against(plan, later, Path("plan.json"))


def test_peak_memory_is_in_megabytes() -> None:
    block = bytearray(b"x") * 300_000_000
    assert 300 < peak_rss_mb() < 20_000
    assert len(block) == 300_000_000


@pytest.fixture
def golden_run(tmp_path: Path) -> RunConfig:
    shutil.copy(GOLDEN / "seeds.jsonl", tmp_path / "people.jsonl")
    shutil.copy(GOLDEN / "conversations.jsonl", tmp_path / "talks.jsonl")
    return RunConfig(
        seeds=(tmp_path / "people.jsonl",), axes=GOLDEN / "axes", samples=(tmp_path / "talks.jsonl",), rows=150,
        out=tmp_path / "data",
    )  # fmt: skip


def in_lines(*samples: Sample) -> list[str]:
    return [canonical_sample(sample) for sample in samples]


def told(config: RunConfig) -> dict[str, Source]:
    return {Path(source.file).name: source for source in accepted_sources(accept_inputs(config))}


def test_sources_name_every_file_with_its_records_and_hash(golden_run: RunConfig) -> None:
    sources = told(golden_run)
    seeds = golden_run.seeds[0]
    assert sources["people.jsonl"] == Source(
        kind="seeds", file=seeds.as_posix(), records=2, sha256=file_sha256(seeds), rejected={}
    )
    axes = {path.name: file_sha256(path) for path in (GOLDEN / "axes").rglob("*.yaml")}
    found = {name: (s.sha256, s.records) for name, s in sources.items() if s.kind == "axes"}
    assert found == {name: (sha256, None) for name, sha256 in axes.items()}


def test_shipped_sources_are_named_by_their_place_in_the_project(accepted: tuple[RunConfig, Path]) -> None:
    files = {source.file for source in accepted_sources(accepted[1]) if source.kind == "axes"}
    assert "seeds/axes/tone.yaml" in files


def test_sources_count_what_an_import_set_aside_by_reason(golden_run: RunConfig) -> None:
    rejects = [{"line": line, "reason": reason, "detail": "?"}
               for line, reason in enumerate(["no_text", "too_long", "no_text"])]  # fmt: skip
    write_lines(golden_run.seeds[0].with_name("people.jsonl.rejects.jsonl"), *map(json.dumps, rejects))
    assert told(golden_run)["people.jsonl"].rejected == {"no_text": 2, "too_long": 1}


def test_samples_are_accepted_in_order_of_id_whatever_the_order_of_their_files(golden_run: RunConfig) -> None:
    samples = golden_samples()
    path = accept_samples(golden_run, accept_inputs(golden_run))
    folder = golden_run.out.parent / "talks"
    write_lines(folder / "a.jsonl", *in_lines(*samples[3:]))
    write_lines(folder / "b.jsonl", *in_lines(*samples[:3][::-1]))
    other = accept_samples(golden_run.model_copy(update={"samples": (folder,)}), accept_inputs(golden_run))
    assert path is not None
    assert other is not None
    assert path.read_text("utf-8").splitlines() == in_lines(*sorted(samples, key=lambda sample: sample.id))
    assert path.read_bytes() == other.read_bytes()


def test_samples_that_were_accepted_are_not_checked_again(golden_run: RunConfig) -> None:
    folder = accept_inputs(golden_run)
    path = accept_samples(golden_run, folder)
    assert path is not None
    before = states(path.parent)
    assert accept_samples(golden_run, folder) == path
    assert states(path.parent) == before


@pytest.mark.parametrize("samples", [(), None])
def test_a_run_of_one_s_own_seeds_has_no_samples_unless_it_names_them(
    golden_run: RunConfig, samples: tuple[Path, ...] | None
) -> None:
    config = golden_run.model_copy(update={"samples": samples})
    assert accept_samples(config, accept_inputs(config)) is None


def test_a_sample_may_speak_for_a_seed_that_is_not_of_the_run(golden_run: RunConfig) -> None:
    write_lines(golden_run.sample_paths[0], *in_lines(sample("a", seed_id="somebody-else")))
    path = accept_samples(golden_run, accept_inputs(golden_run))
    assert path is not None
    assert len(path.read_text("utf-8").splitlines()) == 1
    _, faults = check_inputs(golden_run.seed_paths, golden_run.axes_path, golden_run.sample_paths)
    assert [fault.problem for fault in faults] == ["there is no seed 'somebody-else'"]


def test_all_faults_of_samples_are_listed_and_none_is_accepted(golden_run: RunConfig) -> None:
    wrong = [sample("a", tone="mumbled"), sample("b", domain="travel"), sample("c"), sample("c")]
    write_lines(golden_run.sample_paths[0], *in_lines(*wrong))
    folder = accept_inputs(golden_run)
    with pytest.raises(InvalidRecords) as caught:
        accept_samples(golden_run, folder)
    assert {(fault.line, fault.field) for fault in caught.value.faults} == {(1, "tone"), (2, "domain"), (4, "id")}
    assert not (folder / "samples").exists()


def test_a_paired_version_names_the_samples_it_was_paired_with(golden_run: RunConfig, tmp_path: Path) -> None:
    bare = linked_copy(golden_version(tmp_path), tmp_path / "matrix" / ".building")
    path = accept_samples(golden_run, accept_inputs(golden_run))
    assert path is not None
    paired = pair_version(bare, path, golden_run.sample_paths)
    assert paired.manifest.samples_content == file_sha256(path)
    assert paired.manifest.samples == len(golden_samples())
    talks = golden_run.sample_paths[0]
    own = Source(kind="samples", file=talks.as_posix(), records=6, sha256=file_sha256(talks))
    assert paired.sources() == (own,)
    assert verify(paired)[0] == []


def versions(out: Path) -> set[str]:
    """What the folder of versions holds, but for the lock that a build leaves there."""
    return {path.name for path in (out / "matrix").iterdir()} - {".lock"}


def kept(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pairing_anew_makes_a_version_beside_the_old_one_and_points_to_it(tmp_path: Path) -> None:
    old = golden_version(tmp_path, golden_samples())
    before = kept(old.folder)
    talks = write_lines(tmp_path / "talks.jsonl", *in_lines(*golden_samples()[:2]))
    new = pair_current(tmp_path, [talks])
    assert current_version(tmp_path) == new
    assert new.folder != old.folder
    assert (new.manifest.plan, new.manifest.rows_content) == (old.manifest.plan, old.manifest.rows_content)
    assert new.manifest.samples == 2
    assert [source.file for source in new.sources()] == [talks.as_posix()]
    assert (new.folder / "shards" / "00000.parquet").samefile(old.folder / "shards" / "00000.parquet")
    assert verify(new)[0] == []
    assert kept(old.folder) == before
    assert verify(old)[0] == []
    assert versions(tmp_path) == {old.folder.name, new.folder.name, "CURRENT"}
    assert pair_current(tmp_path, [talks]) == new


def test_pairing_with_what_was_there_before_points_back_to_it(tmp_path: Path) -> None:
    old = golden_version(tmp_path, golden_samples())
    pair_current(tmp_path, [write_lines(tmp_path / "talks.jsonl", *in_lines(*golden_samples()[:2]))])
    assert pair_current(tmp_path, [GOLDEN / "conversations.jsonl"]) == old
    assert current_version(tmp_path) == old


def test_faulty_samples_pair_nothing(tmp_path: Path) -> None:
    old = golden_version(tmp_path)
    talks = write_lines(tmp_path / "talks.jsonl", *in_lines(sample("a", tone="mumbled")), "{")
    with pytest.raises(InvalidRecords) as caught:
        pair_current(tmp_path, [talks])
    assert [fault.line for fault in caught.value.faults] == [1, 2]
    assert versions(tmp_path) == {old.folder.name, "CURRENT"}
    assert current_version(tmp_path) == old


def test_a_harmed_version_is_not_paired_anew(tmp_path: Path) -> None:
    old = golden_version(tmp_path)
    with (old.folder / "seeds.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    with pytest.raises(BrokenVersion, match=r"not what it should be; remove it to build it anew\nseeds.jsonl: "):
        pair_current(tmp_path, [GOLDEN / "conversations.jsonl"])
    assert versions(tmp_path) == {old.folder.name, "CURRENT"}
