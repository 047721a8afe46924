"""Conversations in a light form that others are easily brought to: JSON lines with ``turns`` of ``role`` and ``text``.

A record may name id, lang, domain, source, license, consent and author; a turn, in our form, emotion and cues.
"""

from collections.abc import Iterator
from functools import partial

from pipeline.conversations import Sample
from pipeline.importers.dialogue import Said, imported_sample, listed
from pipeline.importers.json_source import lines
from pipeline.importers.settings import Imported, ImportSettings, Read, Rejected, converted
from pipeline.importers.source import Source


def read_turns_jsonl(source: Source, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    return converted(lines(source), partial(_sample, source, settings))


def _sample(source: Source, settings: ImportSettings, read: Read) -> Sample:
    said = (Said(turn.get("role"), turn.get("text"), turn) for turn in listed(read.document, "turns"))
    return imported_sample(read, said, source, settings)
