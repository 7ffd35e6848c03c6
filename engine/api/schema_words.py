"""A JSON schema in words, as far as the API's own schemas go."""

from collections.abc import Mapping
from typing import Any

_BOUNDS = (("minimum", "at least {}"), ("maximum", "at most {}"), ("maxLength", "at most {} characters"))


def type_words(schema: Mapping[str, Any]) -> str:
    """Returns what a value looks like, in a few words; shapes with a name are links to it."""
    if "$ref" in schema:
        title = title_of(schema["$ref"].rpartition("/")[2])
        return f"[{title}](#{title.lower().replace('.', '')})"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return _either(schema[union])
    if "enum" in schema:
        words = " or ".join(f"`{value}`" for value in schema["enum"])
    elif schema.get("type") == "array":
        words = _array(schema)
    elif schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        words = f"object of {type_words(inner)}" if isinstance(inner, Mapping) and inner else "object"
    else:
        words = _plain(schema)
    return words + (f", default `{schema['default']}`" if "default" in schema else "")


def title_of(name: str) -> str:
    """Returns the name of a shape as people read it; of one that several modules have, with its module."""
    return ".".join(name.split(".")[-2:])


def _either(options: list[Mapping[str, Any]]) -> str:
    known = [type_words(option) for option in options if option.get("type") != "null"]
    return " or ".join(known + ["null"] * (len(known) < len(options)))


def _array(schema: Mapping[str, Any]) -> str:
    most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
    items = schema.get("items")
    return f"list of {type_words(items)}{most}" if isinstance(items, Mapping) and items else f"list{most}"


def _plain(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "anything")
    words = schema.get("format", kind) if kind == "string" else kind
    bounds = [text.format(schema[key]) for key, text in _BOUNDS if key in schema]
    return ", ".join([str(words), *bounds])
