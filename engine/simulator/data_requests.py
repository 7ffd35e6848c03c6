"""Reads parameters of Data API requests, and answers as the v2 API does (venue.md §5.1)."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.simulator.response_cache import ResponseCache
from engine.simulator.wire_numbers import encode_json

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CONDITION = re.compile(r"0x[0-9a-fA-F]{64}")
CONDITIONS_MAX = 20


class DataApiError(Exception):
    """An answer other than 200; rendered by `error_response`."""

    def __init__(self, status: int, code: str, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.parameter = parameter


def bad_parameter(parameter: str, message: str) -> DataApiError:
    """Returns the error for a parameter that cannot be understood."""
    return DataApiError(400, "invalid_parameter", message, parameter)


class Parameters:
    """The query of a request. Unknown parameters are ignored: that is what makes cache busting possible."""

    def __init__(self, request: Request) -> None:
        self._query = request.query_params

    def text(self, name: str) -> str | None:
        """Returns a parameter, or None when it is absent or empty."""
        return self._query.get(name) or None

    def address(self, name: str) -> str | None:
        """Returns a wallet in lower case."""
        value = self.text(name)
        if value is not None and not _ADDRESS.fullmatch(value):
            raise bad_parameter(name, f"invalid address: {value[:60]}")
        return value.lower() if value is not None else None

    def required_address(self, name: str) -> str:
        """Returns a wallet in lower case that must be there."""
        value = self.address(name)
        if value is None:
            raise DataApiError(400, "missing_parameter", f"required query param '{name}' not provided", name)
        return value

    def conditions(self, name: str) -> frozenset[str]:
        """Returns comma-separated condition ids."""
        value = self.text(name)
        ids = [each.strip() for each in value.split(",") if each.strip()] if value is not None else []
        for each in ids:
            if not _CONDITION.fullmatch(each):
                raise bad_parameter(name, f"invalid condition id: {each[:80]}")
        if len(ids) > CONDITIONS_MAX:
            raise bad_parameter(name, f"at most {CONDITIONS_MAX} condition ids")
        return frozenset(each.lower() for each in ids)

    def whole(self, name: str, default: int, *, at_least: int, at_most: int) -> int:
        """Returns a whole number within bounds."""
        value = self.optional_whole(name)
        if value is None:
            return default
        if not at_least <= value <= at_most:
            raise bad_parameter(name, f"{name} must be between {at_least} and {at_most}")
        return value

    def optional_whole(self, name: str) -> int | None:
        """Returns a whole number or None."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,18}", value):
            raise bad_parameter(name, f"{name} must be an integer")
        return int(value)

    def amount(self, name: str) -> Decimal | None:
        """Returns a decimal number or None."""
        value = self.text(name)
        if value is None:
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise bad_parameter(name, f"{name} must be a number") from None
        if not number.is_finite():
            raise bad_parameter(name, f"{name} must be a number")
        return number

    def flag(self, name: str, *, default: bool) -> bool:
        """Returns true or false."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false", "1", "0"):
            raise bad_parameter(name, f"{name} must be true or false")
        return value.lower() in ("true", "1")

    def choice(self, name: str, *options: str) -> str | None:
        """Returns one of some words in upper case, or None."""
        value = self.text(name)
        if value is None:
            return None
        if value.upper() not in options:
            raise bad_parameter(name, f"{name} must be one of {', '.join(options)}")
        return value.upper()


def page(rows: list[dict[str, object]], *, limit: int, offset: int, next_cursor: str | None) -> dict[str, Any]:
    """Returns the envelope of a page: `has_more` and `next_cursor` always agree."""
    return {
        "data": rows,
        "pagination": {
            "limit": limit,
            "offset": offset,
            "has_more": next_cursor is not None,
            "next_cursor": next_cursor,
        },
    }


def error_response(error: DataApiError, trace_id: str) -> Response:
    """Returns the error answer of v2."""
    body: dict[str, Any] = {
        "error": error.message,
        "code": error.code,
        "retryable": error.status >= 500 or error.status == 429,
        "trace_id": trace_id,
    }
    if error.parameter is not None:
        body["parameter"] = error.parameter
    return json_response(body, status=error.status)


def json_response(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns a JSON answer with exact decimals."""
    return Response(encode_json(body), status, headers, "application/json")


def cached_response(request: Request, cache: ResponseCache, make: Callable[[], object]) -> Response:
    """Returns the answer that the cache holds for this very URL, or makes and keeps one."""
    path = request.url.path
    url = f"{path}?{request.url.query}"
    answer = cache.get(url)
    if answer is not None:
        age_s = max(0, round((cache.now_ms() - answer.stored_ms) / 1000))
        headers = {"x-cache": "Hit from cloudfront", "age": str(age_s)}
        return Response(answer.body, 200, headers, "application/json")
    body = encode_json(make())
    cache.put(path, url, body)
    age = cache.age_ms(path)
    headers = {"x-cache": "Miss from cloudfront", "cache-control": f"public, max-age={round(age / 1000)}"}
    return Response(body, 200, headers, "application/json")
