"""The declaration of the matrix: its columns, their types, ranges and meanings."""

from typing import Any

import dataframely as dy
import polars as pl

from pipeline.plan import ID_BITS
from pipeline.seeds import TRAITS


class LevelColumn(dy.Column):
    """A level of an axis or group: an Enum whose levels are the plan's, the same in every shard."""

    @property
    def dtype(self) -> pl.DataType:
        return pl.Enum([])

    def validate_dtype(self, dtype: Any) -> bool:
        return isinstance(dtype, pl.Enum)

    def sqlalchemy_dtype(self, dialect: Any) -> Any:
        raise TypeError("a matrix column has no SQLAlchemy type; query the matrix with polars SQL")

    @property
    def _python_type(self) -> Any:
        return str

    def _sample_unchecked(self, generator: Any, n: int) -> pl.Series:
        return pl.repeat(None, n, dtype=self.dtype, eager=True)


class PersonaMatrix(dy.Schema):
    """One row a persona.  Rows are in order of persona_id, so that a seed is a run of rows."""

    persona_id = dy.UInt64(
        nullable=False,
        max=(1 << 53) - 1,
        description="Seed ordinal · 2^32 + variant; decodes to the row under its plan.",
    )
    seed_id = dy.String(nullable=False, min_length=1, description="The seed it is a variant of.")
    lang = LevelColumn(nullable=False, description="en or zh.")
    variant = dy.UInt32(nullable=False, description="Place on the seed's sequence; coverage slots from 2^31 up.")
    scenario = LevelColumn(nullable=False, description="What the talk is about.")
    user_state = LevelColumn(nullable=False, description="How the other party sounds.")
    tone = LevelColumn(nullable=False, description="How the persona speaks in this scene.")
    relationship = LevelColumn(nullable=False, description="What the two are to each other.")
    register = LevelColumn(nullable=False, description="The seed's own register or one step beside it.")
    verbosity = LevelColumn(nullable=False, description="How much is said at a time.")
    environment = LevelColumn(nullable=False, description="What is heard around them.")
    turn_taking = LevelColumn(nullable=False, description="How the persona takes and leaves the floor.")
    pace = dy.Int8(nullable=False, min=-1, max=1, description="Step from the pace that the tone implies.")
    energy = dy.Int8(nullable=False, min=-1, max=1, description="Step from the energy that the tone implies.")
    cue = LevelColumn(nullable=False, description="The paralinguistic habit of this scene.")
    temperament = LevelColumn(nullable=False, description="The day's shift from home.")
    openness = dy.Int8(nullable=True, min=1, max=5, description="Home + shift; null where the source tells no traits.")
    conscientiousness = dy.Int8(nullable=True, min=1, max=5, description="Home + shift.")
    extraversion = dy.Int8(nullable=True, min=1, max=5, description="Home + shift.")
    agreeableness = dy.Int8(nullable=True, min=1, max=5, description="Home + shift.")
    neuroticism = dy.Int8(nullable=True, min=1, max=5, description="Home + shift.")
    domain = LevelColumn(nullable=False, description="The domain of the scenario.")
    stance = LevelColumn(nullable=False, description="The first stance in the scenario's order that the seed plays.")
    tone_family = LevelColumn(nullable=False, description="The family of the tone.")
    pitch = dy.Int8(nullable=False, min=-2, max=2, description="Implied by the tone, against the person's own usual.")
    valence = dy.Int8(nullable=False, min=-100, max=100, description="Of the tone, in hundredths.")
    arousal = dy.Int8(nullable=False, min=-100, max=100, description="Of the tone, in hundredths.")
    dominance = dy.Int8(nullable=False, min=-100, max=100, description="Of the tone, in hundredths.")
    affinity = dy.UInt8(
        nullable=False, description="How well the levels fit: geometric mean of affinities, 255 = fully."
    )
    license = LevelColumn(nullable=False, description="SPDX licence of the seed.")
    split = LevelColumn(nullable=False, description="train, validation or test; by seed, so that no seed crosses.")

    @dy.rule()
    def id_holds_variant(cls) -> pl.Expr:
        return (pl.col("persona_id") & ((1 << ID_BITS) - 1)) == pl.col("variant").cast(pl.UInt64)

    @dy.rule()
    def traits_known_together(cls) -> pl.Expr:
        return pl.sum_horizontal(pl.col(trait).is_null() for trait in TRAITS).is_in([0, len(TRAITS)])
