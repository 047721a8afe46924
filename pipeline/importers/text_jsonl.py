"""Personas as free text: JSON lines with an id, a name where there is one, and a description under one field.

What the record does not tell (age, traits, voice, stances, domains) stays open in the seed.
"""

from collections.abc import Iterator
from functools import partial

from pipeline.importers.json_source import lines
from pipeline.importers.origin import provenance
from pipeline.importers.persona import description, imported_seed, person_name
from pipeline.importers.settings import Imported, ImportSettings, Read, Rejected, Unfit, converted, excerpt
from pipeline.importers.source import Source
from pipeline.importers.text import chosen_language, own_id
from pipeline.seeds import Seed


def read_text_jsonl(source: Source, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    """A seed or a rejection for each line."""
    return converted(lines(source), partial(_seed, source, settings))


def _seed(source: Source, settings: ImportSettings, read: Read) -> Seed:
    record = read.document
    if not isinstance(record, dict):
        raise Unfit("not_an_object", excerpt(record))
    text = description(record.get(settings.text_field), settings.text_field)
    told = {
        "id": own_id(record, read.number, source, settings),
        "lang": chosen_language(settings, record.get("lang"), text),
        "name": person_name(record.get(settings.name_field)),
        "text": text,
    }
    return imported_seed(told, provenance(record, source, settings))
