"""The levels that a seed's locks and circumstances leave it, and what is wrong with a seed on given axes."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from pipeline.axes import AXIS_NAMES, Axes
from pipeline.errors import Fault
from pipeline.records import Placed
from pipeline.rules import Masks
from pipeline.seeds import TRAITS, LevelLock, Seed
from pipeline.wording import nearest

Bools = npt.NDArray[np.bool_]


class Openings:
    """Which levels seeds may take on ``axes``.

    Locks name levels; what each name means is looked up once for all seeds, since there may be ten thousand of them.
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        scenarios, tones = axes.scenario, axes.tone
        self._named = {
            name: {level.id: np.arange(len(levels)) == code for code, level in enumerate(levels)}
            for name, levels in axes.levels.items()
        }
        self._domains = _groups([(scenario.domain,) for scenario in scenarios])
        self._needs = _groups([scenario.needs for scenario in scenarios])
        self._stances = _groups([scenario.stances for scenario in scenarios])
        self._worlds = {
            world: np.array([scenario.world in {"any", world} for scenario in scenarios])
            for world in ("real", "invented")
        }
        self._audiences = {
            audience: np.array([scenario.audience == audience for scenario in scenarios])
            for audience in ("children", "mature")
        }
        self._tones = _groups([(tone.id, tone.family) for tone in tones])
        shifts = [[mood.shift.get(trait, 0) for trait in TRAITS] for mood in axes.temperament]
        self._shifts = np.array(shifts, np.int64)

    def of(self, seed: Seed) -> Masks:
        """Levels left open: bool, (axes, widest axis)."""
        masks = np.zeros((len(AXIS_NAMES), max(self.axes.cards)), np.bool_)
        own = {
            "scenario": self._scenarios_of,
            "tone": lambda seed: _left(seed.locks.tones, self._tones, len(self.axes.tone)),
            "register": self._registers_of,
            "temperament": self._moods_of,
        }
        for number, (name, card) in enumerate(zip(AXIS_NAMES, self.axes.cards, strict=True)):
            masks[number, :card] = own[name](seed) if name in own else True
            if name in seed.locks.levels:
                masks[number, :card] &= _left(seed.locks.levels[name], self._named[name], card)
        return masks

    def _scenarios_of(self, seed: Seed) -> Bools:
        """Where the seed has a bridge, plays a stance that is allowed, and lacks nothing that is needed."""
        card = len(self.axes.scenario)
        met: Bools = _any(seed.played, self._stances, card) & self._worlds[seed.world]
        if seed.bridges is not None:
            met &= _any(seed.bridges, self._domains, card)
        for names in (self._named["scenario"], self._domains, self._needs):
            met &= ~_any(seed.locks.scenarios.never, names, card)
        if seed.rating == "mature":
            met &= ~self._audiences["children"]
        if seed.age is not None and seed.age < 18:
            met &= ~self._audiences["mature"]
        return met

    def _registers_of(self, seed: Seed) -> Bools:
        """The seed's own register or one step beside it, in the axis's order."""
        own, steps = seed.speech.register_, np.arange(len(self._named["register"]))
        home = steps if own is None else self.axes.codes["register"][own]
        return np.asarray(np.abs(steps - home) <= 1)

    def _moods_of(self, seed: Seed) -> Bools:
        """A day's mood may take a trait neither out of 1–5 nor out of the seed's locked band."""
        met = np.ones(len(self._shifts), np.bool_)
        if seed.traits is None:
            return met
        for number, trait in enumerate(TRAITS):
            shift, allowed = self._shifts[:, number], np.zeros(7, np.bool_)
            allowed[list(seed.locks.traits.get(trait, (1, 2, 3, 4, 5)))] = True
            met &= (shift == 0) | allowed[getattr(seed.traits, trait) + shift]
        return met


def _groups(names: Iterable[Iterable[str]]) -> dict[str, Bools]:
    """By name: the levels that bear it, where ``names`` are each level's own."""
    levels = [{*own} for own in names]
    return {name: np.array([name in own for own in levels]) for name in sorted(set().union(*levels))}


def _any(names: Iterable[str], groups: Mapping[str, Bools], card: int) -> Bools:
    """Levels that bear one of ``names``."""
    found = np.zeros(card, np.bool_)
    for name in names:
        if name in groups:
            found |= groups[name]
    return found


def _left(lock: LevelLock, groups: Mapping[str, Bools], card: int) -> Bools:
    open_ = np.ones(card, np.bool_) if lock.only is None else _any(lock.only, groups, card)
    return open_ & ~_any(lock.never, groups, card)


def seed_faults(openings: Openings, placed: Placed[Seed]) -> Iterable[Fault]:
    """What in a seed refers to nothing, or leaves it nothing to be."""
    seed = placed.record
    dangling = False
    for field, group, ids in _references(openings.axes, seed):
        for name in sorted(set(ids) - group):
            yield placed.fault(field, f"there is no {name!r}", nearest(name, group))
            dangling = True
    if dangling or placed.broken:  # what a broken field would have allowed is not known
        return
    for name, mask in zip(AXIS_NAMES, openings.of(seed), strict=True):
        if not mask.any():
            yield placed.fault(_culprit(seed, name), f"its locks leave no {name}", _way_out(seed, name))


def _references(axes: Axes, seed: Seed) -> Iterable[tuple[str, set[str], Iterable[str]]]:
    domains, tones = set(axes.codes["domain"]), set(axes.codes["tone"]) | set(axes.codes["tone_family"])
    yield "bridges", domains, seed.bridges or ()
    yield "locks.tones", tones, (*(seed.locks.tones.only or ()), *seed.locks.tones.never)
    needs = {need.id for need in axes.needs}
    yield "locks.scenarios.never", domains | set(axes.codes["scenario"]) | needs, seed.locks.scenarios.never
    yield "speech.register", set(axes.codes["register"]), [seed.speech.register_] if seed.speech.register_ else ()
    yield "locks.levels", set(AXIS_NAMES), seed.locks.levels
    for axis, lock in seed.locks.levels.items():
        if axis in axes.codes:
            yield f"locks.levels.{axis}", set(axes.codes[axis]), (*(lock.only or ()), *lock.never)


def _culprit(seed: Seed, axis: str) -> str:
    if axis in seed.locks.levels:
        return f"locks.levels.{axis}"
    return {"scenario": "bridges", "tone": "locks.tones", "register": "speech.register"}.get(axis, "locks")


def _way_out(seed: Seed, axis: str) -> str:
    if axis == "scenario":
        stances = ", ".join(seed.played)
        return f"No scenario of its domains takes the stances {stances}: add a bridge or a stance, or unlock a need."
    return "Free at least one level."
