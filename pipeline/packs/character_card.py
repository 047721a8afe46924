"""Character cards: each persona as a V2 card, a V3 card, and a picture that carries both.

Source: https://github.com/malfoyslastname/character-card-spec-v2, spec_v2.md of 8d955fc (V2 and, for how sample chats
are written, spec_v1.md); https://github.com/kwaroran/character-card-spec-v3, SPEC_V3.md of f3a86af (V3 and PNG).  In a
PNG the chunk ``ccv3`` holds V3, ``chara`` V2 for readers that know no other.

Frontends replace macros wherever they stand in a card: {{user}}, {{random:a,b}}, <BOT>, by some extensions <% code %>.
No specification has a way to write them literally, so braces and angle brackets of our texts become full-width ones:
they read the same to a person and a model, and are nothing to a frontend.  The only macros of a card are the two names
and <START>, in its sample chats.
"""

import re
from base64 import b64encode
from datetime import UTC, datetime, time
from typing import Any

from pydantic_core import to_json

from pipeline.errors import Fault
from pipeline.packs.card_png import card_png
from pipeline.packs.persona import Persona
from pipeline.packs.shortening import joined
from pipeline.packs.target import Document, Target, as_json
from pipeline.scene_parts import short_name
from pipeline.schema_check import schema_faults
from pipeline.seeds import TRAITS

# The parts of a scene, each in the field that says such things.  The two exchanges that a scene quotes are left to
# mes_example, which has all of them.
FIELDS = {
    "description": ("who", "life"),
    "personality": ("speech", "temperament"),
    "scenario": ("bridge", "setting", "situation", "environment", "state", "state_third", "state_otherwise",
                 "relationship", "facts"),
    "system_prompt": ("tone", "pace", "energy", "cue", "verbosity", "turn_taking", "meeting_temperament", "habit",
                      "meeting_state", "meeting_domain", "register", "meeting_register", "limits", "voice", "safety",
                      "staying"),
}  # fmt: skip
IN_SAMPLE_CHATS = ("request", "provoked")

FULL_WIDTH = str.maketrans("{}<>", "｛｝＜＞")
OWN_MACROS = re.compile(r"^<START>$|^\{\{(?:user|char)\}\}(?=: )", re.MULTILINE)

KNOWS = {"en": ("What you know well: {}.", "; "), "zh": ("你熟的有：{}。", "；")}
NOTES = {
    "en": "{name}, variant {id} of {seed_id}. Text by {author}, {license}; adapted: joined with wordings of tone and "
    "scene by Persona Matrix. Written to be spoken in a call; the system prompt and the post-history instructions are "
    "part of the character, so leave both switched on.",
    "zh": "{name}，{seed_id} 的第 {id} 号变体。原文作者 {author}，许可 {license}；有改动：由 Persona Matrix 与语气、"
    "场景的文字拼合。为通话口语而写；系统提示与历史后指令都是角色的一部分，请保持开启。",
}
# What the V3 specification asks of a V2 card that is carried for readers that know no V3.
CARRIED = (
    "This character card is Character Card V3, but it is loaded as a Character Card V2. Please use a Character Card V3 "
    "compatible application to use this character card properly."
)


def cards(persona: Persona, model: str = "") -> Document:
    """Both cards: ``v2`` and ``v3``."""
    data = _data(persona)
    v3 = {**data, **_book(persona, use_regex=False), **_extras(persona)}
    return {
        "v2": {"spec": "chara_card_v2", "spec_version": "2.0", "data": {**data, **_book(persona)}},
        "v3": {"spec": "chara_card_v3", "spec_version": "3.0", "data": v3},
    }


def _data(persona: Persona) -> dict[str, Any]:
    """What is the same in both cards."""
    seed, parts = persona.seed, persona.parts
    told = {
        field: joined({name: text if name in names else "" for name, text in parts.items()}, seed.lang)
        for field, names in FIELDS.items()
    }
    data: dict[str, Any] = _literal({
        "name": seed.name or seed.id,
        **told,
        "first_mes": persona.greeting or "",
        "creator_notes": _notes(persona, seed.lang),
        "post_history_instructions": persona.anchor,
        "alternate_greetings": [],
        "tags": _tags(persona),
        "creator": seed.provenance.author,
        "character_version": str(persona.id),
        "extensions": _extensions(persona),
    })  # fmt: skip
    return data | {"mes_example": _sample_chats(persona)}


def _literal(value: Any) -> Any:
    """``value`` with no macro in any of its texts."""
    if isinstance(value, str):
        return value.translate(FULL_WIDTH)
    if isinstance(value, list | tuple):
        return [_literal(item) for item in value]
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    return value


def _sample_chats(persona: Persona) -> str:
    return "\n".join(
        f"<START>\n{{{{user}}}}: {_literal(exchange.they)}\n{{{{char}}}}: {_literal(exchange.you)}"
        for exchange in persona.seed.exchanges
    )


def _notes(persona: Persona, lang: str) -> str:
    seed = persona.seed
    return NOTES[lang].format(
        name=seed.name or seed.id, id=persona.id, seed_id=seed.id, author=seed.provenance.author, license=seed.license
    )


def _tags(persona: Persona) -> list[str]:
    seed, row = persona.seed, persona.row
    told = ["persona-matrix", seed.lang, row["domain"], row["stance"], row["tone_family"], seed.role]
    return [tag for tag in told if tag is not None] + (["mature"] if seed.rating == "mature" else [])


def _extensions(persona: Persona) -> dict[str, Any]:
    """What the fields have no place for, as data; no frontend puts it into a prompt."""
    seed, row, tone = persona.seed, persona.row, persona.tone
    traits = None if seed.traits is None else {name: row[name] for name in TRAITS}
    return {
        "persona_matrix/persona": {"seed_id": seed.id, "persona_id": persona.id, "lang": seed.lang},
        # The other party's state is none of the persona: in a deploy scene it is whatever the row happens to have.
        "persona_matrix/levels": {name: row[name] for name in persona.axes.levels if name != "user_state"},
        "persona_matrix/traits": traits,
        "persona_matrix/voice": None if seed.voice is None else seed.voice.model_dump(),
        "persona_matrix/prosody": {
            "pace": persona.pace, "energy": persona.energy, "pitch": persona.pitch,
            "valence": tone.valence, "arousal": tone.arousal, "dominance": tone.dominance,
            "pause_ms": persona.pause_ms,
        },
        # Cards are passed on: who reviewed a text, and where a consent is kept, are nobody's business there.
        "persona_matrix/provenance": seed.provenance.model_dump(mode="json", exclude={"consent", "reviewed_by"}),
    }  # fmt: skip


def _book(persona: Persona, **of_version: bool) -> dict[str, Any]:
    """What they know well, which no scene tells.

    It is always in the prompt: such topics ("train maps") are seldom said word for word and would make poor keys.
    """
    seed = persona.seed
    if not seed.knows:
        return {}
    told, between = KNOWS[seed.lang]
    entry = {
        "keys": [],
        "content": _literal(told.format(between.join(seed.knows))),
        "extensions": {},
        "enabled": True,
        "insertion_order": 0,
        "constant": True,
        "position": "after_char",
        **of_version,
    }
    return {"character_book": {"extensions": {}, "entries": [entry]}}


def _extras(persona: Persona) -> dict[str, Any]:
    """What only V3 has."""
    seed, provenance = persona.seed, persona.seed.provenance
    addresses = [provenance.source] if provenance.source.startswith(("https://", "http://")) else []
    extras: dict[str, Any] = _literal({
        "creator_notes_multilingual": {lang: _notes(persona, lang) for lang in NOTES},
        "source": [*addresses, f"persona-matrix:{seed.id}-{persona.id}"],
        "group_only_greetings": [],
        "creation_date": int(datetime.combine(provenance.created, time(), UTC).timestamp()),
        "modification_date": 0,  # not known, says the specification: the bytes of a pack do not depend on a clock
    })  # fmt: skip
    return extras if seed.name is None else {"nickname": _literal(short_name(seed)), **extras}


def files(document: Document) -> dict[str, bytes]:
    """Both cards as JSON, and the picture that carries both."""
    v2, v3 = document["v2"], document["v3"]
    of_persona = v3["data"]["extensions"]
    prosody = of_persona["persona_matrix/prosody"]
    carried = {**v2, "data": {**v2["data"], "creator_notes": f"{v2['data']['creator_notes']}\n\n{CARRIED}"}}
    chunks = {"chara": b64encode(to_json(carried)), "ccv3": b64encode(to_json(v3))}
    picture = card_png(of_persona["persona_matrix/persona"]["seed_id"], prosody["valence"], prosody["arousal"], chunks)
    return {".v2.json": as_json(v2)[".json"], ".v3.json": as_json(v3)[".json"], ".png": picture}


def instructions(document: Document) -> str:
    data = document["v3"]["data"]
    return "\n\n".join(data[field] for field in FIELDS)


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schemas in schemas/vendor/; then macros that are not ours, and cards that differ."""
    found = [
        *schema_faults("vendor/chara-card-v2", document.get("v2"), "v2", 0),
        *schema_faults("vendor/chara-card-v3", document.get("v3"), "v3", 0),
    ]
    if found:
        return found
    for version in ("v2", "v3"):
        data = document[version]["data"]
        told = {**data, "mes_example": OWN_MACROS.sub("", data["mes_example"])}
        found += [
            Fault(version, 0, f"data.{name}", "a frontend would take this text for a macro", "Write it full-width.")
            for name, value in told.items()
            if _literal(value) != value
        ]
    v2, v3 = document["v2"]["data"], document["v3"]["data"]
    found += [
        Fault("v3", 0, f"data.{name}", "it is not what the V2 card says", "Derive both from one persona.")
        for name, value in v2.items()
        if name != "character_book" and v3.get(name) != value
    ]
    return found


TARGET = Target(
    about="Character cards, V2 and V3, as JSON and as a picture that carries both.",
    export=cards,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "the voice, which a card only carries as data (extensions, persona_matrix/voice)",
        "pace, energy, pitch and pauses as settings (system_prompt says them, persona_matrix/prosody has the numbers)",
        "braces and angle brackets of a seed's text, which frontends take for macros: they are full-width",
    ),
    imports="import tavern_card",
    client="""\
# SillyTavern, RisuAI and others import {config} as it is; in Python, with tavern-card:
with open("{config}", "rb") as file:
    card = tavern_card.parse_png_card(file.read())["data"]""",
    files=files,
)
