"""StepAudio 2.5 TTS: marks in parentheses, which are not spoken, and one global instruction.

The request of POST /v1/audio/speech, https://platform.stepfun.com/docs/zh/api-reference/audio/create-audio: ``input``
of at most 1000 characters with inline directions in ( ) or （ ）; ``instruction`` of at most 200 (this model alone has
it); ``speed`` 0.5 to 2.  Parentheses cannot be escaped, so those of the line itself become what they sound like: a
dash in English, a comma in Chinese.  Pauses and stress have no mark; punctuation and the directions carry them.
"""

import re
from collections.abc import Iterator
from typing import Any

from pipeline.direction import Pause, Reading, Said, sentences
from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.speaking_rate import usual_rate
from pipeline.readings.editx import editx
from pipeline.readings.lines import reading_document
from pipeline.scene_parts import GAP
from pipeline.schema_check import schema_faults
from pipeline.seeds import Lang

MODEL = "stepaudio-2.5-tts"
LONGEST_INPUT = 1000
LONGEST_INSTRUCTION = 200
LONGEST_PART = 800  # of a line beyond LONGEST_INPUT; with the longest marks before it, still one input
BRACKETS = {"en": ("(", "; ", ") "), "zh": ("（", "；", "）")}
PARENTHESES = "()（）﹙﹚⁽⁾₍₎︵︶"  # and those that a normaliser makes parentheses of
SPOKEN = {"en": str.maketrans(PARENTHESES, "–" * 12), "zh": str.maketrans(PARENTHESES, "，" * 12)}


def stepaudio(reading: Reading) -> str:
    """The line with its marks; of one without parentheses of its own, the line itself once they are taken out."""
    return "".join(mark + text for mark, text in _marked(reading))


def stepaudio_requests(reading: Reading, voice: str, instruction: str, speed: float) -> list[dict[str, Any]]:
    """The requests that speak the line: one, unless it is longer than an input may be."""
    whole = stepaudio(reading)
    inputs = [whole] if len(whole) <= LONGEST_INPUT else _inputs(reading)
    told = {"instruction": instruction} if instruction else {}
    return [{"model": MODEL, "voice": voice, **told, "input": text, "speed": speed} for text in inputs]


def stepaudio_instruction(persona: Persona) -> str:
    """How the persona sounds throughout: the tone's direction, then pace and strength, as many whole sentences as fit.

    The words are those of the persona's scene.  How fast the person is of themselves is the request's ``speed``.
    """
    lang = persona.seed.lang
    told = [persona.part(name) for name in ("tone", "pace", "energy")]
    chosen = ""
    for sentence in sentences(GAP[lang].join(text for text in told if text), lang):
        if len((chosen + sentence).rstrip()) > LONGEST_INSTRUCTION:
            break
        chosen += sentence
    return chosen.rstrip()


def stepaudio_reading(persona: Persona, voice: str) -> dict[str, Any]:
    """Greeting and exchanges as requests to StepAudio 2.5 TTS in ``voice``, and as text for Step-Audio-EditX."""
    instruction, speed = stepaudio_instruction(persona), usual_rate(persona.seed)
    return reading_document(
        persona,
        lambda reading: {
            "requests": stepaudio_requests(reading, voice, instruction, speed),
            "editx": editx(reading),
        },
    )


def stepaudio_faults(document: dict[str, Any]) -> list[Fault]:
    """Each request against the closed schema in schemas/vendor/."""
    return [
        fault
        for line in document["lines"]
        for request in line["requests"]
        for fault in schema_faults("vendor/stepaudio-tts", request, f"{document['persona_id']} {line['line']}", 0)
    ]


def _inputs(reading: Reading) -> list[str]:
    """A line that is longer than an input may be in several; a mark stays with the words after it."""
    inputs = [""]
    for mark, text in _marked(reading):
        first, *rest = _cut(text, reading.lang)
        for part in (mark + first, *rest):
            if len(inputs[-1]) + len(part) > LONGEST_INPUT:
                inputs.append("")
            inputs[-1] += part
    return inputs


def _marked(reading: Reading) -> Iterator[tuple[str, str]]:
    """Words of the line and the mark before them; marks that stand together are one."""
    opening, between, closing = BRACKETS[reading.lang]
    waiting: list[str] = []
    for piece in reading.pieces:
        if isinstance(piece, Said):
            mark = opening + between.join(waiting) + closing if waiting else ""
            yield mark, piece.text.translate(SPOKEN[reading.lang])
            waiting = []
        elif not isinstance(piece, Pause):
            waiting.append(piece.text)


def _cut(text: str, lang: Lang) -> Iterator[str]:
    """After sentences; one that is too long after a word, or where there is none, anywhere."""
    for sentence in sentences(text, lang):
        yield from re.findall(rf"(?s).{{1,{LONGEST_PART}}}(?:(?<=\s)|$)|.{{{LONGEST_PART}}}", sentence)
