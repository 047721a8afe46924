import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.importers import character_card
from pipeline.importers.character_card import MAX_CARD
from pipeline.importers.settings import ImportSettings
from pipeline.seeds import Seed
from tests.importers.files import (
    CARD,
    SETTINGS,
    UNLICENSED,
    V1_CARD,
    V2_CARD,
    V3_CARD,
    Answers,
    answers,
    as_json,
    chunk,
    png,
    reasons,
    seeds,
    text_chunk,
)

TOLD = """{name} mends clocks in a county town.

She likes the other person more than she says.

Slow to speak, dry, and {name} hates to be hurried.

The other person has brought {name} a clock that was never meant to run."""


def read(folder: Path, raw: bytes, file: str = "mei.png", settings: ImportSettings = SETTINGS) -> Answers:
    return answers("character-card", folder, raw, settings, file)


def one(folder: Path, raw: bytes, file: str = "mei.png") -> Seed:
    found = read(folder, raw, file)
    assert reasons(found) == []
    (seed,) = seeds(found)
    return seed


def v2(**changes: object) -> bytes:
    return as_json({**V2_CARD, "data": {**CARD, **changes}})


@pytest.mark.parametrize(
    ("raw", "called"),
    [
        (as_json(V1_CARD), "Mei Lin"),
        (as_json(V2_CARD), "Mei Lin"),
        (as_json(V3_CARD), "Mei"),
        (b"\xef\xbb\xbf" + json.dumps(V2_CARD, indent=2).encode(), "Mei Lin"),
        (png(text_chunk("chara", V1_CARD)), "Mei Lin"),
        (png(text_chunk("chara", V2_CARD)), "Mei Lin"),
        (png(text_chunk("ccv3", V3_CARD)), "Mei"),
        (png(text_chunk("chara", V2_CARD), text_chunk("ccv3", V3_CARD)), "Mei"),
        (png(text_chunk("ccv3", V3_CARD), text_chunk("chara", V2_CARD)), "Mei"),
        (png(text_chunk("chara", V2_CARD, b"zTXt")), "Mei Lin"),
        (png(text_chunk("chara", V2_CARD, b"iTXt")), "Mei Lin"),
        (png(text_chunk("chara", V2_CARD, b"iTXt", packed=False)), "Mei Lin"),
    ],
)
def test_a_card_of_every_version_is_a_seed_wherever_it_is_carried(tmp_path: Path, raw: bytes, called: str) -> None:
    seed = one(tmp_path, raw)
    assert (seed.id, seed.lang, seed.name) == ("mei", "en", "Mei Lin")
    assert seed.text == TOLD.format(name=called)
    assert seed.greeting == "Put it there. What does it do?"


def test_provenance_names_the_creator_and_the_file(tmp_path: Path) -> None:
    assert one(tmp_path, as_json(V2_CARD), "mei.json").provenance.model_dump(mode="json", exclude_unset=True) == {
        "author": "paulwren", "method": "imported", "license": "CC0-1.0",
        "consent": {"basis": "as licensed by the source"}, "source": "mei.json", "created": "2026-11-21",
    }  # fmt: skip
    assert one(tmp_path, v2(creator=""), "mei.json").provenance.author == "mei.json"


def test_what_is_not_about_who_this_is_stays_behind(tmp_path: Path) -> None:
    text = one(tmp_path, as_json(V3_CARD)).text or ""
    for field in ("creator_notes", "system_prompt", "post_history_instructions", "mes_example"):
        assert str(CARD[field]) not in text
    assert not any(tag in text for tag in CARD["tags"])


def test_what_a_card_does_not_tell_stays_open(tmp_path: Path) -> None:
    seed = one(tmp_path, v2())
    assert seed.model_fields_set == {"id", "lang", "name", "text", "greeting", "provenance"}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not_json"),
        (b"\x89PNG\r\n\x1a\n", "png_damaged"),
        (png(), "not_a_card"),
        (png(text_chunk("parameters", V2_CARD)), "not_a_card"),
        (png(text_chunk("chara", V2_CARD), end=False), "png_damaged"),
        (png(text_chunk("chara", V2_CARD))[:200], "png_damaged"),
        (png(chunk(b"tEXt", b"chara\0{not base64}")), "not_base64"),
        (png(text_chunk("chara", b"{")), "not_json"),
        (png(text_chunk("chara", V2_CARD), text_chunk("ccv3", b"{")), "not_json"),
        (png(text_chunk("chara", b"[]")), "not_a_card"),
        (b"\xff\xd8\xff\xe0 a photograph", "not_json"),
        (b"PK\x03\x04 a charx", "not_json"),
        (as_json(V2_CARD)[:300], "not_json"),
        (as_json({**V2_CARD, "spec": "chara_card_v9"}), "not_a_card"),
        (as_json({**V2_CARD, "data": None}), "not_a_card"),
        (as_json({"spec": "lorebook_v3", "data": {"name": "Town", "description": "A lorebook."}}), "not_a_card"),
        (as_json({"name": "pack", "description": "A package of something.", "version": "1.0"}), "not_a_card"),
        (v2(description="", personality=" ", scenario=None), "no_text"),
        (v2(description=7, personality=[], scenario={}), "no_text"),
        (v2(description="Пекарь из города", personality="", scenario=""), "language_unknown"),
        (v2(description="You bake. " * 6_000), "text_too_long"),
        (v2(description="{{char}} " * 5_000, name="Ramona Ottilie"), "text_too_long"),
        (v2(name="N" * 3_000), "not_a_seed"),
        (b'{"a": ' + b"[" * 100_000, "not_json"),
        (b'{"a": "' + b"x" * MAX_CARD + b'"}', "card_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_card_is_set_aside_with_its_reason(tmp_path: Path, raw: bytes, reason: str) -> None:
    found = read(tmp_path, raw)
    assert reasons(found) == [(0, reason)]
    assert len(getattr(found[0], "detail", "")) < 300


def test_a_card_needs_a_licence(tmp_path: Path) -> None:
    assert reasons(read(tmp_path, as_json(V2_CARD), settings=UNLICENSED)) == [(0, "no_license")]


@pytest.mark.parametrize(
    ("told", "greeting"),
    [
        ("Put it there.", "Put it there."),
        ("Morning.\n\nMei here, {{char}} to you.", "Morning. Mei here, Mei Lin to you."),
        ("*looks up* You again.", None),
        ("Hello, {{user}}!", None),
        ("Hello, <USER>!", None),
        ('Mei looks up. "You again."', None),
        ("[OOC: be slow] Hm.", None),
        ("x" * 2_001, None),
        ("", None),
        (" \n ", None),
        (None, None),
        (["Hello."], None),
    ],
)
def test_a_first_message_is_a_greeting_if_it_can_be_said_as_it_stands(
    tmp_path: Path, told: object, greeting: str | None
) -> None:
    assert one(tmp_path, v2(first_mes=told)).greeting == greeting


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("{{Char}} is <char>, <BOT> and {{CHAR}}.", "Mei is Mei, Mei and Mei."),
        ("{{random:a,b}} {{7*7}} ${name} %s {0} \\1 {% if x %} {{// note}}", None),
        ("Come in, {{user}}! {{char}} waits.", "Come in, {{user}}! Mei waits."),
    ],
)
def test_nothing_but_the_names_is_filled_in(tmp_path: Path, description: str, text: str | None) -> None:
    seed = one(tmp_path, v2(name="Mei", description=description + " A baker.", personality="", scenario=""))
    assert seed.text == f"{text or description} A baker."


def test_a_name_is_data_too(tmp_path: Path) -> None:
    seed = one(
        tmp_path,
        v2(name="\\1 {{char}} {{user}}\n\x00", description="{{char}} is a baker.", personality="", scenario=""),
    )
    assert seed.name == "\\1 {{char}} {{user}}"
    assert (seed.text or "").startswith("\\1 {{char}} ")


def test_a_card_without_a_name_keeps_the_place_of_it(tmp_path: Path) -> None:
    seed = one(tmp_path, v2(name="", description="{{char}} is a baker.", personality="", scenario=""))
    assert (seed.name, seed.text) == (None, "{{char}} is a baker.")


def test_a_chinese_card_is_chinese_whatever_its_macros(tmp_path: Path) -> None:
    seed = one(
        tmp_path,
        v2(name="老魏", description="{{char}}修钟。\n{{user}}常来找{{char}}。", personality="慢", scenario=None),
    )
    assert (seed.lang, seed.text) == ("zh", "老魏修钟。\n对方常来找老魏。\n\n慢")


@pytest.mark.parametrize(
    ("name", "seed_id"),
    [
        ("Mei Lin.card.png", "mei-lin-card"),
        ("north/mei.png", "north-mei"),
        ("林晓.png", "[0-9a-f]{10}"),
        ("林晓-v2.png", "v2-[0-9a-f]{10}"),
        ("x" * 90 + ".png", "x{39}-[0-9a-f]{10}"),
    ],
)
def test_an_id_comes_from_the_file(tmp_path: Path, name: str, seed_id: str | None) -> None:
    (tmp_path / "north").mkdir()
    seed = one(tmp_path, png(text_chunk("chara", V2_CARD)), name)
    assert re.fullmatch(seed_id, seed.id)


def test_a_large_lorebook_is_no_hindrance(tmp_path: Path) -> None:
    book: dict[str, Any] = {"extensions": {}, "entries": [{"keys": ["clock"], "content": "tick " * 2_000}] * 200}
    seed = one(tmp_path, png(text_chunk("chara", {**V2_CARD, "data": {**CARD, "character_book": book}})))
    assert seed.text == TOLD.format(name="Mei Lin")


def test_the_limit_holds_packed_and_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(character_card, "MAX_CARD", 500)
    for raw in (as_json(V2_CARD), png(text_chunk("chara", V2_CARD)), png(text_chunk("chara", b" " * 600, b"zTXt"))):
        assert reasons(read(tmp_path, raw)) == [(0, "card_too_large")]
