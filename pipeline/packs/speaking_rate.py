"""How fast a persona speaks, for sessions and for readings: the one table of rates.  1 is the voice's own speed.

A voice that is told the tone in words, a speech-to-speech model or StepAudio's TTS, takes the steps of pace from them;
its number is only how fast the person is of themselves, which no word of a scene says.  (OpenAI's speed is "a
post-processing adjustment to the audio after it is generated": both together would count the steps twice.)  A voice
that no word reaches, of SSML, Azure or ElevenLabs, gets both in its number.
"""

from pipeline.packs.persona import Persona
from pipeline.seeds import Seed

# Somebody's own habit.  5 % is just noticed (Quené 2007, doi.org/10.1016/j.wocn.2006.09.001), so each level is twice
# that from the next, and the extremes, a fifth, are still one person's habit.
USUAL_RATE = {"very slow": 0.8, "slow": 0.9, "medium": 1.0, "fast": 1.1, "very fast": 1.2}
# Steps against it: two are "about a third", as the wordings of the axis say (seeds/axes/speech.yaml), one is half that.
RATE_OF_STEPS = {-2: 0.67, -1: 0.85, 0: 1.0, 1: 1.15, 2: 1.33}


def usual_rate(seed: Seed) -> float:
    """Of the person themselves, 0.8 to 1.2; a seed that tells no pace speaks as the voice does."""
    return 1.0 if seed.voice is None else USUAL_RATE[seed.voice.pace]


def speaking_rate(persona: Persona) -> float:
    """The person's usual with the steps of tone and row, 0.54 to 1.6."""
    return stepped(usual_rate(persona.seed), persona.pace)


def stepped(usual: float, steps: int) -> float:
    """``usual`` so many steps, -2 to 2, slower or quicker."""
    return round(usual * RATE_OF_STEPS[steps], 2)
