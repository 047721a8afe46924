"""A persona as exporters see it: its row, its seed, its scene, and the plan's axes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.axes import Axes
from pipeline.plan import Plan
from pipeline.scene_parts import SceneSettings
from pipeline.scenes import Scenes
from pipeline.seeds import Seed

# How long a pause may be before the persona takes the floor.  600 ms, StepFun's own sample's value, is an ordinary one.
SILENCE_MS = {"jumps-in": 300, "back-channels": 600, "waits": 900, "leaves-silence": 1500}
ORDINARY_PAUSE_MS = 600  # for turn-taking of a user's own axes
LOUD_PLACES = frozenset({"car", "street", "kitchen"})  # where less of what is heard is speech
BATCH = 10_000  # personas whose scenes are in memory at once: about 15 MB of text


@dataclass(frozen=True)
class Persona:
    row: Mapping[str, Any]
    seed: Seed
    scene: str
    axes: Axes

    @property
    def id(self) -> int:
        return int(self.row["persona_id"])

    @property
    def pace(self) -> int:
        """Against the person's own usual: what the tone implies and the row's step, -2 to 2."""
        tone = self.axes.tone[self.axes.codes["tone"][self.row["tone"]]]
        return tone.implies.pace + int(self.row["pace"])

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
    for batch in rows.iter_slices(BATCH):
        for row in scenes.told(batch.lazy()).collect().iter_rows(named=True):
            yield Persona(row, by_id[row["seed_id"]], row["scene"], plan.axes)
