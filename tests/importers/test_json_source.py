import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import MAX_LINE_BYTES
from pipeline.importers import json_source
from pipeline.importers.json_source import lines, records
from pipeline.importers.settings import Rejected
from pipeline.importers.source import Source
from tests.conftest import JSON

BOM = b"\xef\xbb\xbf"
TRICKY = JSON | st.text(st.sampled_from('\\"[]{},:\n'), max_size=8)


def seen(folder: Path, raw: bytes, read: Any = records) -> list[tuple[int, Any]]:
    """Line and document, or line and reason."""
    path = folder / "source.json"
    path.write_bytes(raw)
    return [
        (found.line, found.reason) if isinstance(found, Rejected) else (found.line, found.document)
        for found in read(Source(path, path.name))
    ]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", []),
        (b" \n\n", []),
        (b"[]", []),
        (BOM + b"\n [ ]\n", []),
        (b'[{"a": 1}]', [(1, {"a": 1})]),
        (BOM + b'\n[\n{"a":\n1}\n,\n\n"b",[\n{}]\n]\n', [(3, {"a": 1}), (7, "b"), (7, [{}])]),
        (b'["[", "]", "\\"", "\\\\", ","]', [(1, "["), (1, "]"), (1, '"'), (1, "\\"), (1, ",")]),
        (b'{"a": 1}\n\n{"b": 2}', [(1, {"a": 1}), (3, {"b": 2})]),
        (BOM + b"1\n2", [(1, 1), (2, 2)]),
        (b"[1,,2,]", [(1, 1), (1, 2)]),
    ],
)
def test_records_are_lines_or_the_elements_of_an_array(tmp_path: Path, raw: bytes, found: list[Any]) -> None:
    assert seen(tmp_path, raw) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'[{"a": 1},\n{"b": ', [(1, {"a": 1}), (2, "not_json")]),
        (b'[{"a": 1},\n{"b": 2}', [(1, {"a": 1}), (2, {"b": 2}), (2, "not_json")]),
        (b'[{"a": 1},\n', [(1, {"a": 1}), (2, "not_json")]),
        (b"[", [(1, "not_json")]),
        (b'["a', [(1, "not_json")]),
        (b'[{"a": 1]\n,\n{"b": 2}]', [(1, "not_json"), (3, {"b": 2})]),
        (b"[}, 1]", [(1, "not_json"), (1, 1)]),
        (b"[bad, 1]", [(1, "not_json"), (1, 1)]),
        (b'[{"a": 1, "a": 2}, 1]', [(1, "not_json"), (1, 1)]),
        (b'["caf\xe9", "\\ud800", 1]', [(1, "not_json"), (1, "not_json"), (1, 1)]),
        (b"[1]\n[2]", [(1, 1), (2, "not_json")]),
        (b"[1] \n ", [(1, 1)]),
        (b"[" * 100_000, [(1, "not_json")]),
        (b"\xff\xfe[\x001\x00]\x00", [(1, "not_json")]),
    ],
)
def test_a_fault_costs_the_record_it_is_in(tmp_path: Path, raw: bytes, found: list[Any]) -> None:
    assert seen(tmp_path, raw) == found


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 16])
@given(documents=st.lists(TRICKY, max_size=4), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_an_array_is_read_alike_wherever_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, size: int, documents: list[Any], indent: int | None, ascii_only: bool
) -> None:
    raw = json.dumps(documents, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_source, "CHUNK", size)
        found = seen(tmp_path_factory.getbasetemp(), raw)
    expected = [_as_read(document) for document in documents]
    assert [repr(document) for _, document in found] == [repr(document) for document in expected]
    if indent:  # every element begins a line of its own
        lines = raw.decode("utf-8", "surrogatepass").split("\n")
        assert all(lines[line - 1].startswith(" ") for line, _ in found)


def _as_read(document: object) -> Any:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "not_json"
    return json.loads(json.dumps(document))


@given(raw=st.binary(max_size=60) | st.text(st.sampled_from('[]{},"\\ \n1'), max_size=40).map(str.encode))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    for read in (lines, records):
        found = seen(tmp_path_factory.getbasetemp(), raw, read)
        numbers = [number for number, _ in found]
        assert numbers == sorted(numbers)
        assert all(1 <= number <= raw.count(b"\n") + 1 for number in numbers)


@pytest.mark.parametrize("kind", ["lines", "array"])
def test_a_record_that_is_too_long_is_passed_over(tmp_path: Path, kind: str) -> None:
    long = b'"' + b"x" * (3 * MAX_LINE_BYTES) + b'"'
    longest = b'"' + b"y" * (MAX_LINE_BYTES - 3) + b'"'
    raw = b"\n".join((b"1", long, longest, b"2")) if kind == "lines" else b"[1,\n" + long + b",\n" + longest + b",\n2]"
    (first, refused, kept, last) = seen(tmp_path, raw)
    assert (first, refused, kept[0], last) == ((1, 1), (2, "record_too_long"), 3, (4, 2))


@pytest.mark.parametrize("endless", [b'"' + b"x" * 30_000_000, b"[" * 200_000 + b" " * 30_000_000, b" " * 30_000_000])
def test_a_record_without_end_does_not_fill_the_memory(tmp_path: Path, endless: bytes) -> None:
    (tmp_path / "endless").write_bytes(b"[" + endless)
    tracemalloc.start()
    found = list(records(Source(tmp_path / "endless", "endless")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [type(answer) for answer in found] == [Rejected]
    assert peak < 8_000_000
