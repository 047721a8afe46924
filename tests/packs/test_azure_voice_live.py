import json
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any
from xml.etree import ElementTree

import azure.ai.voicelive.models as sdk
import pytest
from azure.ai.voicelive import _unions
from azure.ai.voicelive.models import _models

from pipeline.axes import Axes
from pipeline.config import content_root
from pipeline.packs.azure_voice_live import (
    MODELS,
    SURE_OF_THE_END,
    TARGET,
    event_faults,
    faults,
    greeting,
    session_update,
)
from pipeline.packs.openai_realtime import system_item
from pipeline.schema_check import validator
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

Document = dict[str, Any]
TEXT_MODEL = "gpt-4.1"


@pytest.fixture
def update() -> Document:
    return session_update(golden_persona())


def test_it_is_the_flat_shape_with_an_azure_voice(update: Document) -> None:
    assert update.keys() == {"event_id", "type", "session"}
    session = update["session"]
    assert (session["modalities"], session["voice"]["type"]) == (["text", "audio"], "azure-standard")
    assert session["instructions"] == golden_persona().scene
    assert faults(update, MODELS[0]) == []


def written() -> list[tuple[str, str, list[str]]]:
    """Of each definition of our schema, which is named after the SDK's model, its keys and the texts they may be."""
    document = json.loads((content_root() / "schemas/vendor/azure-voice-live.schema.json").read_text("utf-8"))
    return [
        (name, key, [value for value in rule.get("enum", [rule.get("const")]) if isinstance(value, str)])
        for name, definition in document["$defs"].items()
        for key, rule in definition["properties"].items()
    ]


def texts_of(annotation: Any) -> set[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {member.value for member in annotation}
    if typing.get_origin(annotation) is typing.Literal:
        return {getattr(value, "value", value) for value in typing.get_args(annotation)}
    return set().union(*map(texts_of, typing.get_args(annotation)))


@pytest.mark.parametrize(("name", "key", "texts"), written())
def test_every_key_and_value_of_our_schema_is_one_of_the_sdk_s(name: str, key: str, texts: list[str]) -> None:
    model = getattr(sdk, name)
    known = texts_of(typing.get_type_hints(model, vars(_models) | {"_models": sdk, "_unions": _unions})[key])
    for base in model.__mro__:  # what tells its kinds apart is typed as the one kind in each model
        known |= getattr(base, "__mapping__", {}).keys()
    assert set(texts) <= known or not known


@pytest.mark.parametrize("document", [session_update(golden_persona(), TEXT_MODEL)["session"]])
def test_the_sdk_reads_the_session_as_its_own_models(document: Document) -> None:
    session = sdk.RequestSession(document)
    assert isinstance(session.turn_detection, sdk.AzureSemanticVad)
    assert isinstance(session.turn_detection.end_of_utterance_detection, sdk.AzureSemanticDetection)
    assert isinstance(session.input_audio_noise_reduction, sdk.AudioNoiseReduction)
    assert session.as_dict() == document


@pytest.mark.parametrize(
    ("turn_taking", "silence", "level", "timeout"),
    [
        ("jumps-in", 300, "low", 600),
        ("back-channels", 600, "medium", 1200),
        ("waits", 900, "high", 1800),
        ("leaves-silence", 1500, "high", 3000),
        ("of-their-own", 600, "default", 1200),
    ],
)
def test_who_leaves_more_silence_waits_longer_and_is_surer_of_the_end(
    turn_taking: str, silence: int, level: str, timeout: int
) -> None:
    document = session_update(golden_persona(turn_taking=turn_taking), TEXT_MODEL)
    heard = document["session"]["turn_detection"]
    ends = heard["end_of_utterance_detection"]
    assert (heard["silence_duration_ms"], ends["threshold_level"], ends["timeout_ms"]) == (silence, level, timeout)
    assert faults(document, TEXT_MODEL) == []


@pytest.mark.parametrize(
    ("of", "vad", "end", "language"),
    [
        ("orla-keane", "azure_semantic_vad", "semantic_detection_v1", "en-US"),
        ("shen-anbang", "azure_semantic_vad_multilingual", "semantic_detection_v1_multilingual", "zh-CN"),
    ],
)
def test_a_persona_is_heard_in_its_language(of: str, vad: str, end: str, language: str) -> None:
    session = session_update(golden_persona(of), TEXT_MODEL)["session"]
    heard = session["turn_detection"]
    assert (heard["type"], heard["end_of_utterance_detection"]["model"]) == (vad, end)
    assert session["input_audio_transcription"] == {"model": "azure-speech", "language": language}


@pytest.mark.parametrize("model", MODELS)
def test_only_a_model_of_text_is_told_how_to_read_what_was_heard(model: str) -> None:
    document = session_update(golden_persona(), model)
    of_text = model in {"gpt-4.1", "gpt-4.1-mini", "gpt-5.4", "gpt-5.6-luna"}
    assert ("input_audio_transcription" in document["session"]) == of_text
    assert ("end_of_utterance_detection" in document["session"]["turn_detection"]) == of_text
    assert faults(document, model) == []


def test_a_model_that_hears_refuses_what_is_for_models_of_text() -> None:
    document = session_update(golden_persona(), TEXT_MODEL)
    assert [fault.field for fault in faults(document, "gpt-realtime")] == [
        "session.input_audio_transcription",
        "session.turn_detection.end_of_utterance_detection",
    ]


@pytest.mark.parametrize(
    ("environment", "threshold", "noise", "echo"),
    [
        ("quiet", 0.5, False, False),
        ("bad-line", 0.5, False, False),
        ("street", 0.6, True, False),
        ("car", 0.6, True, True),
        ("kitchen", 0.6, True, True),
    ],
)
def test_noise_is_suppressed_where_it_is_and_echo_where_a_loudspeaker_is(
    environment: str, threshold: float, noise: bool, echo: bool
) -> None:
    document = session_update(golden_persona(environment=environment))
    session = document["session"]
    assert session["turn_detection"]["threshold"] == threshold
    assert ("input_audio_noise_reduction" in session, "input_audio_echo_cancellation" in session) == (noise, echo)
    assert faults(document, MODELS[0]) == []


def test_every_shipped_level_of_turn_taking_has_a_setting(axes: Axes) -> None:
    assert {level.id for level in axes.levels["turn_taking"]} == SURE_OF_THE_END.keys()


def test_a_session_and_its_reading_have_one_voice(update: Document) -> None:
    voice = update["session"]["voice"]
    assert TARGET.reading is not None
    for line in TARGET.reading(golden_persona())["lines"]:
        root = ElementTree.fromstring(line["ssml"])
        (prosody,) = root.iter("{http://www.w3.org/2001/10/synthesis}prosody")
        assert prosody.attrib == {name: voice[name] for name in ("rate", "pitch", "volume")}
        assert root[0].attrib == {"name": voice["name"]}


def beta_voice(session: Document) -> None:
    session["voice"] = "alloy"


def ga_shape(session: Document) -> None:
    session["audio"] = {"output": {"voice": session.pop("voice")}}


def audio_alone(session: Document) -> None:
    session["modalities"] = ["audio"]


def hot(session: Document) -> None:
    session["temperature"] = "hot"


def other_voice(session: Document) -> None:
    session["voice"]["name"] = "en-US-KarenNeural"


def other_style(session: Document) -> None:
    session["voice"] |= {"name": "en-GB-SoniaNeural", "style": "serious"}


def style_degree(session: Document) -> None:
    session["voice"]["styledegree"] = "2"


def too_fast(session: Document) -> None:
    session["voice"]["rate"] = "1.6"


def bare_pitch(session: Document) -> None:
    session["voice"]["pitch"] = 3


def too_loud(session: Document) -> None:
    session["voice"]["volume"] = "110"


def never_speech(session: Document) -> None:
    session["turn_detection"]["threshold"] = 1.0


def eager(session: Document) -> None:
    session["turn_detection"]["eagerness"] = "high"


def half_milliseconds(session: Document) -> None:
    session["turn_detection"]["silence_duration_ms"] = 600.5


def other_vad(session: Document) -> None:
    session["turn_detection"]["type"] = "azure_multilingual_semantic_vad"


def other_noise(session: Document) -> None:
    session["input_audio_noise_reduction"] = {"type": "deep"}


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (beta_voice, "session.voice"),
        (ga_shape, "audio"),
        (audio_alone, "session.modalities"),
        (hot, "session.temperature"),
        (other_voice, "no voice 'en-US-KarenNeural'"),
        (other_style, "en-GB-SoniaNeural does not speak in the style 'serious'"),
        (style_degree, "styledegree"),
        (too_fast, "session.voice.rate"),
        (bare_pitch, "session.voice.pitch"),
        (too_loud, "session.voice.volume"),
        (never_speech, "session.turn_detection.threshold"),
        (eager, "eagerness"),
        (half_milliseconds, "session.turn_detection.silence_duration_ms"),
        (other_vad, "session.turn_detection.type"),
        (other_noise, "session.input_audio_noise_reduction.type"),
    ],
)
def test_a_config_the_service_would_refuse_or_ignore_is_a_fault(
    update: Document, harm: Callable[[Document], None], told: str
) -> None:
    wrong = json.loads(json.dumps(update))
    harm(wrong["session"])
    assert told in " ".join(map(str, faults(wrong, MODELS[0])))


def test_the_greeting_is_spoken_word_for_word_and_the_anchor_is_a_system_message() -> None:
    persona = golden_persona()
    told = greeting(persona)
    assert told is not None
    message = sdk.ResponseCreateParams(told["response"]).pre_generated_assistant_message
    assert isinstance(message, sdk.AssistantMessageItem)
    assert message.content[0]["text"] == persona.seed.greeting
    reminder = system_item(persona)
    assert isinstance(sdk.ClientEvent._deserialize(reminder, []), sdk.ClientEventConversationItemCreate)
    assert reminder["item"]["content"][0]["text"] == persona.anchor
    assert event_faults(told) == event_faults(reminder) == []


def test_who_does_not_speak_first_greets_nobody() -> None:
    silent = golden_seeds()[0].model_copy(update={"greeting": None})
    assert greeting(golden_persona(seed=silent)) is None


@pytest.mark.parametrize("key", ["instructions", "voice"])
def test_an_event_with_what_would_override_the_session_is_a_fault(key: str) -> None:
    told = greeting(golden_persona())
    assert told is not None
    told["response"][key] = "alloy"
    assert key in str(event_faults(told)[0])


def test_the_schema_is_one_and_the_socket_says_hello_with_the_config(update: Document) -> None:
    validator("vendor/azure-voice-live").validate(update)
    assert TARGET.socket is not None
    assert TARGET.socket.first_message(update) == update
    assert TARGET.socket.path.format(model=MODELS[0]).endswith(f"&model={MODELS[0]}")
