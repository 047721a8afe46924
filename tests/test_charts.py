import re

import polars as pl
import pytest

from pipeline.charts import bars, grid, shares, two_histograms
from tests.small_samples import shipped_axes

MARKUP = "<script>x</script>"
LONG = "a-level-whose-name-is-longer-than-any-that-was-ever-given-to-one"
DRAWN = {
    "shares": lambda: shares({LONG: (0.2, 0.25, 0.3), MARKUP: (0.8, 0.75, 0.7)}),
    "bars": lambda: bars({LONG: 3, MARKUP: 1_000_000}, "personas"),
    "two_histograms": lambda: two_histograms(pl.Series([0.5, 1.0, None]), pl.Series([0.0, 0.25]), MARKUP),
    "grid": lambda: grid([(MARKUP, one, 1.0, "1,234") for one in shipped_axes().levels]),
}


@pytest.fixture(params=DRAWN)
def svg(request: pytest.FixtureRequest) -> str:
    return DRAWN[request.param]()


def test_a_chart_fits_a_telephone_and_takes_the_colour_of_the_page(svg: str) -> None:
    width = re.search(r'<svg[^>]* width="([\d.]+)"', svg)
    assert width is not None
    assert float(width[1]) <= 370  # drawn at nine tenths, its letters are ten pixels high
    assert 'fill="currentColor"' in svg


def test_a_chart_holds_names_as_text_and_asks_for_nothing(svg: str) -> None:
    assert "&lt;script&gt;" in svg
    assert "<script" not in svg
    assert not re.search(r"(?:href|src|url)[=(][\"']?(?!#)", svg.replace("xmlns", ""))


def test_every_level_is_named_in_its_order() -> None:
    levels = [level.id for level in shipped_axes().tone]
    svg = shares({level: (1 / len(levels),) * 3 for level in levels})
    places = [svg.index(f">{level}<") for level in levels]
    assert places == sorted(places)
