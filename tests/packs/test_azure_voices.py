import pytest

from pipeline.axes import Axes
from pipeline.packs.azure_voice_live import faults, session_update
from pipeline.packs.azure_voices import STYLES, STYLES_OF_FAMILY, VOICES, azure_voice, style_of
from pipeline.packs.persona import Persona
from pipeline.readings.preview import previewed
from pipeline.seeds import Seed
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona


def spoken(usual: str) -> Seed:
    seed = golden_seeds()[0]
    assert seed.voice is not None
    return seed.model_copy(update={"voice": seed.voice.model_copy(update={"pace": usual})})


@pytest.mark.parametrize(
    ("usual", "tone", "pace", "energy", "heard"),
    [
        ("medium", "clear-even", 0, 0, ("1.00", "+0%", "80")),
        ("medium", "clear-even", 1, 1, ("1.15", "+0%", "90")),
        ("slow", "steady-low", -1, -1, ("0.60", "-3%", "60")),
        ("very fast", "clear-even", 0, 0, ("1.20", "+0%", "80")),
    ],
)
def test_a_step_of_pace_pitch_or_energy_is_heard_and_not_shouted(
    usual: str, tone: str, pace: int, energy: int, heard: tuple[str, str, str]
) -> None:
    persona = golden_persona(seed=spoken(usual), tone=tone, pace=pace, energy=energy)
    voice = azure_voice(persona)
    assert (voice.rate, voice.pitch, voice.volume) == heard
    assert faults(session_update(persona)) == []


def test_nobody_speaks_faster_than_the_service_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Persona, "pace", 2)
    assert azure_voice(golden_persona(seed=spoken("very fast"))).rate == "1.50"


@pytest.mark.parametrize("tone", ["steady-low", "half-smile", "clear-even"])
@pytest.mark.parametrize("of", ["orla-keane", "shen-anbang"])
def test_a_preview_is_in_the_voice_and_style_of_the_session(of: str, tone: str) -> None:
    persona = golden_persona(of, golden_persona(of).seed.model_copy(update={"gender": "nonbinary"}), tone=tone)
    shown = previewed(persona, "1")["azure"]
    voice = session_update(persona)["session"]["voice"]
    assert f'<voice name="{voice["name"]}">' in shown
    assert f'rate="{voice["rate"]}" pitch="{voice["pitch"]}" volume="{voice["volume"]}"' in shown
    assert (f'style="{voice.get("style")}"' in shown) == ("style" in voice)


@pytest.mark.parametrize(
    ("tone", "voice", "style"),
    [
        ("warm-close", "en-US-JennyNeural", "friendly"),
        ("warm-close", "zh-CN-XiaohanNeural", "gentle"),
        ("warm-close", "zh-CN-YunjianNeural", None),
        ("grave-low", "en-US-SerenaMultilingualNeural", "serious"),
        ("grave-low", "en-US-AriaNeural", None),
        ("teasing-light", "en-US-AriaNeural", "cheerful"),
        ("mock-solemn", "en-US-AriaNeural", "chat"),
        ("brisk-clear", "zh-CN-XiaoxiaoNeural", None),
    ],
)
def test_a_tone_is_the_nearest_style_the_voice_has(axes: Axes, tone: str, voice: str, style: str | None) -> None:
    assert style_of(axes.tone[axes.codes["tone"][tone]], voice) == style


def test_every_family_of_tones_has_styles_and_so_has_every_voice(axes: Axes) -> None:
    assert {family.id for family in axes.families} == STYLES_OF_FAMILY.keys()
    assert {voice.id for voice in VOICES.voices} == STYLES.keys()
    wanted = set().union(*STYLES_OF_FAMILY.values())
    assert set().union(*STYLES.values()) == wanted
