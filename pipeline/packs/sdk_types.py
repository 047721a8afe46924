"""Hold a document against the types of a vendor's SDK, which let unknown keys pass: here each is a fault."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.errors import Fault


def sdk_faults(sdk_type: Any, document: Any, name: str) -> list[Fault]:
    """What in ``document`` the type refuses, or does not know.  ``sdk_type``: a model, or a union of models."""
    try:
        read = _adapter(sdk_type).validate_python(document)
    except ValidationError as error:
        return [Fault(name, 0, ".".join(map(str, e["loc"])), e["msg"], "See the SDK's types.") for e in error.errors()]
    return [Fault(name, 0, path, "the API does not know this key", "Remove it.") for path in _unknown(read, "")]


@cache
def _adapter(sdk_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(sdk_type)


def _unknown(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unknown(item, f"{path}{place}.")
    if isinstance(value, BaseModel):
        for key in value.model_extra or {}:
            yield f"{path}{key}"
        for key in type(value).model_fields:
            yield from _unknown(getattr(value, key, None), f"{path}{key}.")
