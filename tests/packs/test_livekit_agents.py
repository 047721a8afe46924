import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.packs.livekit_agents import arguments, event_faults, faults, greeting, reminder
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return arguments(golden_persona())


def test_the_agent_its_session_and_its_model_are_made_from_it(document: Document) -> None:
    from livekit.agents import Agent, AgentSession
    from livekit.plugins.openai.realtime import RealtimeModel
    from openai.types.realtime.realtime_audio_input_turn_detection import SemanticVad

    realtime = document["realtime_model"]
    heard = SemanticVad(**realtime["turn_detection"])

    async def made() -> tuple[RealtimeModel, AgentSession[None]]:
        model = RealtimeModel(api_key="none", **realtime | {"turn_detection": heard})
        return model, AgentSession(llm=model, **document["agent_session"])

    model, session = asyncio.run(made())
    options = model._opts
    assert (options.model, options.voice, options.speed) == ("gpt-realtime-2.1", "sage", 0.9)
    assert (options.modalities, options.turn_detection) == (["audio"], heard)
    assert options.input_audio_noise_reduction is not None
    assert options.input_audio_noise_reduction.type == "far_field"
    assert model.capabilities.turn_detection
    assert session.llm is model
    assert session.options.endpointing["min_delay"] == 0.9
    assert Agent(**document["agent"]).instructions == golden_persona().scene


def test_the_model_takes_no_dictionary_for_its_turn_detection(document: Document) -> None:
    """Once it does, the client's lines in a pack can be shorter."""
    from livekit.plugins.openai.realtime import RealtimeModel

    with pytest.raises(AttributeError, match="create_response"):
        RealtimeModel(api_key="none", **document["realtime_model"])


@pytest.mark.parametrize(
    ("turn_taking", "eagerness", "pause"),
    [("jumps-in", "high", 0.3), ("back-channels", "auto", 0.6), ("waits", "low", 0.9), ("leaves-silence", "low", 1.5)],
)
def test_who_waits_is_not_eager_and_leaves_seconds_of_silence(turn_taking: str, eagerness: str, pause: float) -> None:
    document = arguments(golden_persona(turn_taking=turn_taking))
    assert document["realtime_model"]["turn_detection"]["eagerness"] == eagerness
    assert document["agent_session"]["turn_handling"]["endpointing"]["min_delay"] == pause
    assert faults(document) == []


def test_the_first_line_and_the_anchor_are_calls_that_livekit_takes() -> None:
    from livekit.agents import ChatContext

    orla = golden_persona()
    first, later = greeting(orla), reminder(orla)
    assert first is not None
    assert orla.seed.greeting in first["generate_reply"]["instructions"]
    message = ChatContext.empty().add_message(**later["add_message"])
    assert (message.role, message.text_content) == ("system", orla.anchor)
    assert event_faults(first) == event_faults(later) == []


def test_who_has_no_greeting_waits_to_be_spoken_to() -> None:
    seed = golden_seeds()[0].model_copy(update={"greeting": None})
    assert greeting(golden_persona(seed=seed)) is None


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"generate_reply": {"instruction": "Say hello."}}, "instruction"),
        ({"generate_reply": {"instructions": 7}}, "generate_reply.instructions"),
        ({"add_message": {"role": "narrator", "content": "x"}}, "add_message.role"),
        ({"add_message": {"content": "x"}}, "role"),
        ({"say": {"text": "Hello."}}, "say"),
    ],
)
def test_a_call_that_livekit_does_not_take_is_a_fault(event: Document, told: str) -> None:
    assert told in " ".join(map(str, event_faults(event)))


def misspelt_speed(document: Document) -> None:
    document["realtime_model"]["speeed"] = 1.0


def ignored_temperature(document: Document) -> None:
    document["realtime_model"]["temperature"] = 0.8


def instructions_of_the_model(document: Document) -> None:
    document["realtime_model"]["instructions"] = document["agent"]["instructions"]


def deprecated_delay(document: Document) -> None:
    document["agent_session"]["min_endpointing_delay"] = 0.9


def no_instructions(document: Document) -> None:
    del document["agent"]["instructions"]


def no_voice(document: Document) -> None:
    del document["realtime_model"]["voice"]


def unknown_voice(document: Document) -> None:
    document["realtime_model"]["voice"] = "Karen"


def too_fast(document: Document) -> None:
    document["realtime_model"]["speed"] = 1.6


def word_for_speed(document: Document) -> None:
    document["realtime_model"]["speed"] = "1.0"


def text_beside_audio(document: Document) -> None:
    document["realtime_model"]["modalities"] = ["text", "audio"]


def unknown_noise(document: Document) -> None:
    document["realtime_model"]["input_audio_noise_reduction"] = "car"


def unknown_eagerness(document: Document) -> None:
    document["realtime_model"]["turn_detection"]["eagerness"] = "eager"


def threshold_of_another_detector(document: Document) -> None:
    document["realtime_model"]["turn_detection"]["threshold"] = 0.5


def misspelt_endpointing(document: Document) -> None:
    document["agent_session"]["turn_handling"]["endpoint"] = {}


def misspelt_delay(document: Document) -> None:
    document["agent_session"]["turn_handling"]["endpointing"]["min_delay_ms"] = 900


def milliseconds(document: Document) -> None:
    document["agent_session"]["turn_handling"]["endpointing"]["min_delay"] = 900


def no_turn_handling(document: Document) -> None:
    document["agent_session"] = {}


def tools_beside(document: Document) -> None:
    document["tools"] = []


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (misspelt_speed, "speeed"),
        (ignored_temperature, "temperature"),
        (instructions_of_the_model, "instructions"),
        (deprecated_delay, "min_endpointing_delay"),
        (no_instructions, "instructions"),
        (no_voice, "voice"),
        (unknown_voice, "realtime_model.voice"),
        (too_fast, "realtime_model.speed"),
        (word_for_speed, "realtime_model.speed"),
        (text_beside_audio, "realtime_model.modalities"),
        (unknown_noise, "realtime_model.input_audio_noise_reduction"),
        (unknown_eagerness, "eagerness"),
        (threshold_of_another_detector, "threshold"),
        (misspelt_endpointing, "endpoint"),
        (misspelt_delay, "min_delay_ms"),
        (milliseconds, "900 s is not in 0–2.5"),
        (no_turn_handling, "turn_handling"),
        (tools_beside, "tools"),
    ],
)
def test_arguments_that_livekit_would_refuse_or_ignore_are_faults(
    document: Document, harm: Callable[[Document], None], told: str
) -> None:
    wrong = copy.deepcopy(document)
    harm(wrong)
    found = faults(wrong)
    assert found
    assert told in " ".join(map(str, found))
    assert faults(document) == []
