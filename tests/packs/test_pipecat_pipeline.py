import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.packs.openai_realtime import session_update
from pipeline.packs.pipecat_pipeline import FRAME, event_faults, faults, greeting, reminder, settings
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

Document = dict[str, Any]
pytestmark = pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")  # by Pipecat's own modules


@pytest.fixture
def document() -> Document:
    return settings(golden_persona())


def test_the_service_and_a_context_are_made_from_it(document: Document) -> None:
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.services.openai.realtime.events import SessionProperties
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

    orla = golden_persona()
    properties = SessionProperties(**document["session_properties"])
    service = OpenAIRealtimeLLMService(
        api_key="none", settings=OpenAIRealtimeLLMService.Settings(session_properties=properties)
    )
    held = service._settings
    assert (held.model, held.system_instruction) == ("gpt-realtime-2.1", orla.scene)
    sent = properties.model_dump(exclude_none=True)
    assert sent == document["session_properties"]
    assert sent["audio"] == session_update(orla)["session"]["audio"]
    assert LLMContext(document["messages"]).get_messages() == [{"role": "system", "content": orla.scene}]


def test_the_first_line_and_the_anchor_are_frames_that_a_pipeline_takes() -> None:
    from pipecat.frames.frames import LLMMessagesAppendFrame

    orla = golden_persona()
    first, later = greeting(orla), reminder(orla)
    assert first is not None
    spoken, told = LLMMessagesAppendFrame(**first[FRAME]), LLMMessagesAppendFrame(**later[FRAME])
    assert (spoken.run_llm, told.run_llm) == (True, False)
    assert orla.seed.greeting in spoken.messages[0]["content"]
    assert told.messages == [{"role": "developer", "content": orla.anchor}]
    assert event_faults(first) == event_faults(later) == []


async def conversation(messages: list[Any]) -> Any:
    from pipecat.adapters.llm.services.open_ai_realtime_adapter import OpenAIRealtimeLLMAdapter
    from pipecat.processors.aggregators.llm_context import LLMContext

    return await OpenAIRealtimeLLMAdapter().get_llm_invocation_params(
        LLMContext(messages), system_instruction="the scene"
    )


def test_the_first_line_is_kept_where_the_session_has_instructions_of_its_own() -> None:
    first = greeting(golden_persona())
    assert first is not None
    made = asyncio.run(conversation(first[FRAME]["messages"]))
    assert made["system_instruction"] == "the scene"
    assert made["messages"][0].content[0].text == first[FRAME]["messages"][0]["content"]


def test_who_has_no_greeting_waits_to_be_spoken_to() -> None:
    seed = golden_seeds()[0].model_copy(update={"greeting": None})
    assert greeting(golden_persona(seed=seed)) is None


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ({FRAME: {"messages": [], "run": True}}, "run"),
        ({FRAME: {"run_llm": True}}, "messages"),
        ({FRAME: {"messages": [{"role": "developper", "content": "x"}]}}, "developer"),
        ({FRAME: {"messages": [{"role": "system", "content": "x"}]}}, "developer"),
        ({FRAME: {"messages": [{"role": "developer", "content": "x", "weight": 1}]}}, "weight"),
        ({"LLMMessagesFrame": {}}, FRAME),
    ],
)
def test_a_frame_that_pipecat_does_not_know_is_a_fault(frame: Document, told: str) -> None:
    assert told in " ".join(map(str, event_faults(frame)))


def misspelt_speed(session: Document) -> None:
    session["audio"]["output"]["speeed"] = 1.0


def flat_voice(session: Document) -> None:
    session["voice"] = "coral"


def temperature(session: Document) -> None:
    session["temperature"] = 0.8


def idle_timeout(session: Document) -> None:
    """OpenAI knows it, Pipecat has no field for it."""
    session["audio"]["input"]["turn_detection"] = {"type": "server_vad", "idle_timeout_ms": 6000}


def unknown_eagerness(session: Document) -> None:
    session["audio"]["input"]["turn_detection"]["eagerness"] = "eager"


def unknown_noise(session: Document) -> None:
    session["audio"]["input"]["noise_reduction"]["type"] = "car"


def other_rate(session: Document) -> None:
    session["audio"]["output"]["format"]["rate"] = 16_000


def too_fast(session: Document) -> None:
    session["audio"]["output"]["speed"] = 1.6


def video(session: Document) -> None:
    session["output_modalities"] = ["video"]


def other_instructions(session: Document) -> None:
    session["instructions"] = "You are somebody else."


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (misspelt_speed, "audio.output.speeed"),
        (flat_voice, "voice"),
        (temperature, "temperature"),
        (idle_timeout, "idle_timeout_ms"),
        (unknown_eagerness, "eagerness"),
        (unknown_noise, "noise_reduction.type"),
        (other_rate, "rate"),
        (too_fast, "1.6 is not in 0.25–1.5"),
        (video, "output_modalities"),
        (other_instructions, "it is not the instructions"),
    ],
)
def test_a_session_that_pipecat_would_refuse_or_drop_in_silence_is_a_fault(
    document: Document, harm: Callable[[Document], None], told: str
) -> None:
    wrong = copy.deepcopy(document)
    harm(wrong["session_properties"])
    assert told in " ".join(map(str, faults(wrong)))
    assert faults(document) == []


def test_what_neither_the_service_nor_a_context_takes_is_a_fault(document: Document) -> None:
    assert "voice" in str(faults(document | {"voice": "coral"})[0])


def test_checking_says_nothing_on_standard_error(document: Document, capfd: pytest.CaptureFixture[str]) -> None:
    assert faults(document) == []
    assert capfd.readouterr().err == ""
