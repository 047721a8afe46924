"""The build flow: compile once, validate, plan, expand, write, pair, verify, report.

Stages hand each other paths.  What a stage leaves stands under a name that holds the hash of what it was made from, so
a stage whose result stands is done; Prefect's own cache would call it done after the file had been deleted.
"""

import flows.prefect_settings  # noqa: F401  # isort: skip  (before prefect reads its settings)

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from tqdm import tqdm

from flows.cluster import dask_runner, workers_at
from pipeline.build import (
    BuildResult,
    accept_inputs,
    accept_samples,
    accepted_sources,
    obtain_plan,
    pair_version,
    peak_rss_mb,
)
from pipeline.compiled import compile_kernel, is_compiled
from pipeline.config import RunConfig
from pipeline.errors import BrokenVersion
from pipeline.files import discard, exclusive, file_sha256
from pipeline.plan_file import read_plan
from pipeline.quality import Quality, verify
from pipeline.report import with_report
from pipeline.store import (
    REPORT,
    build_shards,
    building_folder,
    find_versions,
    linked_copy,
    open_version,
    point_current,
    publish,
    refuse_harmed,
    seal,
    shard_ranges,
)
from pipeline.wording import counted
from pipeline.workers import WorkerPool, worker_pool

# A Prefect task costs about 12 ms, a shard of 262,144 rows about half a second: with four shards to a task the
# overhead is half a percent, and a billion rows are still a thousand steps of progress.
SHARDS_A_TASK = 4

Batch = list[tuple[int, int, int]]


@task(name="compile", cache_policy=NO_CACHE)
def compile_ahead() -> None:
    compile_kernel()


@task(cache_policy=NO_CACHE)
def validate(config: RunConfig) -> Path:
    return accept_inputs(config)


@task(name="validate samples", cache_policy=NO_CACHE)
def validate_samples(config: RunConfig, inputs: Path) -> Path | None:
    return accept_samples(config, inputs)


@task(cache_policy=NO_CACHE)
def plan(config: RunConfig, inputs: Path) -> Path:
    return obtain_plan(config, inputs)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=1)
def expand(plan_path: Path, rows: int, building: Path, batch: Batch, pool: WorkerPool | None) -> int:
    """Build the shards of ``batch`` in a process of ``pool``, or where the task itself has been sent to one."""
    if pool is None:
        return build_shards(plan_path, rows, building, batch)
    return pool.run(build_shards, plan_path, rows, building, batch)


@task(cache_policy=NO_CACHE)
def write(config: RunConfig, plan_path: Path, inputs: Path, building: Path) -> Path:
    frozen, sources = read_plan(plan_path), accepted_sources(inputs)
    return seal(building, frozen, inputs / "seeds.jsonl", config.rows, config.shard_rows, sources).folder


@task(cache_policy=NO_CACHE)
def pair(config: RunConfig, building: Path, samples: Path) -> Path:
    return pair_version(open_version(building), samples, config.sample_paths).folder


@task(name="verify", cache_policy=NO_CACHE)
def verify_all(building: Path, workers: int, progress: bool) -> Quality:
    """Every byte, rule and double of a version that readers do not see yet."""
    faults, quality = verify(open_version(building), workers, progress)
    if faults or quality is None:
        discard(building)  # a rerun must not trust what is at fault
        raise BrokenVersion("\n".join([f"{building}: not what it should be; discarded", *faults]))
    return quality


@task(name="report", cache_policy=NO_CACHE)
def report_and_publish(out: Path, building: Path, quality: Quality) -> Path:
    folder = publish(out, with_report(open_version(building), quality)).folder
    create_link_artifact(
        link=(folder / REPORT).resolve().as_uri(), key="report", description=f"Report of {folder.name}"
    )
    return folder


@task(name="verify files", cache_policy=NO_CACHE)
def verify_files(folder: Path) -> None:
    """Of a version that was verified before it was published, the bytes."""
    refuse_harmed(open_version(folder))


@flow(name="build", log_prints=False)
def build(config: RunConfig, progress: bool = True) -> BuildResult:
    """Build the matrix of ``config``, or go on with a build that was interrupted, or find that it stands."""
    with exclusive(config.out):
        return _built(config, progress)


def _built(config: RunConfig, progress: bool) -> BuildResult:
    began = time.perf_counter()
    stages: dict[str, float] = {}
    if isinstance(config.workers, str):
        workers_at(config.workers)  # to say at once that nobody answers there
    if not is_compiled():
        with _timed(stages, "compile", progress):
            compile_ahead()
    with _timed(stages, "validate", progress):
        inputs = validate(config)
        samples = validate_samples(config, inputs)
    with _timed(stages, "plan", progress):
        plan_path = plan(config, inputs)
        frozen = read_plan(plan_path)
    of_this_size = find_versions(config.out, frozen.id, config.rows)
    wanted = file_sha256(samples) if samples is not None else None
    standing = next((version for version in of_this_size if version.manifest.samples_content == wanted), None)
    building = building_folder(config.out, frozen, config.rows, config.shard_rows)
    figures: dict[str, Any] = {}
    if standing is None:
        if of_this_size:  # the same rows stand there with other pairings
            verify_files(of_this_size[0].folder)
            building = linked_copy(of_this_size[0], building).folder
        else:
            with _timed(stages, "expand", progress):
                _expand_all(config, plan_path, building, progress)
            with _timed(stages, "write", progress):
                building = write(config, plan_path, inputs, building)
        if samples is not None:
            with _timed(stages, "pair", progress):
                building = pair(config, building, samples)
        with _timed(stages, "verify", progress):
            own = config.workers if isinstance(config.workers, int) else os.cpu_count() or 1
            quality = verify_all(building, own, progress)
        with _timed(stages, "report", progress):
            folder = report_and_publish(config.out, building, quality)
        figures = quality.as_dict()
    else:
        with _timed(stages, "verify", progress):
            folder = standing.folder
            verify_files(folder)
        discard(building)
        point_current(config.out, standing.manifest.name)
    result = BuildResult(
        version_dir=str(folder),
        rows=config.rows,
        seeds=len(frozen.seeds),
        stages=stages,
        peak_rss_mb=peak_rss_mb(),
        total_s=math.ceil((time.perf_counter() - began) * 1000) / 1000,
    )
    told = {name: f"{seconds} s" for name, seconds in stages.items()} | figures
    table = [{"figure": name, "value": str(value)} for name, value in told.items()]
    create_table_artifact(table=table, key="build", description=f"{folder.name}: {counted(config.rows, 'persona')}")
    return result


def _expand_all(config: RunConfig, plan_path: Path, building: Path, progress: bool) -> None:
    shards = [(number, *ends) for number, ends in enumerate(shard_ranges(config.rows, config.shard_rows))]
    with (
        _runner(config.workers, len(shards)) as (runner, pool, workers),
        tqdm(total=config.rows, unit="row", unit_scale=True, disable=not progress) as bar,
    ):
        # A last short batch would leave a worker idle, so few shards go out one at a time.
        size = max(1, min(SHARDS_A_TASK, len(shards) // (2 * workers)))
        given = {"plan_path": plan_path, "rows": config.rows, "building": building, "pool": pool}
        futures = [
            runner.submit(expand, {**given, "batch": shards[first : first + size]})
            for first in range(0, len(shards), size)
        ]
        for future in as_completed(futures):
            bar.update(future.result())


@contextmanager
def _runner(workers: int | str, shards: int) -> Iterator[tuple[TaskRunner[Any], WorkerPool | None, int]]:
    """What runs tasks, the processes they hand their work to, if any, and how many work at once."""
    if isinstance(workers, str):
        with dask_runner(workers) as cluster:
            yield cluster, None, workers_at(workers)
    else:
        count = min(workers, shards)
        threads: ThreadPoolTaskRunner[int] = ThreadPoolTaskRunner(max_workers=count)
        with worker_pool(count) as pool, threads:
            yield threads, pool, count


@contextmanager
def _timed(stages: dict[str, float], name: str, progress: bool) -> Iterator[None]:
    if progress:
        print(f"{name} …", file=sys.stderr)
    began = time.perf_counter()
    yield
    # Down here and up in the total, so that stages never sum to more than the whole.
    stages[name] = math.floor((time.perf_counter() - began) * 1000) / 1000
