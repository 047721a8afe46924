import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.axes import AXIS_NAMES, Axes
from pipeline.config import SceneSettings
from pipeline.matrix import Expansion
from pipeline.plan import Plan
from pipeline.rules import axis_codes
from pipeline.scene_parts import (
    GAP,
    LANGS,
    LIKELY_STATES,
    PARAGRAPHS,
    PART_NAMES,
    Part,
    at_the_time,
    bare,
    hanzi,
    likely_states,
    lowered,
    raised,
    scene_parts,
    unstopped,
)
from pipeline.scenes import LEFT_OUT_FIRST, LONGEST, LONGEST_PART, deployable, length, with_scenes
from pipeline.seeds import Seed
from tests.golden_content import golden_axes, golden_plan, golden_rows, golden_seeds

FRAMES = ("deploy", "scene")
SETTINGS = {frame: SceneSettings(frame=frame) for frame in FRAMES}
SEED_PARTS = ("who", "life", "speech", "request", "provoked", "bridge", "limits", "voice", "safety", "staying")
SEAM = re.compile(r"[{}]|None|undefined|  | [.,;:]|[.,;:]{2}|“”|[。，；：、]{2}|。”[，。]|[，；：]”")
Row = Mapping[str, Any]
Parts = dict[str, Part]


@pytest.fixture(scope="module")
def rows(plan: Plan) -> pl.DataFrame:
    """Four thousand personas of all twelve seeds."""
    return Expansion(plan, 20_000).frame(0, 20_000).gather_every(5)


@pytest.fixture(scope="module")
def parts(axes: Axes, seeds: list[Seed]) -> dict[str, Parts]:
    return {frame: {part.name: part for part in scene_parts(axes, seeds, SETTINGS[frame])} for frame in FRAMES}


@pytest.fixture(scope="module")
def scenes(rows: pl.DataFrame, plan: Plan, seeds: list[Seed]) -> dict[str, pl.DataFrame]:
    return {frame: with_scenes(rows.lazy(), plan, seeds, SETTINGS[frame]).collect() for frame in FRAMES}


def told(frame: pl.DataFrame) -> list[tuple[Row, str]]:
    return [(row, row["scene"]) for row in frame.iter_rows(named=True)]


def phrasings(persona: int) -> int:
    """splitmix64 of the id; bit n chooses the phrasing of part n."""
    x = persona
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> shift)) * factor % (1 << 64)
    return x ^ (x >> 31)


def texts_of(row: Row, parts: Parts) -> dict[str, str]:
    """What each part says in this row; nothing where it says nothing."""
    bits = phrasings(row["persona_id"])
    found = {}
    for number, name in enumerate(PART_NAMES):
        text = parts[name].texts.get(tuple(row[key] for key in parts[name].keys))
        if text is not None and text[bits >> number & 1]:
            found[name] = text[bits >> number & 1]
    return found


def size(text: str) -> int:
    return min(length(text), LONGEST_PART)


def joined(row: Row, texts: Mapping[str, str]) -> str:
    paragraphs = (GAP[row["lang"]].join(texts[name] for name in names if name in texts) for names in PARAGRAPHS)
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


def prose(seed: Seed) -> str:
    return "\n".join(strings(seed.model_dump(mode="json")))


def wordings(frame: str, axes: Axes, lang: str) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    """Every text that does not come from a seed: part, key and text."""
    for part in scene_parts(axes, (), SETTINGS[frame]):
        for key, texts in part.texts.items():
            if key[0] == lang:
                yield from ((part.name, key, text) for text in texts)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_scene_is_its_parts_in_order_without_those_that_go_first(
    scenes: dict[str, pl.DataFrame], parts: dict[str, Parts], frame: str
) -> None:
    for row, scene in told(scenes[frame].gather_every(7)):
        texts = texts_of(row, parts[frame])
        over = sum(map(size, texts.values())) - LONGEST[row["lang"]]
        for name in LEFT_OUT_FIRST:
            if over > 0 and name in texts:
                over -= size(texts.pop(name))
        assert scene == joined(row, texts), row["persona_id"]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_part_is_rendered_once_for_all_personas_that_share_it(
    parts: dict[str, Parts], axes: Axes, seeds: list[Seed], frame: str
) -> None:
    deploy = frame == "deploy"
    scenarios, states, tones = len(axes.scenario), len(axes.user_state), len(axes.tone)
    bridges = sum(len(seed.bridges or ()) for seed in seeds)
    one_place = sum(len(s.environment.allowed) == 1 for s in axes.scenario)
    places = sum(len(s.environment.allowed) for s in axes.scenario)
    per_language = {
        "setting": scenarios,
        "situation": 0 if deploy else scenarios,
        "temperament": len(axes.temperament),
        "tone": tones,
        "pace": 3 * tones,
        "energy": 3 * tones,
        "cue": len(axes.levels["cue"]),
        "verbosity": len(axes.levels["verbosity"]),
        "turn_taking": len(axes.levels["turn_taking"]),
        "relationship": len(axes.levels["relationship"]),
        "register": len(axes.levels["register"]),
        "environment": one_place if deploy else places,
        "state": scenarios * tones if deploy else states,
        "state_third": scenarios * tones if deploy else 0,
        "state_otherwise": 1 if deploy else 0,
        "habit": 1,
        "facts": scenarios,
    }
    rendered = {name: len(part.texts) for name, part in parts[frame].items()}
    assert {name: rendered[name] for name in per_language} == {name: 2 * n for name, n in per_language.items()}
    assert {name: rendered[name] for name in SEED_PARTS} == dict.fromkeys(SEED_PARTS, len(seeds)) | {"bridge": bridges}
    assert list(rendered) == list(PART_NAMES)


ALWAYS = {
    "who", "speech", "bridge", "setting", "tone", "verbosity", "turn_taking", "relationship", "facts", "limits",
    "voice", "safety", "staying",
}  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_every_persona_has_the_parts_no_scene_goes_without(
    scenes: dict[str, pl.DataFrame], parts: dict[str, Parts], frame: str
) -> None:
    assert ALWAYS.isdisjoint(LEFT_OUT_FIRST)
    for row, scene in told(scenes[frame]):
        texts = texts_of(row, parts[frame])
        assert set(texts) >= ALWAYS
        assert all(texts[name] in scene for name in ALWAYS)


@pytest.mark.parametrize("frame", FRAMES)
def test_no_scene_shows_a_seam(scenes: dict[str, pl.DataFrame], seeds: list[Seed], frame: str) -> None:
    own = {seed.id: prose(seed) for seed in seeds}
    for row, scene in told(scenes[frame]):
        assert [seam for seam in SEAM.findall(scene) if seam not in own[row["seed_id"]]] == [], scene
        assert scene == scene.strip()
        assert "\n\n\n" not in scene


@pytest.mark.parametrize("frame", FRAMES)
def test_no_scene_names_a_level_or_a_seed_by_its_id(scenes: dict[str, pl.DataFrame], frame: str) -> None:
    for row, scene in told(scenes[frame]):
        ids = [value for name in ("seed_id", *AXIS_NAMES) if re.search("[-+_]", str(value := row[name]))]
        named = [level for level in ids if isinstance(level, str) and level in scene]
        assert not named, scene


# What is told of a matter may have other people in it: their father, a colleague, the heroine of the ninth instalment.
OF_OTHERS = {"situation", "facts"}


def own_words(part: str, text: str) -> str:
    return re.sub("[他她]", "", text) if part in OF_OTHERS else text.replace("是 AI", "是AI")


@pytest.mark.parametrize("frame", FRAMES)
def test_no_english_wording_calls_the_other_party_he_or_she(axes: Axes, frame: str) -> None:
    found = [found for found in wordings(frame, axes, "en") if found[0] not in OF_OTHERS]
    gendered = re.compile(r"\b(he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)
    assert len(found) > 1_000
    assert [(name, key, text) for name, key, text in found if gendered.search(text)] == []


@pytest.mark.parametrize("frame", FRAMES)
def test_no_chinese_wording_has_ascii_punctuation_or_calls_the_other_party_he_or_she(axes: Axes, frame: str) -> None:
    found = list(wordings(frame, axes, "zh"))
    foreign = re.compile(r"[.,;:!?'\"() 他她]")
    assert len(found) > 1_000
    assert [(n, k, t) for n, k, t in found if foreign.search(own_words(n, t))] == []


def test_what_the_templates_add_to_a_chinese_seed_has_no_ascii_punctuation(
    parts: dict[str, Parts], seeds: list[Seed]
) -> None:
    for seed in seeds:
        for name in SEED_PARTS:
            for (seed_id, *_), texts in parts["deploy"][name].texts.items():
                if seed_id == seed.id and seed.lang == "zh":
                    added = {mark for mark in ".,;:!?'\"()" if any(mark in text for text in texts)}
                    assert added <= set(prose(seed)), texts


@pytest.mark.parametrize("lang", LANGS)
def test_what_the_templates_add_to_a_seed_calls_nobody_he_or_she(lang: str) -> None:
    seed = imported("Mo", text="a keeper of bees" if lang == "en" else "养蜂的人", lang=lang)
    for part in scene_parts(golden_axes(), [seed], SETTINGS["scene"]):
        if part.name in SEED_PARTS:
            for texts in part.texts.values():
                assert not re.search(r"\b(he|she|him|her|his|hers)\b|[他她]", " ".join(texts), re.IGNORECASE)


@pytest.mark.parametrize("frame", FRAMES)
def test_scenes_of_authored_seeds_are_as_long_as_a_model_can_keep_in_mind(
    scenes: dict[str, pl.DataFrame], frame: str
) -> None:
    for lang in LANGS:
        sizes = [length(scene.replace("\n\n", GAP[lang])) for row, scene in told(scenes[frame]) if row["lang"] == lang]
        assert sum(n <= LONGEST[lang] for n in sizes) >= 0.9 * len(sizes)
        assert max(sizes) < 1.2 * LONGEST[lang]


@pytest.mark.parametrize("frame", FRAMES)
def test_parts_are_left_out_in_their_order_and_no_more_than_needed(
    scenes: dict[str, pl.DataFrame], parts: dict[str, Parts], frame: str
) -> None:
    seen: set[int] = set()
    for row, scene in told(scenes[frame].gather_every(3)):
        texts = texts_of(row, parts[frame])
        left_out = [name for name in LEFT_OUT_FIRST if name in texts and texts[name] not in scene]
        assert left_out == [name for name in LEFT_OUT_FIRST if name in texts][: len(left_out)]
        kept = sum(size(text) for name, text in texts.items() if name not in left_out)
        if left_out:
            assert kept + size(texts[left_out[-1]]) > LONGEST[row["lang"]]
        if kept > LONGEST[row["lang"]]:
            assert len(left_out) == sum(name in texts for name in LEFT_OUT_FIRST)
        seen.add(len(left_out))
    assert len(seen) > 2


@pytest.mark.parametrize(("lang", "sentence"), [("en", "You keep bees. "), ("zh", "你养蜂。")])
def test_a_long_foreign_description_stays_whole_and_costs_no_more_than_one_of_250_words(
    lang: str, sentence: str
) -> None:
    enough, far_more = (sentence * times for times in (90, 2_000))
    scenes = [scene_of(imported("Mo", text.strip(), lang), frame="scene")["scene"] for text in (enough, far_more)]
    assert far_more.strip() in scenes[1]
    assert scenes[0].replace(enough.strip(), "") == scenes[1].replace(far_more.strip(), "")


@pytest.mark.parametrize("frame", FRAMES)
def test_a_scene_depends_on_its_row_alone(
    scenes: dict[str, pl.DataFrame], rows: pl.DataFrame, plan: Plan, seeds: list[Seed], frame: str
) -> None:
    some = rows.sample(300, seed=1, shuffle=True)
    others = [seed for seed in seeds if seed.id in set(some["seed_id"])][::-1]
    again = with_scenes(some.lazy(), plan, others, SETTINGS[frame]).collect()
    assert again.columns == [*rows.columns, "scene"]
    assert again["persona_id"].to_list() == some["persona_id"].to_list()
    before = dict(scenes[frame].select("persona_id", "scene").iter_rows())
    assert dict(again.select("persona_id", "scene").iter_rows()) == {i: before[i] for i in some["persona_id"]}


def test_personas_that_share_a_part_have_both_of_its_phrasings_between_them(
    scenes: dict[str, pl.DataFrame], parts: dict[str, Parts]
) -> None:
    for name in PART_NAMES:
        counts = [0, 0]
        for row, scene in told(scenes["scene"].gather_every(4)):
            both = parts["scene"][name].texts.get(tuple(row[key] for key in parts["scene"][name].keys), ("", ""))
            if both[0] != both[1]:
                for phrasing, text in enumerate(both):
                    counts[phrasing] += bool(text) and text in scene
        if sum(counts) >= 200:  # of fewer, either may have most by chance
            assert 0.35 < counts[0] / sum(counts) < 0.65, name


def test_the_scene_frame_tells_the_situation_and_how_they_sound(scenes: dict[str, pl.DataFrame], axes: Axes) -> None:
    states = {state.id: state for state in axes.user_state}
    situations = {scenario.id: scenario.situation for scenario in axes.scenario}
    for row, scene in told(scenes["scene"].gather_every(5)):
        assert any(text in scene for text in getattr(situations[row["scenario"]], row["lang"]))
        heard = getattr(states[row["user_state"]].heard_as, row["lang"])
        assert any(raised(text) in scene for text in heard)
        others = [other for other in axes.user_state if other.id != row["user_state"] and other.heard_as.en[0]]
        assert not any(
            text in scene or raised(text) in scene for o in others for text in getattr(o.heard_as, row["lang"])
        )


def test_the_deploy_frame_tells_no_situation_and_no_fact_of_it(scenes: dict[str, pl.DataFrame], axes: Axes) -> None:
    scenarios = {scenario.id: scenario for scenario in axes.scenario}
    for row, scene in told(scenes["deploy"].gather_every(3)):
        scenario = scenarios[row["scenario"]]
        assert not any(text in scene for text in getattr(scenario.situation, row["lang"]))
        assert not any(text in scene for text in getattr(scenario.facts, row["lang"]))


def test_the_deploy_frame_says_the_same_whatever_the_row_s_own_state(
    scenes: dict[str, pl.DataFrame], rows: pl.DataFrame, plan: Plan, seeds: list[Seed]
) -> None:
    moved = rows.with_columns(pl.col("user_state").reverse())
    assert (moved["user_state"] != rows["user_state"]).mean() > 0.5
    again = with_scenes(moved.lazy(), plan, seeds, SETTINGS["deploy"]).collect()
    assert again["scene"].to_list() == scenes["deploy"]["scene"].to_list()


def test_the_deploy_frame_holds_a_clause_for_each_likely_state_and_three_at_most(
    scenes: dict[str, pl.DataFrame], parts: dict[str, Parts], axes: Axes
) -> None:
    scenarios = {scenario.id: scenario for scenario in axes.scenario}
    opening = {"en": re.compile(r"(?:^|\. )If "), "zh": re.compile("(?:^|。)要是")}
    for row, scene in told(scenes["deploy"].gather_every(3)):
        lang, texts = row["lang"], texts_of(row, parts["deploy"])
        likely = likely_states(axes, scenarios[row["scenario"]])
        clauses = [texts.get(name, "") for name in ("state", "state_third")]
        assert [len(opening[lang].findall(text)) for text in clauses] == [len(likely[:2]), len(likely[2:])]
        heard = {state.id for state in axes.user_state if any(h and h in scene for h in getattr(state.heard_as, lang))}
        assert set(likely[:2]) <= heard <= set(likely)
        assert len(heard) <= LIKELY_STATES == 3


def test_likely_states_are_the_scenario_s_own_likeliest_first_and_never_neutral(axes: Axes) -> None:
    share = {state.id: state.share for state in axes.user_state}
    for scenario in axes.scenario:
        likely = likely_states(axes, scenario)
        assert set(likely) <= set(scenario.states) - {"neutral"}
        assert len(likely) == min(LIKELY_STATES, len(set(scenario.states) - {"neutral"}))
        rank = [(scenario.states[state], share[state]) for state in likely]
        assert rank == sorted(rank, reverse=True)
        least = min((scenario.states[state] for state in likely), default=0)
        assert all(weight <= least for state, weight in scenario.states.items() if state not in {*likely, "neutral"})


def test_an_app_is_given_rows_that_differ_only_in_the_other_party_s_state_once(plan: Plan) -> None:
    dense = Expansion(plan, 20_000).frame(0, 20_000)
    twins = pl.concat([dense.with_columns(pl.col("user_state").reverse().alias("user_state")), dense])
    told_apart = ["seed_id", *(name for name in AXIS_NAMES if name != "user_state")]
    kept = deployable(twins.lazy(), plan).collect()
    assert kept.select(told_apart).is_duplicated().sum() == 0
    suited = twins.join(kept.select("scenario", "turn_taking").unique(), on=["scenario", "turn_taking"], how="semi")
    assert kept.height == suited.select(told_apart).n_unique() > 1_000
    first = suited.unique(told_apart, keep="first", maintain_order=True)
    assert kept["persona_id"].to_list() == first["persona_id"].to_list()


def test_an_app_is_given_only_turn_taking_that_suits_every_likely_state(rows: pl.DataFrame, plan: Plan) -> None:
    axes = plan.axes
    unfit = set()
    for rule in axes.rules:
        named = dict(axis_codes(axes, term) for term in rule.hard or ())
        if set(named) == {"user_state", "turn_taking"}:
            turns = [axes.levels["turn_taking"][code].id for code in named["turn_taking"]]
            unfit |= {(axes.user_state[code].id, turn) for code in named["user_state"] for turn in turns}
    likely = {scenario.id: likely_states(axes, scenario) for scenario in axes.scenario}

    def suits(row: Row) -> bool:
        return all((state, row["turn_taking"]) not in unfit for state in likely[row["scenario"]])

    kept = deployable(rows.lazy(), plan).collect()
    assert all(map(suits, kept.iter_rows(named=True)))
    dropped = rows.join(kept, on="persona_id", how="anti")
    assert sum(not suits(row) for row in dropped.iter_rows(named=True)) > 100
    assert {row["turn_taking"] for row in dropped.iter_rows(named=True) if not suits(row)} >= {"jumps-in"}


def imported(name: str | None, text: str, lang: str = "en", **fields: object) -> Seed:
    return Seed.model_validate_json(
        json.dumps(
            {"id": "mo", "lang": lang, "name": name, "text": text, **fields, "provenance": {
                "author": "a.jsonl", "method": "imported", "license": "CC0-1.0", "consent": {"basis": "as licensed"},
                "source": "a.jsonl", "created": "2026-11-21"}}
        )
    )  # fmt: skip


def scene_of(seed: Seed, **chosen: Any) -> Row:
    """The golden row of the seed's language, told of this seed."""
    row = golden_rows().filter(pl.col("lang") == seed.lang).with_columns(pl.lit(seed.id).alias("seed_id"))
    return with_scenes(row.lazy(), golden_plan(), [seed], SceneSettings(**chosen)).collect().row(0, named=True)


def authored(lang: str, **fields: object) -> Seed:
    record = next(seed for seed in golden_seeds() if seed.lang == lang).model_dump(mode="json", by_alias=True)
    return Seed.model_validate_json(json.dumps(record | fields))


HOSTILE = (
    "{{7*7}} {{ name }} {% for x in y %} {% endraw %} {# note #} {heard_as} {0} %s ${HOME} <b>&amp;</b> </speak> "
    "'; DROP TABLE personas; -- \\n {{ ''.__class__.__mro__ }} }} {% $1"
)
FIELDS = {
    "name": lambda text: {"name": text},
    "who": lambda text: {"who": text},
    "life": lambda text: {"life": text},
    "wants": lambda text: {"wants": text},
    "place": lambda text: {"place": text},
    "secret": lambda text: {"keeps": {"secret": text, "cracks": "They ask."}},
    "cracks": lambda text: {"keeps": {"secret": "You left.", "cracks": text}},
    "habit": lambda text: {"speech": {"register": "casual", "habits": [text]}},
    "catchphrase": lambda text: {
        "speech": {"register": "casual", "catchphrases": [{"text": text, "when": "They ask"}]}
    },
    "when": lambda text: {"speech": {"register": "casual", "catchphrases": [{"text": "Oh.", "when": text}]}},
    "mixes": lambda text: {"speech": {"register": "casual", "languages": {"speaks": ["en"], "mixes": text}}},
    "they": lambda text: {"exchanges": [{"they": text, "you": "No."}] * 3},
    "you": lambda text: {"exchanges": [{"they": "Well?", "you": text}] * 3},
    "limit": lambda text: {"limits": [text]},
    "bridge": lambda text: {"bridges": {"automotive": text, "companionship": text}},
}


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("field", FIELDS)
def test_what_a_seed_says_is_never_read_as_a_template(field: str, lang: str, frame: str) -> None:
    scene = scene_of(authored(lang, **FIELDS[field](f"Mo {HOSTILE} Mo")), frame=frame)["scene"]
    assert f"Mo {HOSTILE} Mo" in scene


@settings(max_examples=20)
@given(
    text=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).map(str.strip).filter(bool),
    lang=st.sampled_from(LANGS),
    named=st.booleans(),
)
def test_a_foreign_description_is_told_as_it_came(text: str, lang: str, named: bool) -> None:
    description = f"Mo keeps bees.\n{HOSTILE}{text}"
    scene = scene_of(imported("Mo" if named else None, description, lang))["scene"]
    assert description in scene
    assert ("None" in scene) == ("None" in description)
    assert "\n\n\n" not in scene.replace(description, "")


def both_phrasings(lang: str, part: str, **chosen: Any) -> tuple[str, str]:
    (seed,) = (seed for seed in golden_seeds() if seed.lang == lang)
    parts = {part.name: part for part in scene_parts(golden_axes(), [seed], SceneSettings(**chosen))}
    return parts[part].texts[seed.id,]


@pytest.mark.parametrize(("lang", "local"), [("en", "the local emergency number"), ("zh", "当地的报警或急救电话")])
def test_a_crisis_line_is_told_only_where_it_is_given(lang: str, local: str) -> None:
    for without, with_one in zip(
        both_phrasings(lang, "safety"), both_phrasings(lang, "safety", crisis_line="{{999}} Nightline"), strict=True
    ):
        assert local in without
        assert not re.search(r"\d", without)
        assert with_one == without.replace(local, "{{999}} Nightline")


@pytest.mark.parametrize(
    ("lang", "child", "local", "promised"),
    [
        (
            "en",
            "A child is on this call|There is a child on the line",
            "the local emergency number",
            "that you are an AI|you are an AI",
        ),
        ("zh", "有孩子", "当地的报警或急救电话", "你是 AI"),
    ],
)
def test_where_children_listen_safety_says_so_and_keeps_its_promises(
    lang: str, child: str, local: str, promised: str
) -> None:
    ways = (both_phrasings(lang, "safety", audience=who) for who in ("general", "children", "mature"))
    for general, children, mature in zip(*ways, strict=True):
        assert general == mature
        assert re.search(child, children)
        assert not re.search(child, general)
        assert re.search(promised, children)
        assert local in children
    for text in both_phrasings(lang, "safety", audience="children", crisis_line="{{999}} Nightline"):
        assert "{{999}} Nightline" in text
        assert local not in text


@pytest.mark.parametrize("line", ["", "x" * 81])
def test_a_crisis_line_is_a_name_or_a_number_not_a_text(line: str) -> None:
    with pytest.raises(ValidationError, match="crisis_line"):
        SceneSettings(crisis_line=line)


@pytest.mark.parametrize(
    ("lang", "opens", "truth"),
    [
        ("en", "in your first sentence that you are an AI", "tell the truth"),
        ("zh", "头一句就说明你是 AI", "照实说|说实话"),
    ],
)
def test_disclosure_decides_when_it_says_it_is_an_ai(lang: str, opens: str, truth: str) -> None:
    ways = (both_phrasings(lang, "staying", disclosure=way) for way in ("on_ask", "at_open", "at_open_and_every"))
    for asked, opened, every in zip(*ways, strict=True):
        assert [opens in text for text in (asked, opened, every)] == [False, True, True]
        assert len(asked) < len(opened) < len(every)
        assert all(re.search(truth, text) for text in (asked, opened, every))


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Hildah Kiptalam", "Hildah"),
        ("Mei", "Mei"),
        ("The Night Clerk", "The Night Clerk"),
        ("Dr. Amara Obi", "Dr. Amara Obi"),
        ("Mrs Amara Obi", "Mrs Amara Obi"),
        (None, "this person"),
    ],
)
def test_an_english_persona_answers_to_its_given_name(name: str | None, short: str) -> None:
    scene = scene_of(imported(name, "You keep bees on a roof."))["scene"]
    last = scene.split("\n\n")[-1]
    assert short in last
    assert name is None or name == short or name not in last


def test_a_place_is_told_where_the_seed_s_own_words_do_not() -> None:
    assert "Orla Keane, 51, in Portumna. You keep" in scene_of(authored("en"))["scene"]
    assert "in Portumna." not in scene_of(authored("en", life="You never left Portumna at all."))["scene"]
    assert scene_of(authored("zh"))["scene"].startswith("你是沈安邦，六十岁。你是嘉兴")
    assert scene_of(authored("zh", who="你是修表的。"))["scene"].startswith("你是沈安邦，六十岁，在嘉兴。你是修表的。")


def test_the_request_and_the_provocation_are_told_and_what_lies_beyond_them_is_not() -> None:
    scene = scene_of(authored("en"), frame="scene")["scene"]
    assert "“When is the next crossing?”" in scene
    assert "“A bridge would be quicker”" in scene
    assert "Dublin" not in scene


@pytest.mark.parametrize(
    ("tone", "pace", "said"),
    [
        ("steady-low", "slower", ("Go a good deal slower than usual.", "Take a third off your speed.")),
        ("steady-low", "usual", ("Go a little slower than usual.", "Bring your speed down a notch.")),
        ("clear-even", "slower", ("Go a little slower than usual.", "Bring your speed down a notch.")),
        ("clear-even", "quicker", ("Go a little quicker than usual.", "Bring your speed up a notch.")),
    ],
)
def test_pace_adds_up_from_the_tone_and_the_row_s_own_step(tone: str, pace: str, said: tuple[str, str]) -> None:
    rows = golden_rows(tone=tone, pace=pace)
    scene = with_scenes(rows.lazy(), golden_plan(), golden_seeds(), SETTINGS["scene"]).collect()["scene"][0]
    assert sum(text in scene for text in said) == 1


@pytest.mark.parametrize(("environment", "told_of"), [("quiet", False), ("kitchen", True)])
def test_an_app_is_told_of_noise_only_where_the_scenario_leaves_no_choice(environment: str, told_of: bool) -> None:
    rows = golden_rows(scenario="empty-sunday", environment=environment)
    noise = re.compile("水声|灶上")
    for frame, expected in (("scene", told_of), ("deploy", False)):
        scene = with_scenes(rows.lazy(), golden_plan(), golden_seeds(), SETTINGS[frame]).collect()["scene"][1]
        assert bool(noise.search(scene)) == expected
    drive = with_scenes(golden_rows().lazy(), golden_plan(), golden_seeds(), SETTINGS["deploy"]).collect()["scene"][0]
    assert re.search("over the road|Road noise", drive)


def test_where_a_tone_and_a_likely_state_exclude_each_other_the_app_is_told_what_to_give_up() -> None:
    parts = {part.name: part for part in scene_parts(golden_axes(), (), SETTINGS["deploy"])}
    both = {tone: parts["state"].texts["en", "long-drive-home", tone] for tone in ("half-smile", "steady-low")}
    assert [("say everything straight" in text) for text in both["half-smile"]] == [True, True]
    assert both["half-smile"][0].endswith(
        "If they bite off the ends of their words, say everything straight; answer the matter and not the heat."
    )
    assert not any("straight" in text for text in both["steady-low"])
    assert (
        parts["meeting_state"].texts["en", "long-drive-home", "half-smile"][0]
        == "Dryness must leave nothing to work out."
    )


@pytest.mark.parametrize(("mood", "state", "told"), [
    ("agreeableness-1", "angry", True), ("agreeableness-1", "tired", False), ("openness+1", "angry", False),
])  # fmt: skip
def test_a_days_mood_says_what_it_means_before_a_state(mood: str, state: str, told: bool) -> None:
    rows = golden_rows(temperament=mood, user_state=state)
    for frame, expected in (("scene", told), ("deploy", False)):
        scene = with_scenes(rows.lazy(), golden_plan(), golden_seeds(), SETTINGS[frame]).collect()["scene"][0]
        assert bool(re.search("hand nothing back|answer sharply today", scene)) == expected, scene


def test_a_mood_of_two_shifts_takes_the_words_of_its_first_shift_that_has_any() -> None:
    axes = golden_axes()
    both = axes.temperament[-1].model_copy(
        update={"id": "openness+1.agreeableness-1", "shift": {"openness": 1, "agreeableness": -1}}
    )
    parts = {p.name: p for p in scene_parts(axes.model_copy(update={"temperament": (both,)}), (), SETTINGS["scene"])}
    texts = parts["meeting_temperament"].texts
    assert [key for key in texts] == [("en", both.id, "angry"), ("zh", both.id, "angry")]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "零"), (7, "七"), (10, "十"), (14, "十四"), (20, "二十"), (46, "四十六"), (99, "九十九"), (100, "一百"),
        (105, "一百零五"), (110, "一百一十"), (115, "一百一十五"), (200, "二百"), (1000, "一千"), (1001, "一千零一"),
        (1050, "一千零五十"), (1100, "一千一百"), (2026, "二千零二十六"), (9999, "九千九百九十九"), (10_000, "10000"),
        (-1, "-1"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_they_are_said(number: int, said: str) -> None:
    assert hanzi(number) == said


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("You mend shoes.", "you mend shoes."),
        ("They're late", "they're late"),
        ("They’re late", "they’re late"),
        ("Someone asks", "someone asks"),
        ("Maria asks", "Maria asks"),
        ("I'm asked", "I'm asked"),
        ("AI is named", "AI is named"),
        ("Theatre is named", "Theatre is named"),
        ("", ""),
    ],
)
def test_only_a_function_word_loses_its_capital(text: str, small: str) -> None:
    assert lowered(text) == small


@pytest.mark.parametrize(
    ("text", "left"),
    [("Stop. ", "Stop"), ("停。", "停"), ("one; ", "one"), ("一；", "一"), ("Why?", "Why?"), ("好！", "好！"),
     ("Well…", "Well…"), ("a.m. or p.m.", "a.m. or p.m"), ("", "")],
)  # fmt: skip
def test_a_bare_sentence_can_go_on(text: str, left: str) -> None:
    assert bare(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [("It's glue.", "It's glue"), ("算了。", "算了"), ("Why?", "Why?"), ("走了，", "走了，"), ("Oh!", "Oh!")],
)
def test_a_quoted_statement_loses_its_full_stop_alone(text: str, left: str) -> None:
    assert unstopped(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("对方催的时候", "对方催"),
        ("对方着急时", "对方着急"),
        ("对方说乱了", "对方说乱了"),
        ("时间到了", "时间到了"),
        ("对方问是谁的", "对方问是谁"),
    ],
)
def test_a_chinese_time_clause_says_when_once(text: str, left: str) -> None:
    assert at_the_time(text) == left + "的时候"


@pytest.mark.parametrize(
    ("text", "large"), [("if they", "If they"), ("If", "If"), ("", ""), ("“no”", "“no”"), ("是", "是")]
)
def test_a_raised_sentence_begins_large(text: str, large: str) -> None:
    assert raised(text) == large


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("Two words.", 2), ("你好。", 3), ("说明你是 AI。", 8), ("The word 好 is one of a few here", 9)],
)
def test_length_counts_english_words_and_chinese_characters(text: str, count: int) -> None:
    assert length(text) == count
