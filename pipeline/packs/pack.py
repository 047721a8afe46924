"""Write a pack: one config a persona, and pack.json with whose they are and what they must hash to."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from pipeline.errors import BrokenVersion, DataError, UsageError
from pipeline.files import discard, file_sha256, write_text
from pipeline.packs.persona import Persona
from pipeline.packs.targets import TARGETS
from pipeline.provenance import mixing_fault
from pipeline.scene_parts import SceneSettings
from pipeline.store import StoredFile

PACK_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PackedPersona(_Record):
    persona_id: int
    seed_id: str
    lang: str
    license: str
    file: str = Field(description="Relative to the pack.")
    bytes: int
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class PackedLicense(_Record):
    license: str
    authors: tuple[str, ...]
    seeds: tuple[str, ...]
    samples: tuple[str, ...] = ()


class Pack(_Record):
    """What a pack holds, from which plan, and under which licences."""

    version: int = PACK_VERSION
    target: str
    plan: str
    settings: SceneSettings
    checked: bool = Field(description="Whether each config was held against the vendor's own schema or types.")
    not_expressed: tuple[str, ...] = Field(description="What of a persona this format has no place for.")
    licenses: tuple[PackedLicense, ...]
    personas: tuple[PackedPersona, ...]
    files: tuple[StoredFile, ...] = Field((), description="Files that hold many personas; each line says whose it is.")


def write_pack(folder: Path, target: str, plan: str, settings: SceneSettings, personas: Iterable[Persona]) -> Pack:
    """Export ``personas`` to ``folder``.

    Raises UsageError for a folder in use, DataError where licences may not be mixed; a config that its vendor would
    refuse is our own bug and raises AssertionError.
    """
    with in_new_folder(folder) as packing:
        return _packed(packing, target, plan, settings, personas)


@contextmanager
def in_new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name once it is whole.  Raises UsageError where that is in use."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: not empty; name a new folder, or clear this one")
    packing = folder.with_name(f".{folder.name}.packing")
    discard(packing)
    try:
        packing.mkdir(parents=True)
        yield packing
        if folder.exists():
            folder.rmdir()
        os.sync()  # all files of a pack at once: a hundred thousand of them singly take minutes
        packing.replace(folder)
    finally:
        discard(packing)


def _packed(folder: Path, target: str, plan: str, settings: SceneSettings, personas: Iterable[Persona]) -> Pack:
    exporter = TARGETS[target]
    (folder / "configs").mkdir()
    checked = exporter.can_check()
    packed: list[PackedPersona] = []
    owners: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for persona in personas:
        authors, seeds = owners[persona.seed.license]
        authors.add(persona.seed.provenance.author)
        seeds.add(persona.seed.id)
        fault = mixing_fault(owners)
        if fault is not None:
            raise DataError(f"these licences may not be mixed in one pack: {fault}; narrow --where to one of them")
        document = exporter.export(persona)
        if checked:
            found = exporter.faults(document)
            assert not found, f"our own config is at fault: {found[0]}"
        packed.append(_write_config(folder, persona, document))
    pack = Pack(
        target=target,
        plan=plan,
        settings=settings,
        checked=checked,
        not_expressed=exporter.not_expressed,
        licenses=tuple(
            PackedLicense(license=license, authors=tuple(sorted(authors)), seeds=tuple(sorted(seeds)))
            for license, (authors, seeds) in sorted(owners.items())
        ),
        personas=tuple(packed),
    )
    write_pack_file(folder, pack)
    return pack


def write_pack_file(folder: Path, pack: Pack) -> None:
    write_text(folder / "pack.json", json.dumps(pack.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n")


def _write_config(folder: Path, persona: Persona, document: dict[str, object]) -> PackedPersona:
    # Seed ids are slugs of at most 64 characters by their schema, so the name is safe on every file system.
    name = f"configs/{persona.seed.id}-{persona.id}.json"
    content = to_json(document, indent=2) + b"\n"
    (folder / name).write_bytes(content)
    return PackedPersona(
        persona_id=persona.id,
        seed_id=persona.seed.id,
        lang=persona.seed.lang,
        license=persona.seed.license,
        file=name,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def pack_faults(folder: Path) -> list[str]:
    """What in a pack is not as its pack.json says."""
    try:
        pack = Pack.model_validate_json((folder / "pack.json").read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{folder}: neither a matrix version nor a pack: no manifest.json, no pack.json") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise BrokenVersion(f"{folder / 'pack.json'}: not a pack: {error}") from error
    faults = []
    held = [(packed.file, packed.sha256) for packed in pack.personas] + [
        (file.path, file.sha256) for file in pack.files
    ]
    for name, sha256 in held:
        if not (folder / name).is_file():
            faults.append(f"{name}: missing")
        elif file_sha256(folder / name) != sha256:
            faults.append(f"{name}: its bytes have changed (SHA-256 differs)")
    known = {"pack.json", *(name for name, _ in held)}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in known:
            faults.append(f"{name}: not in pack.json")
    return faults
