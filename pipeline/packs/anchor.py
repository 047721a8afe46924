"""The anchor: a few sentences that bring a persona back when a long conversation drifts."""

from functools import lru_cache

from pipeline.axes import Tone
from pipeline.scene_parts import anchor_text
from pipeline.scenes import length
from pipeline.seeds import Seed

LONGEST = {"en": 60, "zh": 80}  # words, characters
# Whether the role is told beside the name, and how many habits and limits: all that is wanted first, then what is given
# up where even the shortest of them are too long.
TOLD = ((True, 2, 1), (False, 2, 1), (True, 1, 1), (True, 2, 0), (True, 1, 0), (False, 0, 0))


def anchor(seed: Seed, tone: Tone) -> str:
    """Who, the tone, two habits and one limit, in at most LONGEST; of each the shortest the seed and the axes have."""
    direction = _shortest(getattr(tone.direction, seed.lang), 1)
    texts = (
        anchor_text(seed, role, direction, _shortest(seed.speech.habits, habits), _shortest(seed.limits, limits))
        for role, habits, limits in TOLD
    )
    fitting = next((text for text in texts if length(text) <= LONGEST[seed.lang]), None)
    # A foreign name may be a page long.
    return fitting or anchor_text(seed.model_copy(update={"name": None}), False, [], [], [])


@lru_cache(4096)  # a seed's are asked for at each of its personas
def _shortest(texts: tuple[str, ...], number: int) -> list[str]:
    """The ``number`` shortest, in the order in which they stand."""
    chosen = sorted(texts, key=length)[:number]
    return [text for text in texts if text in chosen]
