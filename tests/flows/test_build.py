import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import flows.prefect_settings  # noqa: F401  # isort: skip  (before prefect reads its settings)

import polars as pl
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.build import build
from flows.cluster import workers_at
from pipeline.build import BuildResult
from pipeline.config import PlanConfig, RunConfig
from pipeline.conversations import Sample, canonical_sample
from pipeline.documents import canonical_json
from pipeline.errors import EXIT_INTERRUPTED, BrokenVersion, InvalidRecords, UsageError
from pipeline.files import write_text
from pipeline.plan_file import read_plan
from pipeline.quality import verify
from pipeline.seeds import Seed
from pipeline.store import Version, current_version, described, finished_shard, open_version
from tests.conftest import ROOT
from tests.flows.dask_cluster import cluster
from tests.golden_content import GOLDEN, golden_samples
from tests.small_versions import SHARD_ROWS, built

ROWS, SHARDS = 300_000, 3
STAGES = ["validate", "plan", "expand", "write", "pair", "verify", "report"]


def stages(result: BuildResult) -> list[str]:
    """The stages of a build; the first on a machine compiles before them."""
    return [stage for stage in result.stages if stage != "compile"]


PROMPT = 15  # seconds; two where nothing else runs
PERSONAS = [sys.executable, "-c", "from pipeline.cli import main; main()"]
MARKER = "PERSONAS_TEST_RUN"

# In a network namespace of its own a process has only a loopback device, and that is down.
WITH_LOOPBACK_ONLY = """
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 1 | 64))  # SIOCSIFFLAGS: up, running
os.execv(sys.argv[1], sys.argv[1:])
"""
# Python runs sitecustomize in every process of a build: parent, workers and Prefect's server.
RECORD_SOCKETS = """
import json, os, sys

def record(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.bind", "socket.getaddrinfo"):
        where = args[0] if event == "socket.getaddrinfo" else args[1]
        with open(os.environ["SOCKETS_LOG"], "a") as log:
            print(json.dumps(where[0] if isinstance(where, tuple) else where, default=repr), file=log)

sys.addaudithook(record)
"""


@pytest.fixture(scope="module")
def seeds_file(seeds: list[Seed], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeds") / "seeds.jsonl"
    write_text(
        path,
        "".join(canonical_json(seed.model_dump(mode="json", by_alias=True)) + "\n" for seed in seeds),
    )
    return path


@pytest.fixture(scope="module")
def samples_file(shipped_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every tenth shipped sample: a thousand take each of a dozen builds several seconds to check."""
    path = tmp_path_factory.mktemp("samples") / "samples.jsonl"
    write_text(path, "".join(canonical_sample(sample) + "\n" for sample in shipped_samples[::10]))
    return path


@pytest.fixture(scope="module")
def configured(seeds_file: Path, samples_file: Path) -> Callable[[Path, int | str], RunConfig]:
    def configured(out: Path, workers: int | str) -> RunConfig:
        return RunConfig(
            seeds=(seeds_file,), samples=(samples_file,), rows=ROWS, out=out, workers=workers,
            shard_rows=SHARD_ROWS, plan=PlanConfig(base_rows=20_000),
        )  # fmt: skip

    return configured


@pytest.fixture(scope="module")
def two_workers(
    configured: Callable[[Path, int | str], RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunConfig, BuildResult]:
    config = configured(tmp_path_factory.mktemp("two"), 2)
    return config, build(config, progress=False)


@pytest.fixture(scope="module")
def planned(
    configured: Callable[[Path, int | str], RunConfig], two_workers: tuple[RunConfig, BuildResult]
) -> Callable[[Path, int | str], RunConfig]:
    """A run whose seeds were validated and whose plan was made before, so that it begins by expanding."""

    def planned(out: Path, workers: int | str) -> RunConfig:
        for part in ("inputs", "plans"):
            shutil.copytree(two_workers[0].out / part, out / part)
        return configured(out, workers)

    return planned


def toml(config: RunConfig, folder: Path) -> Path:
    path = folder / "run.toml"
    path.write_text(
        f'seeds = ["{config.seeds[0]}"]\nsamples = ["{config.sample_paths[0]}"]\n'
        f'rows = {config.rows}\nout = "{config.out}"\nworkers = {config.workers}\n'
        f"shard_rows = {config.shard_rows}\n[plan]\nbase_rows = {config.plan.base_rows}\n",
        "utf-8",
    )
    return path


@dataclass
class Running:
    """A build in a process of its own, as a terminal starts it: leader of a process group."""

    config: RunConfig
    process: subprocess.Popen[bytes]

    def processes(self) -> dict[int, str]:
        """The command lines of all that it started and that is alive, by process id."""
        marker = f"{MARKER}={self.config.out}\0".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    @property
    def stderr(self) -> str:
        return (self.config.out.parent / "stderr.txt").read_text("utf-8")

    def workers(self) -> list[str]:
        return [line for line in self.processes().values() if "multiprocessing" in line]

    def wait_for(self, happened: Callable[[], bool], seconds: float) -> float:
        """How long it took; no longer than ``seconds``."""
        began = time.monotonic()
        while not happened() and time.monotonic() - began < seconds:
            time.sleep(0.01)
        return time.monotonic() - began

    def wait_for_first_shard(self) -> None:
        def finished() -> bool:
            return any(self.config.out.glob("matrix/.building-*/notes/*.json"))

        self.wait_for(lambda: finished() or self.process.poll() is not None, 120)
        assert finished(), self.stderr
        assert self.process.poll() is None, "it was done before it could be stopped"

    def end(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def start(
    planned: Callable[[Path, int | str], RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int], Running]]:
    if not Path("/proc/self/environ").exists():
        pytest.skip("what a killed build leaves behind is found through /proc")
    started: list[Running] = []

    def start(workers: int) -> Running:
        folder = tmp_path_factory.mktemp("run")
        config = planned(folder / "data", workers)
        with (folder / "stderr.txt").open("w") as stderr:
            process = subprocess.Popen(
                [*PERSONAS, "build", "-c", str(toml(config, folder))],
                env=os.environ | {"PYTHONPATH": str(ROOT), MARKER: str(config.out)},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        started.append(Running(config, process))
        return started[-1]

    yield start
    for running in started:
        running.end()


def names(folder: Path) -> set[str]:
    """What it holds, but for the lock that a build leaves there."""
    return {path.name for path in folder.iterdir()} - {".lock"}


def states(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_build_tells_what_it_made_and_how_long_each_stage_took(
    two_workers: tuple[RunConfig, BuildResult], seeds: list[Seed]
) -> None:
    config, result = two_workers
    assert (result.rows, result.seeds) == (ROWS, len(seeds))
    assert stages(result) == STAGES
    assert 0 < sum(result.stages.values()) <= result.total_s
    assert result.peak_rss_mb > 100
    version = current_version(config.out)
    assert str(version.folder) == result.version_dir
    faults, quality = verify(version)
    assert faults == []
    assert quality is not None
    assert quality.rows == ROWS
    assert version.manifest.samples == version.samples().height > 0
    assert names(config.out / "matrix") == {version.folder.name, "CURRENT"}


def test_a_build_leaves_a_table_of_stages_and_figures_on_the_server(two_workers: tuple[RunConfig, BuildResult]) -> None:
    _, result = two_workers
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["build"])))
    version = Path(result.version_dir).name
    (artifact,) = [
        a for a in artifacts if a.description == f"{version}: 300,000 personas" and "pairs_covered" in str(a.data)
    ]
    assert artifact.type == "table"
    table = {row["figure"]: row["value"] for row in json.loads(str(artifact.data))}
    assert table["expand"] == f"{result.stages['expand']} s"
    assert (table["rows"], table["broken_rules"], table["duplicates"]) == ("300000", "0", "0")


def test_a_second_build_builds_nothing(two_workers: tuple[RunConfig, BuildResult]) -> None:
    config, first = two_workers
    before = states(config.out)
    (config.out / "matrix" / "CURRENT").unlink()
    second = build(config, progress=False)
    assert list(second.stages) == ["validate", "plan", "verify"]
    assert second.version_dir == first.version_dir == str(current_version(config.out).folder)
    after = states(config.out)
    pointer = str(config.out / "matrix" / "CURRENT")
    assert {path: state for path, state in after.items() if path != pointer} == {
        path: state for path, state in before.items() if path != pointer
    }


@dataclass
class InTurn:
    """Builds of the same rows with these samples, others, none, and these again, and what was left after each."""

    results: list[BuildResult]
    left: list[dict[str, bytes]]

    def version(self, number: int) -> Version:
        return open_version(Path(self.results[number].version_dir))


@pytest.fixture(scope="module")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> InTurn:
    folder = tmp_path_factory.mktemp("turn")
    others = folder / "others.jsonl"
    write_text(others, "".join(canonical_sample(sample) + "\n" for sample in changed(golden_samples())))
    in_turn = InTurn([], [])
    for samples in ((GOLDEN / "conversations.jsonl",), (others,), (), (GOLDEN / "conversations.jsonl",)):
        config = RunConfig(
            seeds=(GOLDEN / "seeds.jsonl",), axes=GOLDEN / "axes", samples=samples, rows=150, out=folder / "data",
            workers=1,
        )  # fmt: skip
        in_turn.results.append(build(config, progress=False))
        assert str(current_version(config.out).folder) == in_turn.results[-1].version_dir
        in_turn.left.append(
            {str(path): path.read_bytes() for path in config.out.glob("matrix/*-*/**/*") if path.is_file()}
        )
    return in_turn


def changed(samples: list[Sample]) -> list[Sample]:
    """The same, but for a word of the first."""
    first, *rest = samples
    turn = first.turns[0].model_copy(update={"text": f"Well. {first.turns[0].text}"})
    return [first.model_copy(update={"turns": (turn, *first.turns[1:])}), *rest]


def test_other_samples_make_another_version_of_the_same_rows(in_turn: InTurn) -> None:
    assert [stages(result) for result in in_turn.results] == [
        STAGES,
        ["validate", "plan", "pair", "verify", "report"],
        ["validate", "plan", "verify", "report"],
        ["validate", "plan", "verify"],
    ]
    first, other, none, again = (in_turn.version(number) for number in range(4))
    assert again == first
    assert len({first.folder, other.folder, none.folder}) == 3
    for version in (other, none):
        shard = "shards/00000.parquet"
        assert (version.folder / shard).samefile(first.folder / shard)
        assert version.manifest.rows_content == first.manifest.rows_content
        assert verify(version)[0] == []
    assert none.manifest.name == f"{first.manifest.plan}-{first.manifest.rows_content[:12]}"
    assert [[source.kind for source in version.sources()].count("samples") for version in (first, other, none)] == [
        1, 1, 0
    ]  # fmt: skip


def test_a_version_stays_as_it_is_whatever_is_built_after_it(in_turn: InTurn) -> None:
    for before, after in zip(in_turn.left, in_turn.left[1:], strict=False):
        assert before.items() <= after.items()
    assert in_turn.left[-1] == in_turn.left[-2]


@dataclass
class Offline:
    config: RunConfig
    isolated: bool
    asked: set[str]  # the hosts that its processes named to a socket or to the resolver


@pytest.fixture(scope="module")
def offline(planned: Callable[[Path, int | str], RunConfig], tmp_path_factory: pytest.TempPathFactory) -> Offline:
    """A build by one worker, where the system permits it with no network but loopback."""
    folder = tmp_path_factory.mktemp("offline")
    config, log = planned(folder / "data", 1), folder / "sockets.log"
    (folder / "sitecustomize.py").write_text(RECORD_SOCKETS, "utf-8")
    command = [*PERSONAS, "build", "-c", str(toml(config, folder)), "--json"]
    isolated = (
        shutil.which("unshare") is not None and not subprocess.run(["unshare", "-rn", "true"], check=False).returncode
    )
    if isolated:
        command = ["unshare", "-rn", sys.executable, "-c", WITH_LOOPBACK_ONLY, *command]
    env = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "SOCKETS_LOG": str(log)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == ROWS
    return Offline(config, isolated, {json.loads(line) for line in log.read_text("utf-8").splitlines()})


def test_one_worker_and_two_make_the_same_version(two_workers: tuple[RunConfig, BuildResult], offline: Offline) -> None:
    two, one = current_version(two_workers[0].out), current_version(offline.config.out)
    assert one.manifest == two.manifest
    assert {"pairings/00002.parquet", "unmatched/00002.parquet", "samples.parquet", "report.html"} <= {
        file.path for file in two.manifest.files
    }
    for file in two.manifest.files:
        assert (one.folder / file.path).read_bytes() == (two.folder / file.path).read_bytes()


def test_a_build_names_no_host_but_its_own(offline: Offline) -> None:
    assert "127.0.0.1" in offline.asked
    assert offline.asked <= {"127.0.0.1", "::1", "localhost"}


def test_a_build_needs_no_network(offline: Offline) -> None:
    if not offline.isolated:
        pytest.skip("unshare -rn is not permitted here: no network namespace to build in")
    assert current_version(offline.config.out).manifest.rows == ROWS


@dataclass
class Stopped:
    """A build that was stopped after its first shard, and what was found then."""

    config: RunConfig
    status: int | None  # None: it had to be killed after all
    seconds: float
    stderr: str
    workers: list[str]
    servers: list[str]
    left: dict[str, tuple[int, int]]


def stop(running: Running, send: Callable[[int], None]) -> Stopped:
    running.wait_for_first_shard()
    send(running.process.pid)
    ended = running.wait_for(lambda: running.process.poll() is not None, PROMPT)
    running.wait_for(lambda: not running.workers(), 5)
    servers = [line for line in running.processes().values() if "uvicorn" in line]
    workers, left = running.workers(), states(running.config.out / "matrix")
    status = running.process.poll()
    running.end()
    return Stopped(running.config, status, ended, running.stderr, workers, servers, left)


@pytest.fixture(scope="module")
def killed(start: Callable[[int], Running]) -> Stopped:
    return stop(start(2), lambda pid: os.kill(pid, signal.SIGKILL))


@pytest.fixture(scope="module")
def interrupted(start: Callable[[int], Running]) -> Stopped:
    """Ctrl-C, which a terminal sends to every process of the foreground group."""
    return stop(start(2), lambda pid: os.killpg(pid, signal.SIGINT))


def test_a_killed_build_leaves_no_worker_running(killed: Stopped) -> None:
    assert killed.status == -signal.SIGKILL
    assert killed.workers == []


def test_a_killed_build_leaves_no_server_running(killed: Stopped) -> None:
    assert killed.servers == []


def test_of_a_killed_build_no_version_can_be_seen(killed: Stopped) -> None:
    assert all("/.building-" in path or path.endswith("/.lock") for path in killed.left)
    assert not any(path.endswith("manifest.json") for path in killed.left)
    with pytest.raises(UsageError, match="no matrix has been built here"):
        current_version(killed.config.out)


def test_ctrl_c_ends_a_build_promptly_and_says_so(interrupted: Stopped) -> None:
    assert interrupted.status == EXIT_INTERRUPTED
    assert interrupted.seconds < PROMPT
    assert interrupted.stderr.splitlines()[-1].startswith("personas: interrupted; nothing stands half-written")
    assert "Traceback" not in interrupted.stderr
    assert interrupted.workers == interrupted.servers == []


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_a_build_that_was_stopped_is_gone_on_with(
    how: str, two_workers: tuple[RunConfig, BuildResult], request: pytest.FixtureRequest
) -> None:
    stopped: Stopped = request.getfixturevalue(how)
    matrix = stopped.config.out / "matrix"
    shards = {path: state for path, state in stopped.left.items() if Path(path).suffix == ".parquet"}
    stray = next(matrix.glob(".building-*/shards")) / ".00002.parquet.4194305.tmp"
    stray.write_bytes(b"PAR1 half")
    build(stopped.config, progress=False)
    version = current_version(stopped.config.out)
    assert version.manifest == current_version(two_workers[0].out).manifest
    assert names(matrix) == {version.folder.name, "CURRENT"}
    assert verify(version)[0] == []
    kept = states(version.folder)
    noted = {Path(path).stem for path in stopped.left if Path(path).parent.name == "notes" and path.endswith(".json")}
    assert noted
    for path, state in shards.items():
        if Path(path).stem in noted:
            assert kept[str(version.folder / "shards" / Path(path).name)] == state


def test_faulty_seeds_come_out_of_the_flow_with_every_fault(
    configured: Callable[[Path, int | str], RunConfig], tmp_path: Path, seeds: list[Seed]
) -> None:
    path = tmp_path / "faulty.jsonl"
    path.write_text('{"id": "Ada"}\n' + seeds[0].model_dump_json(by_alias=True) + "\nnot JSON\n", "utf-8")
    config = configured(tmp_path / "data", 1).model_copy(update={"seeds": (path,)})
    with pytest.raises(InvalidRecords) as caught:
        build(config, progress=False)
    assert {fault.line for fault in caught.value.faults} == {1, 3}
    assert names(tmp_path / "data") == {"matrix"}
    assert names(tmp_path / "data" / "matrix") == set()


@pytest.fixture
def spoilt(
    planned: Callable[[Path, int | str], RunConfig], two_workers: tuple[RunConfig, BuildResult], tmp_path: Path
) -> RunConfig:
    """A build whose first shard holds a row that is not the plan's, noted as finished."""
    config = planned(tmp_path, 1).model_copy(update={"rows": 2_000})
    plan = read_plan(next((tmp_path / "plans").iterdir()))
    config = config.model_copy(update={"plan": PlanConfig(file=next((tmp_path / "plans").iterdir()))})
    building = built(tmp_path, plan, 2_000, SHARD_ROWS)
    shard = finished_shard(building, 0)
    assert shard is not None
    path = building / "shards" / "00000.parquet"
    frame = pl.read_parquet(path)
    pl.concat([frame[1], frame[0], frame[2:]]).write_parquet(path)
    noted = shard.model_copy(update={"file": described(building, path, frame.height)})
    write_text(building / "notes" / "00000.json", noted.model_dump_json())
    return config


def test_a_version_that_is_not_its_plan_s_fails_the_build(spoilt: RunConfig) -> None:
    with pytest.raises(BrokenVersion, match="2 rows that are not their plan's"):
        build(spoilt, progress=False)


def test_a_version_that_failed_is_never_current(spoilt: RunConfig) -> None:
    with pytest.raises(BrokenVersion):
        build(spoilt, progress=False)
    with pytest.raises(UsageError, match="no matrix has been built here"):
        current_version(spoilt.out)


def test_a_cluster_that_loses_a_worker_in_mid_run_makes_the_same_manifest(
    planned: Callable[[Path, int | str], RunConfig], two_workers: tuple[RunConfig, BuildResult], tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra `scale` is not installed")
    lost: list[int] = []

    def kill_one(victim: subprocess.Popen[bytes], out: Path) -> None:
        while not (stand := len(list(out.glob("matrix/.building-*/notes/*.json")))):
            time.sleep(0.01)
        os.killpg(victim.pid, signal.SIGKILL)
        lost.append(stand)

    with cluster(tmp_path, 2) as (address, workers):
        config = planned(tmp_path / "data", address)
        Thread(target=kill_one, args=(workers[0], config.out), daemon=True).start()
        result = build(config, progress=False)
        assert workers_at(address) == 1
    assert 0 < lost[0] < SHARDS, "it was done before a worker could be killed"
    manifests = [Path(version) / "manifest.json" for version in (result.version_dir, two_workers[1].version_dir)]
    assert manifests[0].read_text("utf-8") == manifests[1].read_text("utf-8")
