"""The anchor: a few sentences that bring a persona back when a long conversation drifts."""

from pipeline.packs.persona import Persona
from pipeline.scene_parts import anchor_text
from pipeline.scenes import length

LONGEST = {"en": 60, "zh": 80}  # words, characters
# Habits and limits told: all that is wanted first, then what is given up where the shortest of them are too long.
TOLD = ((2, 1), (1, 1), (2, 0), (1, 0), (0, 0))


def anchor(persona: Persona) -> str:
    """Who, the tone, two habits and one limit, in at most LONGEST; of each the shortest the seed and the axes have."""
    seed = persona.seed
    tone = _shortest(getattr(persona.tone.direction, seed.lang), 1)
    texts = (
        anchor_text(seed, tone, _shortest(seed.speech.habits, habits), _shortest(seed.limits, limits))
        for habits, limits in TOLD
    )
    return next(text for text in texts if length(text) <= LONGEST[seed.lang])


def _shortest(texts: tuple[str, ...], number: int) -> list[str]:
    """The ``number`` shortest, in the order in which they stand."""
    chosen = sorted(texts, key=length)[:number]
    return [text for text in texts if text in chosen]
