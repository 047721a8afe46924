"""Compile axes and rules to integer tables."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.axes import AXIS_NAMES, AXIS_OF_GROUP, TREE, Axes, Scenario, Term

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


def axis_of(group: str) -> str:
    return AXIS_OF_GROUP.get(group, group)
