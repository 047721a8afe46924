import json
import re
import shutil
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.axes import AXIS_NAMES, AXIS_OF_GROUP, MAX_LEVELS, RULE_PLACES, TREE, Axes
from pipeline.axis_files import FILE_KINDS, SINGLE_KINDS, load_axes, read_axes
from pipeline.errors import Fault, InvalidRecords, UsageError
from pipeline.seeds import TRAITS

SMALL = Path(__file__).parent / "small_axes"
# A level of each axis and group of tests/small_axes.
A_LEVEL = {
    "scenario": "castle",
    "user_state": "sad",
    "tone": "low",
    "relationship": "regular",
    "register": "formal",
    "verbosity": "short",
    "environment": "quiet",
    "turn_taking": "waits",
    "pace": "more",
    "energy": "less",
    "cue": "sigh",
    "temperament": "openness+1",
    "domain": "travel",
    "tone_family": "play",
}

Edit = Callable[[str, str, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SMALL, tmp_path / "axes"))


@pytest.fixture
def edit(folder: Path) -> Edit:
    def replace(file: str, old: str, new: str) -> None:
        text = (folder / file).read_text("utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")

    return replace


def add_rules(folder: Path, *rules: str) -> None:
    (folder / "rules-new.yaml").write_text("".join(f"- {{{rule}, reason: because}}\n" for rule in rules), "utf-8")


def faults_of(folder: Path) -> list[tuple[str, int, str, str, str]]:
    return [
        (str(Path(fault.file).relative_to(folder)), fault.line, fault.field, fault.problem, fault.remedy)
        for fault in sorted(read_axes(folder)[1])
    ]


def only_fault(folder: Path) -> Fault:
    (fault,) = read_axes(folder)[1]
    return fault


def test_the_shipped_axes_are_without_fault_and_worded_in_both_languages(axes: Axes) -> None:
    assert len(axes.domains) >= 15
    assert {scenario.domain for scenario in axes.scenario} == set(axes.codes["domain"])
    assert {tone.family for tone in axes.tone} == set(axes.codes["tone_family"])
    for scenario in axes.scenario:
        for wording in (scenario.setting, scenario.situation):
            assert all(len(set(pair)) == 2 and all(pair) for pair in (wording.en, wording.zh))


def test_the_shipped_temperaments_are_all_shifts_of_none_one_or_two_traits(axes: Axes) -> None:
    one = [{trait: step} for trait in TRAITS for step in (-1, 1)]
    two = [{a: s, b: t} for a, b in combinations(TRAITS, 2) for s, t in product((-1, 1), repeat=2)]
    found = [dict(temperament.shift) for temperament in axes.temperament]
    assert len(found) == 51
    assert all(shift in found for shift in [{}, *one, *two])
    weight = {len(temperament.shift): temperament.share for temperament in axes.temperament}
    assert weight[0] > weight[1] > weight[2]


def test_levels_are_coded_in_file_order_and_axes_in_the_order_of_the_tree() -> None:
    axes = load_axes(SMALL)
    assert tuple(axes.levels) == AXIS_NAMES
    assert axes.cards == (3, 3, 3, 2, 4, 2, 2, 2, 3, 3, 2, 4)
    assert axes.codes["register"] == {"intimate": 0, "casual": 1, "neutral": 2, "formal": 3}
    assert axes.codes["scenario"] == {"castle": 0, "platform-change": 1, "night-train": 2}
    assert axes.domain_of == (1, 0, 0)
    assert axes.family_of == (0, 0, 1)


def test_a_domains_share_is_divided_among_its_scenarios_by_theirs() -> None:
    axes = load_axes(SMALL)
    assert axes.targets("scenario") == pytest.approx([3 / 4, 1 / 16, 3 / 16])
    assert axes.targets("user_state") == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("axis", AXIS_NAMES)
def test_target_shares_sum_to_one(axes: Axes, axis: str) -> None:
    targets = axes.targets(axis)
    assert sum(targets) == pytest.approx(1)
    assert min(targets) > 0
    assert len(targets) == len(axes.levels[axis])


def test_a_temperament_is_tagged_by_its_single_shifts_and_other_levels_as_authored() -> None:
    axes = load_axes(SMALL)
    assert [axes.tags("temperament", code) for code in range(4)] == [
        (),
        ("openness+1",),
        ("openness-1",),
        ("openness+1", "neuroticism-1"),
    ]
    assert axes.tags("tone", 0) == ("soft", "slow")


def test_axes_written_out_are_read_back_as_they_were(axes: Axes) -> None:
    text = axes.canonical()
    again = Axes.model_validate(json.loads(text))
    assert again == axes
    assert again.canonical() == text


def test_how_levels_are_spread_over_files_changes_nothing_but_their_order(folder: Path) -> None:
    scenarios = [*yaml.safe_load((folder / "scenarios/stories.yaml").read_text("utf-8"))]
    scenarios += yaml.safe_load((folder / "scenarios/travel.yaml").read_text("utf-8"))
    shutil.rmtree(folder / "scenarios")
    (folder / "scenarios.yml").write_text(yaml.safe_dump(scenarios, allow_unicode=True), "utf-8")
    (folder / "rules").mkdir()
    (folder / "rules-hard.yaml").rename(folder / "rules" / "any-name.yaml")
    axes, small = load_axes(folder), load_axes(SMALL)
    assert axes.scenario == small.scenario
    assert sorted(map(str, axes.rules)) == sorted(map(str, small.rules))


TREE_EDGES = {frozenset((axis.name, TREE[axis.parent].name)) for axis in TREE if axis.parent >= 0}
MERGED_PAIRS = {frozenset(pair) for pair in combinations(("scenario", "user_state", "tone"), 2)}


def test_the_tree_has_room_where_the_design_says() -> None:
    assert RULE_PLACES == MERGED_PAIRS | TREE_EDGES
    pairs = (
        ("scenario", "relationship"), ("scenario", "verbosity"), ("scenario", "environment"),
        ("relationship", "register"), ("user_state", "turn_taking"),
        ("tone", "pace"), ("tone", "energy"), ("tone", "cue"), ("tone", "temperament"),
    )  # fmt: skip
    assert {frozenset(pair) for pair in pairs} == TREE_EDGES


def test_a_rule_where_the_tree_has_no_room_is_told_the_edges_to_use_instead(folder: Path) -> None:
    pairs = list(product(A_LEVEL, repeat=2))
    add_rules(folder, *(f"affinity: 0.5, pair: [{{{a}: {A_LEVEL[a]}}}, {{{b}: {A_LEVEL[b]}}}]" for a, b in pairs))
    found = {fault.line: fault for fault in read_axes(folder)[1]}
    for line, (group, other_group) in enumerate(pairs, 1):
        one, other = AXIS_OF_GROUP.get(group, group), AXIS_OF_GROUP.get(other_group, other_group)
        if frozenset((one, other)) in RULE_PLACES:
            assert line not in found
            continue
        fault = found[line]
        assert fault.field == f"[{line - 1}].pair"
        if one == other:
            assert fault.problem == f"both terms lie on the axis {one}"
            continue
        assert fault.problem == f"no room for a rule of {one} and {other}"
        steps = [tuple(step.split("–")) for step in re.findall(r"\w+–\w+", fault.remedy)]
        assert all(frozenset(step) in RULE_PLACES for step in steps)
        assert (steps[0][0], steps[-1][1]) == (one, other)
        assert all(step[1] == following[0] for step, following in zip(steps, steps[1:], strict=False))


@pytest.mark.parametrize(
    ("one", "other", "remedy"),
    [
        ("pace: more", "energy: less", "They meet only through pace–tone and tone–energy: put it there."),
        ("register: formal", "scenario: castle",
         "They meet only through register–relationship and relationship–scenario:"),
        ("cue: sigh", "turn_taking: waits",
         "They meet only through cue–tone and tone–user_state and user_state–turn_taking:"),
        ("domain: travel", "pace: more", "They meet only through scenario–tone and tone–pace: put it there."),
    ],
)  # fmt: skip
def test_the_edges_named_lead_from_one_level_to_the_other(folder: Path, one: str, other: str, remedy: str) -> None:
    add_rules(folder, f"hard: [{{{one}}}, {{{other}}}]")
    assert only_fault(folder).remedy.startswith(remedy)
    assert only_fault(folder).field == "[0].hard"


@pytest.mark.parametrize(
    "groups",
    [("scenario", "user_state", "tone_family"), ("domain", "user_state", "tone"), ("domain", "domain", "domain")],
)
def test_the_one_triple_is_domain_state_and_tone_family(folder: Path, groups: tuple[str, ...]) -> None:
    terms = ", ".join(f"{{{group}: {A_LEVEL[group]}}}" for group in groups)
    add_rules(folder, f"affinity: 0.5, triple: [{terms}]")
    fault = only_fault(folder)
    assert (fault.field, fault.problem) == ("[0].triple", f"no room for a rule of {', '.join(groups)}")
    assert fault.remedy == "The one triple is domain, user_state, tone_family."


def test_the_triple_may_name_its_groups_in_any_order(folder: Path) -> None:
    add_rules(folder, "affinity: 0.5, triple: [{tone_family: play}, {domain: travel}, {user_state: '#heavy'}]")
    assert read_axes(folder)[1] == []


@pytest.mark.parametrize(
    ("rule", "field", "problem", "remedy"),
    [
        ("hard: [{user_state: glad}, {turn_taking: waits}]", "[0].hard[0].user_state", "there is no user_state 'glad'",
         "Known: "),
        ("hard: [{tone: low}, {pace: mor}]", "[0].hard[1].pace", "there is no pace 'mor'", "Did you mean 'more'?"),
        ("affinity: 0.5, pair: [{cue: sigh}, {tone: [low, flat]}]", "[0].pair[1].tone", "there is no tone 'flat'",
         "Known: "),
        ("affinity: 0.5, pair: [{cue: sigh}, {tone: '#loud'}]", "[0].pair[1].tone",
         "no level of tone has the tag 'loud'", "Tag a level with it, or name levels."),
        ("affinity: 0.5, pair: [{cue: sigh}, {tone_family: '#soft'}]", "[0].pair[1].tone_family",
         "no level of tone_family has the tag 'soft'", "Tag a level with it, or name levels."),
        ("affinity: 0.5, pair: [{cue: sigh}, {tone: []}]", "[0].pair[1].tone", "names no level of tone",
         "Name one, or drop the rule."),
        ("affinity: 0.5, triple: [{domain: sea}, {user_state: sad}, {tone_family: play}]", "[0].triple[0].domain",
         "there is no domain 'sea'", "Known: stories, travel."),
        ("hard: [{mood: low}, {pace: more}]", "[0].hard[0]", "'mood' is not one of ['scenario', 'user_state'",
         "Use one of these values."),
        ("hard: [{tone: low, pace: more}, {cue: sigh}]", "[0].hard[0]", "too many properties", "See maxProperties in"),
        ("hard: [{tone: low}]", "[0].hard", "is too short", "Add items."),
        ("hard: [{tone: low}, {pace: more}, {cue: sigh}]", "[0].hard", "is too long", "Remove items."),
        ("affinity: 0, pair: [{tone: low}, {pace: more}]", "[0].affinity", "less than or equal to the minimum of 0",
         "See"),
        ("affinity: 1.5, pair: [{tone: low}, {pace: more}]", "[0].affinity", "greater than the maximum of 1", "See"),
        ("affinity: 0.5, hard: [{tone: low}, {pace: more}]", "[0]", "a rule is {hard: [a, b]}, {affinity, pair", "See"),
        ("pair: [{tone: low}, {pace: more}]", "[0]", "a rule is {hard: [a, b]}, {affinity, pair", "See"),
        ("affinity: 0.5", "[0]", "a rule is {hard: [a, b]}, {affinity, pair", "See"),
    ],
)  # fmt: skip
def test_a_rule_that_refers_to_nothing_or_has_no_form_is_a_fault(
    folder: Path, rule: str, field: str, problem: str, remedy: str
) -> None:
    add_rules(folder, rule)
    fault = only_fault(folder)
    assert (fault.file, fault.line, fault.field) == (str(folder / "rules-new.yaml"), 1, field)
    assert problem in fault.problem
    assert fault.remedy.startswith(remedy)


def test_a_rule_without_a_reason_is_a_fault(folder: Path) -> None:
    (folder / "rules-new.yaml").write_text("- {hard: [{tone: low}, {cue: sigh}]}\n", "utf-8")
    assert only_fault(folder).problem == "'reason' is a required property"


@pytest.mark.parametrize(
    ("rule", "faulty"),
    [
        ("hard: [{user_state: sad}, {tone: low}]", True),
        ("hard: [{tone_family: play}, {user_state: '#heavy'}]", True),
        ("hard: [{user_state: sad}, {tone: low}], fallback: {en: 'if {heard_as}, stop', zh: 停}", False),
        ("affinity: 0.1, pair: [{user_state: sad}, {tone: low}]", False),
        ("hard: [{user_state: sad}, {turn_taking: jumps-in}]", False),
        ("hard: [{scenario: castle}, {user_state: sad}]", False),
    ],
)
def test_only_a_hard_rule_of_state_and_tone_needs_a_fallback(folder: Path, rule: str, faulty: bool) -> None:
    add_rules(folder, rule)
    found = [fault.problem for fault in read_axes(folder)[1]]
    assert found == (["a hard rule of user_state and tone has no fallback"] if faulty else [])


def test_a_fallback_is_said_in_both_languages(folder: Path) -> None:
    add_rules(folder, "hard: [{user_state: sad}, {tone: low}], fallback: {en: stop}")
    assert (only_fault(folder).field, only_fault(folder).problem) == ("[0].fallback", "'zh' is a required property")


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "field", "problem", "remedy"),
    [
        ("scenarios/travel.yaml", "domain: travel", "domain: travle", 2, "[0].domain", "there is no domain 'travle'",
         "Did you mean 'travel'?"),
        ("scenarios/travel.yaml", "[sight]", "[sight, smell]", 12, "[0].needs", "there is no need 'smell'", "Known: "),
        ("scenarios/travel.yaml", "[quiet, street]", "[quiet, moon]", 6, "[0].environment.allowed",
         "there is no environment 'moon'", "Known: quiet, street."),
        ("scenarios/travel.yaml", "{stranger: 1.0, regular: 0.5}", "{foe: 1.0}", 13, "[0].relationships",
         "there is no relationship 'foe'", "Known: regular, stranger."),
        ("scenarios/travel.yaml", "{calm: 1.0, play: 0.5}", "{grim: 1.0}", 14, "[0].tone_families",
         "there is no tone_family 'grim'", "Known: calm, play."),
        ("scenarios/travel.yaml", "{neutral: 1.0, sad: 0.25}", "{neutrl: 1.0}", 15, "[0].states",
         "there is no user_state 'neutrl'", "Did you mean 'neutral'?"),
        ("scenarios/travel.yaml", "verbosity: {short: 1.0}", "verbosity: {terse: 1.0}", 16, "[0].verbosity",
         "there is no verbosity 'terse'", "Known: long, short."),
        ("scenarios/travel.yaml", "{short: 1.0, long: 0.5}", "{long: 0}", 33, "[1].verbosity.long",
         "0 is less than or equal to the minimum of 0", "See exclusiveMinimum"),
        ("scenarios/travel.yaml", "stances: [expert]", "stances: [wizard]", 22, "[1].stances[0]",
         "'wizard' is not one of", "Use one of these values."),
        ("scenarios/travel.yaml", "audience: general", "audience: cats", 17, "[0].audience", "'cats' is not one of",
         "Use one of these values."),
        ("scenarios/travel.yaml", "  share: 3", "  share: 3\n  colour: red", 19, "[1]", "'colour' was unexpected",
         "Remove it, or correct its spelling."),
        ("tone.yaml", "family: play", "family: plai", 9, "levels[2].family", "there is no tone_family 'plai'",
         "Did you mean 'play'?"),
        ("tone.yaml", "valence: 60", "valence: 101", 9, "levels[2].valence", "101 is greater than the maximum of 100",
         "See"),
        ("tone.yaml", "pace: -1", "pace: -2", 6, "levels[0].implies.pace", "-2 is less than the minimum of -1", "See"),
        ("tone.yaml", '["Level.", "Even."]', '["Level."]', 8, "levels[1].direction.en", "is too short", "Add items."),
        ("meeting.yaml", "state: sad", "state: glad", 1, "[0].state", "there is no user_state 'glad'", "Known: "),
        ("meeting.yaml", "register: formal", "register: stiff", 2, "[1].register", "there is no register 'stiff'",
         "Known: "),
        ("meeting.yaml", "state: sad, ", "domain: travel, relationship: regular, ", 1, "[0]",
         "not domain and relationship and tone_family", "See schemas/axes.schema.json."),
        ("meeting.yaml", "state: sad, tone_family: calm", "state: sad, temperament: none", 1, "[0]",
         "a meeting part is of a mood of one shifted trait, not 'none'", "See schemas/axes.schema.json."),
        ("meeting.yaml", "state: sad, tone_family: calm", "state: sad, temperament: openness-2", 1, "[0].temperament",
         "there is no temperament 'openness-2'", "Did you mean"),
        ("temperament.yaml", "{id: openness+1,", "{id: openness+2,", 3, "levels[1]",
         "the id of this shift is 'openness+1', not 'openness+2'", "See schemas/axes.schema.json."),
        ("temperament.yaml", "{openness: 1}", "{openness: 2}", 3, "levels[1].shift.openness", "2 is not one of [-1, 1]",
         "Use one of these values."),
        ("temperament.yaml", "{openness: -1}", "{charm: -1}", 4, "levels[2].shift", "'charm' is not one of",
         "Use one of"),
        ("user_state.yaml", "id: sad", "id: Very Sad", 6, "levels[1].id", "does not match", "Write it in this form."),
        ("user_state.yaml", "id: sad", "id: 7", 6, "levels[1].id", "7 is not of type 'string'", "Change its type."),
        ("user_state.yaml", "share: 2", "share: .nan", 3, "levels[0].share", "less than or equal to 1000", "See"),
        ("speech.yaml", "{id: more, step: 1, share: 1}", "{id: more, step: 2, share: 1}", 2, "pace.levels[2].step",
         "2 is greater than the maximum of 1", "See"),
        ("speech.yaml", "{id: more, step: 1, share: 1}", "{id: more, step: 0, share: 1}", 1, "pace",
         "the levels are the steps -1, 0 and 1, in this order", "See"),
        ("domains.yaml", "share: 3", "share: 0", 3, "domains[1].share", "0 is less than or equal to the minimum of 0",
         "See"),
        ("domains.yaml", "en: stories, ", "", 3, "domains[1].name", "'en' is a required property", "Add it."),
    ],
)  # fmt: skip
def test_a_faulty_level_is_named_with_file_line_field_and_remedy(
    folder: Path, edit: Edit, file: str, old: str, new: str, line: int, field: str, problem: str, remedy: str
) -> None:
    edit(file, old, new)
    found = [fault for fault in faults_of(folder) if fault[2] == field]
    assert found, faults_of(folder)
    assert found[0][:3] == (file, line, field)
    assert problem in found[0][3]
    assert found[0][4].startswith(remedy)


@pytest.mark.parametrize(
    ("file", "old", "new", "level"),
    [
        ("scenarios/stories.yaml", "id: castle", "id: night-train", "night-train"),
        ("user_state.yaml", "id: angry", "id: sad", "sad"),
        ("tone.yaml", "{id: teasing", "{id: even", "even"),
        ("tone.yaml", "{id: play,", "{id: calm,", "calm"),
        ("domains.yaml", "{id: stories", "{id: travel", "travel"),
        ("domains.yaml", "{id: authority", "{id: sight", "sight"),
        ("speech.yaml", "{id: formal", "{id: casual", "casual"),
        ("speech.yaml", "{id: more,", "{id: less,", "less"),
    ],
)
def test_a_level_that_stands_twice_is_a_fault(
    folder: Path, edit: Edit, file: str, old: str, new: str, level: str
) -> None:
    edit(file, old, new)
    doubled = [fault for fault in read_axes(folder)[1] if fault.problem.startswith(f"{level!r} stands twice")]
    assert doubled
    assert {fault.remedy for fault in doubled} == {"Rename one of them."}


@pytest.mark.parametrize(("states", "faulty"), [(MAX_LEVELS, False), (MAX_LEVELS + 1, True)])
def test_an_axis_has_as_many_levels_as_a_byte_can_tell(folder: Path, states: int, faulty: bool) -> None:
    file = folder / "user_state.yaml"
    levels = yaml.safe_load(file.read_text("utf-8"))["levels"]
    levels += [levels[0] | {"id": f"mood-{n}"} for n in range(states - len(levels))]
    file.write_text(yaml.safe_dump({"levels": levels}), "utf-8")
    found = [(fault.problem.partition("; ")[2], fault.remedy) for fault in read_axes(folder)[1]]
    assert found == ([("255 is the most", "Merge levels.")] if faulty else [])


def test_every_fault_of_every_file_is_listed_at_once(folder: Path, edit: Edit) -> None:
    edit("tone.yaml", "valence: 10", "valence: high")
    edit("tone.yaml", "share: 1,", "shares: 1,")
    edit("scenarios/travel.yaml", "world: any", "world: flat")
    edit("speech.yaml", "turn_taking:\n", "turn_taking: [\n")
    (folder / "moods.yaml").write_text("levels: []", "utf-8")
    (folder / "rules-new.yaml").write_bytes("- {reason: 中}".encode("gbk"))
    (folder / "meeting-new.yaml").touch()
    (folder / "domains.yaml").unlink()
    with pytest.raises(InvalidRecords) as caught:
        load_axes(folder)
    found = [(str(Path(f.file).relative_to(folder)), f.line > 0, f.field) for f in caught.value.faults]
    assert found == [
        (".", False, "domains"),
        ("meeting-new.yaml", False, ""),
        ("moods.yaml", False, ""),
        ("rules-new.yaml", False, ""),
        ("scenarios/travel.yaml", True, "[1].world"),
        ("speech.yaml", True, ""),
        ("tone.yaml", True, "levels[0]"),
        ("tone.yaml", True, "levels[0]"),
        ("tone.yaml", True, "levels[0].valence"),
    ]
    message = str(caught.value)
    assert f"{folder}/moods.yaml: not a file of axes. Name it for what it holds: {', '.join(FILE_KINDS)}." in message
    assert f"{folder}/rules-new.yaml: not UTF-8 at byte 11. Save the file as UTF-8." in message
    assert f"{folder}/meeting-new.yaml: holds nothing. Fill it, or delete the file." in message
    assert f"{folder}: domains: no file of this kind. Add domains.yaml." in message


def test_every_dangling_reference_is_listed_at_once(folder: Path, edit: Edit) -> None:
    edit("scenarios/travel.yaml", "[sight]", "[smell]")
    edit("scenarios/stories.yaml", "[authority]", "[magic]")
    edit("meeting.yaml", "regular", "foe")
    add_rules(folder, "hard: [{tone: flat}, {pace: warp}]", "hard: [{pace: more}, {cue: hum}]")
    assert [(file, field) for file, _, field, _, _ in faults_of(folder)] == [
        ("meeting.yaml", "[1].relationship"),
        ("rules-new.yaml", "[0].hard[0].tone"),
        ("rules-new.yaml", "[0].hard[1].pace"),
        ("rules-new.yaml", "[1].hard"),
        ("rules-new.yaml", "[1].hard[1].cue"),
        ("scenarios/stories.yaml", "[0].needs"),
        ("scenarios/travel.yaml", "[0].needs"),
    ]


def test_a_syntax_error_stands_on_its_line(folder: Path) -> None:
    (folder / "rules-new.yaml").write_text("- {hard: [{tone: low}, {pace: more}],\n   reason: 'no end}\n", "utf-8")
    fault = only_fault(folder)
    assert fault.line == 3
    assert fault.problem.startswith("not valid YAML")


@pytest.mark.parametrize("name", ["moods.yaml", "tones.yaml", "seeds/tone.yaml", "rules_hard.yml"])
def test_an_unknown_file_in_the_folder_is_a_fault(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    shutil.copy(folder / "tone.yaml", folder / name)
    assert faults_of(folder)[0][::3] == (name, "not a file of axes")


def test_notes_beside_the_yaml_are_no_fault(folder: Path) -> None:
    (folder / "README.md").write_text("Axes of ours.", "utf-8")
    assert read_axes(folder)[1] == []


@pytest.mark.parametrize("kind", SINGLE_KINDS)
def test_a_second_file_of_a_kind_that_is_one_is_not_passed_over(folder: Path, kind: str) -> None:
    shutil.copy(folder / f"{kind}.yaml", folder / f"{kind}-more.yaml")
    fault = only_fault(folder)
    assert fault.problem == f"a second file of {kind}; the first is {kind}-more.yaml"
    assert fault.remedy == "Put both into one file."


@pytest.mark.parametrize("kind", ["domains", "tone", "user_state", "temperament", "speech"])
def test_a_missing_file_is_named(folder: Path, kind: str) -> None:
    (folder / f"{kind}.yaml").unlink()
    assert only_fault(folder) == Fault(str(folder), 0, kind, "no file of this kind", f"Add {kind}.yaml.")


def test_axes_without_a_scenario_are_a_fault(folder: Path) -> None:
    shutil.rmtree(folder / "scenarios")
    assert only_fault(folder).field == "scenarios"
    (folder / "scenarios.yaml").write_text("[]", "utf-8")
    assert only_fault(folder).problem == "[] should be non-empty"


def test_rules_and_meeting_parts_may_be_absent(folder: Path) -> None:
    for file in ("meeting.yaml", "rules-hard.yaml", "rules-fit.yaml"):
        (folder / file).unlink()
    axes = load_axes(folder)
    assert (axes.rules, axes.meetings) == ((), ())


@pytest.mark.parametrize(("name", "message"), [("none", "no such folder"), ("tone.yaml", "no such folder")])
def test_a_path_that_is_no_folder_is_the_callers_mistake(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_axes(folder / name)


def test_text_that_looks_like_a_template_stays_text(folder: Path, edit: Edit) -> None:
    text = "{{ seed }} <b>{% if x %}</b>"
    edit("scenarios/travel.yaml", '"The train was moved."', json.dumps(text))
    assert load_axes(folder).scenario[1].situation.en[0] == text


YAML_TRAPS: list[Any] = [
    pytest.param("{calm: 1.0, calm: 0.2}", "the key 'calm' stands twice", id="doubled key"),
    pytest.param("{no: 1.0}", "the key no is not text", id="a key that YAML takes for false"),
    pytest.param("{12: 1.0}", "the key 12 is not text", id="a key that YAML takes for a number"),
    pytest.param("2026-11-21", "2026-11-21", id="a value that YAML takes for a date"),
    pytest.param("2026-13-01", "2026-13-01", id="a value that YAML takes for an impossible date"),
    pytest.param("&a {calm: *a}", "recursive", id="a value that holds itself"),
    pytest.param("!!set {calm}", "tag:yaml.org,2002:set", id="a set"),
    pytest.param("!!binary aGk=", "tag:yaml.org,2002:binary", id="bytes"),
]


@pytest.mark.parametrize(("value", "problem"), YAML_TRAPS)
def test_what_yaml_would_read_as_something_else_is_a_fault(folder: Path, edit: Edit, value: str, problem: str) -> None:
    edit("scenarios/travel.yaml", "{calm: 1.0, play: 0.5}", value)
    fault = only_fault(folder)
    assert fault.file == str(folder / "scenarios/travel.yaml")
    assert fault.line == 14
    assert problem in fault.problem


@pytest.mark.parametrize("depth", [25, 2000, 100_000])
def test_deeply_nested_yaml_is_a_fault(folder: Path, depth: int) -> None:
    (folder / "meeting-new.yaml").write_text("[" * depth + "]" * depth, "utf-8")
    fault = only_fault(folder)
    assert (fault.file, fault.problem) == (str(folder / "meeting-new.yaml"), "nested too deeply")


def test_a_level_that_stands_twice_is_named_where_it_stands(folder: Path, edit: Edit) -> None:
    edit("user_state.yaml", "id: angry", "id: sad")
    doubled = next(fault for fault in faults_of(folder) if "stands twice" in fault[3])
    assert doubled[:3] == ("user_state.yaml", 11, "levels[2].id")


def test_a_second_meeting_part_of_the_same_levels_names_the_first_place(folder: Path) -> None:
    part = "{register: formal, relationship: regular, en: [a, b], zh: [c, d]}"
    (folder / "meeting-new.yaml").write_text(f"[{part}, {part}]\n", "utf-8")  # read before meeting.yaml
    problem = "a second meeting part of relationship regular and register formal; the first is at "
    problem += f"{folder}/meeting-new.yaml:1: [0]"
    assert faults_of(folder) == [
        ("meeting-new.yaml", 1, "[1]", problem, "Keep one of them."),
        ("meeting.yaml", 2, "[1]", problem, "Keep one of them."),
    ]


def test_only_a_hard_rule_of_state_and_tone_has_a_fallback(folder: Path) -> None:
    rule = {
        "affinity": 0.5, "pair": [{"user_state": "sad"}, {"tone_family": "calm"}], "reason": "because",
        "fallback": {"en": "if {heard_as}, {ask}", "zh": "要是{heard_as}：{ask}"},
    }  # fmt: skip
    (folder / "rules-fallback.yaml").write_text(json.dumps([rule]), "utf-8")
    fault = only_fault(folder)
    assert (fault.field, fault.problem) == ("[0].fallback", "only a hard rule of user_state and tone has a fallback")
