import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.importers.settings import ImportSettings, Unfit
from pipeline.importers.source import Source
from pipeline.importers.text import chosen_language, cleaned, language, numbered, own_id, slug, spoken
from tests.importers.files import SETTINGS

TEXT = "A cooper from a hill town who hums while she works."


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b\x07c\x7f", "abc"),
        ("\u202edlo \u2066woman\u2069\u200f", "dlo woman"),
        ("\ufeffA cook.\u200b", "A cook."),
        ("one\r\n\r\ntwo\tthree\rfour", "one\n\ntwo three\nfour"),
        ("private \ue000use", "private use"),
        (" 修钟的人 ", "修钟的人"),
        ("café – “quoted” 😀", "café – “quoted” 😀"),
    ],
)
def test_marks_that_have_no_sound_are_taken_out(text: str, kept: str) -> None:
    assert cleaned(text) == kept


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\r\ntwo\n\n three", "one two three"),
        ("a\x0bb\u2028c\x85d", "a b c d"),
        ("\t\x00\u200b \n", ""),
        (" 好\n的 ", "好 的"),
    ],
)
def test_what_is_spoken_has_no_lines(text: str, said: str) -> None:
    assert spoken(text) == said


@given(text=st.text())
def test_what_is_spoken_is_so_already(text: str) -> None:
    said = spoken(text)
    assert spoken(said) == said
    assert re.search(r"[\x00-\x1f\x7f-\x9f]|\s\s|^\s|\s$", said) is None


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        (TEXT, "en"),
        ("Ein Böttcher aus Łódź, der summt.", "en"),
        ("你是修钟的老魏。", "zh"),
        ("你是 Mei Lin，修钟。", "zh"),
        ("Mei Lin likes the word 好 and says it all day long.", "en"),
        ("Пекарь", None),
        ("さくらのきのしたで", None),
        ("1234 5678", None),
    ],
)
def test_the_script_tells_the_language(text: str, lang: str | None) -> None:
    assert language(text) == lang


@pytest.mark.parametrize(
    ("given", "told", "text", "lang"),
    [
        (None, None, TEXT, "en"),
        (None, "", "你是修钟的老魏。", "zh"),
        (None, 7, TEXT, "en"),
        (None, "zh", TEXT, "zh"),
        (None, "zh-Hans-CN", TEXT, "zh"),
        (None, " English ", "？", "en"),
        (None, "en_US", "？", "en"),
        ("zh", "en", TEXT, "zh"),
        ("en", "fr", TEXT, "en"),
    ],
)
def test_the_user_tells_the_language_then_the_record_then_the_script(
    given: str | None, told: object, text: str, lang: str
) -> None:
    assert chosen_language(SETTINGS.model_copy(update={"lang": given}), told, text) == lang


@pytest.mark.parametrize(("told", "text"), [("fr", TEXT), ("unknown", TEXT), (None, "Пекарь"), (None, "42")])
def test_a_language_that_is_none_of_ours_is_refused(told: object, text: str) -> None:
    with pytest.raises(Unfit) as refused:
        chosen_language(SETTINGS, told, text)
    assert refused.value.reason == "language_unknown"


@pytest.mark.parametrize(
    ("text", "record_id"),
    [
        ("Mei Lin", "mei-lin"),
        ("Zoë Łukasz-Ñandú", "zoe-ukasz-nandu"),
        ("../../etc/passwd", "etc-passwd"),
        ("a__b", "a__b"),
        ("--a--", "a"),
        ("老魏", ""),
        ("x" * 90, "x" * 64),
        ("UUID-9F", "uuid-9f"),
    ],
)
def test_an_id_is_a_slug(text: str, record_id: str) -> None:
    assert slug(text) == record_id


@given(text=st.text())
def test_a_slug_is_an_id_a_record_may_have_or_nothing(text: str) -> None:
    assert slug(text) == "" or re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", slug(text))


@given(text=st.text(), number=st.integers(1, 10**12))
def test_a_number_always_makes_an_id(text: str, number: int) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", numbered(text, number))
    assert numbered(text, number).endswith(str(number))


@pytest.mark.parametrize(
    ("record", "name", "record_id"),
    [
        ({"id": "A 7"}, "people.jsonl", "a-7"),
        ({"id": 0}, "people.jsonl", "0"),
        ({"id": "老魏"}, "people.jsonl", "people-00012"),
        ({"id": {"$oid": "7"}}, "people.jsonl", "people-00012"),
        ({}, "people.jsonl", "people-00012"),
        ({"id": "角色7"}, "people.jsonl", "people-00012"),
        ({"id": "Zoë"}, "people.jsonl", "zoe"),
        ({"id": ""}, "人物.jsonl", "[0-9a-f]{10}-00012"),
        ({"id": ""}, "人物-2.jsonl", "2-[0-9a-f]{10}-00012"),
        ({}, "north/people.jsonl", "north-people-00012"),
        ({}, "x" * 90 + ".jsonl", "x{39}-[0-9a-f]{10}-00012"),
    ],
)
def test_a_record_without_an_id_has_its_file_s_and_line_s(
    record: dict[str, object], name: str, record_id: str, tmp_path: object
) -> None:
    assert re.fullmatch(record_id, own_id(record, 12, Source(tmp_path, name), SETTINGS))  # type: ignore[arg-type]


def test_the_id_may_stand_in_another_field(tmp_path: object) -> None:
    settings = ImportSettings(created=SETTINGS.created, id_field="uuid")
    record = {"uuid": "A1", "id": "no"}
    assert own_id(record, 1, Source(tmp_path, "a.jsonl"), settings) == "a1"  # type: ignore[arg-type]
