"""The venue's Data API as far as results of wallets go, in a process of its own: `/v2/positions` of any wallet, after a pause.

The wallet's number says how much it has: most a few hundred closed positions, some thousands, number 7 a hundred thousand.
"""

import json
import sys
from functools import partial
from urllib.parse import parse_qs, urlsplit

import trio

from .websocket_reader import read_head

LATENCY_S = 0.15
NEWEST_S = 1_780_000_000
WHALE, WHALE_ROWS = 7, 100_000
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_ICON = "https://polymarket-upload.s3.us-east-2.amazonaws.com/will-it-rain-in-wellington-P-zEgXjCWbdY.png"


def closed_rows(number: int) -> int:
    """Returns how many closed positions a wallet has."""
    if number == WHALE:
        return WHALE_ROWS
    return 5_000 if number % 100 == 3 else 20 + number * 37 % 400


def lost_rows(number: int) -> int:
    """Returns how many worthless tokens it never redeemed."""
    return number % 50


def _row(number: int, index: int, *, is_closed: bool) -> dict[str, object]:
    token = number * 10**6 + index * 2 + (not is_closed)
    event_s = NEWEST_S - index * 1_800
    return {
        "proxy_wallet": f"0x{number:040x}",
        "token_id": str(10**75 + token),
        "condition_id": f"0x{token:064x}",
        "current_size": 0.0 if is_closed else 12.5,
        "avg_price": 0.42,
        "entry_cost_usdc": 0.0 if is_closed else 5.25,
        "current_price": 0.0,
        "current_value": 0.0,
        "total_size": 100.5,
        "realized_pnl": round((index % 21 - 9) * 1.25, 6) if is_closed else 0.0,
        "status": "CLOSED" if is_closed else "REDEEMABLE_LOST",
        "redeemable": not is_closed,
        "mergeable": False,
        "negative_risk": False,
        "archived": False,
        "title": f"Will it rain in Wellington on day {index}?",
        "slug": f"will-it-rain-in-wellington-on-day-{index}",
        "icon": _ICON,
        "event_slug": f"rain-in-wellington-{index}",
        "outcome": "Yes",
        "outcome_index": 0,
        "end_date": "2026-05-01",
        "last_event_at": event_s,
        "name": f"trader {number}",
        "profile_image": _ICON,
        "verified": False,
    }


def _answer(target: str, calls: list[int]) -> object:
    address = urlsplit(target)
    if address.path == "/calls":
        return len(calls)
    calls.append(1)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    number, is_closed = int(query["user"], 16), query.get("status") == "CLOSED"
    rows, limit, at = (
        (closed_rows if is_closed else lost_rows)(number),
        int(query["limit"]),
        int(query.get("cursor", 0)),
    )
    if "start" in query:
        rows = min(rows, (NEWEST_S - int(query["start"])) // 1_800 + 1)
    shown = [_row(number, index, is_closed=is_closed) for index in range(at, min(rows, at + limit))]
    more = at + limit < rows
    return {"data": shown, "pagination": {"has_more": more, "next_cursor": str(at + limit) if more else None}}


async def _serve(calls: list[int], stream: trio.SocketStream) -> None:
    try:
        while True:
            head, _ = await read_head(stream)
            text = json.dumps(_answer(head.split(b" ", 2)[1].decode(), calls)).encode()
            await trio.sleep(LATENCY_S)
            await stream.send_all(_HEAD % len(text) + text)
    except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def main() -> None:
    """Serves until it is ended; the first line says on which port."""
    async with trio.open_nursery() as nursery:
        calls: list[int] = []
        listeners = await nursery.start(partial(trio.serve_tcp, partial(_serve, calls), 0, host="127.0.0.1"))
        sys.stdout.write(json.dumps({"port": listeners[0].socket.getsockname()[1]}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(main)
