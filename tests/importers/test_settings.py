from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.importers.settings import SHOWN, Imported, Read, Rejected, Unfit, converted, excerpt
from pipeline.seeds import Seed


def test_an_excerpt_is_short_and_can_always_be_made() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert excerpt(deep) == "nested too deeply"
    assert excerpt({"a": "好"}) == '{"a": "好"}'
    assert excerpt("x" * 1_000) == '"' + "x" * (SHOWN - 1) + "…"


def test_what_is_refused_is_answered_where_it_stands_and_what_follows_is_read(shipped_seeds: list[Seed]) -> None:
    def found() -> Iterator[Read | Rejected]:
        yield Read(1, 1, "good")
        yield Rejected(2, "not_json", "cut off")
        yield Read(3, 2, "bad")
        yield Read(3, 3, "good")

    def convert(read: Read) -> Seed:
        if read.document == "bad":
            raise Unfit("no_text", "nothing")
        return shipped_seeds[0]

    assert list(converted(found(), convert)) == [
        Imported(1, shipped_seeds[0]),
        Rejected(2, "not_json", "cut off"),
        Rejected(3, "no_text", "nothing"),
        Imported(3, shipped_seeds[0]),
    ]


def test_a_fault_of_our_own_is_not_taken_for_one_of_the_record() -> None:
    def convert(_: Read) -> Seed:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        list(converted([Read(1, 1, {})], convert))
