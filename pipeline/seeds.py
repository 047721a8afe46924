"""Seeds: authored personas, one JSON object a line."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from pipeline.documents import canonical_json
from pipeline.errors import Fault, InvalidRecords
from pipeline.provenance import UNKNOWN_PROVENANCE, Provenance
from pipeline.records import Kind, Placed, read_records

Lang = Literal["en", "zh"]
Stance = Literal["service", "companion", "expert", "character", "practice"]
TraitName = Literal["openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"]
TRAITS: tuple[TraitName, ...] = get_args(TraitName)
TraitLevel = Annotated[int, Field(ge=1, le=5)]

# Seed text is spoken text: tabs, newlines and control characters have no sound, and C0 codes break JSON readers.
# The classes do not overlap, so that a pattern takes time linear in a line's length.
Text = Annotated[
    str,
    Field(min_length=1, max_length=2_000, pattern=r"^[^\S\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"),
]
FreeText = Annotated[str, Field(min_length=1, max_length=50_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
SeedId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Voice(_Part):
    age_band: Literal["young", "adult", "middle", "old"]
    timbre: Text
    accent: Text
    pace: Literal["very slow", "slow", "medium", "fast", "very fast"]


class Traits(_Part):
    """Big Five, 1 (low) to 5 (high); where the authored person is at home."""

    openness: TraitLevel
    conscientiousness: TraitLevel
    extraversion: TraitLevel
    agreeableness: TraitLevel
    neuroticism: TraitLevel


class LevelLock(_Part):
    only: tuple[str, ...] | None = Field(None, min_length=1)
    never: tuple[str, ...] = ()


class ScenarioLock(_Part):
    never: tuple[str, ...] = Field((), description="Ids of domains, scenarios, or needs the persona lacks.")


class Locks(_Part):
    traits: dict[TraitName, Annotated[tuple[TraitLevel, ...], Field(min_length=1)]] = {}
    tones: LevelLock = Field(LevelLock(), description="Ids of tones or tone families.")
    scenarios: ScenarioLock = ScenarioLock()
    levels: dict[str, LevelLock] = Field({}, description="Axis name to levels pinned or ruled out.")


class Catchphrase(_Part):
    text: Text
    when: Text


class Languages(_Part):
    speaks: tuple[Text, ...]
    mixes: Text | None = Field(None, description="How they mix them, as a sentence to the persona.")


class Speech(_Part):
    register_: str | None = Field(None, alias="register", description="The register they speak in of themselves.")
    habits: tuple[Text, ...] = Field((), description="Sentences to the persona; each can be heard on a telephone.")
    catchphrases: tuple[Catchphrase, ...] = ()
    languages: Languages | None = None


class Exchange(_Part):
    they: Text
    you: Text


class Keeps(_Part):
    secret: Text
    cracks: Text


class Seed(_Part):
    """One authored persona.  What a foreign source does not tell is null and unconstrained."""

    id: SeedId
    lang: Lang
    name: Text | None = None
    age: Annotated[int, Field(ge=1, le=10_000)] | None = None
    gender: Literal["female", "male", "nonbinary", "none"] | None = None
    role: Text | None = None
    place: Text | None = None
    world: Literal["real", "invented"] = "real"
    who: Text | None = Field(None, description="One sentence to the persona: who they are.")
    life: Text | None = Field(None, description="Two to four sentences.")
    wants: Text | None = Field(None, description="One sentence: what they are after these days.")
    keeps: Keeps | None = Field(None, description="What they hold back, and what makes it come out.")
    text: FreeText | None = Field(None, description="A foreign source's description, kept as it came.")
    voice: Voice | None = None
    traits: Traits | None = None
    locks: Locks = Locks()
    stances: tuple[Stance, ...] | None = Field(None, min_length=1)
    speech: Speech = Speech()
    greeting: Text | None = None
    exchanges: tuple[Exchange, ...] = ()
    knows: tuple[Text, ...] = ()
    limits: tuple[Text, ...] = ()
    bridges: dict[str, Text] | None = Field(None, min_length=1, description="Domain to why they are turned to there.")
    rating: Literal["general", "mature"] = "general"
    sensitivity: tuple[Literal["faith", "disability", "minority", "dialect", "illness", "poverty"], ...] = ()
    weight: Annotated[float, Field(gt=0, le=1000)] = Field(1.0, description="Share of rows, relative to 1.")
    provenance: Provenance

    @property
    def played(self) -> tuple[Stance, ...]:
        """A source without stances is open to be a companion or a character, never a service."""
        return self.stances or ("companion", "character")

    @property
    def license(self) -> str:
        return self.provenance.license

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the record; what a plan remembers of it."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json", by_alias=True)).encode()).hexdigest()


AUTHORED_FIELDS = (
    "name", "age", "gender", "role", "place", "who", "life", "wants", "voice", "traits", "stances", "greeting",
    "bridges",
)  # fmt: skip


def load_seeds(paths: Sequence[Path]) -> list[Seed]:
    """All seeds under ``paths``, in file and line order.

    Raises InvalidRecords with every fault of every file.
    """
    placed, faults = read_seeds(paths)
    if faults:
        raise InvalidRecords(faults)
    return [seed.record for seed in placed]


def read_seeds(paths: Sequence[Path]) -> tuple[list[Placed[Seed]], list[Fault]]:
    """Seeds with the file and line they stand on, and every fault of every file."""
    return read_records(SEEDS, paths)


def _cross_field(placed: Placed[Seed]) -> Iterable[Fault]:
    seed, fault = placed.record, placed.fault
    if "provenance" in placed.broken:
        pass  # whether it is imported is not known
    elif seed.provenance.method == "imported":
        if not (seed.text or seed.who or "who" in placed.broken):
            yield fault("text", "an imported seed has neither text nor who", "Carry the source's description in text.")
    else:
        for name in AUTHORED_FIELDS:
            if getattr(seed, name) is None:
                yield fault(name, "an authored seed leaves this open", "Write it; only imported seeds may lack it.")
        if seed.speech.register_ is None:
            yield fault("speech.register", "an authored seed leaves this open", "Name the register they speak in.")
        if len(seed.exchanges) != 3:
            yield fault("exchanges", f"{len(seed.exchanges)} exchanges, not 3", "Request, beyond them, provocation.")
    for name, levels in seed.locks.traits.items():
        if "traits" in placed.broken:
            break
        if seed.traits is None:
            yield fault(f"locks.traits.{name}", "locks a trait that is not authored", "Author traits, or drop it.")
        elif getattr(seed.traits, name) not in levels:
            home = getattr(seed.traits, name)
            yield fault(f"locks.traits.{name}", f"{list(levels)} leaves out home, {home}", f"Add {home} to the band.")
    if seed.rating == "mature" and seed.age is not None and seed.age < 18:
        yield fault("rating", f"a minor of {seed.age} cannot be mature", "Make the rating general.")


SEEDS = Kind("seed", Seed, {"id": "unknown", "lang": "en", "provenance": UNKNOWN_PROVENANCE}, _cross_field)
