"""Azure's SSML, https://learn.microsoft.com/azure/ai-services/speech-service/speech-synthesis-markup-voice.

SSML 1.0 with a named voice, and mstts:express-as where that voice has a style near the tone.  A style that a voice
lacks is ignored by the service without a word, so none is written then.  Emphasis is left out: few voices have it.
"""

from typing import Any
from xml.sax.saxutils import quoteattr

from pipeline.direction import Reading
from pipeline.packs.azure_voices import AzureVoice, azure_voice
from pipeline.packs.persona import Persona
from pipeline.readings.lines import LOCALE, reading_document
from pipeline.readings.ssml import NAMESPACE, prosody, spoken_pieces

MSTTS = "https://www.w3.org/2001/mstts"


def azure_ssml(reading: Reading, voice: AzureVoice) -> str:
    """A document for ``voice``, which holds its rate, pitch and volume too."""
    spoken = prosody(voice.rate, voice.pitch, voice.volume, spoken_pieces(reading, emphasis=False))
    if voice.style is not None:
        spoken = f"<mstts:express-as style={quoteattr(voice.style)}>{spoken}</mstts:express-as>"
    return (
        f'<speak version="1.0" xmlns="{NAMESPACE}" xmlns:mstts="{MSTTS}" xml:lang="{LOCALE[reading.lang]}">'
        f"<voice name={quoteattr(voice.name)}>{spoken}</voice></speak>"
    )


def azure_reading(persona: Persona) -> dict[str, Any]:
    """Greeting and exchanges as SSML documents, in the voice of the persona's sessions; for Target.reading."""
    voice = azure_voice(persona)
    return reading_document(persona, lambda reading: {"ssml": azure_ssml(reading, voice)})
