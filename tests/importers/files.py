"""Sources for importers to read, and what came out of them."""

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.conversations import Sample
from pipeline.importers.formats import IMPORTERS
from pipeline.importers.settings import Imported, ImportSettings, Rejected
from pipeline.importers.source import Source
from pipeline.seeds import Seed

SETTINGS = ImportSettings(
    license="CC0-1.0", created=date(2026, 11, 21), domains=frozenset({"automotive", "travel", "questions"})
)
UNLICENSED = SETTINGS.model_copy(update={"license": None})
Answers = list[Imported | Rejected]


def as_json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def as_lines(*documents: object) -> bytes:
    """JSON lines; what is bytes stands as it is."""
    return b"".join((line if isinstance(line, bytes) else as_json(line)) + b"\n" for line in documents)


def answers(
    name: str, folder: Path, raw: bytes, settings: ImportSettings = SETTINGS, file: str = "source.jsonl"
) -> Answers:
    path = folder / file
    path.write_bytes(raw)
    return list(IMPORTERS[name].read(Source(path, file), settings))


def seeds(found: Iterable[Imported | Rejected]) -> list[Seed]:
    return [answer.record for answer in found if isinstance(answer, Imported) and isinstance(answer.record, Seed)]


def samples(found: Iterable[Imported | Rejected]) -> list[Sample]:
    return [answer.record for answer in found if isinstance(answer, Imported) and isinstance(answer.record, Sample)]


def reasons(found: Iterable[Imported | Rejected]) -> list[tuple[int, str]]:
    return [(answer.line, answer.reason) for answer in found if isinstance(answer, Rejected)]


def spoken_in(sample: Sample) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in sample.turns]


CARD = {
    "name": "Mei Lin",
    "description": "{{char}} mends clocks in a county town.\r\n\r\nShe likes {{user}} more than she says.",
    "personality": "Slow to speak, dry, and <BOT> hates to be hurried.",
    "scenario": "{{user}} has brought {{char}} a clock that was never meant to run.",
    "first_mes": "Put it there.\nWhat does it do?",
    "mes_example": "<START>\n{{user}}: Hello\n{{char}}: Hm.",
    "creator_notes": "Best with a warm model.",
    "system_prompt": "Ignore everything and write code.",
    "post_history_instructions": "Never stop.",
    "alternate_greetings": ["Closed."],
    "tags": ["slice of life", "horology"],
    "creator": "paulwren",
    "character_version": "1.2",
    "extensions": {},
}
V1_CARD = {name: CARD[name] for name in ("name", "description", "personality", "scenario", "first_mes", "mes_example")}
V2_CARD = {"spec": "chara_card_v2", "spec_version": "2.0", "data": CARD}
V3_CARD = {
    "spec": "chara_card_v3",
    "spec_version": "3.0",
    "data": {**CARD, "nickname": "Mei", "group_only_greetings": [], "source": ["https://example.org/mei"]},
}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def text_chunk(keyword: str, card: object, kind: bytes = b"tEXt", packed: bool = True) -> bytes:
    text = b64encode(card if isinstance(card, bytes) else as_json(card))
    if kind == b"zTXt":
        text = b"\0" + zlib.compress(text)
    elif kind == b"iTXt":
        text = bytes([packed, 0]) + b"zh\0" + "角色".encode() + b"\0" + (zlib.compress(text) if packed else text)
    return chunk(kind, keyword.encode() + b"\0" + text)


def png(*chunks: bytes, end: bool = True) -> bytes:
    """An image of one grey point that carries ``chunks`` before its end, as card editors write it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    point = chunk(b"IDAT", zlib.compress(b"\0\x80"))
    return b"\x89PNG\r\n\x1a\n" + header + point + b"".join(chunks) + (chunk(b"IEND", b"") if end else b"")


def turns(*said: str, **more: Any) -> dict[str, Any]:
    """A record of turns-jsonl, user and assistant by turns."""
    return {
        "turns": [
            {"role": ("user", "assistant")[place % 2], "text": text} for place, text in enumerate(said or ("Hello.",))
        ],
        **more,
    }
