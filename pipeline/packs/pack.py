"""Write a pack: configs, what is sent during a session, and pack.json with whose they are and what they hash to."""

import hashlib
import lzma
import os
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import to_json

from pipeline.config import SceneSettings
from pipeline.errors import BrokenVersion, DataError, UsageError
from pipeline.files import discard, file_sha256, write_text, write_whole
from pipeline.packs.facts import facts
from pipeline.packs.notices import Owners, attribution, readme
from pipeline.packs.persona import Persona
from pipeline.packs.shortening import fitted, size
from pipeline.packs.target import Document, Target
from pipeline.packs.targets import TARGETS
from pipeline.provenance import mixing_fault
from pipeline.store import StoredFile, described

PACK_VERSION = 3


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# A pack may have a hundred thousand of these two: with slots they take a fifth of the memory of models.
@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class PackedFile:
    path: Annotated[str, Field(description="Relative to the pack.")]
    bytes: int
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class PackedPersona:
    persona_id: int
    seed_id: str
    lang: str
    license: str
    left_out: Annotated[
        tuple[str, ...], Field(description="Parts of the scene that are not in it, for want of room.")
    ] = ()
    files: Annotated[
        tuple[PackedFile, ...], Field(description="Its config, what is sent during a session, its facts.")
    ] = ()


class PackedLicense(_Record):
    license: str
    authors: tuple[str, ...]
    seeds: tuple[str, ...]
    samples: tuple[str, ...] = ()


class Pack(_Record):
    """What a pack holds, from which plan, and under which licences."""

    version: int = PACK_VERSION
    target: str
    model: str = Field("", description="The vendor's model that the configs are written for.")
    plan: str
    settings: SceneSettings
    checked: bool = Field(description="Whether each config was held against the vendor's own schema or types.")
    not_expressed: tuple[str, ...] = Field(description="What of a persona this format has no place for.")
    limit: str | None = Field(None, description="How long instructions may be, and who says so.")
    voices: str | None = Field(None, description="Where the vendor lists the voices that were chosen from.")
    licenses: tuple[PackedLicense, ...]
    personas: tuple[PackedPersona, ...]
    files: tuple[StoredFile, ...] = Field((), description="Files that hold many personas; each line says whose it is.")
    notices: tuple[PackedFile, ...] = Field((), description="README.md and ATTRIBUTION.md.")
    sha256: str = Field("", description="Of pack.json itself, with nothing here.")


class Order(NamedTuple):
    """What is asked of an export."""

    target: str
    plan: str
    settings: SceneSettings = SceneSettings()
    model: str = ""
    facts: bool = False


def write_pack(path: Path, order: Order, personas: Iterable[Persona]) -> Pack:
    """Export ``personas`` to the folder ``path``, or to one file where it ends in .zip.

    Raises UsageError for a path in use or a model that is not known, DataError where licences may not be mixed; a
    config that its vendor would refuse is our own bug and raises AssertionError.
    """
    target, model = TARGETS[order.target], known_model(order.target, order.model)
    with in_new_place(path) as packing:
        return _packed(packing, order._replace(model=model), target, personas)


def known_model(target: str, model: str) -> str:
    """The vendor's own id of ``model``, or of the default where it is empty.  Raises UsageError for another."""
    known = TARGETS[target]
    found = known.also_called.get(model, model) or known.models[0]
    if found not in known.models:
        names = ", ".join(known.models) if any(known.models) else "none: leave --model out"
        raise UsageError(f"--model {model}: {target} knows {names}")
    return found


def refuse_in_use(path: Path) -> None:
    """Raises UsageError where something has the name ``path`` that a pack would replace."""
    if path.exists() and (path.suffix == ".zip" or not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path}: in use and not empty; name a new folder or .zip file, or clear this one")


@contextmanager
def in_new_place(path: Path) -> Iterator[Path]:
    """A folder to fill; once it is whole it takes the name ``path``, or becomes the zip file of that name.

    Raises UsageError where the name is in use.
    """
    refuse_in_use(path)
    zipped = path.suffix == ".zip"
    packing = path.with_name(f".{path.name}.packing")
    discard(packing)
    try:
        packing.mkdir(parents=True)
        yield packing
        if zipped:
            _zip(packing, path)
            return
        if path.exists():
            path.rmdir()
        os.sync()  # all files of a pack at once: a hundred thousand of them singly take minutes
        packing.replace(path)
    finally:
        discard(packing)


def _zip(folder: Path, path: Path) -> None:
    """Stored, not deflated, and without times: the bytes of a pack must not depend on a machine's zlib or clock."""

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    name = zipfile.ZipInfo(f"{path.stem}/{file.relative_to(folder).as_posix()}")
                    name.external_attr = 0o644 << 16
                    archive.writestr(name, file.read_bytes())

    write_whole(path, write)


class _Packing:
    """Documents of personas as they are asked for, and what a pack must say of them."""

    def __init__(self, order: Order, target: Target) -> None:
        self.order, self.target = order, target
        self.checked = target.can_check()
        self.personas: list[PackedPersona] = []
        self.owners: Owners = defaultdict(lambda: defaultdict(set))

    @property
    def folders(self) -> list[str]:
        """Of the files that each persona has."""
        made = {"configs": True, "during": self.target.during, "facts": self.order.facts}
        return [name for name, wanted in made.items() if wanted]

    def documents(self, personas: Iterable[Persona]) -> Iterator[tuple[Persona, Document, tuple[str, ...]]]:
        for whole in personas:
            self._own(whole)
            persona, left_out = fitted(whole, self.target.limit)
            document = self.target.export(persona, self.order.model)
            limit = self.target.limit
            assert limit is None or size(self.target.instructions(document), limit) <= limit.size, (
                "longer than the limit"
            )
            if self.checked:
                found = self.target.faults(document, self.order.model)
                assert not found, f"our own config is at fault: {found[0]}"
            yield persona, document, left_out

    def _own(self, persona: Persona) -> None:
        known = len(self.owners)
        self.owners[persona.seed.license][persona.seed.provenance.author].add(persona.seed.id)
        fault = mixing_fault(self.owners) if len(self.owners) > known else None
        if fault is not None:
            raise DataError(f"these licences may not be mixed in one pack: {fault}; narrow --where to one of them")

    def during(self, persona: Persona) -> Document:
        """What is said and sent after the session has begun."""
        target = self.target
        events = {
            "greeting": target.greeting(persona) if target.greeting is not None else None,
            "anchor": target.anchor(persona, self.order.model) if target.anchor is not None else None,
        }
        reading = target.reading(persona) if target.reading is not None else None
        if self.checked:
            found = [fault for event in events.values() if event for fault in self._event_faults(event)]
            if reading is not None and target.reading_faults is not None:
                found += target.reading_faults(reading)
            assert not found, f"our own event is at fault: {found[0]}"
        return {"anchor_text": persona.anchor, **events, **({} if reading is None else {"reading": reading})}

    def _event_faults(self, event: Document) -> list[Any]:
        return self.target.event_faults(event) if self.target.event_faults is not None else []

    def licenses(self) -> tuple[PackedLicense, ...]:
        return tuple(
            PackedLicense(license=license, authors=tuple(sorted(by_author)),
                          seeds=tuple(sorted(set().union(*by_author.values()))))
            for license, by_author in sorted(self.owners.items())
        )  # fmt: skip


def _packed(folder: Path, order: Order, target: Target, personas: Iterable[Persona]) -> Pack:
    packing = _Packing(order, target)
    files: tuple[StoredFile, ...] = ()
    if target.gathered is None:
        for name in packing.folders:
            (folder / name).mkdir()
        for persona, document, left_out in packing.documents(personas):
            packing.personas.append(_write_persona(folder, packing, persona, document, left_out))
    else:
        path = folder / target.gathered.name
        with path.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(target.gathered.lines(_noted(packing, personas)))
        files = (described(folder, path, len(packing.personas)),)
    voices = target.voices_of(order.model)
    pack = Pack(
        target=order.target,
        model=order.model,
        plan=order.plan,
        settings=order.settings,
        checked=packing.checked,
        not_expressed=target.not_expressed,
        limit=f"{target.limit.size:,} {target.limit.unit}: {target.limit.source}" if target.limit else None,
        voices=voices.source if voices else None,
        licenses=packing.licenses(),
        personas=tuple(packing.personas),
        files=files,
    )
    usage = readme(pack, target.imports, target.client, len(pack.personas), reading=target.reading is not None,
                   left_to_app=target.left_to_app)  # fmt: skip
    return write_pack_file(folder, pack, usage, attribution(packing.owners))


def _noted(packing: _Packing, personas: Iterable[Persona]) -> Iterator[Document]:
    for persona, document, left_out in packing.documents(personas):
        packing.personas.append(_record(persona, left_out, ()))
        yield document


def _record(persona: Persona, left_out: tuple[str, ...], files: tuple[PackedFile, ...]) -> PackedPersona:
    seed = persona.seed
    return PackedPersona(persona_id=persona.id, seed_id=seed.id, lang=seed.lang, license=seed.license,
                         left_out=left_out, files=files)  # fmt: skip


def _write_persona(
    folder: Path, packing: _Packing, persona: Persona, document: Document, left_out: tuple[str, ...]
) -> PackedPersona:
    # Seed ids are slugs of at most 64 characters by their schema, so the name is safe on every file system.
    name = f"{persona.seed.id}-{persona.id}"
    contents = {f"configs/{name}{suffix}": content for suffix, content in packing.target.files(document).items()}
    if packing.target.during:
        contents[f"during/{name}.json"] = as_json_bytes(packing.during(persona))
    if packing.order.facts:
        contents[f"facts/{name}.json"] = as_json_bytes(facts(persona))
    return _record(persona, left_out, tuple(_write(folder, path, content) for path, content in contents.items()))


def as_json_bytes(document: Document | Pack) -> bytes:
    return to_json(document, indent=2) + b"\n"


def _write(folder: Path, name: str, content: bytes) -> PackedFile:
    with open(f"{folder}/{name}", "xb") as stream:  # a Path would cost as much as the system takes for the file
        stream.write(content)
    return PackedFile(path=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def write_pack_file(folder: Path, pack: Pack, readme: str, attribution: str) -> Pack:
    """Write the notices and, last, pack.json with their checksums."""
    notices = {"ATTRIBUTION.md": attribution, "README.md": readme}
    written = tuple(_write(folder, name, text.encode()) for name, text in notices.items())
    whole = _sealed(pack.model_copy(update={"notices": written}))
    write_text(folder / "pack.json", as_json_bytes(whole).decode())
    return whole


def _sealed(pack: Pack) -> Pack:
    """With the hash of itself, so that not even its own text can change unseen."""
    bare = pack.model_copy(update={"sha256": ""})
    return pack.model_copy(update={"sha256": hashlib.sha256(as_json_bytes(bare)).hexdigest()})


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        return sorted(file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file())

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def sha256(self, name: str) -> str:
        return file_sha256(self.path / name)


# What zipfile raises of a damaged archive: besides its own error those of a compression or encryption that a changed
# byte pretends, and of places in the file that are none.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, OSError)


class _Zip:
    """A zip file holds one folder, of whatever name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise BrokenVersion(f"{path}: a damaged zip file: {error}") from error
        held = [name for name in self.archive.namelist() if not name.endswith("/")]
        self.full = {name.partition("/")[2]: name for name in held}
        if len(self.full) < len(held):
            raise BrokenVersion(f"{path}: more than one folder, or one file more than once; a pack is one folder")

    def names(self) -> list[str]:
        return sorted(self.full)

    def read(self, name: str) -> bytes:
        if name not in self.full:
            raise FileNotFoundError(name)
        try:
            return self.archive.read(self.full[name])
        except DAMAGE as error:
            raise BrokenVersion(f"{self.path}: {name} is damaged: {error}") from error

    def sha256(self, name: str) -> str:
        """Of a file that is damaged, none."""
        try:
            return hashlib.sha256(self.read(name)).hexdigest()
        except BrokenVersion:
            return ""


def _opened(path: Path) -> _Folder | _Zip:
    if path.is_dir():
        return _Folder(path)
    if zipfile.is_zipfile(path):
        return _Zip(path)
    cut = ", or one cut short" if path.suffix == ".zip" and path.is_file() else ""
    raise UsageError(f"{path}: neither a folder nor a zip file{cut}; name a pack")


def read_pack(path: Path) -> Pack:
    """What the pack at ``path`` says of itself.  Raises UsageError where there is none, BrokenVersion if unreadable."""
    return _pack_of(_opened(path), path)


def _pack_of(held: _Folder | _Zip, path: Path) -> Pack:
    try:
        return Pack.model_validate_json(held.read("pack.json"))
    except FileNotFoundError:
        raise UsageError(f"{path}: neither a matrix version nor a pack: no manifest.json, no pack.json") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise BrokenVersion(f"{path / 'pack.json'}: not a pack: {error}") from error


def read_file(path: Path, name: str) -> bytes:
    """One file of the pack at ``path``."""
    return _opened(path).read(name)


def extract(path: Path, folder: Path) -> None:
    """The zip file ``path`` into ``folder``.  Raises BrokenVersion where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    except DAMAGE as error:
        raise BrokenVersion(f"{path}: {error}; `personas verify` names each file that is damaged") from error


def pack_faults(path: Path) -> list[str]:
    """What in a pack is not as its pack.json says."""
    held = _opened(path)
    pack = _pack_of(held, path)
    said = {file.path: file.sha256 for persona in pack.personas for file in persona.files}
    said |= {file.path: file.sha256 for file in pack.files} | {file.path: file.sha256 for file in pack.notices}
    there = held.names()
    faults = []
    if held.read("pack.json") != as_json_bytes(_sealed(pack)):
        faults.append("pack.json: its bytes have changed (SHA-256 differs)")
    for name, sha256 in said.items():
        if name not in there:
            faults.append(f"{name}: missing")
        elif held.sha256(name) != sha256:
            faults.append(f"{name}: its bytes have changed (SHA-256 differs)")
    return faults + [f"{name}: not in pack.json" for name in there if name not in {"pack.json", *said}]
