"""How many rows of a matrix each seed has."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

from pipeline.errors import PlanRefused
from pipeline.wording import counted


def apportion(total: int, weights: Sequence[int], caps: Sequence[int], names: Sequence[str] | None = None) -> list[int]:
    """Rows of each seed by Webster's method (odd divisors), no seed above its cap.

    Seat a of weight w has priority w / (2a − 1); seats go in order of priority, ties to the lower ordinal.  The order
    does not depend on ``total``, so no seed loses a row when the total grows (Balinski & Young 1982).
    """
    if sum(caps) < total:
        short = sorted(range(len(caps)), key=lambda i: caps[i] / weights[i])[:8]
        listed = ", ".join(f"{names[i] if names else i} ({caps[i]:,})" for i in short)
        raise PlanRefused(
            f"{counted(total, 'row')} asked for, but these {counted(len(caps), 'seed')} have at most "
            f"{counted(sum(caps), 'distinct row')}. "
            f"Ask for fewer rows, add seeds, or loosen the tightest: {listed}"
        )
    # Rows for a common divisor 2^40 / x that do not exceed the total: the first of the order of priority, whatever x.
    # The seeds below their caps share what is left, less a row each: rounding gives none of them a whole row more than
    # its share.  With two rows or less for each of them the queue is quicker.
    x, left, rows = 0, total, [0] * len(caps)
    while left > 2 * len(below := [w for w, cap, n in zip(weights, caps, rows, strict=True) if n < cap]):
        x += ((left - len(below)) << 40) // sum(below)
        rows = [min(cap, (2 * w * x + (1 << 40)) >> 41) for w, cap in zip(weights, caps, strict=True)]
        left = total - sum(rows)
    queue = [_Priority(2 * n + 1, w, i) for i, (n, w) in enumerate(zip(rows, weights, strict=True)) if n < caps[i]]
    heapify(queue)
    while left:
        i = queue[0].seed
        rows[i] += 1
        left -= 1
        done = rows[i] >= caps[i]
        heapreplace(queue, _Priority(1, 0, i) if done else _Priority(2 * rows[i] + 1, weights[i], i))
    return rows


@dataclass(frozen=True)
class _Priority:
    """divisor / weight, compared without rounding; smaller goes first, then the lower ordinal, weight 0 last."""

    divisor: int
    weight: int
    seed: int

    def __lt__(self, other: "_Priority") -> bool:
        return (self.divisor * other.weight, self.seed) < (other.divisor * self.weight, other.seed)
