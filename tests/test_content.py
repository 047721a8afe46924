"""What holds of the shipped seeds however many there are; the floors at full size are looked at by content_figures."""

from collections import Counter

import pytest

from pipeline.seeds import TRAITS, Seed
from tests.content_figures import given_name, length, near_doubles, openings, shared_grams, shares, shifts
from tests.places import exists

LENGTHS = {"en": (110, 220), "zh": (170, 340)}
SHARED = {"en": 0.06, "zh": 0.12}


@pytest.fixture(params=["en", "zh"])
def seeds(request: pytest.FixtureRequest, shipped_seeds: list[Seed]) -> list[Seed]:
    return [seed for seed in shipped_seeds if seed.lang == request.param]


def test_no_two_people_share_a_name_or_a_catchphrase(seeds: list[Seed]) -> None:
    names = Counter(seed.name for seed in seeds)
    phrases = Counter(phrase.text for seed in seeds for phrase in seed.speech.catchphrases)
    assert [name for name, count in names.items() if count > 1] == []
    assert [phrase for phrase, count in phrases.items() if count > 1] == []


def test_no_given_name_is_worn_out(seeds: list[Seed]) -> None:
    name, count = Counter(map(given_name, seeds)).most_common(1)[0]
    assert count <= max(3, 0.003 * len(seeds)), name


def test_prose_is_of_the_length_a_scene_has_room_for(seeds: list[Seed]) -> None:
    low, high = LENGTHS[seeds[0].lang]
    assert [(seed.id, length(seed)) for seed in seeds if not low <= length(seed) <= high] == []


def test_places_of_this_world_exist(seeds: list[Seed]) -> None:
    places = {seed.place for seed in seeds if seed.world == "real" and seed.place}
    assert [place for place in sorted(places) if not exists(place)] == []


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("near Taranto, Italy", True), ("Whangarei, New Zealand", True), ("Taranto, Spain", False),
        ("Nowhereville, Italy", False), ("曹县, 山东", True), ("花莲, 台湾", True), ("花莲, 山东", False),
        ("无此地, 四川", False), ("Singapore", True), ("新加坡", True),
    ],
)  # fmt: skip
def test_a_place_is_looked_for_in_its_own_country(place: str, found: bool) -> None:
    assert exists(place) == found


def test_people_are_not_made_from_a_template(seeds: list[Seed]) -> None:
    assert shared_grams(seeds) <= SHARED[seeds[0].lang]
    assert list(near_doubles(seeds, 0.3)) == []
    opening, count = openings(seeds).most_common(1)[0]
    assert count <= max(5, 0.005 * len(seeds)), opening


def test_every_decade_gender_trait_and_stance_is_there(seeds: list[Seed]) -> None:
    decades = shares(min((seed.age or 0) // 10, 8) for seed in seeds)
    assert all(decades[decade] >= 0.06 for decade in range(2, 8))
    genders = shares(seed.gender for seed in seeds)
    assert 0.4 <= genders["female"] <= 0.56
    assert 0.4 <= genders["male"] <= 0.56
    assert genders["nonbinary"] > 0
    for trait in TRAITS:
        assert min(shares(getattr(seed.traits, trait) for seed in seeds).values()) >= 0.08
    for stance in ("service", "companion", "expert", "character", "practice"):
        assert sum(stance in seed.played for seed in seeds) >= 0.2 * len(seeds)


def test_no_place_is_a_caricature(seeds: list[Seed]) -> None:
    assert list(shifts(seeds)) == []


def test_a_caricature_is_found(seeds: list[Seed]) -> None:
    """Twenty-five people of one place, all open to everything, poor, and of one trade."""
    kind = {"en": ("Debt is what you know.", "old miner"), "zh": ("你一身是债。", "矿工")}[seeds[0].lang]
    moved = [
        seed.model_copy(
            update={"place": "Anytown, Anywhere", "world": "real", "life": kind[0], "role": kind[1],
                    "traits": seed.traits.model_copy(update={"openness": 5}) if seed.traits else None}
        )
        for seed in seeds[:25]
    ]  # fmt: skip
    found = {shift.what for shift in shifts([*moved, *seeds[25:]]) if shift.place == "Anywhere"}
    assert found >= {"openness", "poverty", f"role {kind[1].split()[-1]}"}
