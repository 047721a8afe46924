"""prompts.chat: all personas of a pack as rows of one prompts.csv, which many prompt libraries import.

Source: https://github.com/f/prompts.chat/blob/main/prompts.csv (2026; earlier awesome-chatgpt-prompts) and how its
prisma/seed.ts reads it: ``contributor`` holds one name, or several with commas between them.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from io import StringIO

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.target import Document, Gathered, Target
from pipeline.schema_check import schema_faults

COLUMNS = ("act", "prompt", "for_devs", "type", "contributor")
# With one of these first, spreadsheets run a cell, also in full width (https://owasp.org/www-community/attacks/
# CSV_Injection).
RUN = re.compile(r"[=+\-@\t\r＝＋－＠]")


def row(persona: Persona, model: str = "") -> Document:
    seed = persona.seed
    who = ", ".join(text for text in (seed.name, seed.role) if text is not None)
    own_id = f"{seed.id}-{persona.id}"
    return {
        "act": text_cell(f"{who} ({own_id})" if who else own_id),
        # prompts.chat asks its users for what stands in ${…}; a seed's text is told as it stands.
        "prompt": text_cell(persona.scene.replace("${", "$ {")),
        "for_devs": "FALSE",
        "type": "TEXT",
        "contributor": text_cell(seed.provenance.author.replace(",", ";")),
    }


def text_cell(text: str) -> str:
    """An apostrophe first tells a spreadsheet that what follows is text."""
    return f"'{text}" if RUN.match(text) else text


def rows(documents: Iterable[Document]) -> Iterator[str]:
    line = StringIO(newline="")
    writer = csv.DictWriter(line, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for document in documents:
        writer.writerow(document)
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()  # the header, where there were no rows


def instructions(document: Document) -> str:
    return str(document["prompt"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schema in schemas/vendor/."""
    return schema_faults("vendor/prompts-csv", document, str(document.get("act")), 0)


TARGET = Target(
    about="prompts.chat's prompts.csv: one file.",
    export=row,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "the greeting and the anchor",
        "voice, speaking rate, pitch and energy",
        "turn-taking and environment as settings",
        "the licence: prompts.chat's own list is CC0, so what is not may be imported but not contributed there",
        "a text that begins with = + - or @: an apostrophe stands before it, lest a spreadsheet run it",
    ),
    imports="import csv",
    client="""\
prompts = {{row["act"]: row["prompt"] for row in csv.DictReader(open("{file}", encoding="utf-8", newline=""))}}
act, prompt = next(iter(prompts.items()))
messages = [{{"role": "system", "content": prompt}}]""",
    gathered=Gathered("prompts.csv", rows),
)
