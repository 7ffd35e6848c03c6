"""Stands before every HTTP API of the venue: counts requests, and makes them fail as they do in reality."""

import json
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.simulator.faults import Fault, FaultBoard

_PATHS_MAX = 200
_STALE_ANSWERS_MAX = 1_000
_IDENTIFIER = re.compile(r"/(0x[0-9a-fA-F]+|\d+)(?=/|$)")
_SLUG = re.compile(r"/slug/[^/]+")
_HTML = b"text/html; charset=UTF-8"
Headers = list[tuple[bytes, bytes]]
_Answer = tuple[int, Headers, bytes]


class FaultyApi:
    """One API behind its faults. Answers are held back whole, so that they can be cut, replaced or delayed."""

    def __init__(self, app: ASGIApp, api: str, faults: FaultBoard) -> None:
        self._app = app
        self._api = api
        self._faults = faults
        self._stale: dict[str, tuple[int, _Answer]] = {}
        self.requests: Counter[str] = Counter()
        """By path, ids replaced by `{}`."""
        self.statuses: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        self._count(path)
        receive = await self._hold(path, receive)
        status, headers, body = self._refusal(path) or await self._answer(scope, receive, path)
        if self._faults.active_for("http_truncated", self._api, path) is not None:
            body = body[: len(body) * 2 // 3]
            # The length stays true: what a client gets is a complete answer with half a document in it.
        self.statuses[status] += 1
        headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def describe(self) -> dict[str, object]:
        """Returns counters as JSON values."""
        statuses = {str(status): count for status, count in self.statuses.items()}
        return {"requests": dict(self.requests), "statuses": statuses}

    def _count(self, path: str) -> None:
        shape = _IDENTIFIER.sub("/{}", _SLUG.sub("/slug/{}", path))
        if shape not in self.requests and len(self.requests) >= _PATHS_MAX:
            shape = "other"
        self.requests[shape] += 1

    async def _hold(self, path: str, receive: Receive) -> Receive:
        """Waits while a fault says so, or until the client has had enough. Returns where the request is read from."""
        if self._faults.active_for("http_hang", self._api, path) is not None:
            patience = _Patience(receive)
            await patience.outlast(self._hung)
            receive = patience.receive
        slow = self._faults.active_for("http_slow", self._api, path)
        if slow is not None:
            await trio.sleep(slow.number("delay_s", 2.0))
        return receive

    async def _hung(self) -> None:
        while (hang := self._faults.active("http_hang")) is not None:
            with trio.move_on_at(hang.until_s):
                await self._faults.changed.wait()

    def _refusal(self, path: str) -> _Answer | None:
        limited = self._faults.active_for("http_429", self._api, path)
        if limited is not None:
            return _too_many_requests(limited)
        broken = self._faults.active_for("http_5xx", self._api, path)
        if broken is not None:
            return int(broken.number("status", 502)), [(b"content-type", _HTML)], html_error_page()
        return None

    async def _answer(self, scope: Scope, receive: Receive, path: str) -> _Answer:
        stale = self._faults.active_for("http_stale", self._api, path)
        url = _url_without_busters(path, scope.get("query_string", b"").decode("latin-1"))
        if stale is not None:
            kept = self._stale.get(url)
            if kept is not None and kept[0] == stale.id:
                return kept[1]
        answer = await self._whole_answer(scope, receive)
        if stale is not None and scope["method"] == "GET":
            if len(self._stale) >= _STALE_ANSWERS_MAX:
                self._stale.clear()
            self._stale[url] = (stale.id, answer)
        if self._faults.active_for("http_empty", self._api, path) is not None:
            return answer[0], answer[1], emptied(answer[2])
        return answer

    async def _whole_answer(self, scope: Scope, receive: Receive) -> _Answer:
        status = 500
        headers: Headers = []
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self._app(scope, receive, collect)
        return status, headers, b"".join(parts)


class _Patience:
    """A client that may leave while it is kept waiting; its request is kept for whoever answers in the end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()

    async def outlast(self, wait: Callable[[], Awaitable[None]]) -> None:
        """Returns when `wait` does or when the client has gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            await wait()
            nursery.cancel_scope.cancel()

    async def receive(self) -> Message:
        """ASGI `receive`."""
        return self._kept.popleft() if self._kept else await self._receive()

    async def _watch(self, scope: trio.CancelScope) -> None:
        while True:
            message = await self._receive()
            self._kept.append(message)
            if message["type"] == "http.disconnect":
                scope.cancel()
                return


def html_error_page() -> bytes:
    """Returns the 6 kB of HTML that a gateway answers instead of JSON."""
    filler = "".join(f'<div class="cf-line cf-line-{number}">&nbsp;</div>\n' for number in range(120))
    page = (
        '<!DOCTYPE html>\n<html lang="en-US">\n<head><title>polymarket.com | 502: Bad gateway</title></head>\n'
        f"<body>\n<h1>Bad gateway <span>Error code 502</span></h1>\n{filler}</body>\n</html>\n"
    )
    return page.encode()


def emptied(body: bytes) -> bytes:
    """Returns a JSON answer with its rows taken out."""
    try:
        value: Any = json.loads(body)
    except ValueError:
        return body
    if isinstance(value, list):
        return b"[]"
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        pagination: Mapping[str, Any] = value.get("pagination") or {}
        ended = {**pagination, "has_more": False, "next_cursor": None}
        return json.dumps({**value, "data": [], "pagination": ended}).encode()
    if isinstance(value, dict) and isinstance(value.get("markets"), list):
        return b'{"markets":[]}'
    return body


def _too_many_requests(fault: Fault) -> _Answer:
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", b"%d" % round(fault.number("retry_after_s", 1))),
    ]
    return 429, headers, b'{"error":"Too Many Requests"}'


def _url_without_busters(path: str, query: str) -> str:
    kept = sorted(part for part in query.split("&") if not part.startswith("_"))
    return f"{path}?{'&'.join(kept)}"
