"""Azure's neural voices: which of them speaks for a persona, in which style, and at what rate, pitch and volume.

A session of Voice Live takes them as fields, a reading as SSML; "follows the same rules as the attribute of the SSML
prosody element", says Voice Live of the last three, so both are given the same values.  No instruction reaches these
voices: what is not said here is not heard.
"""

from typing import NamedTuple

from pipeline.axes import Tone
from pipeline.packs.persona import Persona
from pipeline.packs.speaking_rate import speaking_rate
from pipeline.packs.voices import VendorVoice, VoiceTable

# Voices that can speak in styles.  Genders are the vendor's; ages of the Chinese voices are from their descriptions
# (Yunfeng 22 to 25, Xiaohan 27, Yunjian 30 to 35, Yunye 35 to 40, Yunze an older and Xiaorui a senior adult), those of
# the English ones are ours.  Timbres are the vendor's words for their personalities, in those of the seeds.
VOICES = VoiceTable(
    (
        VendorVoice("en-US-PhoebeMultilingualNeural", "female", "young", "en"),
        VendorVoice("en-US-JaneNeural", "female", "young", "en", ("bright", "light")),
        VendorVoice("en-US-AriaNeural", "female", "adult", "en", ("bright", "crisp", "clear")),
        VendorVoice("en-US-JennyNeural", "female", "adult", "en", ("warm", "soft", "friendly")),
        VendorVoice("en-US-SaraNeural", "female", "adult", "en", ("level", "even", "calm")),
        VendorVoice("en-GB-SoniaNeural", "female", "adult", "en"),
        VendorVoice("en-US-NancyNeural", "female", "middle", "en"),
        VendorVoice("en-US-SerenaMultilingualNeural", "female", "middle", "en", ("rich", "round", "smooth", "low")),
        VendorVoice("en-US-JasonNeural", "male", "young", "en"),
        VendorVoice("en-US-GuyNeural", "male", "adult", "en", ("light", "bright", "easy")),
        VendorVoice("en-GB-RyanNeural", "male", "adult", "en"),
        VendorVoice("en-US-DavisNeural", "male", "middle", "en", ("smooth", "soft", "low", "deep")),
        VendorVoice("en-US-TonyNeural", "male", "middle", "en"),
        VendorVoice("zh-CN-XiaoyiNeural", "female", "young", "zh", ("脆", "甜", "亮")),
        VendorVoice("zh-CN-XiaomoNeural", "female", "young", "zh"),
        VendorVoice("zh-CN-XiaoxiaoNeural", "female", "adult", "zh", ("暖", "软")),
        VendorVoice("zh-CN-XiaohanNeural", "female", "adult", "zh"),
        VendorVoice("zh-CN-XiaozhenNeural", "female", "middle", "zh"),
        VendorVoice("zh-CN-XiaoruiNeural", "female", "old", "zh"),
        VendorVoice("zh-CN-YunxiNeural", "male", "young", "zh", ("亮", "脆")),
        VendorVoice("zh-CN-YunfengNeural", "male", "young", "zh"),
        VendorVoice("zh-CN-YunjianNeural", "male", "adult", "zh"),
        VendorVoice("zh-CN-YunyeNeural", "male", "middle", "zh"),
        VendorVoice("zh-CN-YunzeNeural", "male", "old", "zh"),
    ),
    "https://learn.microsoft.com/azure/ai-services/speech-service/language-support?tabs=tts#voice-styles-and-roles",
)

# Of the styles that the vendor lists for each voice, those that a tone may call for.  One style lasts the whole
# session, so none is here that would be a mask after a minute: no anger, no terror, no whisper, no newsreader.
STYLES = {
    "en-US-PhoebeMultilingualNeural": ("empathetic", "serious"),
    "en-US-JaneNeural": ("cheerful", "excited", "friendly"),
    "en-US-AriaNeural": ("chat", "cheerful", "empathetic", "excited", "friendly"),
    "en-US-JennyNeural": ("chat", "cheerful", "excited", "friendly"),
    "en-US-SaraNeural": ("cheerful", "excited", "friendly"),
    "en-GB-SoniaNeural": ("cheerful",),
    "en-US-NancyNeural": ("cheerful", "excited", "friendly"),
    "en-US-SerenaMultilingualNeural": ("empathetic", "excited", "friendly", "serious"),
    "en-US-JasonNeural": ("cheerful", "excited", "friendly"),
    "en-US-GuyNeural": ("cheerful", "excited", "friendly"),
    "en-GB-RyanNeural": ("chat", "cheerful"),
    "en-US-DavisNeural": ("chat", "cheerful", "excited", "friendly"),
    "en-US-TonyNeural": ("cheerful", "excited", "friendly"),
    "zh-CN-XiaoyiNeural": ("cheerful", "gentle", "serious"),
    "zh-CN-XiaomoNeural": ("calm", "cheerful", "gentle", "serious"),
    "zh-CN-XiaoxiaoNeural": ("calm", "chat", "cheerful", "excited", "friendly", "gentle", "serious"),
    "zh-CN-XiaohanNeural": ("calm", "cheerful", "gentle", "serious"),
    "zh-CN-XiaozhenNeural": ("cheerful", "serious"),
    "zh-CN-XiaoruiNeural": ("calm",),
    "zh-CN-YunxiNeural": ("chat", "cheerful", "serious"),
    "zh-CN-YunfengNeural": ("cheerful", "serious"),
    "zh-CN-YunjianNeural": ("cheerful", "serious"),
    "zh-CN-YunyeNeural": ("calm", "cheerful", "serious"),
    "zh-CN-YunzeNeural": ("calm", "cheerful", "serious"),
}
# What a family of tones is called there, nearest first; a voice that has none of them speaks as it does by itself.
# Weariness and briskness are not styles of any voice: pace and energy carry them.
STYLES_OF_FAMILY = {
    "calm": ("calm", "gentle"),
    "warm": ("friendly", "gentle"),
    "tender": ("gentle", "empathetic"),
    "bright": ("cheerful", "friendly"),
    "playful": ("cheerful", "chat"),
    "wry": ("chat",),
    "brisk": (),
    "firm": ("serious",),
    "grave": ("serious",),
    "weary": ("calm",),
    "excited": ("excited", "cheerful"),
    "formal": ("serious",),
}
CHEERFUL_FROM = 35  # hundredths of valence; below it, a mock-solemn tone among the playful, "cheerful" is overdone

# Half a semitone, 3 %, is just heard; the two steps that a tone may go are one semitone.
PITCH_STEP = 3
# The scale goes from 0 to 100, which is the voice as it is: from 80 two steps up reach that and clip nothing, and if it
# is linear each is about 1 dB (20 log10 90/80), the least that is noticed.
USUAL_VOLUME, VOLUME_STEP = 80, 10
SLOWEST, FASTEST = 0.5, 1.5  # the range that Voice Live documents for a multiplier


class AzureVoice(NamedTuple):
    """``rate`` multiplies the voice's own, ``pitch`` is a change in per cent, ``volume`` is 0 to 100."""

    name: str
    style: str | None
    rate: str
    pitch: str
    volume: str


def azure_voice(persona: Persona) -> AzureVoice:
    """How ``persona`` sounds there, in a session and in a reading."""
    name = VOICES.choose(persona.seed)
    return AzureVoice(
        name,
        style_of(persona.tone, name),
        f"{min(max(speaking_rate(persona), SLOWEST), FASTEST):.2f}",
        f"{PITCH_STEP * persona.pitch:+d}%",
        str(USUAL_VOLUME + VOLUME_STEP * persona.energy),
    )


def style_of(tone: Tone, voice: str) -> str | None:
    """The voice's style nearest to the tone."""
    wanted = STYLES_OF_FAMILY.get(tone.family, ())
    fitting = [style for style in wanted if style != "cheerful" or tone.valence >= CHEERFUL_FROM]
    return next((style for style in fitting if style in STYLES[voice]), None)
