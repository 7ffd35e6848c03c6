"""What goes back to the client: headers, JSON documents, errors."""

import math

import msgspec

from engine.api.errors import ApiError
from engine.api.route import Response, Struct
from engine.web.asgi_cycle import Send

Header = tuple[bytes, bytes]

SECURITY_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_JSON_HEADERS: tuple[Header, ...] = (*SECURITY_HEADERS, (b"content-type", b"application/json"))

encode = msgspec.json.Encoder(decimal_format="number").encode


class FieldProblem(Struct):
    """One field of a request that was wrong."""

    field: str
    message: str


class ErrorDetail(Struct):
    """What was wrong with a request."""

    code: str
    """Stable word for programs."""
    message: str
    """A sentence for people."""
    field: str | None
    """What of the request was wrong; null when it is no single thing."""
    problems: list[FieldProblem] | None = None
    """Everything that was wrong, where several fields were looked at together; else null."""


class ErrorBody(Struct):
    """The body of every answer that is no success."""

    error: ErrorDetail


async def send_json(send: Send, status: int, body: bytes, headers: tuple[Header, ...] = ()) -> None:
    """Sends a JSON document. Raises what `send` raises."""
    # A tuple, so that the server knows a head again that it has written before.
    lines = (*_JSON_HEADERS, (b"content-length", b"%d" % len(body)), *headers)
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: ApiError, headers: tuple[Header, ...] = ()) -> None:
    """Sends a refusal, with the headers that its status demands. Raises what `send` raises."""
    if error.status == 401:
        headers = (*headers, (b"www-authenticate", b"Bearer"))
    if error.retry_after_s is not None:
        headers = (*headers, (b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    problems = [FieldProblem(field=field, message=message) for field, message in error.problems] or None
    detail = ErrorDetail(code=error.code, message=error.message, field=error.field, problems=problems)
    await send_json(send, error.status, encode(ErrorBody(error=detail)), headers)


def secure(response: Response) -> Response:
    """Returns a Starlette response with the security headers that it does not set itself."""
    present = {name for name, _ in response.raw_headers}
    response.raw_headers.extend(header for header in SECURITY_HEADERS if header[0] not in present)
    return response
