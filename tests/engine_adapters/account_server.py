"""A Data API that says what the test wants of accounts."""

import json

import attrs
import httpx
from engine_adapters.answering_lines import AnsweringLines
from property.made_trades import condition, transaction

from engine.adapters.trader_accounts import DataApiAccounts
from engine.adapters.upstream import Upstream
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.traffic import Traffic

WALLET, STRANGER = "0x" + "ab" * 20, "0x" + "cd" * 20
AT_S = 1_787_140_800


@attrs.define
class SetClock:
    ms: int = AT_S * 1000

    def now_ms(self):
        return self.ms


@attrs.define(eq=False)
class Server:
    """v1 lists by path, served by offset below a cap; or v2 pages, one after the other; or a status."""

    lists: dict[str, list[dict]] = attrs.field(factory=dict)
    pages: dict[str, list[object]] = attrs.field(factory=dict)
    statuses: dict[str, int] = attrs.field(factory=dict)
    cap: int = 100_000
    then: object = None
    asked: list[httpx.URL] = attrs.field(factory=list)
    clock: SetClock = attrs.field(factory=SetClock)

    def accounts(self):
        bucket = TokenBucket(rate_per_s=1e6, burst=1_000)
        api = Upstream(
            name="data", lines=AnsweringLines(self.answer), bucket=bucket, total_timeout_s=5, traffic=Traffic()
        )
        return DataApiAccounts(api=api, clock=self.clock)

    def answer(self, request):
        self.asked.append(request.url)
        path, params = request.url.path, request.url.params
        if path in self.statuses:
            return httpx.Response(self.statuses[path], text="gone")
        if path in self.pages:
            body = self.pages[path].pop(0)
        elif path in self.lists:
            offset = min(int(params["offset"]), self.cap)
            body = self.between(path, params)[offset : offset + int(params["limit"])]
        else:
            return httpx.Response(404, text="no such path")
        if self.then is not None:
            self.then()
        return httpx.Response(200, text=body if isinstance(body, str) else json.dumps(body))

    def between(self, path, params):
        """The rows of a list that are within the time asked for, if one was."""
        start, end = int(params.get("start", 0)), int(params.get("end", 10**10))
        return [row for row in self.lists[path] if start <= row.get("timestamp", start) <= end]

    def paths(self):
        return [url.path for url in self.asked]


def v2(rows, cursor=None):
    return {"data": rows, "pagination": {"has_more": cursor is not None, "next_cursor": cursor}}


def held(number, **changes):
    row = {"proxyWallet": WALLET, "asset": str(number), "conditionId": condition(number), "size": 1.5}
    return row | changes


def held_v2(number, **changes):
    row = {"proxy_wallet": WALLET, "token_id": str(number), "condition_id": condition(number), "current_size": 1.5}
    return row | changes


def closed(number, at_s, **changes):
    row = {"proxyWallet": WALLET, "asset": str(number), "conditionId": condition(number), "totalBought": 2}
    return row | {"realizedPnl": -1.5, "timestamp": at_s} | changes


def closed_v2(number, at_s):
    row = held_v2(number, current_size=0, total_size=2, realized_pnl=0.5)
    return row | {"last_event_at": at_s}


def trade(number, at_s, **changes):
    row = {"proxyWallet": WALLET, "asset": "7", "conditionId": condition(7), "side": "BUY", "price": 0.5, "size": 2}
    return row | {"type": "TRADE", "transactionHash": transaction(number), "timestamp": at_s} | changes


def standing(rank):
    return {"rank": str(rank), "proxyWallet": f"0x{rank:040x}", "userName": "", "vol": 1.5, "pnl": 2.5}


async def all_pages(ask, **arguments):
    pages, cursor = [], None
    while True:
        pages.append(await ask(cursor=cursor, **arguments))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages


async def all_rows(ask, **arguments):
    return [row for page in await all_pages(ask, **arguments) for row in page.rows]
