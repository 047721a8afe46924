"""Read the YAML files of axes, merge them, and find every fault in them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.axes import (
    AXIS_OF_GROUP,
    MAX_LEVELS,
    RULE_PLACES,
    SPEECH_AXES,
    TREE,
    Axes,
    DomainsFile,
    MeetingFile,
    Rule,
    RulesFile,
    ScenarioFile,
    SpeechFile,
    StateFile,
    TemperamentFile,
    ToneFile,
)
from pipeline.documents import find_files
from pipeline.errors import Fault, InvalidRecords, UsageError
from pipeline.schema_check import field_name, yaml_faults
from pipeline.wording import nearest
from pipeline.yaml_files import YamlFile

FILE_KINDS: dict[str, type[BaseModel]] = {
    "domains": DomainsFile, "scenarios": ScenarioFile, "tone": ToneFile, "user_state": StateFile,
    "temperament": TemperamentFile, "speech": SpeechFile, "meeting": MeetingFile, "rules": RulesFile,
}  # fmt: skip
FILE_OF_AXIS = {"scenario": "scenarios", "user_state": "user_state", "tone": "tone", "temperament": "temperament"}
REQUIRED_KINDS = ("domains", "scenarios", "tone", "user_state", "temperament", "speech")
SINGLE_KINDS = ("domains", "tone", "user_state", "temperament", "speech")


def load_axes(folder: Path) -> Axes:
    """The axes of a folder.  Raises InvalidRecords with every fault of every file."""
    axes, faults = read_axes(folder)
    if faults or axes is None:
        raise InvalidRecords(faults)
    return axes


def read_axes(folder: Path) -> tuple[Axes | None, list[Fault]]:
    faults: list[Fault] = []
    parts: dict[str, list[tuple[YamlFile, Any]]] = {kind: [] for kind in FILE_KINDS}
    first: dict[str, Path] = {}
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; axes are a folder of YAML files")
    for path in find_files([folder], (".yaml", ".yml")):
        kind = _kind(path.relative_to(folder))
        if kind is None:
            known = ", ".join(FILE_KINDS)
            faults.append(Fault(str(path), 0, "", "not a file of axes", f"Name it for what it holds: {known}."))
            continue
        if first.setdefault(kind, path) != path and kind in SINGLE_KINDS:
            problem = f"a second file of {kind}; the first is {first[kind].name}"
            faults.append(Fault(str(path), 0, "", problem, "Put both into one file."))
        yaml_file = YamlFile(path, faults)
        model = _model(kind, yaml_file, faults)
        if model is not None:
            parts[kind].append((yaml_file, model))
    faults += [
        Fault(str(folder), 0, kind, "no file of this kind", f"Add {kind}.yaml.")
        for kind in REQUIRED_KINDS
        if kind not in first
    ]
    if faults:
        return None, faults
    axes = _merged({kind: [model for _, model in found] for kind, found in parts.items()})
    faults += _reference_faults(axes, parts)
    return axes, faults


def _kind(path: Path) -> str | None:
    """``scenarios/travel.yaml``, ``rules-tone.yaml`` and ``rules.yaml`` tell their kind by name."""
    name = path.parts[0] if len(path.parts) > 1 else path.stem
    return next((kind for kind in FILE_KINDS if name == kind or name.startswith(f"{kind}-")), None)


def _model(kind: str, yaml_file: YamlFile, faults: list[Fault]) -> Any:
    if yaml_file.document is None:
        if not any(fault.file == yaml_file.file for fault in faults):
            faults.append(Fault(yaml_file.file, 0, "", "holds nothing", "Fill it, or delete the file."))
        return None
    found = yaml_faults(f"axes#{FILE_KINDS[kind].__name__}", yaml_file)
    if found:
        faults += found
        return None
    try:
        return FILE_KINDS[kind].model_validate(yaml_file.document)
    except ValidationError as error:
        for e in error.errors():
            line = yaml_file.line(e["loc"])
            faults.append(Fault(yaml_file.file, line, field_name(e["loc"]), e["msg"], "See schemas/axes.schema.json."))
        return None


def _merged(parts: Mapping[str, Sequence[Any]]) -> Axes:
    domains, tone, speech = parts["domains"][0], parts["tone"][0], parts["speech"][0]
    return Axes(
        domains=domains.domains,
        needs=domains.needs,
        families=tone.families,
        scenario=tuple(s for file in parts["scenarios"] for s in file.root),
        user_state=parts["user_state"][0].levels,
        tone=tone.levels,
        speech=speech,
        temperament=parts["temperament"][0].levels,
        meetings=tuple(m for file in parts["meeting"] for m in file.root),
        rules=tuple(r for file in parts["rules"] for r in file.root),
    )


def _reference_faults(axes: Axes, parts: Mapping[str, list[tuple[YamlFile, Any]]]) -> Iterable[Fault]:
    yield from _doubled(axes, parts)
    known = {name: set(codes) for name, codes in axes.codes.items()} | {"need": {need.id for need in axes.needs}}
    for yaml_file, file in parts["scenarios"]:
        for number, scenario in enumerate(file.root):
            references = {
                ("domain",): ("domain", [scenario.domain]), ("needs",): ("need", scenario.needs),
                ("environment", "allowed"): ("environment", scenario.environment.allowed),
                ("relationships",): ("relationship", scenario.relationships),
                ("tone_families",): ("tone_family", scenario.tone_families),
                ("states",): ("user_state", scenario.states), ("verbosity",): ("verbosity", scenario.verbosity),
            }  # fmt: skip
            for path, (group, ids) in references.items():
                yield from _unknown(yaml_file, (number, *path), group, ids, known[group])
    tone_file, tones = parts["tone"][0]
    for number, tone in enumerate(tones.levels):
        yield from _unknown(tone_file, ("levels", number, "family"), "tone_family", [tone.family], known["tone_family"])
    for yaml_file, file in parts["meeting"]:
        for number, meeting in enumerate(file.root):
            for name in meeting.key:
                group = "user_state" if name == "state" else name
                value = getattr(meeting, "register_" if name == "register" else name)
                yield from _unknown(yaml_file, (number, name), group, [value], known[group])
    for yaml_file, file in parts["rules"]:
        for number, rule in enumerate(file.root):
            yield from _rule_faults(axes, yaml_file, number, rule, known)


def _rule_faults(
    axes: Axes, yaml_file: YamlFile, number: int, rule: Rule, known: Mapping[str, set[str]]
) -> Iterable[Fault]:
    form = "hard" if rule.hard else "pair" if rule.pair else "triple"
    groups = []
    for position, term in enumerate(rule.terms):
        ((group, value),) = term.items()
        groups.append(group)
        path = (number, form, position, group)
        if not value:
            problem = f"names no level of {group}"
            yield Fault(yaml_file.file, yaml_file.line(path), field_name(path), problem, "Name one, or drop the rule.")
        for level in (value,) if isinstance(value, str) else value:
            if not level.startswith("#"):
                yield from _unknown(yaml_file, path, group, [level], known[group])
            elif not any(level[1:] in axes.tags(group, code) for code in range(len(axes.levels.get(group, ())))):
                line = yaml_file.line(path)
                problem = f"no level of {group} has the tag {level[1:]!r}"
                yield Fault(yaml_file.file, line, field_name(path), problem, "Tag a level with it, or name levels.")
    misplaced = _misplaced(groups)
    if misplaced:
        yield Fault(yaml_file.file, yaml_file.line((number, form)), f"[{number}].{form}", *misplaced)
    elif rule.fallback is not None and not (rule.hard and set(_axes_of(groups)) == {"user_state", "tone"}):
        problem = "only a hard rule of user_state and tone has a fallback"
        yield Fault(yaml_file.file, yaml_file.line((number,)), f"[{number}].fallback", problem, "Remove it.")
    elif rule.hard and set(_axes_of(groups)) == {"user_state", "tone"} and rule.fallback is None:
        problem = "a hard rule of user_state and tone has no fallback"
        yield Fault(yaml_file.file, yaml_file.line((number,)), f"[{number}]", problem,
                    "Say in both languages what deploy gives up of the tone when that state is heard.")  # fmt: skip


def _axes_of(groups: Sequence[str]) -> list[str]:
    return [AXIS_OF_GROUP.get(group, group) for group in groups]


def _misplaced(groups: Sequence[str]) -> tuple[str, str] | None:
    """A rule where the factor tree has no room, and where to put it instead."""
    if len(groups) == 3:
        if set(groups) == {"domain", "user_state", "tone_family"}:
            return None
        return f"no room for a rule of {', '.join(groups)}", "The one triple is domain, user_state, tone_family."
    one, other = _axes_of(groups)
    if frozenset((one, other)) in RULE_PLACES:
        return None
    if one == other:
        return f"both terms lie on the axis {one}", "A persona has one level of each axis; drop the rule."
    path = _path(one, other)
    steps = " and ".join(f"{a}–{b}" for a, b in zip(path, path[1:], strict=False))
    return f"no room for a rule of {one} and {other}", f"They meet only through {steps}: put it there."


def _path(one: str, other: str) -> list[str]:
    def upward(name: str) -> list[str]:
        names = [axis.name for axis in TREE]
        found = [name]
        while TREE[names.index(found[-1])].parent >= 0:
            found.append(names[TREE[names.index(found[-1])].parent])
        return found

    left, right = upward(one), upward(other)
    shared = next((name for name in left if name in right), None)
    if shared is None:
        return [*left, *reversed(right)]
    return [*left[: left.index(shared) + 1], *reversed(right[: right.index(shared)])]


def _unknown(
    yaml_file: YamlFile, path: tuple[str | int, ...], group: str, ids: Iterable[str], known: set[str]
) -> Iterable[Fault]:
    for level in ids:
        if level not in known:
            problem = f"there is no {group} {level!r}"
            yield Fault(yaml_file.file, yaml_file.line(path), field_name(path), problem, nearest(level, known))


def _doubled(axes: Axes, parts: Mapping[str, list[tuple[YamlFile, Any]]]) -> Iterable[Fault]:
    first: dict[tuple[str, str], str] = {}
    for group, level, yaml_file, path in _placed_levels(parts):
        taken = first.get((group, level))
        first.setdefault((group, level), f"{yaml_file.file}:{yaml_file.line(path)}")
        if taken is not None:
            problem = f"{level!r} stands twice in {group}; first at {taken}"
            yield Fault(yaml_file.file, yaml_file.line(path), field_name(path), problem, "Rename one of them.")
    for yaml_file, file in parts["meeting"]:
        for number, meeting in enumerate(file.root):
            joined = " and ".join(f"{name} {level}" for name, level in zip(meeting.key, meeting.levels, strict=True))
            here = f"{yaml_file.file}:{yaml_file.line((number,))}: [{number}]"
            taken = first.setdefault(("meeting", joined), here)
            if taken != here:
                problem = f"a second meeting part of {joined}; the first is at {taken}"
                yield Fault(yaml_file.file, yaml_file.line((number,)), f"[{number}]", problem, "Keep one of them.")
    for name, levels in axes.levels.items():
        if len(levels) > MAX_LEVELS:
            file = parts[FILE_OF_AXIS.get(name, "speech")][0][0].file
            yield Fault(file, 0, name, f"{len(levels)} levels; {MAX_LEVELS} is the most", "Merge levels.")


def _placed_levels(
    parts: Mapping[str, list[tuple[YamlFile, Any]]],
) -> Iterable[tuple[str, str, YamlFile, tuple[str | int, ...]]]:
    """Every level of every axis and group: its group, its id, and where that id is written."""
    for kind, found in parts.items():
        for yaml_file, file in found:
            lists: dict[tuple[str, tuple[str, ...]], Sequence[Any]] = {}
            if kind == "scenarios":
                lists["scenario", ()] = file.root
            elif kind == "domains":
                lists = {("domain", ("domains",)): file.domains, ("need", ("needs",)): file.needs}
            elif kind == "speech":
                for name in SPEECH_AXES:
                    lists[name, (name, "levels")] = getattr(file, "register_" if name == "register" else name).levels
            elif kind in FILE_OF_AXIS.values():
                lists[kind, ("levels",)] = file.levels
                if kind == "tone":
                    lists["tone_family", ("families",)] = file.families
            for (group, path), levels in lists.items():
                for number, level in enumerate(levels):
                    yield group, level.id, yaml_file, (*path, number, "id")
