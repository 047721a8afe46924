"""Hold documents against the committed JSON Schemas, and word what is wrong."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from pipeline.config import content_root
from pipeline.documents import TOO_DEEP
from pipeline.errors import Fault
from pipeline.yaml_files import YamlFile

SHOWN_VALUE = 60
PYTHON_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}

REMEDIES = {
    "required": "Add it",
    "additionalProperties": "Remove it, or correct its spelling",
    "enum": "Use one of these values",
    "const": "Use this value",
    "pattern": "Write it in this form",
    "type": "Change its type",
    "format": "Write it in this format",
    "minLength": "Fill it, or use null where null is allowed",
    "minItems": "Add items",
    "maxItems": "Remove items",
    "maxLength": "Shorten it",
}


@cache
def validator(schema: str) -> Draft202012Validator:
    """The validator of ``schemas/<schema>.schema.json``; ``name#Part`` picks one of its definitions.

    References are inlined once: following them takes more than half of the time that a seed takes to validate.
    """
    name, _, part = schema.partition("#")
    document = json.loads((content_root() / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    definitions = document.pop("$defs", {})
    wanted = definitions[part] if part else document
    return Draft202012Validator(_inlined(wanted, definitions), format_checker=FormatChecker())


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """``schema`` with each reference replaced by what it refers to; our schemas refer to nothing that holds itself."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    own = {key: _inlined(value, definitions) for key, value in schema.items() if key != "$ref"}
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions) | own
    return own


def _holds(within: Any, schema: Any, value: object) -> bool:
    if isinstance(schema, bool):
        return schema
    for keyword, argument in schema.items():
        check = within.VALIDATORS.get(keyword)
        if check is not None:
            for _ in check(within, argument, value, schema) or ():
                return False
    return True


def _type(within: Any, types: Any, value: Any, schema: Any) -> Iterable[ValidationError]:
    if isinstance(types, str) and type(value) is PYTHON_TYPES.get(types):
        return ()
    return Draft202012Validator.VALIDATORS["type"](within, types, value, schema) or ()


def _properties(within: Any, properties: Any, value: Any, _: object) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        given = properties.keys() & value.keys()
        if not all(_holds(within, properties[name], value[name]) for name in given):
            yield ValidationError("")


def _items(within: Any, items: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, list):
        rest = value[len(schema.get("prefixItems", ())) :]
        if not all(_holds(within, items, item) for item in rest):
            yield ValidationError("")


def _additional(within: Any, schema_of_rest: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if schema_of_rest is False and "patternProperties" not in schema and isinstance(value, dict):
        if not value.keys() <= schema.get("properties", {}).keys():
            yield ValidationError("")
    elif "properties" in schema or "patternProperties" in schema or not isinstance(value, dict):
        yield from Draft202012Validator.VALIDATORS["additionalProperties"](within, schema_of_rest, value, schema)
    elif not all(_holds(within, schema_of_rest, item) for item in value.values()):
        yield ValidationError("")


def _any_of(within: Any, branches: Any, value: Any, _: object) -> Iterator[ValidationError]:
    if not any(_holds(within, branch, value) for branch in branches):
        yield ValidationError("")


# jsonschema makes a new validator for each value within a value, so that an error knows its place.  A yes has none: it
# takes half of the time to go down with the one validator, and a seed holds a hundred values.
_YesOrNo = extend(
    Draft202012Validator,
    {"type": _type, "properties": _properties, "items": _items, "additionalProperties": _additional, "anyOf": _any_of},
)  # type: ignore[no-untyped-call]


@cache
def _yes_or_no(schema: str) -> Any:
    return _YesOrNo(validator(schema).schema, format_checker=FormatChecker())


def schema_faults(schema: str, document: object, file: str, line: int) -> list[Fault]:
    try:
        if _yes_or_no(schema).is_valid(document):
            return []
        return [
            Fault(file, line, field_name(error.absolute_path), _problem(error), _remedy(error))
            for top in validator(schema).iter_errors(document)
            for error in _leaves(top)
        ]
    except RecursionError:  # what json could just read may still be too deep to walk or to show
        return [Fault(file, line, "", *TOO_DEEP)]


def field_name(path: Iterable[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """An optional field is ``anyOf: [the thing, null]``: what is wrong is what is wrong with the thing."""
    branches: dict[int, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.relative_schema_path[0]), []).append(inner)
    wanted = [
        inner
        for inner in branches.values()
        if not any(e.validator == "type" and e.validator_value == "null" for e in inner)
    ]
    if error.validator == "anyOf" and len(wanted) == 1:
        for inner in wanted[0]:
            yield from _leaves(inner)
    else:
        yield error


def _problem(error: ValidationError) -> str:
    shown = json.dumps(error.instance, ensure_ascii=False)
    if len(shown) <= SHOWN_VALUE or error.validator in {"required", "additionalProperties"}:
        return error.message[:200]
    return error.message.replace(repr(error.instance), shown[:SHOWN_VALUE] + "…")[:200]


def _remedy(error: ValidationError) -> str:
    return REMEDIES.get(str(error.validator), f"See {error.validator} in schemas/") + "."


def yaml_faults(schema: str, yaml_file: YamlFile) -> list[Fault]:
    return [
        Fault(
            yaml_file.file,
            yaml_file.line(error.absolute_path),
            field_name(error.absolute_path),
            _problem(error),
            _remedy(error),
        )
        for top in validator(schema).iter_errors(yaml_file.document)
        for error in _leaves(top)
    ]
