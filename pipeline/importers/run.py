"""Run an importer: seeds to one file, rejected records with their reasons to another; counts add up."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.documents import REJECTS, canonical_json
from pipeline.errors import UsageError
from pipeline.importers.settings import Imported, ImportSettings, Rejected
from pipeline.importers.text_jsonl import read_text_jsonl

Importer = Callable[[Path, ImportSettings], Iterator[Imported | Rejected]]

IMPORTERS: dict[str, Importer] = {"text-jsonl": read_text_jsonl}


class ImportResult(BaseModel):
    """``read`` = ``imported`` + the sum of ``rejected``."""

    model_config = ConfigDict(frozen=True)

    read: int
    imported: int
    rejected: dict[str, int]
    seeds_file: str
    rejects_file: str


def run_import(name: str, source: Path, target: Path, settings: ImportSettings) -> ImportResult:
    """Stream ``source`` through the importer ``name`` to ``target`` and ``target``.rejects.jsonl."""
    if not source.is_file():
        raise UsageError(f"{source}: no such file; name the file to import")
    rejects = target.with_name(f"{target.name}{REJECTS}")
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons: Counter[str] = Counter()
    imported = 0
    partial, partial_rejects = target.with_name(f".{target.name}.tmp"), rejects.with_name(f".{rejects.name}.tmp")
    with partial.open("w", encoding="utf-8") as seeds, partial_rejects.open("w", encoding="utf-8") as left_out:
        for result in IMPORTERS[name](source, settings):
            if isinstance(result, Imported):
                record = result.seed.model_dump(mode="json", by_alias=True, exclude_unset=True)
                seeds.write(canonical_json(record) + "\n")
                imported += 1
            else:
                left_out.write(canonical_json({"file": str(source), **result._asdict()}) + "\n")
                reasons[result.reason] += 1
    partial.replace(target)
    partial_rejects.replace(rejects)
    return ImportResult(
        read=imported + reasons.total(),
        imported=imported,
        rejected=dict(sorted(reasons.items())),
        seeds_file=str(target),
        rejects_file=str(rejects),
    )
