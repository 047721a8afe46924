"""Words that messages have in common: counts that agree with their nouns, and what a misspelt name may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 seed``, ``2,000 seeds``; ``many`` where it is more than an s, as ``seed is`` and ``seeds are``."""
    return f"{number:,} {agreeing(number, one, many)}"


def agreeing(number: int, one: str, many: str | None = None) -> str:
    """The noun of ``counted`` alone."""
    return one if number == 1 else many or f"{one}s"


def nearest(wanted: str, known: Iterable[str]) -> str:
    """What to do about an id that is not known: the one that was meant, or what there is."""
    names = sorted(known)
    close = get_close_matches(wanted, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(names[:40])}."
