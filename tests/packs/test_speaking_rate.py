import re

import pytest

from pipeline.packs.openai_realtime import session_update
from pipeline.packs.speaking_rate import RATE_OF_STEPS, USUAL_RATE, speaking_rate, usual_rate
from pipeline.packs.targets import TARGETS
from pipeline.readings.preview import previewed
from pipeline.seeds import Seed
from tests.golden_content import golden_seeds
from tests.packs.personas import golden_persona

NOTICED = 0.05  # Quené 2007


def spoken(usual: str | None) -> Seed:
    seed = golden_seeds()[0]
    voice = None if usual is None or seed.voice is None else seed.voice.model_copy(update={"pace": usual})
    return seed.model_copy(update={"voice": voice})


@pytest.mark.parametrize(
    ("usual", "tone", "step", "rate"),
    [
        ("medium", "clear-even", 0, 1.0),
        ("medium", "clear-even", 1, 1.15),
        ("medium", "steady-low", -1, 0.67),
        ("slow", "clear-even", -1, 0.77),
        ("very fast", "clear-even", 1, 1.38),
        (None, "clear-even", 0, 1.0),
        (None, "steady-low", 0, 0.85),
    ],
)
def test_a_rate_is_the_person_s_usual_and_the_steps_of_tone_and_row(
    usual: str | None, tone: str, step: int, rate: float
) -> None:
    assert speaking_rate(golden_persona(seed=spoken(usual), tone=tone, pace=step)) == rate


@pytest.mark.parametrize("table", [USUAL_RATE, RATE_OF_STEPS])
def test_each_level_is_heard_to_be_quicker_than_the_one_before(table: dict[object, float]) -> None:
    rates = list(table.values())
    assert all(quicker / slower - 1 > NOTICED for slower, quicker in zip(rates, rates[1:], strict=False))


@pytest.mark.parametrize("usual", [*USUAL_RATE, None])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_session_and_a_reading_speak_at_one_rate(usual: str | None, step: int) -> None:
    persona = golden_persona(seed=spoken(usual), pace=step)
    shown = previewed(persona, "1")
    rate = speaking_rate(persona)
    assert f'rate="{rate:.0%}"' in shown["ssml"]
    assert re.findall(r"speed ([\d.]+)", shown["prosody"]) == [f"{usual_rate(persona.seed):g}", f"{rate:g}"]
    assert TARGETS["azure-voice-live"].export(persona, "")["session"]["voice"]["rate"] == f"{rate:.2f}"
    assert f'rate="{rate:.2f}"' in shown["azure"]


@pytest.mark.parametrize("usual", [*USUAL_RATE, None])
def test_a_model_that_is_told_the_steps_in_words_is_not_told_them_again_in_its_number(usual: str | None) -> None:
    quick, slow = (golden_persona(seed=spoken(usual), pace=step) for step in (1, -1))
    for persona in (quick, slow):
        assert session_update(persona)["session"]["audio"]["output"]["speed"] == usual_rate(persona.seed)
        spoken_at = TARGETS["doubao-realtime"].export(persona, "")["tts"]["audio_config"]["speech_rate"]
        assert spoken_at == round(100 * usual_rate(persona.seed)) - 100
