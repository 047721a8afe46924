"""Choose a vendor's voice for a persona: by language, gender and age; among equals by the seed, so that it stays."""

from typing import NamedTuple

from pipeline.plan import seed_hash
from pipeline.seeds import Seed

BANDS = ("young", "adult", "middle", "old")


class VendorVoice(NamedTuple):
    id: str
    gender: str  # female, male, or any
    band: str  # of BANDS: the age it sounds
    lang: str = "any"
    timbre: tuple[str, ...] = ()  # words of the seed's timbre that this voice answers to, in the seed's language


class VoiceTable(NamedTuple):
    voices: tuple[VendorVoice, ...]
    source: str  # where the vendor lists them

    def choose(self, seed: Seed) -> str:
        """The vendor's voice nearest to the seed's.  A seed of no told gender or age may get any."""
        fitting = [voice for voice in self.voices if voice.lang in {"any", seed.lang}]
        if seed.gender in {"female", "male"}:
            fitting = [voice for voice in fitting if voice.gender in {seed.gender, "any"}]
        if seed.voice is not None:
            fitting = _nearest(fitting, seed.voice.age_band)
            alike = [sum(word in seed.voice.timbre.lower() for word in voice.timbre) for voice in fitting]
            fitting = [voice for voice, words in zip(fitting, alike, strict=True) if words == max(alike)]
        return fitting[seed_hash(seed.id) % len(fitting)].id


def _nearest(voices: list[VendorVoice], band: str) -> list[VendorVoice]:
    away = [abs(BANDS.index(voice.band) - BANDS.index(band)) for voice in voices]
    return [voice for voice, steps in zip(voices, away, strict=True) if steps == min(away)]
