from collections import Counter, defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.conversations import Sample
from pipeline.pairing import LADDER, Paired, Pairer, samples_digest
from tests.golden_content import golden_plan, golden_rows, golden_seeds
from tests.small_samples import (
    World,
    calls_by_name,
    choices,
    ids,
    rungs,
    sample,
    score,
    split_of_sample,
    worlds,
)
from tests.small_versions import samples_table_of

FEWER = settings(max_examples=15)  # a world holds hundreds of personas


def paired(world: World) -> Paired:
    return Pairer(world.plan, samples_table_of(world.samples, world.plan, world.seeds)).pair(world.rows)


def laid_together(parts: list[Paired]) -> Paired:
    return Paired(*(pl.concat(frames) for frames in zip(*parts, strict=True)))


@FEWER
@given(drawn=worlds())
def test_every_persona_has_one_sample_or_one_reason(drawn: World) -> None:
    pairings, unmatched = paired(drawn)
    assert sorted([*pairings["persona_id"], *unmatched["persona_id"]]) == drawn.rows["persona_id"].to_list()
    assert pairings["persona_id"].is_sorted()
    assert unmatched["persona_id"].is_sorted()
    assert set(pairings["sample_id"]) <= drawn.by_id.keys()


@FEWER
@given(drawn=worlds())
def test_a_persona_takes_a_sample_of_the_first_rung_that_has_one(drawn: World) -> None:
    pairings, unmatched = paired(drawn)
    wanted = choices(drawn)
    assert list(rungs(drawn)) == [rung.name for rung in LADDER]
    for persona, name, rung in pairings.select("persona_id", "sample_id", "rung").iter_rows():
        assert rung == wanted[persona][0]
        assert name in wanted[persona][1]
    assert {persona for persona, (rung, _) in wanted.items() if rung is None} == set(unmatched["persona_id"])


@FEWER
@given(drawn=worlds())
def test_no_sample_of_a_bucket_is_used_more_than_once_oftener_than_another(drawn: World) -> None:
    wanted = choices(drawn)
    uses: dict[tuple[str | None, frozenset[str]], Counter[str]] = defaultdict(Counter)
    for persona, name in paired(drawn).pairings.select("persona_id", "sample_id").iter_rows():
        uses[wanted[persona]][name] += 1
    for (_, bucket), counts in uses.items():
        times = [counts[name] for name in bucket]
        assert max(times) - min(times) <= 1


@FEWER
@given(drawn=worlds())
def test_a_sample_is_authored_for_its_seed_in_its_scene_and_for_no_other(drawn: World) -> None:
    authored = rungs(drawn)["authored"]
    rows = {row["persona_id"]: row for row in drawn.persons}
    for pairing in paired(drawn).pairings.to_dicts():
        is_own = authored(rows[pairing["persona_id"]], drawn.by_id[pairing["sample_id"]])
        assert (pairing["fit"] == "authored_for") == (pairing["rung"] == "authored") == is_own


@FEWER
@given(drawn=worlds())
def test_no_sample_crosses_splits(drawn: World) -> None:
    split_of_seed = {seed.id: seed.split for seed in drawn.plan.seeds}
    split_of_row = dict(drawn.rows.select("persona_id", "split").iter_rows())
    for persona, name in paired(drawn).pairings.select("persona_id", "sample_id").iter_rows():
        own = drawn.by_id[name]
        assert split_of_row[persona] == split_of_sample(own)
        assert split_of_row[persona] == split_of_seed.get(own.seed_id or "", split_of_row[persona])


@FEWER
@given(drawn=worlds())
def test_a_score_is_the_mean_of_what_the_sample_states(drawn: World) -> None:
    rows = {row["persona_id"]: row for row in drawn.persons}
    for persona, name, found in paired(drawn).pairings.select("persona_id", "sample_id", "score").iter_rows():
        assert found == score(rows[persona], drawn.by_id[name], drawn.plan)


@FEWER
@given(drawn=worlds())
def test_the_reason_of_a_persona_without_a_sample_is_true(drawn: World) -> None:
    rows = {row["persona_id"]: row for row in drawn.persons}
    for persona, reason in paired(drawn).unmatched.iter_rows():
        row = rows[persona]
        spoken = [s for s in drawn.samples if s.lang == row["lang"]]
        near = [
            s
            for s in spoken
            if not calls_by_name(drawn, s)
            and (s.scenario == row["scenario"] or (s.scenario is None and s.domain in (row["domain"], None)))
        ]
        assert all(split_of_sample(s) != row["split"] for s in near)
        assert reason == (
            "no_sample_in_language" if not spoken else "no_sample_in_split" if near else "no_sample_in_scenario"
        )


@FEWER
@given(drawn=worlds(), entropy=st.integers(0, 2**32 - 1))
def test_shards_and_the_order_of_sample_files_change_no_pairing(drawn: World, entropy: int) -> None:
    rng = np.random.default_rng(entropy)
    cuts = [0, *sorted(rng.integers(0, drawn.rows.height + 1, 4).tolist()), drawn.rows.height]
    shuffled = [drawn.samples[n] for n in rng.permutation(len(drawn.samples))]
    whole = Pairer(drawn.plan, samples_table_of(drawn.samples, drawn.plan, drawn.seeds))
    cut = Pairer(drawn.plan, samples_table_of(shuffled, drawn.plan, drawn.seeds))
    at_once = whole.pair(drawn.rows)
    piecewise = [cut.pair(drawn.rows[start:stop]) for start, stop in zip(cuts, cuts[1:], strict=False)]
    for one, other in zip(at_once, laid_together(piecewise), strict=True):
        assert_frame_equal(one, other)
    assert cut.digest == whole.digest
    assert cut.uses.tolist() == whole.uses.tolist()
    assert samples_digest(cut.samples) == samples_digest(whole.samples)


@FEWER
@given(drawn=worlds())
def test_uses_are_how_often_each_sample_was_taken(drawn: World) -> None:
    pairer = Pairer(drawn.plan, samples_table_of(drawn.samples, drawn.plan, drawn.seeds))
    taken = Counter(pairer.pair(drawn.rows).pairings["sample_id"])
    assert dict(zip(pairer.samples["id"], pairer.uses.tolist(), strict=True)) == {
        name: taken[name] for name in drawn.by_id
    }


SCENE = {"domain": "automotive", "scenario": "long-drive-home", "user_state": "tired", "tone": "clear-even",
         "register": "casual"}  # fmt: skip
LEFT_OPEN = {
    "authored": (),
    "scene": (),
    "situation": ("tone", "register"),
    "scenario_manner": ("user_state",),
    "scenario_only": ("user_state", "tone"),
    "domain_manner": ("scenario",),
    "domain_tone": ("scenario", "register"),
    "domain_only": ("scenario", "tone"),
    "language_only": tuple(SCENE),
}


def test_as_samples_are_taken_away_a_persona_goes_down_the_ladder() -> None:
    orla = golden_rows()[:1]  # late at night in the car, tired, in a tone of the same quarter
    names = dict(zip(LEFT_OPEN, ids("sample", "train"), strict=False))
    own = {"seed_id": "orla-keane", "said": "Is that you, Orla?"}
    samples = [
        sample(names[rung], **{name: level for name, level in SCENE.items() if name not in left_open},
               **(own if rung == "authored" else {}))
        for rung, left_open in LEFT_OPEN.items()
    ]  # fmt: skip
    assert list(names) == [rung.name for rung in LADDER]
    for first, rung in enumerate(names):
        pairer = Pairer(golden_plan(), samples_table_of(samples[first:], golden_plan(), golden_seeds()))
        ((_, taken, fit, on, found),) = pairer.pair(orla).pairings.iter_rows()
        assert (taken, on, fit) == (names[rung], rung, "authored_for" if rung == "authored" else "context_only")
        assert (found is None) == (rung == "language_only")  # which states nothing


@pytest.mark.parametrize(
    ("facets", "reason"),
    [
        ({"lang": "zh"}, "no_sample_in_language"),
        ({"domain": "companionship"}, "no_sample_in_scenario"),
        ({"domain": "companionship", "scenario": "empty-sunday"}, "no_sample_in_scenario"),
        ({"seed_id": "orla-keane", "said": "Is that you, Orla?"}, "no_sample_in_scenario"),
        ({"split": "test"}, "no_sample_in_split"),
        ({"split": "validation", **SCENE}, "no_sample_in_split"),
    ],
)
def test_a_persona_that_no_sample_fits_has_the_reason(facets: dict[str, str], reason: str) -> None:
    own, split = {**facets}, facets.get("split", "train")
    own.pop("split", None)
    table = samples_table_of([sample(ids("sample", split)[0], **own)], golden_plan(), golden_seeds())
    pairings, unmatched = Pairer(golden_plan(), table).pair(golden_rows()[:1])
    assert pairings.is_empty()
    assert unmatched.rows() == [(5, reason)]


def test_the_samples_digest_changes_with_any_word_and_with_nothing_else() -> None:
    def digest(*samples: Sample) -> str:
        return samples_digest(samples_table_of(samples, golden_plan(), golden_seeds()))

    one, other = sample("a"), sample("b")
    assert digest(one, other) == digest(other, one)
    assert len({digest(one, other), digest(one), digest(one, sample("b", said="Hello!")), digest()}) == 4
