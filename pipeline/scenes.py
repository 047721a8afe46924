"""Scenes: the rendered instructions of a persona, put together from parts.

Every part depends on few axes.  Each distinct part is rendered once by Jinja2 (sandboxed; seed text is only ever a
value, never a template).  A million scenes are then, for each part, a number computed from the codes of its axes, the
text with that number, and one concatenation.  Wordings have two phrasings; a persona takes one by a bit of its id, a
bit for each part.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.axes import AXIS_NAMES
from pipeline.config import SceneSettings
from pipeline.matrix import STEPS, level_codes, level_enums
from pipeline.plan import Plan
from pipeline.scene_parts import GAP, PARAGRAPHS, PART_NAMES, Part, likely_states, scene_parts
from pipeline.seeds import Seed

# What a voice model can keep in mind: English words, Chinese characters.  Where a scene is longer, these parts are left
# out in this order until it is not; the voice and safety parts never are.
LONGEST = {"en": 500, "zh": 780}
LONGEST_PART = 250  # a foreign description counts no more: it is as long as it is, and what is said of it stays whole
LEFT_OUT_FIRST = (
    "meeting_domain", "request", "meeting_temperament", "meeting_register", "state_third", "meeting_state", "provoked",
)  # fmt: skip
HAN = re.compile("[\u4e00-\u9fff]")
CHUNK = 16_384  # rows whose scenes are put together at once: 40 MB of text, which the allocator gives again

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


def with_scenes(rows: pl.LazyFrame, plan: Plan, seeds: Sequence[Seed], settings: SceneSettings) -> pl.LazyFrame:
    """``rows`` of the matrix, in their order, with a column ``scene``."""
    return Scenes(plan, seeds, settings).told(rows)


class _Texts(NamedTuple):
    """The texts of one part, numbered: 0 says nothing, 1 + 2 · key + phrasing are the two of a key."""

    keys: tuple[str, ...]
    numbers: Ints  # by level of each key: the number of its first phrasing, 0 where it has none
    sizes: Ints  # by number: what the text counts towards LONGEST
    texts: pl.Series  # by 3 · number + glue


ALONE, GOES_ON, PARAGRAPH = 0, 1, 2  # what glues a text to the one before it


class Scenes:
    """The scenes of ``seeds`` under ``plan``: their parts, rendered once for any number of rows."""

    def __init__(self, plan: Plan, seeds: Sequence[Seed], settings: SceneSettings) -> None:
        langs = {seed.id: seed.lang for seed in seeds}
        self._enums = level_enums(plan) | {"seed_id": pl.Enum([seed.id for seed in seeds])}
        self._parts = {part.name: self._numbered(part, langs) for part in scene_parts(plan.axes, seeds, settings)}

    @property
    def needs(self) -> frozenset[str]:
        """Columns that scenes are told from."""
        return frozenset({"persona_id", "lang"}.union(*(part.keys for part in self._parts.values())))

    def told(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        scenes = pl.map_batches([pl.col(name) for name in sorted(self.needs)], self._of, pl.String, is_elementwise=True)
        return rows.with_columns(scenes.alias("scene"))

    def _of(self, columns: Sequence[pl.Series]) -> pl.Series:
        frame = pl.DataFrame(columns)
        told = [self._of_chunk(chunk) for chunk in frame.iter_slices(CHUNK)]
        return pl.concat(told, rechunk=False) if told else pl.Series("scene", [], pl.String)

    def parts(self, rows: pl.DataFrame) -> dict[str, pl.Series]:
        """The texts of each part by name, in their order; empty where a part says nothing or was left out."""
        chosen, _ = self._shortened(self._chosen(rows), rows["lang"])
        return {name: self._parts[name].texts.gather(3 * chosen[name]).alias(name) for name in PART_NAMES}

    def left_out(self, rows: pl.DataFrame) -> list[tuple[str, ...]]:
        """For each row the parts that would have made its scene too long, in the order in which they went."""
        _, left_out = self._shortened(self._chosen(rows), rows["lang"])
        return [tuple(name for name, gone in left_out.items() if gone[row]) for row in range(rows.height)]

    def _of_chunk(self, rows: pl.DataFrame) -> pl.Series:
        chosen, _ = self._shortened(self._chosen(rows), rows["lang"])
        begun = np.zeros(rows.height, np.bool_)
        told = []
        for paragraph in PARAGRAPHS:
            glue = np.where(begun, np.int32(PARAGRAPH), np.int32(ALONE))
            for name in paragraph:
                numbers, part = chosen[name], self._parts[name]
                told.append(part.texts.gather(3 * numbers + glue).alias(name))
                spoken = part.sizes[numbers] > 0
                glue[spoken] = GOES_ON
                begun |= spoken
        return pl.select(pl.concat_str(told).alias("scene")).to_series()

    def _chosen(self, rows: pl.DataFrame) -> dict[str, Ints]:
        """The number of each part's text in each row."""
        bits = _phrasing_bits(rows["persona_id"])
        codes: dict[str, Ints] = {}
        chosen = {}
        for bit, (name, part) in enumerate(self._parts.items()):
            for key in part.keys:
                if key not in codes:
                    codes[key] = self._codes(rows, key)
            numbers = part.numbers[tuple(codes[key] for key in part.keys)]
            chosen[name] = numbers + ((bits >> np.uint64(bit)) & np.uint64(1)).astype(np.int32) * (numbers > 0)
        return chosen

    def _shortened(self, chosen: dict[str, Ints], langs: pl.Series) -> tuple[dict[str, Ints], dict[str, Bools]]:
        """The texts that stay, and for each part that may go whether it went."""
        longest = np.array([LONGEST[lang] for lang in self._enums["lang"].categories], np.int32)
        over = sum(part.sizes[chosen[name]] for name, part in self._parts.items()) - longest[langs.to_physical()]
        left_out: dict[str, Bools] = {}
        for name in LEFT_OUT_FIRST:
            too_long, sizes = over > 0, self._parts[name].sizes[chosen[name]]
            over -= np.where(too_long, sizes, np.int32(0))
            chosen[name] = np.where(too_long, np.int32(0), chosen[name])
            left_out[name] = too_long & (sizes > 0)
        return chosen, left_out

    def _codes(self, rows: pl.DataFrame, key: str) -> Ints:
        column = rows[key] if key in STEPS else rows[key].cast(self._enums[key])
        return level_codes(column).astype(np.int32)

    def _levels(self, key: str) -> dict[str | int, int]:
        """Codes of a key's values."""
        if key in STEPS:
            return {-1: 0, 0: 1, 1: 2}
        return {level: code for code, level in enumerate(self._enums[key].categories)}

    def _numbered(self, part: Part, langs: Mapping[str, str]) -> _Texts:
        levels = [self._levels(key) for key in part.keys]
        numbers = np.zeros([len(codes) for codes in levels], np.int32)
        sizes, texts = [0], [""] * 3
        for key, phrasings in part.texts.items():
            numbers[tuple(codes[value] for codes, value in zip(levels, key, strict=True))] = len(sizes)
            first = str(key[0])
            gap = GAP[langs.get(first, first)]
            for text in phrasings:
                sizes.append(min(length(text), LONGEST_PART))
                texts += [text, gap + text, "\n\n" + text] if text else [""] * 3
        return _Texts(part.keys, numbers, np.array(sizes, np.int32), pl.Series(texts, dtype=pl.String))


def length(text: str) -> int:
    """Words of an English text, characters of a Chinese one."""
    return len(text) if 3 * len(HAN.findall(text)) > len(text) else len(text.split())


def _phrasing_bits(ids: pl.Series) -> npt.NDArray[np.uint64]:
    """splitmix64 of the ids (as kernel.mix), one bit for each part."""
    x = ids.to_numpy().astype(np.uint64)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


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
