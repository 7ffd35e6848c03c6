"""The page of every route, from the OpenAPI document: `polycopy openapi --markdown > engine/api/REFERENCE.md`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

import attrs

from config.schema import EngineConfig
from engine.api.openapi import openapi_document
from engine.api.route import ApiRoute
from engine.api.schema_words import title_of, type_words
from engine.serving import engine_routes

_HEAD = """# Every route of the API

Made from the routes by `polycopy openapi --markdown > engine/api/REFERENCE.md`; do not edit it. A running engine gives
the same as a document for programs: `GET /api/openapi.json` (OpenAPI 3.1). Tokens, errors, limits and what the figures mean:
[README.md](README.md).

Each route may also answer 400 (a parameter or the body is wrong), 401 (no valid token), 403 (the token lacks the scope), 429
(too many requests) and 503 (not now); those with a body 413 and 415 too. `?` marks what may be left out, `or null` what may be
unknown. Numbers are JSON numbers with all their digits. A summary of the routes by theme is in [README.md](README.md#routes).
"""
_COMMON = {"200", "400", "401", "403", "413", "415", "429", "503"}


@attrs.frozen
class _Absent:
    """Stands where a port would: routes are only described here, nothing is ever asked."""

    config: EngineConfig = attrs.field(factory=EngineConfig)

    def __getattr__(self, name: str) -> "_Absent":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: object, **__: object) -> "_Absent":
        return self


def described_routes() -> list[ApiRoute]:
    """Returns every route of the API with nothing behind it."""
    absent = cast("Any", _Absent())
    return engine_routes(absent, absent, absent, absent)


def reference_page(routes: Sequence[ApiRoute]) -> str:
    """Returns the page: a table of routes, each with its parameters, body and answers, then every shape."""
    document = json.loads(openapi_document(routes))
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    operations.sort(key=lambda found: (found[2]["tags"][0], found[0]))
    parts = [_HEAD]
    for tag, group in groupby(operations, lambda found: found[2]["tags"][0]):
        parts.append(f"## /api/{tag}\n")
        for path, method, operation in group:
            parts += _route(path, method, operation)
    parts.append("## Shapes\n")
    for name, schema in sorted(document["components"]["schemas"].items(), key=lambda item: title_of(item[0]).lower()):
        parts += _shape(title_of(name), schema)
    return "\n".join(parts)


def _route(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    scopes = operation["security"][0]["bearer"]
    yield f"### {method.upper()} {path}\n"
    yield f"{operation['summary'].rstrip('.')}. Scope: {scopes[0] if scopes else 'any'}.\n"
    if operation.get("parameters"):
        yield "| parameter | in | type | what |\n|---|---|---|---|"
        for found in operation["parameters"]:
            name = f"`{found['name']}`" + ("" if found["required"] else " ?")
            yield f"| {name} | {found['in']} | {_cell(type_words(found['schema']))} | {_cell(found['description'])} |"
        yield ""
    if "requestBody" in operation:
        yield f"Body: {type_words(operation['requestBody']['content']['application/json']['schema'])}.\n"
    yield f"Answer: {_answer(operation['responses']['200'])}.\n"
    own = {status: found["description"] for status, found in operation["responses"].items() if status not in _COMMON}
    if own:
        yield "Refusals of its own: " + "; ".join(f"{status} {text}" for status, text in own.items()) + ".\n"


def _answer(response: Mapping[str, Any]) -> str:
    content = response["content"]
    if "text/event-stream" in content:
        return str(response["description"])
    return type_words(content["application/json"]["schema"])


def _shape(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if schema.get("description"):
        yield f"{' '.join(schema['description'].split())}\n"
    if "properties" not in schema:
        yield f"{type_words(schema)}.\n"
        return
    yield "| field | type |\n|---|---|"
    required = set(schema.get("required", ()))
    for field, inner in schema["properties"].items():
        yield f"| `{field}`{'' if field in required else ' ?'} | {_cell(type_words(inner))} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
