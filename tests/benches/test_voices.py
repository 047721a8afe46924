"""Can one hear who is speaking?  A plain text scorer looks for the seed of each shipped conversation among ten.

The persona's turns are compared with the prose of ten seeds of its language, the right one and nine drawn at random, by
the cosine of character n-grams weighted by inverse document frequency (Salton & Buckley 1988).  Names of any seed and
the seed's own catchphrases are masked in the turns first.  One in ten is right by chance.
"""

import random
import re

import numpy as np
import numpy.typing as npt
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.sparse import csr_matrix, diags

from pipeline.conversations import Sample
from pipeline.seeds import Seed
from tests.content_figures import given_name, prose

Keys = npt.NDArray[np.uint64]
SIZES = {"en": (3, 4, 5), "zh": (1, 2, 3)}
# Powers of a polynomial hash of code points, modulo 2^64.
POWERS = np.array([pow(1_000_003, power, 1 << 64) for power in range(5)], np.uint64)
OF = 10
LEAST = 0.3


def grams(text: str, lang: str) -> tuple[Keys, npt.NDArray[np.int64]]:
    """Keys of the character n-grams of a text, and how often each occurs."""
    letters = np.frombuffer(re.sub(r"\W+", " ", text.lower()).encode("utf-32-le"), np.uint32).astype(np.uint64)
    keys = [sliding_window_view(letters, size) @ POWERS[:size] for size in SIZES[lang] if len(letters) >= size]
    return np.unique(np.concatenate(keys), return_counts=True)


def spoken(sample: Sample, seed: Seed) -> str:
    text = " ".join(turn.text for turn in sample.turns if turn.role == "persona")
    own = [phrase.text for phrase in seed.speech.catchphrases]
    names = [name for name in [seed.name or "", *(seed.name or "").split(), given_name(seed)] if len(name) > 1]
    for masked in (*own, *names):
        text = text.replace(masked.rstrip(".。!！?？"), " ")
    return text


def weighted(texts: list[tuple[Keys, npt.NDArray[np.int64]]], known: Keys, idf: npt.NDArray[np.float64]) -> csr_matrix:
    rows = np.repeat(np.arange(len(texts)), [len(keys) for keys, _ in texts])
    keys, counts = (np.concatenate(part) for part in zip(*texts, strict=True))
    columns = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    met = known[columns] == keys
    values = (1 + np.log(counts)) * idf[columns]
    table = csr_matrix((values[met], (rows[met], columns[met])), shape=(len(texts), len(known)))
    norms = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    return diags(1 / np.maximum(norms, 1e-12)) @ table


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_conversation_tells_whose_it_is(lang: str, shipped_seeds: list[Seed], shipped_samples: list[Sample]) -> None:
    seeds = [seed for seed in shipped_seeds if seed.lang == lang]
    ordinals = {seed.id: ordinal for ordinal, seed in enumerate(seeds)}
    samples = [sample for sample in shipped_samples if sample.seed_id in ordinals]
    told = [grams(" ".join(text for texts in prose(seed).values() for text in texts), lang) for seed in seeds]
    every, holders = np.unique(np.concatenate([keys for keys, _ in told]), return_counts=True)
    known, idf = every[holders > 1], np.log(len(seeds) / holders[holders > 1])
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
