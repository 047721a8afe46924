"""Figures of the authored seeds: breadth, balance, repetition, and places that have become caricatures.

    python -m tests.content_figures            # everything, for both languages

Text figures follow Shaib et al., Standardizing the Measurement of Text Diversity, 2024 (arXiv 2403.00553): the share of
5-gram occurrences that other records hold too.  Units are lower-cased words in English, characters in Chinese.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, triu

from pipeline.config import content_root
from pipeline.seeds import TRAITS, Seed, load_seeds

OPENING = {"en": 5, "zh": 8}
GRAM = 5
SHINGLE = {"en": 3, "zh": 5}
POVERTY = re.compile(
    r"\b(poor|poverty|debts?|slum|shack|unpaid|evict\w*|charity|begg\w*|(behind with|owes?|unable to pay) the rent"
    r"|(flat|stony|went|go|is|are|was|were) broke|(go|goes|went|gone) hungry)\b|穷|债|挨饿|欠房租|低保|讨饭",
    re.IGNORECASE,
)
CRIME = re.compile(
    r"\b(crime|thief|theft|stole\w*|robbed|gang|prison|jail|smuggl\w*|bribe\w*)\b|偷|抢劫|打劫|坐牢|贿|走私|贼|骗",
    re.IGNORECASE,
)


class Shift(NamedTuple):
    """A country or province that differs from the rest of its language's seeds."""

    place: str
    people: int
    what: str
    there: float
    elsewhere: float


def prose(seed: Seed) -> dict[str, list[str]]:
    """Every authored sentence by its field."""
    keeps = [seed.keeps.secret, seed.keeps.cracks] if seed.keeps else []
    return {
        "who": [seed.who or ""],
        "life": [seed.life or ""],
        "wants": [seed.wants or ""],
        "keeps": keeps,
        "habits": list(seed.speech.habits),
        "catchphrases": [text for phrase in seed.speech.catchphrases for text in (phrase.text, phrase.when)],
        "greeting": [seed.greeting or ""],
        "exchanges": [text for exchange in seed.exchanges for text in (exchange.they, exchange.you)],
        "knows": list(seed.knows),
        "limits": list(seed.limits),
        "bridges": list((seed.bridges or {}).values()),
    }


def units(text: str, lang: str) -> list[str]:
    pattern = r"[\w']+" if lang == "en" else r"[\u3400-\u9fff]|[A-Za-z0-9]+"
    return re.findall(pattern, text.lower())


def length(seed: Seed) -> int:
    return sum(len(units(text, seed.lang)) for texts in prose(seed).values() for text in texts)


def openings(seeds: Sequence[Seed]) -> Counter[tuple[str, str]]:
    """How many seeds begin a field with the same five words or eight characters."""
    found: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        size = OPENING[seed.lang]
        own = {
            (field, " ".join(units(text, seed.lang)[:size]))
            for field, texts in prose(seed).items()
            if field not in {"knows", "catchphrases", "keeps"}
            for text in texts
            if len(units(text, seed.lang)) >= size
        }
        found.update(own)
    return found


def shared_grams(seeds: Sequence[Seed]) -> float:
    """Share of 5-gram occurrences that another seed has too."""
    grams = [_grams(seed) for seed in seeds]
    holders = Counter(gram for own in grams for gram in set(own))
    total = sum(map(len, grams))
    return sum(holders[gram] > 1 for own in grams for gram in own) / max(1, total)


def _grams(seed: Seed) -> list[tuple[str, ...]]:
    words = [unit for texts in prose(seed).values() for text in texts for unit in units(text, seed.lang)]
    return list(zip(*(words[start:] for start in range(GRAM)), strict=False))


def near_doubles(seeds: Sequence[Seed], jaccard: float) -> Iterator[tuple[str, str]]:
    """Pairs of seeds whose shingles overlap by ``jaccard`` or more."""
    shingles: dict[tuple[str, ...], int] = {}
    rows, columns = [], []
    for row, seed in enumerate(seeds):
        words = [unit for texts in prose(seed).values() for text in texts for unit in units(text, seed.lang)]
        own = set(zip(*(words[start:] for start in range(SHINGLE[seed.lang])), strict=False))
        rows += [row] * len(own)
        columns += [shingles.setdefault(shingle, len(shingles)) for shingle in own]
    held = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=(len(seeds), len(shingles)))
    sizes = np.asarray(held.sum(axis=1)).ravel()
    shared = triu(held @ held.T, 1).tocoo()
    for one, other, both in zip(shared.row, shared.col, shared.data, strict=True):
        if both >= jaccard * (sizes[one] + sizes[other] - both):
            yield seeds[one].id, seeds[other].id


def region(seed: Seed) -> str:
    return (seed.place or "").rsplit(", ", 1)[-1] if seed.world == "real" else ""


def shifts(seeds: Sequence[Seed], least: int = 20, by: float = 0.5) -> Iterator[Shift]:
    """Countries or provinces with ``least`` people or more whose trait means lie ``by`` levels or more off the rest,
    whose share of poverty or crime words is twice the rest's, or where one role recurs."""
    by_region: dict[str, list[Seed]] = defaultdict(list)
    texts = {seed.id: _text(seed) for seed in seeds}
    told = {
        what: {name for name, text in texts.items() if pattern.search(text)}
        for what, pattern in (("poverty", POVERTY), ("crime", CRIME))
    }
    for seed in seeds:
        if region(seed):
            by_region[region(seed)].append(seed)
    for place, own in sorted(by_region.items()):
        if len(own) < least:
            continue
        rest = [seed for seed in seeds if region(seed) and region(seed) != place]
        for trait in TRAITS:
            here, there = (fmean(getattr(seed.traits, trait) for seed in group) for group in (own, rest))
            if abs(here - there) >= by:
                yield Shift(place, len(own), trait, here, there)
        for what, tellers in told.items():
            here, there = (fmean(seed.id in tellers for seed in group) for group in (own, rest))
            if here >= max(2 * there, there + 0.1):
                yield Shift(place, len(own), what, here, there)
        role, count = Counter((seed.role or "").split()[-1] for seed in own).most_common(1)[0]
        if count >= max(3, len(own) // 5):
            yield Shift(place, len(own), f"role {role}", count / len(own), 0.0)


def _text(seed: Seed) -> str:
    return " ".join(text for texts in prose(seed).values() for text in texts)


def shares(values: Iterable[object]) -> dict[object, float]:
    counts = Counter(values)
    return {value: count / counts.total() for value, count in sorted(counts.items(), key=lambda item: str(item[0]))}


def show(lang: str, seeds: Sequence[Seed]) -> None:
    lengths = sorted(length(seed) for seed in seeds)
    print(f"\n{lang}: {len(seeds)} seeds, length {lengths[0]} to {lengths[-1]}, median {lengths[len(lengths) // 2]}")
    print("decades", percent(10 * ((seed.age or 0) // 10) for seed in seeds))
    print("gender", percent(seed.gender for seed in seeds), "worlds", percent(seed.world for seed in seeds))
    print("roles", len({seed.role for seed in seeds}), "regions", len({region(seed) for seed in seeds} - {""}))
    for trait in TRAITS:
        print(trait, percent(getattr(seed.traits, trait) for seed in seeds))
    print("stances", Counter(stance for seed in seeds for stance in seed.played).most_common())
    print("bridges", Counter(domain for seed in seeds for domain in seed.bridges or {}).most_common())
    print("sensitivity", Counter(what for seed in seeds for what in seed.sensitivity).most_common())
    print("given names", Counter(given_name(seed) for seed in seeds).most_common(5))
    print("openings", openings(seeds).most_common(5))
    print(f"5-gram occurrences shared {shared_grams(seeds):.4f}; doubles at 0.3: {list(near_doubles(seeds, 0.3))}")
    for place, people, what, there, elsewhere in shifts(seeds):
        print(f"look at {place} ({people}): {what} {there:.2f}, elsewhere {elsewhere:.2f}")


def percent(values: Iterable[object]) -> dict[object, str]:
    return {value: f"{share:.1%}" for value, share in shares(values).items()}


def given_name(seed: Seed) -> str:
    name = seed.name or ""
    return name.split()[0] if seed.lang == "en" else name[1:]


if __name__ == "__main__":
    found = load_seeds([Path(path) for path in sys.argv[1:]] or [content_root() / "seeds" / "personas"])
    for language in ("en", "zh"):
        show(language, [seed for seed in found if seed.lang == language])
