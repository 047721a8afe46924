"""SSML 1.1, https://www.w3.org/TR/speech-synthesis11/: pace, pitch, volume, breaks and emphasis.

The steps are values that espeak-ng obeys as well (tests/test_speech.py measures them).  Directions have no element; a
cue leaves the pause it would take.  The text is escaped: what looks like markup in it is spoken.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from pipeline.config import content_root
from pipeline.direction import Cue, Pause, Reading, Said
from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.speaking_rate import stepped, usual_rate
from pipeline.readings.lines import LOCALE, reading_document

if TYPE_CHECKING:
    from lxml.etree import XMLSchema

NAMESPACE = "http://www.w3.org/2001/10/synthesis"
PITCH = {-2: "-4st", -1: "-2st", 1: "+2st", 2: "+4st"}  # two semitones are heard as higher, six as somebody else
VOLUME = {-2: "x-soft", -1: "soft", 1: "loud", 2: "x-loud"}
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no sound, and no place in XML 1.0


def ssml(reading: Reading, usual: float = 1.0) -> str:
    """An SSML 1.1 document; ``usual`` is the person's own speed against the synthesiser's."""
    rate = f"{stepped(usual, reading.pace):.0%}"
    spoken = prosody(rate, PITCH.get(reading.pitch), VOLUME.get(reading.energy), spoken_pieces(reading, emphasis=True))
    return f'<speak version="1.1" xmlns="{NAMESPACE}" xml:lang="{LOCALE[reading.lang]}">{spoken}</speak>'


def ssml_reading(persona: Persona) -> dict[str, Any]:
    """Greeting and exchanges as SSML documents; for Target.reading."""
    usual = usual_rate(persona.seed)
    return reading_document(persona, lambda reading: {"ssml": ssml(reading, usual)})


def ssml_faults(document: dict[str, Any]) -> list[Fault]:
    """Each document against schemas/ssml/; needs the package lxml."""
    return [
        Fault(f"{document['persona_id']} {line['line']}", 0, "ssml", problem, "Write what the schema has.")
        for line in document["lines"]
        for problem in ssml_problems(line["ssml"])
    ]


def ssml_problems(text: str) -> list[str]:
    """Why ``text`` is no SSML that we write; needs the package lxml."""
    from lxml import etree

    try:
        document = etree.fromstring(text, etree.XMLParser(resolve_entities=False))
    except (etree.XMLSyntaxError, ValueError) as error:  # ValueError: characters that XML does not have
        return [str(error)]
    return [] if (schema := _schema()).validate(document) else [error.message for error in schema.error_log]


@cache
def _schema() -> "XMLSchema":
    from lxml import etree

    return etree.XMLSchema(etree.parse(str(content_root() / "schemas" / "ssml" / "synthesis.xsd")))


def prosody(rate: str, pitch: str | None, volume: str | None, spoken: str) -> str:
    """``spoken`` at that rate, pitch and volume; what is the voice's own is left unsaid."""
    values = {"rate": rate, "pitch": pitch, "volume": volume}
    told = "".join(f" {name}={quoteattr(value)}" for name, value in values.items() if value is not None)
    return f"<prosody{told}>{spoken}</prosody>"


def spoken_pieces(reading: Reading, *, emphasis: bool) -> str:
    told = ""
    for piece in reading.pieces:
        if isinstance(piece, Said):
            text = escape(NOT_XML.sub("", piece.text))
            told += f'<emphasis level="moderate">{text}</emphasis>' if emphasis and piece.leant_on else text
        elif isinstance(piece, Pause):
            told += _break(piece.ms)
        elif isinstance(piece, Cue):
            told += _break(piece.pause_ms)
    return told


def _break(ms: int) -> str:
    return f'<break time="{ms}ms"/>'
