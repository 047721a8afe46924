"""Records of JSON files, one at a time: of JSON lines, or of one JSON array of any size.

An array is not given to a streaming parser: that would name no line, hold a text without end in memory, and give up at
the first fault.  Only where a record begins and ends is found here; then it is read, and refused, as a line is.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.documents import BOM, MAX_LINE_BYTES, bounded_lines, json_line
from pipeline.errors import Fault
from pipeline.importers.settings import Read, Rejected
from pipeline.importers.source import Source

CHUNK = 1 << 16
WHOLE_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
OF_ARRAY = re.compile(WHOLE_TEXT + rb'|["\[\]{},]', re.DOTALL)
OF_RECORD = re.compile(WHOLE_TEXT + rb'|["\[\]{}]', re.DOTALL)
OF_TEXT = re.compile(rb'["\\]')


def records(source: Source) -> Iterator[Read | Rejected]:
    """The elements of an array, if the file begins as one; else its lines."""
    with source.open() as stream:
        yield from _elements(stream) if _is_array(source) else _lines(stream)


def lines(source: Source) -> Iterator[Read | Rejected]:
    with source.open() as stream:
        yield from _lines(stream)


def _is_array(source: Source) -> bool:
    with source.path.open("rb") as stream:
        chunk = stream.read(CHUNK).removeprefix(BOM)
        while chunk and not chunk.strip():
            chunk = stream.read(CHUNK)
        return chunk.lstrip().startswith(b"[")


def _lines(stream: BinaryIO) -> Iterator[Read | Rejected]:
    for number, raw in enumerate(bounded_lines(stream), 1):
        if (record := raw.removeprefix(BOM) if number == 1 else raw).strip():
            yield _parsed(number, number, record)


def _parsed(line: int, number: int, raw: bytes) -> Read | Rejected:
    if len(raw) > MAX_LINE_BYTES:
        return Rejected(line, "record_too_long", f"longer than {MAX_LINE_BYTES:,} bytes")
    faults: list[Fault] = []
    found = json_line("", line, raw, faults)
    return Rejected(line, "not_json", faults[0].problem) if found is None else Read(line, number, found.document)


class _Element:
    """The bytes of the element that is being read, up to one byte more than a record may have."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.first_line = self.line = self.number = 1

    def add(self, piece: bytes) -> None:
        if not self.raw:
            begun = piece.lstrip()
            self.line += piece.count(b"\n", 0, len(piece) - len(begun))
            self.first_line, piece = self.line, begun
        self.line += piece.count(b"\n")
        self.raw += piece[: MAX_LINE_BYTES + 1 - len(self.raw)]

    def taken(self) -> Iterator[Read | Rejected]:
        """What there is, unless that is nothing; the next element begins."""
        raw = bytes(self.raw).rstrip()
        if raw:
            yield _parsed(self.first_line, self.number, raw)
            self.number += 1
        self.raw.clear()


def _elements(stream: BinaryIO) -> Iterator[Read | Rejected]:
    element, depth, in_text, escaped = _Element(), 0, False, False
    while chunk := stream.read(CHUNK):
        begin, at, escaped = 0, int(escaped), False
        while mark := (OF_TEXT if in_text else OF_RECORD if depth > 1 else OF_ARRAY).search(chunk, at):
            at, sign = mark.end(), mark.group()
            if sign == b"\\":
                escaped = at == len(chunk)  # what is escaped is in the next chunk
                at += 1
            elif sign == b'"':  # of a text that begins or ends in another chunk
                in_text = not in_text
            elif sign in (b"[", b"{"):
                if depth == 0:  # the array itself
                    element.add(chunk[begin : at - 1])
                    element.raw.clear()
                    begin = at
                depth += 1
            elif depth > 1 and sign in (b"]", b"}"):
                depth -= 1
            elif sign in (b"]", b","):
                element.add(chunk[begin : at - 1])
                yield from element.taken()
                begin = at
                if sign == b"]":
                    yield from _after(element, chunk[at:], stream)
                    return
        element.add(chunk[begin:])
    last = list(element.taken())
    yield from last
    if not any(isinstance(read, Rejected) for read in last):  # cut off between two records
        yield Rejected(element.line, "not_json", "the array has no end: the file is cut off")


def _after(element: _Element, rest: bytes, stream: BinaryIO) -> Iterator[Rejected]:
    while rest:
        element.add(rest)
        if element.raw:
            yield Rejected(element.first_line, "not_json", "there is more after the end of the array")
            return
        rest = stream.read(CHUNK)
