import json
from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest
from elevenlabs.conversational_ai.agents.client import AgentsClient
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes import Axes
from pipeline.packs.elevenlabs_agent import (
    EAGERNESS,
    FASTEST,
    MODELS,
    SLOWEST,
    TAGS,
    TARGET,
    TIMEOUT_S,
    agent,
    event_faults,
    faults,
    reminder,
)
from pipeline.seeds import Seed
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return agent(golden_persona())


def config_of(document: Document) -> Any:
    return document["create"]["conversation_config"]


def seed(**fields: Any) -> Seed:
    return golden_seeds()[0].model_copy(update=fields)


def test_the_sdk_s_own_client_takes_the_body(document: Document) -> None:
    signature(AgentsClient.create).bind(None, **document["create"])
    assert TARGET.can_check()
    assert faults(document) == []


def test_the_agent_greets_as_the_seed_does_and_has_no_personality_but_the_scene(document: Document) -> None:
    persona = golden_persona()
    told = config_of(document)["agent"]
    assert (told["first_message"], told["language"]) == (persona.seed.greeting, "en")
    assert told["prompt"] == {"prompt": persona.scene, "ignore_default_personality": True}


def test_who_does_not_speak_first_has_an_empty_first_message() -> None:
    document = agent(golden_persona(seed=seed(greeting=None)))
    assert config_of(document)["agent"]["first_message"] == ""
    assert faults(document) == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("of", ["orla-keane", "shen-anbang"])
def test_the_start_lends_the_persona_to_an_agent_that_allows_it(of: str, model: str) -> None:
    document = agent(golden_persona(of), model)
    config, told = config_of(document), document["start"]["conversation_config_override"]
    assert told["agent"]["prompt"]["prompt"] == config["agent"]["prompt"]["prompt"]
    assert told["tts"]["voice_id"] == config["tts"]["voice_id"]
    allowed = document["create"]["platform_settings"]["overrides"]["conversation_config_override"]
    assert {part: keys.keys() for part, keys in told.items()} == {part: keys.keys() for part, keys in allowed.items()}
    assert faults(document, model) == []


@pytest.mark.parametrize(
    ("of", "model", "taken"),
    [
        ("orla-keane", "eleven_v3_conversational", "eleven_v3_conversational"),
        ("shen-anbang", "eleven_v3_conversational", "eleven_v3_conversational"),
        ("orla-keane", "eleven_flash_v2_5", "eleven_flash_v2"),
        ("shen-anbang", "eleven_flash_v2_5", "eleven_flash_v2_5"),
    ],
)
def test_a_language_has_the_speech_model_the_api_allows_it(of: str, model: str, taken: str) -> None:
    assert config_of(agent(golden_persona(of), model))["tts"]["model_id"] == taken


@pytest.mark.parametrize(
    ("turn_taking", "eagerness", "timeout"),
    [
        ("jumps-in", "eager", 5),
        ("back-channels", "normal", 7),
        ("waits", "patient", 12),
        ("leaves-silence", "patient", 20),
        ("of-their-own", "normal", 7),
    ],
)
def test_who_jumps_in_is_eager_and_who_leaves_silence_is_long_in_asking_again(
    turn_taking: str, eagerness: str, timeout: int
) -> None:
    document = agent(golden_persona(turn_taking=turn_taking))
    assert config_of(document)["turn"] == {"turn_eagerness": eagerness, "turn_timeout": timeout}
    assert faults(document) == []


@pytest.mark.parametrize(
    ("tone", "pace", "stability", "speed", "tag"),
    [
        ("steady-low", 0, 0.58, 0.77, "calm"),
        ("clear-even", 0, 0.52, 0.9, "calm"),
        ("half-smile", 1, 0.49, 1.03, "dryly"),
    ],
)
def test_a_more_aroused_tone_varies_more_and_pace_is_speed(
    tone: str, pace: int, stability: float, speed: float, tag: str
) -> None:
    document = agent(golden_persona(tone=tone, pace=pace))
    tts = config_of(document)["tts"]
    assert (tts["stability"], tts["speed"], tts["suggested_audio_tags"]) == (stability, speed, [{"tag": tag}])
    assert faults(document) == []


def test_a_model_that_takes_no_tags_is_given_none() -> None:
    tts = config_of(agent(golden_persona(), "eleven_flash_v2_5"))["tts"]
    assert tts.keys() == {"model_id", "voice_id", "stability", "speed"}


@pytest.mark.parametrize(
    ("usual", "pace", "speed"), [("very fast", 1, FASTEST), ("very slow", -1, SLOWEST), ("fast", 0, 1.1)]
)
def test_speed_stays_within_what_the_vendor_supports(usual: str, pace: int, speed: float) -> None:
    voice = golden_seeds()[0].voice
    assert voice is not None
    persona = golden_persona(seed=seed(voice=voice.model_copy(update={"pace": usual})), tone="clear-even", pace=pace)
    assert config_of(agent(persona))["tts"]["speed"] == speed


def test_every_shipped_level_has_a_setting(axes: Axes) -> None:
    assert {level.id for level in axes.levels["turn_taking"]} == EAGERNESS.keys() == TIMEOUT_S.keys()
    assert {family.id for family in axes.families} == TAGS.keys()


@given(st.text(alphabet="{} ab", max_size=12))
def test_no_brace_of_a_seed_is_read_as_a_variable(text: str) -> None:
    document = agent(golden_persona(seed=seed(greeting=f"Hello {text}")))
    said = config_of(document)["agent"]["first_message"]
    assert "{{" not in said
    assert said.replace(" ", "") == f"Hello {text}".replace(" ", "")
    assert faults(document) == []


def unknown_key(document: Document) -> None:
    config_of(document)["agent"]["prompt"]["system"] = "You are Orla."


def unknown_top(document: Document) -> None:
    document["create"]["voice"] = "Sarah"


def unknown_eagerness(document: Document) -> None:
    config_of(document)["turn"]["turn_eagerness"] = "high"


def unknown_model(document: Document) -> None:
    config_of(document)["tts"]["model_id"] = "eleven_v3"


def english_multilingual(document: Document) -> None:
    config_of(document)["tts"]["model_id"] = "eleven_flash_v2_5"


def chinese_english(document: Document) -> None:
    config_of(document)["agent"]["language"] = "zh"
    config_of(document)["tts"]["model_id"] = "eleven_flash_v2"


def too_fast(document: Document) -> None:
    config_of(document)["tts"]["speed"] = 1.3


def unstable(document: Document) -> None:
    config_of(document)["tts"]["stability"] = -0.1


def long_patience(document: Document) -> None:
    config_of(document)["turn"]["turn_timeout"] = 31


def worded_speed(document: Document) -> None:
    config_of(document)["tts"]["speed"] = "slow"


def variable(document: Document) -> None:
    config_of(document)["agent"]["prompt"]["prompt"] = "You are {{char}}."


def other_first_message(document: Document) -> None:
    document["start"]["conversation_config_override"]["agent"]["first_message"] = "Hello!"


def other_prompt(document: Document) -> None:
    document["start"]["conversation_config_override"]["agent"]["prompt"]["prompt"] = "You are somebody else."


def other_start(document: Document) -> None:
    document["start"]["type"] = "session.update"


def override_of_nothing(document: Document) -> None:
    document["start"]["conversation_config_override"]["turn_eagerness"] = "eager"


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (unknown_key, "create.conversation_config.agent.prompt.system"),
        (unknown_top, "create.voice"),
        (unknown_eagerness, "turn.turn_eagerness: the API knows no 'high'"),
        (unknown_model, "tts.model_id: the API knows no 'eleven_v3'"),
        (english_multilingual, "an agent of the language 'en' may not have eleven_flash_v2_5"),
        (chinese_english, "an agent of the language 'zh' may not have eleven_flash_v2"),
        (too_fast, "tts.speed: 1.3 is not in 0.7–1.2"),
        (unstable, "tts.stability: -0.1 is not in 0–1"),
        (long_patience, "turn.turn_timeout: 31 is not in 1–30"),
        (worded_speed, "create.conversation_config.tts.speed"),
        (variable, "agent.prompt: {{ begins a variable"),
        (other_first_message, "agent.first_message: it is not what the agent is created with"),
        (other_prompt, "agent.prompt: it is not what the agent is created with"),
        (other_start, "start.type"),
        (override_of_nothing, "start.conversation_config_override.turn_eagerness"),
    ],
)
def test_a_body_the_api_would_refuse_or_ignore_is_a_fault(
    document: Document, harm: Callable[[Document], None], told: str
) -> None:
    wrong = json.loads(json.dumps(document))
    harm(wrong)
    assert told in " ".join(map(str, faults(wrong)))


def test_the_anchor_is_the_event_the_sdk_sends() -> None:
    persona = golden_persona()
    told = reminder(persona)
    assert told == {"type": "contextual_update", "text": persona.anchor}
    assert event_faults(told) == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "contextual_update", "text": ""},
        {"type": "contextual_update"},
        {"type": "contextual_update", "text": "You are Orla.", "role": "system"},
        {"type": "user_message", "text": "You are Orla."},
    ],
)
def test_another_event_is_a_fault(event: Document) -> None:
    assert len(event_faults(event)) == 1
