"""The checkable facts of a persona as data, so that an app or a judge can hold an answer against them."""

from pipeline.packs.persona import Persona
from pipeline.packs.target import Document


def facts(persona: Persona) -> Document:
    """What the seed says of itself; what it leaves open is null, and nothing may be held against it."""
    seed = persona.seed
    spoken = seed.speech.languages
    return {
        "persona_id": persona.id,
        "name": seed.name,
        "age": seed.age,
        "gender": seed.gender,
        "role": seed.role,
        "place": seed.place,
        "language": seed.lang,
        "speaks": None if spoken is None else list(spoken.speaks),
        "mixes_languages": spoken is not None and spoken.mixes is not None,
        "knows": list(seed.knows),
        "limits": list(seed.limits),
        "facts_of_the_call": _of_the_call(persona),
    }


def _of_the_call(persona: Persona) -> list[str]:
    """What the scene gives the persona to go by; a deploy scene gives none."""
    scenario = persona.axes.scenario[persona.axes.codes["scenario"][persona.row["scenario"]]]
    given = getattr(scenario.facts, persona.seed.lang)
    return [fact for fact in given if fact in persona.part("facts")]
