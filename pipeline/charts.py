"""Charts of the report as inline SVG: altair describes them, vl-convert draws them without a browser or a network.

Text and lines take the page's colour, so that one drawing serves light and dark.  A chart is at most 370 units wide and
is laid out beside others, so that it reads the same on a telephone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl
import vl_convert

WIDTH = 200
ROW = 15
INK = "currentColor"
COLORS = {"authored": "#8a8f98", "attainable": "#3b8ea5", "fitted": "#e07a3f"}
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "padding": {"left": 18, "top": 5, "right": 10, "bottom": 5},  # a reader's font may be wider than the drawer's
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelColor": INK, "titleColor": INK, "domainColor": INK, "tickColor": INK, "gridColor": INK,
             "gridOpacity": 0.12, "labelLimit": 130, "labelFontSize": 11, "titleFontSize": 11},
    "legend": {"labelColor": INK, "titleColor": INK, "orient": "top", "labelFontSize": 11},
    "header": {"labelColor": INK, "titleColor": INK},
}  # fmt: skip


def shares(levels: Mapping[str, Sequence[float]]) -> str:
    """Authored, attainable and fitted share of each level: a grey tick, a ring, a dot."""
    rows = [
        {"level": level, "share": share, "kind": kind}
        for level, three in levels.items()
        for kind, share in zip(COLORS, three, strict=True)
    ]
    base = alt.Chart({"values": rows}).encode(
        x=alt.X("share:Q", axis=alt.Axis(format="%", tickCount=4), title=None),
        y=alt.Y("level:N", sort=list(levels), title=None),
        color=alt.Color("kind:N", scale=alt.Scale(domain=list(COLORS), range=list(COLORS.values())), legend=None),
    )
    marks = (
        base.transform_filter("datum.kind == 'authored'").mark_tick(thickness=3, size=11)
        + base.transform_filter("datum.kind == 'attainable'").mark_point(size=55, filled=False)
        + base.transform_filter("datum.kind == 'fitted'").mark_point(size=22, filled=True, opacity=1)
    )
    return _svg(marks.properties(width=WIDTH, height=ROW * len(levels)))


def bars(counts: Mapping[str, float], title: str, percent: bool = False) -> str:
    rows = [{"name": name, "count": count} for name, count in counts.items()]
    chart = (
        alt.Chart({"values": rows})
        .mark_bar(color=COLORS["attainable"])
        .encode(
            x=alt.X("count:Q", title=title, axis=alt.Axis(format="%" if percent else "~s", tickCount=4)),
            y=alt.Y("name:N", sort=list(counts), title=None),
        )
    )
    return _svg(chart.properties(width=WIDTH, height=ROW * max(1, len(counts))))


def two_histograms(found: pl.Series, chance: pl.Series, title: str) -> str:
    """Two sets of scores from 0 to 1 in twenty bins, as steps over one another."""
    rows = [
        {"from": bin / 20, "share": count, "kind": kind}
        for kind, scores in (("paired", found), ("by chance", chance))
        for bin, count in enumerate(_binned(scores))
    ]
    colors = alt.Scale(domain=["paired", "by chance"], range=[COLORS["fitted"], COLORS["authored"]])
    chart = (
        alt.Chart({"values": rows})
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("from:Q", title=title, scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("share:Q", title=None, axis=alt.Axis(format="%", tickCount=4)),
            color=alt.Color("kind:N", scale=colors, title=None),
        )
    )
    return _svg(chart.properties(width=WIDTH + 60, height=120))


def _binned(scores: pl.Series) -> list[float]:
    bins = (scores.drop_nulls() * 20).floor().clip(0, 19).cast(pl.UInt8)
    counts = dict(bins.value_counts().iter_rows())
    return [counts.get(bin, 0) / max(1, len(bins)) for bin in range(20)]


def grid(cells: Sequence[tuple[str, str, float, str]]) -> str:
    """A square of shares: (column, row, share, what is written in the cell)."""
    rows = [{"one": one, "other": other, "share": share, "text": text} for one, other, share, text in cells]
    names = list(dict.fromkeys(one for one, *_ in cells)) + [other for _, other, *_ in cells]
    order = list(dict.fromkeys(names))
    base = alt.Chart({"values": rows}).encode(
        x=alt.X("one:N", sort=order, title=None, axis=alt.Axis(labelAngle=-60, orient="top")),
        y=alt.Y("other:N", sort=order, title=None),
    )
    scale = alt.Scale(domain=[0, 1], range=["#c0392b", "#2e8b62"])
    squares = base.mark_rect(opacity=0.85).encode(color=alt.Color("share:Q", scale=scale, legend=None))
    texts = base.mark_text(fontSize=8, color="white").encode(text="text:N")
    return _svg((squares + texts).properties(width=WIDTH + 30, height=WIDTH + 10))


def _svg(chart: Any) -> str:
    return str(vl_convert.vegalite_to_svg(chart.configure(**CONFIG).to_dict()))
