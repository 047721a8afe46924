import pytest

from pipeline.ranking import Ranking, langs_of, ranked
from pipeline.seeds import Seed, Speech
from tests.golden_content import golden_axes, golden_seeds

ORLA, SHEN = golden_seeds()


def seed(id: str, lang: str, **told: object) -> Seed:
    """A seed of which nothing is known but what is told here."""
    bare = {"name", "age", "gender", "role", "place", "who", "life", "wants", "keeps", "voice"}
    like = ORLA if lang == "en" else SHEN
    silent = {name: None for name in bare} | {"speech": Speech(), "knows": (), "limits": ()}
    return like.model_copy(update={**silent, "id": id, **told})


GUARD = seed("guard", "zh", role="夜班保安", who="你在仓库看门。")
BAKER = seed("baker", "zh", role="面包师", who="你天亮前揉面，上的是早班。")
NURSE = seed("nurse", "en", role="night nurse", who="You walk the ward at night, and nurses listen to you.")
CLERK = seed("clerk", "en", role="bank clerk", who="You keep a counter by day; a night shift was never yours.")
EVERYBODY = [GUARD, BAKER, NURSE, CLERK]


def order(query: str, seeds: list[Seed] = EVERYBODY) -> list[str]:
    found = ranked(query, seeds, golden_axes()).seeds
    return sorted(found, key=lambda id: -found[id])


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("夜班", ["guard"]),
        ("夜班保安", ["guard"]),
        ("面", ["baker"]),
        ("早班的面包师", ["baker"]),
        ("nurse", ["nurse"]),
        ("Nursing", ["nurse"]),
        ("NIGHTS", ["nurse", "clerk"]),
        ("night shift", ["clerk", "nurse"]),
        ("夜班 clerk", ["guard", "clerk"]),
        ("warehouse guard", []),
        ("护士", []),
        ("you and the of", []),
        ("", []),
        ("，。!?", []),
    ],
)
def test_seeds_are_found_by_their_words_in_their_language(query: str, ids: list[str]) -> None:
    found = order(query)
    assert set(found) == set(ids)
    if query == "night shift":
        assert found == ids


def test_a_person_whose_trade_it_is_comes_before_one_who_mentions_it() -> None:
    assert order("night nurse")[0] == "nurse"
    assert order("ferry keeper", golden_seeds()) == ["orla-keane"]
    assert order("修表匠", golden_seeds()) == ["shen-anbang"]


@pytest.mark.parametrize(
    ("told", "query"),
    [
        ({"name": "Zelda"}, "zelda"),
        ({"role": "zookeeper"}, "zookeepers"),
        ({"place": "Zagreb, Croatia"}, "zagreb"),
        ({"who": "You mend zithers."}, "zither"),
        ({"life": "You were born in a zeppelin."}, "zeppelin"),
        ({"wants": "You want a zebra."}, "zebras"),
        ({"text": "Someone from a zone."}, "zone"),
        ({"knows": ("zinc",)}, "zinc"),
        ({"speech": Speech(habits=("You zigzag.",))}, "zigzagging"),
        ({"voice": ORLA.voice and ORLA.voice.model_copy(update={"timbre": "zesty"})}, "zesty"),
        ({"voice": ORLA.voice and ORLA.voice.model_copy(update={"accent": "Zulu"})}, "zulu"),
    ],
)
def test_every_part_that_tells_of_the_person_is_searched(told: dict[str, object], query: str) -> None:
    assert order(query, [seed("this", "en", **told), CLERK]) == ["this"]


def test_secrets_and_limits_are_not_searched() -> None:
    assert ranked("toll bookings weather", [ORLA], golden_axes()).seeds.keys() == set()


@pytest.mark.parametrize(
    ("query", "tones"),
    [
        ("calm", {("en", "steady-low"), ("en", "clear-even")}),
        ("a wry half smile", {("en", "half-smile")}),
        ("平静", {("zh", "steady-low"), ("zh", "clear-even")}),
        ("嘴角", {("zh", "half-smile")}),
        ("ferry", set()),
    ],
)
def test_tones_are_found_by_family_id_and_direction(query: str, tones: set[tuple[str, str]]) -> None:
    assert set(ranked(query, [], golden_axes()).tones) == tones


def test_a_ranking_is_the_same_however_often_and_in_whatever_order_words_are_asked_for() -> None:
    once = ranked("night shift ward", EVERYBODY, golden_axes())
    again = ranked("ward, shift; night night", EVERYBODY[::-1], golden_axes())
    assert once == Ranking(pytest.approx(again.seeds), again.tones)


@pytest.mark.parametrize(("query", "langs"), [("night", ["en"]), ("夜", ["zh"]), ("KTV 夜", ["en", "zh"]), ("!", [])])
def test_a_query_has_the_languages_of_its_scripts(query: str, langs: list[str]) -> None:
    assert langs_of(query) == langs
