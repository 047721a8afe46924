"""Conversations in the form of ShareGPT: a JSON array, or JSON lines, with ``conversations`` of ``from`` and ``value``.

Source: https://github.com/axolotl-ai-cloud/axolotl/blob/main/docs/dataset-formats/conversation.qmd.  The form has no
specification; files in it also have ``conversation`` or ``messages``, of ``role`` and ``content``.
"""

from collections.abc import Iterator
from functools import partial

from pipeline.conversations import Sample
from pipeline.importers.dialogue import Said, imported_sample, listed
from pipeline.importers.json_source import records
from pipeline.importers.openai_messages import spoken_content
from pipeline.importers.settings import Imported, ImportSettings, Read, Rejected, converted
from pipeline.importers.source import Source


def read_sharegpt(source: Source, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    return converted(records(source), partial(_sample, source, settings))


def _sample(source: Source, settings: ImportSettings, read: Read) -> Sample:
    turns = listed(read.document, "conversations", "conversation", "messages")
    said = (
        Said(turn.get("from", turn.get("role")), turn.get("value", spoken_content(turn.get("content"))), turn)
        for turn in turns
    )
    return imported_sample(read, said, source, settings)
