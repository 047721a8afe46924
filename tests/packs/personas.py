"""One golden persona, with other levels or another seed where a test asks for them."""

from dataclasses import replace
from functools import cache

from pipeline.config import SceneSettings
from pipeline.packs.persona import Persona, personas
from pipeline.seeds import Seed
from tests.golden_content import golden_plan, golden_rows, golden_seeds


@cache
def _golden() -> dict[str, Persona]:
    made = personas(golden_rows(), golden_plan(), golden_seeds(), SceneSettings())
    return {persona.seed.id: persona for persona in made}


def golden_persona(of: str = "orla-keane", seed: Seed | None = None, **levels: str | int) -> Persona:
    """``levels`` may be any, also of the shipped axes: exporters read them off the row."""
    persona = _golden()[of]
    return replace(persona, row={**persona.row, **levels}, seed=seed or persona.seed)


def licensed(persona: Persona, license: str) -> Persona:
    provenance = persona.seed.provenance.model_copy(update={"license": license, "author": f"author of {license}"})
    return golden_persona(persona.seed.id, persona.seed.model_copy(update={"provenance": provenance}))
