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


def personas(rows: pl.DataFrame, plan: Plan, seeds: Sequence[Seed], settings: SceneSettings) -> Iterator[Persona]:
    """The personas of ``rows`` in order, their scenes joined batch by batch."""
    met = set(rows["seed_id"].unique())
    by_id = {seed.id: seed for seed in seeds if seed.id in met}
    scenes = Scenes(plan, list(by_id.values()), settings)
    for batch in rows.iter_slices(BATCH):
        for row in scenes.told(batch.lazy()).collect().iter_rows(named=True):
            yield Persona(row, by_id[row["seed_id"]], row["scene"], plan.axes)
