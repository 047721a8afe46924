"""Choose a vendor's voice for a persona: by language, gender and age; among equals by the seed, so that it stays."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.plan import seed_hash
from pipeline.seeds import Seed

BANDS = ("young", "adult", "middle", "old")


class VendorVoice(NamedTuple):
    id: str
    gender: str  # female, male, or any
    band: str  # of BANDS: the age it sounds
    lang: str = "any"


def choose_voice(seed: Seed, voices: Sequence[VendorVoice]) -> str:
    """The vendor's voice nearest to the seed's.  A seed of no told gender or age may get any."""
    speaking = [voice for voice in voices if voice.lang in {"any", seed.lang}]
    wanted = seed.gender if seed.gender in {"female", "male"} else None
    fitting = [voice for voice in speaking if wanted is None or voice.gender in {wanted, "any"}]
    if seed.voice is not None:
        place = BANDS.index(seed.voice.age_band)
        nearest = min(abs(BANDS.index(voice.band) - place) for voice in fitting)
        fitting = [voice for voice in fitting if abs(BANDS.index(voice.band) - place) == nearest]
    return fitting[seed_hash(seed.id) % len(fitting)].id
