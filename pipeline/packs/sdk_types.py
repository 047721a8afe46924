"""Hold a document against a vendor's SDK types, which let unknown keys pass or drop them: here each is a fault.

So is a value beside a list that generated types leave open, ``Literal["patient", "eager"] | Any``.
"""

from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from pipeline.errors import Fault


def sdk_faults(sdk_type: Any, document: Any, name: str) -> list[Fault]:
    """What in ``document`` the type refuses, or does not know: a model, a typed dictionary, or a union of them."""
    found: list[Fault] = []
    try:
        # As JSON and strictly: what a server gets is a number or a text, and it turns neither into the other.
        read = _adapter(sdk_type).validate_json(to_json(document), strict=True)
        _compare(read, document, "", name, found)
    except ValidationError as error:
        return [Fault(name, 0, ".".join(map(str, e["loc"])), e["msg"], "See the SDK's types.") for e in error.errors()]
    return found


@cache
def _adapter(sdk_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(sdk_type)


def _compare(read: Any, written: Any, path: str, name: str, found: list[Fault]) -> None:
    """Add to ``found`` the keys of ``written`` that no field of ``read`` stands for, and the values no list has."""
    if isinstance(read, BaseModel):
        fields = _fields(type(read))
        for key, given in written.items():
            if key not in fields:
                found.append(_unknown(name, path + key))
                continue
            attribute, listed = fields[key]
            value = getattr(read, attribute)
            if listed and value is not None and value not in listed:
                found.append(Fault(name, 0, path + key, f"the API knows no {value!r}", "See the SDK's types."))
            if isinstance(given, dict | list):
                _compare(value, given, f"{path}{key}.", name, found)
    elif isinstance(written, list):
        # Items of an Iterable are validated as they are drawn, so this too may raise ValidationError.
        for place, (item, given) in enumerate(zip(read, written, strict=True)):
            if isinstance(given, dict | list):
                _compare(item, given, f"{path}{place}.", name, found)
    # A typed dictionary, or any at all: what came back as it was written has lost no key.
    elif read != written:
        for key, given in written.items():
            if key not in read:
                found.append(_unknown(name, path + key))
            elif isinstance(given, dict | list):
                _compare(read[key], given, f"{path}{key}.", name, found)


def _unknown(name: str, path: str) -> Fault:
    return Fault(name, 0, path, "the API does not know this key", "Remove it.")


@cache
def _fields(model: type[BaseModel]) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """What a field may be called in a document, to its name in the model and the list its values must be of, if any."""
    found: dict[str, tuple[str, tuple[Any, ...]]] = {}
    for key, field in model.model_fields.items():
        found |= dict.fromkeys((key, field.alias or key), (key, _list(field.annotation)))
    return found


def _list(annotation: Any) -> tuple[Any, ...]:
    """The values of the literals in a union with Any; none where there is no such union."""
    kinds = get_args(annotation)
    literals = [kind for kind in kinds if get_origin(kind) is Literal] if Any in kinds else []
    # No set: what is given may be an array or an object, which has no hash.
    return tuple(value for kind in literals for value in get_args(kind))
