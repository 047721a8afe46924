"""The parts of scenes: every distinct text that scenes are joined from, rendered once.

Texts are rendered by Jinja2 in a sandbox; what a seed says is only ever a value there, never a template.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

from jinja2 import PackageLoader, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from pipeline.axes import Axes, Bilingual, Meeting, Phrasings, Scenario, Wording, temperament_id
from pipeline.config import Frame, SceneSettings
from pipeline.rules import axis_codes
from pipeline.seeds import Seed

FRAMES: tuple[Frame, ...] = ("deploy", "scene")
LANGS: tuple[Literal["en", "zh"], ...] = ("en", "zh")
GAP = {"en": " ", "zh": ""}
LIKELY_STATES = 3

# A paragraph is read as one breath of thought; a scene is these in order.
PARAGRAPHS: tuple[tuple[str, ...], ...] = (
    ("who", "life"),
    ("speech", "request", "provoked"),
    ("bridge", "setting", "situation", "temperament", "tone", "pace", "energy", "cue", "verbosity", "turn_taking",
     "environment"),
    ("state", "state_third", "state_otherwise", "meeting_temperament", "habit", "meeting_state", "meeting_domain",
     "relationship", "register", "meeting_register", "facts"),
    ("limits", "voice"),
    ("safety", "staying"),
)  # fmt: skip
PART_NAMES = tuple(name for paragraph in PARAGRAPHS for name in paragraph)


Texts = dict[tuple[str | int, ...], Phrasings]


class Part(NamedTuple):
    """Texts of one part: two phrasings for each key; an empty text says nothing."""

    name: str
    keys: tuple[str, ...]
    texts: Texts


def scene_parts(axes: Axes, seeds: Sequence[Seed], settings: SceneSettings) -> list[Part]:
    """All parts of all scenes of these seeds, in the order of PART_NAMES."""
    parts = {part.name: part for part in (*_seed_parts(seeds, settings), *_axis_parts(axes, settings))}
    return [parts[name] for name in PART_NAMES]


def _seed_parts(seeds: Sequence[Seed], settings: SceneSettings) -> Iterator[Part]:
    told = {seed.id: _told(seed) | settings.model_dump() for seed in seeds}
    for name in ("who", "life", "speech", "request", "provoked", "limits", "voice", "safety", "staying"):
        texts: Texts = {(seed.id,): _rendered(seed.lang, name, told[seed.id]) for seed in seeds}
        yield Part(name, ("seed_id",), texts)
    bridges: Texts = {
        (seed.id, domain): (text, text) for seed in seeds for domain, text in (seed.bridges or {}).items()
    }
    yield Part("bridge", ("seed_id", "domain"), bridges)


def anchor_text(seed: Seed, role: bool, tone: Sequence[str], habits: Sequence[str], limits: Sequence[str]) -> str:
    """Who the persona is, and of the rest what is given; each a whole sentence."""
    values: dict[str, object] = {"name": seed.name, "short": short_name(seed), "role": seed.role if role else None,
              "tone": list(tone), "habits": list(habits), "limits": list(limits)}  # fmt: skip
    return _render(seed.lang, "anchor", values, 0)


def greeting_text(seed: Seed, disclosure: str) -> str | None:
    """How the persona picks up; where the app wants it, an AI says first that it is one."""
    if seed.greeting is None or disclosure == "on_ask":
        return seed.greeting
    values: dict[str, object] = {"short": short_name(seed), "greeting": seed.greeting, "disclosure": disclosure}
    return _render(seed.lang, "greeting", values, 0)


def _told(seed: Seed) -> dict[str, object]:
    """What the seed templates may name.  Of three exchanges the first and the last are told."""
    place = (seed.place or "").split(",")[0].strip()
    return {
        "name": seed.name,
        "age": seed.age,
        "place": None if not place or place in f"{seed.who}{seed.life}" else place,
        "who": seed.who,
        "text": (seed.text or "").strip(),
        "life": seed.life,
        "wants": seed.wants,
        "keeps": seed.keeps,
        "habits": seed.speech.habits,
        "catchphrases": seed.speech.catchphrases,
        "request": seed.exchanges[0] if len(seed.exchanges) > 1 else None,
        "provoked": seed.exchanges[-1] if seed.exchanges else None,
        "mixes": seed.speech.languages.mixes if seed.speech.languages else None,
        "limits": seed.limits,
        "short": short_name(seed),
    }


def short_name(seed: Seed) -> str:
    """What the persona answers to: the given name in English, the whole name in Chinese."""
    if seed.name is None:
        return "this person" if seed.lang == "en" else "这个人"
    first, _, rest = seed.name.partition(" ")
    return seed.name if seed.lang == "zh" or not rest or first in TITLES or first.endswith(".") else first


TITLES = frozenset(
    "The A An Old Young Mother Father Brother Sister Aunt Auntie Uncle Captain Doctor Dr Mr Mrs Ms Miss Sir Lady "
    "Granny Big Little Saint St Professor Nurse Master Madame Don Doña Ustad Haji".split()
)


def _axis_parts(axes: Axes, settings: SceneSettings) -> Iterator[Part]:
    deploy = settings.frame == "deploy"
    yield _worded("setting", "scenario", {s.id: s.setting for s in axes.scenario})
    yield _worded("situation", "scenario", {} if deploy else {s.id: s.situation for s in axes.scenario})
    yield _worded("temperament", "temperament", {level.id: level for level in axes.temperament})
    yield _worded("tone", "tone", {tone.id: tone.direction for tone in axes.tone})
    for name in ("pace", "energy"):
        yield _prosody(axes, name)
    for name in ("cue", "verbosity", "turn_taking", "relationship", "register"):
        levels = axes.levels[name]
        yield _worded(name, name, {level.id: level for level in levels})  # type: ignore[misc]
    yield _environment(axes, deploy)
    yield from _deploy_states(axes) if deploy else _scene_states(axes)
    habit: Texts = {(lang,): _rendered(lang, "habit", {}) for lang in LANGS}
    yield Part("habit", ("lang",), habit)
    yield _keyed("meeting_temperament", ("temperament", "user_state"), {} if deploy else _moods(axes))
    yield _meeting_state(axes, deploy)
    yield _keyed("meeting_domain", ("domain", "tone_family"), _met(axes, "domain", "tone_family"))
    yield _keyed("meeting_register", ("relationship", "register"), _met(axes, "relationship", "register"))
    yield _facts(axes, settings)


def _worded(name: str, key: str, wordings: dict[str, Wording]) -> Part:
    texts: Texts = {(lang, level): getattr(wording, lang) for level, wording in wordings.items() for lang in LANGS}
    return Part(name, ("lang", key), texts)


def _prosody(axes: Axes, name: str) -> Part:
    """The tone's implied value and the axis's step add up to what is said."""
    axis = getattr(axes.speech, name)
    wordings = {wording.value: wording for wording in axis.wordings}
    texts: Texts = {
        (lang, tone.id, level.step): getattr(wordings[getattr(tone.implies, name) + level.step], lang)
        for tone in axes.tone
        for level in axis.levels
        for lang in LANGS
    }
    return Part(name, ("lang", "tone", name), texts)


def _environment(axes: Axes, deploy: bool) -> Part:
    """An app knows the noise beforehand only where the scenario leaves one."""
    wordings = {level.id: level for level in axes.speech.environment.levels}
    texts: Texts = {
        (lang, scenario.id, level): getattr(wordings[level], lang)
        for scenario in axes.scenario
        for level in scenario.environment.allowed
        for lang in LANGS
        if not deploy or len(scenario.environment.allowed) == 1
    }
    return Part("environment", ("lang", "scenario", "environment"), texts)


def _scene_states(axes: Axes) -> Iterator[Part]:
    texts: Texts = {}
    for state in axes.user_state:
        for lang in LANGS:
            heard, ask = getattr(state.heard_as, lang), getattr(state.ask, lang)
            told = [_render(lang, "state_scene", {"heard_as": heard[p], "ask": ask[p]}, p) for p in (0, 1)]
            texts[lang, state.id] = (told[0], told[1])
    yield Part("state", ("lang", "user_state"), texts)
    yield Part("state_third", ("lang", "user_state"), {})
    yield Part("state_otherwise", ("lang",), {})


def likely_states(axes: Axes, scenario: Scenario) -> list[str]:
    """The states an app must be ready for there, likeliest first; a neutral one needs nothing."""
    share = {state.id: state.share for state in axes.user_state}
    silent = {state.id for state in axes.user_state if not state.heard_as.en[0]}
    ranked = sorted(scenario.states, key=lambda state: (-scenario.states[state], -share[state], state))
    return [state for state in ranked if state not in silent][:LIKELY_STATES]


def _deploy_states(axes: Axes) -> Iterator[Part]:
    """What to do if they sound so, for the likeliest states of the scenario; the third can be left out by itself."""
    fallbacks = _fallbacks(axes)
    clause = cache(lambda lang, state, tone, phrasing: _clause(axes, fallbacks, lang, state, tone, phrasing))
    first: Texts = {}
    third: Texts = {}
    for scenario in axes.scenario:
        likely = likely_states(axes, scenario)
        for tone in axes.tone:
            for lang in LANGS:
                told = [
                    [clause(lang, state, tone.id, (p + place) % 2) for place, state in enumerate(likely)]
                    for p in (0, 1)
                ]
                key = (lang, scenario.id, tone.id)
                first[key] = (GAP[lang].join(told[0][:2]), GAP[lang].join(told[1][:2]))
                third[key] = ("".join(told[0][2:]), "".join(told[1][2:]))
    yield Part("state", ("lang", "scenario", "tone"), first)
    yield Part("state_third", ("lang", "scenario", "tone"), third)
    otherwise: Texts = {(lang,): _rendered(lang, "state_otherwise", {}) for lang in LANGS}
    yield Part("state_otherwise", ("lang",), otherwise)


def _clause(
    axes: Axes, fallbacks: dict[tuple[str, str], Bilingual], lang: str, state: str, tone: str, phrasing: int
) -> str:
    level = axes.user_state[axes.codes["user_state"][state]]
    heard, ask = getattr(level.heard_as, lang)[phrasing], getattr(level.ask, lang)[phrasing]
    fallback = fallbacks.get((state, tone))
    if fallback is None:
        return _render(lang, "state_clause", {"heard_as": heard, "ask": ask}, phrasing)
    text = getattr(fallback, lang).replace("{heard_as}", heard).replace("{ask}", ask)
    return raised(bare(text)) + (". " if lang == "en" else "。").strip()


def _fallbacks(axes: Axes) -> dict[tuple[str, str], Bilingual]:
    """State and tone that exclude each other, to what deploy says of them: what to give up of the tone."""
    found: dict[tuple[str, str], Bilingual] = {}
    for rule in axes.rules:
        if rule.fallback is None or rule.hard is None:
            continue
        by_axis = dict(axis_codes(axes, term) for term in rule.hard)
        for state in by_axis["user_state"]:
            for tone in by_axis["tone"]:
                found.setdefault((axes.user_state[state].id, axes.tone[tone].id), rule.fallback)
    return found


def _meeting_state(axes: Axes, deploy: bool) -> Part:
    """What the tone means with the state; in deploy, with the likeliest state that the tone's family has words for."""
    met = _met(axes, "state", "tone_family")
    if not deploy:
        return _keyed("meeting_state", ("user_state", "tone_family"), met)
    fallbacks = _fallbacks(axes)
    wordings: dict[tuple[str, ...], Meeting] = {}
    for scenario in axes.scenario:
        for tone in axes.tone:
            likely = (s for s in likely_states(axes, scenario) if (s, tone.id) not in fallbacks)
            state = next((s for s in likely if (s, tone.family) in met), None)
            if state is not None:
                wordings[scenario.id, tone.id] = met[state, tone.family]
    return _keyed("meeting_state", ("scenario", "tone"), wordings)


def _moods(axes: Axes) -> dict[tuple[str, ...], Meeting]:
    """What a day's mood means before the other party's state; of two shifted traits, the first with words for it."""
    met = _met(axes, "temperament", "state")
    found: dict[tuple[str, ...], Meeting] = {}
    for mood in axes.temperament:
        for trait, step in mood.shift.items():
            for state in axes.user_state:
                meeting = met.get((temperament_id({trait: step}), state.id))
                if meeting is not None:
                    found.setdefault((mood.id, state.id), meeting)
    return found


def _met(axes: Axes, one: str, other: str) -> dict[tuple[str, ...], Meeting]:
    return {meeting.levels: meeting for meeting in axes.meetings if meeting.key == (one, other)}


def _keyed(name: str, keys: tuple[str, ...], wordings: Mapping[tuple[str, ...], Wording]) -> Part:
    texts: Texts = {(lang, *key): getattr(wording, lang) for key, wording in wordings.items() for lang in LANGS}
    return Part(name, ("lang", *keys), texts)


def _facts(axes: Axes, settings: SceneSettings) -> Part:
    own_life = {domain.id: domain.own_life for domain in axes.domains}
    texts: Texts = {}
    for scenario in axes.scenario:
        for lang in LANGS:
            facts = () if settings.frame == "deploy" else getattr(scenario.facts, lang)
            values = {"facts": facts, "own_life": own_life[scenario.domain], "frame": settings.frame}
            texts[lang, scenario.id] = _rendered(lang, "facts", values)
    return Part("facts", ("lang", "scenario"), texts)


@cache
def _environment_of_templates() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=PackageLoader("pipeline"), undefined=StrictUndefined, autoescape=False, auto_reload=False
    )
    for name in (lowered, raised, bare, unstopped, at_the_time, hanzi):
        environment.filters[name.__name__] = name
    environment.globals.clear()  # no template calls one, and every render copies them: a third of its time
    return environment


@cache
def _template(lang: str, name: str) -> Template:
    return _environment_of_templates().get_template(f"{lang}/{name}.j2")


def _rendered(lang: str, template: str, values: dict[str, object]) -> tuple[str, str]:
    return _render(lang, template, values, 0), _render(lang, template, values, 1)


def _render(lang: str, template: str, values: dict[str, object], phrasing: int) -> str:
    return _template(lang, template).render(values, phrasing=phrasing).strip()


def unstopped(text: str) -> str:
    """A quoted statement without its full stop; a question mark stays."""
    return text.rstrip(".。")


def at_the_time(text: str) -> str:
    """A Chinese time clause, however it was ended, ending in 的时候."""
    return text.removesuffix("的时候").removesuffix("时").removesuffix("的") + "的时候"


FUNCTION_WORDS = frozenset("You Your They Their The A An When If Someone Something Anyone It This That There".split())


def lowered(text: str) -> str:
    """The first letter small, where the first word is no name."""
    first = text.split(" ", 1)[0].split("'", 1)[0].split("’", 1)[0]
    return text[:1].lower() + text[1:] if first in FUNCTION_WORDS else text


def raised(text: str) -> str:
    return text[:1].upper() + text[1:]


def bare(text: str) -> str:
    """Without its full stop, so that the sentence can go on."""
    return text.rstrip(" .。；;，,")


DIGITS = "零一二三四五六七八九"


def hanzi(number: int) -> str:
    """A whole number below ten thousand as it is said: 14 十四, 105 一百零五."""
    if not 0 <= number < 10_000:
        return str(number)
    if number < 10:
        return DIGITS[number]
    if number < 20:
        return "十" + (DIGITS[number % 10] if number % 10 else "")
    said, zero = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            said += ("零" if zero and said else "") + DIGITS[digit] + name
            zero = False
        else:
            zero = True
    return said
