"""The JSON Schemas of our records, generated from the models that are authoritative for them."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pipeline.axis_files import FILE_KINDS
from pipeline.config import RunConfig
from pipeline.conversations import Sample
from pipeline.packs.pack import Pack
from pipeline.seeds import Seed
from pipeline.store import Manifest

DRAFT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: dict[str, type[BaseModel]] = {
    "seed": Seed,
    "run": RunConfig,
    "manifest": Manifest,
    "pack": Pack,
    "sample": Sample,
}


def schemas() -> dict[str, dict[str, Any]]:
    """File name (without suffix) to schema."""
    documents = {name: model.model_json_schema(by_alias=True) for name, model in RECORDS.items()}
    _, documents["axes"] = models_json_schema([(model, "validation") for model in FILE_KINDS.values()], by_alias=True)
    return {name: {"$schema": DRAFT, **document} for name, document in sorted(documents.items())}


def schema_files(folder: Path) -> dict[Path, str]:
    return {
        folder / f"{name}.schema.json": json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        for name, document in schemas().items()
    }


def write_schemas(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in schema_files(folder).items():
        path.write_text(text, "utf-8")


def drifted(folder: Path) -> list[Path]:
    """Schema files that differ from what the models say, or that no model stands behind."""
    wanted = schema_files(folder)
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    return stale + sorted(set(folder.glob("*.schema.json")) - set(wanted))
