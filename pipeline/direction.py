"""A line as a directed reading: the same words, with marks where a director would put them.

What may be marked, in which words, and where it may stand is data, ``seeds/direction.yaml``.  A reading knows no
notation; ``pipeline.readings`` writes it as StepAudio's parentheses, as Step-Audio-EditX tags, as SSML.

Never more marks than a person would make: a line has at most one opening direction, one cue, one turn, one word leant
on and two pauses; one of fewer than SHORT words has one mark at all, and a turn needs SHORT words for every mark before
it and as many for itself.  A cue answers somebody, and never what hurts: none stands in a greeting, after a cry, or
where either side speaks of grief, illness or danger.
"""

import re
from collections.abc import Iterator
from functools import cache, cached_property, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from zlib import crc32

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline.axes import Tone
from pipeline.config import content_root
from pipeline.errors import Fault, InvalidRecords
from pipeline.schema_check import field_name
from pipeline.seeds import Lang
from pipeline.yaml_files import YamlFile

Place = Literal["answer", "echo", "own", "unsure", "contrast", "hesitant", "choice", "told", "last"]
EditxTag = Literal[
    "Breathing", "Laughter", "Uhm", "Sigh", "Surprise-oh", "Surprise-ah", "Surprise-wa", "Confirmation-en",
    "Question-ei", "Dissatisfaction-hnn",
]  # fmt: skip
Milliseconds = Annotated[int, Field(ge=50, le=2000)]

LONGEST_MARK = {"en": 8, "zh": 8}  # words, characters
SHORT = {"en": 6, "zh": 10}  # words, characters: about two seconds of speech
AHEAD = {"en": 20, "zh": 7}  # characters before a mark in mid-line, lest it tread on the opening
BEHIND = {"en": 8, "zh": 4}  # and after it, lest it hang in the air
MOST_PAUSES = 2


def _in_english(text: str) -> str:
    return _mark(text, len(text.split()), LONGEST_MARK["en"], "words")


def _in_chinese(text: str) -> str:
    return _mark(text, sum(character.isalnum() for character in text), LONGEST_MARK["zh"], "characters")


def _mark(text: str, size: int, longest: int, unit: str) -> str:
    if not 0 < size <= longest:
        raise ValueError(f"{text!r} has {size} {unit}; a mark has 1 to {longest}")
    if re.search(r"[()（）\[\]<>&]", text):
        raise ValueError(f"{text!r}: a mark is written without the brackets of a notation")
    return text


English = Annotated[str, AfterValidator(_in_english)]
Chinese = Annotated[str, AfterValidator(_in_chinese)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Worded(_Part):
    """An instruction that can be heard, in several phrasings a language; a line takes one, always the same."""

    en: tuple[English, ...] = Field(min_length=2)
    zh: tuple[Chinese, ...] = Field(min_length=2)

    def phrased(self, lang: Lang, choice: int) -> str:
        phrasings: tuple[str, ...] = getattr(self, lang)
        return phrasings[choice % len(phrasings)]


class Turn(Worded):
    """What the voice does where the mood turns."""

    at: tuple[Place, ...] = Field(min_length=1, description="Places in the order in which they are tried.")


class FamilyDirection(_Part):
    turn: Turn
    leans: bool = Field(description="Whether the voice leans on a word.")


class ToneDirection(Worded):
    turn: Turn | Literal["none"] | None = Field(None, description="Its own turn, none, or (left out) the family's.")


class Withheld(_Part):
    """Where a tone is not marked, since a reading that obeyed the mark would be out of place."""

    domains: tuple[str, ...] = Field(min_length=1)
    families: tuple[str, ...] = ()
    tags: tuple[str, ...] = Field((), description="Of tones, as in seeds/axes/tone.yaml.")
    reason: str = Field(min_length=1)

    def holds(self, tone: Tone, domain: str | None) -> bool:
        return domain in self.domains and (tone.family in self.families or not {*self.tags}.isdisjoint(tone.tags))


class CueDirection(_Part):
    at: tuple[Place, ...] = Field(min_length=1, description="Places in the order in which they are tried.")
    provoked: bool = Field(description="Whether it may follow a provocation.")
    en: English
    zh: Chinese
    editx: EditxTag
    pause_ms: Milliseconds = Field(description="What is left of it where a notation has no such sound.")


class Pauses(_Part):
    """Added to what a synthesiser makes of the punctuation by itself."""

    dash: Milliseconds
    ellipsis: Milliseconds
    turn: Milliseconds


class Words(_Part):
    contrast: tuple[str, ...] = Field(min_length=1, description="They open a clause that goes the other way.")
    choice: tuple[str, ...] = Field(min_length=1, description="They come before a word that is being chosen.")
    leaning: tuple[str, ...] = Field(min_length=1, description="Words the voice may lean on.")
    own: tuple[str, ...] = Field(min_length=1, description="The speaker's words for themselves.")
    earnest: tuple[str, ...] = Field(min_length=1, description="With one of these, a sentence is no joke on oneself.")
    unsure: tuple[str, ...] = Field(min_length=1, description="They own to not knowing.")
    sounds: tuple[str, ...] = Field(min_length=1, description="Where a line opens with one, it is given no second.")
    hurt: tuple[str, ...] = Field(min_length=1, description="A line that has one, or answers one, gets no cue.")


class BilingualWords(_Part):
    en: Words
    zh: Words


class Directions(_Part):
    """``seeds/direction.yaml``."""

    families: dict[str, FamilyDirection]
    tones: dict[str, ToneDirection]
    withheld: tuple[Withheld, ...]
    cues: dict[str, CueDirection]
    pauses: Pauses
    words: BilingualWords

    def opening(self, tone: Tone, domain: str | None) -> ToneDirection | None:
        return None if self._withholds(tone, domain) else self.tones.get(tone.id)

    def turn(self, tone: Tone, domain: str | None) -> Turn | None:
        if self._withholds(tone, domain):
            return None
        own = self.tones[tone.id].turn if tone.id in self.tones else None
        if own == "none":
            return None
        if own is not None:
            return own
        return self.families[tone.family].turn if tone.family in self.families else None

    def _withholds(self, tone: Tone, domain: str | None) -> bool:
        return any(each.holds(tone, domain) for each in self.withheld)

    def leans(self, tone: Tone) -> bool:
        return tone.family in self.families and self.families[tone.family].leans


def read_directions(path: Path) -> Directions:
    """Raises InvalidRecords with every fault of the file."""
    faults: list[Fault] = []
    file = YamlFile(path, faults)
    if not faults:
        try:
            return Directions.model_validate(file.document)
        except ValidationError as error:
            faults += [
                Fault(file.file, file.line(e["loc"]), field_name(e["loc"]), e["msg"], "Its head says what it holds.")
                for e in error.errors()
            ]
    raise InvalidRecords(faults)


@cache
def shipped_directions() -> Directions:
    return read_directions(content_root() / "seeds" / "direction.yaml")


class Said(NamedTuple):
    """Words of the line, as they stand in it."""

    text: str
    leant_on: bool = False


class Direction(NamedTuple):
    """An instruction on how the rest is said; ``turns`` where the mood changes in mid-line."""

    text: str
    turns: bool = False


class Cue(NamedTuple):
    """A sound that is no word: a level of the axis cue."""

    id: str
    text: str
    editx: EditxTag
    pause_ms: int


class Pause(NamedTuple):
    ms: int


Mark = Direction | Cue | Pause
Piece = Said | Mark


class Reading(NamedTuple):
    """A line with its marks.  pace, energy and pitch are steps against the speaker's own usual, -2 to 2."""

    lang: Lang
    family: str
    pace: int
    energy: int
    pitch: int
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The line as it was before."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Said))

    @property
    def marks(self) -> list[Mark]:
        return [piece for piece in self.pieces if not isinstance(piece, Said)]


def directed(
    text: str,
    lang: Lang,
    tone: Tone,
    cue: str,
    pace: int,
    energy: int,
    pitch: int,
    *,
    domain: str | None = None,
    they: str | None = None,
    provoked: bool = False,
) -> Reading:
    """``text`` as it is read in ``tone``, with the cue of that level where the line has a place for one.

    ``domain``: where the talk takes place, which may withhold marks.  ``they``: what the other party has just said;
    None where nobody has spoken yet.  ``provoked``: whether that was a provocation.  A tone of somebody's own axes,
    which seeds/direction.yaml does not know, has no opening direction.
    """
    known, line = shipped_directions(), _line(text, lang, they)
    choice = crc32(text.encode("utf-8", "surrogatepass"))

    marks: dict[int, list[Mark]] = {}
    opening = known.opening(tone, domain)
    if opening is not None:
        marks[0] = [Direction(opening.phrased(lang, choice))]

    sound = known.cues.get(cue)
    if (
        sound is not None
        and (sound.provoked or not provoked)
        and line.size >= len(marks) * SHORT[lang]
        and line.may_sound
    ):
        place = line.find(sound.at)
        if place is not None:
            heard = Cue(cue, getattr(sound, lang), sound.editx, sound.pause_ms)
            marks.setdefault(place, []).insert(0, heard)

    turn = known.turn(tone, domain)
    made = sum(map(len, marks.values()))
    if turn is not None and line.size >= (made + 1) * SHORT[lang]:
        place = line.find(turn.at)
        if place is not None and place not in marks:
            # A break belongs before the turn, and is longer the slower the reading.
            ms = max(known.pauses.turn, dict(line.stops).get(place, 0))
            marks[place] = [_pause(ms, pace), Direction(turn.phrased(lang, choice), turns=True)]

    if line.size >= SHORT[lang]:
        room = MOST_PAUSES - sum(isinstance(mark, Pause) for placed in marks.values() for mark in placed)
        unmarked = [(place, ms) for place, ms in line.stops if place not in marks]
        marks |= {place: [_pause(ms, pace)] for place, ms in unmarked[:room]}
    leant_on = line.leaning if known.leans(tone) and line.size >= SHORT[lang] else None
    return Reading(lang, tone.family, pace, energy, pitch, tuple(_pieces(text, marks, leant_on)))


def _pause(ms: int, pace: int) -> Pause:
    """A tenth of a pause goes with each step of haste, and comes with each step the other way."""
    return Pause(round(ms * (10 - pace) / 10))


def _pieces(text: str, marks: dict[int, list[Mark]], leant_on: tuple[int, int] | None) -> Iterator[Piece]:
    cuts = sorted({0, len(text), *marks, *(leant_on or ())})
    yield from marks.get(0, ())
    for start, end in zip(cuts, cuts[1:], strict=False):
        yield Said(text[start:end], leant_on is not None and leant_on[0] <= start < leant_on[1])
        yield from marks.get(end, ())


# A sentence ends where its mark does and another may begin; not after a title or an initial.
SENTENCE = {
    "en": re.compile(r"(?<!\b(?:Mr|Ms|Dr|St|Mt|No))(?<!\bMrs)(?<!\b[A-Z])[.!?]+[\"'”’)\]]*\s+(?=\S)"),
    "zh": re.compile(r"[。！？!?]+[”’」』）)]*\s*(?=\S)"),
}
STOP = re.compile(r"(?:—+|–|(…+|\.{3,}))\s*(?=\w)")
STAMMER = re.compile(r"\b[A-Za-z](?:…+|\.{3,})\s*$")  # f... first: that hesitates by itself
# After a comma no word between commas: They were, though, kind.
CLAUSE = {"en": r"(?:[;:.!?—–-]\s+[\"'“‘]?|,\s+(?!\w+,))", "zh": r"(?:[，；：。！？、…—])"}
QUESTION = re.compile(r"[?？][\"'”’」』]*\s*$")
CRY = re.compile(r"[!！][\"'”’」』]*\s*$")
SPENT = r"(?!是|几|一会|[凡愿门一二两三四五六七八九十\d])"  # 不过是, 不过三天: merely; 不过门, 但凡, 但愿: no contrast


def sentences(text: str, lang: Lang) -> list[str]:
    """``text`` cut after each sentence and what follows it; joined they are ``text`` again."""
    cuts = [0, *(match.end() for match in SENTENCE[lang].finditer(text)), len(text)]
    return [text[start:end] for start, end in zip(cuts, cuts[1:], strict=False) if start < end]


class _Line:
    """Places in a line; each is the number of characters before it."""

    def __init__(self, text: str, lang: Lang, they: str | None) -> None:
        self.text, self.lang, self.they = text, lang, they
        self.words = getattr(shipped_directions().words, lang)
        self._places: dict[Place, list[int]] = {}

    @cached_property
    def size(self) -> int:
        """Words, or in Chinese characters that are said."""
        return len(self.text.split()) if self.lang == "en" else sum(map(str.isalnum, self.text))

    @cached_property
    def may_sound(self) -> bool:
        """Whether a cue may stand in the line at all."""
        if self.they is None or CRY.search(self.they):
            return False
        return not (self._has("hurt", self.they) or self._has("hurt", self.text))

    def _has(self, kind: str, text: str) -> bool:
        return _any_of(getattr(self.words, kind), self.lang).search(text) is not None

    @cached_property
    def leaning(self) -> tuple[int, int] | None:
        found = _any_of(self.words.leaning, self.lang).search(self.text)
        return found.span() if found else None

    @cached_property
    def stops(self) -> list[tuple[int, int]]:
        """Dashes and ellipses between words: where the next word begins, and the milliseconds of the pause."""
        pauses = shipped_directions().pauses
        return [
            (match.end(), pauses.ellipsis if match[1] else pauses.dash)
            for match in STOP.finditer(self.text)
            if match.start() > 0
        ]

    def find(self, places: tuple[Place, ...]) -> int | None:
        """The first of ``places`` that the line has, with room before and after it."""
        return next((place for name in places for place in self._of(name)), None)

    def _of(self, name: Place) -> list[int]:
        if name not in self._places:
            ahead, until = AHEAD[self.lang], len(self.text) - BEHIND[self.lang]
            self._places[name] = [place for place in self._all(name) if place == 0 or ahead <= place <= until]
        return self._places[name]

    def _all(self, name: Place) -> list[int]:
        match name:
            case "contrast":
                return [match.start(1) for match in _clauses(self.words.contrast, self.lang).finditer(self.text)]
            case "choice":
                return [match.start() for match in _any_of(self.words.choice, self.lang).finditer(self.text)]
            case "hesitant":
                ends = (match.end() for match in STOP.finditer(self.text) if match[1])
                return [end for end in ends if not STAMMER.search(self.text, 0, end)]
        said = sentences(self.text, self.lang)
        starts = list(accumulate(map(len, said), initial=0))
        match name:
            case "answer":
                asked = self.they is not None and QUESTION.search(self.they)
                return [0] if asked and not QUESTION.search(said[0]) and not self._sounds else []
            case "echo":
                return [0] if QUESTION.search(said[0]) and not self._sounds else []
            case "own":
                return [end for sentence, end in zip(said[:-1], starts[1:], strict=False) if self._on_oneself(sentence)]
            case "unsure":
                return [start for sentence, start in zip(said, starts, strict=False) if self._has("unsure", sentence)]
            case "told":
                return [starts[-2]] if len(said) > 1 and not QUESTION.search(said[-1]) else []
            case "last":
                return [starts[-2]] if len(said) > 2 else []

    @property
    def _sounds(self) -> bool:
        """Whether the line opens with a sound of its own: Oh, that."""
        return _any_of(self.words.sounds, self.lang).match(self.text) is not None

    def _on_oneself(self, sentence: str) -> bool:
        return self._has("own", sentence) and not self._has("earnest", sentence) and not QUESTION.search(sentence)


_line = lru_cache(4096)(_Line)  # a seed's lines are read at each of its personas


@cache
def _any_of(words: tuple[str, ...], lang: Lang) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"\b(?:{alternatives})\b(?:['’]\w+)?" if lang == "en" else alternatives, re.IGNORECASE)


@cache
def _clauses(words: tuple[str, ...], lang: Lang) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    after = r"\b(?=[\s,])" if lang == "en" else SPENT
    return re.compile(rf"{CLAUSE[lang]}((?:{alternatives}){after})", re.IGNORECASE)
