"""Read JSON lines, and say where each fault is."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pipeline.errors import Fault, UsageError

# A seed is about 3.5 kB.  A line of a megabyte is no seed, and parsing ten of them would hide the fault from the user.
MAX_LINE_BYTES = 1_000_000
REJECTS = ".rejects.jsonl"  # what an importer set aside; it lies beside the seeds and is none of them
BOM = b"\xef\xbb\xbf"
TOO_DEEP = ("nested too deeply", "A record nests five levels at most.")


class Line(NamedTuple):
    number: int
    raw: bytes
    document: Any


def refuse_unknown(option: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raises UsageError for the first of an option's ``names`` that is none of the few ``known``, and lists these."""
    for name in names:
        if name not in known:
            raise UsageError(f"{option} {name}: not known; choose one of {', '.join(sorted(known))}")


def find_files(paths: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """All files under ``paths`` with one of ``suffixes``, in a stable order."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found_here = (p for p in path.rglob("*") if p.suffix in suffixes and not p.name.endswith(REJECTS))
            inside = sorted(p for p in found_here if p.is_file())
            if not inside:
                raise UsageError(f"{path}: holds no {' or '.join(suffixes)} file; name a file or another folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder; check the path")
    return list(dict.fromkeys(found))


def json_lines(path: Path, faults: list[Fault]) -> Iterator[Line]:
    """The objects of a JSON-lines file; what cannot be read as one is added to ``faults``."""
    file, empty = str(path), True
    with path.open("rb") as stream:
        for number, read in enumerate(bounded_lines(stream), 1):
            raw = read.removeprefix(BOM) if number == 1 else read
            if raw != read:
                faults.append(Fault(file, 1, "", "begins with a byte order mark", "Save it as UTF-8 without BOM."))
            if not raw.strip():
                continue
            empty = False
            if len(raw) > MAX_LINE_BYTES:
                problem = f"the line is longer than {MAX_LINE_BYTES:,} bytes"
                remedy = "Put one record on a line; a record is a few kilobytes."
                faults.append(Fault(file, number, "", problem, remedy))
                continue
            line = json_line(file, number, raw, faults)
            if line is not None:
                yield line
    if empty:
        faults.append(Fault(file, 0, "", "holds no record", "Add records, or delete the file."))


def bounded_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines, of which those longer than MAX_LINE_BYTES are cut off one byte after it."""
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        yield raw


def json_line(file: str, number: int, raw: bytes, faults: list[Fault]) -> Line | None:
    """The line as a document; None where it is none, which is added to ``faults``."""
    try:
        document = _document(raw)
    except UnicodeDecodeError as error:
        faults.append(Fault(file, number, "", f"not UTF-8 at byte {error.start}", "Save the file as UTF-8."))
    except RecursionError:
        faults.append(Fault(file, number, "", *TOO_DEEP))
    except UnicodeEncodeError:
        faults.append(Fault(file, number, "", "holds half of a surrogate pair", "Write the character itself."))
    except ValueError as error:
        faults.append(Fault(file, number, "", f"not valid JSON: {error}", "Write one JSON object on the line."))
    else:
        return Line(number, raw, document)
    return None


def _document(raw: bytes) -> Any:
    document = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique_keys)
    if b"\\u" in raw:  # an escape may be half a character, which is no text and cannot be printed
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    return document


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        doubled = Counter(keys).most_common(1)[0][0]
        raise ValueError(f"the key {doubled!r} stands twice in one object")
    return dict(pairs)


def canonical_json(document: Mapping[str, Any]) -> str:
    """One spelling for one document: what is hashed and what is compared."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
