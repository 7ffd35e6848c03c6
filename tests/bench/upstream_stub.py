"""The venue's HTTP side, healthy: the history of what was sent, and a plausible market for every one that is asked for."""

import json
from functools import partial
from urllib.parse import parse_qs, urlsplit

import attrs
import trio

from .frames import LEGS, payloads
from .websocket_reader import read_head

_TOKENS: dict[str, list[str]] = {}
for _leg in LEGS:
    _TOKENS.setdefault(_leg.condition_id, []).append(_leg.token_id)


@attrs.define(eq=False)
class History:
    """Every trade that was sent, as `/v2/trades` shows them: newest first, in pages."""

    _sent: list[bytes] = attrs.field(factory=list)
    _rows: list[dict[str, object]] = attrs.field(factory=list)

    def append(self, frames: bytes) -> None:
        """Remembers whole frames; they are taken apart only when somebody asks."""
        self._sent.append(frames)

    def page(self, query: dict[str, list[str]]) -> dict[str, object]:
        """Returns the page that a query asks for; a cursor is a position."""
        self._rows += [json.loads(payload)["payload"] for block in self._sent for payload in payloads(block)]
        self._sent.clear()
        start, end = int(query["start"][0]), int(query["end"][0])
        user, at, limit = query.get("user", [""])[0], int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        found = [
            row
            for row in reversed(self._rows)
            if start <= int(str(row["timestamp"])) <= end and user in ("", str(row["proxyWallet"]).lower())
        ]
        more = at + limit < len(found)
        cursor = str(at + limit) if more else None
        return {"data": found[at : at + limit], "pagination": {"has_more": more, "next_cursor": cursor}}


async def serve_upstream(history: History, *, task_status: trio.TaskStatus[int]) -> None:
    """Serves Gamma and the Data API on one free port."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            while True:
                head, _ = await read_head(stream)
                status, body = _answer(head.split(b" ", 2)[1].decode(), history)
                text = json.dumps(body).encode()
                head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                await stream.send_all(head % (status, len(text)) + text)
        except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        task_status.started(listeners[0].socket.getsockname()[1])


def _answer(target: str, history: History) -> tuple[bytes, object]:
    address = urlsplit(target)
    query = parse_qs(address.query)
    if address.path == "/markets":
        asked = query.get("condition_ids", [])
        return b"200 OK", [_market(condition_id) for condition_id in asked if condition_id in _TOKENS]
    if address.path == "/v2/trades":
        return b"200 OK", history.page(query)
    return b"404 Not Found", {"error": "not found"}


def _market(condition_id: str) -> dict[str, object]:
    return {
        "id": condition_id[2:10],
        "conditionId": condition_id,
        "question": "Will the highest temperature in Wellington be reached?",
        "slug": f"bench-{condition_id[2:10]}",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.5", "0.5"]',
        "clobTokenIds": json.dumps(_TOKENS[condition_id]),
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
    }
