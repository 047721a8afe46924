"""Step-Audio-EditX: sounds as tags in square brackets, https://github.com/stepfun-ai/Step-Audio-EditX.

Of the tags in its README the cues use those named in seeds/direction.yaml.  Directions, pauses and stress have no tag
(emotion and style are edits of a whole recording there).  Brackets of the line itself would be read as tags and
cannot be escaped; they become what they sound like: a dash in English, a comma in Chinese.
"""

from pipeline.direction import Cue, Reading, Said

BRACKETS = "[]［］﹇﹈"
SPOKEN = {"en": str.maketrans(BRACKETS, "–" * 6), "zh": str.maketrans(BRACKETS, "，" * 6)}


def editx(reading: Reading) -> str:
    """The line with its tags; of one without brackets of its own, the line itself once they are taken out."""
    told = ""
    for piece in reading.pieces:
        if isinstance(piece, Cue):
            told += f"[{piece.editx}] "
        elif isinstance(piece, Said):
            told += piece.text.translate(SPOKEN[reading.lang])
    return told
