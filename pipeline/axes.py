"""Axes: the dimensions along which seeds vary, their levels in both languages, and the rules between them."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from pipeline.documents import canonical_json
from pipeline.seeds import TRAITS, Stance, TraitName

LevelId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.+-]{0,63}$")]
Share = Annotated[float, Field(gt=0, le=1000, description="Target share, relative to the other levels of the axis.")]
Affinity = Annotated[float, Field(gt=0, le=1)]
Phrasings = tuple[str, str]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bilingual(_Part):
    en: str
    zh: str


class Wording(_Part):
    """Exactly two phrasings in each language; a pair of empty strings says nothing."""

    en: Phrasings
    zh: Phrasings


class Level(_Part):
    id: LevelId
    share: Share
    tags: tuple[str, ...] = ()


class WordedLevel(Level, Wording):
    pass


class Domain(Level):
    name: Bilingual
    own_life: bool = Field(False, description="The persona's own life and tales are free here.")


class Need(_Part):
    id: LevelId
    means: str


class Caller(_Part):
    who: Bilingual
    age_band: Literal["child", "young", "adult", "middle", "old", "any"]


class Facts(_Part):
    en: tuple[str, ...]
    zh: tuple[str, ...]


class AllowedEnvironments(_Part):
    allowed: tuple[LevelId, ...] = Field(min_length=1)


class Scenario(Level):
    domain: LevelId
    stances: tuple[Stance, ...] = Field(min_length=1)
    world: Literal["real", "invented", "any"]
    environment: AllowedEnvironments
    caller: Caller
    wants: Bilingual
    setting: Wording
    situation: Wording
    facts: Facts
    needs: tuple[LevelId, ...] = ()
    relationships: dict[LevelId, Affinity] = Field(min_length=1)
    tone_families: dict[LevelId, Affinity] = Field(min_length=1)
    states: dict[LevelId, Affinity] = Field(min_length=1)
    verbosity: dict[LevelId, Affinity] = Field(min_length=1)
    audience: Literal["general", "children", "mature"]


class UserState(Level):
    heard_as: Wording
    ask: Wording


class Implied(_Part):
    """What a tone does to the voice; pace and energy leave room for one step of their own axis either way."""

    pace: Annotated[int, Field(ge=-1, le=1)]
    energy: Annotated[int, Field(ge=-1, le=1)]
    pitch: Annotated[int, Field(ge=-2, le=2)]


Hundredths = Annotated[int, Field(ge=-100, le=100)]


class Family(_Part):
    id: LevelId
    en: str
    zh: str


class Tone(Level):
    family: LevelId
    valence: Hundredths
    arousal: Hundredths
    dominance: Hundredths
    implies: Implied
    direction: Wording


class Step(Level):
    step: Annotated[int, Field(ge=-1, le=1)]


class StepWording(Wording):
    value: Annotated[int, Field(ge=-2, le=2)]


class Temperament(WordedLevel):
    shift: Mapping[TraitName, Literal[-1, 1]] = Field(max_length=2)

    @model_validator(mode="after")
    def _named_by_shift(self) -> "Temperament":
        if self.id != temperament_id(self.shift):
            raise ValueError(f"the id of this shift is {temperament_id(self.shift)!r}, not {self.id!r}")
        return self


def temperament_id(shift: Mapping[TraitName, int]) -> str:
    """Shifts in the order of TRAITS: openness+1.conscientiousness-1; none where there is no shift."""
    ordered = sorted(shift.items(), key=lambda item: TRAITS.index(item[0]))
    return ".".join(f"{trait}{step:+d}" for trait, step in ordered) or "none"


MEETINGS = (
    ("state", "tone_family"), ("relationship", "register"), ("domain", "tone_family"), ("temperament", "state"),
)  # fmt: skip


class Meeting(Wording):
    """A sentence for two levels that change each other.

    A mood of one shifted trait speaks for every mood that shifts this trait so.
    """

    temperament: LevelId | None = None
    state: LevelId | None = None
    tone_family: LevelId | None = None
    relationship: LevelId | None = None
    register_: LevelId | None = Field(None, alias="register")
    domain: LevelId | None = None

    @model_validator(mode="after")
    def _one_known_pair(self) -> "Meeting":
        if self.key not in MEETINGS:
            known = ", ".join(" and ".join(pair) for pair in MEETINGS)
            raise ValueError(f"a meeting part joins {known}, not {' and '.join(self.key)}")
        if self.temperament is not None and (self.temperament == "none" or "." in self.temperament):
            raise ValueError(f"a meeting part is of a mood of one shifted trait, not {self.temperament!r}")
        return self

    @property
    def _pair(self) -> dict[str, str]:
        named = {"temperament": self.temperament, "state": self.state, "domain": self.domain,
                 "relationship": self.relationship, "tone_family": self.tone_family,
                 "register": self.register_}  # fmt: skip
        return {name: value for name, value in named.items() if value is not None}

    @property
    def key(self) -> tuple[str, ...]:
        """The names of what it joins."""
        return tuple(self._pair)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels it joins, in the order of ``key``."""
        return tuple(self._pair.values())


Term = Annotated[
    dict[
        Literal["scenario", "user_state", "tone", "relationship", "register", "verbosity", "environment",
                "turn_taking", "pace", "energy", "cue", "temperament", "domain", "tone_family"],
        str | tuple[str, ...],
    ],
    Field(min_length=1, max_length=1, description="An axis or group, and its level, levels, or '#tag'."),
]  # fmt: skip


class Rule(_Part):
    """Levels that exclude each other (hard), or that fit more or less well (affinity)."""

    hard: tuple[Term, Term] | None = None
    pair: tuple[Term, Term] | None = None
    triple: tuple[Term, Term, Term] | None = None
    affinity: Affinity | None = None
    reason: str = Field(min_length=1)
    fallback: Bilingual | None = Field(None, description="What deploy says of a state that this tone excludes.")

    @model_validator(mode="after")
    def _one_form(self) -> "Rule":
        forms = [form for form in (self.hard, self.pair, self.triple) if form is not None]
        if len(forms) != 1 or (self.hard is None) == (self.affinity is None):
            raise ValueError("a rule is {hard: [a, b]}, {affinity, pair: [a, b]} or {affinity, triple: [a, b, c]}")
        return self

    @property
    def terms(self) -> tuple[Term, ...]:
        return self.hard or self.pair or self.triple or ()


class StepAxis(_Part):
    levels: tuple[Step, Step, Step]
    wordings: tuple[StepWording, StepWording, StepWording, StepWording, StepWording]

    @model_validator(mode="after")
    def _steps_upward(self) -> "StepAxis":
        if [level.step for level in self.levels] != [-1, 0, 1]:
            raise ValueError("the levels are the steps -1, 0 and 1, in this order")
        return self


class WordedAxis(_Part):
    levels: tuple[WordedLevel, ...] = Field(min_length=1)


class DomainsFile(_Part):
    domains: tuple[Domain, ...] = Field(min_length=1)
    needs: tuple[Need, ...]


class ToneFile(_Part):
    families: tuple[Family, ...] = Field(min_length=1)
    levels: tuple[Tone, ...] = Field(min_length=1)


class StateFile(_Part):
    levels: tuple[UserState, ...] = Field(min_length=1)


class TemperamentFile(_Part):
    levels: tuple[Temperament, ...] = Field(min_length=1)


class SpeechFile(_Part):
    pace: StepAxis
    energy: StepAxis
    cue: WordedAxis
    verbosity: WordedAxis
    turn_taking: WordedAxis
    environment: WordedAxis
    register_: WordedAxis = Field(alias="register")
    relationship: WordedAxis


class ScenarioFile(RootModel[Annotated[tuple[Scenario, ...], Field(min_length=1)]]):
    pass


class MeetingFile(RootModel[tuple[Meeting, ...]]):
    pass


class RulesFile(RootModel[tuple[Rule, ...]]):
    pass


class Axis(NamedTuple):
    """One node of the factor tree."""

    name: str
    parent: int  # index of the axis it hangs from; -1 in the merged node of the first three


# Parents come before their children: decoding goes down this list, messages up it.
TREE = (
    Axis("scenario", -1), Axis("user_state", -1), Axis("tone", -1), Axis("relationship", 0), Axis("register", 3),
    Axis("verbosity", 0), Axis("environment", 0), Axis("turn_taking", 1), Axis("pace", 2), Axis("energy", 2),
    Axis("cue", 2), Axis("temperament", 2),
)  # fmt: skip
AXIS_NAMES = tuple(axis.name for axis in TREE)
SPEECH_AXES = ("relationship", "register", "verbosity", "environment", "turn_taking", "pace", "energy", "cue")
# Rules may stand where the tree has room: within the merged node, and on an edge.
RULE_PLACES = frozenset(
    {frozenset(pair) for pair in (("scenario", "user_state"), ("scenario", "tone"), ("user_state", "tone"))}
    | {frozenset((axis.name, TREE[axis.parent].name)) for axis in TREE if axis.parent >= 0}
)
AXIS_OF_GROUP = {"domain": "scenario", "tone_family": "tone"}
MAX_LEVELS = 255  # codes are bytes


class Axes(_Part):
    """All axes of a run, merged from their files; embedded in the plan."""

    domains: tuple[Domain, ...]
    needs: tuple[Need, ...]
    families: tuple[Family, ...]
    scenario: tuple[Scenario, ...]
    user_state: tuple[UserState, ...]
    tone: tuple[Tone, ...]
    speech: SpeechFile
    temperament: tuple[Temperament, ...]
    meetings: tuple[Meeting, ...]
    rules: tuple[Rule, ...]

    @cached_property
    def levels(self) -> dict[str, tuple[Level, ...]]:
        """Levels of each axis, in the order of TREE; a level's place here is its code."""
        of_speech = {name: getattr(self.speech, "register_" if name == "register" else name) for name in SPEECH_AXES}
        found = {name: axis.levels for name, axis in of_speech.items()}
        found |= {name: getattr(self, name) for name in ("scenario", "user_state", "tone", "temperament")}
        return {name: found[name] for name in AXIS_NAMES}

    @cached_property
    def codes(self) -> dict[str, dict[str, int]]:
        """Axis or group (domain, tone_family) to level id to code."""
        codes = {name: {level.id: code for code, level in enumerate(levels)} for name, levels in self.levels.items()}
        codes["domain"] = {domain.id: code for code, domain in enumerate(self.domains)}
        codes["tone_family"] = {family.id: code for code, family in enumerate(self.families)}
        return codes

    @property
    def cards(self) -> tuple[int, ...]:
        return tuple(len(levels) for levels in self.levels.values())

    @cached_property
    def domain_of(self) -> tuple[int, ...]:
        return tuple(self.codes["domain"][scenario.domain] for scenario in self.scenario)

    @cached_property
    def family_of(self) -> tuple[int, ...]:
        return tuple(self.codes["tone_family"][tone.family] for tone in self.tone)

    def targets(self, axis: str) -> list[float]:
        """Target shares, summing to 1.  A domain's share is divided among its scenarios by theirs."""
        shares = [level.share for level in self.levels[axis]]
        if axis == "scenario":
            within = [0.0] * len(self.domains)
            for domain, share in zip(self.domain_of, shares, strict=True):
                within[domain] += share
            shares = [
                share / within[domain] * self.domains[domain].share
                for domain, share in zip(self.domain_of, shares, strict=True)
            ]
        return [share / sum(shares) for share in shares]

    def tags(self, axis: str, code: int) -> tuple[str, ...]:
        """Authored tags; a temperament's are its single shifts."""
        level = self.levels[axis][code]
        if isinstance(level, Temperament):
            return tuple(f"{trait}{step:+d}" for trait, step in level.shift.items())
        return level.tags

    def canonical(self) -> str:
        return canonical_json(self.model_dump(mode="json", by_alias=True))
