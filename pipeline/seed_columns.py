"""What seeds say of themselves, as columns that a choice can ask for beside those of the matrix."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from pipeline.seeds import Seed


class SeedColumn(NamedTuple):
    dtype: pl.DataType
    value: Callable[[Seed], object]
    about: str


def spoken(seed: Seed) -> list[str]:
    """The language it is written in, then others."""
    others = seed.speech.languages.speaks if seed.speech.languages else ()
    return list(dict.fromkeys([seed.lang, *others]))


TEXT, TEXTS = pl.String(), pl.List(pl.String())

# No name is one of the matrix's: `lang`, `license` and `register` are asked for there.
SEED_COLUMNS: dict[str, SeedColumn] = {
    "name": SeedColumn(TEXT, lambda seed: seed.name, "as written"),
    "age": SeedColumn(pl.Int64(), lambda seed: seed.age, "years"),
    "gender": SeedColumn(TEXT, lambda seed: seed.gender, "female, male, nonbinary, none"),
    "role": SeedColumn(TEXT, lambda seed: seed.role, "as written"),
    "place": SeedColumn(TEXT, lambda seed: seed.place, "as written"),
    "world": SeedColumn(TEXT, lambda seed: seed.world, "real, invented"),
    "rating": SeedColumn(TEXT, lambda seed: seed.rating, "general, mature"),
    "sensitivity": SeedColumn(
        TEXTS, lambda seed: seed.sensitivity, "a list of faith, disability, minority, dialect, illness, poverty"
    ),
    "languages": SeedColumn(TEXTS, spoken, "a list: its own and others it speaks"),
    "voice_age": SeedColumn(TEXT, lambda seed: seed.voice and seed.voice.age_band, "young, adult, middle, old"),
    "voice_pace": SeedColumn(TEXT, lambda seed: seed.voice and seed.voice.pace, "very slow … very fast"),
    "timbre": SeedColumn(TEXT, lambda seed: seed.voice and seed.voice.timbre, "as written"),
    "accent": SeedColumn(TEXT, lambda seed: seed.voice and seed.voice.accent, "as written"),
}


def seed_table(seeds: Sequence[Seed]) -> pl.DataFrame:
    """One row a seed: seed_id and SEED_COLUMNS; what a seed leaves open is null."""
    values = {name: [column.value(seed) for seed in seeds] for name, column in SEED_COLUMNS.items()}
    schema = {"seed_id": TEXT, **{name: column.dtype for name, column in SEED_COLUMNS.items()}}
    return pl.DataFrame({"seed_id": [seed.id for seed in seeds], **values}, schema)
