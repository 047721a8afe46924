"""Can one hear who is speaking?  A plain text scorer looks for the seed of each shipped conversation among ten.

The persona's turns are compared with the prose of ten seeds of its language, the right one and nine drawn at random, by
the cosine of character n-grams weighted by inverse document frequency (Salton & Buckley 1988).  Names of any seed and
the seed's own catchphrases are masked in the turns first.  One in ten is right by chance.
"""

import random
import re
from collections import Counter

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags

from pipeline.conversations import Sample
from pipeline.seeds import Seed
from tests.content_figures import given_name, prose

SIZES = {"en": (3, 4, 5), "zh": (1, 2, 3)}
OF = 10
LEAST = 0.3


def grams(text: str, lang: str) -> Counter[str]:
    text = re.sub(r"\W+", " ", text.lower())
    return Counter(text[at : at + size] for size in SIZES[lang] for at in range(len(text) - size + 1))


def spoken(sample: Sample, seed: Seed) -> str:
    text = " ".join(turn.text for turn in sample.turns if turn.role == "persona")
    own = [phrase.text for phrase in seed.speech.catchphrases]
    names = [name for name in [seed.name or "", *(seed.name or "").split(), given_name(seed)] if len(name) > 1]
    for masked in (*own, *names):
        text = text.replace(masked.rstrip(".。!！?？"), " ")
    return text


def weighted(texts: list[Counter[str]], known: dict[str, int], idf: np.ndarray) -> csr_matrix:
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        for gram, count in text.items():
            if gram in known:
                rows.append(row)
                columns.append(known[gram])
                counts.append(1 + np.log(count))
    table = csr_matrix((counts, (rows, columns)), shape=(len(texts), len(known))).multiply(idf).tocsr()
    norms = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    return diags(1 / np.maximum(norms, 1e-12)) @ table


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_conversation_tells_whose_it_is(lang: str, shipped_seeds: list[Seed], shipped_samples: list[Sample]) -> None:
    seeds = [seed for seed in shipped_seeds if seed.lang == lang]
    ordinals = {seed.id: ordinal for ordinal, seed in enumerate(seeds)}
    samples = [sample for sample in shipped_samples if sample.seed_id in ordinals]
    told = [grams(" ".join(text for texts in prose(seed).values() for text in texts), lang) for seed in seeds]
    holders = Counter(gram for text in told for gram in text)
    known = {gram: number for number, gram in enumerate(gram for gram, count in holders.items() if count > 1)}
    idf = np.log(len(seeds) / np.array([holders[gram] for gram in known]))
    own = weighted(told, known, idf)
    turns = weighted([grams(spoken(s, seeds[ordinals[s.seed_id or ""]]), lang) for s in samples], known, idf)
    alike = np.asarray((turns @ own.T).todense())
    rng = random.Random(0)
    right = ranks = 0
    for number, sample in enumerate(samples):
        truth = ordinals[sample.seed_id or ""]
        others = rng.sample([ordinal for ordinal in range(len(seeds)) if ordinal != truth], OF - 1)
        better = int((alike[number, others] >= alike[number, truth]).sum())
        right += better == 0
        ranks += better + 1
    print(f"\n{lang}: the right seed of {OF} in {right} of {len(samples)} conversations ({right / len(samples):.0%}), "
          f"mean rank {ranks / len(samples):.1f}")  # fmt: skip
    assert right / len(samples) >= LEAST
