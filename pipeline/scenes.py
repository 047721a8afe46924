"""Scenes: the rendered instructions of a persona, put together from parts.

Every part depends on few axes.  Each distinct part is rendered once by Jinja2 (sandboxed; seed text is only ever a
value, never a template); a million scenes are then polars joins on the parts' keys and one concatenation.  Wordings
have two phrasings; a persona takes one by a bit of its id, a bit for each part.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.axes import AXIS_NAMES
from pipeline.matrix import level_enums
from pipeline.plan import Plan
from pipeline.scene_parts import GAP, PARAGRAPHS, PART_NAMES, Part, SceneSettings, likely_states, scene_parts
from pipeline.seeds import Seed

# What a voice model can keep in mind: English words, Chinese characters.  Where a scene is longer, these parts are left
# out in this order until it is not; the voice and safety parts never are.
LONGEST = {"en": 500, "zh": 780}
LONGEST_PART = 250  # a foreign description counts no more: it is as long as it is, and what is said of it stays whole
LEFT_OUT_FIRST = (
    "meeting_domain", "request", "meeting_temperament", "meeting_register", "state_third", "meeting_state", "provoked",
)  # fmt: skip


def with_scenes(rows: pl.LazyFrame, plan: Plan, seeds: Sequence[Seed], settings: SceneSettings) -> pl.LazyFrame:
    """``rows`` of the matrix, in their order, with a column ``scene``."""
    return Scenes(plan, seeds, settings).told(rows)


class Scenes:
    """The scenes of ``seeds`` under ``plan``: their parts, rendered once for any number of rows."""

    def __init__(self, plan: Plan, seeds: Sequence[Seed], settings: SceneSettings) -> None:
        enums = level_enums(plan)
        self._tables = [(part.keys, _table(part, enums)) for part in scene_parts(plan.axes, seeds, settings)]

    @property
    def needs(self) -> frozenset[str]:
        """Columns that scenes are told from."""
        return frozenset({"persona_id", "lang"}.union(*(keys for keys, _ in self._tables)))

    def told(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        bits = pl.col("persona_id").map_batches(_phrasing_bits, return_dtype=pl.UInt64)
        framed = rows.with_columns(bits.alias("_bits"))
        for number, (keys, table) in enumerate(self._tables):
            bit = (pl.col("_bits") // (1 << number) % 2).cast(pl.UInt8).alias("_phrasing")
            framed = framed.with_columns(bit).join(
                table.lazy(), on=[*keys, "_phrasing"], how="left", maintain_order="left"
            )
        told = _shortened(framed).with_columns(_concatenated().alias("scene"))
        return told.drop("_bits", "_phrasing", *map(_size, PART_NAMES), *map(_column, PART_NAMES))


def _shortened(framed: pl.LazyFrame) -> pl.LazyFrame:
    longest = pl.when(pl.col("lang") == "en").then(LONGEST["en"]).otherwise(LONGEST["zh"])
    over = pl.sum_horizontal(map(_size, PART_NAMES)).cast(pl.Int32) - longest
    framed = framed.with_columns(over.alias("_over"))
    for name in LEFT_OUT_FIRST:
        framed = framed.with_columns(
            pl.when(pl.col("_over") <= 0).then(_column(name)).alias(_column(name)),
            (pl.col("_over") - pl.when(pl.col("_over") > 0).then(_size(name)).fill_null(0)).alias("_over"),
        )
    return framed.drop("_over")


def _told_types(part: str) -> dict[str, type[pl.DataType]]:
    return {_column(part): pl.String, _size(part): pl.UInt16}


def _column(part: str) -> str:
    """Parts share their names with the columns they tell of."""
    return f"_{part}_part"


def _size(part: str) -> str:
    return f"_{part}_size"


def _table(part: Part, enums: dict[str, pl.Enum]) -> pl.DataFrame:
    rows = [
        (*key, phrasing, texts[phrasing] or None, min(length(texts[phrasing]), LONGEST_PART))
        for key, texts in part.texts.items()
        for phrasing in (0, 1)
    ]
    types = {key: enums.get(key, pl.Int8 if key in {"pace", "energy"} else pl.String) for key in part.keys}
    return pl.DataFrame(rows, schema={**types, "_phrasing": pl.UInt8, **_told_types(part.name)}, orient="row")


def length(text: str) -> int:
    """Words of an English text, characters of a Chinese one."""
    chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in text)
    return len(text) if 3 * chinese > len(text) else len(text.split())


def _concatenated() -> pl.Expr:
    def scene(gap: str) -> pl.Expr:
        paragraphs = [pl.concat_str(map(_column, names), separator=gap, ignore_nulls=True) for names in PARAGRAPHS]
        told = [pl.when(paragraph != "").then(paragraph) for paragraph in paragraphs]
        return pl.concat_str(told, separator="\n\n", ignore_nulls=True)

    return pl.when(pl.col("lang") == "en").then(scene(GAP["en"])).otherwise(scene(GAP["zh"]))


def _phrasing_bits(ids: pl.Series) -> pl.Series:
    """splitmix64 of the ids (as kernel.mix), one bit for each part."""
    x = ids.to_numpy().astype(np.uint64)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return pl.Series(ids.name, x)


def deployable(rows: pl.LazyFrame, plan: Plan) -> pl.LazyFrame:
    """Rows an app can hold as personas: one for each that differs in more than the state of the other party.

    Their turn-taking suits every state the app must be ready for.
    """
    axes = plan.axes
    fits = plan.tables.edges[AXIS_NAMES.index("turn_taking")]
    pairs = []
    for scenario in axes.scenario:
        likely = [axes.codes["user_state"][state] for state in likely_states(axes, scenario)]
        for code, level in enumerate(axes.speech.turn_taking.levels):
            if all(fits[state, code] for state in likely):
                pairs.append((scenario.id, level.id))
    enums = level_enums(plan)
    suits = pl.DataFrame(pairs, {"scenario": enums["scenario"], "turn_taking": enums["turn_taking"]}, orient="row")
    told = ["seed_id", *(name for name in AXIS_NAMES if name != "user_state")]
    return rows.join(suits.lazy(), on=["scenario", "turn_taking"], how="semi", maintain_order="left").unique(
        subset=told, keep="first", maintain_order=True
    )
