"""Read JSON lines and YAML, and say where each fault is."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from pipeline.errors import Fault, UsageError

# A seed is about 3.5 kB.  A line of a megabyte is no seed, and parsing ten of them would hide the fault from the user.
MAX_LINE_BYTES = 1_000_000
REJECTS = ".rejects.jsonl"  # what an importer set aside; it lies beside the seeds and is none of them
BOM = b"\xef\xbb\xbf"
TOO_DEEP = ("nested too deeply", "A record nests five levels at most.")

TEXT_TAG = "tag:yaml.org,2002:str"
MAX_DEPTH = 20

ODD_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("binary", "set", "omap", "pairs"))

if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _YamlLoader(Composer, CParser, Resolver):
        """libyaml's parser is eight times as fast; its composer overruns the stack where nesting is deep."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            Resolver.__init__(self)

else:
    _YamlLoader = yaml.SafeLoader  # type: ignore[assignment, misc]


class Line(NamedTuple):
    number: int
    raw: bytes
    document: Any


def nearest(wanted: str, known: Iterable[str]) -> str:
    """What to do about an id that is not known: the one that was meant, or what there is."""
    names = sorted(known)
    close = get_close_matches(wanted, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(names[:40])}."


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


class YamlFile:
    """A YAML document that knows on which line each of its fields stands."""

    def __init__(self, path: Path, faults: list[Fault]) -> None:
        self.file = str(path)
        self.document: Any = None
        self._root: yaml.Node | None = None
        try:
            self._root = _YamlLoader(path.read_text("utf-8")).get_single_node()
            found = [] if self._root is None else list(_misread(self.file, self._root))
            faults += found
            if self._root is not None and not found:
                self.document = yaml.constructor.SafeConstructor().construct_document(self._root)
        except RecursionError:
            faults.append(Fault(self.file, 0, "", "nested too deeply", f"Axes nest {MAX_DEPTH} levels at most."))
        except UnicodeDecodeError as error:
            faults.append(Fault(self.file, 0, "", f"not UTF-8 at byte {error.start}", "Save the file as UTF-8."))
        except ValueError as error:  # a tag such as !!int on what is none
            faults.append(Fault(self.file, 0, "", f"not valid YAML: {error}", "Write the value without its tag."))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "cannot be read"
            faults.append(
                Fault(self.file, mark.line + 1 if mark else 0, "", f"not valid YAML: {problem}", "Mend the syntax.")
            )

    def line(self, path: Iterable[str | int]) -> int:
        node, line = self._root, 1
        for part in path:
            node = _child(node, part)
            if node is None:
                break
            line = node.start_mark.line + 1
        return line


def _misread(file: str, root: yaml.Node) -> Iterator[Fault]:
    """What YAML would silently read as something else than what is written."""
    waiting: list[tuple[yaml.Node, frozenset[int]]] = [(root, frozenset())]
    while waiting:
        node, above = waiting.pop()
        line = node.start_mark.line + 1
        if id(node) in above or len(above) > MAX_DEPTH:
            problem = "a recursive value" if id(node) in above else "nested too deeply"
            yield Fault(file, line, "", problem, "Write each value where it stands.")
            continue
        above |= {id(node)}
        if node.tag in ODD_TAGS:
            yield Fault(file, line, "", f"a value of the tag {node.tag}", "Write the value without its tag.")
        if isinstance(node, yaml.SequenceNode):
            waiting += [(child, above) for child in node.value]
        elif isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            for key, value in node.value:
                if key.tag != TEXT_TAG:
                    yield Fault(file, key.start_mark.line + 1, "", f"the key {key.value} is not text", "Quote it.")
                elif keys.count(key.value) > 1:
                    keys.remove(key.value)
                    problem = f"the key {key.value!r} stands twice"
                    yield Fault(file, key.start_mark.line + 1, "", problem, "Keep one of them.")
                waiting.append((value, above))
        elif node.tag == "tag:yaml.org,2002:timestamp":
            yield Fault(file, line, "", f"{node.value} is read as a date", "Quote it.")


def _child(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]  # type: ignore[no-any-return]
    return None


def canonical_json(document: Mapping[str, Any]) -> str:
    """One spelling for one document: what is hashed and what is compared."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
