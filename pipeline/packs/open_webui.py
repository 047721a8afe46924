"""Open WebUI: all personas of a pack as one file of workspace models, as its Import button takes them.

Source: ``ModelForm``, ``ModelMeta`` and ``ModelParams`` in backend/open_webui/models/models.py of
https://github.com/open-webui/open-webui (2026), and ``import_models`` in routers/models.py beside it.  A model stands
upon a base model of the app's own, and replaces the one of its ``id``.  Who may see it is left to the importer, and a
later import does not change it.
"""

from collections.abc import Iterable, Iterator

from pydantic_core import to_json

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.target import Document, Gathered, Target
from pipeline.schema_check import schema_faults


def workspace_model(persona: Persona, model: str = "") -> Document:
    seed = persona.seed
    own_id = f"{seed.id}-{persona.id}"
    told = [text for text in (seed.role, seed.place) if text is not None]
    return {
        "id": own_id,
        "base_model_id": model or MODELS[0],
        "name": f"{seed.name or seed.id} · {persona.row['scenario']} · {persona.row['tone']}",
        "meta": {
            "description": " · ".join([*told, own_id, seed.license, seed.provenance.author]),
            "tags": [{"name": name} for name in (seed.id, seed.lang, persona.tone.family)],
            # Shown beneath an empty chat, to be sent with a click: what people ask this one.
            "suggestion_prompts": [{"content": exchange.they} for exchange in seed.exchanges],
        },
        "params": {"system": plain(persona.scene)},
        "is_active": True,
    }


def plain(text: str) -> str:
    """Open WebUI replaces {{USER_NAME}} and its like in a system prompt; a seed's text is told as it stands."""
    while "{{" in text:  # a run of three leaves a pair
        text = text.replace("{{", "{ {")
    return text


def array(documents: Iterable[Document]) -> Iterator[str]:
    before = "[\n"
    for document in documents:
        yield before + to_json(document, indent=2).decode()
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def instructions(document: Document) -> str:
    return str(document["params"]["system"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schema in schemas/vendor/."""
    return schema_faults("vendor/open-webui-model", document, str(document.get("id")), 0)


MODELS = ("gpt-5.4-mini", "gpt-5.4", "gpt-5.4-nano", "gpt-5.5", "gpt-5.2", "gpt-5.1", "gpt-4.1", "gpt-4.1-mini")
TARGET = Target(
    about="Open WebUI: one file of models to import.",
    export=workspace_model,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "the greeting: a chat begins with what the user writes",
        "the anchor: nothing is sent in mid-chat",
        "voice, speaking rate, pitch and energy: Open WebUI reads aloud with the voice that its user has set",
        "turn-taking and environment as settings",
    ),
    imports="import json, os, requests",
    client="""\
models = [model | {{"base_model_id": base_model}} for model in json.load(open("{file}"))]
key = {{"Authorization": f"Bearer {{os.environ['OPEN_WEBUI_KEY']}}"}}
requests.post(f"{{open_webui}}/api/v1/models/import", headers=key, json={{"models": models}}).raise_for_status()""",
    models=MODELS,
    gathered=Gathered("models.json", array),
)
