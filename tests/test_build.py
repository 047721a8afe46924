import shutil
from pathlib import Path

import pytest

from pipeline.build import accept_inputs, accepted_inputs, check_inputs, hold_against, obtain_plan, peak_rss_mb
from pipeline.config import PlanConfig, RunConfig
from pipeline.documents import canonical_json
from pipeline.errors import InvalidRecords, PlanRefused, UsageError
from pipeline.plan import Plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.seeds import Seed
from tests.conftest import ROOT

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
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "axes.json").unlink()
    (folder / "seeds.jsonl").write_text("{", "utf-8")
    assert accept_inputs(run) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


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
    assert path == run.out / "plans" / f"{folder.name}-5000.json"
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
