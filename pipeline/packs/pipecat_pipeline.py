"""Pipecat: keyword arguments for its OpenAI Realtime service, and the messages of a context for a text pipeline.

Source: ``pipecat.services.openai.realtime.events`` and ``pipecat.frames.frames`` of pipecat-ai (1.14).  Its
``SessionProperties`` has the GA shape of OpenAI Realtime, but drops in silence what it has no field for, so what it
read is compared with what was written.  A pipeline of speech-to-text, LLM and text-to-speech takes ``messages``
instead, as ``LLMContext(messages)``; its voice is that of the text-to-speech service, which the app chooses.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import Fault
from pipeline.packs import openai_messages, openai_realtime
from pipeline.packs.openai_realtime import said_first
from pipeline.packs.persona import Persona
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.target import Document, Target
from pipeline.readings.ssml import ssml_faults, ssml_reading

FRAME = "LLMMessagesAppendFrame"


def settings(persona: Persona, model: str = "") -> Document:
    session = openai_realtime.session_update(persona)["session"]
    return {
        "session_properties": {"model": model or MODELS[0], **session},
        "messages": [{"role": "system", "content": persona.scene}],
    }


def greeting(persona: Persona) -> Document | None:
    if persona.greeting is None:
        return None
    return _appended(said_first(persona, persona.greeting), run_llm=True)


def reminder(persona: Persona, model: str = "") -> Document:
    return _appended(persona.anchor, run_llm=False)


def _appended(text: str, run_llm: bool) -> Document:
    """The realtime service takes a first message of the system's for its instructions, and drops it for its own; a
    developer's it keeps.
    """
    return {FRAME: {"messages": [{"role": "developer", "content": text}], "run_llm": run_llm}}


def instructions(document: Document) -> str:
    return str(document["session_properties"]["instructions"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against Pipecat's own types, those of OpenAI for which it passes them on, and the range of speed."""
    with _quiet():
        from pipecat.services.openai.realtime.events import SessionProperties

    session = document.get("session_properties")
    found = sdk_faults(SessionProperties, session, "session_properties")
    if not found:
        found = openai_realtime.faults({"type": "session.update", "session": session})
    if not found and document["session_properties"].get("model") not in MODELS:
        found.append(Fault("session_properties", 0, "model", "it is none of the vendor's", "Choose one of MODELS."))
    found += openai_messages.faults({"messages": document.get("messages")})
    found += [
        Fault("settings", 0, key, "neither for the service nor for a context", "Remove it.")
        for key in sorted(document.keys() - {"session_properties", "messages"})
    ]
    if not found and openai_messages.instructions(document) != document["session_properties"].get("instructions"):
        found.append(Fault("messages", 0, "0.content", "it is not the instructions", "Derive both from the scene."))
    return found


def event_faults(document: Document) -> list[Fault]:
    with _quiet():
        from pipecat.frames.frames import LLMMessagesAppendFrame
    from openai.types.chat import ChatCompletionDeveloperMessageParam

    try:
        frame = LLMMessagesAppendFrame(**document[FRAME])
    except (KeyError, TypeError) as error:
        return [Fault(FRAME, 0, "", str(error), "See the frame's fields.")]
    found = sdk_faults(list[ChatCompletionDeveloperMessageParam], frame.messages, FRAME)
    if not found and not (frame.messages and all(message["content"] for message in document[FRAME]["messages"])):
        found.append(Fault(FRAME, 0, "messages", "nothing is said", "Say it."))
    if not isinstance(frame.run_llm, bool):  # the frame holds no type
        found.append(Fault(FRAME, 0, "run_llm", "it must be true or false", "Say whether the model is to answer."))
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """When it is first imported Pipecat greets on standard error, where a command's own messages belong, and warns of
    what it is made of itself.
    """
    from loguru import logger

    logger.disable("pipecat")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.enable("pipecat")


MODELS = openai_realtime.TARGET.models
TARGET = Target(
    about="Pipecat: SessionProperties, and messages for a pipeline of text.",
    export=settings,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "steps of pace, pitch and energy as numbers",
        "timbre and accent beyond the voice",
        "the voice of a text pipeline",
    ),
    imports="""\
import json
from pipecat.frames.frames import LLMMessagesAppendFrame
from pipecat.services.openai.realtime.events import SessionProperties
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService as Service""",
    client="""\
properties, greeting = json.load(open("{config}"))["session_properties"], json.load(open("{during}"))["greeting"]
llm = Service(api_key=key, settings=Service.Settings(session_properties=SessionProperties(**properties)))
if greeting: await task.queue_frame(LLMMessagesAppendFrame(**greeting["LLMMessagesAppendFrame"]))""",
    models=MODELS,
    limit=openai_realtime.TARGET.limit,
    voices=openai_realtime.VOICES,
    greeting=greeting,
    anchor=reminder,
    reading=ssml_reading,  # for a voice of text-to-speech
    reading_faults=ssml_faults,
    event_faults=event_faults,
    checker="pipecat",
    extra="agents",
)
