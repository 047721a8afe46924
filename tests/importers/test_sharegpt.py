import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pipeline.importers.sharegpt import read_sharegpt
from pipeline.importers.source import Source
from tests.importers.files import SETTINGS, answers, as_json, as_lines, reasons, samples, spoken_in

SAID = [("user", "你好，在吗？"), ("persona", "好的。")]
RECORDS: tuple[dict[str, Any], ...] = (
    {"id": "QWJhYvA_0", "conversations": [{"from": "human", "value": "你好，在吗？"},
                                          {"from": "gpt", "value": "好的。"}]},
    {"id": "b", "conversations": [{"from": "system", "value": "-"}, {"from": "user", "value": "你好，在吗？"},
                                  {"from": "chatgpt", "value": "好的。"}]},
    {"id": "c", "messages": [{"role": "user", "content": "你好，在吗？"}, {"role": "assistant", "content": "好的。"}]},
    {"id": "d", "conversation": [{"role": "user", "content": [{"type": "text", "text": "你好，在吗？"}]},
                                 {"role": "assistant", "content": "好的。"}], "language": "Chinese"},
    {"id": "e", "conversations": [{"role": "human", "value": "你好，在吗？"}, {"from": "bot", "content": "好的。"}]},
)  # fmt: skip


@pytest.mark.parametrize("raw", [as_json(RECORDS), as_lines(*RECORDS)], ids=["array", "lines"])
def test_every_variant_becomes_turns(tmp_path: Path, raw: bytes) -> None:
    found = samples(answers("sharegpt", tmp_path, raw))
    assert [sample.id for sample in found] == ["qwjhyva_0", "b", "c", "d", "e"]
    assert [spoken_in(sample) for sample in found] == [SAID] * 5
    assert {sample.lang for sample in found} == {"zh"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"conversations": None, "messages": RECORDS[2]["messages"]}, "no_turns"),
        ({"items": RECORDS[0]["conversations"]}, "no_turns"),
        ({"conversations": [["human", "Hi"]]}, "not_a_turn"),
        ({"conversations": [{"from": "human", "value": None}]}, "turn_not_text"),
        ({"conversations": [{"from": "function_call", "value": "{}"}]}, "unknown_role"),
        ({"conversations": [{"from": "observation", "value": "{}"}]}, "unknown_role"),
        ([RECORDS[0]], "not_an_object"),
    ],
)
def test_what_is_no_conversation_is_set_aside(tmp_path: Path, record: object, reason: str) -> None:
    found = answers("sharegpt", tmp_path, as_json([RECORDS[0], record, RECORDS[1]]))
    assert reasons(found) == [(1, reason)]
    assert len(samples(found)) == 2


def test_half_a_file_gives_its_whole_records_and_says_that_it_is_cut_off(tmp_path: Path) -> None:
    raw = as_json(RECORDS)
    found = answers("sharegpt", tmp_path, raw[: len(raw) - 40])
    assert [sample.id for sample in samples(found)] == ["qwjhyva_0", "b", "c", "d"]
    assert reasons(found) == [(1, "not_json")]


def test_memory_does_not_grow_with_the_array(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    record = as_json({"conversations": [{"from": "human", "value": "Hello there. " * 40}] * 20})
    with path.open("wb") as stream:
        stream.write(b"[" + b",\n".join([record] * 10))
        for _ in range(60):
            stream.write(b",\n" + b",\n".join([record] * 10))
        stream.write(b"]")
    assert path.stat().st_size > 6_000_000
    tracemalloc.start()
    count = sum(1 for _ in read_sharegpt(Source(path, path.name), SETTINGS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 610
    assert peak < 3_000_000
