from pathlib import Path

import polars as pl
import pytest

from pipeline.config import SceneSettings
from pipeline.errors import UsageError
from pipeline.matrix import Expansion
from pipeline.query import answer, write_answer
from pipeline.scenes import with_scenes
from tests.golden_content import ROWS, golden_plan, golden_seeds


@pytest.fixture(scope="module")
def rows() -> pl.LazyFrame:
    return Expansion(golden_plan(), ROWS).frame(0, ROWS).lazy()


def test_sql_answers_over_the_table_personas(rows: pl.LazyFrame) -> None:
    counts = answer(rows, "SELECT lang, count(*) AS n FROM personas GROUP BY lang ORDER BY lang")
    assert counts.to_dicts() == [
        {"lang": lang, "n": rows.collect().filter(pl.col("lang") == lang).height} for lang in ("en", "zh")
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "SQL statement"),
        ("", "one"),
        ("SELECT 1; SELECT 2", "one (and only one) statement"),
        ("SELECT * FROM people", "people"),
        ("SELECT mood FROM personas", "mood"),
        ("SELECT CAST(seed_id AS INT) FROM personas", "conversion"),
    ],
)
def test_sql_that_cannot_be_answered_is_the_user_s_to_mend(rows: pl.LazyFrame, sql: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        answer(rows, sql)
    assert str(raised.value).startswith(f"{sql!r}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


READERS = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}


@pytest.mark.parametrize("suffix", READERS)
def test_an_answer_is_written_as_its_ending_says(rows: pl.LazyFrame, tmp_path: Path, suffix: str) -> None:
    told = with_scenes(rows, golden_plan(), golden_seeds(), SceneSettings())
    sql = "SELECT persona_id, tone_family, scene FROM personas WHERE pace = 0"
    path = tmp_path / "new" / f"answer{suffix}"
    height = write_answer(told, sql, path)
    wanted = answer(told, sql).cast({"tone_family": pl.String}).rows()
    assert height == len(wanted) > 0
    assert READERS[suffix](path).cast({"tone_family": pl.String}).rows() == wanted
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("sql", ["SELECT mood FROM personas", "SELECT CAST(seed_id AS INT) FROM personas"])
def test_an_answer_there_is_not_leaves_the_file_before_it(rows: pl.LazyFrame, tmp_path: Path, sql: str) -> None:
    path = tmp_path / "answer.parquet"
    path.write_text("before")
    with pytest.raises(UsageError, match="SELECT"):
        write_answer(rows, sql, path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["before"]


def test_an_ending_that_says_no_format_is_refused(rows: pl.LazyFrame, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one of \.parquet, \.csv, \.jsonl"):
        write_answer(rows, "SELECT 1 FROM personas", tmp_path / "answer.xlsx")
