"""Hold a document against a vendor's SDK types, which let unknown keys pass or drop them: here each is a fault.

So is a value beside a list that generated types leave open, ``Literal["patient", "eager"] | Any``.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from pipeline.errors import Fault


def sdk_faults(sdk_type: Any, document: Any, name: str) -> list[Fault]:
    """What in ``document`` the type refuses, or does not know: a model, a typed dictionary, or a union of them."""
    try:
        # As JSON and strictly: what a server gets is a number or a text, and it turns neither into the other.
        read = _adapter(sdk_type).validate_json(to_json(document), strict=True)
        unknown = list(_unknown(read, document, ""))
    except ValidationError as error:
        return [Fault(name, 0, ".".join(map(str, e["loc"])), e["msg"], "See the SDK's types.") for e in error.errors()]
    return [
        *(Fault(name, 0, path, "the API does not know this key", "Remove it.") for path in unknown),
        *(Fault(name, 0, path, f"the API knows no {value!r}", "See the SDK's types.")
          for path, value in _unlisted(read, "")),
    ]  # fmt: skip


@cache
def _adapter(sdk_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(sdk_type)


def _unknown(read: Any, written: Any, path: str) -> Iterator[str]:
    """Keys of ``written`` that no field of ``read`` stands for."""
    if isinstance(written, list):
        # Items of an Iterable are validated as they are drawn, so this too may raise ValidationError.
        for place, (item, given) in enumerate(zip(read, written, strict=True)):
            yield from _unknown(item, given, f"{path}{place}.")
    elif isinstance(written, dict):
        known = _fields(read)
        for key, given in written.items():
            if key not in known:
                yield f"{path}{key}"
            elif isinstance(given, dict | list):
                yield from _unknown(known[key], given, f"{path}{key}.")


def _fields(read: Any) -> Mapping[str, Any]:
    if not isinstance(read, BaseModel):
        return read  # type: ignore[no-any-return]  # a typed dictionary, or any at all
    return {name: getattr(read, key) for name, key in _names(type(read)).items()}


@cache
def _names(model: type[BaseModel]) -> dict[str, str]:
    """What a field may be called in a document, to its name in the model."""
    return {name: key for key, field in model.model_fields.items() for name in (key, field.alias or key)}


def _unlisted(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unlisted(item, f"{path}{place}.")
    if isinstance(value, BaseModel):
        for key, listed in _lists(type(value)).items():
            given = getattr(value, key, None)
            if listed and given is not None and given not in listed:
                yield f"{path}{key}", given
            if isinstance(given, BaseModel | list):
                yield from _unlisted(given, f"{path}{key}.")


@cache
def _lists(model: type[BaseModel]) -> dict[str, tuple[Any, ...]]:
    """For each field the values of the literals in a union with Any; none where there is no such union."""
    found = {}
    for key, field in model.model_fields.items():
        kinds = get_args(field.annotation)
        literals = [kind for kind in kinds if get_origin(kind) is Literal] if Any in kinds else []
        # No set: what is given may be an array or an object, which has no hash.
        found[key] = tuple(value for kind in literals for value in get_args(kind))
    return found
