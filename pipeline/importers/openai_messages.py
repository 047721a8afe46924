"""Conversations as OpenAI's chat messages: JSON lines with ``messages`` of ``role`` and ``content``.

Source: https://platform.openai.com/docs/api-reference/chat/create; fine-tuning files hold one conversation a line.
Content is a text or a list of parts.  A conversation with a call of a tool, or a picture, in it is left out.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from pipeline.conversations import Sample
from pipeline.importers.dialogue import Said, imported_sample, listed
from pipeline.importers.json_source import records
from pipeline.importers.settings import Imported, ImportSettings, Read, Rejected, converted
from pipeline.importers.source import Source

TEXT_PARTS = ("text", "input_text", "output_text")


def read_openai_messages(source: Source, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    return converted(records(source), partial(_sample, source, settings))


def _sample(source: Source, settings: ImportSettings, read: Read) -> Sample:
    messages = listed(read.document, "messages")
    said = (Said(message.get("role"), spoken_content(message.get("content")), message) for message in messages)
    return imported_sample(read, said, source, settings)


def spoken_content(content: object) -> object:
    """The text of a content that is made of text parts only; any other content as it is."""
    if isinstance(content, list) and content and all(_is_text(part) for part in content):
        return " ".join(part["text"] for part in content)
    return content


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in TEXT_PARTS and isinstance(part.get("text"), str)
