"""A line in every notation, side by side."""

from pipeline.packs.persona import Persona
from pipeline.readings.azure import azure_ssml
from pipeline.readings.editx import editx
from pipeline.readings.lines import spoken_line, usual_speed
from pipeline.readings.ssml import ssml
from pipeline.readings.stepaudio import stepaudio, stepaudio_instruction

# Azure's voices that have most styles, to show one.
AZURE_VOICE = {
    ("en", "male"): "en-US-DavisNeural", ("en", "female"): "en-US-AriaNeural",
    ("zh", "male"): "zh-CN-YunxiNeural", ("zh", "female"): "zh-CN-XiaoxiaoNeural",
}  # fmt: skip


def previewed(persona: Persona, line: str) -> dict[str, str]:
    """Notation to text, first the line as it is and what is said of the whole reading.

    Raises UsageError where the seed has no such line.
    """
    seed, reading = persona.seed, spoken_line(persona, line).reading
    usual = usual_speed(seed)
    voice = AZURE_VOICE[seed.lang, "male" if seed.gender == "male" else "female"]
    return {
        "text": reading.text,
        "instruction": stepaudio_instruction(persona),
        "prosody": f"usual speed {usual:g}; pace {reading.pace:+d}, energy {reading.energy:+d}, "
        f"pitch {reading.pitch:+d} against it",
        "stepaudio": stepaudio(reading),
        "editx": editx(reading),
        "ssml": ssml(reading, usual),
        "azure": azure_ssml(reading, voice, usual),
    }
