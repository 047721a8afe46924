"""The report of a version: one HTML file that says whether to trust it, and shows twenty scenes in each frame.

It holds no script and asks no network: charts are inline SVG, a content security policy forbids the rest, and every
text of a seed is escaped and kept in its own writing direction.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline import __version__, charts
from pipeline.axes import AXIS_NAMES
from pipeline.config import SceneSettings
from pipeline.errors import BrokenVersion
from pipeline.matrix import Expansion
from pipeline.pairing import FULL, LADDER, Scorer, with_tone
from pipeline.plan import CELLS, Plan, cells_covered
from pipeline.quality import Quality, verify
from pipeline.scene_parts import FRAMES, LANGS
from pipeline.scenes import deployable, with_scenes
from pipeline.store import REPORT, Source, Version, with_file, without_file
from pipeline.wording import agreeing, counted

SCENES = 10  # of each language and frame
SHOWN = 12  # lines of a table before "and so many more"
TOLD = (*AXIS_NAMES, "domain", "stance", "split")


def with_report(version: Version, quality: Quality) -> Version:
    """Write report.html into a version, and name it in the manifest."""
    return with_file(version, REPORT, render(version, quality))


def rewrite_report(version: Version, workers: int = 1) -> Version:
    """Verify a version without its report, and write that anew.  Raises BrokenVersion with every fault."""
    bare = without_file(version, REPORT)
    faults, quality = verify(bare, workers, progress=True)
    if faults or quality is None:
        raise BrokenVersion("\n".join([f"{version.folder}: not what it should be", *faults]))
    return with_report(bare, quality)


def render(version: Version, quality: Quality) -> str:
    plan = version.plan()
    environment = Environment(
        loader=PackageLoader("pipeline"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"thousands": lambda number: f"{number:,}", "counted": counted, "agreeing": agreeing}
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    return environment.get_template("report.html.j2").render(
        manifest=version.manifest,
        program=__version__,
        quality=quality,
        sources=version.sources(),
        built_from=_built_from(version.sources()),
        licenses=_licenses(version, plan),
        axes=plan.report["axes"],
        axis_charts={name: charts.shares(axis["levels"]) for name, axis in plan.report["axes"].items()},
        pairs=plan.report["pairs"],
        triples=plan.report["triples"],
        certified={of: cells_covered(plan, of) for of in CELLS},
        coverage_rows=plan.report["coverage_rows"],
        own=plan.report["own"],
        pair_chart=_pair_chart(plan),
        pairing=_pairing(version, plan) if version.manifest.samples_content is not None else None,
        scenes=list(_scenes(version, plan)),
    )


def _built_from(sources: Sequence[Source]) -> dict[str, dict[str, Any]]:
    """By kind: how many files and records, and what imports set aside."""
    found: dict[str, dict[str, Any]] = {}
    for source in sources:
        told = found.setdefault(source.kind, {"files": 0, "records": 0, "rejected": Counter[str]()})
        told["files"] += 1
        told["records"] += source.records or 0
        told["rejected"].update(source.rejected)
    return found


def _licenses(version: Version, plan: Plan) -> list[dict[str, Any]]:
    rows: Counter[str] = Counter()
    for seed, quota in zip(plan.seeds, plan.quotas(version.manifest.rows), strict=True):
        rows[seed.license] += quota
    samples: dict[str, int] = {}
    if version.manifest.samples_content is not None:
        samples = dict(version.samples()["license"].value_counts().iter_rows())
    return [
        {"license": name, "seeds": sum(seed.license == name for seed in plan.seeds), "personas": rows[name],
         "samples": samples.get(name, 0)}
        for name in sorted({*rows, *samples})
    ]  # fmt: skip


def _pair_chart(plan: Plan) -> str:
    cells = []
    for names, pair in plan.report["pairs"].items():
        one, other = names.split(", ")
        share = pair["covered"] / pair["feasible"] if pair["feasible"] else 1.0
        cells.append((one, other, share, f"{pair['covered']:,}"))
    return charts.grid(cells)


@dataclass(frozen=True)
class Pairing:
    """Figures of the pairings of a version."""

    fit: float | None  # mean score of the pairings, 0 to 1; None where no sample states anything
    chance: float | None  # the same had each persona drawn a sample of its language at random
    authored: int
    rungs: Mapping[str, int]
    rung_chart: str
    fit_chart: str
    unmatched: Sequence[tuple[str, str, str, str, int]]  # reason, language, split, domain, personas
    unmatched_more: int
    unused: Sequence[tuple[str, str, str, str]]  # id, language, split, domain
    unused_more: int


def _pairing(version: Version, plan: Plan) -> Pairing:
    rungs: dict[str, int] = {rung.name: 0 for rung in LADDER}
    rungs |= dict(version.scan_pairings().group_by("rung").len().collect().iter_rows())
    found = version.scan_pairings().select(pl.col("score") / FULL).collect().to_series()
    chance = _chance(version, plan)
    unmatched = _unmatched(version)
    unused = version.samples().filter(pl.col("uses") == 0).select("id", "lang", "split", "domain")
    return Pairing(
        fit=_mean(found),
        chance=_mean(chance),
        authored=rungs["authored"],
        rungs=rungs,
        rung_chart=charts.bars({name.replace("_", " "): count for name, count in rungs.items()}, "personas"),
        fit_chart=charts.two_histograms(found, chance, "score"),
        unmatched=unmatched.head(SHOWN).rows(),
        unmatched_more=max(0, unmatched.height - SHOWN),
        unused=unused.head(SHOWN).rows(),
        unused_more=max(0, unused.height - SHOWN),
    )


def _mean(scores: pl.Series) -> float | None:
    mean = scores.mean()
    return float(mean) if isinstance(mean, float) else None


def _chance(version: Version, plan: Plan) -> pl.Series:
    """Scores had each paired persona drawn any sample of its language, by a hash of its id."""
    samples = with_tone(version.samples(), plan)
    scorer = Scorer(samples)
    own = {lang: samples.filter(pl.col("lang") == lang)["ordinal"].to_numpy() for lang in LANGS}
    scores = []
    for shard, paired in zip(version.shards(), version.paired(), strict=True):
        rows = shard.join(paired.pairings.select("persona_id"), on="persona_id", how="semi", maintain_order="left")
        draws = rows["persona_id"].hash(seed=0).to_numpy()
        for lang, ordinals in own.items():
            mine = (rows["lang"] == lang).to_numpy()
            if len(ordinals) and mine.any():
                drawn = ordinals[draws[mine] % len(ordinals)].astype(np.int64)
                scores.append(scorer.scores(rows.filter(pl.Series(mine)), drawn))
    return (pl.concat(scores) if scores else pl.Series("score", [], pl.UInt8)) / FULL


def _unmatched(version: Version) -> pl.DataFrame:
    left = pl.scan_parquet(version.folder / "unmatched" / "*.parquet")
    keys = ["reason", "lang", "split", "domain"]
    return version.scan().join(left, on="persona_id").group_by(keys).len().sort("len", *keys, descending=True).collect()


@dataclass(frozen=True)
class Shown:
    """A scene with its axes beside it."""

    lang: str
    frame: str
    persona_id: int
    seed_id: str
    levels: Mapping[str, str]
    scene: str


def _scenes(version: Version, plan: Plan) -> Iterator[Shown]:
    seeds = {seed.id: seed for seed in version.seeds()}
    expansion, told = Expansion(plan, version.manifest.rows), {}
    for frame in FRAMES:  # both languages at once: it is rendering the parts that takes time
        rows = pl.concat([_drawn(expansion, int(version.manifest.content[:8], 16), lang, frame) for lang in LANGS])
        met = [seeds[name] for name in rows["seed_id"].unique(maintain_order=True)]
        told[frame] = with_scenes(rows.lazy(), plan, met, SceneSettings(frame=frame)).collect()
    for lang, frame in product(LANGS, FRAMES):
        for row in told[frame].filter(pl.col("lang") == lang).iter_rows(named=True):
            levels = {name: str(row[name]) for name in TOLD}
            yield Shown(lang, frame, row["persona_id"], row["seed_id"], levels, row["scene"])


def _drawn(expansion: Expansion, entropy: int, lang: str, frame: str) -> pl.DataFrame:
    """Rows of a language drawn at random.  They are computed, not read: a matrix may have a billion."""
    own = [ordinal for ordinal, seed in enumerate(expansion.plan.seeds) if seed.lang == lang]
    ends = np.cumsum([expansion.quotas[ordinal] for ordinal in own])
    total = int(ends[-1]) if own else 0
    # Twenty times as many as are shown, since only some of any row's kind can be deployed.
    places = np.random.default_rng(entropy).choice(total, min(total, 20 * SCENES), replace=False)
    parts = []
    for place in places.tolist():
        seed = int(np.searchsorted(ends, place, side="right"))
        within = place - int(ends[seed]) + expansion.quotas[own[seed]]
        parts.append((own[seed], expansion.variants(own[seed], within, within + 1)))
    rows = expansion.columns.frame(expansion.decoded(parts)).lazy()
    return (deployable(rows, expansion.plan) if frame == "deploy" else rows).collect().head(SCENES)
