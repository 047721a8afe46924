import copy
from collections.abc import Callable
from typing import Any, get_args

import pytest
from openai import OpenAI
from openai.types import ChatModel

from pipeline.packs.openai_messages import TARGET, chat, event_faults, faults, reminder
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return chat(golden_persona())


def test_the_persona_has_picked_up_and_said_its_greeting(document: Document) -> None:
    orla = golden_persona()
    assert document == {
        "messages": [
            {"role": "system", "content": orla.scene},
            {"role": "assistant", "content": orla.seed.greeting},
        ]
    }
    assert faults(document) == []


def test_who_has_no_greeting_waits_to_be_spoken_to() -> None:
    seed = golden_seeds()[0].model_copy(update={"greeting": None})
    (scene,) = chat(golden_persona(seed=seed))["messages"]
    assert scene["role"] == "system"


def test_the_anchor_is_a_message_of_the_system() -> None:
    orla = golden_persona()
    assert reminder(orla) == {"role": "system", "content": orla.anchor}
    assert event_faults(reminder(orla)) == []
    assert event_faults({"role": "sytem", "content": "x"}) != []
    assert event_faults({"role": "system", "text": "x"}) != []


def test_a_text_of_a_seed_is_told_as_it_stands() -> None:
    seed = golden_seeds()[0].model_copy(update={"greeting": '{{7*7}} <speak> "hello"'})
    assert chat(golden_persona(seed=seed))["messages"][1]["content"] == '{{7*7}} <speak> "hello"'


def test_models_are_those_the_sdk_names() -> None:
    assert set(TARGET.models) <= set(get_args(ChatModel))


def test_the_client_takes_a_config_as_keyword_arguments(document: Document) -> None:
    sent: list[Document] = []
    client = OpenAI(api_key="none", base_url="http://localhost:0")
    client.chat.completions._post = lambda _, body, **__: sent.append(body)  # type: ignore[assignment,misc]
    client.chat.completions.create(model=TARGET.models[0], **document)
    assert sent[0]["messages"] == document["messages"]


def misspelt_role(document: Document) -> None:
    document["messages"][0]["role"] = "sytem"


def misspelt_content(document: Document) -> None:
    document["messages"][1]["text"] = document["messages"][1].pop("content")


def empty_scene(document: Document) -> None:
    document["messages"][0]["content"] = ""


def greeting_alone(document: Document) -> None:
    del document["messages"][0]


def nothing(document: Document) -> None:
    document["messages"].clear()


def instructions_beside(document: Document) -> None:
    document["instructions"] = "You are Orla."


def number(document: Document) -> None:
    document["messages"][0]["content"] = 7


def misspelt_part(document: Document) -> None:
    document["messages"][0]["content"] = [{"type": "text", "txt": "You are Orla."}]


def persona_beside(document: Document) -> None:
    document["messages"][0]["persona_id"] = 5


def word_for_temperature(document: Document) -> None:
    document["temperature"] = "warm"


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (misspelt_role, "sytem"),
        (misspelt_content, "text"),
        (empty_scene, "the scene does not come first"),
        (greeting_alone, "the scene does not come first"),
        (nothing, "the scene does not come first"),
        (instructions_beside, "instructions"),
        (number, "0.system.content"),
        (misspelt_part, "text"),
        (persona_beside, "persona_id"),
        (word_for_temperature, "temperature"),
    ],
)
def test_messages_the_api_would_refuse_or_ignore_are_faults(
    document: Document, harm: Callable[[Document], None], told: str
) -> None:
    wrong = copy.deepcopy(document)
    harm(wrong)
    assert told in " ".join(map(str, faults(wrong)))
