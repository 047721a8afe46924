import json
import tracemalloc
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import MAX_LINE_BYTES, canonical_json, find_files, json_lines, refuse_unknown
from pipeline.errors import Fault, UsageError
from tests.conftest import JSON


def read(path: Path, raw: bytes) -> tuple[list[tuple[int, Any]], list[Fault]]:
    path.write_bytes(raw)
    faults: list[Fault] = []
    lines = [(line.number, line.document) for line in json_lines(path, faults)]
    return lines, faults


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


def test_records_carry_the_number_of_their_line_in_the_file(path: Path) -> None:
    lines, faults = read(path, b'{"a": 1}\n\n  \r\n{"a": 2}\r\n{"a": 3}')
    assert lines == [(1, {"a": 1}), (4, {"a": 2}), (5, {"a": 3})]
    assert faults == []


def deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("raw", "problem", "remedy"),
    [
        (b'{"a": 1', "not valid JSON: Expecting ',' delimiter", "Write one JSON object on the line."),
        (b'{"a": 1}}', "not valid JSON: Extra data", "Write one JSON object on the line."),
        (b"{'a': 1}", "not valid JSON: Expecting property name", "Write one JSON object on the line."),
        (b'{"a": "\x01"}', "not valid JSON: Invalid control character", "Write one JSON object on the line."),
        (b'{"a": 1, "b": 2, "a": 1}', "the key 'a' stands twice in one object", "Write one JSON object"),
        (b'{"a": [{"b": 1, "b": 2}]}', "the key 'b' stands twice in one object", "Write one JSON object"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON: Exceeds the limit", "Write one JSON object on the line."),
        (b'{"a": "\\ud83d"}', "holds half of a surrogate pair", "Write the character itself."),
        (b'{"\\ude00": 1}', "holds half of a surrogate pair", "Write the character itself."),
        (deep(100_000), "nested too deeply", "A record nests five levels at most."),
        ('{"a": "é"}'.encode("latin-1"), "not UTF-8 at byte 7", "Save the file as UTF-8."),
        ('{"a": "中"}'.encode("gbk"), "not UTF-8 at byte 7", "Save the file as UTF-8."),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8 at byte 7", "Save the file as UTF-8."),
        (b'"' + b"x" * MAX_LINE_BYTES + b'"', "longer than 1,000,000 bytes", "Put one record on a line"),
    ],
)
def test_an_unreadable_line_is_one_fault_and_the_lines_around_it_are_read(
    path: Path, raw: bytes, problem: str, remedy: str
) -> None:
    lines, (fault,) = read(path, b'{"n": 1}\n' + raw + b'\n{"n": 3}\n')
    assert lines == [(1, {"n": 1}), (3, {"n": 3})]
    assert (fault.file, fault.line) == (str(path), 2)
    assert problem in fault.problem
    assert fault.remedy.startswith(remedy)


def test_utf_16_is_named_as_a_wrong_encoding(path: Path) -> None:
    lines, faults = read(path, '{"a": 1}\n{"a": 2}\n'.encode("utf-16"))
    assert lines == []
    assert faults[0] == Fault(str(path), 1, "", "not UTF-8 at byte 0", "Save the file as UTF-8.")


def test_a_byte_order_mark_is_a_fault_but_its_record_is_read(path: Path) -> None:
    lines, faults = read(path, b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n')
    assert lines == [(1, {"a": 1}), (2, {"a": 2})]
    assert faults == [Fault(str(path), 1, "", "begins with a byte order mark", "Save it as UTF-8 without BOM.")]


@pytest.mark.parametrize("raw", [b"", b"\n \n\t\r\n", b"\xef\xbb\xbf\n"])
def test_a_file_without_a_record_is_a_fault(path: Path, raw: bytes) -> None:
    lines, faults = read(path, raw)
    assert lines == []
    assert faults[-1] == Fault(str(path), 0, "", "holds no record", "Add records, or delete the file.")


def test_a_file_of_broken_lines_is_not_called_empty(path: Path) -> None:
    _, faults = read(path, b"{\n}\n")
    assert [fault.line for fault in faults] == [1, 2]


def test_a_line_of_ten_megabytes_is_passed_over_without_being_held_in_memory(path: Path) -> None:
    path.write_bytes(b'{"n": 1}\n{"n": "' + b"x" * 10_000_000 + b'"}\n{"n": 3}\n')
    faults: list[Fault] = []
    tracemalloc.start()
    lines = [(line.number, line.document) for line in json_lines(path, faults)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == [(1, {"n": 1}), (3, {"n": 3})]
    assert [fault.line for fault in faults] == [2]
    assert peak < 6 * MAX_LINE_BYTES


@pytest.mark.parametrize("excess", [-2, -1, 0, 1, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
@pytest.mark.parametrize("end", [b'\n{"n": 2}\n', b""])
def test_a_line_about_the_limit_swallows_nothing_after_it(path: Path, excess: int, end: bytes) -> None:
    lines, faults = read(path, b'"' + b"x" * (MAX_LINE_BYTES + excess - 2) + b'"' + end)
    assert [number for number, document in lines if document == {"n": 2}] == ([2] if end else [])
    assert len(lines) + len(faults) == (2 if end else 1)
    if excess > 0:
        assert [fault.line for fault in faults] == [1]
    if excess < 0:
        assert faults == []


def test_one_doubled_key_among_very_many_is_found_at_once(path: Path) -> None:
    keys = ",".join(f'"{n}":0' for n in range(80_000))
    started = process_time()
    _, (fault,) = read(path, f'{{{keys},"79999":0}}\n'.encode())
    assert "the key '79999' stands twice" in fault.problem
    assert process_time() - started < 10  # counting each key took minutes


@given(raw=st.lists(st.binary(max_size=12) | JSON.map(lambda d: json.dumps(d).encode()), max_size=6).map(b"\n".join))
def test_every_line_of_any_bytes_is_a_record_a_fault_or_blank(raw: bytes, tmp_path_factory: Any) -> None:
    lines, faults = read(tmp_path_factory.getbasetemp() / "any.jsonl", raw)
    filled = [number for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1) if line.strip()]
    unread = [fault.line for fault in faults if fault.line and "byte order mark" not in fault.problem]
    assert sorted([number for number, _ in lines] + unread) == filled
    assert any(fault.problem == "holds no record" for fault in faults) == (not filled)


def test_files_are_found_below_folders_in_a_stable_order_and_once(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    names = [f"b/{number}.jsonl" for number in range(10, 30)]
    for name in ("a.jsonl", "b/notes.txt", *names[::3], *names[::-1]):
        (tmp_path / name).touch()
    (tmp_path / "c.jsonl").mkdir()
    found = find_files([tmp_path / "b", tmp_path, tmp_path / "b" / "notes.txt"], (".jsonl",))
    assert [str(path.relative_to(tmp_path)) for path in found] == [*names, "a.jsonl", "b/notes.txt"]


@pytest.mark.parametrize(("name", "message"), [("none", "no such file or folder"), (".", "holds no .jsonl file")])
def test_a_path_that_leads_to_no_file_is_the_callers_mistake(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        find_files([tmp_path / name], (".jsonl",))
    assert str(tmp_path / name) in str(caught.value)


@given(document=st.dictionaries(st.text(), JSON), seed=st.randoms(use_true_random=False))
def test_one_document_has_one_spelling_whatever_the_order_of_its_keys(document: dict[str, Any], seed: Any) -> None:
    keys = list(document)
    seed.shuffle(keys)
    text = canonical_json(document)
    assert canonical_json({key: document[key] for key in keys}) == text
    assert canonical_json(json.loads(text)) == text


def test_the_one_spelling_is_compact_and_keeps_characters() -> None:
    assert canonical_json({"b": [1, "寄"], "a": None}) == '{"a":null,"b":[1,"寄"]}'


def test_the_first_name_that_is_not_known_is_refused_and_those_that_are_listed() -> None:
    with pytest.raises(UsageError, match=r"^--as docx: not known; choose one of csv, png$"):
        refuse_unknown("--as", ["png", "docx", "txt"], {"png", "csv"})
    refuse_unknown("--as", ["png", "csv"], {"png", "csv"})
