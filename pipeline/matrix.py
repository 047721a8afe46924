"""The matrix: its columns, and any range of its rows."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline import kernel
from pipeline.axes import AXIS_NAMES
from pipeline.kernel import SEQUENCE_END, U8Codes
from pipeline.plan import ID_BITS, SPLITS, Plan, SeedRows, decode, seed_rows
from pipeline.seeds import TRAITS

# ⌊1024 · log2 a⌋ for affinities a of 0 to 256, exactly: the bit length of a^1024 is one more.  A row that breaks a
# rule, as only a tampered plan holds, counts as the least affinity; verify reports it.
_LOG = np.array([0, *((a**1024).bit_length() - 1 for a in range(1, 257))], np.int64)
# The affinity, less 1, of each such logarithm.
_OF_LOG = (np.searchsorted(_LOG[1:], np.arange(_LOG[-1] + 1), side="right") - 1).astype(np.uint8)
STEPS = ("pace", "energy")  # axes whose columns hold steps of −1 to 1; their codes are one more


# Types of the columns, in their order; LEVEL is an Enum of the plan's own levels.  What they mean and may hold is
# declared by PersonaMatrix, in a module of its own: a query need not wait a third of a second for dataframely.
LEVEL = None
COLUMNS: dict[str, pl.DataType | None] = {
    "persona_id": pl.UInt64(),
    "seed_id": pl.String(),
    "lang": LEVEL,
    "variant": pl.UInt32(),
    "scenario": LEVEL,
    "user_state": LEVEL,
    "tone": LEVEL,
    "relationship": LEVEL,
    "register": LEVEL,
    "verbosity": LEVEL,
    "environment": LEVEL,
    "turn_taking": LEVEL,
    "pace": pl.Int8(),
    "energy": pl.Int8(),
    "cue": LEVEL,
    "temperament": LEVEL,
    "openness": pl.Int8(),
    "conscientiousness": pl.Int8(),
    "extraversion": pl.Int8(),
    "agreeableness": pl.Int8(),
    "neuroticism": pl.Int8(),
    "domain": LEVEL,
    "stance": LEVEL,
    "tone_family": LEVEL,
    "pitch": pl.Int8(),
    "valence": pl.Int8(),
    "arousal": pl.Int8(),
    "dominance": pl.Int8(),
    "affinity": pl.UInt8(),
    "license": LEVEL,
    "split": LEVEL,
}


class Rows(NamedTuple):
    """Rows before they have columns; what a version's content hash is taken of."""

    seeds: npt.NDArray[np.uint32]
    variants: npt.NDArray[np.uint32]
    codes: U8Codes  # (rows, axes)

    def digest_bytes(self) -> bytes:
        """Canonical bytes: little-endian ordinals, variants and codes."""
        return self.seeds.astype("<u4").tobytes() + self.variants.astype("<u4").tobytes() + self.codes.tobytes()


class Expansion:
    """A matrix of ``rows`` under ``plan``: any range of it, in order of persona_id."""

    def __init__(self, plan: Plan, rows: int) -> None:
        self.plan = plan
        self.rows = rows
        self.quotas = plan.quotas(rows)
        self.ends = np.cumsum(self.quotas)
        self._of_seed: dict[int, SeedRows] = {}
        self.columns = Columns(plan)

    def seed_range(self, seed: int) -> tuple[int, int]:
        return int(self.ends[seed]) - self.quotas[seed], int(self.ends[seed])

    def codes(self, start: int, stop: int) -> Rows:
        """Rows ``start`` to ``stop`` - 1."""
        parts = []
        seed, done = int(np.searchsorted(self.ends, start, side="right")), start
        while done < stop:
            first, last = self.seed_range(seed)
            until = min(stop, last)
            if until > done:
                parts.append((seed, self.variants(seed, done - first, until - first)))
            done = max(done, until)
            seed += 1
        return self.decoded(parts)

    def variants(self, seed: int, start: int, stop: int) -> npt.NDArray[np.uint32]:
        """Variants of rows ``start`` to ``stop`` - 1 of a seed."""
        if seed not in self._of_seed:
            self._of_seed[seed] = seed_rows(self.plan, seed, self.quotas[seed])
        return self._of_seed[seed].variants(start, stop)

    def decoded(self, parts: Sequence[tuple[int, npt.NDArray[np.uint32]]], axes: int = len(AXIS_NAMES)) -> Rows:
        """Rows of the given variants of seeds, with the codes of the first ``axes`` axes."""
        plan, work = self.plan, kernel.new_scratch(self.plan.tables)
        rows = sum(len(chosen) for _, chosen in parts)
        seeds, taken = np.empty(rows, np.uint32), np.empty(rows, np.uint32)
        codes, done = np.empty((rows, axes), np.uint8), 0
        for seed, chosen in parts:
            part = slice(done, done + len(chosen))
            done = part.stop
            seeds[part], taken[part] = seed, chosen
            kernel.expand(plan.tables, plan.weights, plan.masks[seed], np.uint64(plan.seeds[seed].hash), chosen,
                          codes[part], work)  # fmt: skip
            off = np.nonzero(chosen >= SEQUENCE_END)[0]
            if len(off):
                codes[part][off] = plan.coverage_of(seed).codes[chosen[off] - SEQUENCE_END, :axes]
        return Rows(seeds, taken, codes)

    def frame(self, start: int, stop: int) -> pl.DataFrame:
        return self.columns.frame(self.codes(start, stop))


class Columns:
    """Turns codes into COLUMNS; every column is a lookup in a small table of the plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @cached_property
    def enums(self) -> dict[str, pl.Enum]:
        return level_enums(self.plan)

    @cached_property
    def _stances(self) -> npt.NDArray[np.uint8]:
        """(seeds, scenarios): the first stance in the scenario's order that the seed plays."""
        codes = {stance: code for code, stance in enumerate(self.enums["stance"].categories)}
        # A few dozen sets of stances among thousands of seeds, and fewer among the scenarios.
        played = {stances: row for row, stances in enumerate({seed.stances for seed in self.plan.seeds})}
        asked = {stances: column for column, stances in enumerate({level.stances for level in self.plan.axes.scenario})}
        met = [[next((codes[stance] for stance in wanted if stance in own), 0) for wanted in asked] for own in played]
        rows = [played[seed.stances] for seed in self.plan.seeds]
        columns = [asked[scenario.stances] for scenario in self.plan.axes.scenario]
        return np.array(met, np.uint8)[np.ix_(rows, columns)]

    @cached_property
    def _of_seed(self) -> dict[str, npt.NDArray[np.uint16]]:
        """Codes of the columns that a seed decides."""
        codes = {}
        for name in ("lang", "license", "split"):
            known = {level: code for code, level in enumerate(self.enums[name].categories)}
            codes[name] = np.array([known[getattr(seed, name)] for seed in self.plan.seeds], np.uint16)
        return codes

    def axes_for(self, name: str) -> int:
        """How many axes have to be decoded for a column."""
        if name in {"persona_id", "variant", "seed_id"} or name in self._of_seed:
            return 0
        if name == "affinity":
            return len(AXIS_NAMES)
        decided = {"stance": "scenario"} | dict.fromkeys(TRAITS, "temperament")
        axis = decided.get(name) or self._of_level.get(name, (name,))[0]
        return AXIS_NAMES.index(axis) + 1

    def of_seeds(self, names: Sequence[str]) -> pl.DataFrame:
        """One row a seed: columns that seeds decide."""
        seeds = np.arange(len(self.plan.seeds), dtype=np.uint32)
        return self.frame(Rows(seeds, seeds, np.empty((len(seeds), 0), np.uint8)), names)

    def of_axis(self, axis: int) -> pl.DataFrame:
        """One row a level of an axis: the columns that it alone decides."""
        name = AXIS_NAMES[axis]
        names = [name, *(other for other, (decider, _) in self._of_level.items() if decider == name != other)]
        codes = np.zeros((int(self.plan.tables.cards[axis]), axis + 1), np.uint8)
        codes[:, axis] = np.arange(len(codes))
        nobody = np.zeros(len(codes), np.uint32)
        return self.frame(Rows(nobody, nobody, codes), names)

    @cached_property
    def _ids(self) -> pl.Series:
        return pl.Series("seed_id", [seed.id for seed in self.plan.seeds])

    @cached_property
    def _of_level(self) -> dict[str, tuple[str, npt.NDArray[Any]]]:
        """Columns that one axis decides: which, and the value of each of its levels."""
        axes = self.plan.axes
        found: dict[str, tuple[str, npt.NDArray[Any]]] = {
            "domain": ("scenario", np.array(axes.domain_of, np.uint8)),
            "tone_family": ("tone", np.array(axes.family_of, np.uint8)),
            "pitch": ("tone", np.array([tone.implies.pitch for tone in axes.tone], np.int8)),
        }
        for name in ("valence", "arousal", "dominance"):
            found[name] = "tone", np.array([getattr(tone, name) for tone in axes.tone], np.int8)
        for name in STEPS:
            found[name] = name, np.array([level.step for level in getattr(axes.speech, name).levels], np.int8)
        return found

    def frame(self, rows: Rows, columns: Sequence[str] | None = None) -> pl.DataFrame:
        wanted = list(columns) if columns is not None else list(COLUMNS)
        return pl.DataFrame([self._column(name, rows) for name in wanted])

    def _column(self, name: str, rows: Rows) -> pl.Series:
        if name == "persona_id":
            return pl.Series(name, (rows.seeds.astype(np.uint64) << np.uint64(ID_BITS)) | rows.variants)
        if name == "variant":
            return pl.Series(name, rows.variants)
        if name == "seed_id":
            return self._ids.gather(rows.seeds)
        if name == "affinity":
            return pl.Series(name, self._affinity(rows.codes))
        if name in TRAITS:
            return self._trait(name, rows)
        if name in self._of_level:
            axis, values = self._of_level[name]
            told = values[rows.codes[:, AXIS_NAMES.index(axis)]]
        elif name in self._of_seed:
            told = self._of_seed[name][rows.seeds]
        elif name == "stance":
            told = self._stances[rows.seeds, rows.codes[:, AXIS_NAMES.index("scenario")]]
        else:
            told = rows.codes[:, AXIS_NAMES.index(name)]
        return self._levels(name, told) if name in self.enums else pl.Series(name, told)

    def _levels(self, name: str, codes: npt.NDArray[Any]) -> pl.Series:
        enum = self.enums[name]
        return pl.Series(name, codes).cast(pl.Series(dtype=enum).to_physical().dtype).cat.to(enum)

    def _trait(self, name: str, rows: Rows) -> pl.Series:
        number, moods = TRAITS.index(name), self.plan.axes.temperament
        shift = np.array([{str(t): step for t, step in mood.shift.items()}.get(name, 0) for mood in moods], np.int8)
        homes = pl.Series(name, [s.traits[number] if s.traits else None for s in self.plan.seeds], pl.Int8)
        return homes.gather(rows.seeds) + pl.Series(shift[rows.codes[:, AXIS_NAMES.index("temperament")]])

    def _affinity(self, codes: U8Codes) -> npt.NDArray[np.uint8]:
        """Geometric mean of the affinities that meet in the row, 1 to 256 by integer logarithms, less 1."""
        logs = np.empty(len(codes), np.int64)
        kernel.mean_logs(self.plan.tables, _LOG, codes, logs)
        return np.asarray(_OF_LOG[logs])


def level_enums(plan: Plan) -> dict[str, pl.Enum]:
    axes = plan.axes
    names: dict[str, Sequence[str]] = {name: [level.id for level in levels] for name, levels in axes.levels.items()}
    names |= {
        "domain": [domain.id for domain in axes.domains],
        "tone_family": [family.id for family in axes.families],
        "lang": ["en", "zh"],
        "stance": ["service", "companion", "expert", "character", "practice"],
        "license": sorted({seed.license for seed in plan.seeds}),
        "split": SPLITS,
    }
    return {name: pl.Enum(levels) for name, levels in names.items() if name not in STEPS}


def matrix_schema(plan: Plan) -> dict[str, pl.DataType]:
    enums = level_enums(plan)
    return {name: enums[name] if dtype is LEVEL else dtype for name, dtype in COLUMNS.items()}


def codes_of(plan: Plan, frame: pl.DataFrame) -> Rows:
    """Codes of a frame of matrix rows, read back from its columns."""
    codes = np.empty((frame.height, len(AXIS_NAMES)), np.uint8)
    for axis, name in enumerate(AXIS_NAMES):
        codes[:, axis] = level_codes(frame[name])
    ids = frame["persona_id"].to_numpy()
    seeds = (ids >> np.uint64(ID_BITS)).astype(np.uint32)
    return Rows(seeds, (ids & np.uint64(0xFFFFFFFF)).astype(np.uint32), codes)


def level_codes(column: pl.Series) -> npt.NDArray[Any]:
    """Codes of the levels in a column of Enums, or of an axis's steps."""
    return np.asarray((column + 1 if column.name in STEPS else column.to_physical()).to_numpy())


def persona_rows(plan: Plan, personas: Sequence[tuple[int, int]]) -> Rows:
    """Rows of single personas, each given as (seed ordinal, variant)."""
    codes = np.array([decode(plan, seed, variant) for seed, variant in personas], np.uint8)
    seeds, ks = zip(*personas, strict=True)
    return Rows(np.array(seeds, np.uint32), np.array(ks, np.uint32), codes.reshape(len(personas), len(AXIS_NAMES)))
