"""Pair every persona with one conversation sample, down a ladder of ever wider buckets.

A persona takes its sample from the first rung that has one for it.  On the first, the sample's persona turns are this
seed's own, said in this scenario, to this user state, in this quarter of the tones and this register: it is *authored
for* the persona, and its replies may be training targets.  On all others only the user's side fits: *context only*; not
where the user calls the persona by name.  A sample that states its scenario fits nowhere else, since its facts and its
caller are of that scenario.

Within a bucket, samples are dealt in turn, so that none is used more than once oftener than another.  A sample goes
only to personas of its own split.

Pairings are a property of the version: they are dealt over all its rows in id order, whatever its shards and workers.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.conversations import addresses
from pipeline.matrix import level_enums
from pipeline.plan import Plan, seed_hash, split_of
from pipeline.seeds import Seed


class Rung(NamedTuple):
    name: str
    keys: tuple[str, ...]  # beside language and split
    open: tuple[str, ...] = ()  # what its samples must leave open


LADDER = (
    Rung("authored", ("seed_id", "scenario", "user_state", "quadrant", "register")),
    Rung("scene", ("scenario", "user_state", "quadrant", "register")),
    Rung("situation", ("scenario", "user_state")),
    Rung("scenario_manner", ("scenario", "quadrant", "register")),
    Rung("scenario_only", ("scenario",)),
    Rung("domain_manner", ("domain", "quadrant", "register"), open=("scenario",)),
    Rung("domain_tone", ("domain", "quadrant"), open=("scenario",)),
    Rung("domain_only", ("domain",), open=("scenario",)),
    Rung("language_only", (), open=("domain", "scenario")),
)
ASSERTED = ("authored", "scene", "situation")  # rungs on which persona and sample share scenario and user state
FITS = pl.Enum(["authored_for", "context_only"])
RUNGS = pl.Enum([rung.name for rung in LADDER])
REASONS = pl.Enum(["no_sample_in_language", "no_sample_in_split", "no_sample_in_scenario"])

# Tones in four clusters: the quadrants of pleasure and arousal (Russell, A circumplex model of affect, 1980).
QUADRANTS = pl.Enum(["pleased-aroused", "pleased-calm", "displeased-aroused", "displeased-calm"])
FULL = 255
UNKNOWN = -1
AFFECT = ("valence", "arousal", "dominance")
FACETS = ("domain", "scenario", "user_state", "register")

Ints = npt.NDArray[np.int64]


class Paired(NamedTuple):
    """What becomes of some rows: each is in one of the two."""

    pairings: pl.DataFrame  # persona_id, sample_id, fit, rung, score
    unmatched: pl.DataFrame  # persona_id, reason


def samples_table(records: Iterable[str], plan: Plan, seeds: Iterable[Seed]) -> pl.DataFrame:
    """One row a sample, in id order: its facets as the matrix has them, its split, its canonical record.

    A sample that speaks for a seed shares its split, be it of the plan or not; any other takes one by its id.
    """
    enums = level_enums(plan)
    schema: dict[str, Any] = {
        "id": pl.String, "lang": enums["lang"], "split": enums["split"], "domain": enums["domain"],
        "scenario": enums["scenario"], "user_state": enums["user_state"], "tone": enums["tone"],
        "register": enums["register"], "seed_id": pl.String, "addressed": pl.Boolean,
        "license": pl.String, "record": pl.String,
    }  # fmt: skip
    by_id = {seed.id: seed for seed in seeds}
    rows = []
    for record in records:
        told = json.loads(record)
        author = by_id.get(told["seed_id"])
        known = {
            "split": split_of(seed_hash(told["seed_id"] or told["id"])),
            "addressed": author is not None and addresses(_user_side(told), author),
            "license": told["provenance"]["license"],
            "record": record,
        }
        rows.append(tuple({**told, **known}[name] for name in schema))
    return pl.DataFrame(rows, schema=schema, orient="row").sort("id")


def _user_side(record: Mapping[str, Any]) -> str:
    return "\n".join(turn["text"] for turn in record["turns"] if turn["role"] == "user")


def samples_digest(table: pl.DataFrame) -> str:
    """SHA-256 over the canonical records in id order."""
    digest = hashlib.sha256()
    for record in table["record"]:
        digest.update(record.encode() + b"\n")
    return digest.hexdigest()


def quadrant(valence: pl.Expr, arousal: pl.Expr) -> pl.Expr:
    number = 2 * (valence < 0).cast(pl.UInt32) + (arousal < 0).cast(pl.UInt32)
    return number.replace_strict(dict(enumerate(QUADRANTS.categories)), return_dtype=QUADRANTS)


class Pairer:
    """Deals samples to rows, which must come in id order; keeps count over the calls."""

    def __init__(self, plan: Plan, samples: pl.DataFrame) -> None:
        self.plan = plan
        self.samples = with_tone(samples, plan)
        self.uses: Ints = np.zeros(samples.height, np.int64)
        self._digests = [hashlib.sha256() for _ in range(3)]  # each over all rows, however they are cut
        self._buckets: list[pl.DataFrame] = []
        ordinals: list[int] = []
        starts: list[int] = []
        sizes: list[int] = []
        for rung in LADDER:
            dealt = self._dealt_on(rung)
            first = len(starts)
            for own in dealt["ordinals"].to_list():
                starts.append(len(ordinals))
                sizes.append(len(own))
                ordinals += own
            numbers = pl.Series("bucket", range(first, len(starts)), pl.UInt32)
            self._buckets.append(dealt.drop("ordinals").with_columns(numbers))
        self._ordinals, self._starts, self._sizes = (np.array(each, np.int64) for each in (ordinals, starts, sizes))
        self._next: Ints = np.zeros(len(starts), np.int64)
        self._scorer = Scorer(self.samples)

    def _dealt_on(self, rung: Rung) -> pl.DataFrame:
        """The buckets of a rung: its keys, and the ordinals of its samples in an order drawn by their ids."""
        stated = [pl.col(key).is_not_null() for key in rung.keys] + [pl.col(key).is_null() for key in rung.open]
        open_to_all = ~pl.col("addressed") if rung.name != "authored" else pl.lit(True)
        return (
            self.samples.filter(open_to_all, *stated)
            .sort("draw")
            .group_by("lang", "split", *rung.keys, maintain_order=True)
            .agg(pl.col("ordinal").alias("ordinals"))
        )

    def pair(self, rows: pl.DataFrame) -> Paired:
        """Pairings of the next rows of the matrix."""
        faceted = rows.with_columns(quadrant(pl.col("valence"), pl.col("arousal")).alias("quadrant"))
        found = faceted.select("persona_id", "lang", "split", "seed_id", "quadrant", *FACETS)
        for rung, table in zip(LADDER, self._buckets, strict=True):
            on = ["lang", "split", *rung.keys]
            found = found.join(
                table.rename({"bucket": rung.name}), on=on, how="left", maintain_order="left", nulls_equal=False
            )
        names = [rung.name for rung in LADDER]
        first = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in names)
        found = found.with_columns(pl.coalesce(names).alias("bucket"), first.cast(RUNGS).alias("rung"))
        matched = found["bucket"].is_not_null()
        ordinals = self._deal(found.filter(matched))
        self.uses += np.bincount(ordinals, minlength=len(self.uses))
        own = rows.filter(matched)
        pairings = own.select("persona_id").with_columns(
            self.samples["id"].gather(ordinals).alias("sample_id"),
            _fit(found.filter(matched)["rung"]),
            found.filter(matched)["rung"],
            self._scorer.scores(own, ordinals),
        )
        unmatched = self._reasons(found.filter(~matched))
        told = own["persona_id"].to_numpy(), ordinals, unmatched["persona_id"].to_numpy()
        for digest, numbers in zip(self._digests, told, strict=True):
            digest.update(numbers.astype("<u8").tobytes())
        return Paired(pairings, unmatched)

    @property
    def digest(self) -> str:
        """SHA-256 over who was paired with which sample and who with none, of all rows so far."""
        return hashlib.sha256(b"".join(digest.digest() for digest in self._digests)).hexdigest()

    def _deal(self, found: pl.DataFrame) -> Ints:
        turn = found.select(pl.int_range(pl.len()).over("bucket")).to_series().to_numpy()
        buckets = found["bucket"].to_numpy()
        places = (self._next[buckets] + turn) % self._sizes[buckets]
        self._next += np.bincount(buckets, minlength=len(self._next))
        return np.asarray(self._ordinals[self._starts[buckets] + places], np.int64)

    def _reasons(self, unmatched: pl.DataFrame) -> pl.DataFrame:
        fitting = self.samples.filter(~pl.col("addressed"))
        of_scenario = pl.struct("lang", "scenario").is_in(
            fitting.select(pl.struct("lang", "scenario")).to_series().implode()
        )
        open_ones = fitting.filter(pl.col("scenario").is_null())
        of_domain = pl.struct("lang", "domain").is_in(
            open_ones.select(pl.struct("lang", "domain")).to_series().implode()
        )
        of_language = pl.col("lang").is_in(open_ones.filter(pl.col("domain").is_null())["lang"].unique().implode())
        reason = (
            pl.when(~pl.col("lang").is_in(self.samples["lang"].unique().implode())).then(pl.lit("no_sample_in_language"))
            .when(of_scenario | of_domain | of_language).then(pl.lit("no_sample_in_split"))
            .otherwise(pl.lit("no_sample_in_scenario"))
        )  # fmt: skip
        return unmatched.select("persona_id", reason.cast(REASONS).alias("reason"))


class Scorer:
    """How well a sample fits a persona: 0 to 255, the mean over what the sample states; null where it states nothing.

    Domain, scenario and user state are met or not; a register counts a third less for each step between; a tone counts
    by its distance in valence, arousal and dominance.  Integers only, so that a score is the same anywhere.
    """

    def __init__(self, samples: pl.DataFrame) -> None:
        self._codes = {name: _codes(samples[name]) for name in FACETS}
        self._affect = np.stack([samples[name].fill_null(0).to_numpy().astype(np.int64) for name in AFFECT])
        self._toned = samples["tone"].is_not_null().to_numpy()

    def scores(self, rows: pl.DataFrame, ordinals: Ints) -> pl.Series:
        points: Ints = np.zeros(rows.height, np.int64)
        stated: Ints = np.zeros(rows.height, np.int64)
        for name in FACETS:
            wanted = self._codes[name][ordinals]
            apart = np.abs(wanted - _codes(rows[name]))
            worth = np.maximum(FULL - (FULL // 3) * apart, 0) if name == "register" else np.where(apart == 0, FULL, 0)
            points += np.where(wanted == UNKNOWN, 0, worth)
            stated += wanted != UNKNOWN
        affect = np.stack([rows[name].to_numpy().astype(np.int64) for name in AFFECT])
        apart = np.abs(affect - self._affect[:, ordinals]).sum(axis=0)  # at most 600: three scales of -100 to 100
        toned = self._toned[ordinals]
        points += np.where(toned, FULL - apart * FULL // 600, 0)
        stated += toned
        scores = pl.Series("score", points // np.maximum(stated, 1), pl.UInt8)
        return scores.set(pl.Series(stated == 0), None)


def _fit(rungs: pl.Series) -> pl.Series:
    names = pl.when(rungs == "authored").then(pl.lit("authored_for")).otherwise(pl.lit("context_only"))
    return pl.select(names.cast(FITS).alias("fit")).to_series()


def _codes(column: pl.Series) -> Ints:
    return column.to_physical().cast(pl.Int64).fill_null(UNKNOWN).to_numpy()


def with_tone(samples: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """``samples`` with ordinal, draw order, and the valence, arousal, dominance and quadrant of their tones."""
    tones: Mapping[str, Sequence[str | int]] = {
        "tone": [tone.id for tone in plan.axes.tone],
        **{name: [getattr(tone, name) for tone in plan.axes.tone] for name in AFFECT},
    }
    table = pl.DataFrame(tones, schema_overrides={"tone": samples.schema["tone"]})
    return (
        samples.with_row_index("ordinal")
        .with_columns(pl.Series("draw", [seed_hash(sample) for sample in samples["id"]], pl.UInt64))
        .join(table, on="tone", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("tone").is_not_null()).then(quadrant(pl.col("valence"), pl.col("arousal"))).alias("quadrant")
        )
    )
