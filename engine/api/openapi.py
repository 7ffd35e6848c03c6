"""The OpenAPI 3.1 document of the API, made from its routes."""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from engine.api.answer import ErrorBody, encode
from engine.api.params import Param
from engine.api.route import ApiRoute

DOCUMENT_PATH = "/api/openapi.json"
_REF = "#/components/schemas/{name}"
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token made by `polycopy tokens add` or `POST /api/tokens`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "polycopy_session",
        "description": "Of a browser; with TLS __Host-polycopy. Changes need the header X-CSRF-Token of a page besides.",
    },
}
_REFUSALS = {
    400: "a parameter or the body is wrong; `field` names what",
    401: "a valid bearer token is needed",
    403: "the token lacks the scope; `csrf`: no page of ours asks",
    404: "there is no such thing",
    413: "the body is too large",
    415: "the body is not application/json",
    429: "too many requests of this token, or failed ones from this address",
    503: "cannot be answered for the moment",
}
_RETRY_AFTER = {"description": "seconds to wait", "required": True, "schema": {"type": "integer", "minimum": 1}}
_CHALLENGE = {"description": "how to authenticate", "required": True, "schema": {"type": "string"}}
_HEADERS = {
    401: {"WWW-Authenticate": _CHALLENGE},
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER},
}


def openapi_document(routes: Sequence[ApiRoute]) -> bytes:
    """Returns the document of these routes, as JSON."""
    types = [route.answer for route in routes if not route.streams]
    types += [route.body for route in routes if route.body is not None]
    schemas, components = msgspec.json.schema_components([ErrorBody, *types], ref_template=_REF)
    answers = iter(schemas[1:])
    answer_of = {id(route): next(answers) for route in routes if not route.streams}
    body_of = {id(route): next(answers) for route in routes if route.body is not None}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, answer_of.get(id(route)), body_of.get(id(route)), schemas[0])
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Polycopy", "version": version("polycopy"), "description": "A copy-trading engine."},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }
    return encode(_with_numbers(document))


def _operation(route: ApiRoute, answer: Any, body: Any, error: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.path.split("/")[2]],
        "security": [{name: [] if route.scope is None else [route.scope.value]} for name in _SECURITY],
        "responses": {"200": _success(route, answer), **_refusals(route, error)},
    }
    if route.params:
        operation["parameters"] = [_parameter(param) for param in route.params]
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _operation_id(route: ApiRoute) -> str:
    words = re.findall(r"[A-Za-z0-9]+", route.path.removeprefix("/api/"))
    return route.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _success(route: ApiRoute, answer: Any) -> dict[str, Any]:
    if route.streams:
        content = {"text/event-stream": {"schema": {"type": "string"}}}
        return {"description": "server-sent events until the client leaves", "content": content}
    return {"description": "done", "content": {"application/json": {"schema": answer}}}


def _refusals(route: ApiRoute, error: Any) -> dict[str, Any]:
    statuses = {400, 401, 429, 503}
    if route.scope is not None or route.method != "GET":
        statuses.add(403)
    if route.body is not None:
        statuses |= {413, 415}
    if any(param.in_path for param in route.params):
        statuses.add(404)
    meanings = {**{status: _REFUSALS[status] for status in statuses}, **route.refusals}
    return {str(status): _refusal(status, text, error) for status, text in sorted(meanings.items())}


def _refusal(status: int, text: str, error: Any) -> dict[str, Any]:
    response: dict[str, Any] = {"description": text, "content": {"application/json": {"schema": error}}}
    if status in _HEADERS:
        response["headers"] = _HEADERS[status]
    return response


def _parameter(param: Param) -> dict[str, Any]:
    schema: Mapping[str, Any] = param.schema
    if param.many:
        schema = {
            "type": "array",
            "items": schema,
            "maxItems": param.many,
            **({"minItems": 1} if param.required else {}),
        }
    elif param.default is not None:
        schema = {**schema, "default": param.default}
    place = "path" if param.in_path else "query"
    required = param.required or param.in_path
    return {"name": param.name, "in": place, "description": param.doc, "required": required, "schema": schema}


def _with_numbers(value: Any) -> Any:
    """Decimals are sent as JSON numbers; msgspec describes them as it would send them by default."""
    if isinstance(value, dict):
        if value.get("type") == "string" and value.get("format") == "decimal":
            return {**{key: inner for key, inner in value.items() if key != "format"}, "type": "number"}
        return {key: _with_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_numbers(inner) for inner in value]
    return value
