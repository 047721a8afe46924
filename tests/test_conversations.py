import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.axes import Axes
from pipeline.build import check_inputs
from pipeline.cli import main
from pipeline.conversations import SAMPLES, Sample, addresses, check_samples, is_samples, load_samples
from pipeline.errors import InvalidRecords
from pipeline.records import read_records
from pipeline.seeds import Seed
from tests.conftest import ROOT

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def shipped() -> list[Sample]:
    return load_samples([ROOT / "data" / "conversations"])


@pytest.fixture
def write(shipped: list[Sample], tmp_path: Path) -> Write:
    """Writes the first shipped sample, changed."""

    def written(*changes: dict[str, Any]) -> Path:
        document = shipped[0].model_dump(mode="json", by_alias=True)
        path = tmp_path / "samples.jsonl"
        path.write_text("".join(json.dumps(document | change) + "\n" for change in changes), "utf-8")
        return path

    return written


def by_id(seeds: list[Seed]) -> dict[str, Seed]:
    return {seed.id: seed for seed in seeds}


def test_shipped_samples_are_without_fault(axes: Axes, shipped_seeds: list[Seed]) -> None:
    assert check_samples([ROOT / "data" / "conversations"], axes, by_id(shipped_seeds))[1] == []


def test_each_shipped_sample_is_authored_for_a_seed_and_says_whose_it_is(shipped: list[Sample]) -> None:
    assert all(sample.seed_id and sample.scenario and sample.user_state for sample in shipped)
    assert {sample.provenance.license for sample in shipped} == {"CC-BY-4.0"}
    assert all(4 <= len(sample.turns) <= 10 for sample in shipped)
    assert len({sample.id for sample in shipped}) == len(shipped)


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"turns": []}, "turns", "should be non-empty"),
        ({"turns": [{"role": "assistant", "text": "Yes."}]}, "turns[0].role", "'assistant' is not one of"),
        ({"turns": [{"role": "user", "text": "  "}]}, "turns[0].text", "does not match"),
        ({"turns": [{"role": "user", "text": "a\u0007b"}]}, "turns[0].text", "does not match"),
        ({"turns": [{"role": "user", "text": "Hm."}] * 300}, "turns", "too long"),
        ({"mood": "low"}, "", "'mood' was unexpected"),
        ({"provenance": None}, "provenance", "is not of type 'object'"),
    ],
)
def test_a_record_that_is_no_sample_is_a_fault(write: Write, change: dict[str, Any], field: str, problem: str) -> None:
    (sample,), (fault,) = read_records(SAMPLES, [write(change)])
    assert sample.broken == change.keys() - {"mood"}
    assert (fault.line, fault.field) == (1, field)
    assert problem in fault.problem


@pytest.mark.parametrize("field", [field.alias or name for name, field in Sample.model_fields.items()])
def test_a_broken_field_of_a_sample_is_the_only_one_at_fault(
    write: Write, axes: Axes, shipped_seeds: list[Seed], field: str
) -> None:
    path = write({field: [[]]})
    (sample,), faults = read_records(SAMPLES, [path])
    assert sample.broken == {field}
    assert check_samples([path], axes, by_id(shipped_seeds))[1] == faults


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"domain": "astronomy"}, "domain", "there is no domain 'astronomy'"),
        ({"scenario": "the-moon"}, "scenario", "there is no scenario 'the-moon'"),
        ({"user_state": "bored"}, "user_state", "there is no user_state 'bored'"),
        ({"seed_id": "nobody"}, "seed_id", "there is no seed 'nobody'"),
    ],
)
def test_a_sample_that_names_nothing_is_a_fault(
    write: Write, axes: Axes, shipped_seeds: list[Seed], change: dict[str, Any], field: str, problem: str
) -> None:
    faults = check_samples([write(change)], axes, by_id(shipped_seeds))[1]
    assert [(fault.field, fault.problem) for fault in faults] == [(field, problem)]


@pytest.mark.parametrize(("role", "problem"), [("user", "{seed} says nothing"), ("persona", "the user says nothing")])
def test_a_sample_in_which_one_side_is_silent_is_a_fault(
    write: Write, axes: Axes, shipped: list[Sample], shipped_seeds: list[Seed], role: str, problem: str
) -> None:
    faults = check_samples([write({"turns": [{"role": role, "text": "Hello?"}]})], axes, by_id(shipped_seeds))[1]
    assert [(fault.field, fault.problem) for fault in faults] == [("turns", problem.format(seed=shipped[0].seed_id))]


def test_of_a_sample_that_speaks_for_nobody_the_user_s_side_is_enough(write: Write, axes: Axes) -> None:
    path = write({"turns": [{"role": "user", "text": "Hello?"}], "seed_id": None})
    assert check_samples([path], axes, {})[1] == []


@pytest.mark.parametrize(
    ("lang", "name", "said", "called"),
    [
        ("en", "Orla Keane", "Is that you, Orla?", True),
        ("en", "Orla Keane", "Mrs Keane, please.", True),
        ("en", "Orla Keane", "I lost my keane-edged knife, orla.", False),
        ("en", "Orla Keane", "Orlando is far away.", False),
        ("en", "Bo Li", "Bo and Li went home.", False),
        ("en", "Jean-Luc", "Luc, wait.", True),
        ("zh", "沈安邦", "安邦，你在吗？", True),
        ("zh", "沈安邦", "沈师傅，表停了。", True),
        ("zh", "沈安邦", "老沈在不在？", True),
        ("zh", "沈安邦", "沈阳下雪了。", False),
        ("zh", "欧阳静", "欧阳老师好。", True),
        ("zh", "欧阳静", "阳台上有人。", False),
        ("en", None, "None of this is right.", False),
        ("zh", None, "老的也行。", False),
    ],
)
def test_a_user_calls_a_persona_by_its_name_as_people_do(
    seeds: list[Seed], lang: str, name: str | None, said: str, called: bool
) -> None:
    assert addresses(said, seeds[0].model_copy(update={"lang": lang, "name": name})) is called


def test_a_sample_of_another_domain_or_language_than_it_says_is_a_fault(
    write: Write, axes: Axes, shipped: list[Sample], shipped_seeds: list[Seed]
) -> None:
    other = next(s for s in shipped if s.lang != shipped[0].lang)
    domain = next(d.id for d in axes.domains if d.id != shipped[0].domain)
    faults = check_samples([write({"domain": domain}, {"lang": other.lang, "id": "b"})], axes, by_id(shipped_seeds))[1]
    assert [(fault.line, fault.field) for fault in faults] == [(1, "domain"), (2, "lang")]


def test_a_seed_that_never_meets_the_scenario_is_a_fault(
    write: Write, axes: Axes, shipped: list[Sample], shipped_seeds: list[Seed]
) -> None:
    stranger = next(
        s for s in shipped_seeds if s.lang == shipped[0].lang and shipped[0].domain not in (s.bridges or {})
    )
    (fault,) = check_samples([write({"seed_id": stranger.id})], axes, by_id(shipped_seeds))[1]
    assert fault.problem == f"{stranger.id} never has the scenario {shipped[0].scenario!r}"


@pytest.mark.parametrize("change", [{"lang": "fr"}, {"speech": {"register": "slangy"}}])
def test_a_sample_is_not_blamed_for_what_is_wrong_with_its_seed(
    write: Write, shipped: list[Sample], shipped_seeds: list[Seed], tmp_path: Path, change: dict[str, Any]
) -> None:
    sample = next(sample for sample in shipped if sample.lang == "zh")
    seed = by_id(shipped_seeds)[sample.seed_id or ""].model_dump(mode="json", by_alias=True)
    (tmp_path / "seeds.jsonl").write_text(json.dumps(seed | change), "utf-8")
    samples = write(sample.model_dump(mode="json", by_alias=True))
    _, faults = check_inputs([tmp_path / "seeds.jsonl"], ROOT / "seeds" / "axes", [samples])
    assert {Path(fault.file).name for fault in faults} == {"seeds.jsonl"}


def test_an_id_may_stand_once(write: Write) -> None:
    with pytest.raises(InvalidRecords, match="is taken by"):
        load_samples([write({}, {})])


def test_samples_are_told_from_seeds_by_their_turns(write: Write) -> None:
    assert is_samples(write({}))
    assert not is_samples(ROOT / "seeds" / "personas" / "en" / "first.jsonl")


def test_validate_finds_faults_in_samples(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(write({"user_state": "angr"}))])
    assert ended.value.code == 1
    assert "there is no user_state 'angr'. Did you mean 'angry'?" in capsys.readouterr().out
