"""Hold a document against the types of a vendor's SDK, which let unknown keys pass: here each is a fault.

So is a value beside a list that generated types leave open, ``Literal["patient", "eager"] | Any``.
"""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.errors import Fault


def sdk_faults(sdk_type: Any, document: Any, name: str) -> list[Fault]:
    """What in ``document`` the type refuses, or does not know.  ``sdk_type``: a model, or a union of models."""
    try:
        read = TypeAdapter(sdk_type).validate_python(document)
    except ValidationError as error:
        return [Fault(name, 0, ".".join(map(str, e["loc"])), e["msg"], "See the SDK's types.") for e in error.errors()]
    return [
        *(Fault(name, 0, path, "the API does not know this key", "Remove it.") for path in _unknown(read, "")),
        *(Fault(name, 0, path, f"the API knows no {value!r}", "See the SDK's types.")
          for path, value in _unlisted(read, "")),
    ]  # fmt: skip


def _unknown(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unknown(item, f"{path}{place}.")
    if isinstance(value, BaseModel):
        for key in value.model_extra or {}:
            yield f"{path}{key}"
        for key in type(value).model_fields:
            yield from _unknown(getattr(value, key, None), f"{path}{key}.")


def _unlisted(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unlisted(item, f"{path}{place}.")
    if isinstance(value, BaseModel):
        for key, field in type(value).model_fields.items():
            given = getattr(value, key, None)
            listed = _listed(field.annotation)
            if listed and given is not None and given not in listed:
                yield f"{path}{key}", given
            yield from _unlisted(given, f"{path}{key}.")


def _listed(annotation: Any) -> set[Any]:
    """The values of the literals in a union with Any; none where there is no such union."""
    kinds = get_args(annotation)
    if Any not in kinds:
        return set()
    return {value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)}
