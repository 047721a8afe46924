import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from pipeline.axes import AXIS_NAMES, TREE, Axes
from pipeline.conversations import Sample
from pipeline.coverage import FrozenRows
from pipeline.errors import UsageError
from pipeline.files import write_text
from pipeline.matrix import Expansion, Rows, codes_of
from pipeline.persona_matrix import PersonaMatrix
from pipeline.plan import Plan, cells_covered, make_plan
from pipeline.quality import Quality, distances, measure, tally, verify
from pipeline.seeds import Seed
from pipeline.store import Version, open_version
from tests.conftest import BASE_ROWS
from tests.small_versions import SHARD_ROWS, altered, copied, resealed, rewritten, stored

ROWS = BASE_ROWS  # as many as the plan certifies
SCENARIO, USER_STATE, TONE = 0, 1, 2
STEPS = ("pace", "energy")


@pytest.fixture(scope="module")
def version(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Version:
    return stored(tmp_path_factory.mktemp("one"), plan, ROWS)


@pytest.fixture(scope="module")
def two_shards(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Version:
    return stored(tmp_path_factory.mktemp("two"), plan, SHARD_ROWS + 2_000)


@pytest.fixture(scope="module")
def rows(plan: Plan, version: Version) -> Rows:
    return codes_of(plan, version.scan().collect())


@pytest.fixture
def copy(version: Version, tmp_path: Path) -> Version:
    return copied(version, tmp_path)


def level_name(plan: Plan, axis: str, code: int) -> str | int:
    return getattr(plan.axes.speech, axis).levels[code].step if axis in STEPS else plan.axes.levels[axis][code].id


def measured(plan: Plan, rows: int, frame: pl.DataFrame) -> Quality:
    """Figures of a matrix of ``rows`` that is one shard."""
    return measure(plan, rows, [tally(Expansion(plan, rows), frame, 0)])


def replaced(frame: pl.DataFrame, row: int, column: str, value: object) -> pl.DataFrame:
    here = pl.int_range(pl.len()) == row
    literal = pl.lit(value, dtype=frame.schema[column])
    return frame.with_columns(pl.when(here).then(literal).otherwise(pl.col(column)).alias(column))


def zeros(plan: Plan, codes: tuple[int, ...]) -> set[str]:
    """The rules that ``codes`` break, looked up one by one."""
    tables = plan.tables
    s, u, t = codes[SCENARIO], codes[USER_STATE], codes[TONE]
    found = {
        "scenario and state": tables.scenario_state[s, u],
        "scenario and tone": tables.scenario_tone[s, t],
        "state and tone": tables.state_tone[u, t],
        "domain, state and tone family": tables.domain_state_family[tables.domain_of[s], u, tables.family_of[t]],
    }
    for number, axis in enumerate(TREE):
        if axis.parent >= 0:
            found[f"{TREE[axis.parent].name} and {axis.name}"] = tables.edges[number, codes[axis.parent], codes[number]]
    return {rule for rule, affinity in found.items() if affinity == 0}


class Change(NamedTuple):
    row: int
    axis: str
    code: int


def changes(plan: Plan, rows: Rows, axis: str) -> Iterator[tuple[Change, set[str], bool]]:
    """Changes of one level, each with the rules it breaks and whether it breaks a lock."""
    number = AXIS_NAMES.index(axis)
    for row, code in product(range(0, ROWS, 199), range(int(plan.tables.cards[number]))):
        codes = rows.codes[row].tolist()
        if codes[number] != code:
            codes[number] = code
            locked = not plan.masks[rows.seeds[row], number, code]
            yield Change(row, axis, code), zeros(plan, tuple(codes)), locked


def figures(quality: Quality) -> dict[str, int]:
    return {
        "rules": quality.broken_rules,
        "locks": quality.broken_locks,
        "twice": quality.duplicates,
        "not of plan": quality.not_of_plan,
    }


def test_a_good_matrix_has_no_fault_and_every_feasible_pair(version: Version, plan: Plan) -> None:
    faults, quality = verify(version)
    assert faults == []
    assert quality is not None
    assert quality.rows == ROWS
    assert set(figures(quality).values()) == {0}
    covered, feasible = cells_covered(plan, "pairs")
    assert quality.pairs_covered == quality.pairs_certified == quality.pairs_feasible == covered == feasible
    assert json.loads(json.dumps(quality.as_dict()))["distance"] == quality.distance


def test_no_row_of_a_good_matrix_breaks_a_rule_looked_up_one_by_one(plan: Plan, rows: Rows) -> None:
    assert all(not zeros(plan, tuple(codes)) for codes in rows.codes[::97].tolist())


def test_triples_are_counted_where_the_plan_covers_them(seeds: list[Seed], axes: Axes) -> None:
    certified = make_plan(seeds[:2], axes, 8_000, triples=True)
    frame = Expansion(certified, 8_000).frame(0, 8_000)
    quality = measured(certified, 8_000, frame)
    covered, feasible = cells_covered(certified, "triples")
    assert 0 < quality.triples_certified == quality.triples_covered == covered < feasible == quality.triples_feasible
    assert covered == sum(frame.select(names).n_unique() for names in combinations(AXIS_NAMES, 3))
    fewer = measured(certified, 8_000, frame.head(4_000))
    assert f"{covered - fewer.triples_covered:,} certified triples that no row has" in fewer.faults()


def test_a_seed_of_rows_enough_has_every_domain_with_every_tone_family_it_can_take(plan: Plan) -> None:
    """The plan is made for fewer rows than that: these are rows that only a larger matrix has."""
    first = plan.report["own"]["from"]
    rows = first * len(plan.seeds)
    assert plan.quotas(BASE_ROWS)[0] < first
    frame = Expansion(plan, rows).frame(0, rows)
    quality = measured(plan, rows, frame)
    assert (quality.own_seeds, quality.own_missed, quality.faults()) == (len(plan.seeds), 0, [])
    pair = {"domain": frame["domain"][7], "tone_family": frame["tone_family"][7], "seed_id": frame["seed_id"][7]}
    fewer = measured(plan, rows, frame.remove(**pair))
    assert fewer.own_missed == 1
    assert "1 pair of domain and tone family that its seed has no row in" in fewer.faults()


def test_pairs_are_those_that_the_columns_hold(version: Version) -> None:
    _, quality = verify(version)
    matrix = version.scan().collect()
    pairs = [(one, other) for i, one in enumerate(AXIS_NAMES) for other in AXIS_NAMES[i + 1 :]]
    assert quality is not None
    assert quality.pairs_covered == sum(matrix.select(pair).n_unique() for pair in pairs)


def test_distances_are_half_the_differences_of_shares(version: Version, plan: Plan) -> None:
    _, quality = verify(version)
    matrix = version.scan().collect()
    by_hand = {}
    for axis in AXIS_NAMES:
        counts = dict(matrix.group_by(axis).len().iter_rows())
        attainable = plan.report["axes"][axis]["levels"].values()
        by_hand[axis] = 0.5 * sum(
            abs(counts.get(level_name(plan, axis, code), 0) / ROWS - share)
            for code, (_, share, _) in enumerate(attainable)
        )
    assert quality is not None
    assert quality.distance == pytest.approx(by_hand, abs=1e-6)
    assert quality.worst_distance == pytest.approx(max(by_hand.values()), abs=1e-6)


def test_rows_that_all_have_one_level_are_as_far_off_as_its_share_is_below_one(plan: Plan) -> None:
    levels = np.zeros(plan.weights.shape, np.int64)
    levels[:, 1] = 7
    by_hand = {}
    for axis in AXIS_NAMES:
        share = list(plan.report["axes"][axis]["levels"].values())[1][1]
        by_hand[axis] = 1 - share
    assert distances(plan, levels) == pytest.approx(by_hand, abs=1e-5)


def test_below_its_base_rows_a_plan_certifies_no_pair(plan: Plan, tmp_path: Path) -> None:
    faults, quality = verify(stored(tmp_path, plan, 2_000))
    assert faults == []
    assert quality is not None
    assert quality.pairs_certified == 0
    assert quality.pairs_covered < quality.pairs_feasible


def test_a_matrix_of_base_rows_that_lacks_certified_pairs_is_faulty(plan: Plan) -> None:
    frame = Expansion(plan, ROWS).frame(0, ROWS)
    covered, _ = cells_covered(plan, "pairs")
    assert measured(plan, ROWS, frame).faults() == []
    quality = measured(plan, ROWS, frame.head(10_000))
    assert quality.pairs_covered < covered
    assert f"{covered - quality.pairs_covered:,} certified pairs that no row has" in quality.faults()


def flip_a_byte(version: Version) -> None:
    path = version.folder / "shards" / "00000.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_off(version: Version) -> None:
    path = version.folder / "shards" / "00000.parquet"
    path.write_bytes(path.read_bytes()[:-9])


def remove(version: Version) -> None:
    (version.folder / "shards" / "00000.parquet").unlink()


def add(version: Version) -> None:
    shutil.copy(version.folder / "shards" / "00000.parquet", version.folder / "shards" / "00001.parquet")


def change_plan(version: Version) -> None:
    path = version.folder / "plan.json"
    path.write_text(path.read_text("utf-8").replace('"base_rows": 30000', '"base_rows": 30001'), "utf-8")


def change_seeds(version: Version) -> None:
    path = version.folder / "seeds.jsonl"
    path.write_text(path.read_text("utf-8").replace("mei", "may"), "utf-8")


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (flip_a_byte, "shards/00000.parquet: its bytes have changed"),
        (cut_off, "shards/00000.parquet: {:,} bytes, not {:,}"),
        (remove, "shards/00000.parquet: missing"),
        (add, "shards/00001.parquet: not in the manifest"),
        (change_plan, "plan.json: its bytes have changed"),
        (change_seeds, "seeds.jsonl: its bytes have changed"),
    ],
)
def test_verify_finds_a_file_that_is_not_what_it_was(
    copy: Version, harm: Callable[[Version], None], fault: str
) -> None:
    size = next(file.bytes for file in copy.manifest.files if file.path == "shards/00000.parquet")
    harm(copy)
    faults, quality = verify(copy)
    assert len(faults) == 1
    assert faults[0].startswith(fault.format(size - 9, size))
    assert quality is None


def test_a_plan_that_was_changed_with_its_checksum_is_refused(copy: Version) -> None:
    change_plan(copy)
    with pytest.raises(UsageError, match="was changed after it was frozen"):
        verify(resealed(copy, copy.folder / "plan.json"))


@pytest.mark.parametrize(
    ("axis", "rule"),
    [
        ("user_state", "scenario and state"),
        ("tone", "scenario and tone"),
        ("tone", "state and tone"),
        ("relationship", "scenario and relationship"),
        ("environment", "scenario and environment"),
        ("verbosity", "scenario and verbosity"),
        ("turn_taking", "user_state and turn_taking"),
        ("register", "relationship and register"),
        ("pace", "tone and pace"),
        ("energy", "tone and energy"),
        ("cue", "tone and cue"),
    ],
)
def test_verify_finds_a_broken_rule_of_every_kind(copy: Version, plan: Plan, rows: Rows, axis: str, rule: str) -> None:
    change = next((c for c, broken, locked in changes(plan, rows, axis) if broken == {rule} and not locked), None)
    assert change is not None, f"no level of {axis} in these rows breaks just that rule"
    value = level_name(plan, axis, change.code)
    faults, quality = verify(altered(copy, 0, lambda frame: replaced(frame, change.row, axis, value)))
    assert {"1 row that breaks a rule", "1 row that is not its plan's"} <= {*faults}  # it may be a pair's only row
    assert quality is not None
    assert figures(quality) == {"rules": 1, "locks": 0, "twice": 0, "not of plan": 1}


def test_a_rule_of_three_is_held_against_domain_state_and_tone_family(version: Version, plan: Plan) -> None:
    table = plan.tables.domain_state_family.copy()
    domain, state, family = (plan.axes.codes[group] for group in ("domain", "user_state", "tone_family"))
    table[domain["travel"], state["tired"], family["warm"]] = 0
    tables = plan.tables._replace(domain_state_family=table)
    forbidden = replace(
        plan,
        tables=tables,
        coverage=FrozenRows(*(column[:0] for column in plan.coverage)),
    )
    frame = version.scan().collect()
    broken = frame.filter(domain="travel", user_state="tired", tone_family="warm").height
    assert 0 < broken == measured(forbidden, ROWS, frame).broken_rules


@pytest.mark.parametrize("axis", ["scenario", "tone", "register", "temperament"])
def test_verify_finds_a_broken_lock(copy: Version, plan: Plan, rows: Rows, axis: str) -> None:
    change = next(c for c, broken, locked in changes(plan, rows, axis) if not broken and locked)
    value = level_name(plan, axis, change.code)
    faults, quality = verify(altered(copy, 0, lambda frame: replaced(frame, change.row, axis, value)))
    assert {"1 row that breaks a lock", "1 row that is not its plan's"} <= {*faults}  # it may be a pair's only row
    assert quality is not None
    assert figures(quality) == {"rules": 0, "locks": 1, "twice": 0, "not of plan": 1}


def test_verify_finds_a_row_that_its_id_does_not_give_though_no_rule_forbids_it(
    copy: Version, plan: Plan, rows: Rows
) -> None:
    change = next(c for c, broken, locked in changes(plan, rows, "pace") if not broken and not locked)
    value = level_name(plan, "pace", change.code)
    faults, quality = verify(altered(copy, 0, lambda frame: replaced(frame, change.row, "pace", value)))
    assert faults == ["1 row that is not its plan's"]
    assert quality is not None
    assert figures(quality) == {"rules": 0, "locks": 0, "twice": 0, "not of plan": 1}


@pytest.mark.parametrize("column", [name for name in PersonaMatrix.column_names() if name not in AXIS_NAMES])
def test_no_column_can_be_altered_unseen(copy: Version, column: str) -> None:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        dtype, was = frame.schema[column], frame[column][5]
        if isinstance(dtype, pl.Enum):
            other = next((level for level in dtype.categories if level != was), None)
        else:
            other = "someone-else" if dtype == pl.String else 1 if was != 1 else 2
        return replaced(frame, 5, column, other)

    faults, _ = verify(altered(copy, 0, change))
    assert len(faults) == 1


def levels_of_row_before(frame: pl.DataFrame, row: int) -> pl.DataFrame:
    """Row ``row`` with all that the row before it is, but its own id."""
    before = frame[row - 1].with_columns(frame["persona_id"][row : row + 1], frame["variant"][row : row + 1])
    return pl.concat([frame[:row], before, frame[row + 1 :]])


def test_verify_finds_a_persona_that_occurs_twice(copy: Version) -> None:
    faults, quality = verify(altered(copy, 0, lambda frame: levels_of_row_before(frame, 77)))
    assert faults == ["1 row that occurs twice", "1 row that is not its plan's"]
    assert quality is not None
    assert figures(quality) == {"rules": 0, "locks": 0, "twice": 1, "not of plan": 1}


@pytest.fixture(params=[1, 2], ids=["one process", "two"])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("pipeline.quality.SHARDS_A_PROCESS", 1)
    return int(request.param)


def test_verify_finds_a_persona_that_occurs_again_in_the_next_shard(
    two_shards: Version, tmp_path: Path, workers: int
) -> None:
    version = copied(two_shards, tmp_path)
    assert verify(version, workers) == ([], verify(version)[1])
    last = pl.read_parquet(version.folder / "shards" / "00000.parquet")[-1]
    second = altered(version, 1, lambda frame: pl.concat([last, frame[1:]]))
    assert second.scan().select("seed_id").slice(SHARD_ROWS - 1, 2).collect().n_unique() == 1
    assert verify(second, workers)[0] == ["1 row that occurs twice", "1 row that is not its plan's"]
    broken = altered(version, 1, lambda frame: replaced(frame, 3, "valence", 101))
    assert verify(broken, workers)[0][0].startswith("rows that no persona matrix may have: ")


def test_verify_finds_rows_out_of_order(copy: Version) -> None:
    faults, _ = verify(altered(copy, 0, lambda frame: pl.concat([frame[1], frame[0], frame[2:]])))
    assert faults == ["2 rows that are not their plan's"]


def test_verify_finds_rows_that_were_cut_off_with_their_checksum(two_shards: Version, tmp_path: Path) -> None:
    short = altered(copied(two_shards, tmp_path), 1, lambda frame: frame.head(-10))
    assert verify(short)[0][0] == f"{SHARD_ROWS + 1_990:,} rows, not {SHARD_ROWS + 2_000:,}"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda frame: replaced(frame, 3, "valence", 101), "Column 'valence' failed validation for 1 rules"),
        (lambda frame: replaced(frame, 3, "seed_id", None), "Column 'seed_id' failed validation for 1 rules"),
        (lambda frame: replaced(frame, 3, "variant", 77_777), "'id_holds_variant' failed for 1 rows"),
        (lambda frame: frame.drop("pitch"), "missing columns"),
        (lambda frame: frame.cast({"tone": pl.String}), "invalid dtype"),
    ],
)
def test_verify_tells_what_no_matrix_may_hold(
    copy: Version, change: Callable[[pl.DataFrame], pl.DataFrame], fault: str
) -> None:
    faults, _ = verify(altered(copy, 0, change))
    assert len(faults) == 1
    assert faults[0].startswith("rows that no persona matrix may have: ")
    assert fault in faults[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.with_columns(note=pl.lit("x")),
        lambda frame: frame.select(reversed(frame.columns)),
        lambda frame: frame.cast({"tone": pl.Enum(sorted(frame.schema["tone"].categories))}),
    ],
    ids=["a column too many", "columns in another order", "an Enum in another order"],
)
def test_columns_that_are_not_the_plan_s_make_all_their_rows_wrong(
    copy: Version, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    faults, _ = verify(altered(copy, 0, change))
    assert f"{ROWS:,} rows that are not their plan's" in faults


def test_verify_finds_a_manifest_of_other_content(copy: Version) -> None:
    manifest = copy.manifest.model_copy(update={"rows_content": "0" * 64})
    write_text(copy.folder / "manifest.json", manifest.model_dump_json())
    (fault,) = verify(open_version(copy.folder))[0]
    assert fault == f"the content of the rows is {copy.manifest.rows_content[:12]}, not 000000000000"


def test_verify_finds_another_plan(copy: Version) -> None:
    manifest = copy.manifest.model_copy(update={"plan": "0" * 12})
    write_text(copy.folder / "manifest.json", manifest.model_dump_json())
    assert verify(open_version(copy.folder)) == ([f"plan.json is plan {copy.manifest.plan}, not 000000000000"], None)


FEW = 3_000


@pytest.fixture(scope="module")
def paired(
    plan: Plan, seeds: list[Seed], shipped_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> Version:
    return stored(tmp_path_factory.mktemp("paired"), plan, FEW, samples=shipped_samples, seeds=seeds)


def test_good_pairings_have_no_fault(paired: Version) -> None:
    faults, quality = verify(paired)
    assert faults == []
    assert quality is not None


def other_sample(version: Version) -> Version:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return replaced(
            frame, 7, "sample_id", next(name for name in frame["sample_id"] if name != frame["sample_id"][7])
        )

    return rewritten(version, "pairings/00000.parquet", change)


def other_fit(version: Version) -> Version:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        assert frame["fit"][7] == "context_only"
        return replaced(frame, 7, "fit", "authored_for")

    return rewritten(version, "pairings/00000.parquet", change)


def other_rung(version: Version) -> Version:
    return rewritten(version, "pairings/00000.parquet", lambda frame: replaced(frame, 7, "rung", "language_only"))


def other_score(version: Version) -> Version:
    return rewritten(
        version, "pairings/00000.parquet", lambda frame: replaced(frame, 7, "score", frame["score"][7] ^ 1)
    )


def one_pairing_less(version: Version) -> Version:
    return rewritten(version, "pairings/00000.parquet", lambda frame: frame[1:])


def other_columns(version: Version) -> Version:
    return rewritten(version, "pairings/00000.parquet", lambda frame: frame.drop("score"))


def other_reason(version: Version) -> Version:
    change = pl.lit("no_sample_in_language").cast(pl.read_parquet_schema(
        version.folder / "unmatched" / "00000.parquet")["reason"]).alias("reason")  # fmt: skip
    return rewritten(version, "unmatched/00000.parquet", lambda frame: frame.with_columns(change))


def nobody_unmatched(version: Version) -> Version:
    return rewritten(version, "unmatched/00000.parquet", lambda frame: frame[:0])


def other_words(version: Version) -> Version:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return replaced(frame, 0, "record", frame["record"][0].replace("user", "User", 1))

    return rewritten(version, "samples.parquet", change)


def other_license(version: Version) -> Version:
    return rewritten(version, "samples.parquet", lambda frame: replaced(frame, 0, "license", "CC0-1.0"))


def other_split(version: Version) -> Version:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return replaced(frame, 0, "split", "test" if frame["split"][0] == "train" else "train")

    return rewritten(version, "samples.parquet", change)


def other_uses(version: Version) -> Version:
    return rewritten(version, "samples.parquet", lambda frame: frame.with_columns(pl.col("uses") + 1))


def no_records(version: Version) -> Version:
    return rewritten(version, "samples.parquet", lambda frame: frame.drop("record"))


def other_manifest(**changes: object) -> Callable[[Version], Version]:
    def change(version: Version) -> Version:
        text = version.manifest.model_copy(update=changes).model_dump_json()
        write_text(version.folder / "manifest.json", text)
        return open_version(version.folder)

    return change


def without_pairings_of_its_shard(version: Version) -> Version:
    kept = tuple(file for file in version.manifest.files if file.path != "unmatched/00000.parquet")
    (version.folder / "unmatched" / "00000.parquet").unlink()
    return other_manifest(files=kept)(version)


WRONG_PAIRINGS = "pairings/00000.parquet: not what pairing its rows gives"
WRONG_UNMATCHED = "unmatched/00000.parquet: not what pairing its rows gives"
WRONG_SAMPLES = "samples.parquet: not what its records say and the pairings show"
OTHER_SAMPLES = "samples.parquet: not the samples that the manifest names"
OTHER_PAIRINGS = "the pairings are not those that the manifest names"


@pytest.mark.parametrize(
    ("harm", "faults"),
    [
        (other_sample, [WRONG_PAIRINGS]),
        (other_fit, [WRONG_PAIRINGS]),
        (other_rung, [WRONG_PAIRINGS]),
        (other_score, [WRONG_PAIRINGS]),
        (other_columns, [WRONG_PAIRINGS]),
        (one_pairing_less, [WRONG_PAIRINGS, OTHER_PAIRINGS]),
        (other_reason, [WRONG_UNMATCHED]),
        (nobody_unmatched, [WRONG_UNMATCHED]),
        (other_words, [OTHER_SAMPLES]),
        (no_records, [OTHER_SAMPLES]),
        (other_license, [WRONG_SAMPLES]),
        (other_split, [WRONG_SAMPLES]),
        (other_uses, [WRONG_SAMPLES]),
        (other_manifest(samples_content="0" * 64), [OTHER_SAMPLES]),
        (other_manifest(content="0" * 64), [OTHER_PAIRINGS]),
        (other_manifest(paired=1), [OTHER_PAIRINGS]),
        (other_manifest(samples=1), [OTHER_PAIRINGS]),
        (without_pairings_of_its_shard, [OTHER_PAIRINGS, WRONG_SAMPLES]),
    ],
)
def test_verify_finds_pairings_and_samples_that_are_not_those_that_were_dealt(
    paired: Version, tmp_path: Path, harm: Callable[[Version], Version], faults: list[str]
) -> None:
    assert verify(harm(copied(paired, tmp_path)))[0] == faults
