"""Compile axes and rules to integer tables, and a seed's locks to the levels it may take."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.axes import AXIS_NAMES, AXIS_OF_GROUP, TREE, Axes, Scenario, Term
from pipeline.documents import nearest
from pipeline.errors import Fault
from pipeline.records import Placed
from pipeline.seeds import Seed

# An affinity of 1 as an integer.  Eight bits: authors write affinities in steps of 0.05 at the finest.
ONE = 256
SCENARIO, USER_STATE, TONE = 0, 1, 2
MERGED = 3  # the first three axes are one node; leaves begin here

Masks = npt.NDArray[np.bool_]
AffinityTable = npt.NDArray[np.uint16]
Codes = npt.NDArray[np.int64]


class Tables(NamedTuple):
    """The rules as integers: affinities of 0 (excluded) to 256 (fits fully), indexed by level codes.

    ``edges[a, p, v]`` joins level p of axis a's parent with its level v; the first three axes have none.
    """

    cards: Codes
    parents: Codes
    domain_of: Codes
    family_of: Codes
    scenario_state: AffinityTable
    scenario_tone: AffinityTable
    state_tone: AffinityTable
    domain_state_family: AffinityTable
    edges: AffinityTable


def compile_tables(axes: Axes) -> Tables:
    """Every affinity and rule of ``axes``.  Affinities on the same pair multiply; a hard rule is a zero."""
    cards = axes.cards
    width = max(cards)
    pairs: dict[frozenset[str], npt.NDArray[np.float64]] = {}
    for one, other in (("scenario", "user_state"), ("scenario", "tone"), ("user_state", "tone")):
        pairs[frozenset((one, other))] = np.ones((len(axes.levels[one]), len(axes.levels[other])))
    for axis in TREE[MERGED:]:
        parent = TREE[axis.parent].name
        pairs[frozenset((parent, axis.name))] = np.ones((len(axes.levels[parent]), len(axes.levels[axis.name])))
    triple = np.ones((len(axes.domains), cards[USER_STATE], len(axes.families)))

    for code, scenario in enumerate(axes.scenario):
        _allow(axes, pairs, code, scenario)
    for rule in axes.rules:
        factor = 0.0 if rule.hard else float(rule.affinity or 0.0)
        if rule.triple:
            by_group = {group: codes for group, codes in (_group_codes(axes, term) for term in rule.triple)}
            triple[np.ix_(by_group["domain"], by_group["user_state"], by_group["tone_family"])] *= factor
        else:
            (one, rows), (other, columns) = (axis_codes(axes, term) for term in rule.terms)
            if _index(one) > _index(other):
                (one, rows), (other, columns) = (other, columns), (one, rows)
            pairs[frozenset((one, other))][np.ix_(rows, columns)] *= factor

    edges = np.zeros((len(TREE), width, width), np.uint16)
    for number, axis in enumerate(TREE[MERGED:], MERGED):
        table = _quantised(pairs[frozenset((TREE[axis.parent].name, axis.name))])
        edges[number, : table.shape[0], : table.shape[1]] = table
    return Tables(
        cards=np.array(cards),
        parents=np.array([axis.parent for axis in TREE]),
        domain_of=np.array(axes.domain_of),
        family_of=np.array(axes.family_of),
        scenario_state=_quantised(pairs[frozenset(("scenario", "user_state"))]),
        scenario_tone=_quantised(pairs[frozenset(("scenario", "tone"))]),
        state_tone=_quantised(pairs[frozenset(("user_state", "tone"))]),
        domain_state_family=_quantised(triple),
        edges=edges,
    )


def _allow(axes: Axes, pairs: dict[frozenset[str], npt.NDArray[np.float64]], code: int, scenario: Scenario) -> None:
    """What a scenario lists, it allows with that affinity; what it does not list, it excludes."""
    listed: dict[str, dict[str, float]] = {
        "user_state": scenario.states,
        "relationship": scenario.relationships,
        "verbosity": scenario.verbosity,
        "environment": dict.fromkeys(scenario.environment.allowed, 1.0),
        "tone": {tone.id: scenario.tone_families.get(tone.family, 0.0) for tone in axes.tone},
    }
    for axis, affinities in listed.items():
        row = [affinities.get(level.id, 0.0) for level in axes.levels[axis]]
        pairs[frozenset(("scenario", axis))][code] *= row


def _quantised(table: npt.NDArray[np.float64]) -> AffinityTable:
    """Affinities as integers; what is possible stays possible however small."""
    return np.where(table > 0, np.clip(np.rint(table * ONE), 1, ONE), 0).astype(np.uint16)


def _index(axis: str) -> int:
    return AXIS_NAMES.index(axis)


def _group_codes(axes: Axes, term: Term) -> tuple[str, list[int]]:
    """The axis or group a term names, and the codes of the levels it means."""
    ((group, value),) = term.items()
    names = (value,) if isinstance(value, str) else value
    codes: set[int] = set()
    for name in names:
        if name.startswith("#"):
            codes |= {code for code in range(len(axes.levels[group])) if name[1:] in axes.tags(group, code)}
        else:
            codes.add(axes.codes[group][name])
    return group, sorted(codes)


def axis_codes(axes: Axes, term: Term) -> tuple[str, list[int]]:
    """Like a term, with domains and tone families resolved to their scenarios and tones."""
    group, codes = _group_codes(axes, term)
    if group == "domain":
        return "scenario", [code for code, domain in enumerate(axes.domain_of) if domain in codes]
    if group == "tone_family":
        return "tone", [code for code, family in enumerate(axes.family_of) if family in codes]
    return group, codes


def seed_masks(axes: Axes, seed: Seed) -> Masks:
    """Levels the seed's locks leave open: bool, shape (axes, widest axis)."""
    masks = np.zeros((len(TREE), max(axes.cards)), np.bool_)
    for number, (name, levels) in enumerate(axes.levels.items()):
        allows = _seed_allows(axes, seed, name)
        masks[number, : len(levels)] = True if allows is None else [allows(code) for code in range(len(levels))]
    return masks


def _seed_allows(axes: Axes, seed: Seed, axis: str) -> Callable[[int], bool] | None:
    """Whether the seed may take a level of the axis, by code; None where it may take all."""
    lock = seed.locks.levels.get(axis)
    levels = axes.levels[axis]

    def unlocked(code: int) -> bool:
        level = levels[code].id
        return lock is None or ((lock.only is None or level in lock.only) and level not in lock.never)

    own: dict[str, Callable[[int], bool]] = {
        "scenario": lambda code: meets(seed, axes.scenario[code]),
        "tone": lambda code: _speaks(seed, axes, code),
        "register": lambda code: _registers(seed, axes, code),
        "temperament": lambda code: _bends(seed, axes, code),
    }
    allows = own.get(axis)
    if allows is None:
        return None if lock is None else unlocked
    return lambda code: unlocked(code) and allows(code)


def meets(seed: Seed, scenario: Scenario) -> bool:
    """A seed meets a scenario where it has a bridge, plays a stance that is allowed, and lacks nothing it needs."""
    never = set(seed.locks.scenarios.never)
    return (
        (seed.bridges is None or scenario.domain in seed.bridges)
        and stance_of(seed, scenario) is not None
        and never.isdisjoint({scenario.id, scenario.domain, *scenario.needs})
        and scenario.world in {"any", seed.world}
        and not (scenario.audience == "children" and seed.rating == "mature")
        and not (scenario.audience == "mature" and seed.age is not None and seed.age < 18)
    )


def stance_of(seed: Seed, scenario: Scenario) -> str | None:
    """The first stance in the scenario's order that the seed plays."""
    return next((stance for stance in scenario.stances if stance in seed.played), None)


def _speaks(seed: Seed, axes: Axes, code: int) -> bool:
    tone, lock = axes.tone[code], seed.locks.tones
    named = {tone.id, tone.family}
    return named.isdisjoint(lock.never) and (lock.only is None or not named.isdisjoint(lock.only))


def _registers(seed: Seed, axes: Axes, code: int) -> bool:
    """The seed's own register or one step beside it, in the axis's order."""
    own = seed.speech.register_
    return own is None or abs(axes.codes["register"][own] - code) <= 1


def _bends(seed: Seed, axes: Axes, code: int) -> bool:
    """A day's mood may take a trait neither out of 1–5 nor out of the seed's locked band."""
    if seed.traits is None:
        return True
    for trait, step in axes.temperament[code].shift.items():
        level = getattr(seed.traits, trait) + step
        if level not in seed.locks.traits.get(trait, (1, 2, 3, 4, 5)):
            return False
    return True


def seed_faults(axes: Axes, placed: Placed[Seed]) -> Iterable[Fault]:
    """What in a seed refers to nothing, or leaves it nothing to be."""
    seed = placed.record
    dangling = False
    for field, group, ids in _references(axes, seed):
        for name in sorted(set(ids) - group):
            yield placed.fault(field, f"there is no {name!r}", nearest(name, group))
            dangling = True
    if dangling or placed.broken:  # what a broken field would have allowed is not known
        return
    for name in AXIS_NAMES:
        allows = _seed_allows(axes, seed, name)
        if allows is not None and not any(map(allows, range(len(axes.levels[name])))):
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


def axis_of(group: str) -> str:
    return AXIS_OF_GROUP.get(group, group)
