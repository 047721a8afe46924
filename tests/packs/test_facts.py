import json

import pytest

from pipeline.config import SceneSettings
from pipeline.packs.facts import facts
from pipeline.packs.persona import personas
from tests.golden_content import golden_plan, golden_rows, golden_seeds
from tests.packs.personas import golden_persona


@pytest.mark.parametrize("of", ["orla-keane", "shen-anbang"])
def test_an_answer_can_be_held_against_what_the_seed_says(of: str) -> None:
    persona = golden_persona(of)
    found = facts(persona)
    seed = persona.seed
    told = (found["name"], found["age"], found["place"], found["role"], found["language"])
    assert told == (seed.name, seed.age, seed.place, seed.role, seed.lang)
    assert found["knows"] == list(seed.knows)
    assert found["limits"] == list(seed.limits)
    assert found["persona_id"] == persona.id
    assert json.loads(json.dumps(found)) == found


def test_what_a_seed_leaves_open_is_null() -> None:
    seed = golden_persona().seed.model_copy(update={"age": None, "place": None, "gender": None})
    found = facts(golden_persona(seed=seed))
    assert (found["age"], found["place"], found["gender"]) == (None, None, None)


def test_facts_of_the_call_are_those_the_scene_gives() -> None:
    for frame, given in (("deploy", False), ("scene", True)):
        settings = SceneSettings.model_validate({"frame": frame})
        rows = golden_rows(scenario="long-drive-home")
        for persona in personas(rows, golden_plan(), golden_seeds(), settings):
            told = facts(persona)["facts_of_the_call"]
            assert bool(told) == given
            assert all(fact in persona.scene for fact in told)
