"""Shorten a scene to what a vendor takes: part by part in a declared order, and never within a sentence."""

import re
from bisect import bisect_left
from dataclasses import replace

from pipeline.errors import DataError
from pipeline.packs.persona import Persona
from pipeline.packs.target import Limit
from pipeline.scene_parts import GAP, PARAGRAPHS
from pipeline.scenes import LEFT_OUT_FIRST, LONGEST_PART, length

# After what a scene leaves out of itself, how it is said goes before who, where and with whom.  What is in neither list
# stays whole: bridge, setting, situation, tone, facts, limits, staying, and above all the voice and safety parts.
LEFT_OUT_NEXT = (
    "cue", "state_otherwise", "verbosity", "environment", "temperament", "pace", "energy", "habit", "register",
    "turn_taking", "state", "relationship",
)  # fmt: skip
CUT = ("speech", "life", "who")  # then these lose sentences from their end; of who the first stays
SENTENCE = re.compile(r"\S.*?(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？…]+[”’」』）]*|\n|$)", re.DOTALL)
BYTES_A_TOKEN = 2  # a bound: in prose a token of o200k or of Qwen's vocabulary covers 4 bytes of English, 4 of Chinese


def size(text: str, limit: Limit) -> int:
    """Characters; tokens as a bound from above, since vendors' vocabularies are not at hand offline."""
    return len(text) if limit.unit == "characters" else -(-len(text.encode()) // BYTES_A_TOKEN)


def joined(parts: dict[str, str], lang: str) -> str:
    """Parts as the scene they make."""
    paragraphs = (GAP[lang].join(parts[name] for name in names if parts[name]) for names in PARAGRAPHS)
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def sentences(text: str) -> list[str]:
    return [found.group().strip() for found in SENTENCE.finditer(text) if found.group().strip()]


def fitted(persona: Persona, limit: Limit | None) -> tuple[Persona, tuple[str, ...]]:
    """The persona with a scene that fits, and what of the whole scene is not in it.

    Raises DataError where what must stay is too long already.
    """
    gone = list(persona.left_out)
    if limit is None or size(persona.scene, limit) <= limit.size:
        return persona, tuple(gone)
    parts, lang = persona.parts, persona.seed.lang

    def fits() -> bool:
        return size(joined(parts, lang), limit) <= limit.size

    def cut(name: str, least: int, longest: int) -> None:
        """Keep as many sentences as fit, or as are no longer than ``longest``; at least ``least``."""
        if fits():
            return
        told = sentences(parts[name])

        def too_many(number: int) -> bool:
            parts[name] = GAP[lang].join(told[:number])
            return length(parts[name]) > longest and not fits()

        kept = max(least, bisect_left(range(len(told) + 1), True, key=too_many) - 1)
        parts[name] = GAP[lang].join(told[:kept])
        if kept < len(told):
            gone.append(f"{name}: the last {len(told) - kept:,} of {len(told):,} sentences")

    # A foreign description may be a book; it is cut to the length of our own parts before they suffer.
    cut("who", 1, LONGEST_PART)
    for name in (*LEFT_OUT_FIRST, *LEFT_OUT_NEXT):
        if parts[name] and not fits():
            parts[name] = ""
            gone.append(name)
    for name in CUT:
        cut(name, name == "who", 0)
    if not fits():
        raise DataError(
            f"{persona.seed.id}: what may not be left out takes {size(joined(parts, lang), limit):,} {limit.unit}, "
            f"and {limit.source} allows {limit.size:,}; shorten its who, limits and bridges, or leave it out by --where"
        )
    return replace(persona, scene=joined(parts, lang), shortened=parts), tuple(gone)
