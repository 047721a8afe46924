"""The first spoken line, where a vendor's API has no event that carries its words and the instructions must."""

from pipeline.packs.persona import Persona

# Said as a condition: an app may just as well let the other party speak first.
FIRST_WORDS = {
    "en": "If you are the one to speak first, say exactly this: “{}”",
    "zh": "由你先开口的话，一字不改地说：“{}”",
}


def opening(persona: Persona) -> str:
    """A sentence that gives the persona its first words; empty where the seed has none."""
    greeting = persona.greeting
    return "" if greeting is None else FIRST_WORDS[persona.seed.lang].format(greeting)


def response_create(persona: Persona) -> dict[str, str] | None:
    """The event that makes the model speak first, in the flat (beta) shape of several vendors."""
    return None if persona.greeting is None else {"type": "response.create"}
