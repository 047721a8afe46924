import polars as pl
import pytest

from pipeline.choice import chosen, where
from pipeline.errors import UsageError
from pipeline.matrix import Expansion
from pipeline.plan import Plan
from pipeline.scene_parts import SceneSettings
from pipeline.scenes import deployable
from pipeline.virtual import virtual_matrix
from tests.golden_content import ROWS, golden_plan

DEPLOY, SCENE = SceneSettings(frame="deploy"), SceneSettings(frame="scene")


@pytest.fixture(scope="module")
def rows() -> pl.LazyFrame:
    return Expansion(golden_plan(), ROWS).frame(0, ROWS).lazy()


def ids(frame: pl.DataFrame) -> list[int]:
    return frame["persona_id"].to_list()


def test_where_keeps_what_its_sql_says(rows: pl.LazyFrame) -> None:
    wanted = rows.collect().filter(pl.col("lang") == "zh", pl.col("environment") != "car", pl.col("pace") >= 0)
    kept = where(rows, "lang = 'zh' AND environment <> 'car' AND pace >= 0").collect()
    assert 0 < kept.height < ROWS
    assert kept.equals(wanted)


def test_without_where_all_is_kept(rows: pl.LazyFrame) -> None:
    assert where(rows, None).collect().height == ROWS


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("lang =", "unable to parse"),
        ("", "unable to parse"),
        ("SELECT 1", "SELECT"),
        ("mood = 'sad'", 'unable to find column "mood"'),
        ("lang", "Boolean"),
        ("seed_id LIKE 3", "pattern"),
    ],
)
@pytest.mark.parametrize("settings", [DEPLOY, SCENE])
def test_an_expression_that_is_none_is_the_user_s_to_mend(
    rows: pl.LazyFrame, expression: str, said: str, settings: SceneSettings
) -> None:
    with pytest.raises(UsageError) as raised:
        chosen(rows, golden_plan(), expression, 10, settings)
    message = str(raised.value)
    assert message.startswith(f"--where {expression!r}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("settings", [DEPLOY, SCENE])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 30])
def test_seeds_take_turns_until_the_limit_is_met(rows: pl.LazyFrame, limit: int, settings: SceneSettings) -> None:
    picked = chosen(rows, golden_plan(), None, limit, settings)
    assert picked.height == limit
    counts = picked["seed_id"].value_counts()["count"].to_list()
    assert len(counts) == min(2, limit)
    assert max(counts) - min(counts) <= 1


def test_a_seed_that_has_no_more_leaves_the_rest_to_others(rows: pl.LazyFrame) -> None:
    expression = "lang = 'en' AND temperament = 'none' OR lang = 'zh'"
    fitting = where(rows, expression).collect()
    few = fitting.filter(pl.col("lang") == "en").height
    assert 0 < few < 60
    picked = chosen(rows, golden_plan(), expression, few + 70, SCENE)
    assert picked.height == few + 70
    assert picked.filter(pl.col("lang") == "en").height == few


def test_a_limit_beyond_all_gives_all(rows: pl.LazyFrame) -> None:
    assert ids(chosen(rows, golden_plan(), None, 10_000, SCENE)) == ids(rows.collect())
    held = deployable(rows, golden_plan()).collect()
    assert ids(chosen(rows, golden_plan(), None, 10_000, DEPLOY)) == ids(held)
    assert held.height < ROWS


def test_a_larger_limit_holds_what_a_smaller_one_holds(rows: pl.LazyFrame) -> None:
    before: set[int] = set()
    for limit in (1, 5, 20, 60):
        now = set(ids(chosen(rows, golden_plan(), None, limit, DEPLOY)))
        assert before <= now
        before = now


def test_choices_come_whole_in_order_of_id(rows: pl.LazyFrame) -> None:
    picked = chosen(rows, golden_plan(), "pace = 0", 20, DEPLOY)
    assert picked["persona_id"].is_sorted()
    assert picked.equals(rows.collect().filter(pl.col("persona_id").is_in(ids(picked))))
    assert set(picked["pace"]) == {0}


def test_nothing_that_fits_is_an_empty_choice(rows: pl.LazyFrame) -> None:
    assert chosen(rows, golden_plan(), "pace > 5", 10, DEPLOY).is_empty()


def test_a_computed_matrix_is_chosen_from_like_a_stored_one(plan: Plan) -> None:
    stored = Expansion(plan, 20_000).frame(0, 20_000).lazy()
    expression = "domain = 'companionship' AND lang = 'zh'"
    picked = chosen(virtual_matrix(plan, 20_000), plan, expression, 25, DEPLOY)
    assert picked.height == 25
    assert picked.equals(chosen(stored, plan, expression, 25, DEPLOY))
