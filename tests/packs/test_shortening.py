from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import SceneSettings
from pipeline.errors import DataError
from pipeline.packs.persona import Persona, personas
from pipeline.packs.shortening import CUT, LEFT_OUT_NEXT, fitted, joined, sentences, size
from pipeline.packs.target import Limit
from pipeline.scene_parts import FRAMES, PART_NAMES
from pipeline.scenes import LEFT_OUT_FIRST
from pipeline.seeds import Seed
from tests.golden_content import golden_plan, golden_rows, golden_seeds
from tests.packs.personas import golden_persona

NEVER = {"bridge", "setting", "situation", "tone", "facts", "limits", "voice", "safety", "staying"}


def characters(number: int) -> Limit:
    return Limit(number, "characters", "somebody")


def told(seeds: Sequence[Seed], frame: str = "deploy") -> list[Persona]:
    settings = SceneSettings.model_validate({"frame": frame})
    return list(personas(golden_rows(), golden_plan(), seeds, settings))


@pytest.mark.parametrize("frame", FRAMES)
def test_the_parts_of_a_scene_make_the_scene(frame: str) -> None:
    for persona in told(golden_seeds(), frame):
        assert joined(persona.parts, persona.seed.lang) == persona.scene


@pytest.mark.parametrize("limit", [None, characters(100_000), Limit(100_000, "tokens", "somebody")])
def test_what_fits_stays_as_it_is(limit: Limit | None) -> None:
    persona = golden_persona()
    assert fitted(persona, limit) == (persona, ())


@pytest.mark.parametrize("of", ["orla-keane", "shen-anbang"])
@given(room=st.floats(0.0, 1.0))
def test_a_shortened_scene_fits_says_what_is_gone_and_keeps_what_must_stay(of: str, room: float) -> None:
    persona = golden_persona(of)
    parts = persona.parts
    least = joined({name: text if name in NEVER else "" for name, text in parts.items()}, persona.seed.lang)
    first = sentences(parts["who"])[0]
    limit = characters(int(len(least) + len(first) + 2 + room * (len(persona.scene) - len(least))))
    short, gone = fitted(persona, limit)
    assert len(short.scene) <= limit.size
    for name in NEVER:
        assert parts[name] in short.scene
    assert first in short.scene
    for name in (*LEFT_OUT_FIRST, *LEFT_OUT_NEXT):
        assert (parts[name] in short.scene) == (name not in gone)
    assert (short.scene == persona.scene) == (not gone)


def test_every_part_may_go_may_be_cut_or_stays() -> None:
    assert {*LEFT_OUT_FIRST} | {*LEFT_OUT_NEXT} | {*CUT} | NEVER == {*PART_NAMES}
    assert not {"voice", "safety"} & ({*LEFT_OUT_FIRST} | {*LEFT_OUT_NEXT} | {*CUT})


def test_no_sentence_is_cut_in_two() -> None:
    persona = golden_persona()
    whole = sentences(persona.scene)
    for room in range(1_300, len(persona.scene), 37):
        short, _ = fitted(persona, characters(room))
        assert [sentence for sentence in sentences(short.scene) if sentence not in whole] == []


def test_of_a_foreign_book_the_beginning_stays_and_our_own_parts_do_not_suffer() -> None:
    book = " ".join(f"Sentence number {number} tells of a harbour." for number in range(2_000))
    foreign = golden_seeds()[0].model_copy(update={"who": None, "text": book})
    (persona, _) = told([foreign, golden_seeds()[1]])
    short, gone = fitted(persona, characters(4_000))
    assert len(short.scene) <= 4_000
    assert "Sentence number 0 tells of a harbour. Sentence number 1 tells" in short.scene
    assert [part for part in gone if part not in persona.left_out] == [gone[-1]]
    assert gone[-1].startswith("who: the last 1,9")


def test_what_cannot_fit_is_refused_with_a_way_out() -> None:
    with pytest.raises(DataError, match=r"orla-keane: what may not be left out takes .* allows 300; shorten its who"):
        fitted(golden_persona(), characters(300))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("He said “No.” Then left", ["He said “No.”", "Then left"]),
        ("3.5 metres. Done.", ["3.5 metres.", "Done."]),
        ("一句。两句！三句？“四句。”", ["一句。", "两句！", "三句？", "“四句。”"]),
        ("a line\nanother", ["a line", "another"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_stops(text: str, wanted: list[str]) -> None:
    assert sentences(text) == wanted


@pytest.mark.parametrize(("text", "tokens"), [("word " * 40, 100), ("中文" * 20, 60), ("", 0)])
def test_tokens_are_bound_from_above(text: str, tokens: int) -> None:
    assert size(text, Limit(1, "tokens", "")) == tokens
    assert size(text, characters(1)) == len(text)
