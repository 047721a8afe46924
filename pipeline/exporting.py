"""Export what a pack's settings ask for: choose personas of a version once, then write them for each target.

<out>/packs/<name>/choice.parquet       a saved choice: the personas chosen, whole rows in their order
<out>/packs/<name>/<target>[.zip]       its packs; replaced as a whole, left alone where nothing has changed
<out>/packs/<name>/.building/           a pack under way
<out>/packs/.lock                       held by the one rebuild at work
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from pipeline.choice import LIKENESS, Choice, choose
from pipeline.config import PackConfig, RunConfig
from pipeline.documents import refuse_unknown
from pipeline.errors import DataError, UsageError
from pipeline.files import discard, file_sha256, replace_folder, write_whole
from pipeline.matrix import COLUMNS
from pipeline.packs.messages_jsonl import TARGET as MESSAGES
from pipeline.packs.messages_jsonl import write_messages
from pipeline.packs.pack import Order, known_model, pack_faults, read_pack, refuse_in_use, write_pack
from pipeline.packs.persona import personas
from pipeline.packs.targets import TARGETS
from pipeline.provenance import mixing_fault
from pipeline.seeds import Seed
from pipeline.store import Version
from pipeline.wording import nearest

CHOICE = "choice.parquet"
KNOWN_TARGETS = frozenset({*TARGETS, MESSAGES})
HAVE_MODELS = tuple(name for name, target in TARGETS.items() if any(target.models))
HAVE_CONFIGS = tuple(name for name, target in TARGETS.items() if target.gathered is None)


class Exported(BaseModel):
    """A pack that was written, or that stood there already."""

    model_config = ConfigDict(frozen=True)

    pack: str
    target: str
    personas: int
    seeds: int
    checked: bool
    licenses: tuple[str, ...]
    changed: bool = True


def refuse_at_once(asked: PackConfig, path: Path | None) -> None:
    """Raises UsageError, as an export to ``path`` would, for what needs no matrix to be told."""
    _refuse_models(asked)
    _refuse_facts(asked, "--facts")
    if path is not None:
        refuse_in_use(path)


def saved_choice(config: RunConfig, name: str, targets: Sequence[str] = ()) -> PackConfig:
    """The choice saved under ``name``.  Raises UsageError where it, or one of ``targets``, is not there."""
    if name not in config.packs:
        there = nearest(name, config.packs) if config.packs else f"write it under [packs.{name}] in personas.toml"
        raise UsageError(f"--saved {name}: no such choice. {there}")
    asked = config.packs[name]
    refuse_unknown(f"packs.{name}.targets:", asked.targets, KNOWN_TARGETS)
    for target in targets:
        if target not in asked.targets:
            raise UsageError(f"--as {target}: packs.{name} has the targets {', '.join(asked.targets)}")
    _refuse_models(asked)
    _refuse_facts(asked, f"packs.{name}.facts")
    return asked


def _refuse_models(asked: PackConfig) -> None:
    for target, model in asked.models.items():
        if target not in HAVE_MODELS:
            raise UsageError(f"--model {model}: {target} has no models; {', '.join(HAVE_MODELS)} have")
        known_model(target, model)


def _refuse_facts(asked: PackConfig, setting: str) -> None:
    """Facts are a file beside each config; of the targets of a saved choice one that has configs is enough."""
    if asked.facts and not set(asked.targets) & set(HAVE_CONFIGS):
        gathered = f"{', '.join(asked.targets)}: all personas are in one file"
        raise UsageError(f"{setting}: not for {gathered}; they go beside each config of {', '.join(HAVE_CONFIGS)}")


def choice_of(version: Version, asked: PackConfig) -> Choice:
    """The personas of ``version`` that ``asked`` asks for; with their pairings where a target needs them.

    Raises UsageError where there are none, DataError where their licences may not be mixed.
    """
    plan, seeds = version.plan(), version.seeds()
    rows = version.scan()
    if MESSAGES in asked.targets:
        rows = rows.join(version.scan_pairings(), on="persona_id", maintain_order="left")
    # A chat message's frame follows from its pairing; a session's is what the app asks for.
    configs = any(target != MESSAGES for target in asked.targets)
    choice = choose(rows, plan, seeds, asked, one_of_alike=configs and asked.frame == "deploy")
    fault = mixing_fault(licenses(choice.rows))
    if fault is not None:
        raise DataError(f"these licences may not be mixed in one pack: {fault}; narrow --where to one of them")
    return choice


def licenses(rows: pl.DataFrame) -> list[str]:
    """Of the seeds."""
    return rows["license"].unique().cast(pl.String).sort().to_list()


def overview(rows: pl.DataFrame, seeds: Sequence[Seed]) -> pl.DataFrame:
    """What is shown of a choice before it is exported: a row a persona."""
    who = [(seed.id, seed.name or "", seed.role or "") for seed in seeds]
    names = pl.DataFrame(who, dict.fromkeys(("seed_id", "name", "role"), pl.String), orient="row")
    shown = ["persona_id", "seed_id", "name", "role", "lang", "scenario", "tone"]
    shown += [name for name in (LIKENESS, "sample_id") if name in rows.columns]
    return rows.join(names, on="seed_id", how="left", maintain_order="left").select(shown)


def export(
    version: Version, rows: pl.DataFrame, asked: PackConfig, target: str, path: Path, progress: bool
) -> Exported:
    """Write ``rows``, which were chosen of ``version``, to ``path`` for one target.

    Raises UsageError for a path in use or a model that is not known, DataError where licences may not be mixed.
    """
    plan, seeds, name = version.plan(), version.seeds(), version.manifest.name
    if target == MESSAGES:
        paired = rows.drop(LIKENESS, strict=False)
        pack = write_messages(path, name, paired, plan, seeds, version.samples(), asked.scenes)
    else:
        told = personas(rows.select(*COLUMNS), plan, seeds, asked.scenes)
        order = Order(target, name, asked.scenes, asked.models.get(target, ""), asked.facts)
        pack = write_pack(path, order, tqdm(told, total=rows.height, unit="config", disable=not progress))
    return Exported(pack=str(path), target=target, personas=rows.height, seeds=rows["seed_id"].n_unique(),
                    checked=pack.checked, licenses=tuple(owned.license for owned in pack.licenses))  # fmt: skip


def save_choice(out: Path, name: str, version: Version, asked: PackConfig) -> tuple[Path, tuple[str, ...]]:
    """Choose once for all targets: where the rows are kept, and what is to be said of them."""
    choice = choice_of(version, asked)
    path = out / "packs" / name / CHOICE
    if not path.is_file() or not pl.read_parquet(path).equals(choice.rows):
        write_whole(path, choice.rows.write_parquet)
    return path, choice.notes


def export_saved(version: Version, choice: Path, asked: PackConfig, target: str, progress: bool) -> Exported:
    """The pack of one target beside the saved ``choice``, written whole and only then put in the place of an older."""
    rows = pl.read_parquet(choice)
    standing = choice.parent / f"{target}{'.zip' if asked.zip else ''}"
    building = choice.parent / ".building"
    discard(building)
    building.mkdir()
    try:
        made = building / standing.name
        exported = export(version, rows, asked, target, made, progress)
        changed = not _same(made, standing)
        if changed and asked.zip:
            made.replace(standing)
        elif changed:
            replace_folder(made, standing)
        _discard_other_form(standing)
    finally:
        discard(building)
    return exported.model_copy(update={"pack": str(standing), "changed": changed})


def _same(made: Path, standing: Path) -> bool:
    """Whether what stands there is whole and what was made: a pack.json holds the hashes of all else."""
    if not standing.exists():
        return False
    if made.is_file():
        return standing.is_file() and file_sha256(made) == file_sha256(standing)
    return (standing / "pack.json").is_file() and read_pack(made) == read_pack(standing) and not pack_faults(standing)


def _discard_other_form(standing: Path) -> None:
    """A pack that was a folder and is a zip file now, or the other way, stands there once."""
    if standing.suffix == ".zip":
        discard(standing.with_suffix(""))
    else:
        standing.with_name(f"{standing.name}.zip").unlink(missing_ok=True)
