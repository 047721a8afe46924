"""Every document of every target, one value gone, null or of another type: a fault, or what the vendor takes so."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.errors import Fault
from pipeline.packs.target import Document
from pipeline.packs.targets import TARGETS
from tests.packs.personas import golden_persona

GONE = object()
OTHERS = ("text", 7, [], {})

OPENAI = (
    r"audio(.(input|output)(.format)?)?( null)?",
    r"audio.input.(noise_reduction|turn_detection(.(create_response|eagerness|interrupt_response))?)( null)?",
    r"audio.output.(speed|voice)( null)?",
    r"output_modalities( null|.0)?",
    r"audio.(input|output).format.(rate|type)",
)
GEMINI_CONTENT = (
    r"clientContent.(turnComplete|turns(.0.parts(.0.text)?)?)( null)?",
    r"clientContent.turns.0(.parts.0)?",
)
# Where something may be gone, or with " null" be null, by target and kind of document: the vendor takes it so, since it
# has a default or means to wait.
OPTIONAL: dict[tuple[str, str], tuple[str, ...]] = {
    ("azure-voice-live", "config"): (
        r"event_id",
        r"session.(input_audio_(echo_cancellation|format|noise_reduction|sampling_rate)|output_audio_format)",
        r"session.turn_detection.(create_response|interrupt_response|languages|threshold)",
        r"session.turn_detection.(prefix_padding_ms|silence_duration_ms)",
        r"session.voice.(pitch|rate|volume)",
    ),
    ("character-card", "config"): (
        r"v..data.character_book(.entries.0(.constant|.position)?)?",
        r"v3.data.(creation_date|creator_notes_multilingual(.en|.zh)?|modification_date|nickname|source(.0)?)",
    ),
    ("covo-audio", "config"): (r"generation.(temperature|top_k|top_p)",),
    ("doubao-realtime", "config"): (
        r"asr.(audio_info|extra.end_smooth_window_ms)",
        r"dialog.extra.input_mod",
        r"tts.audio_config.(loudness_rate|speech_rate)",
    ),
    ("elevenlabs-agent", "config"): (
        r"create.conversation_config.agent.prompt.ignore_default_personality( null)?",
        r"create.conversation_config.tts.(expressive_mode|suggested_audio_tags)( null)?",
        r"create.conversation_config.tts.suggested_audio_tags.0",
        r"create.conversation_config.turn(.turn_eagerness|.turn_timeout)?( null)?",
        r"create.platform_settings",
        r"create.platform_settings.overrides(.conversation_config_override(.(agent|tts)(.[a-z_.]+)?)?)?( null)?",
        r"start.conversation_config_override(.agent|.tts)?( null)?",
        r"start.conversation_config_override.(agent|tts).[a-z_]+",
    ),
    ("gemini-live", "greeting"): GEMINI_CONTENT,
    ("gemini-live", "anchor"): GEMINI_CONTENT,
    ("livekit", "config"): (
        r"realtime_model.turn_detection null",
        r"realtime_model.turn_detection.(create_response|eagerness|interrupt_response)( null)?",
    ),
    ("open-webui", "config"): (r"meta.(suggestion_prompts|tags)(.\d)?",),
    ("openai-messages", "config"): (r"messages.1",),  # the greeting
    ("openai-realtime", "config"): (
        *(f"session.{part}" for part in OPENAI),
        r"event_id( null)?",
        r"session.instructions( null)?",
        r"session.audio.(input|output).format.(rate|type) null",
        r"session.audio.input.noise_reduction.type( null)?",
    ),
    ("openai-realtime", "greeting"): (r"response(.instructions)?( null)?",),
    ("openai-realtime", "anchor"): (r"item.content.0.type( null)?",),
    ("pipecat", "config"): (
        *(f"session_properties.{part}" for part in OPENAI),
        r"session_properties.audio.input.noise_reduction.type null",
    ),
    ("qwen-omni-realtime", "config"): (
        r"event_id",
        r"session.(audio.(input|output)|modalities.1)",
        r"session.turn_detection( null|.silence_duration_ms|.threshold)",
    ),
    ("stepfun-realtime", "config"): (
        r"session.turn_detection null",
        r"session.turn_detection.(energy_awakeness_threshold|prefix_padding_ms|silence_duration_ms)",
    ),
}


def documents() -> Iterator[tuple[str, str, Document, Callable[[Document], list[Fault]]]]:
    persona = golden_persona()
    for name, target in TARGETS.items():
        model = target.models[0]
        yield name, "config", target.export(persona, model), lambda document, t=target, m=model: t.faults(document, m)
        greeting = target.greeting(persona) if target.greeting is not None else None
        anchor = target.anchor(persona, model) if target.anchor is not None else None
        for kind, event in (("greeting", greeting), ("anchor", anchor)):
            if event is not None:
                assert target.event_faults is not None
                yield name, kind, event, target.event_faults


def harmed(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where, what stands there, and the whole: for each place within ``value`` gone, null and of the other types."""
    keyed = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, old in keyed:
        here = f"{path}{key}"

        def whole(new: Any, key: Any = key) -> Any:
            kept = [(other, new if other == key else inner) for other, inner in keyed]
            kept = [(other, inner) for other, inner in kept if inner is not GONE]
            return dict(kept) if isinstance(value, dict) else [inner for _, inner in kept]

        number = isinstance(old, float)
        for new in (GONE, None, *(other for other in OTHERS if type(other) is not (int if number else type(old)))):
            yield here, new, whole(new)
        if isinstance(old, dict | list):
            for where, new, inner in harmed(old, f"{here}."):
                yield where, new, whole(inner)


CASES = list(documents())


@pytest.mark.parametrize(("target", "kind", "document", "faults"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_what_is_missing_or_of_another_type_is_a_fault_and_never_an_exception(
    target: str, kind: str, document: Document, faults: Callable[[Document], list[Fault]]
) -> None:
    optional = OPTIONAL.get((target, kind), ())
    taken = {
        f"{where}{'' if new is GONE else f' {json.dumps(new)}'}"
        for where, new, wrong in harmed(document)
        if not faults(wrong)
    }
    assert [place for place in sorted(taken) if not any(re.fullmatch(told, place) for told in optional)] == []
    assert [told for told in optional if not any(re.fullmatch(told, place) for place in taken)] == []
