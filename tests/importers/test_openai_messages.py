from pathlib import Path
from typing import Any

import pytest

from tests.importers.files import answers, as_json, as_lines, reasons, samples, spoken_in

RECORD = {
    "messages": [
        {"role": "system", "content": "You are Marv."},
        {"role": "user", "content": "How far is\nthe Moon?"},
        {"role": "assistant", "content": "Far enough.", "weight": 0},
        {"role": "user", "content": [{"type": "text", "text": "In"}, {"type": "text", "text": "miles?"}]},
    ]
}  # fmt: skip
SAID = [("user", "How far is the Moon?"), ("persona", "Far enough."), ("user", "In miles?")]


def test_messages_become_turns(tmp_path: Path) -> None:
    (sample,) = samples(answers("openai-messages", tmp_path, as_lines(RECORD), file="chats.jsonl"))
    assert spoken_in(sample) == SAID
    assert (sample.id, sample.lang, sample.provenance.source) == ("chats-00001", "en", "chats.jsonl")


def test_an_array_of_records_is_read_too(tmp_path: Path) -> None:
    first, second = samples(answers("openai-messages", tmp_path, as_json([RECORD, {**RECORD, "id": "b"}])))
    assert (first.id, second.id, spoken_in(second)) == ("source-00001", "b", SAID)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}, "turn_not_text"),
        ({"role": "assistant"}, "turn_not_text"),
        ({"role": "tool", "content": "{}"}, "unknown_role"),
        ({"role": "function", "content": "{}"}, "unknown_role"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]}, "turn_not_text"),
        ({"role": "user", "content": [{"type": "text", "text": "This"}, {"type": "input_audio"}]}, "turn_not_text"),
        ({"role": "user", "content": [{"type": "text", "text": None}]}, "turn_not_text"),
        ({"role": "user", "content": []}, "turn_not_text"),
        ({"role": "user", "content": [{"type": "text", "text": " "}]}, "empty_turn"),
        ("Hello", "not_a_turn"),
    ],
)
def test_a_conversation_with_what_is_not_said_is_set_aside(tmp_path: Path, message: Any, reason: str) -> None:
    record = {"messages": [*RECORD["messages"], message]}
    assert reasons(answers("openai-messages", tmp_path, as_lines(record))) == [(1, reason)]
