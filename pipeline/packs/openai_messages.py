"""Chat messages for a text model: the scene as the system's, the greeting as what the persona has said already.

Source: https://platform.openai.com/docs/api-reference/chat/create and the types of the official SDK, whose
``client.chat.completions.create(model=…, **config)`` takes a config as it is.  Servers that speak the same protocol
(vLLM, Ollama, llama.cpp) take it too.
"""

from functools import cache
from typing import Annotated, Any

from pydantic import Field

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.target import Document, Target


def chat(persona: Persona, model: str = "") -> Document:
    messages = [{"role": "system", "content": persona.scene}]
    if persona.greeting is not None:
        messages.append({"role": "assistant", "content": persona.greeting})
    return {"messages": messages}


def reminder(persona: Persona, model: str = "") -> Document:
    return {"role": "system", "content": persona.anchor}


def instructions(document: Document) -> str:
    return str(document["messages"][0]["content"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the official SDK's types; and that the scene is there, without which a model answers as itself."""
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

    messages: Any = document.get("messages")
    found = sdk_faults(list[_message()], messages, "messages")  # type: ignore[misc]  # known when it runs
    if found:
        return found
    if not messages or messages[0]["role"] != "system" or not messages[0]["content"]:
        found = [Fault("messages", 0, "0", "the scene does not come first", "Begin with a message of the system.")]
    for place, message in enumerate(messages[1:], 1):
        found += _content_faults(message, f"messages.{place}")
    return found + sdk_faults(CompletionCreateParamsNonStreaming, {"model": model, **document}, "chat.completions")


def event_faults(document: Document) -> list[Fault]:
    return sdk_faults(_message(), document, "message") or _content_faults(document, "message")


def _content_faults(message: Document, name: str) -> list[Fault]:
    """An assistant's content is optional in the types, for calls of tools, and any may be empty."""
    return [] if message.get("content") else [Fault(name, 0, "content", "nothing is said", "Say it.")]


@cache
def _message() -> object:
    """The SDK's own union is tried type by type; told apart by role, a fault names the one thing that is wrong."""
    from openai.types import chat

    of_role = chat.ChatCompletionSystemMessageParam | chat.ChatCompletionAssistantMessageParam
    return Annotated[of_role | chat.ChatCompletionUserMessageParam, Field(discriminator="role")]


TARGET = Target(
    about="Chat completions: system message and greeting.",
    export=chat,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "voice, speaking rate, pitch and energy: what is written is not heard",
        "turn-taking and environment as settings",
    ),
    imports="""\
import json
from openai import OpenAI""",
    client="""\
config = json.load(open("{config}"))
config["messages"].append({{"role": "user", "content": "Hello?"}})
print(OpenAI().chat.completions.create(model="{model}", **config).choices[0].message.content)""",
    models=("gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.5", "gpt-5.2", "gpt-5.1", "gpt-4.1", "gpt-4.1-mini"),
    anchor=reminder,
    event_faults=event_faults,
    checker="openai",
)
