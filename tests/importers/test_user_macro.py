import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.importers.user_macro import USER, with_user_named


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("She likes {{user}} more than she says.", "She likes the other person more than she says."),
        ("{{user}} is her neighbour.", "The other person is her neighbour."),
        ("It rains. {{user}} comes in.\n{{User}}'s coat drips.",
         "It rains. The other person comes in.\nThe other person's coat drips."),
        ("- {{user}} owes her money", "- The other person owes her money"),
        ("Mei and <USER> (<user>’s sister) talk to {{user}}.",
         "Mei and the other person (the other person’s sister) talk to the other person."),
        ("After the fight, {{user}} left", "After the fight, the other person left"),
        ("as {{user}} walks in", "as the other person walks in"),
        ('She says "later" to {{user}}.', 'She says "later" to the other person.'),
        ("nothing of the kind", "nothing of the kind"),
    ],
)  # fmt: skip
def test_in_english_they_are_the_other_person(text: str, told: str) -> None:
    assert with_user_named(text, "en") == told


@pytest.mark.parametrize(
    "text",
    [
        "Come in, {{user}}!",
        "{{user}}, sit down.",
        "{{user}}: Hello.",
        "the {{user}} stands there",
        "a friend named {{user}}",
        "Their name is {{user}}.",
        "The user, {{user}}, is tired.",
        "Dear {{user}} writes.",
        'She says "hi, {{user}} is here".',
        "She says “{{user}} is here”.",
        "{{user}}-kun waits.",
        "{{user}}name",
        "x{{user}} y",
        '"{{user}}"',
        "id={{user}}",
        "{{user}} is here. Come in, {{user}}!",
    ],
)
def test_where_a_name_is_needed_all_of_the_text_stays_as_it_came(text: str) -> None:
    assert with_user_named(text, "en") == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("她和 {{user}} 是邻居。", "她和对方是邻居。"),
        ("{{user}}是她的哥哥，{{user}}的伞坏了。", "对方是她的哥哥，对方的伞坏了。"),
        ("她喜欢{{user}}。", "她喜欢对方。"),
        ("坐吧，{{user}}！", None),
        ("{{user}}：你好", None),
        ("他名叫{{user}}。", None),
        ("她说“{{user}}来了”。", None),
        ("她说「{{user}}来了」。", None),
    ],
)
def test_in_chinese_they_are_duifang(text: str, told: str | None) -> None:
    assert with_user_named(text, "zh") == (told or text)


@given(
    parts=st.lists(st.sampled_from(["{{user}}", "<user>", " ", ", ", ". ", '"', "“", "\n", "the", "名叫", "。", "x"]))
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_is_all_of_them_or_none(lang: str, parts: list[str]) -> None:
    text = "".join(parts)
    told = with_user_named(text, lang)
    assert told == text or USER.search(told) is None


def test_a_text_of_nothing_else_takes_no_time() -> None:
    assert with_user_named("{{user}} " * 5_000, "en").count("person") == 5_000
    assert with_user_named('"' * 25_000 + "{{user}}", "en").endswith("{{user}}")
    assert with_user_named("“" * 25_000 + "{{user}}", "zh").endswith("{{user}}")
