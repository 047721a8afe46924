from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import PlanRefused
from pipeline.quotas import apportion

WEIGHT_AND_CAP = st.tuples(st.integers(1, 12), st.integers(0, 12) | st.just(100))


def webster(total: int, weights: list[int], caps: list[int]) -> list[int]:
    """Seat by seat: each goes to the greatest weight / (2 seats + 1), of equal ones to the first."""
    rows = [0] * len(weights)
    for _ in range(total):
        open_to = [i for i in range(len(rows)) if rows[i] < caps[i]]
        rows[max(open_to, key=lambda i: (Fraction(weights[i], 2 * rows[i] + 1), -i))] += 1
    return rows


@given(st.lists(WEIGHT_AND_CAP, min_size=1, max_size=7), st.integers(0, 60))
@example([(5, 6), (1, 3), (1, 5)], 4)
def test_rows_go_to_seeds_by_websters_method(weights_and_caps: list[tuple[int, int]], total: int) -> None:
    weights, caps = (list(column) for column in zip(*weights_and_caps, strict=True))
    total = min(total, sum(caps))
    assert apportion(total, weights, caps) == webster(total, weights, caps)


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 31)), min_size=1, max_size=30),
    st.floats(0, 1),
    st.integers(1, 1000),
)
def test_no_seed_loses_a_row_when_the_total_grows(
    weights_and_bits: list[tuple[int, int]], share: float, more: int
) -> None:
    weights, caps = [w for w, _ in weights_and_bits], [1 << bits for _, bits in weights_and_bits]
    total = int(sum(caps) * share)
    grown = min(total + more, sum(caps))
    rows, after = apportion(total, weights, caps), apportion(grown, weights, caps)
    assert (sum(rows), sum(after)) == (total, grown)
    assert all(n <= m <= cap for n, m, cap in zip(rows, after, caps, strict=True))
    # Webster's optimum: nobody's last row has less claim than another's next.
    last = min((Fraction(w, 2 * n - 1) for w, n in zip(weights, rows, strict=True) if n), default=Fraction(10**9))
    claims = (Fraction(w, 2 * n + 1) for w, n, cap in zip(weights, rows, caps, strict=True) if n < cap)
    assert last >= max(claims, default=Fraction(0))


def test_too_many_rows_are_refused_with_the_tightest_seeds() -> None:
    with pytest.raises(PlanRefused) as refused:
        apportion(100, [1, 10, 1], [16, 16, 64], names=["anna", "bert", "cora"])
    message = str(refused.value)
    assert "100 rows asked for, but these 3 seeds have at most 96 distinct rows" in message
    assert "Ask for fewer rows" in message
    assert message.endswith("bert (16), anna (16), cora (64)")
