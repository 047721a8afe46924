"""One table of what a build costs, each line a ratio of two things measured in this run.

    make bench                                     # some five minutes
    python -m tests.benches.table --rows 1000000   # smaller: no line of ten times as many rows

The floor that expanding is held against is random columns of the same types and cardinalities, made by numpy and
written by polars with the same compression, in the same processes.  Seconds belong to the machine, ratios to the code.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from pipeline.axis_files import load_axes
from pipeline.config import ROW_GROUP, RunConfig, SceneSettings
from pipeline.conversations import Sample, canonical_sample, load_samples
from pipeline.files import write_text
from pipeline.matrix import matrix_schema
from pipeline.packs.pack import Order, write_pack
from pipeline.packs.persona import personas
from pipeline.pairing import samples_table
from pipeline.plan import make_plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.query import write_answer
from pipeline.scenes import Scenes
from pipeline.seeds import load_seeds
from pipeline.store import Version, attach_pairings, build_shards, building_folder, seal, shard_ranges
from pipeline.workers import WorkerPool, worker_pool
from tests.small_versions import seeds_file

SHARD = 2 * ROW_GROUP
MILLION = 1_000_000
SAMPLES = 100_000
CONFIGS = 50_000
DESIGNED = 20_000  # rows asked of NeMo Data Designer


class Line(NamedTuple):
    what: str
    ratio: str
    measured: str


def write_floor(plan_path: Path, folder: Path, shard: tuple[int, int, int]) -> int:
    """Random columns of the matrix's types and cardinalities, as many rows as the shard has."""
    plan, (number, start, stop) = read_plan(plan_path), shard
    rng, rows, columns = np.random.default_rng(number), stop - start, []
    for name, dtype in matrix_schema(plan).items():
        if name == "persona_id":
            columns.append(pl.Series(name, np.arange(start, stop, dtype=np.uint64)))
        elif name == "variant":
            columns.append(pl.Series(name, np.arange(rows, dtype=np.uint32)))
        elif name == "seed_id":
            ids = pl.Series(name, [seed.id for seed in plan.seeds])
            columns.append(ids.gather(np.sort(rng.integers(0, len(ids), rows, np.uint32))))
        elif isinstance(dtype, pl.Enum):
            columns.append(pl.Series(name, rng.integers(0, len(dtype.categories), rows, np.uint32)).cat.to(dtype))
        else:
            columns.append(pl.Series(name, rng.integers(0, 5, rows, np.uint8)).cast(dtype))
    path = folder / f"{number}.parquet"
    pl.DataFrame(columns).write_parquet(path, row_group_size=ROW_GROUP, compression="zstd")
    return rows


class Bench:
    def __init__(self, out: Path) -> None:
        self.out, config = out, RunConfig()
        self.seeds = load_seeds(config.seed_paths)
        self.samples = load_samples(config.sample_paths)
        plan = make_plan(self.seeds, load_axes(config.axes_path), MILLION)
        self.plan_path = out / "plan.json"
        write_text(self.plan_path, plan_json(plan))
        self.plan = read_plan(self.plan_path)

    def expanded(self, rows: int, workers: int) -> tuple[float, Path]:
        """Seconds for expanding, checking and writing ``rows``, in warm processes; and where they stand."""
        folder = building_folder(self.out / f"{rows}-{workers}", self.plan, rows, SHARD)

        def build(pool: WorkerPool, shard: tuple[int, int, int]) -> int:
            return pool.run(build_shards, self.plan_path, rows, folder, [shard])

        return self._spent(rows, workers, build, self.out / f"warm-{rows}-{workers}"), folder

    def floor(self, rows: int, workers: int) -> float:
        folder = self.out / "floor"
        folder.mkdir(exist_ok=True)
        return self._spent(
            rows, workers, lambda pool, shard: pool.run(write_floor, self.plan_path, folder, shard), folder
        )

    def _spent(
        self, rows: int, workers: int, build: Callable[[WorkerPool, tuple[int, int, int]], int], warm: Path
    ) -> float:
        shards = [(number, *ends) for number, ends in enumerate(shard_ranges(rows, SHARD))]
        with worker_pool(workers) as pool, ThreadPoolExecutor(workers) as threads:
            warming = [(number, 0, ROW_GROUP) for number in range(2 * workers)]
            list(threads.map(lambda shard: pool.run(build_shards, self.plan_path, rows, warm, [shard]), warming))
            began = time.perf_counter()
            list(threads.map(lambda shard: build(pool, shard), shards))
            return time.perf_counter() - began


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The median of several runs."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return median(spent)


def pruning(version: Version) -> Line:
    one = pl.col("seed_id") == version.plan().seeds[len(version.plan().seeds) // 2].id
    shards = sorted((version.folder / "shards").glob("*.parquet"))
    pruned = seconds(lambda: version.scan().filter(one).collect())
    scanned = seconds(lambda: [pl.read_parquet(shard).filter(one) for shard in shards], times=1)
    return Line("the rows of one seed, whose row groups are known by their statistics, against reading every row",
                f"{scanned / pruned:.0f} × faster", f"{pruned * 1000:.0f} ms, {scanned * 1000:.0f} ms")  # fmt: skip


class Written(NamedTuple):
    seconds: float
    bytes: int


def scenes(bench: Bench, version: Version) -> Written:
    """A million scenes of a stored version."""
    told = Scenes(bench.plan, bench.seeds, SceneSettings(frame="scene")).told(version.scan().head(MILLION))
    began = time.perf_counter()
    write_answer(told, "SELECT persona_id, scene FROM personas", bench.out / "scenes.parquet")
    return Written(time.perf_counter() - began, (bench.out / "scenes.parquet").stat().st_size)


def configs(bench: Bench, version: Version, target: str) -> Line:
    """Session configs of the first rows with their events, each checked and written to a file."""
    settings, rows = SceneSettings(), version.scan().head(CONFIGS).collect()
    pack = bench.out / f"pack-{target}"
    began = time.process_time()
    write_pack(pack, Order(target, bench.plan.id, settings), personas(rows, bench.plan, bench.seeds, settings))
    spent = time.process_time() - began
    floor = documents_floor([*pack.glob("configs/*"), *pack.glob("during/*")], bench.out / f"floor-{target}")
    return Line(f"{CONFIGS:,} session configs for {target}, each with events, made, checked and written against the "
                "same documents as JSON in a file with its SHA-256",
                f"{spent / floor:.1f} × as long",
                f"{60 * CONFIGS / spent:,.0f} a minute and core")  # fmt: skip


def documents_floor(documents: Sequence[Path], folder: Path) -> float:
    """Seconds of processor time for what nobody can leave out; documents are read one by one, outside of the time."""
    folder.mkdir()
    spent = 0.0
    for number, path in enumerate(documents):
        document = json.loads(path.read_bytes())
        began = time.process_time()
        content = to_json(document, indent=2)
        with open(f"{folder}/{number}.json", "xb") as stream:
            stream.write(content)
        hashlib.sha256(content).hexdigest()
        spent += time.process_time() - began
    return spent


def data_designer(bench: Bench, rows_a_second: float, scenes_a_second: float) -> Iterator[Line]:
    """The same levels from NeMo Data Designer, in an environment of its own."""
    what = "against NeMo Data Designer ({}), rows a second"
    folder, levels = bench.out / "data-designer", bench.out / "levels.json"
    write_text(
        levels, json.dumps({name: [level.id for level in axis] for name, axis in bench.plan.axes.levels.items()})
    )
    python = str(folder / "bin" / "python")
    script = [python, str(Path(__file__).with_name("nemo.py")), str(levels), str(DESIGNED)]
    try:
        for step in (
            [sys.executable, "-m", "venv", str(folder)],
            [python, "-m", "pip", "install", "-q", "data-designer"],
        ):
            subprocess.run(step, check=True, capture_output=True)
        run = subprocess.run(script, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        why = (error.stderr or b"").splitlines()[-1:]
        yield Line(what.format("levels and one expression"), "skipped", f"it could not be installed or run: {why}")
        return
    theirs = DESIGNED / float(run.stdout.splitlines()[-1])
    for kind, ours in (("checked rows", rows_a_second), ("rows with the whole scene", scenes_a_second)):
        yield Line(what.format(kind), f"{ours / theirs:,.0f} ×", f"{ours:,.0f}, {theirs:,.0f}")


def pairing(bench: Bench, version: Version, expanding: float) -> Line:
    """As an import gives samples: half of them state their domain alone."""
    bare = {"seed_id": None, "scenario": None, "user_state": None, "tone": None, "register_": None}
    every: Sequence[Sample] = [*bench.samples, *(sample.model_copy(update=bare) for sample in bench.samples)]
    records = [
        canonical_sample(sample.model_copy(update={"id": f"s-{number}"}))
        for number, sample in enumerate(islice(cycle(every), SAMPLES))
    ]
    began = time.perf_counter()
    attach_pairings(version, samples_table(records, bench.plan, bench.seeds))
    spent = time.perf_counter() - began
    return Line("a million rows paired with 100,000 samples against expanding a million rows",
                f"{spent / expanding:.1f} × as long", f"{spent:.1f} s")  # fmt: skip


def sealed(bench: Bench, folder: Path, rows: int) -> Version:
    return seal(folder, bench.plan, seeds_file(bench.out, bench.seeds), rows, SHARD)


def peak_memory(who: int) -> str:
    return f"{resource.getrusage(who).ru_maxrss * 1024 / 1e6:,.0f} MB"


def measure(rows: int, out: Path) -> Iterator[Line]:
    bench = Bench(out)
    (alone, _), (spent, folder) = bench.expanded(rows, 1), bench.expanded(rows, 2)
    yield Line("one worker against two", f"{alone / spent:.2f} × as long", f"{alone:.1f} s, {spent:.1f} s")
    if rows > MILLION:
        more, _ = bench.expanded(10 * rows, 2)
        yield Line(f"rows a second at {10 * rows:,} rows against {rows:,}", f"{10 * spent / more:.2f} ×",
                   f"{10 * rows / more:,.0f}, {rows / spent:,.0f}")  # fmt: skip
    yield Line("peak memory of a worker, up to as many rows", "", peak_memory(resource.RUSAGE_CHILDREN))
    floor = bench.floor(rows, 2)
    yield Line(f"expand, check and write {rows:,} rows against random columns written the same way",
               f"{spent / floor:.2f} × as long", f"{spent:.1f} s, {floor:.1f} s")  # fmt: skip
    size = sum(path.stat().st_size for path in folder.glob("shards/*.parquet"))
    yield Line("on disk", f"{size / rows:.1f} bytes a row", f"{size / 1e6:.0f} MB")
    million, few = bench.expanded(MILLION, 2) if rows > MILLION else (spent, folder)
    yield pairing(bench, sealed(bench, few, MILLION), million)
    version = sealed(bench, folder, rows)
    yield pruning(version)
    told = scenes(bench, version)
    yield Line("a million whole scenes joined and written (zstd 3) against expanding a million rows",
               f"{told.seconds / million:.1f} × as long",
               f"{told.seconds:.1f} s, {told.bytes / 1e6:.0f} MB")  # fmt: skip
    for target in ("openai-realtime", "stepfun-realtime", "gemini-live"):
        yield configs(bench, version, target)
    yield Line("peak memory of the process that paired, scanned, joined and packed", "",
               peak_memory(resource.RUSAGE_SELF))  # fmt: skip
    yield from data_designer(bench, rows / spent, MILLION / (million + told.seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10 * MILLION)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        lines = []
        for line in tqdm(measure(rows, Path(folder)), unit="line"):
            tqdm.write(" · ".join(line), file=sys.stderr)  # at once: nothing is lost on Ctrl-C
            lines.append(line)
    table = Table("what", "ratio", "measured")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    main()
