"""The packs flow: choose once for each saved choice, then export it to each of its targets.

Tasks hand each other the path of the choice.  A pack whose content is what stands there is left alone, so that whoever
serves packs/<name> may look at times to see whether there is anything new.
"""

import flows.prefect_settings  # noqa: F401  # isort: skip  (before prefect reads its settings)

from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from pipeline.config import PackConfig, RunConfig, read_config
from pipeline.errors import UsageError
from pipeline.exporting import Exported, export_saved, save_choice, saved_choice
from pipeline.files import exclusive
from pipeline.store import current_version, open_version


class PacksResult(BaseModel):
    """What `personas export --saved NAME --json` prints of."""

    model_config = ConfigDict(frozen=True)

    packs: tuple[Exported, ...]
    notes: tuple[str, ...]


@task(cache_policy=NO_CACHE)
def choose(out: Path, version: Path, name: str, asked: PackConfig) -> tuple[Path, tuple[str, ...]]:
    return save_choice(out, name, open_version(version), asked)


@task(cache_policy=NO_CACHE)
def export(version: Path, choice: Path, asked: PackConfig, target: str, progress: bool) -> Exported:
    return export_saved(open_version(version), choice, asked, target, progress)


@flow(name="packs", log_prints=False)
def packs(
    config: RunConfig | None = None, names: tuple[str, ...] = (), targets: tuple[str, ...] = (), progress: bool = True
) -> PacksResult:
    """Rebuild the packs of the saved choices ``names``, or of all, from the current matrix.

    ``config`` is by default that of ./personas.toml; ``targets`` are by default all that a choice names.
    """
    run = config or read_config(None)
    asked = {name: saved_choice(run, name, targets) for name in names or run.packs}
    if not asked:
        raise UsageError("no choice is saved; write one under [packs.<name>] in personas.toml")
    with exclusive(run.out, "packs"):
        version = current_version(run.out).folder
        made: list[Exported] = []
        told: list[str] = []
        for name, settings in asked.items():
            choice, notes = choose(run.out, version, name, settings)
            told += notes
            made += [export(version, choice, settings, target, progress) for target in targets or settings.targets]
    table = [{name: str(value) for name, value in pack.model_dump().items()} for pack in made]
    create_table_artifact(table=table, key="packs", description=f"{version.name}: {', '.join(asked)}")
    return PacksResult(packs=tuple(made), notes=tuple(told))
