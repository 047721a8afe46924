"""The four notations: what they share, what is spoken, and what a vendor's form takes."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.direction import Cue, Direction, directed, shipped_directions
from pipeline.errors import UsageError
from pipeline.packs.azure_voices import AzureVoice
from pipeline.packs.persona import Persona
from pipeline.packs.speaking_rate import USUAL_RATE
from pipeline.readings import editx as editx_module
from pipeline.readings import stepaudio as stepaudio_module
from pipeline.readings.azure import azure_reading, azure_ssml
from pipeline.readings.editx import editx
from pipeline.readings.lines import spoken_line
from pipeline.readings.preview import previewed
from pipeline.readings.ssml import ssml, ssml_faults, ssml_problems, ssml_reading
from pipeline.readings.stepaudio import (
    LONGEST_INPUT,
    stepaudio,
    stepaudio_faults,
    stepaudio_instruction,
    stepaudio_reading,
    stepaudio_requests,
)
from pipeline.seeds import Lang, Seed
from tests.packs.personas import golden_persona
from tests.test_direction import ANY_LINE, AXES, CUES, STEP, TONES

EDITX_TAGS = {
    "Breathing", "Laughter", "Uhm", "Sigh", "Surprise-oh", "Surprise-ah", "Surprise-wa", "Confirmation-en",
    "Question-ei", "Dissatisfaction-hnn",
}  # fmt: skip
HOSTILE = [
    "Stop (shouting) at me [Laughter] </speak><break time='9s'/> & go.",
    "你别闹（笑）了，[Laughter]（压低声音）</prosody>走吧<audio src='x'/>。",
    "]]> <!-- ((nested)) [[ph@n]] &lt; &amp;amp; ﹙small﹚ ［wide］",
]
AZURE = {
    "en": AzureVoice("en-US-AriaNeural", "cheerful", "1.15", "+3%", "90"),
    "zh": AzureVoice("zh-CN-YunxiNeural", None, "1.00", "+0%", "80"),
}
PERSONAS = ["orla-keane", "shen-anbang"]
Document = dict[str, Any]
tone_of = st.sampled_from(AXES.tone)


def spoken(document: str) -> str:
    return "".join(ElementTree.fromstring(document).itertext())


def without_parentheses(text: str, lang: str) -> str:
    return re.sub(r"\([^()]*\) ", "", text) if lang == "en" else re.sub("（[^（）]*）", "", text)


@given(line=ANY_LINE, tone=tone_of, cue=st.sampled_from(CUES), pace=STEP, energy=STEP, pitch=STEP)
def test_without_its_marks_every_notation_gives_the_words_back(
    line: tuple[str, Lang], tone: Any, cue: str, pace: int, energy: int, pitch: int
) -> None:
    text, lang = line
    reading = directed(text, lang, tone, cue, pace, energy, pitch)
    heard = "".join(character for character in text if character not in "\ufffe\uffff")
    assert spoken(ssml(reading)) == heard
    assert spoken(azure_ssml(reading, AZURE[lang])) == heard
    assert without_parentheses(stepaudio(reading), lang) == text.translate(stepaudio_module.SPOKEN[lang])
    tagless = re.sub(rf"\[(?:{'|'.join(EDITX_TAGS)})\] ", "", editx(reading))
    assert tagless == text.translate(editx_module.SPOKEN[lang])


@pytest.mark.parametrize(
    ("text", "lang"), [(HOSTILE[0], "en"), (HOSTILE[0], "zh"), (HOSTILE[1], "zh"), (HOSTILE[2], "en")]
)
def test_what_looks_like_a_mark_in_a_line_never_is_one(text: str, lang: Lang) -> None:
    reading = directed(text, lang, TONES["steady-low"], "mm-hum", 1, 1, 1, they="Which?")
    assert spoken(ssml(reading)) == spoken(azure_ssml(reading, AZURE[lang])) == text
    assert ssml_problems(ssml(reading)) == ssml_problems(azure_ssml(reading, AZURE[lang])) == []
    assert "9s" not in {element.get("time") for element in ElementTree.fromstring(ssml(reading)).iter()}

    ours = [mark.text for mark in reading.marks if isinstance(mark, Direction | Cue)]
    assert len(re.findall(r"[（(]", stepaudio(reading))) == 1  # the hum and the opening, together
    assert stepaudio(reading)[1:].startswith(ours[0])
    tags = [mark.editx for mark in reading.marks if isinstance(mark, Cue)]
    assert re.findall(r"\[(.*?)\]", editx(reading)) == tags == ["Confirmation-en"]
    assert "Laughter" not in tags
    words = re.findall(r"\w+", text)
    assert [word for word in re.findall(r"\w+", without_parentheses(stepaudio(reading), lang))] == words


@pytest.mark.parametrize(("brackets", "taken"), [("()", stepaudio_module.PARENTHESES), ("[]", editx_module.BRACKETS)])
def test_every_character_that_may_be_normalised_to_a_bracket_is_taken_out(brackets: str, taken: str) -> None:
    alike = {
        chr(code) for code in range(0x110000) if unicodedata.normalize("NFKC", chr(code)) in set(brackets)
    }  # fmt: skip
    assert alike <= set(taken)


def test_stepaudio_writes_a_line_as_its_vendor_s_sample_does() -> None:
    en = directed("I have told lies and coveted a coat, but that date was on the paper.", "en",
                  TONES["warm-plain"], "none", 0, 0, 0)  # fmt: skip
    assert stepaudio(en) == (
        "(everyday voice) I have told lies and coveted a coat, (closer) but that date was on the paper."
    )
    zh = directed("那锅汤你替我端走，趁热喝。", "zh", TONES["half-smile"], "mm-hum", 0, 0, 0, they="汤呢？")
    smile = "|".join(shipped_directions().tones["half-smile"].zh)
    assert re.fullmatch(f"（短短“嗯”一声；({smile})）那锅汤你替我端走，趁热喝。", stepaudio(zh))


@pytest.mark.parametrize("cue", sorted(set(CUES) - {"none"}))
def test_editx_writes_only_tags_that_its_readme_lists(cue: str) -> None:
    assert shipped_directions().cues[cue].editx in EDITX_TAGS
    text = "I would say of my own rice, perhaps an hour, but soak them. Then salt goes in at the end."
    asked = "Is it chickpeas you mean? " if cue == "soft-oh" else ""
    marked = editx(directed(asked + text, "en", TONES["warm-plain"], cue, 0, 0, 0, they="How long?"))
    assert f"[{shipped_directions().cues[cue].editx}] " in marked


@pytest.mark.parametrize(
    ("steps", "attributes"),
    [
        ((0, 0, 0), {"rate": "100%"}),
        ((-2, -2, -2), {"rate": "67%", "volume": "x-soft", "pitch": "-4st"}),
        ((1, -1, 1), {"rate": "115%", "volume": "soft", "pitch": "+2st"}),
        ((2, 2, 2), {"rate": "133%", "volume": "x-loud", "pitch": "+4st"}),
    ],
)
def test_ssml_says_the_steps_as_prosody(steps: tuple[int, int, int], attributes: dict[str, str]) -> None:
    root = ElementTree.fromstring(ssml(directed("Sit down.", "en", TONES["deadpan"], "none", *steps)))
    (prosody,) = root
    assert prosody.attrib == attributes
    assert root.attrib == {"version": "1.1", "{http://www.w3.org/XML/1998/namespace}lang": "en-US"}


def test_somebody_slow_of_themselves_is_slow_in_ssml_and_for_stepaudio() -> None:
    reading = directed("坐吧。", "zh", TONES["deadpan"], "none", -1, 0, 0)
    assert 'rate="68%"' in ssml(reading, USUAL_RATE["very slow"])
    (request,) = stepaudio_requests(reading, "v", "慢一点。", USUAL_RATE["very slow"])
    assert request["speed"] == 0.8


def test_azure_s_voice_is_written_with_all_that_it_has() -> None:
    reading = directed("Sit down.", "en", TONES["deadpan"], "none", 0, 0, 0)
    assert azure_ssml(reading, AZURE["en"]).split(">", 1)[1] == (
        '<voice name="en-US-AriaNeural"><mstts:express-as style="cheerful">'
        '<prosody rate="1.15" pitch="+3%" volume="90">Sit down.</prosody></mstts:express-as></voice></speak>'
    )
    assert "express-as" not in azure_ssml(reading, AZURE["zh"])


def long_line(sentence: str, lang: Lang) -> Any:
    text = sentence * (1900 // len(sentence))
    return directed(text, lang, TONES["warm-plain"], "breath", 0, 0, 0)


@pytest.mark.parametrize(
    ("sentence", "lang"),
    [
        ("The kettle is on and the door is open. ", "en"),
        ("水开了，门没锁，进来坐。", "zh"),
        ("word ", "en"),
        ("字", "zh"),
    ],
)
def test_a_line_longer_than_an_input_becomes_several_and_loses_nothing(sentence: str, lang: Lang) -> None:
    reading = long_line(sentence, lang)
    requests = stepaudio_requests(reading, "linjiajiejie", "", 1.0)
    assert len(requests) > 1
    assert all(len(request["input"]) <= LONGEST_INPUT and "instruction" not in request for request in requests)
    assert "".join(request["input"] for request in requests) == stepaudio(reading)
    if len(sentence) > 5:
        assert all(request["input"].rstrip()[-1] in ".。" for request in requests)


@pytest.mark.parametrize("of", PERSONAS)
@pytest.mark.parametrize(("pace", "energy"), [("usual", "usual"), ("slower", "stronger"), ("quicker", "softer")])
def test_the_instruction_is_whole_sentences_of_the_scene(of: str, pace: str, energy: str) -> None:
    persona = golden_persona(of, pace=pace, energy=energy)
    told = stepaudio_instruction(persona)
    assert 0 < len(told) <= 200
    assert told[-1] in ".。"
    assert told in " ".join(persona.parts.values()) or told in persona.scene.replace("\n", " ")


def test_an_instruction_that_would_be_too_long_ends_with_a_sentence_before() -> None:
    parts = {"tone": "Low. " + "x" * 200 + ".", "pace": "Go slower.", "energy": ""}
    assert stepaudio_instruction(replace(golden_persona(), shortened=parts)) == "Low."


@pytest.mark.parametrize("of", PERSONAS)
def test_a_persona_s_reading_has_its_greeting_and_exchanges(of: str) -> None:
    persona = golden_persona(of)
    seed = persona.seed
    wanted = [("greeting", seed.greeting)] + [(str(n), e.you) for n, e in enumerate(seed.exchanges, 1)]
    for document in (stepaudio_reading(persona, "linjiajiejie"), ssml_reading(persona), azure_reading(persona)):
        assert document["persona_id"] == persona.id
        assert [(line["line"], line["text"]) for line in document["lines"]] == wanted
    assert stepaudio_faults(stepaudio_reading(persona, "linjiajiejie")) == []
    assert ssml_faults(ssml_reading(persona)) == []
    assert ssml_faults(azure_reading(persona)) == []


def test_a_greeting_in_an_emergency_does_not_open_with_a_smile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Persona, "tone", TONES["warm-sunny"])
    company, emergency = (
        stepaudio(spoken_line(golden_persona(domain=domain), "greeting").reading)
        for domain in ("companionship", "emergencies")
    )
    assert company.startswith("(")
    assert emergency == golden_persona().seed.greeting


def test_a_seed_without_lines_has_an_empty_reading_and_nothing_to_preview() -> None:
    seed: Seed = golden_persona().seed.model_copy(update={"greeting": None, "exchanges": (), "voice": None})
    persona: Persona = golden_persona(seed=seed)
    assert stepaudio_reading(persona, "v")["lines"] == []
    with pytest.raises(UsageError, match="has no line greeting; it has none"):
        spoken_line(persona, "greeting")


@pytest.mark.parametrize("of", PERSONAS)
def test_a_preview_shows_every_notation(of: str) -> None:
    shown = previewed(golden_persona(of), "1")
    assert list(shown) == ["text", "instruction", "prosody", "stepaudio", "editx", "ssml", "azure"]
    assert all(shown.values())
    assert ssml_problems(shown["ssml"]) == ssml_problems(shown["azure"]) == []


def longer(request: Document) -> None:
    request["input"] = "x" * 1001


def wordier(request: Document) -> None:
    request["instruction"] = "慢" * 201


def hastier(request: Document) -> None:
    request["speed"] = 2.1


def other_model(request: Document) -> None:
    request["model"] = "step-tts-2"


def labelled(request: Document) -> None:
    request["voice_label"] = {"emotion": "高兴"}


@pytest.mark.parametrize(
    ("harm", "field"),
    [
        (longer, "input"),
        (wordier, "instruction"),
        (hastier, "speed"),
        (other_model, "model"),
        (labelled, "voice_label"),
    ],
)
def test_a_request_the_vendor_does_not_document_is_refused(harm: Callable[[Document], None], field: str) -> None:
    document = stepaudio_reading(golden_persona(), "linjiajiejie")
    harm(document["lines"][0]["requests"][0])
    (fault,) = stepaudio_faults(document)
    assert field in str(fault)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version="1.1"', 'version="2.0"'),
        (' xml:lang="en-US"', ""),
        ('xmlns="http://www.w3.org/2001/10/synthesis"', 'xmlns="http://www.w3.org/2001/10/synthesi"'),
        ('rate="', 'rate="very '),
        ("</prosody>", '<break time="soon"/></prosody>'),
        ("</prosody>", "<shout/></prosody>"),
        ("</prosody>", '<emphasis level="loud">x</emphasis></prosody>'),
        ("</prosody>", ""),
        ("</speak>", "</speak>x"),
    ],
)
def test_ssml_that_is_harmed_is_refused(old: str, new: str) -> None:
    good = ssml(directed("Sit down.", "en", TONES["deadpan"], "none", 1, 1, 1))
    assert ssml_problems(good) == []
    assert old in good
    assert ssml_problems(good.replace(old, new, 1)) != []
