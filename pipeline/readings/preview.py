"""A line in every notation, side by side."""

from pipeline.packs.azure_voices import azure_voice
from pipeline.packs.persona import Persona
from pipeline.packs.speaking_rate import speaking_rate, usual_rate
from pipeline.readings.azure import azure_ssml
from pipeline.readings.editx import editx
from pipeline.readings.lines import spoken_line
from pipeline.readings.ssml import ssml
from pipeline.readings.stepaudio import stepaudio, stepaudio_instruction


def previewed(persona: Persona, line: str) -> dict[str, str]:
    """Notation to text, first the line as it is and what is said of the whole reading.

    Raises UsageError where the seed has no such line.
    """
    reading, usual = spoken_line(persona, line).reading, usual_rate(persona.seed)
    return {
        "text": reading.text,
        "instruction": stepaudio_instruction(persona),
        "prosody": f"usual speed {usual:g}; pace {reading.pace:+d}, energy {reading.energy:+d}, "
        f"pitch {reading.pitch:+d} against it: speed {speaking_rate(persona):g}",
        "stepaudio": stepaudio(reading),
        "editx": editx(reading),
        "ssml": ssml(reading, usual),
        "azure": azure_ssml(reading, azure_voice(persona)),
    }
