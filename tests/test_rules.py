from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes import AXIS_NAMES, Axes, Rule
from pipeline.axis_files import load_axes
from pipeline.rules import ONE, Tables, axis_codes, compile_tables


@pytest.fixture(scope="module")
def small() -> Axes:
    """tests/small_axes: three scenarios, three states, three tones in two families."""
    return load_axes(Path(__file__).parent / "small_axes")


def ruled(axes: Axes, *rules: dict[str, Any]) -> Axes:
    return axes.model_copy(update={"rules": tuple(Rule.model_validate(rule | {"reason": "-"}) for rule in rules)})


def edge(axes: Axes, tables: Tables, child: str, parent_level: str, level: str) -> int:
    number = AXIS_NAMES.index(child)
    parent = AXIS_NAMES[tables.parents[number]]
    return int(tables.edges[number, axes.codes[parent][parent_level], axes.codes[child][level]])


def test_a_scenario_allows_what_it_lists_with_that_affinity_and_excludes_all_else(small: Axes) -> None:
    tables = compile_tables(ruled(small))
    # castle, platform-change, night-train by neutral, sad, angry
    assert tables.scenario_state.tolist() == [[256, 0, 128], [256, 64, 0], [256, 256, 128]]
    # by low, even (calm), teasing (play)
    assert tables.scenario_tone.tolist() == [[77, 77, 256], [256, 256, 128], [256, 256, 0]]
    relationships = [
        [edge(small, tables, "relationship", scenario, level) for level in ("stranger", "regular")]
        for scenario in ("castle", "platform-change", "night-train")
    ]
    assert relationships == [[0, 256], [256, 128], [256, 0]]
    assert edge(small, tables, "verbosity", "castle", "short") == 0
    assert edge(small, tables, "verbosity", "night-train", "long") == 128
    assert edge(small, tables, "environment", "castle", "street") == 0
    assert edge(small, tables, "environment", "platform-change", "street") == 256


def test_without_rules_all_else_fits_fully(small: Axes) -> None:
    tables = compile_tables(ruled(small))
    assert (tables.state_tone == ONE).all()
    assert (tables.domain_state_family == ONE).all()
    for child in ("register", "turn_taking", "pace", "energy", "cue", "temperament"):
        number = AXIS_NAMES.index(child)
        parents, levels = tables.cards[tables.parents[number]], tables.cards[number]
        assert (tables.edges[number, :parents, :levels] == ONE).all()
        assert not tables.edges[number, parents:].any()
        assert not tables.edges[number, :, levels:].any()


def test_the_authored_rules_are_compiled(small: Axes) -> None:
    tables = compile_tables(small)
    assert tables.state_tone.tolist() == [[256] * 3, [256, 256, 0], [256] * 3]
    assert [edge(small, tables, "pace", "low", level) for level in ("less", "usual", "more")] == [256, 256, 0]
    assert [edge(small, tables, "cue", tone, "sigh") for tone in ("low", "even", "teasing")] == [128, 128, 256]
    travel, stories = tables.domain_state_family.tolist()
    assert travel == [[256, 256], [102, 102], [102, 102]]
    assert stories == [[256, 256]] * 3


@pytest.mark.parametrize(
    ("term", "axis", "levels"),
    [
        ({"tone": "low"}, "tone", ["low"]),
        ({"tone": ["teasing", "low", "low"]}, "tone", ["low", "teasing"]),
        ({"tone": "#soft"}, "tone", ["low", "even"]),
        ({"tone": ["#slow", "teasing"]}, "tone", ["low", "teasing"]),
        ({"tone_family": "calm"}, "tone", ["low", "even"]),
        ({"tone_family": ["calm", "play"]}, "tone", ["low", "even", "teasing"]),
        ({"domain": "travel"}, "scenario", ["platform-change", "night-train"]),
        ({"user_state": "#heavy"}, "user_state", ["sad", "angry"]),
        ({"temperament": "openness+1"}, "temperament", ["openness+1"]),
        ({"temperament": "#openness+1"}, "temperament", ["openness+1", "openness+1.neuroticism-1"]),
        ({"temperament": "#neuroticism-1"}, "temperament", ["openness+1.neuroticism-1"]),
    ],
)
def test_a_term_means_the_levels_it_names_lists_or_tags(
    small: Axes, term: dict[str, Any], axis: str, levels: list[str]
) -> None:
    assert axis_codes(small, term) == (axis, [small.codes[axis][level] for level in levels])


def test_a_domain_in_a_rule_means_each_of_its_scenarios(small: Axes) -> None:
    plain, tables = (
        compile_tables(ruled(small, *rules))
        for rules in ([], [{"affinity": 0.5, "pair": [{"domain": "travel"}, {"user_state": "neutral"}]}])
    )
    assert (tables.scenario_state[:, 0] == [256, 128, 128]).all()
    assert (tables.scenario_state[:, 1:] == plain.scenario_state[:, 1:]).all()


AFFINITIES = st.integers(1, 100).map(lambda hundredths: hundredths / 100)


@given(affinities=st.lists(AFFINITIES, max_size=6), hard=st.booleans(), turned=st.lists(st.booleans(), min_size=7))
def test_affinities_on_a_pair_multiply_and_a_hard_rule_is_zero(
    small: Axes, affinities: list[float], hard: bool, turned: list[bool]
) -> None:
    terms = [{"tone": "low"}, {"pace": "more"}]
    rules = [{"affinity": affinity, "pair": terms} for affinity in affinities]
    rules += [{"hard": terms}] * hard
    for rule, turn in zip(rules, turned, strict=False):
        form = next(name for name in ("pair", "hard") if name in rule)
        rule[form] = terms[::-1] if turn else terms
    tables = compile_tables(ruled(small, *rules))
    exact = float(np.prod(affinities)) * ONE
    found = edge(small, tables, "pace", "low", "more")
    assert found == 0 if hard else found >= 1 and abs(found - max(exact, 1)) <= 0.5 + 1e-9
    assert edge(small, tables, "pace", "low", "usual") == edge(small, tables, "pace", "even", "more") == ONE


def test_a_rules_affinity_multiplies_what_the_scenario_gives(small: Axes) -> None:
    rules = [
        {"affinity": 0.5, "pair": [{"scenario": "castle"}, level]}
        for level in ({"tone": "low"}, {"user_state": "angry"})
    ]
    tables = compile_tables(ruled(small, *rules))
    assert tables.scenario_tone[0].tolist() == [38, 77, 256]  # 0.5 · 0.3 · 256
    assert tables.scenario_state[0].tolist() == [256, 0, 64]


RULES: list[dict[str, Any]] = [
    {"affinity": 0.7, "pair": [{"cue": "sigh"}, {"tone": "#soft"}]},
    {"affinity": 0.3, "pair": [{"tone_family": "calm"}, {"cue": ["sigh", "none"]}]},
    {"hard": [{"user_state": "sad"}, {"tone_family": "play"}]},
    {"affinity": 0.9, "pair": [{"tone": "teasing"}, {"user_state": "#heavy"}]},
    {"affinity": 0.2, "triple": [{"user_state": "sad"}, {"tone_family": "play"}, {"domain": "stories"}]},
    {"affinity": 0.6, "triple": [{"domain": "stories"}, {"user_state": "#heavy"}, {"tone_family": ["calm", "play"]}]},
]


@given(order=st.permutations(RULES))
def test_the_order_of_rules_does_not_matter(small: Axes, order: list[dict[str, Any]]) -> None:
    for one, other in zip(compile_tables(ruled(small, *RULES)), compile_tables(ruled(small, *order)), strict=True):
        assert (one == other).all()


def test_a_triple_holds_for_its_three_levels_together_only(small: Axes) -> None:
    tables = compile_tables(ruled(small, *RULES[4:]))
    stories = small.codes["domain"]["stories"]
    assert tables.domain_state_family[stories].tolist() == [[256, 256], [154, 31], [154, 154]]
    assert (tables.domain_state_family[1 - stories] == ONE).all()
