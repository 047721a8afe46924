import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.axes import Tone
from pipeline.axis_files import load_axes
from pipeline.direction import (
    SHORT,
    Cue,
    Direction,
    Pause,
    Reading,
    Said,
    directed,
    read_directions,
    sentences,
    shipped_directions,
)
from pipeline.errors import InvalidRecords
from pipeline.seeds import Lang
from tests.conftest import ROOT

AXES = load_axes(ROOT / "seeds" / "axes")
TONES = {tone.id: tone for tone in AXES.tone}
CUES = [level.id for level in AXES.levels["cue"]]
SEEDS = [
    json.loads(line)
    for path in sorted((ROOT / "seeds" / "personas").rglob("*.jsonl"))
    for line in path.read_text("utf-8").rstrip().split("\n")
]
LINES: list[tuple[str, Lang]] = [
    (text, seed["lang"]) for seed in SEEDS for text in (seed["greeting"], *(each["you"] for each in seed["exchanges"]))
]
STEP = st.integers(-2, 2)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=300)
ANY_LINE = st.sampled_from(LINES) | st.tuples(ANY_TEXT, st.sampled_from(["en", "zh"]))
STEADY = "steady-low"


def read(
    text: str,
    lang: Lang = "en",
    tone: str = STEADY,
    cue: str = "none",
    they: str | None = "And then?",
    provoked: bool = False,
) -> Reading:
    return directed(text, lang, TONES[tone], cue, 0, 0, 0, they=they, provoked=provoked)


def shown(reading: Reading) -> str:
    """The reading on one line: {direction}, [cue], | for a pause, *leant on*."""
    told = ""
    for piece in reading.pieces:
        match piece:
            case Said(text, leant_on):
                told += f"*{text}*" if leant_on else text
            case Direction(text, _):
                told += f"{{{text}}}"
            case Cue(id):
                told += f"[{id}]"
            case Pause():
                told += "|"
    return told


def size(text: str, lang: str) -> int:
    return len(text.split()) if lang == "en" else sum(map(str.isalnum, text))


def test_every_shipped_tone_family_and_cue_is_directed() -> None:
    known = shipped_directions()
    assert set(known.tones) == {tone.id for tone in AXES.tone}
    assert set(known.families) == {family.id for family in AXES.families}
    assert set(known.cues) == {level.id for level in AXES.levels["cue"]} - {"none"}


def test_what_is_withheld_names_domains_families_and_tags_that_there_are() -> None:
    for withheld in shipped_directions().withheld:
        assert set(withheld.domains) <= {domain.id for domain in AXES.domains}
        assert set(withheld.families) <= {family.id for family in AXES.families}
        assert set(withheld.tags) <= {tag for tone in AXES.tone for tag in tone.tags}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("tone", AXES.tone, ids=lambda tone: tone.id)
def test_no_reading_in_an_emergency_is_marked_to_smile_ring_or_bubble(tone: Tone, lang: Lang) -> None:
    text = {
        "en": "I hear you, and I am here. But find the main tap before you lift the carpet. Then ring me back.",
        "zh": "我听见了，我在这儿陪着你。可是先把总阀找着，再去掀地毯。弄好了给我回个电话。",
    }[lang]
    elsewhere, there = (directed(text, lang, tone, "none", 0, 0, 0, domain=domain) for domain in (None, "emergencies"))
    directions = [mark for mark in elsewhere.marks if isinstance(mark, Direction)]
    merry = tone.family in {"bright", "playful", "excited"} or "smiling" in tone.tags
    assert len(directions) > 0
    assert [mark for mark in there.marks if isinstance(mark, Direction)] == ([] if merry else directions)


def test_no_two_tones_open_alike() -> None:
    for lang in ("en", "zh"):
        openings = [text for tone in shipped_directions().tones.values() for text in getattr(tone, lang)]
        assert sorted(set(openings)) == sorted(openings)


@given(line=ANY_LINE, tone=st.sampled_from(AXES.tone), cue=st.sampled_from(CUES), pace=STEP, energy=STEP, pitch=STEP,
       they=st.sampled_from([None, "And then?"]) | ANY_TEXT)  # fmt: skip
def test_words_are_never_changed_and_marks_stay_within_what_a_person_would_make(
    line: tuple[str, Lang], tone: Tone, cue: str, pace: int, energy: int, pitch: int, they: str | None
) -> None:
    text, lang = line
    reading = directed(text, lang, tone, cue, pace, energy, pitch, they=they)
    assert reading.text == text
    directions = [mark for mark in reading.marks if isinstance(mark, Direction)]
    assert sum(not mark.turns for mark in directions) <= 1
    assert sum(mark.turns for mark in directions) <= 1
    assert sum(isinstance(mark, Cue) for mark in reading.marks) <= 1
    assert sum(isinstance(mark, Pause) for mark in reading.marks) <= 2
    leant_on = [piece for piece in reading.pieces if isinstance(piece, Said) and piece.leant_on]
    assert len(leant_on) <= 1
    if size(text, lang) < SHORT[lang]:
        assert len(reading.marks) + len(leant_on) <= 1
    if any(mark.turns for mark in directions):
        heard = sum(isinstance(mark, Direction | Cue) for mark in reading.marks)
        assert size(text, lang) >= heard * SHORT[lang]
    if they is None:
        assert not any(isinstance(mark, Cue) for mark in reading.marks)


@pytest.mark.parametrize("tone", TONES)
def test_every_tone_opens_lines_of_both_languages(tone: str) -> None:
    for text, lang in LINES[:: len(LINES) // 40]:
        first = read(text, lang, tone).pieces[0]
        assert isinstance(first, Direction)
        assert first.text in getattr(shipped_directions().tones[tone], lang)


def test_shipped_lines_keep_their_words() -> None:
    for number, (text, lang) in enumerate(LINES[::6]):
        tone, cue = AXES.tone[number % len(AXES.tone)], CUES[number % len(CUES)]
        assert directed(text, lang, tone, cue, 0, 0, 0).text == text


@pytest.mark.parametrize(
    ("text", "lang", "tone", "cue", "wanted"),
    [
        ("I mended her clock for forty years. She never once paid. Still, the tea was good.",
         "en", "deadpan", "small-laugh",
         "I mended her clock for forty years. [small-laugh]She never once paid. Still, the tea was good."),
        ("I have told lies and coveted a coat, but that date was on the paper.", "en", "warm-plain", "sigh",
         "I have told lies and coveted a coat, [sigh]but that date was on the paper."),
        ("I have told lies and coveted a coat, but that date was on the paper.", "en", "warm-plain", "none",
         "I have told lies and coveted a coat, |{closer}but that date was on the paper."),
        ("Switch the boiler to manual. Read me what the dial says.", "en", "deadpan", "breath",
         "Switch the boiler to manual. [breath]Read me what the dial says."),
        ("Switch the boiler to manual. What does the dial say now?", "en", "deadpan", "breath",
         "Switch the boiler to manual. What does the dial say now?"),
        ("It tastes of pepper and then sort of cellar, in a good way.", "en", "deadpan", "hesitation",
         "It tastes of pepper and then [hesitation]sort of cellar, in a good way."),
        ("Chickpeas? Put the onion in slowly, then the rice.", "en", "deadpan", "soft-oh",
         "[soft-oh]Chickpeas? Put the onion in slowly, then the rice."),
        ("Put the onion in slowly, then the rice.", "en", "deadpan", "soft-oh",
         "Put the onion in slowly, then the rice."),
        ("Put the onion in slowly, then the rice.", "en", "deadpan", "mm-hum",
         "[mm-hum]Put the onion in slowly, then the rice."),
        ("Oh, put the onion in slowly, then the rice.", "en", "deadpan", "mm-hum",
         "Oh, put the onion in slowly, then the rice."),
        ("Ease off both pedals now. Look where you want to go.", "en", "deadpan", "small-laugh",
         "Ease off both pedals now. Look where you want to go."),
        ("I'll stay on the line. Look where you want to go.", "en", "deadpan", "small-laugh",
         "I'll stay on the line. Look where you want to go."),
        ("I couldn't say what they charge, love. Ask the boy.", "en", "deadpan", "hesitation",
         "[hesitation]I couldn't say what they charge, love. Ask the boy."),
        ("It asks for patience... and then a good deal of salt.", "en", "deadpan", "hesitation",
         "It asks for patience... [hesitation]and then a good deal of salt."),
        ("I write down my very f... first sentence every morning.", "en", "deadpan", "hesitation",
         "I write down my very f... |first sentence every morning."),
        ("The rice sat on the stove, and the lamp stayed lit.", "en", "deadpan", "hesitation",
         "The rice sat on the stove, and the lamp stayed lit."),
        ("They were friends of mine, though, you are quite right in that.", "en", "warm-plain", "none",
         "They were friends of mine, though, you are quite right in that."),
        ("我把“白牡丹”唱成过“白菜”。会唱的是羊倌，天黑才下山。", "zh", "deadpan", "small-laugh",
         "我把“白牡丹”唱成过“白菜”。[small-laugh]会唱的是羊倌，天黑才下山。"),
        ("没去过那么高的地方，吊灯的几个倒见过。", "zh", "deadpan", "hesitation",
         "[hesitation]没去过那么高的地方，吊灯的几个倒见过。"),
        ("I would go and look — the lamp is still lit.", "en", "deadpan", "none",
         "I would go and look — |the lamp is still lit."),
        ("That tap will never hold a winter like the last one.", "en", "brisk-clear", "none",
         "That tap will *never* hold a winter like the last one."),
        ("That tap will never hold a winter like the last one.", "en", "deadpan", "none",
         "That tap will never hold a winter like the last one."),
        ("汤我替你留着了，灶上小火，不过你得自己来端。", "zh", "deadpan", "tsk",
         "汤我替你留着了，灶上小火，[tsk]不过你得自己来端。"),
        ("汤我替你留着了，灶上小火，不过三分钟就好。", "zh", "deadpan", "tsk",
         "汤我替你留着了，灶上小火，不过三分钟就好。"),
        ("身份证在抽屉里头……您问的是胎。门框上好像贴着表。", "zh", "deadpan", "none",
         "身份证在抽屉里头……|您问的是胎。门框上好像贴着表。"),
        ("他那把椅子从来没挪过地方，你坐。", "zh", "firm-quiet", "none", "他那把椅子*从来*没挪过地方，你坐。"),
    ],
)  # fmt: skip
def test_marks_stand_where_a_director_puts_them(text: str, lang: Lang, tone: str, cue: str, wanted: str) -> None:
    reading = read(text, lang, tone, cue)
    opening = next(mark for mark in reading.marks if isinstance(mark, Direction))
    assert shown(reading).replace(f"{{{opening.text}}}", "", 1) == wanted


@pytest.mark.parametrize(("text", "lang"), [("The funeral is Monday. I shall wear the blue coat.", "en"),
                                            ("老孙头去世那年，桥还没修，话还没说完。", "zh")])  # fmt: skip
@pytest.mark.parametrize("cue", CUES)
def test_no_cue_stands_in_a_line_of_grief(text: str, lang: Lang, cue: str) -> None:
    assert not any(isinstance(mark, Cue) for mark in read(text, lang, "half-smile", cue).marks)


COMIC = "I am told by my aunt that perhaps I spoilt rice, but only the once. It walked out of the pot by itself."


def cues_in(text: str, cue: str, they: str | None, provoked: bool = False) -> list[str]:
    marks = read(text, cue=cue, they=they, provoked=provoked).marks
    return [mark.id for mark in marks if isinstance(mark, Cue)]


@pytest.mark.parametrize("cue", sorted({*CUES} - {"none"}))
def test_a_cue_answers_somebody_and_never_what_hurts(cue: str) -> None:
    text = "The rice? " + COMIC if cue == "soft-oh" else COMIC
    assert cues_in(text, cue, "Can you cook?") == [cue]
    for they in (None, "Could it be cancer?", "My car's sliding on this hill.", "The kitchen!"):
        assert cues_in(text, cue, they) == []
    assert cues_in(text, cue, "So you cannot cook?", provoked=True) == (
        [] if cue in {"small-laugh", "sigh", "mm-hum", "tsk"} else [cue]
    )


def test_a_thinking_hum_answers_a_question() -> None:
    assert cues_in(COMIC, "mm-hum", "Tell me a story.") == []


def test_a_slower_reading_pauses_longer() -> None:
    text = "I would go and look — the lamp is still lit."
    lengths = [
        sum(
            mark.ms for mark in directed(text, "en", TONES[STEADY], "none", pace, 0, 0).marks if isinstance(mark, Pause)
        )
        for pace in range(-2, 3)
    ]
    assert lengths == [240, 220, 200, 180, 160]


def test_a_tone_of_somebody_s_own_axes_is_read_without_an_opening() -> None:
    own = TONES[STEADY].model_copy(update={"id": "my-tone", "family": "mine"})
    text = "I mended her clock for forty years. She never once paid. Still, the tea was good."
    assert directed(text, "en", own, "none", 0, 0, 0).pieces == (Said(text),)


@pytest.mark.parametrize(
    ("text", "lang", "wanted"),
    [
        ("Dr. Ames and Mrs. Lowry. Mind the lids!", "en", ["Dr. Ames and Mrs. Lowry. ", "Mind the lids!"]),
        ('"Sit." He sat. J. B. Moss did not.', "en", ['"Sit." ', "He sat. ", "J. B. Moss did not."]),
        ("Well... Kasparian's. Who is it?", "en", ["Well... ", "Kasparian's. ", "Who is it?"]),
        ("先说哪里。再说几天？牛不说话！", "zh", ["先说哪里。", "再说几天？", "牛不说话！"]),
        ("他说：“行。”就走了。", "zh", ["他说：“行。”", "就走了。"]),
    ],
)
def test_sentences_end_where_they_are_heard_to(text: str, lang: Lang, wanted: list[str]) -> None:
    assert sentences(text, lang) == wanted


def test_a_line_is_read_differently_in_every_tone() -> None:
    text, lang = LINES[1]
    assert len({shown(read(text, lang, tone)) for tone in TONES}) == len(TONES)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('en: ["low, from the chest"', 'en: ["low and from the chest as in a church choir"', "tones.steady-low.en"),
        ('zh: ["再低一点"', 'zh: ["再低一点再低一点再低一点"', "families.calm.turn.zh"),
        ('en: "light sigh"', 'en: "(light sigh)"', "cues.sigh.en"),
        ("editx: Sigh", "editx: Sob", "cues.sigh.editx"),
        ("at: [told]", "at: [the-end]", "cues.breath.at"),
        ("provoked: true", "provoked: perhaps", "cues.breath.provoked"),
        ('zh: ["家常腔", "平常嗓子", "拉家常的口气"]', 'zh: ["家常腔"]', "tones.warm-plain.zh"),
        ("dash: 200", "dash: 20", "pauses.dash"),
        ("\npauses:", "\npausen:", "pausen"),
        ("turn: none}", "turn: never}", "turn"),
    ],
)
def test_a_fault_in_the_file_is_told_with_its_place(tmp_path: Path, old: str, new: str, field: str) -> None:
    text = (ROOT / "seeds" / "direction.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "direction.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidRecords) as refused:
        read_directions(path)
    assert any(field in fault.field and fault.line > 0 for fault in refused.value.faults)


def test_a_file_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    (tmp_path / "direction.yaml").write_text("tones: [", "utf-8")
    with pytest.raises(InvalidRecords, match="not valid YAML"):
        read_directions(tmp_path / "direction.yaml")
