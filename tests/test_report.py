import html
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.build import accept_inputs, accept_samples, accepted_sources, obtain_plan, pair_version
from pipeline.config import PlanConfig, RunConfig, SceneSettings
from pipeline.conversations import Sample, canonical_sample
from pipeline.errors import BrokenVersion
from pipeline.files import write_text
from pipeline.matrix import Columns, persona_rows
from pipeline.plan import make_plan, split_id
from pipeline.plan_file import read_plan
from pipeline.quality import Quality, verify
from pipeline.report import render, rewrite_report, with_report
from pipeline.scenes import deployable, with_scenes
from pipeline.seeds import Seed
from pipeline.store import Version, file_faults, open_version, publish, seal
from tests.golden_content import ROWS as FEW
from tests.golden_content import golden_axes, golden_samples, golden_seeds, golden_version
from tests.small_samples import sample, score
from tests.small_versions import SHARD_ROWS, built, copied, seeds_file, stored

ROWS = 20_000
REJECTED = ["no_text", "too_long", "no_text"]
FRAMES = ("deploy", "scene")


@pytest.fixture(scope="module")
def made(
    seeds: list[Seed], shipped_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Version, Quality]:
    """What a build makes of twenty seeds, the rejects of their import beside them, and the shipped samples."""
    folder = tmp_path_factory.mktemp("report")
    people, talks = seeds_file(folder, seeds), folder / "talks.jsonl"
    rejects = "".join(json.dumps({"line": n, "reason": reason}) + "\n" for n, reason in enumerate(REJECTED))
    write_text(folder / "seeds.jsonl.rejects.jsonl", rejects)
    write_text(talks, "".join(canonical_sample(talk) + "\n" for talk in shipped_samples))
    config = RunConfig(
        seeds=(people,), samples=(talks,), rows=ROWS, out=folder / "data", plan=PlanConfig(base_rows=ROWS)
    )
    inputs = accept_inputs(config)
    accepted = accept_samples(config, inputs)
    assert accepted is not None
    plan = read_plan(obtain_plan(config, inputs))
    building = built(config.out, plan, ROWS, SHARD_ROWS)
    sealed = seal(building, plan, inputs / "seeds.jsonl", ROWS, SHARD_ROWS, accepted_sources(inputs))
    paired = pair_version(sealed, accepted, config.sample_paths)
    faults, quality = verify(paired)
    assert faults == []
    assert quality is not None
    return publish(config.out, with_report(paired, quality)), quality


@pytest.fixture(scope="module")
def version(made: tuple[Version, Quality]) -> Version:
    return made[0]


@pytest.fixture(scope="module")
def page(version: Version) -> str:
    return (version.folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """A version without pairings and without a report."""
    return golden_version(tmp_path_factory.mktemp("small"))


def shown(page: str) -> str:
    """The text of a page, as one line."""
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading."""
    table = re.search(rf">{heading}[^<]*</h[23]>.*?<table>(.*?)</table>", page, re.DOTALL)
    assert table is not None, heading
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in table[1].split("<tr>")]
    return [[shown(cell) for cell in row] for row in rows if row]


def test_a_report_stands_in_the_version_and_is_as_whole_as_the_rest(version: Version, page: str) -> None:
    assert version.manifest.files[0].path == "report.html"
    assert file_faults(version) == []
    assert page.startswith("<!doctype html>")
    assert f"<title>Persona Matrix {version.manifest.name}</title>" in page


def test_the_figures_of_the_matrix_are_those_of_its_rows(made: tuple[Version, Quality], page: str) -> None:
    version, quality = made
    text = shown(page)
    matrix = version.scan().collect()
    names = [name for name in version.plan().axes.levels]
    pairs = sum(matrix.select(one, two).n_unique() for n, one in enumerate(names) for two in names[n + 1 :])
    assert f"{matrix.height:,} personas" in text
    assert f"{matrix['seed_id'].n_unique()} seeds 0 break a rule 0 break a lock 0 occur twice" in text
    assert f"{pairs:,} / {quality.pairs_feasible:,} feasible pairs occur" in text
    assert f"{quality.worst_distance:.4f} furthest axis from its attainable shares" in text


def test_fit_and_chance_are_those_of_the_pairings(version: Version, shipped_samples: list[Sample], page: str) -> None:
    plan, rows = version.plan(), version.scan().join(version.scan_pairings(), on="persona_id").collect()
    fit = sum(found for found in rows["score"] if found is not None) / rows.height / 255
    by_lang = {
        lang: sorted((s for s in shipped_samples if s.lang == lang), key=lambda s: s.id) for lang in ("en", "zh")
    }
    draws = rows["persona_id"].hash(seed=0)
    by_chance = [
        score(row, by_lang[row["lang"]][draw % len(by_lang[row["lang"]])], plan) or 0
        for row, draw in zip(rows.to_dicts(), draws, strict=True)
    ]
    chance = sum(by_chance) / len(by_chance) / 255
    assert fit > chance + 0.3
    text = shown(page)
    assert f"A pairing scores {fit:.3f} on average" in text
    assert f"drawn at random would score {chance:.3f}." in text
    assert f"{fit:.2f} mean fit of a sample; {chance:.2f} by chance" in text


def test_who_is_paired_and_who_is_not_is_counted(version: Version, shipped_samples: list[Sample], page: str) -> None:
    pairings = version.scan_pairings().collect()
    own = pairings.filter(pl.col("fit") == "authored_for").height
    text = shown(page)
    assert f"{pairings.height:,} of {ROWS:,} personas are paired with one of {len(shipped_samples):,} samples" in text
    assert f"; {own:,} with one authored for them" in text
    unmatched = pl.read_parquet(version.folder / "unmatched" / "*.parquet")
    reasons = version.scan().collect().join(unmatched, on="persona_id")
    counts = Counter(
        (str(row["reason"]).replace("_", " "), f"{row['lang']}, {row['split']}, {row['domain']}")
        for row in reasons.to_dicts()
    )
    assert f"Personas that no sample fits: {reasons.height:,}" in text
    listed = cells(page, "Personas that no sample fits")
    assert {(reason, whose): int(count.replace(",", "")) for reason, whose, count in listed}.items() <= counts.items()
    assert listed[0][2] == f"{max(counts.values()):,}"
    assert len(listed) == min(12, len(counts))
    assert ("more kinds, in unmatched/" in text) == (len(counts) > 12)
    unused = {s.id for s in shipped_samples} - set(pairings["sample_id"])
    assert f"Samples that no persona took: {len(unused)}" in text
    assert {name for name, _ in cells(page, "Samples that no persona took")} <= unused


def test_licences_are_told_with_the_seeds_rows_and_samples_under_them(
    version: Version, seeds: list[Seed], shipped_samples: list[Sample], page: str
) -> None:
    rows = Counter(version.scan().collect()["license"].to_list())
    talks = Counter(s.provenance.license for s in shipped_samples)
    people = Counter(seed.license for seed in seeds)
    assert cells(page, "Licences") == [
        [name, f"{people[name]:,}", f"{rows[name]:,}", f"{talks[name]:,}"] for name in sorted({*rows, *talks})
    ]


def test_what_the_version_was_built_from_is_told_with_what_imports_set_aside(
    version: Version, shipped_samples: list[Sample], page: str
) -> None:
    found = {row[0]: row[1:] for row in cells(page, "Built from")}
    assert found["seeds"] == ["1", "20", "2 no text, 1 too long"]
    assert found["samples"] == ["1", f"{len(shipped_samples):,}", "none"]
    axes = [source for source in version.sources() if source.kind == "axes"]
    assert found["axes"] == [str(len(axes)), "", "none"]
    assert all(source.sha256[:12] in page and html.escape(source.file) in page for source in version.sources())


def scenes(page: str) -> list[tuple[str, str, int, str]]:
    """Language, frame, persona and text of each scene shown."""
    found = re.findall(
        r"<summary>(en|zh) (deploy|scene): <bdi>[^<]*</bdi> <code>(\d+)</code></summary>"
        r".*?<p class=\"scene\"[^>]*>(.*?)</p>",
        page,
        re.DOTALL,
    )
    return [(lang, frame, int(persona), html.unescape(text)) for lang, frame, persona, text in found]


def test_ten_scenes_of_each_language_and_frame_are_those_of_their_personas(
    version: Version, seeds: list[Seed], page: str
) -> None:
    plan, drawn = version.plan(), scenes(page)
    kinds = Counter((lang, frame) for lang, frame, *_ in drawn)
    assert kinds == {(lang, frame): 10 for lang in ("en", "zh") for frame in FRAMES}
    assert len({(frame, persona) for _, frame, persona, _ in drawn}) == len(drawn)
    rows = Columns(plan).frame(persona_rows(plan, [split_id(persona) for *_, persona, _ in drawn]))
    assert rows["lang"].to_list() == [lang for lang, *_ in drawn]
    for frame in FRAMES:
        told = with_scenes(rows.lazy(), plan, seeds, SceneSettings(frame=frame)).collect()["scene"]
        mine = [(text, wanted) for (_, of, _, text), wanted in zip(drawn, told, strict=True) if of == frame]
        assert all(text == wanted for text, wanted in mine)
    assert rows["seed_id"].n_unique() > 10


@pytest.mark.parametrize("people", [1, 2])
def test_where_there_are_fewer_personas_all_their_scenes_are_shown(tmp_path: Path, people: int) -> None:
    seeds = golden_seeds()[:people]  # of one language, of both
    version = stored(tmp_path, make_plan(seeds, golden_axes(), 9), 9, seeds=seeds)
    rows = version.scan()
    drawn = [(frame, persona) for _, frame, persona, _ in scenes(render(version, measured(version)))]
    wanted = {"deploy": deployable(rows, version.plan()).collect(), "scene": rows.collect()}
    assert sorted(drawn) == sorted((frame, row) for frame in FRAMES for row in wanted[frame]["persona_id"])


def measured(version: Version) -> Quality:
    quality = verify(version)[1]
    assert quality is not None
    return quality


def test_a_version_without_pairings_says_how_to_come_by_them(small: Version) -> None:
    text = shown(render(small, measured(small)))
    assert "This version holds no pairings; personas pair adds them." in text
    assert f"{FEW} personas 2 seeds" in text


def test_samples_that_state_nothing_have_no_fit(tmp_path: Path) -> None:
    version = golden_version(tmp_path, [sample("sample-0", "en")])
    assert version.manifest.paired > 0
    text = shown(render(version, measured(version)))
    assert "mean fit" not in text
    assert "on average" not in text
    assert "Personas that no sample fits: 75" in text


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return rewrite_report(golden_version(tmp_path_factory.mktemp("reported"), golden_samples()))


def changed(version: Version) -> None:
    path = version.folder / "report.html"
    path.write_text(path.read_text("utf-8").replace("Persona", "Person"), "utf-8")


def missing(version: Version) -> None:
    (version.folder / "report.html").unlink()


def not_yet_named(version: Version) -> None:
    files = tuple(file for file in version.manifest.files if file.path != "report.html")
    write_text(version.folder / "manifest.json", version.manifest.model_copy(update={"files": files}).model_dump_json())


@pytest.mark.parametrize("harm", [lambda _: None, changed, missing, not_yet_named])
def test_a_report_written_anew_is_the_same_whatever_became_of_it(
    reported: Version, tmp_path: Path, harm: Callable[[Version], None]
) -> None:
    copy = copied(reported, tmp_path)
    harm(copy)
    assert rewrite_report(open_version(copy.folder)) == copy
    assert (copy.folder / "report.html").read_bytes() == (reported.folder / "report.html").read_bytes()
    assert verify(copy)[0] == []


def test_of_a_harmed_version_no_report_is_written(tmp_path: Path) -> None:
    harmed = golden_version(tmp_path)
    (harmed.folder / "plan.json").unlink()
    with pytest.raises(BrokenVersion, match=r"not what it should be\nplan.json: missing"):
        rewrite_report(harmed)
    assert not (harmed.folder / "report.html").exists()
