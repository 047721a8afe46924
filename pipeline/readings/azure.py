"""Azure's SSML, https://learn.microsoft.com/azure/ai-services/speech-service/speech-synthesis-markup-voice.

SSML 1.0 with a named voice, and mstts:express-as where that voice has a style near the tone's family.  A style that a
voice lacks is ignored by the service without a word, so none is written then.  Emphasis is left out: few voices have
it.  Rates are relative there.
"""

from typing import Any
from xml.sax.saxutils import quoteattr

from pipeline.direction import Reading
from pipeline.packs.persona import Persona
from pipeline.readings.lines import LOCALE, reading_document, usual_speed
from pipeline.readings.ssml import NAMESPACE, RATE, prosody, spoken_pieces

MSTTS = "https://www.w3.org/2001/mstts"
# Styles near a family of tones, the nearest first.
STYLES_OF_FAMILY = {
    "calm": ("calm", "narration-relaxed"),
    "warm": ("friendly", "affectionate"),
    "tender": ("gentle", "whispering", "empathetic"),
    "bright": ("cheerful", "hopeful"),
    "playful": ("cheerful", "chat"),
    "wry": ("chat", "chat-casual"),
    "brisk": ("customerservice", "assistant"),
    "firm": ("serious",),  # never "unfriendly": one can be firm and kind
    "grave": ("serious", "sad"),
    "weary": ("depressed", "sad"),
    "excited": ("excited", "cheerful"),
    "formal": ("narration-professional", "newscast-formal", "newscast"),
}
# Of the table "Voice styles and roles", language-support?tabs=tts; other voices are spoken in their own style.
STYLES_OF_VOICE = {
    "en-US-AriaNeural": frozenset(
        "angry chat cheerful customerservice empathetic excited friendly hopeful narration-professional "
        "newscast-casual newscast-formal sad shouting terrified unfriendly whispering".split()
    ),
    "en-US-DavisNeural": frozenset(
        "angry chat cheerful excited friendly hopeful sad shouting terrified unfriendly whispering".split()
    ),
    "zh-CN-XiaoxiaoNeural": frozenset(
        "affectionate angry assistant calm chat chat-casual cheerful customerservice disgruntled fearful friendly "
        "gentle lyrical newscast poetry-reading sad serious sorry".split()
    ),
    "zh-CN-YunxiNeural": frozenset(
        "angry assistant chat cheerful depressed disgruntled embarrassed fearful narration-relaxed newscast sad "
        "serious".split()
    ),
}


def azure_ssml(reading: Reading, voice: str, usual: float = 1.0) -> str:
    """A document for the voice of that name; ``usual`` is the person's own speed against the voice's."""
    rate = f"{round(100 * usual * RATE[reading.pace]) - 100:+d}%"
    spoken = prosody(reading, rate, spoken_pieces(reading, emphasis=False))
    style = azure_style(reading.family, voice)
    if style is not None:
        spoken = f"<mstts:express-as style={quoteattr(style)}>{spoken}</mstts:express-as>"
    return (
        f'<speak version="1.0" xmlns="{NAMESPACE}" xmlns:mstts="{MSTTS}" xml:lang="{LOCALE[reading.lang]}">'
        f"<voice name={quoteattr(voice)}>{spoken}</voice></speak>"
    )


def azure_style(family: str, voice: str) -> str | None:
    """The style nearest to a family of tones that the voice has."""
    has = STYLES_OF_VOICE.get(voice, frozenset())
    return next((style for style in STYLES_OF_FAMILY.get(family, ()) if style in has), None)


def azure_reading(persona: Persona, voice: str) -> dict[str, Any]:
    """Greeting and exchanges as SSML documents for ``voice``; for Target.reading."""
    usual = usual_speed(persona.seed)
    return reading_document(persona, lambda reading: {"ssml": azure_ssml(reading, voice, usual)})
