"""Turns a route into an ASGI application: checks the request, calls the handler, sends what it answers.

Raw ASGI, no request object: at 8,000 calls a second on one core each may take 125 us, of which the server takes some 90.
"""

import logging
from functools import partial
from typing import Any

import attrs
import msgspec
import trio

from actors.rules.log_limit import LogLimit
from engine.api.answer import encode, secure, send_error, send_json
from engine.api.errors import ApiError, bad_field, unavailable
from engine.api.feed_stream import EventStream
from engine.api.gate import Gate
from engine.api.params import Param, parsed
from engine.api.request import (
    ClientGoneError,
    QueryReader,
    RequestHeaders,
    body_too_large,
    decode_body,
    exact_number,
    read_body,
)
from engine.api.route import ApiRoute, Call, Response
from engine.web.asgi_cycle import Receive, Scope, Send
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
CLOSE_TIMEOUT_S = 1.0
STREAM_RETRY_S = 5.0
_NOTHING: dict[str, Any] = {}
_FAILED = ApiError(500, "internal_error", "the request failed; the log of the engine says why")


@attrs.define(eq=False)
class Endpoint:
    """One method of one path as an ASGI application."""

    route: ApiRoute
    gate: Gate
    _query: QueryReader = attrs.field(init=False)
    _path_params: tuple[Param, ...] = attrs.field(init=False)
    _decoder: "msgspec.json.Decoder[Any] | None" = attrs.field(init=False)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._query = QueryReader(tuple(param for param in self.route.params if not param.in_path))
        self._path_params = tuple(param for param in self.route.params if param.in_path)
        self._decoder = (
            None if self.route.body is None else msgspec.json.Decoder(self.route.body, float_hook=exact_number)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request. Raises only what `send` raises, and what a stream raises after its beginning."""
        if not self.route.streams:
            await self._serve(scope, receive, send)
        elif not self.gate.take_stream():
            await send_error(send, unavailable("too many event streams are open", STREAM_RETRY_S))
        else:
            try:
                await self._serve(scope, receive, send)
            finally:
                self.gate.give_stream_back()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
            streams = isinstance(answer, Response)
            body = answer if streams or type(answer) is bytes else encode(answer)
        except ClientGoneError:
            return
        except Exception as error:
            await send_error(send, self._refusal(error))
            return
        if streams:
            await _send_stream(secure(answer), scope, receive, send)
        else:
            await send_json(send, 200, body)

    async def _answer(self, scope: Scope, receive: Receive) -> Any:
        route = self.route
        authorization = length = content_type = None
        has_body = has_cookie = False
        for name, value in scope["headers"]:
            if name == b"authorization":
                # Two of them are none: nobody knows which one the proxy in front has looked at.
                authorization = value if authorization is None else b""
            elif name == b"cookie":
                has_cookie = True
            elif name == b"content-type":
                content_type = value
            elif name == b"content-length":
                length = int(value)
                has_body = length > 0
            elif name == b"transfer-encoding":
                has_body = True
        if has_cookie and authorization is None:
            principal = self.gate.admit_browser(scope, route.scope, route.rate)
        else:
            client = scope["client"]
            principal = self.gate.admit(authorization, client[0] if client else "", route.scope, route.rate)
        query = scope["query_string"]
        params = self._query.read(query) if query or self._query.params else _NOTHING
        if self._path_params:
            path_values = {name: (value,) for name, value in scope["path_params"].items()}
            params = {**params, **parsed(self._path_params, path_values)}
        body = None
        if has_body or self._decoder is not None:
            body = await self._body(receive, content_type, length)
        headers = RequestHeaders(scope["headers"])
        answer = await route.handler(Call(principal=principal, params=params, body=body, headers=headers))
        if isinstance(answer, EventStream):
            answer.holds = partial(self.gate.still_holds, authorization, scope)
        return answer

    async def _body(self, receive: Receive, content_type: bytes | None, length: int | None) -> Any:
        if self._decoder is None:
            if length or await read_body(receive, self.route.body_bytes_max):
                raise bad_field("body", "this request takes none")
            return None
        bytes_max = self.route.body_bytes_max
        if length is not None and length > bytes_max:
            raise body_too_large(bytes_max)
        body = await read_body(receive, bytes_max)
        if not body:
            raise bad_field("body", "is needed, in JSON")
        if content_type is None or content_type.partition(b";")[0].strip().lower() != b"application/json":
            raise ApiError(415, "unsupported_media_type", "the body has to be application/json", "content-type")
        return decode_body(self._decoder, body)

    def _refusal(self, error: Exception) -> ApiError:
        """Returns what the client is told. Nothing of the query, the headers and the body reaches the log."""
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]  # of a handler with a nursery
        if isinstance(error, ApiError):
            return error
        fields = {"method": self.route.method, "path": self.route.path}
        if isinstance(error, TransientError):
            if self._log_limit.allows("transient", trio.current_time()) is not None:
                _log.warning("request not served for now", extra={**fields, "error": str(error)})
            return unavailable("this cannot be answered for the moment; try again")
        _log.error("request failed", extra=fields, exc_info=error)
        return _FAILED


async def _send_stream(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a Starlette response. Its generator is closed at once when the client leaves: Starlette waits for the collector."""
    try:
        await response(scope, receive, send)
    finally:
        close = getattr(getattr(response, "body_iterator", None), "aclose", None)
        if close is not None:
            with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                await close()
