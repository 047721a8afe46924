from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes import AXIS_NAMES, Axes
from pipeline.axis_files import load_axes
from pipeline.errors import Fault
from pipeline.locks import Openings, seed_faults
from pipeline.records import Placed
from pipeline.seeds import TRAITS, Seed

PROVENANCE = {
    "author": "us",
    "method": "imported",
    "license": "CC0-1.0",
    "consent": {"basis": "invented"},
    "source": "test",
    "created": "2026-01-31",
}
MIDDLING = dict.fromkeys(TRAITS, 3)


@pytest.fixture(scope="module")
def small() -> Axes:
    """tests/small_axes: three scenarios, three states, three tones in two families."""
    return load_axes(Path(__file__).parent / "small_axes")


def persona(**fields: Any) -> Seed:
    """An imported seed with ``fields``: all else is open, and its stances are companion and character."""
    record = {"id": "someone", "lang": "en", "text": "Someone.", "provenance": PROVENANCE} | fields
    return Seed.model_validate(record, strict=False)


def placed(seed: Seed, *broken: str) -> Placed[Seed]:
    return Placed("seeds.jsonl", 12, seed, frozenset(broken))


def open_levels(axes: Axes, seed: Seed, axis: str) -> set[str]:
    row = Openings(axes).of(seed)[AXIS_NAMES.index(axis)]
    assert not row[len(axes.levels[axis]) :].any()
    return {level.id for level, allowed in zip(axes.levels[axis], row, strict=False) if allowed}


def test_a_seed_that_tells_nothing_is_open_to_every_level_it_may_meet(small: Axes) -> None:
    seed = persona(world="invented")
    for axis in AXIS_NAMES[1:]:
        assert open_levels(small, seed, axis) == set(small.codes[axis])


# castle: stories, character or companion, invented, needs authority, for children
# platform-change: travel, service or companion, real, needs sight
# night-train: travel, expert, any world, for grown-ups
@pytest.mark.parametrize(
    ("fields", "met"),
    [
        ({"stances": ["companion"]}, {"platform-change"}),
        ({"stances": ["companion"], "world": "invented"}, {"castle"}),
        ({"stances": ["expert"]}, {"night-train"}),
        ({"stances": ["expert"], "world": "invented"}, {"night-train"}),
        ({"stances": ["service", "expert"]}, {"platform-change", "night-train"}),
        ({"stances": ["practice"]}, set()),
        ({"world": "invented"}, {"castle"}),
        ({"world": "invented", "bridges": {"travel": "They ride."}}, set()),
        ({"world": "invented", "bridges": {"stories": "They dream."}}, {"castle"}),
        ({"stances": ["service", "expert"], "bridges": {"stories": "They dream."}}, set()),
        ({"stances": ["service", "expert"], "bridges": {"stories": "They dream.", "travel": "They ride."}},
         {"platform-change", "night-train"}),
        ({"stances": ["service", "expert"], "locks": {"scenarios": {"never": ["sight"]}}}, {"night-train"}),
        ({"stances": ["service", "expert"], "locks": {"scenarios": {"never": ["authority"]}}},
         {"platform-change", "night-train"}),
        ({"stances": ["service", "expert"], "locks": {"scenarios": {"never": ["night-train"]}}}, {"platform-change"}),
        ({"stances": ["service", "expert"], "locks": {"scenarios": {"never": ["travel"]}}}, set()),
        ({"stances": ["service", "expert"], "locks": {"levels": {"scenario": {"only": ["night-train"]}}}},
         {"night-train"}),
        ({"stances": ["expert"], "age": 17}, set()),
        ({"stances": ["expert"], "age": 18}, {"night-train"}),
        ({"stances": ["expert"], "rating": "mature"}, {"night-train"}),
        ({"world": "invented", "rating": "mature"}, set()),
        ({"world": "invented", "age": 9}, {"castle"}),
    ],
)  # fmt: skip
def test_a_seed_meets_a_scenario_by_bridge_stance_needs_world_and_audience(
    small: Axes, fields: dict[str, Any], met: set[str]
) -> None:
    seed = persona(**fields)
    assert open_levels(small, seed, "scenario") == met


@pytest.mark.parametrize(
    ("register", "spoken"),
    [
        ("intimate", {"intimate", "casual"}),
        ("casual", {"intimate", "casual", "neutral"}),
        ("neutral", {"casual", "neutral", "formal"}),
        ("formal", {"neutral", "formal"}),
        (None, {"intimate", "casual", "neutral", "formal"}),
    ],
)
def test_a_seed_speaks_its_register_or_one_step_beside(small: Axes, register: str | None, spoken: set[str]) -> None:
    assert open_levels(small, persona(speech={"register": register}), "register") == spoken


@pytest.mark.parametrize(
    ("traits", "locks", "moods"),
    [
        (None, {}, {"none", "openness+1", "openness-1", "openness+1.neuroticism-1"}),
        (MIDDLING, {}, {"none", "openness+1", "openness-1", "openness+1.neuroticism-1"}),
        (MIDDLING | {"openness": 5}, {}, {"none", "openness-1"}),
        (MIDDLING | {"openness": 1}, {}, {"none", "openness+1", "openness+1.neuroticism-1"}),
        (MIDDLING | {"neuroticism": 1}, {}, {"none", "openness+1", "openness-1"}),
        (MIDDLING, {"openness": [3]}, {"none"}),
        (MIDDLING, {"openness": [2, 3]}, {"none", "openness-1"}),
        (MIDDLING, {"neuroticism": [3, 4, 5]}, {"none", "openness+1", "openness-1"}),
        (MIDDLING, {"agreeableness": [3]}, {"none", "openness+1", "openness-1", "openness+1.neuroticism-1"}),
    ],
)
def test_a_mood_stays_within_one_to_five_and_the_locks(
    small: Axes, traits: dict[str, int] | None, locks: dict[str, list[int]], moods: set[str]
) -> None:
    assert open_levels(small, persona(traits=traits, locks={"traits": locks}), "temperament") == moods


@given(home=st.fixed_dictionaries({trait: st.integers(1, 5) for trait in TRAITS}), data=st.data())
def test_no_mood_takes_a_shipped_trait_out_of_its_band(axes: Axes, home: dict[str, int], data: st.DataObject) -> None:
    bands = {
        trait: sorted({home[trait], *data.draw(st.sets(st.integers(1, 5)))})
        for trait in data.draw(st.sets(st.sampled_from(TRAITS)))
    }
    seed = persona(traits=home, locks={"traits": bands})
    allowed = Openings(axes).of(seed)[AXIS_NAMES.index("temperament")]
    for code, mood in enumerate(axes.temperament):
        shifted = {trait: home[trait] + step for trait, step in mood.shift.items()}
        assert allowed[code] == all(level in bands.get(trait, range(1, 6)) for trait, level in shifted.items())


@pytest.mark.parametrize(
    ("locks", "axis", "left"),
    [
        ({"tones": {"never": ["low"]}}, "tone", {"even", "teasing"}),
        ({"tones": {"never": ["calm"]}}, "tone", {"teasing"}),
        ({"tones": {"only": ["calm"]}}, "tone", {"low", "even"}),
        ({"tones": {"only": ["calm", "teasing"], "never": ["low"]}}, "tone", {"even", "teasing"}),
        ({"tones": {"only": ["even"], "never": ["calm"]}}, "tone", set()),
        ({"tones": {"only": ["calm"]}, "levels": {"tone": {"never": ["low"]}}}, "tone", {"even"}),
        ({"levels": {"pace": {"only": ["usual", "more"]}}}, "pace", {"usual", "more"}),
        ({"levels": {"pace": {"only": ["usual", "more"], "never": ["more"]}}}, "pace", {"usual"}),
        ({"levels": {"user_state": {"never": ["sad", "angry"]}}}, "user_state", {"neutral"}),
        ({"levels": {"register": {"only": ["formal"]}}}, "register", {"formal"}),
        ({"levels": {"temperament": {"only": ["none"]}}}, "temperament", {"none"}),
    ],
)
def test_a_lock_leaves_what_it_names_and_touches_no_other_axis(
    small: Axes, locks: dict[str, Any], axis: str, left: set[str]
) -> None:
    assert open_levels(small, persona(locks=locks), axis) == left
    for other in AXIS_NAMES:
        if other != axis:
            assert open_levels(small, persona(locks=locks), other) == open_levels(small, persona(), other)


@pytest.mark.parametrize(
    ("fields", "field", "problem", "remedy"),
    [
        ({"bridges": {"space": "They fly."}}, "bridges", "there is no 'space'", "Known: stories, travel."),
        ({"bridges": {"travle": "They ride."}}, "bridges", "there is no 'travle'", "Did you mean 'travel'?"),
        ({"locks": {"tones": {"never": ["flat"]}}}, "locks.tones", "there is no 'flat'",
         "Known: calm, even, low, play, teasing."),
        ({"locks": {"tones": {"only": ["low", "flat"]}}}, "locks.tones", "there is no 'flat'", "Known: calm"),
        ({"locks": {"scenarios": {"never": ["smell"]}}}, "locks.scenarios.never", "there is no 'smell'",
         "Known: authority, castle, night-train, platform-change, sight, stories, travel."),
        ({"speech": {"register": "stiff"}}, "speech.register", "there is no 'stiff'",
         "Known: casual, formal, intimate, neutral."),
        ({"locks": {"levels": {"mood": {"never": ["grim"]}}}}, "locks.levels", "there is no 'mood'", "Known: cue"),
        ({"locks": {"levels": {"pace": {"only": ["warp"]}}}}, "locks.levels.pace", "there is no 'warp'",
         "Known: less, more, usual."),
        ({"locks": {"levels": {"pace": {"never": ["warp"]}}}}, "locks.levels.pace", "there is no 'warp'",
         "Known: less, more, usual."),
        ({"stances": ["practice"]}, "bridges", "its locks leave no scenario",
         "No scenario of its domains takes the stances practice: add a bridge or a stance, or unlock a need."),
        ({"bridges": {"stories": "They dream."}}, "bridges", "its locks leave no scenario",
         "No scenario of its domains takes the stances companion, character:"),
        ({"locks": {"scenarios": {"never": ["sight"]}}}, "bridges", "its locks leave no scenario", "No scenario of"),
        ({"locks": {"levels": {"scenario": {"only": ["castle"]}}}}, "locks.levels.scenario",
         "its locks leave no scenario", "No scenario of its domains"),
        ({"locks": {"tones": {"never": ["calm", "play"]}}}, "locks.tones", "its locks leave no tone",
         "Free at least one level."),
        ({"locks": {"tones": {"only": ["low"], "never": ["calm"]}}}, "locks.tones", "its locks leave no tone", "Free"),
        ({"locks": {"levels": {"cue": {"never": ["none", "sigh"]}}}}, "locks.levels.cue", "its locks leave no cue",
         "Free"),
        ({"speech": {"register": "formal"}, "locks": {"levels": {"register": {"only": ["casual"]}}}},
         "locks.levels.register", "its locks leave no register", "Free"),
        ({"traits": MIDDLING | {"openness": 5}, "locks": {"levels": {"temperament": {"only": ["openness+1"]}}}},
         "locks.levels.temperament", "its locks leave no temperament", "Free"),
    ],
)  # fmt: skip
def test_a_seed_that_refers_to_nothing_or_has_nothing_left_is_a_fault(
    small: Axes, fields: dict[str, Any], field: str, problem: str, remedy: str
) -> None:
    (fault,) = seed_faults(Openings(small), placed(persona(**fields)))
    assert fault == Fault("seeds.jsonl", 12, field, problem, fault.remedy)
    assert fault.remedy.startswith(remedy)


def test_every_unknown_id_and_every_empty_axis_of_a_seed_is_listed_at_once(small: Axes) -> None:
    unknown = persona(
        bridges={"space": "They fly.", "sea": "They swim.", "travel": "They ride."},
        speech={"register": "stiff"},
        locks={"levels": {"pace": {"only": ["warp"]}}},
    )
    fields = [(fault.field, fault.problem) for fault in seed_faults(Openings(small), placed(unknown))]
    assert fields == [
        ("bridges", "there is no 'sea'"),
        ("bridges", "there is no 'space'"),
        ("speech.register", "there is no 'stiff'"),
        ("locks.levels.pace", "there is no 'warp'"),
    ]
    empty = persona(stances=["practice"], locks={"tones": {"never": ["calm", "play"]}})
    assert [fault.field for fault in seed_faults(Openings(small), placed(empty))] == ["bridges", "locks.tones"]


def test_a_seed_with_a_broken_field_is_held_to_the_ids_it_names_but_not_to_what_its_locks_leave(small: Axes) -> None:
    empty = {"stances": ["practice"], "locks": {"tones": {"never": ["calm", "play"]}}}
    assert list(seed_faults(Openings(small), placed(persona(**empty), "age"))) == []
    (fault,) = seed_faults(Openings(small), placed(persona(**empty, bridges={"space": "They fly."}), "age"))
    assert (fault.field, fault.problem) == ("bridges", "there is no 'space'")


def test_the_shipped_seeds_are_at_home_on_the_shipped_axes(shipped_seeds: list[Seed], axes: Axes) -> None:
    openings = Openings(axes)
    for seed in shipped_seeds:
        assert list(seed_faults(openings, placed(seed))) == []
        reached = {axes.scenario[code].domain for code in np.nonzero(openings.of(seed)[0])[0]}
        assert reached == set(seed.bridges or ()), f"{seed.id}: a bridge leads nowhere"
