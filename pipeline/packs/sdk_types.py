"""Hold a document against a vendor's SDK types, which let unknown keys pass or drop them: here each is a fault."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

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
    return [Fault(name, 0, path, "the API does not know this key", "Remove it.") for path in unknown]


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
            if key in known:
                yield from _unknown(known[key], given, f"{path}{key}.")
            else:
                yield f"{path}{key}"


def _fields(read: Any) -> Mapping[str, Any]:
    if not isinstance(read, BaseModel):
        return read  # type: ignore[no-any-return]  # a typed dictionary, or any at all
    fields = type(read).model_fields
    return {name: getattr(read, key) for key, field in fields.items() for name in (key, field.alias or key)}
