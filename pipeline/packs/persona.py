"""A persona as exporters see it: its row, its seed, its scene, and the plan's axes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from pipeline.axes import Axes, Tone
from pipeline.config import SceneSettings
from pipeline.packs.anchor import anchor
from pipeline.plan import Plan
from pipeline.scene_parts import greeting_text
from pipeline.scenes import Scenes
from pipeline.seeds import Seed

# How long a pause may be before the persona takes the floor.  600 ms, StepFun's own sample's value, is an ordinary one.
SILENCE_MS = {"jumps-in": 300, "back-channels": 600, "waits": 900, "leaves-silence": 1500}
ORDINARY_PAUSE_MS = 600  # for turn-taking of a user's own axes
LOUD_PLACES = frozenset({"car", "street", "kitchen"})  # where less of what is heard is speech
BATCH = 10_000  # personas whose scenes are in memory at once: about 15 MB of text


class Batch:
    """Rows whose scenes were told together; their parts are looked up when somebody asks for those of one."""

    def __init__(self, scenes: Scenes, rows: pl.DataFrame) -> None:
        self._scenes, self._rows = scenes, rows

    @cached_property
    def parts(self) -> dict[str, pl.Series]:
        return self._scenes.parts(self._rows)

    @cached_property
    def left_out(self) -> list[tuple[str, ...]]:
        return self._scenes.left_out(self._rows)


@dataclass(frozen=True)
class Persona:
    row: Mapping[str, Any]
    seed: Seed
    scene: str
    axes: Axes
    batch: Batch
    place: int  # in the batch
    settings: SceneSettings = SceneSettings()
    shortened: Mapping[str, str] | None = None  # parts of a scene that was shortened to what a vendor takes

    @property
    def id(self) -> int:
        return int(self.row["persona_id"])

    @property
    def parts(self) -> dict[str, str]:
        """The parts of the scene in their order; those that say nothing, or were left out, are empty."""
        return {name: self.part(name) for name in (self.shortened or self.batch.parts)}

    def part(self, name: str) -> str:
        """One of them: to look up all takes as long as to check a config."""
        return self.batch.parts[name][self.place] if self.shortened is None else self.shortened[name]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Parts that are not in the scene because it would be too long to keep in mind."""
        return self.batch.left_out[self.place]

    @cached_property
    def greeting(self) -> str | None:
        """The first words of a call; none where the seed has none."""
        return greeting_text(self.seed, self.settings.disclosure)

    @cached_property
    def anchor(self) -> str:
        """A few sentences that bring the persona back when a long conversation drifts."""
        return anchor(self.seed, self.tone)

    @property
    def tone(self) -> Tone:
        return self.axes.tone[self.axes.codes["tone"][self.row["tone"]]]

    @property
    def pace(self) -> int:
        """Against the person's own usual: what the tone implies and the row's step, -2 to 2."""
        return self.tone.implies.pace + int(self.row["pace"])

    @property
    def energy(self) -> int:
        """Against the person's own usual: what the tone implies and the row's step, -2 to 2."""
        return self.tone.implies.energy + int(self.row["energy"])

    @property
    def pitch(self) -> int:
        """Against the person's own usual: what the tone implies, -2 to 2."""
        return self.tone.implies.pitch

    @property
    def pause_ms(self) -> int:
        return SILENCE_MS.get(self.row["turn_taking"], ORDINARY_PAUSE_MS)

    @property
    def in_a_loud_place(self) -> bool:
        return self.row["environment"] in LOUD_PLACES


def personas(rows: pl.DataFrame, plan: Plan, seeds: Sequence[Seed], settings: SceneSettings) -> Iterator[Persona]:
    """The personas of ``rows`` in order, their scenes joined batch by batch."""
    met = set(rows["seed_id"].unique())
    by_id = {seed.id: seed for seed in seeds if seed.id in met}
    scenes = Scenes(plan, list(by_id.values()), settings)
    for chosen in rows.iter_slices(BATCH):
        batch = Batch(scenes, chosen)
        for place, row in enumerate(scenes.told(chosen.lazy()).collect().iter_rows(named=True)):
            yield Persona(row, by_id[row["seed_id"]], row["scene"], plan.axes, batch, place, settings)
