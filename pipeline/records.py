"""Records of JSON-lines files: each line held against its JSON Schema, then against the rules across its fields."""

import gc
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.documents import TOO_DEEP, Line, find_files, json_lines
from pipeline.errors import Fault

R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Placed(Generic[R]):
    """A record, and where it stands.

    ``broken`` names the top-level fields that do not meet the schema; they are left out of ``record``, or stand-ins
    where the model cannot do without, so that one reading finds the faults of the other fields too.
    """

    file: str
    line: int
    record: R
    broken: frozenset[str] = frozenset()

    def fault(self, field: str, problem: str, remedy: str) -> Fault:
        return Fault(self.file, self.line, field, problem, remedy)

    def own(self, faults: Iterable[Fault]) -> list[Fault]:
        """Those of ``faults`` that are about what the file gives, not about a stand-in."""
        return [fault for fault in faults if _top(fault.field) not in self.broken]


@dataclass(frozen=True)
class Kind(Generic[R]):
    """One kind of record: its schema's name, its model, its own rules, and values for what its model requires."""

    schema: str
    model: type[R]
    stand_ins: Mapping[str, Any]
    cross_field: Callable[[Placed[R]], Iterable[Fault]] = lambda _: ()


def read_records(kind: Kind[R], paths: Sequence[Path]) -> tuple[list[Placed[R]], list[Fault]]:
    """All records under ``paths`` that can be read at all, in file and line order, and every fault of every file."""
    faults: list[Fault] = []
    with _no_garbage_collection():
        return list(stream_records(kind, paths, faults)), faults


def stream_records(kind: Kind[R], paths: Sequence[Path], faults: list[Fault]) -> Iterator[Placed[R]]:
    """The same one by one, so that memory holds one; what is wrong is added to ``faults``."""
    first: dict[str, str] = {}
    for path in find_files(paths, (".jsonl",)):
        for line in json_lines(path, faults):
            faults += _doubled_id(kind, str(path), line, first)
            placed = _placed(kind, str(path), line, faults)
            if placed is not None:
                faults += placed.own(kind.cross_field(placed))
                yield placed


def _placed(kind: Kind[R], file: str, line: Line, faults: list[Fault]) -> Placed[R] | None:
    from pipeline.schema_check import (  # jsonschema, which who only reads a plan can do without
        field_name,
        schema_faults,
    )

    found = schema_faults(kind.schema, line.document, file, line.number)
    placed = None
    for _ in range(2):  # once with what meets the schema, then without what the model refuses
        if found and (not isinstance(line.document, dict) or found[0].problem == TOO_DEEP[0]):
            break
        sound, broken = _sound_part(kind, line.document, found) if found else (None, frozenset[str]())
        try:
            record = kind.model.model_validate_json(json.dumps(sound) if found else line.raw)
        except ValidationError as error:  # what the model knows and a schema cannot say: a licence that is none
            found += [
                Fault(file, line.number, field_name(e["loc"]), e["msg"], f"See schemas/{kind.schema}.schema.json.")
                for e in error.errors()
            ]
        else:
            placed = Placed(file, line.number, record, broken)
            break
    faults += found
    return placed


def _sound_part(kind: Kind[R], document: dict[str, Any], faults: list[Fault]) -> tuple[dict[str, Any], frozenset[str]]:
    known = {field.alias or name for name, field in kind.model.model_fields.items()}
    broken = {_top(fault.field) for fault in faults} | (kind.stand_ins.keys() - document.keys())
    sound = {name: value for name, value in document.items() if name in known and name not in broken}
    return {**kind.stand_ins, **sound}, frozenset(broken - {""})


def _doubled_id(kind: Kind[R], file: str, line: Line, first: dict[str, str]) -> Iterator[Fault]:
    record_id = line.document.get("id") if isinstance(line.document, dict) else None
    if isinstance(record_id, str):
        here = f"{file}:{line.number}"
        taken = first.setdefault(record_id, here)
        if taken != here:
            problem, remedy = f"{record_id!r} is taken by {taken}", f"Give this {kind.schema} an id of its own."
            yield Fault(file, line.number, "id", problem, remedy)


def _top(field: str) -> str:
    return field.partition(".")[0].partition("[")[0]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Ten thousand seeds are a million objects, none of them garbage: looking through them takes half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
