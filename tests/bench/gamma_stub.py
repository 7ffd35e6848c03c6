"""Gamma's list of markets, with a price that moves at every call, and a count of the calls."""

import json
from functools import partial
from urllib.parse import parse_qs, urlsplit

import attrs
import trio

from .websocket_reader import read_head

_HEAD = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@attrs.define(eq=False)
class GammaStub:
    """Knows every market that it is asked for."""

    calls: int = 0
    latency_s: float = 0.0

    async def serve(self, *, task_status: trio.TaskStatus[str]) -> None:
        """Serves on a free port of loopback and tells its address."""
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, self._connection, 0, host="127.0.0.1")
            listeners: list[trio.SocketListener] = await nursery.start(serve)
            task_status.started(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}")

    async def _connection(self, stream: trio.SocketStream) -> None:
        try:
            while True:
                head, _ = await read_head(stream)
                address = urlsplit(head.split(b" ", 2)[1].decode())
                self.calls += 1
                await trio.sleep(self.latency_s)
                markets = [self._market(id_) for id_ in parse_qs(address.query).get("condition_ids", [])]
                body = json.dumps({"markets": markets} if address.path.endswith("keyset") else markets).encode()
                status = b"200 OK" if address.path.startswith("/markets") and markets else b"404 Not Found"
                await stream.send_all(_HEAD % (status, len(body)) + body)
        except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    def _market(self, condition_id: str) -> dict[str, object]:
        cents = self.calls % 98 + 1
        number = int(condition_id, 16)
        return {
            "id": str(number),
            "conditionId": condition_id,
            "question": "Will the highest temperature in Wellington be 14°C or below on October 5?",
            "slug": f"highest-temperature-in-wellington-{number}",
            "outcomes": '["Yes", "No"]',
            "outcomePrices": json.dumps([f"0.{cents:02}", f"0.{100 - cents:02}"]),
            "clobTokenIds": json.dumps([str(10**76 + 2 * number), str(10**76 + 2 * number + 1)]),
            "active": True,
            "closed": False,
            "acceptingOrders": True,
            "enableOrderBook": True,
            "endDate": "2026-12-31T12:00:00Z",
            "image": "https://polymarket-upload.s3.us-east-2.amazonaws.com/weather.png",
            "description": "This market resolves to the range that contains the highest temperature recorded. " * 4,
            "orderPriceMinTickSize": 0.01,
            "orderMinSize": 5,
            "negRisk": False,
            "events": [{"slug": "highest-temperature-in-wellington", "tags": [{"label": "Weather"}]}],
        }
