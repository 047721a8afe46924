import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.packs.gemini_live import MODELS, VOICES, faults, session
from tests.packs.personas import golden_persona

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return session(golden_persona())


def test_the_first_message_says_what_the_config_says_with_generation_apart(document: Document) -> None:
    assert document["connect"]["model"] == MODELS[0]
    config, setup = document["connect"]["config"], document["first_message"]["setup"]
    assert document["first_message"].keys() == {"setup"}
    assert setup["model"] == f"models/{MODELS[0]}"
    assert setup["generationConfig"].keys() == {"responseModalities", "speechConfig"}
    assert setup["generationConfig"]["responseModalities"] == config["responseModalities"] == ["AUDIO"]
    assert setup["systemInstruction"] == config["systemInstruction"]
    assert setup["realtimeInputConfig"] == config["realtimeInputConfig"]
    assert setup.keys() == {"model", "generationConfig"} | (config.keys() - {"responseModalities", "speechConfig"})


@pytest.mark.parametrize(("of", "language"), [("orla-keane", "en-US"), ("shen-anbang", "cmn-CN")])
def test_a_persona_speaks_its_language_with_a_voice_of_the_catalogue(of: str, language: str) -> None:
    speech = session(golden_persona(of))["connect"]["config"]["speechConfig"]
    assert speech["languageCode"] == language
    assert speech["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"] in {voice.id for voice in VOICES.voices}


@pytest.mark.parametrize(
    ("turn_taking", "silence", "end"),
    [("jumps-in", 300, "HIGH"), ("back-channels", 600, "LOW"), ("waits", 900, "LOW"), ("leaves-silence", 1500, "LOW")],
)
def test_who_leaves_more_silence_waits_longer(turn_taking: str, silence: int, end: str) -> None:
    config = session(golden_persona(turn_taking=turn_taking))["connect"]["config"]
    heard = config["realtimeInputConfig"]["automaticActivityDetection"]
    assert (heard["silenceDurationMs"], heard["endOfSpeechSensitivity"]) == (silence, f"END_SENSITIVITY_{end}")


@pytest.mark.parametrize(("environment", "start"), [("quiet", "HIGH"), ("bad-line", "HIGH"), ("car", "LOW")])
def test_in_a_loud_place_less_counts_as_speech(environment: str, start: str) -> None:
    config = session(golden_persona(environment=environment))["connect"]["config"]
    heard = config["realtimeInputConfig"]["automaticActivityDetection"]
    assert heard["startOfSpeechSensitivity"] == f"START_SENSITIVITY_{start}"


def unknown_key(document: Document) -> None:
    document["connect"]["config"]["voice"] = "Kore"


def unknown_level(document: Document) -> None:
    heard = document["connect"]["config"]["realtimeInputConfig"]["automaticActivityDetection"]
    heard["startOfSpeechSensitivity"] = "HIGHEST"


def unknown_voice(document: Document) -> None:
    for part in (document["connect"]["config"], document["first_message"]["setup"]["generationConfig"]):
        part["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"] = "Karen"


def other_instruction(document: Document) -> None:
    document["first_message"]["setup"]["systemInstruction"] = {"parts": [{"text": "You are somebody else."}]}


def flat_message(document: Document) -> None:
    setup = document["first_message"]["setup"]
    setup |= setup.pop("generationConfig")
    setup["temperature"] = 1


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (unknown_key, "voice"),
        (unknown_level, "HIGHEST"),
        (unknown_voice, "no voice 'Karen'"),
        (other_instruction, "it is not what the config says"),
        (flat_message, "it is not what the config says"),
    ],
)
def test_a_config_the_sdk_does_not_know_and_a_message_that_differs_are_refused(
    document: Document, harm: Callable[[Document], None], told: str
) -> None:
    wrong = copy.deepcopy(document)
    harm(wrong)
    assert told in " ".join(map(str, faults(wrong)))
    assert faults(document) == []
