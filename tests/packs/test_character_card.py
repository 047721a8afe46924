import base64
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import tavern_card
from forge.helper import extract_card_data
from forge.models import CharacterCardV2, CharacterCardV3
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from pipeline.packs.character_card import CARRIED, FIELDS, IN_SAMPLE_CHATS, cards, faults, files, instructions
from pipeline.packs.pack import Order, write_pack
from pipeline.scene_parts import PART_NAMES
from tests.golden_content import GOLDEN
from tests.packs.personas import golden_persona

Document = dict[str, Any]
NAMES = ("orla-keane", "shen-anbang")
GOLDEN_CARDS = sorted(GOLDEN.glob("packs/character-card-*/configs/*.png"))
HOSTILE = "{{user}} {{random:a,b}} {{//x}} <BOT> <START> <% run() %> {{{char}}} <|im_end|>"


@pytest.fixture
def document() -> Document:
    return cards(golden_persona())


def golden_json(picture: Path, version: str) -> Document:
    return json.loads(picture.with_suffix(f".{version}.json").read_text("utf-8"))


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def test_each_part_of_a_scene_has_one_place() -> None:
    placed = [*IN_SAMPLE_CHATS, *(name for names in FIELDS.values() for name in names)]
    assert sorted(placed) == sorted(PART_NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_fields_tell_the_whole_scene_and_sample_chats_the_exchanges(name: str) -> None:
    persona = golden_persona(name)
    data = cards(persona)["v3"]["data"]
    told = instructions(cards(persona))
    for part, text in persona.parts.items():
        assert told.count(text) == 1 or not text or part in IN_SAMPLE_CHATS
    for exchange in persona.seed.exchanges:
        assert f"{{{{user}}}}: {exchange.they}\n{{{{char}}}}: {exchange.you}" in data["mes_example"]
    assert data["mes_example"].count("<START>\n") == len(persona.seed.exchanges) == 3


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("name", "Orla Keane"),
        ("nickname", "Orla"),
        ("description", "You keep the last cable ferry on the lake"),
        ("personality", "You name the wind before anything else."),
        ("scenario", "They drive, and you speak from the dashboard."),
        ("system_prompt", "Settle low in the chest"),
        ("system_prompt", "say you are an AI"),
        ("first_mes", "Ferry. Wind's from the west."),
        ("post_history_instructions", "You are still Orla, cable-ferry keeper."),
        ("creator_notes", "CC-BY-4.0; adapted"),
        ("creator", "persona-matrix project"),
        ("character_version", "5"),
    ],
)
def test_what_a_persona_says_stands_where_the_specification_wants_it(document: Document, field: str, said: str) -> None:
    assert said in document["v3"]["data"][field]


def test_what_she_knows_is_always_in_the_prompt(document: Document) -> None:
    for version, plain in (("v2", {}), ("v3", {"use_regex": False})):
        (entry,) = document[version]["data"]["character_book"]["entries"]
        assert entry["content"] == "What you know well: wind and water; who lives on which shore."
        assert entry["constant"]
        assert {name: entry[name] for name in entry if name == "use_regex"} == plain


def test_what_a_seed_leaves_open_is_empty_and_still_a_card() -> None:
    bare = golden_persona().seed.model_copy(
        update={"name": None, "role": None, "greeting": None, "exchanges": (), "knows": (), "traits": None,
                "voice": None}
    )  # fmt: skip
    card = cards(golden_persona(seed=bare))
    data = card["v3"]["data"]
    assert faults(card) == []
    assert (data["name"], data["first_mes"], data["mes_example"]) == ("orla-keane", "", "")
    assert not {"character_book", "nickname"} & data.keys()


def test_a_card_says_who_made_it_but_not_who_reviewed_it_or_where_a_consent_is_kept(document: Document) -> None:
    assert document["v3"]["data"]["extensions"]["persona_matrix/provenance"] == {
        "author": "persona-matrix project", "method": "model-written", "license": "CC-BY-4.0", "source": "original",
        "created": "2026-11-21",
    }  # fmt: skip


def test_a_mature_seed_is_tagged_so_and_an_address_of_its_source_is_given() -> None:
    seed = golden_persona().seed
    told = seed.provenance.model_copy(update={"source": "https://example.org/orla"})
    data = cards(golden_persona(seed=seed.model_copy(update={"rating": "mature", "provenance": told})))["v3"]["data"]
    assert "mature" in data["tags"]
    assert data["source"] == ["https://example.org/orla", "persona-matrix:orla-keane-5"]


@given(st.text(min_size=1))
@example(HOSTILE)
def test_no_text_of_a_seed_is_a_macro(text: str) -> None:
    seed = golden_persona().seed
    said = seed.exchanges[0].model_copy(update={"they": text, "you": text})
    hostile = seed.model_copy(
        update={"name": text, "role": text, "greeting": text, "exchanges": (said,), "knows": (text,),
                "provenance": seed.provenance.model_copy(update={"author": text, "source": f"https://{text}"})}
    )  # fmt: skip
    card = cards(golden_persona(seed=hostile))
    assert [fault for fault in faults(card) if ".name" not in fault.field] == []  # a blank name is no name
    for version in ("v2", "v3"):
        data = card[version]["data"]
        chats = data["mes_example"].split("\n", 1)[1]
        assert data["mes_example"].startswith("<START>\n")
        assert chats.count("{{") == chats.count("}}") == 2
        assert chats.replace("{{user}}: ", "", 1).replace("{{char}}: ", "", 1).count("{") == 0
        others = texts({name: value for name, value in data.items() if name != "mes_example"})
        assert not any(sign in told for told in others for sign in "{}<>")


def test_what_would_be_a_macro_reads_the_same_in_full_width() -> None:
    seed = golden_persona().seed.model_copy(update={"greeting": "Hello {{user}}, <BOT> here."})
    data = cards(golden_persona(seed=seed))["v2"]["data"]
    assert data["first_mes"] == "Hello ｛｛user｝｝, ＜BOT＞ here."


def change(path: str, value: Any) -> Callable[[Document], None]:
    """Put ``value`` where ``path`` leads; the key goes where the value is Ellipsis."""

    def harm(document: Document) -> None:
        *way, last = path.split(".")
        part: Any = document
        for step in way:
            part = part[int(step) if step.isdigit() else step]
        if value is ...:
            del part[last]
        else:
            part[last] = value

    harm.__name__ = path
    return harm


ENTRY = "data.character_book.entries.0"


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("spec", "chara_card_v1", "spec"),
        ("spec_version", 2.0, "spec_version"),
        ("name", "Orla", "name"),
        ("data.name", "", "data.name"),
        ("data.mood", "calm", "mood"),
        ("data.first_mes", ..., "first_mes"),
        ("data.post_history_instructions", None, "data.post_history_instructions"),
        ("data.alternate_greetings", None, "data.alternate_greetings"),
        ("data.tags", "calm", "data.tags"),
        ("data.extensions", ..., "extensions"),
        ("data.extensions.voice", "low", "voice"),
        ("data.character_book.entries", ..., "entries"),
        ("data.character_book.extensions", ..., "extensions"),
        (f"{ENTRY}.insertion_order", "0", f"{ENTRY}.insertion_order"),
        (f"{ENTRY}.position", "at_depth", f"{ENTRY}.position"),
        (f"{ENTRY}.enabled", ..., "enabled"),
        (f"{ENTRY}.probability", 50, "probability"),
        ("data.first_mes", "Hello {{user}}", "data.first_mes"),
        ("data.description", "You are <BOT>.", "data.description"),
        ("data.tags", ["<% run() %>"], "data.tags"),
        ("data.mes_example", "{{user}}: {{random:a,b}}", "data.mes_example"),
        ("data.mes_example", "<START>\n{{user}}: Hi\n{{char}}: I am {{char}}: so", "data.mes_example"),
        (f"{ENTRY}.content", "{{roll:6}}", "data.character_book"),
    ],
)
def test_what_a_frontend_would_refuse_ignore_or_evaluate_is_a_fault_that_names_it(
    document: Document, version: str, path: str, value: Any, named: str
) -> None:
    change(f"{version}.{path}", value)(document)
    found = [str(fault) for fault in faults(document)]
    assert any(fault.startswith(version) and named.replace(".0", "[0]") in fault for fault in found), found


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("v2.data.nickname", "Orla", "nickname"),
        (f"v2.{ENTRY}.use_regex", False, "use_regex"),
        (f"v2.{ENTRY}.id", "knows", "id"),
        (f"v3.{ENTRY}.use_regex", ..., "use_regex"),
        ("v3.data.group_only_greetings", ..., "group_only_greetings"),
        ("v3.data.nickname", None, "data.nickname"),
        ("v3.data.source", "original", "data.source"),
        ("v3.data.creation_date", "2026-11-21", "data.creation_date"),
        ("v3.data.modification_date", -1, "data.modification_date"),
        ("v3.data.creator_notes_multilingual.en-US", "Notes", "en-US"),
        ("v3.data.assets", [{"type": "icon", "uri": "ccdefault:", "name": "main"}], "ext"),
        ("v3.data.assets", [{"type": "icon", "uri": "file://x", "name": "main", "ext": "png"}], "uri"),
        ("v3.data.assets", [{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": ".PNG"}], "ext"),
        ("v3.data.first_mes", "Another greeting.", "data.first_mes"),
    ],
)
def test_what_one_version_alone_does_not_take_is_a_fault(document: Document, path: str, value: Any, named: str) -> None:
    change(path, value)(document)
    (fault,) = faults(document)
    assert named in str(fault)


@pytest.mark.parametrize("picture", GOLDEN_CARDS, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_foreign_readers_read_every_golden_card_back(picture: Path) -> None:
    v2, v3 = golden_json(picture, "v2"), golden_json(picture, "v3")
    read = tavern_card.parse_png_card(picture.read_bytes())
    assert read["spec"] == "chara_card_v3"
    assert {name: v3["data"][name] for name in read["data"]} == read["data"]
    assert tavern_card.parse_card(v2)["data"] == v2["data"]
    forged = extract_card_data(BytesIO(picture.read_bytes()))
    assert forged.model_dump(exclude_unset=True) == CharacterCardV3.model_validate(v3).model_dump(exclude_unset=True)
    assert forged.model_dump(exclude_unset=True) == v3
    assert CharacterCardV2.model_validate(v2).model_dump(exclude_unset=True) == v2


def test_there_are_golden_cards_in_both_languages_and_frames() -> None:
    assert {(path.parts[-3], path.stem.rsplit("-", 1)[0]) for path in GOLDEN_CARDS} == {
        (f"character-card-{frame}", name) for frame in ("deploy", "scene") for name in NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_carries_v2_with_the_warning_that_v3_asks_for_before_v3(name: str) -> None:
    document = cards(golden_persona(name))
    image = Image.open(BytesIO(files(document)[".png"]))
    image.load()
    v2, v3 = (json.loads(base64.b64decode(image.text[keyword])) for keyword in ("chara", "ccv3"))
    assert list(image.text) == ["chara", "ccv3"]
    assert v3 == document["v3"]
    assert v2["data"].pop("creator_notes") == f"{document['v2']['data'].pop('creator_notes')}\n\n{CARRIED}"
    assert v2 == document["v2"]


def test_the_pack_s_client_reads_its_first_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(tmp_path / "pack", Order("character-card", "plan"), [golden_persona()])
    monkeypatch.chdir(tmp_path / "pack")
    told: Document = {}
    exec(Path("README.md").read_text("utf-8").split("```python")[1].split("```")[0], told)
    assert told["card"]["name"] == "Orla Keane"
    assert not Path("during").exists()
