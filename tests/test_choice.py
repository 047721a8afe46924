from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import choice
from pipeline.choice import LIKENESS, choose, where
from pipeline.config import PackConfig
from pipeline.errors import UsageError
from pipeline.matrix import COLUMNS, Expansion
from pipeline.plan import Plan
from pipeline.scenes import deployable
from pipeline.seed_columns import SEED_COLUMNS, seed_table
from pipeline.seeds import Seed
from pipeline.virtual import virtual_matrix
from tests.golden_content import ROWS, golden_plan, golden_seeds


@pytest.fixture(scope="module")
def rows() -> pl.LazyFrame:
    return Expansion(golden_plan(), ROWS).frame(0, ROWS).lazy()


def made(rows: pl.LazyFrame, plan: Plan | None = None, seeds: list[Seed] | None = None, **asked: Any) -> choice.Choice:
    """What is chosen of ``rows``, for an app that holds configs."""
    wanted = PackConfig(targets=("openai-realtime",), **asked)
    return choose(rows, plan or golden_plan(), seeds or golden_seeds(), wanted, one_of_alike=wanted.frame == "deploy")


def chosen(rows: pl.LazyFrame, plan: Plan | None = None, seeds: list[Seed] | None = None, **asked: Any) -> pl.DataFrame:
    return made(rows, plan, seeds, **asked).rows


def refused(rows: pl.LazyFrame, plan: Plan | None = None, seeds: list[Seed] | None = None, **asked: Any) -> str:
    with pytest.raises(UsageError) as raised:
        made(rows, plan, seeds, **asked)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def ids(frame: pl.DataFrame) -> list[int]:
    return frame["persona_id"].to_list()


OF_SEEDS = seed_table(golden_seeds())


def test_where_keeps_what_its_sql_says(rows: pl.LazyFrame) -> None:
    wanted = rows.collect().filter(pl.col("lang") == "zh", pl.col("environment") != "car", pl.col("pace") >= 0)
    kept = where(rows, OF_SEEDS, "lang = 'zh' AND environment <> 'car' AND pace >= 0").collect()
    assert 0 < kept.height < ROWS
    assert kept.equals(wanted)


def test_without_where_all_is_kept(rows: pl.LazyFrame) -> None:
    assert where(rows, OF_SEEDS, None).collect().height == ROWS


@pytest.mark.parametrize(
    ("expression", "seed"),
    [
        ("name = 'Orla Keane'", "orla-keane"),
        ("age > 55", "shen-anbang"),
        ("gender = 'female'", "orla-keane"),
        ("role LIKE '%ferry%'", "orla-keane"),
        ("place LIKE '%浙江'", "shen-anbang"),
        ("array_contains(languages, 'ga')", "orla-keane"),
        ("NOT array_contains(languages, 'en')", "shen-anbang"),
        ("voice_age = 'old' AND voice_pace = 'medium'", "shen-anbang"),
        ("timbre ILIKE '%WIND%' OR accent = 'none'", "orla-keane"),
        ("world = 'real' AND rating = 'general' AND array_length(sensitivity) = 0 AND lang = 'zh'", "shen-anbang"),
    ],
)
def test_where_can_ask_what_seeds_say_of_themselves(rows: pl.LazyFrame, expression: str, seed: str) -> None:
    kept = where(rows, OF_SEEDS, expression).collect()
    assert kept.equals(rows.collect().filter(seed_id=seed))
    assert kept.height > 0


def test_where_can_join_what_is_asked_of_seed_and_row(rows: pl.LazyFrame) -> None:
    kept = where(rows, OF_SEEDS, "age < 55 AND pace = 0 OR lang = 'zh' AND pace = 1").collect()
    orla, shen = pl.col("seed_id") == "orla-keane", pl.col("seed_id") == "shen-anbang"
    wanted = orla & (pl.col("pace") == 0) | shen & (pl.col("pace") == 1)
    assert kept.equals(rows.collect().filter(wanted))


def test_what_seeds_leave_open_fits_no_condition(rows: pl.LazyFrame) -> None:
    ageless = seed_table([seed.model_copy(update={"age": None, "voice": None}) for seed in golden_seeds()])
    assert where(rows, ageless, "age > 0 OR voice_age = 'old'").collect().is_empty()
    assert where(rows, ageless, "age IS NULL").collect().height == ROWS


def test_no_column_of_seeds_hides_one_of_the_matrix_or_of_pairings() -> None:
    assert not set(SEED_COLUMNS) & {*COLUMNS, "fit", "rung", "score", "sample_id", LIKENESS}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("lang =", "unable to parse"),
        ("", "unable to parse"),
        ("SELECT 1", "SELECT"),
        ("timber = 'low'", "there is no column 'timber'. Did you mean 'timbre'?"),
        ("scenarios = 'x' AND age > 3", "there is no column 'scenarios'. Did you mean 'scenario'?"),
        ("lang", "Boolean"),
        ("seed_id LIKE 3", "pattern"),
        ("age > 'old'", "compare"),
    ],
)
@pytest.mark.parametrize("frame", ["deploy", "scene"])
@pytest.mark.parametrize("asked", [{}, {"diverse": 3}, {"like": "ferry"}])
def test_an_expression_that_is_none_is_the_user_s_to_mend(
    rows: pl.LazyFrame, expression: str, said: str, frame: str, asked: dict[str, Any]
) -> None:
    message = refused(rows, where=expression, frame=frame, **asked)
    assert message.startswith(f"--where {expression!r}: ")
    assert said in message


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("lang = 'fr'", "there is no level 'fr'. Known: en, zh."),
        ("pace = 0 AND domain = 'automotiv'", "there is no level 'automotiv'. Did you mean 'automotive'?"),
    ],
)
def test_a_level_that_a_stored_matrix_has_not_is_told_with_those_it_has(
    rows: pl.LazyFrame, expression: str, said: str, tmp_path: Path
) -> None:
    rows.collect().write_parquet(tmp_path / "rows.parquet")
    assert refused(pl.scan_parquet(tmp_path / "rows.parquet"), where=expression) == f"--where {expression!r}: {said}"


def test_where_nobody_differs_from_anybody_no_figures_are_told(rows: pl.LazyFrame) -> None:
    assert refused(rows, where="pace = 9", diverse=3).endswith("take clauses away until one does")


@pytest.mark.parametrize("frame", ["deploy", "scene"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 30])
def test_seeds_take_turns_until_the_limit_is_met(rows: pl.LazyFrame, limit: int, frame: str) -> None:
    picked = chosen(rows, limit=limit, frame=frame)
    assert picked.height == limit
    counts = picked["seed_id"].value_counts()["count"].to_list()
    assert len(counts) == min(2, limit)
    assert max(counts) - min(counts) <= 1


def test_a_seed_that_has_no_more_leaves_the_rest_to_others(rows: pl.LazyFrame) -> None:
    expression = "lang = 'en' AND temperament = 'none' OR lang = 'zh'"
    few = where(rows, OF_SEEDS, expression).collect().filter(pl.col("lang") == "en").height
    assert 0 < few < 60
    picked = chosen(rows, where=expression, limit=few + 70, frame="scene")
    assert picked.height == few + 70
    assert picked.filter(pl.col("lang") == "en").height == few


def test_a_limit_beyond_all_gives_all(rows: pl.LazyFrame) -> None:
    assert ids(chosen(rows, limit=10_000, frame="scene")) == ids(rows.collect())
    held = deployable(rows, golden_plan()).collect()
    assert ids(chosen(rows, limit=10_000)) == ids(held)
    assert held.height < ROWS


@pytest.mark.parametrize("asked", [{}, {"like": "wind and water 钟表"}])
def test_a_larger_limit_holds_what_a_smaller_one_holds(rows: pl.LazyFrame, asked: dict[str, Any]) -> None:
    before: set[int] = set()
    for limit in (1, 5, 20, 60):
        now = set(ids(chosen(rows, limit=limit, **asked)))
        assert before < now
        before = now


def test_choices_come_whole_in_order_of_id(rows: pl.LazyFrame) -> None:
    picked = chosen(rows, where="pace = 0", limit=20)
    assert picked["persona_id"].is_sorted()
    assert picked.equals(rows.collect().filter(pl.col("persona_id").is_in(ids(picked))))
    assert set(picked["pace"]) == {0}


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.sampled_from([{}, {"diverse": 7}, {"like": "ferry clock 修表"}]))
def test_a_choice_does_not_hang_on_the_order_of_rows(shuffle: Any, asked: dict[str, Any]) -> None:
    stored = Expansion(golden_plan(), ROWS).frame(0, ROWS)
    places = list(range(ROWS))
    shuffle.shuffle(places)
    assert ids(chosen(stored[places].lazy(), limit=20, frame="scene", **asked)) == ids(
        chosen(stored.lazy(), limit=20, frame="scene", **asked)
    )


def test_nothing_that_fits_is_said(rows: pl.LazyFrame) -> None:
    assert refused(rows, where="pace > 5") == "no persona fits --where 'pace > 5'; take clauses away until one does"


def test_a_computed_matrix_is_chosen_from_like_a_stored_one(plan: Plan, seeds: list[Seed]) -> None:
    stored = Expansion(plan, 20_000).frame(0, 20_000).lazy()
    asked = {"where": "domain = 'companionship' AND lang = 'zh'", "limit": 25}
    picked = chosen(virtual_matrix(plan, 20_000), plan, seeds, **asked)
    assert picked.height == 25
    assert picked.equals(chosen(stored, plan, seeds, **asked))


def made_for(**audiences: str) -> Plan:
    """The golden plan with scenarios for other audiences: of drives and of Sundays."""
    plan = golden_plan()
    given = {"long-drive-home": audiences.get("drives", "general"), "empty-sunday": audiences.get("sundays", "general")}
    scenarios = tuple(one.model_copy(update={"audience": given[one.id]}) for one in plan.axes.scenario)
    return replace(plan, axes=plan.axes.model_copy(update={"scenario": scenarios}))


ORLA_IS_MATURE = [
    seed.model_copy(update={"rating": "mature"}) if seed.id == "orla-keane" else seed for seed in golden_seeds()
]


@pytest.mark.parametrize(
    ("audience", "fits"),
    [
        ("general", (pl.col("seed_id") != "orla-keane") & (pl.col("scenario") != "long-drive-home")),
        ("children", (pl.col("seed_id") != "orla-keane") & (pl.col("scenario") == "empty-sunday")),
        ("mature", pl.lit(True)),
    ],
)
@pytest.mark.parametrize("asked", [{"limit": 999}, {"diverse": 999}, {"like": "ferry 钟表", "limit": 999}])
def test_an_audience_hears_what_is_made_for_it(
    rows: pl.LazyFrame, audience: str, fits: pl.Expr, asked: dict[str, Any]
) -> None:
    plan = made_for(drives="mature", sundays="children")
    picked = chosen(rows, plan, ORLA_IS_MATURE, audience=audience, frame="scene", **asked)
    wanted = rows.collect().filter(fits)
    assert wanted.height > 0
    assert sorted(ids(picked)) == ids(wanted)


def test_what_an_audience_does_not_hear_is_counted_where_too_little_is_left(rows: pl.LazyFrame) -> None:
    def told(limit: int, audience: str) -> tuple[str, ...]:
        plan = made_for(sundays="children")
        return made(rows, plan, ORLA_IS_MATURE, limit=limit, frame="scene", audience=audience).notes

    orla, shen = (rows.collect().filter(seed_id=seed) for seed in ("orla-keane", "shen-anbang"))
    mature = f"{orla.height} personas of 1 seed are rated mature; --audience mature lets them in"
    drives = shen.filter(scenario="long-drive-home").height
    grown_up = f"{drives} personas of 1 seed are not for children; --audience general lets them in"
    assert told(999, "mature") == ()
    assert told(999, "general") == (mature,)
    assert told(999, "children") == (grown_up, mature)
    assert told(2, "general") == told(2, "children") == ()


def test_where_an_audience_leaves_nothing_the_message_says_which_would(rows: pl.LazyFrame) -> None:
    count = rows.collect().filter(seed_id="orla-keane", pace=0).height
    said = refused(rows, None, ORLA_IS_MATURE, where="age = 51 AND pace = 0", frame="scene")
    assert said == (
        "no persona fits --where 'age = 51 AND pace = 0'; "
        f"{count} personas of 1 seed are rated mature; --audience mature lets them in"
    )


def test_the_most_like_come_first_with_how_like_they_are(rows: pl.LazyFrame) -> None:
    picked = chosen(rows, like="ferry on the lake, 钟", limit=6)
    assert [name.split("-")[0] for name in picked["seed_id"][:2]] == ["orla", "shen"]
    assert picked["seed_id"].value_counts()["count"].to_list() == [3, 3]
    assert (picked[LIKENESS] > 0).all()


def test_of_a_seed_s_rows_those_whose_tone_fits_the_words_are_taken(rows: pl.LazyFrame) -> None:
    at_all = set(chosen(rows, like="the ferry keeper", limit=4)["tone"])
    calm = chosen(rows, like="calm, steady, the ferry keeper", limit=4)
    assert set(calm["tone"]) == {"steady-low"} != at_all
    low = chosen(rows, like="平静的修表匠", limit=4, where="lang = 'zh'")
    assert set(low["tone_family"]) == {"calm"}


def test_words_that_only_tones_have_choose_by_tone_alone(rows: pl.LazyFrame) -> None:
    picked = chosen(rows, like="嘴角", limit=999, frame="scene")
    assert sorted(ids(picked)) == ids(rows.collect().filter(lang="zh", tone="half-smile"))
    assert picked[LIKENESS].n_unique() == 1


@pytest.mark.parametrize(("query", "where_", "lang"), [("ferry", "lang = 'zh'", "zh"), ("修表", "lang = 'en'", "en")])
def test_words_of_one_language_find_nobody_who_speaks_another(
    rows: pl.LazyFrame, query: str, where_: str, lang: str
) -> None:
    assert refused(rows, like=query, where=where_) == (
        f"no persona that fits --where {where_!r} has a word of --like {query!r}; "
        f"those there are speak {lang}: ask in their language"
    )


def test_words_that_nobody_says_are_not_blamed_on_a_language(rows: pl.LazyFrame) -> None:
    said = refused(rows, like="zeppelin")
    assert said == "no persona has a word of --like 'zeppelin'; try others, or more of them"


def test_the_most_diverse_are_told_with_how_many_they_were_picked_of(rows: pl.LazyFrame) -> None:
    picked = made(rows, diverse=5)
    held = deployable(rows, golden_plan()).collect().height
    assert picked.rows["persona_id"].n_unique() == 5
    assert picked.notes == (f"the 5 that differ most of {held} candidates",)
    assert ids(chosen(rows, diverse=3)) == ids(picked.rows)[:3]


def test_too_many_candidates_are_thinned_evenly_and_that_is_said(
    rows: pl.LazyFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "CANDIDATES", 40)
    picked = made(rows, diverse=60, frame="scene")
    assert picked.notes[0] == "the 60 that differ most of 40 candidates, taken evenly from the 150 that fit"
    places = sorted(ids(rows.collect()).index(one) for one in ids(picked.rows))
    assert len(places) == 40
    assert {after - before for before, after in zip(places, places[1:], strict=False)} == {3, 4}


def test_diverse_among_the_best_keeps_how_like_they_are(rows: pl.LazyFrame) -> None:
    best = ids(chosen(rows, like="ferry", limit=9))
    picked = made(rows, like="ferry", limit=9, diverse=3)
    assert set(ids(picked.rows)) < set(best)
    assert (picked.rows[LIKENESS] > 0).all()
    assert picked.notes == ("the 3 that differ most of 9 candidates",)
    assert made(rows, like="ferry", diverse=2).notes == ("the 2 that differ most of 20 candidates",)
