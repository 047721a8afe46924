"""Rank seeds and tones by how well their words fit a query: BM25 (Robertson & Zaragoza 2009), computed by bm25s.

English is cut into words, without bm25s's stop words and stemmed by Snowball; Chinese into pairs of characters, so
that 夜班 finds 夜班保安 without a dictionary.  Each language is an index of its own: what is rare, and how long a text
usually is, differ between them.  A query's words meet only texts of their own language; nothing is translated.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.axes import Axes
from pipeline.scene_parts import LANGS
from pipeline.seeds import Seed

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
TOKEN = re.compile(rf"([{HAN}]+)|([^\W_{HAN}]+)")


class Ranking(NamedTuple):
    """Scores of what has a word of the query; the others are not in it."""

    seeds: dict[str, float]  # by id
    tones: dict[tuple[str, str], float]  # by language and id


def ranked(query: str, seeds: Sequence[Seed], axes: Axes) -> Ranking:
    of_seeds: dict[str, float] = {}
    of_tones: dict[tuple[str, str], float] = {}
    for lang in LANGS:
        own = [seed for seed in seeds if seed.lang == lang]
        scores = _bm25(query, [_seed_text(seed) for seed in own])
        of_seeds |= {seed.id: score for seed, score in zip(own, scores.tolist(), strict=True) if score > 0}
        scores = _bm25(query, _tone_texts(axes, lang))
        of_tones |= {(lang, tone.id): score for tone, score in zip(axes.tone, scores.tolist(), strict=True) if score}
    return Ranking(of_seeds, of_tones)


def langs_of(query: str) -> list[str]:
    """The languages that its words may be found in."""
    kinds = TOKEN.findall(query)
    return [lang for lang, met in (("en", any(word for _, word in kinds)), ("zh", any(han for han, _ in kinds))) if met]


def _seed_text(seed: Seed) -> str:
    """What is told of the person and can be heard of them; not their secret, nor what they would never do."""
    voice = seed.voice
    texts = [
        seed.name, seed.role, seed.place, seed.who, seed.life, seed.wants, seed.text, *seed.speech.habits, *seed.knows,
        voice and voice.timbre, voice and voice.accent,
    ]  # fmt: skip
    return "\n".join(text for text in texts if text)


def _tone_texts(axes: Axes, lang: str) -> list[str]:
    """What each tone asks for, and what it is called; the ids are English words."""
    families = {family.id: getattr(family, lang) for family in axes.families}
    texts = []
    for tone in axes.tone:
        called = [tone.id, tone.family] if lang == "en" else []
        texts.append("\n".join([*called, families[tone.family], *getattr(tone.direction, lang)]))
    return texts


def _bm25(query: str, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    documents = [list(_tokens(text)) for text in texts]
    # A single character is a token of texts so that it can be asked for; of a longer word it would only find noise.
    wanted = sorted(set(_tokens(query, single=False)))
    met = set(wanted).intersection(*[set().union(*documents)])
    if not met:  # an index over no words at all is nothing that bm25s makes
        return np.zeros(len(texts))
    from bm25s import BM25  # half a second to import

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG, which Prefect's handler prints
    index = BM25()
    index.index(documents, show_progress=False)
    return np.asarray(index.get_scores(sorted(met)), np.float64)


def _tokens(text: str, single: bool = True) -> Iterator[str]:
    stop, stem = _english()
    for han, word in TOKEN.findall(text.casefold()):
        if han:
            if single or len(han) == 1:
                yield from han
            yield from (one + other for one, other in pairwise(han))
        elif word not in stop:
            yield stem[word]


class _Stems(dict[str, str]):
    """Stems as they are asked for: texts have few distinct words."""

    def __init__(self) -> None:
        from Stemmer import Stemmer

        self._stem = Stemmer("english").stemWord

    def __missing__(self, word: str) -> str:
        self[word] = stem = self._stem(word)
        return str(stem)


@cache
def _english() -> tuple[frozenset[str], _Stems]:
    from bm25s.stopwords import STOPWORDS_EN_PLUS

    return frozenset(STOPWORDS_EN_PLUS), _Stems()
