"""Draw a casting sheet: who is to be written, before a word is written.

    python seeds/casting/draw.py en 90 --seed 1 > seeds/casting/en-1.tsv

Each line is one commission: place, age, gender, an occupation or a circumstance, five traits, a narrator's
register, stances and domains to be bridged.  Lines are stratified, not independent draws: ages, traits, domains
and registers come from shuffled decks, so that a sheet of any length is balanced and no deck card is dealt again
before the deck is empty.  The sheet allots; the person is then written by hand.

Occupations are written in occupations-<lang>.txt and places in places-<lang>.txt, one a line, beside this script.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
DOMAINS = (
    "automotive customer_support companionship questions education language_practice health elder_care smart_home "
    "travel money food fitness work stories news bedtime emergencies"
).split()
DECADES = (
    [(18, 29)] * 4 + [(30, 39)] * 4 + [(40, 49)] * 4 + [(50, 59)] * 4 + [(60, 69)] * 3 + [(70, 79)] * 2 + [(80, 94)]
)
GENDERS = ["female"] * 12 + ["male"] * 12 + ["nonbinary"]
NARRATORS = ["plain", "plain", "plain", "warm", "grave", "wry"]
MANNERS = ["good company"] * 5 + ["good company, with a short fuse"] + [
    "blunt", "boastful", "anxious", "sulky", "pedantic", "evasive"
]  # fmt: skip
STANCES = ["service", "companion", "expert", "character", "practice"]
WORLDS = ["real"] * 7 + ["invented"]
CIRCUMSTANCES = [
    "works nights", "lost the job this spring", "cares for a parent", "new in the country", "recently widowed",
    "single parent", "back at school late", "lives with a long illness", "in debt, paying it off",
    "waiting for a child",
    "comfortable and a little bored", "shares a flat with strangers", "moved back to the home village", "two jobs",
    "in the middle of a separation", "first in the family to study", "retired too early", "blind or low-sighted",
    "devout", "left a faith", "rich family, no money of one's own", "estranged from a sibling", "newly married",
    "uses a wheelchair", "speaks with a stammer", "never left town", "comes home every second month", "just promoted",
]  # fmt: skip


def deck(cards: list[str] | list[tuple[int, int]], rng: random.Random) -> Iterator[object]:
    while True:
        shuffled = list(cards)
        rng.shuffle(shuffled)
        yield from shuffled


def sheet(lang: str, count: int, seed: int) -> Iterator[list[str]]:
    rng = random.Random(f"{lang}-{seed}")
    lines = {name: (HERE / f"{name}-{lang}.txt").read_text("utf-8").split("\n") for name in ("places", "occupations")}
    places = deck([line for line in lines["places"] if line], rng)
    occupations = deck([line for line in lines["occupations"] if line], rng)
    decades, genders, domains = deck(DECADES, rng), deck(GENDERS, rng), deck(DOMAINS, rng)
    narrators, manners, stances = deck(NARRATORS, rng), deck(MANNERS, rng), deck(STANCES, rng)
    worlds, circumstances = deck(WORLDS, rng), deck(CIRCUMSTANCES, rng)
    traits = [deck(list("1223334445" + "15"), rng) for _ in range(5)]
    for number in range(1, count + 1):
        low, high = next(decades)  # type: ignore[misc]
        bridged: list[str] = []
        while len(bridged) < rng.choice([3, 3, 4]):
            domain = str(next(domains))
            if domain not in bridged:
                bridged.append(domain)
        played = {str(next(stances)), str(next(stances))}
        if rng.random() < 0.35:
            played.add(str(next(stances)))
        yield [
            f"{lang}{seed}-{number:03d}", str(next(worlds)), str(next(places)), str(rng.randint(low, high)),
            str(next(genders)), str(next(occupations)), str(next(circumstances)), "".join(str(next(t)) for t in traits),
            str(next(manners)), str(next(narrators)), ",".join(s for s in STANCES if s in played), ",".join(bridged),
        ]  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lang", choices=["en", "zh"])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print("id\tworld\tplace\tage\tgender\toccupation\tcircumstance\tOCEAN\tmanner\tnarrator\tstances\tdomains")
    for row in sheet(chosen.lang, chosen.count, chosen.seed):
        print("\t".join(row))
