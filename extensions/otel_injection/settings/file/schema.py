"""Checks a document against the JSON schema of declarative configuration.

That schema uses few keywords of JSON schema, and all of them are here. The package ``jsonschema`` would bring compiled
code, or four packages and 60 ms of imports; tests/unit/settings/file/test_schema.py compares the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Problem = tuple[str, str]
"""The place in the document, such as ``tracer_provider.processors[0]``, and what is wrong there."""

KEYWORDS = frozenset(
    """$ref additionalProperties enum exclusiveMinimum items maxProperties maximum minItems minProperties minimum oneOf
    properties required type""".split()  # noqa: SIM905
)
"""The keywords that are checked."""
REMARKS = frozenset({"$defs", "$schema", "default", "description", "title"})

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}
_NAMES = {"object": "a mapping", "array": "a list", "string": "a text", "boolean": "true or false", "null": "empty"}
_NAMES |= {"number": "a number", "integer": "a whole number"}


def problems(value: Any, schema: Any, root: Any, place: str = "") -> Iterator[Problem]:
    """Yield what is wrong with ``value``; ``root`` is the schema that references are looked up in.

    No text holds a value of the document, which may be secret.
    """
    if "$ref" in schema:
        yield from problems(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, place)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, each) for each in kinds):
        yield place, f"must be {' or '.join(_NAMES[each] for each in kinds)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield place, f"must be one of {', '.join(map(str, schema['enum']))}"
    if "oneOf" in schema:
        matching = [each for each in schema["oneOf"] if next(problems(value, each, root, place), None) is None]
        if len(matching) != 1:
            yield place, "is of no type that fits here"
    if isinstance(value, dict):
        yield from _of_mapping(value, schema, root, place)
    elif isinstance(value, list):
        yield from _of_list(value, schema, root, place)
    elif _is(value, "number"):
        yield from _of_number(value, schema, place)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _of_mapping(value: dict[str, Any], schema: Any, root: Any, place: str) -> Iterator[Problem]:
    known = schema.get("properties", {})
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        exactly = schema.get("minProperties") == schema.get("maxProperties")
        yield place, f"must hold {'exactly' if exactly else 'at least'} {schema.get('minProperties')} entry"
    others = schema.get("additionalProperties", True)
    for name, each in value.items():
        inner = f"{place}.{name}" if place else name
        if name in known:
            yield from problems(each, known[name], root, inner)
        elif others is False:
            yield inner, f"is unknown; known are {', '.join(known)}" if known else "is unknown; nothing may stand here"
        elif others is not True:
            yield from problems(each, others, root, inner)
    for name in schema.get("required", ()):
        if name not in value:
            yield place, f"lacks '{name}'"


def _of_list(value: list[Any], schema: Any, root: Any, place: str) -> Iterator[Problem]:
    if len(value) < schema.get("minItems", 0):
        yield place, f"must hold at least {schema['minItems']} entry"
    for position, each in enumerate(value):
        yield from problems(each, schema.get("items", {}), root, f"{place}[{position}]")


def _of_number(value: float, schema: Any, place: str) -> Iterator[Problem]:
    if "minimum" in schema and value < schema["minimum"]:
        yield place, f"must be at least {schema['minimum']}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield place, f"must be more than {schema['exclusiveMinimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield place, f"must be at most {schema['maximum']}"
