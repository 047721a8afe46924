"""Draw a casting sheet: who is to be written, before a word is written.

    python seeds/casting/draw.py en 1500 --seed 2 > seeds/casting/en-2.tsv

Each line is one commission: a place, age, gender and name, an occupation, a circumstance and a contradiction (or, for
an invented world, a premise in their stead), five traits, a manner, a narrator's register, stances, domains to be
bridged and a length.  Columns are dealt from shuffled decks, not drawn independently: no card comes twice before its
deck is empty, so a sheet of any length is balanced.  The sheet allots; the person is then written by hand.

The lists beside this script were written for it.  A card that does not fit (a retired man of twenty) is kept for the
next line.  The sheets en-1 and zh-1 were drawn by a first version, with shorter lists and without names.
"""

import argparse
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

Card = TypeVar("Card")

HERE = Path(__file__).parent
COLUMNS = (
    "id world place age gender name occupation circumstance contradiction OCEAN manner narrator stances domains length"
).split()
DOMAINS = (
    "automotive customer_support companionship questions education language_practice health elder_care smart_home "
    "travel money food fitness work stories news bedtime emergencies"
).split()
DECADES = (
    [(18, 29)] * 4 + [(30, 39)] * 4 + [(40, 49)] * 4 + [(50, 59)] * 4 + [(60, 69)] * 3 + [(70, 79)] * 2 + [(80, 94)]
)
GENDERS = ["female"] * 12 + ["male"] * 12 + ["nonbinary"]
NARRATORS = ["plain"] * 3 + ["warm"] * 2 + ["grave"] * 2 + ["wry"]
MANNERS = ["good company"] * 6 + ["blunt", "boastful", "anxious", "sulky", "pedantic", "evasive"]
STANCES = ["service", "companion", "expert", "character", "practice"]
WORLDS = ["real"] * 7 + ["invented"]
LENGTHS = {"en": [145, 155, 165, 175, 180, 185, 195, 205], "zh": [205, 220, 235, 250, 260, 275, 290, 305]}
INITIALS = {"female": "f", "male": "m", "nonbinary": "x"}
AGE_LIMITS = {
    r"\bretired|pensioner|grandmother|grandfather|退休|离休|内退|返聘|奶奶|爷爷|外婆|外公": (52, 99),
    r"student|apprentice|pupil|trainee|undergraduate|conscript|大[一二三四]|研究生|学生|学徒|高三|实习|应届": (18, 34),
}
GENDERED = {
    r"\bher\b|mother|\bwife|\bnun\b|sister's keeper|妈妈|媳妇|奶奶|外婆|妻子|姐姐|妹妹|尼姑|婆婆|女儿": "female",
    r"\bhis\b|father|\bmonk\b|husband|爸爸|爷爷|外公|丈夫|和尚|哥哥|女婿": "male",
}


class Deck(Generic[Card]):
    """Deals every card once before any a second time; one that does not fit waits for the next deal."""

    def __init__(self, cards: Sequence[Card], rng: random.Random) -> None:
        self.cards, self.rng = list(cards), rng
        self.left: list[Card] = []

    def deal(self, fits: Callable[[Card], bool] = lambda _: True) -> Card:
        for _ in range(2):
            for place, card in enumerate(self.left):
                if fits(card):
                    return self.left.pop(place)
            self.left += self.rng.sample(self.cards, len(self.cards))
        raise SystemExit("no card fits; write more of them")


class Names:
    """Whole names, each dealt once: of the place, the gender and the generation, as near as the list allows."""

    def __init__(self, path: Path, taken: set[str], rng: random.Random) -> None:
        self.by_place: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for line in path.read_text("utf-8").splitlines():
            place, gender, generation, name = line.split("\t")
            if name not in taken:
                self.by_place[place].append((gender, generation, name))
        for names in self.by_place.values():
            rng.shuffle(names)

    def deal(self, place: str, gender: str, age: int) -> str:
        generation = "young" if age < 36 else "middle" if age < 66 else "old"
        names = self.by_place[place]
        for wanted in ((gender, generation), (gender, None), (None, None)):
            for name in names:
                if wanted[0] in (name[0], None) and wanted[1] in (name[1], None):
                    names.remove(name)
                    return name[2]
        return ""  # the writer finds one


def fits_life(text: str, age: int, gender: str) -> bool:
    return all(low <= age <= high for pattern, (low, high) in AGE_LIMITS.items() if re.search(pattern, text)) and all(
        gender == wanted for pattern, wanted in GENDERED.items() if re.search(pattern, text)
    )


def sheet(lang: str, count: int, seed: int) -> Iterator[list[str]]:
    rng = random.Random(f"{lang}-{seed}")

    def written(name: str) -> Deck[str]:
        return Deck((HERE / f"{name}-{lang}.txt").read_text("utf-8").splitlines(), rng)

    places, occupations, premises = written("places"), written("occupations"), written("premises")
    circumstances, contradictions = written("circumstances"), written("contradictions")
    decades, genders, domains, lengths = (
        Deck(DECADES, rng), Deck(GENDERS, rng), Deck(DOMAINS, rng), Deck(LENGTHS[lang], rng)
    )  # fmt: skip
    narrators, manners, stances, worlds = (
        Deck(NARRATORS, rng),
        Deck(MANNERS, rng),
        Deck(STANCES, rng),
        Deck(WORLDS, rng),
    )
    traits = [Deck("122333444515", rng) for _ in range(5)]
    files = (HERE.parent / "personas" / lang).glob("*.jsonl")
    taken = {json.loads(line)["name"] for file in files for line in file.read_text("utf-8").split("\n") if line}
    names = Names(HERE / f"names-{lang}.tsv", taken, rng)
    for number in range(1, count + 1):
        world, (low, high), gender = worlds.deal(), decades.deal(), genders.deal()
        age = rng.randint(low, high)
        if world == "real":
            place = places.deal()
            name = names.deal(place.split(", ")[-1], INITIALS[gender], age)
            occupation = occupations.deal(lambda text: fits_life(text, age, gender))  # noqa: B023
            circumstance = circumstances.deal(lambda text: fits_life(text, age, gender))  # noqa: B023
        else:
            place = name = circumstance = ""
            occupation = premises.deal()
        bridged: list[str] = []
        for _ in range(rng.choice([3, 3, 4])):
            bridged.append(domains.deal(lambda domain: domain not in bridged))  # noqa: B023
        played = {stances.deal() for _ in range(rng.choice([2, 2, 3]))}
        if world == "invented":
            played.add("character")
        yield [
            f"{lang}{seed}-{number:04d}", world, place, str(age), gender, name, occupation, circumstance,
            contradictions.deal(), "".join(trait.deal() for trait in traits), manners.deal(), narrators.deal(),
            ",".join(stance for stance in STANCES if stance in played), ",".join(bridged), str(lengths.deal()),
        ]  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lang", choices=["en", "zh"])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=2)
    chosen = parser.parse_args()
    print("\t".join(COLUMNS))
    for row in sheet(chosen.lang, chosen.count, chosen.seed):
        print("\t".join(row))
