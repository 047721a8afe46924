"""The formats that can be imported: a file each, and this dict of functions."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from pipeline.importers.character_card import read_character_card
from pipeline.importers.openai_messages import read_openai_messages
from pipeline.importers.prompts_csv import read_prompts_csv
from pipeline.importers.samples_jsonl import read_samples_jsonl
from pipeline.importers.settings import Imported, ImportSettings, Rejected
from pipeline.importers.sharegpt import read_sharegpt
from pipeline.importers.source import Source
from pipeline.importers.text_jsonl import read_text_jsonl
from pipeline.importers.turns_jsonl import read_turns_jsonl

Importer = Callable[[Source, ImportSettings], Iterator[Imported | Rejected]]


class Format(NamedTuple):
    read: Importer
    makes: Literal["seeds", "samples"]
    suffixes: tuple[str, ...]  # of the files that are read where a folder is the source
    about: str
    example: str


IMPORTERS: dict[str, Format] = {
    "character-card": Format(
        read_character_card, "seeds", (".json", ".png", ".PNG"),
        "character cards, V1 to V3, JSON or PNG; a file or a folder",
        "personas import --from character-card cards mine/cards.jsonl --license CC-BY-4.0",
    ),
    "prompts-csv": Format(
        read_prompts_csv, "seeds", (".csv",),
        "awesome-chatgpt-prompts: act,prompt[,for_devs,type,contributor]",
        "personas import --from prompts-csv prompts.csv mine/prompts.jsonl --license CC0-1.0",
    ),
    "text-jsonl": Format(
        read_text_jsonl, "seeds", (".jsonl",),
        "JSON lines with an id, a name and a text",
        "personas import --from text-jsonl characters.jsonl mine/characters.jsonl --license CC0-1.0",
    ),
    "openai-messages": Format(
        read_openai_messages, "samples", (".jsonl",),
        "OpenAI's chat messages, a conversation a line",
        "personas import --from openai-messages chats.jsonl talks/chats.jsonl --license MIT",
    ),
    "samples-jsonl": Format(
        read_samples_jsonl, "samples", (".jsonl",),
        "our own record, schemas/sample.schema.json",
        "personas import --from samples-jsonl collected.jsonl talks/collected.jsonl",
    ),
    "sharegpt": Format(
        read_sharegpt, "samples", (".json", ".jsonl"),
        "ShareGPT: conversations of from and value, an array or lines",
        "personas import --from sharegpt sharegpt.json talks/sharegpt.jsonl --license Apache-2.0",
    ),
    "turns-jsonl": Format(
        read_turns_jsonl, "samples", (".jsonl",),
        "JSON lines with turns of role and text",
        "personas import --from turns-jsonl calls.jsonl talks/calls.jsonl --domain customer_support",
    ),
}  # fmt: skip
