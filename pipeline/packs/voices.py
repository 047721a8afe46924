"""Choose a vendor's voice for a persona: by language, gender and age; among equals by the seed, so that it stays."""

from dataclasses import dataclass
from functools import lru_cache
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


@dataclass(frozen=True, eq=False)
class VoiceTable:
    voices: tuple[VendorVoice, ...]
    source: str  # where the vendor lists them

    def choose(self, seed: Seed) -> str:
        """The vendor's voice nearest to the seed's.  A seed of no told gender or age may get any."""
        heard = None if seed.voice is None else (seed.voice.age_band, seed.voice.timbre)
        return _chosen(self, seed.id, seed.lang, seed.gender, heard)


@lru_cache(4096)  # a seed's is asked for at each of its personas
def _chosen(table: VoiceTable, seed_id: str, lang: str, gender: str | None, heard: tuple[str, str] | None) -> str:
    fitting = [voice for voice in table.voices if voice.lang in {"any", lang}]
    if gender in {"female", "male"}:
        fitting = [voice for voice in fitting if voice.gender in {gender, "any"}]
    if heard is not None:
        band, timbre = heard
        fitting = _nearest(fitting, band)
        alike = [sum(word in timbre.lower() for word in voice.timbre) for voice in fitting]
        fitting = [voice for voice, words in zip(fitting, alike, strict=True) if words == max(alike)]
    return fitting[seed_hash(seed_id) % len(fitting)].id


def _nearest(voices: list[VendorVoice], band: str) -> list[VendorVoice]:
    away = [abs(BANDS.index(voice.band) - BANDS.index(band)) for voice in voices]
    return [voice for voice, steps in zip(voices, away, strict=True) if steps == min(away)]
