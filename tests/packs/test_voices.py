import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.packs.targets import TARGETS
from pipeline.packs.voices import BANDS, VendorVoice, VoiceTable
from pipeline.seeds import Seed
from tests.golden_content import golden_seeds

VENDORS = {
    name if voices is target.voices else f"{name} {model}": voices
    for name, target in TARGETS.items()
    for model in target.models
    if (voices := target.voices_of(model)) is not None
}
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)


def seed_of(seed_id: str, lang: str = "en", gender: str | None = None, band: str | None = None) -> Seed:
    record = golden_seeds()[0].model_dump(mode="json", by_alias=True)
    voice = None if band is None else record["voice"] | {"age_band": band}
    return Seed.model_validate_json(
        json.dumps(record | {"id": seed_id, "lang": lang, "gender": gender, "voice": voice})
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_shipped_seed_has_a_voice_of_its_language_and_gender(vendor: str, shipped_seeds: list[Seed]) -> None:
    voices = {voice.id: voice for voice in VENDORS[vendor].voices}
    for seed in shipped_seeds:
        voice = voices[VENDORS[vendor].choose(seed)]
        assert voice.lang in {"any", seed.lang}
        if seed.gender in {"female", "male"}:
            assert voice.gender in {"any", seed.gender}


@pytest.mark.parametrize("vendor", VENDORS)
def test_shipped_seeds_spread_over_the_vendor_s_voices(vendor: str, shipped_seeds: list[Seed]) -> None:
    chosen = {VENDORS[vendor].choose(seed) for seed in shipped_seeds}
    assert len(chosen) >= 0.8 * len(VENDORS[vendor].voices)


@pytest.mark.parametrize("vendor", VENDORS)
@given(seed_id=IDS, lang=st.sampled_from(["en", "zh"]), gender=st.sampled_from(["female", "male"]))
def test_the_voice_sounds_as_near_the_seed_s_age_as_the_vendor_has_one(
    vendor: str, seed_id: str, lang: str, gender: str
) -> None:
    bands = {voice.id: BANDS.index(voice.band) for voice in VENDORS[vendor].voices}
    fitting = [v for v in VENDORS[vendor].voices if v.lang in {"any", lang} and v.gender in {"any", gender}]
    for place, band in enumerate(BANDS):
        voice = VENDORS[vendor].choose(seed_of(seed_id, lang, gender, band))
        assert abs(bands[voice] - place) == min(abs(bands[other.id] - place) for other in fitting)


@pytest.mark.parametrize("vendor", VENDORS)
@given(seed_id=IDS)
def test_a_voice_stays_whatever_else_of_the_seed_is_rewritten(vendor: str, seed_id: str) -> None:
    seed = seed_of(seed_id, "en", "female", "adult")
    rewritten = seed.model_copy(update={"name": "Another Name", "life": "You moved.", "age": 33, "weight": 7.0})
    assert VENDORS[vendor].choose(seed) == VENDORS[vendor].choose(rewritten)


@pytest.mark.parametrize("gender", [None, "nonbinary", "none"])
@pytest.mark.parametrize("band", [None, "young"])
def test_a_seed_of_no_told_gender_may_get_any_voice(gender: str | None, band: str | None) -> None:
    voices = VoiceTable((VendorVoice("low", "male", "young"), VendorVoice("high", "female", "young")), "")
    chosen = {voices.choose(seed_of(f"seed-{number}", gender=gender, band=band)) for number in range(40)}
    assert chosen == {"low", "high"}


def test_the_choice_is_the_same_in_every_process() -> None:
    wanted = {"orla-keane": ("sage", "yingwennvsheng"), "shen-anbang": ("cedar", "ruyananshi")}
    vendors = [VENDORS["openai-realtime"], VENDORS["stepfun-realtime"]]
    assert {seed.id: tuple(voices.choose(seed) for voices in vendors) for seed in golden_seeds()} == wanted


def test_no_vendor_lists_a_voice_twice() -> None:
    for voices in VENDORS.values():
        ids = [voice.id for voice in voices.voices]
        assert sorted(set(ids)) == sorted(ids)
        assert {voice.band for voice in voices.voices} <= set(BANDS)
        assert {voice.gender for voice in voices.voices} <= {"female", "male", "any"}
