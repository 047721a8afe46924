import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes import Axes
from pipeline.packs.anchor import LONGEST
from pipeline.scene_parts import anchor_text
from pipeline.scenes import length
from pipeline.seeds import Seed, Speech
from tests.packs.personas import golden_persona


def test_it_says_who_tone_two_habits_and_a_limit() -> None:
    orla = golden_persona("orla-keane", tone="steady-low")
    text = orla.anchor
    assert text.startswith("You are still Orla, cable-ferry keeper.")
    assert any(wording in text for wording in orla.tone.direction.en)
    assert sum(habit in text for habit in orla.seed.speech.habits) == 2
    assert sum(limit in text for limit in orla.seed.limits) == 1
    assert golden_persona("shen-anbang").anchor.startswith("你还是沈安邦，修表匠。")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_all_but_a_few_shipped_seeds_have_everything_in_theirs(
    lang: str, shipped_seeds: list[Seed], axes: Axes
) -> None:
    directions = [min(getattr(tone.direction, lang), key=length) for tone in axes.tone]
    seeds = [seed for seed in shipped_seeds if seed.lang == lang]
    whole = 0
    for number, seed in enumerate(seeds):
        tone = directions[number % len(directions)]
        habits, limit = sorted(seed.speech.habits, key=length)[:2], min(seed.limits, key=length)
        whole += length(anchor_text(seed, False, [tone], habits, [limit])) <= LONGEST[lang]
    assert whole >= 0.98 * len(seeds)


@given(
    name=st.none() | st.text("ab 中", min_size=1, max_size=300),
    habits=st.lists(st.text("ab 中。", min_size=1, max_size=200).map("x".__add__), max_size=3),
    limits=st.lists(st.text("ab 中。", min_size=1, max_size=200), max_size=2),
    of=st.sampled_from(["orla-keane", "shen-anbang"]),
)
def test_it_is_never_too_long_whatever_the_seed_says(
    name: str | None, habits: list[str], limits: list[str], of: str
) -> None:
    persona = golden_persona(of)
    update = {"name": name, "role": None, "speech": Speech(habits=tuple(habits)), "limits": tuple(limits)}
    seed = persona.seed.model_copy(update=update)
    assert 0 < length(golden_persona(of, seed).anchor) <= LONGEST[seed.lang]


def test_a_seed_without_name_habits_or_limits_is_still_called_back() -> None:
    seed = golden_persona().seed.model_copy(update={"name": None, "speech": Speech(), "limits": ()})
    text = golden_persona(seed=seed).anchor
    assert text.startswith("You are still who you were at the start.")
    assert any(wording in text for wording in golden_persona().tone.direction.en)
