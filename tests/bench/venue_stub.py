"""A venue for orders in a process of its own that takes everything at once: it notes when an order arrived, and fills it.

It checks no signature and matches nothing: the exchange of the simulator recovers every signer, clears two mirrored books and
hashes them, on the two cores that engine, database and sender have to share. What it says is what a taker hears of the real one
(venue.md §2.2, §4.3): an answer that it matched, then the trade on the user socket, and a second later that it is confirmed.
"""

import base64
import hashlib
import json
import sys
import time
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import trio

from protocols.venue.order_typed_data import Order, exchange_of, order_hash

from .blaster import Client
from .frames import LEGS, text_frame
from .websocket_reader import CLOSE, PING, TEXT, WebSocketReader, control_frame

ASK_CENTS, DEPTH_SHARES = 50, 1_000_000
CHAIN_ID = 137
CONFIRMED_AFTER_S = 1.0
COLLATERAL_MICRO = 10**15
KEY = {"apiKey": "bench-key", "secret": base64.urlsafe_b64encode(bytes(32)).decode(), "passphrase": "bench"}
_ACCEPT_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MARKETS = {leg.token_id: leg.condition_id for leg in LEGS}
_READ_BYTES = 1 << 16


@attrs.define(eq=False)
class Venue:
    """What has arrived, and who listens."""

    arrivals: list[tuple[str, int]] = attrs.field(factory=list)
    """Order hash and monotonic time at which the whole of its request had been read, ns."""
    requests: dict[str, int] = attrs.field(factory=dict)
    """By method and first part of the path."""
    trades: list[dict[str, Any]] = attrs.field(factory=list)
    shares: dict[str, int] = attrs.field(factory=dict)
    sockets: list[Client] = attrs.field(factory=list)
    unconfirmed: list[tuple[float, dict[str, Any]]] = attrs.field(factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serves one connection, of HTTP or of a user socket."""
        data = bytearray()
        try:
            while True:
                while (end := data.find(b"\r\n\r\n")) < 0:
                    data += await _more(stream)
                head = bytes(data[:end])
                length = int(_header(head, b"content-length") or 0)
                while len(data) < end + 4 + length:
                    data += await _more(stream)
                arrived_ns = time.monotonic_ns()
                body = bytes(data[end + 4 : end + 4 + length])
                del data[: end + 4 + length]
                method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                if target.startswith("/ws/"):
                    await self._hold_socket(stream, head, data)
                    return
                trade, answer = self._answer(method, target, body, arrived_ns)
                text = json.dumps(answer).encode()
                await stream.send_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
                    + text
                )
                if _header(head, b"connection") == b"close":
                    return
                if trade is not None:
                    await self._tell(trade)
                    self.unconfirmed.append((trio.current_time() + CONFIRMED_AFTER_S, trade))
        except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def confirm(self) -> None:
        """Confirms trades in their time."""
        while True:
            await trio.sleep(0.1)
            while self.unconfirmed and self.unconfirmed[0][0] <= trio.current_time():
                _, trade = self.unconfirmed.pop(0)
                trade["status"] = "CONFIRMED"
                await self._tell(trade)

    def _answer(self, method: str, target: str, body: bytes, arrived_ns: int) -> tuple[dict[str, Any] | None, object]:
        address = urlsplit(target)
        path, query = address.path, parse_qs(address.query)
        if path != "/bench":
            label = f"{method} /{path.split('/')[1]}"
            self.requests[label] = self.requests.get(label, 0) + 1
        if (method, path) == ("POST", "/order"):
            return self._matched(json.loads(body), arrived_ns)
        return None, self._read(path, query, body)

    def _read(self, path: str, query: dict[str, list[str]], body: bytes) -> object:
        if path == "/bench":
            return {"arrivals": self.arrivals, "requests": self.requests}
        if path == "/time":
            return int(time.time())
        if path.startswith("/auth/derive"):
            return KEY
        if path == "/book":
            return _book(query["token_id"][0])
        if path == "/books":
            return [_book(one["token_id"]) for one in json.loads(body)]
        if path.startswith("/clob-markets/"):
            condition_id = path.rpartition("/")[2]
            tokens = [{"t": leg.token_id, "o": leg.outcome} for leg in LEGS if leg.condition_id == condition_id]
            return {"c": condition_id, "t": tokens, "ao": True, "mts": 0.01, "mos": 5}
        if path == "/data/trades":
            wanted = query.get("id")
            rows = [one for one in self.trades[-100:] if wanted is None or one["id"] in wanted]
            return {"data": rows, "next_cursor": "LTE="}
        if path == "/data/orders":
            return {"data": [], "next_cursor": "LTE="}
        if path == "/balance-allowance":
            held = self.shares.get(query["token_id"][0], 0) if "token_id" in query else COLLATERAL_MICRO
            return {"balance": str(held), "allowances": {}}
        return {}

    def _matched(self, document: dict[str, Any], arrived_ns: int) -> tuple[dict[str, Any], object]:
        """Fills an order at once and whole at the best ask."""
        told = document["order"]
        token_id, maker_micro = told["tokenId"], int(told["makerAmount"])
        shares_micro = maker_micro * 100 // ASK_CENTS
        order = Order(
            salt=told["salt"],
            maker=told["maker"],
            signer=told["signer"],
            token_id=int(token_id),
            maker_amount=maker_micro,
            taker_amount=int(told["takerAmount"]),
            side=told["side"],
            signature_type=told["signatureType"],
            timestamp_ms=int(told["timestamp"]),
        )
        exchange = exchange_of(CHAIN_ID, negative_risk=False, token_id=order.token_id)
        order_id = "0x" + order_hash(order, exchange).hex()
        self.arrivals.append((order_id, arrived_ns))
        self.shares[token_id] = self.shares.get(token_id, 0) + shares_micro
        trade = _trade(len(self.trades), order_id, token_id, told, document["owner"], shares_micro)
        self.trades.append(trade)
        return trade, {
            "success": True,
            "errorMsg": "",
            "orderID": order_id,
            "status": "matched",
            "makingAmount": _units(maker_micro),
            "takingAmount": _units(shares_micro),
            "tradeIDs": [trade["id"]],
        }

    async def _tell(self, trade: dict[str, Any]) -> None:
        for client in list(self.sockets):
            try:
                await client.send(text_frame(json.dumps(trade).encode()))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                if client in self.sockets:
                    self.sockets.remove(client)

    async def _hold_socket(self, stream: trio.SocketStream, head: bytes, rest: bytearray) -> None:
        accept = base64.b64encode(hashlib.sha1(_header(head, b"sec-websocket-key") + _ACCEPT_KEY).digest())
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        client = Client(stream)
        async for opcode, payload in WebSocketReader(stream, rest):
            if opcode == CLOSE:
                break
            if opcode == PING:
                await client.send(control_frame(0xA, payload))
            elif opcode == TEXT and payload == b"PING":
                await client.send(text_frame(b"PONG"))
            elif opcode == TEXT and client not in self.sockets:
                self.sockets.append(client)
        if client in self.sockets:
            self.sockets.remove(client)


def _book(token_id: str) -> dict[str, Any]:
    return {
        "market": _MARKETS[token_id],
        "asset_id": token_id,
        "timestamp": str(time.time_ns() // 10**6),
        "hash": "",
        "bids": [{"price": f"0.{cents:02d}", "size": str(DEPTH_SHARES)} for cents in range(40, ASK_CENTS)],
        "asks": [{"price": f"0.{cents:02d}", "size": str(DEPTH_SHARES)} for cents in range(60, ASK_CENTS - 1, -1)],
        "min_order_size": "5",
        "tick_size": "0.01",
        "neg_risk": False,
        "last_trade_price": "0.5",
    }


def _trade(
    number: int, order_id: str, token_id: str, told: dict[str, Any], owner: str, shares_micro: int
) -> dict[str, Any]:
    price = f"0.{ASK_CENTS:02d}"
    maker = {
        "order_id": f"0x{number:064x}",
        "owner": "somebody",
        "maker_address": "0x" + "11" * 20,
        "matched_amount": _units(shares_micro),
        "price": price,
        "asset_id": token_id,
        "side": "SELL",
    }
    return {
        "event_type": "trade",
        "type": "TRADE",
        "id": f"trade-{number}",
        "taker_order_id": order_id,
        "market": _MARKETS[token_id],
        "asset_id": token_id,
        "side": told["side"],
        "size": _units(shares_micro),
        "price": price,
        "status": "MATCHED",
        "trader_side": "TAKER",
        "owner": owner,
        "trade_owner": owner,
        "maker_address": told["maker"],
        "maker_orders": [maker],
        "match_time": str(int(time.time())),
        "timestamp": str(int(time.time())),
        "transaction_hash": f"0x{number:064x}",
    }


def _units(micro: int) -> str:
    return f"{micro // 10**6}.{micro % 10**6:06d}"


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


async def _more(stream: trio.SocketStream) -> bytes:
    chunk = bytes(await stream.receive_some(_READ_BYTES))
    if not chunk:
        raise EOFError
    return chunk


async def main() -> None:
    """Serves until standard input ends."""
    venue = Venue()
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, venue.serve, 0, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await nursery.start(serve)
        nursery.start_soon(venue.confirm)
        sys.stdout.write(json.dumps({"port": listeners[0].socket.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        async for _ in trio.wrap_file(sys.stdin):
            pass
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
