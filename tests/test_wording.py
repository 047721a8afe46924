import re

import pytest

from pipeline.wording import agreeing, counted, nearest
from tests.conftest import ROOT

# A count in an f-string or a template, and a noun after it whatever the count is.
COUNT = re.compile(r"(:,|\| thousands |len\([^{}]*\))\}\}? (personas|seeds|rows|faults|samples|sessions|records)\b")
NEVER_ONE = ("a plan holds", "rows or more", "rows on, ")  # limits


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 seeds"), (1, "1 seed"), (2, "2 seeds"), (1_000_000, "1,000,000 seeds")]
)
def test_a_count_agrees_with_its_noun(number: int, told: str) -> None:
    assert counted(number, "seed") == told


def test_a_plural_may_be_more_than_an_s() -> None:
    assert [counted(number, "seed is", "seeds are") for number in (1, 2)] == ["1 seed is", "2 seeds are"]
    assert [agreeing(number, "is", "are") for number in (1, 0)] == ["is", "are"]


def test_no_message_writes_a_plural_after_a_count() -> None:
    files = [
        path for root in ("pipeline", "flows") for path in (ROOT / root).rglob("*") if path.suffix in {".py", ".j2"}
    ]
    lines = [(path.name, line.strip()) for path in files for line in path.read_text("utf-8").splitlines()]
    counts = [(name, line) for name, line in lines if COUNT.search(line) and "assert " not in line]
    assert [(name, line) for name, line in counts if not any(limit in line for limit in NEVER_ONE)] == []


@pytest.mark.parametrize(
    ("wanted", "remedy"),
    [("travle", "Did you mean 'travel'?"), ("TRAVEL", "Known: stories, travel."), ("", "Known: stories, travel.")],
)
def test_an_unknown_id_is_answered_with_the_nearest_or_with_what_there_is(wanted: str, remedy: str) -> None:
    assert nearest(wanted, {"travel", "stories"}) == remedy
