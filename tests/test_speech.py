"""espeak-ng itself, measured in the audio it gives."""

import sys
import wave
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.direction import directed
from pipeline.errors import UsageError
from pipeline.readings.ssml import ssml
from pipeline.seeds import Lang
from pipeline.speech import Sound, _espeak, spoken, write_wav
from tests.test_direction import TONES

LINE: dict[Lang, str] = {"en": "The kettle is warm and the door is open.", "zh": "水开了，门没锁，进来坐。"}
STEPS = range(-2, 3)


@cache
def said(pace: int = 0, energy: int = 0, pitch: int = 0, lang: Lang = "en", gender: str = "female") -> Sound:
    return spoken(ssml(directed(LINE[lang], lang, TONES["deadpan"], "none", pace, energy, pitch)), lang, gender)


def samples(sound: Sound) -> npt.NDArray[np.float64]:
    return np.frombuffer(sound.samples, "<i2").astype(float)


def seconds(sound: Sound) -> float:
    return len(sound.samples) / 2 / sound.rate


def loudness(sound: Sound) -> float:
    return float(np.sqrt(np.mean(samples(sound) ** 2)))


def fundamental(sound: Sound) -> float:
    """Median pitch in Hz, by autocorrelation over 50 ms: of 60 to 400 Hz the lag at which the sound is most like
    itself, in frames loud enough to be a vowel."""
    heard, width = samples(sound), sound.rate // 20
    found = []
    for frame in np.lib.stride_tricks.sliding_window_view(heard, width)[:: width // 2]:
        centred = frame - frame.mean()
        if np.sqrt(np.mean(centred**2)) < 0.5 * loudness(sound):
            continue
        alike = np.correlate(centred, centred, "full")[width - 1 :]
        shortest, longest = sound.rate // 400, sound.rate // 60
        lag = shortest + int(alike[shortest:longest].argmax())
        if alike[lag] > 0.5 * alike[0]:
            found.append(sound.rate / lag)
    return float(np.median(found))


def longest_silence(sound: Sound) -> float:
    """Seconds of the longest quiet stretch between sounds."""
    loud = np.flatnonzero(np.abs(samples(sound)) > 200)
    return float(np.diff(loud).max() / sound.rate)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_quicker_pace_takes_less_time_step_by_step(lang: Lang) -> None:
    lengths = [seconds(said(pace=step, lang=lang)) for step in STEPS]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] / lengths[2] == pytest.approx(1 / 0.67, rel=0.2)  # "about a third off"
    assert lengths[4] / lengths[2] == pytest.approx(1 / 1.33, rel=0.2)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_higher_pitch_is_heard_higher_step_by_step(lang: Lang) -> None:
    heard = [fundamental(said(pitch=step, lang=lang)) for step in STEPS]
    assert heard == sorted(heard)
    assert heard[4] / heard[0] > 1.15


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_more_energy_is_louder_step_by_step(lang: Lang) -> None:
    heard = [loudness(said(energy=step, lang=lang)) for step in STEPS]
    assert all(louder > 1.2 * softer for softer, louder in zip(heard, heard[1:], strict=False))


def test_a_dash_is_heard_as_a_pause() -> None:
    marked = ssml(directed("I would go and look — the lamp is still lit.", "en", TONES["deadpan"], "none", 0, 0, 0))
    assert '<break time="200ms"/>' in marked
    longer, plain = marked.replace("200ms", "800ms"), marked.replace('<break time="200ms"/>', "")
    silences = [longest_silence(spoken(text, "en", "male")) for text in (plain, marked, longer)]
    assert silences == sorted(silences)
    assert silences[2] - silences[1] == pytest.approx(0.6, abs=0.1)


def test_a_word_that_is_leant_on_is_heard() -> None:
    marked = ssml(directed("That tap will never hold a winter.", "en", TONES["brisk-clear"], "none", 0, 0, 0))
    plain = marked.replace('<emphasis level="moderate">', "").replace("</emphasis>", "")
    assert marked != plain
    assert loudness(spoken(marked, "en", "male")) > loudness(spoken(plain, "en", "male"))


def test_two_tones_of_one_persona_sound_different() -> None:
    def in_tone(name: str) -> Sound:
        tone = TONES[name]
        steps = (tone.implies.pace, tone.implies.energy, tone.implies.pitch)
        return spoken(ssml(directed(LINE["en"], "en", tone, "none", *steps)), "en", "female")

    bubbling, hushed = in_tone("excited-bubbling"), in_tone("tender-hushed")
    assert seconds(bubbling) < 0.8 * seconds(hushed)
    assert fundamental(bubbling) > 1.15 * fundamental(hushed)
    assert loudness(bubbling) > 2 * loudness(hushed)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_women_and_men_are_told_apart(lang: Lang) -> None:
    assert fundamental(said(lang=lang)) > 1.5 * fundamental(said(lang=lang, gender="male"))


@pytest.mark.parametrize("gender", [None, "nonbinary", "none"])
def test_somebody_of_no_told_gender_is_spoken_too(gender: str | None) -> None:
    assert seconds(spoken(ssml(directed("坐吧。", "zh", TONES["deadpan"], "none", 0, 0, 0)), "zh", gender)) > 0.3


def test_longer_chinese_takes_longer() -> None:
    lengths = [
        seconds(spoken(ssml(directed("水开了进来坐" * times, "zh", TONES["deadpan"], "none", 0, 0, 0)), "zh", "female"))
        for times in (1, 2, 4)
    ]
    assert lengths[1] > 1.5 * lengths[0]
    assert lengths[2] > 1.5 * lengths[1]


def test_markup_in_a_line_is_read_out_and_obeyed_nowhere() -> None:
    text = "Stop </speak><break time='5s'/> here."
    heard = spoken(ssml(directed(text, "en", TONES["deadpan"], "none", 0, 0, 0)), "en", "male")
    assert longest_silence(heard) < 2
    silent = spoken(ssml(directed("Stop here.", "en", TONES["deadpan"], "none", 0, 0, 0)), "en", "male")
    assert seconds(heard) > 1.5 * seconds(silent)


def test_a_wav_file_holds_the_sound(tmp_path: Path) -> None:
    write_wav(said(), tmp_path / "line.wav")
    with wave.open(str(tmp_path / "line.wav")) as stream:
        assert (stream.getnchannels(), stream.getsampwidth(), stream.getframerate()) == (1, 2, 22050)
        assert stream.readframes(stream.getnframes()) == said().samples


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    _espeak.cache_clear()
    with pytest.raises(UsageError, match=r"install persona-matrix\[voice\]"):
        spoken("<speak/>", "en", None)
