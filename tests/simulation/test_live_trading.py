"""A whole engine with live trading against the simulated venue: copied, explained, halted, flattened, ordered by hand."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import httpx
import pytest
import trio
from crash.live_audit import audit, audit_venue
from crash.live_world import LiveWorld, armed_engine, live_world
from engine_simulator.loopback_http import NO_TLS

TOKEN = "bootstrap-token-of-a-live-engine"


@attrs.frozen
class Desk:
    """A live engine and who talks to it."""

    live: LiveWorld
    http: httpx.AsyncClient

    async def orders(self, **where: Any) -> list[Any]:
        rows = await self.live.world.fetch("SELECT * FROM lt_orders ORDER BY created_at, lt_order_id")
        return [row for row in rows if all(row[name] == value for name, value in where.items())]

    async def until(self, condition: Callable[[list[Any]], bool], timeout_s: float = 25) -> list[Any]:
        with trio.move_on_after(timeout_s):
            while not condition(rows := await self.orders()):
                await trio.sleep(0.1)
            return rows
        found = Counter((row["side"], row["status"], row["ended"], row["reason"]) for row in await self.orders())
        raise AssertionError(f"not within {timeout_s} s: {found}")

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        response = await self.http.request(method, path, json=body)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()

    async def checked(self) -> None:
        """Tables add up, and the venue has nothing that the journal does not."""
        # The venue first: what it has by then was journaled before.
        account = await self.live.account()
        audit_venue(await audit(self.live.world.database), account)


@asynccontextmanager
async def trading(seed: int, **settings: str) -> AsyncIterator[Desk]:
    async with (
        live_world(seed) as live,
        armed_engine({**live.world.settings, "http.admin_token": TOKEN, **settings}) as engine,
    ):
        await engine.until_ready(30)
        address = f"http://127.0.0.1:{engine.port}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(
            verify=NO_TLS, base_url=address, headers=headers, trust_env=False, timeout=15
        ) as http:
            yield Desk(live, http)
        assert engine.process.poll() is None, engine.log_text()[-3000:]
        assert not [line for line in engine.log_lines() if "Traceback" in str(line)]


def filled(rows: list[Any]) -> list[Any]:
    return [row for row in rows if row["side"] == "BUY" and row["filled_shares"] > 0 and row["ended"]]


async def test_a_copied_trade_reaches_the_venue_once_and_is_explained_to_its_fills():
    async with trading(31) as desk:
        rows = await desk.until(lambda rows: len(filled(rows)) >= 5)
        [order] = filled(rows)[:1]
        story = await desk.ask("GET", f"/api/trades/{order['cause']}/why")
        [told] = [one for one in story["liveOrders"] if one["side"] == "BUY"]
        assert (told["orderHash"], told["strategyId"]) == (order["order_hash"], "LT_MIRROR")
        assert sum(Decimal(str(fill["shares"])) for fill in told["fills"]) == order["filled_shares"]
        # The paper twin made the same decision with the same stake, before fees.
        [twin] = [one for one in story["orders"] if one["walletId"] == "MIRROR"]
        assert Decimal(str(twin["stake"])) == order["spend_usd"]
        account = await desk.live.account()
        assert max(account["posts"].values()) == 1
        await desk.checked()


async def test_a_halt_stops_entries_at_once_and_is_attributed():
    async with trading(32) as desk:
        await desk.until(lambda rows: len(filled(rows)) >= 2)
        await desk.ask("POST", "/api/lt/halt", {"reason": "a test"})
        await desk.until(lambda rows: any(row["reason"] == "HALTED" for row in rows))
        # What was judged before the halt was heard of may be signed and not kept yet.
        signed = sum(row["order_hash"] is not None for row in await desk.orders(side="BUY"))
        await desk.until(lambda rows: sum(row["reason"] == "HALTED" for row in rows) >= 4)
        assert sum(row["order_hash"] is not None for row in await desk.orders(side="BUY")) <= signed + 2
        [row] = await desk.live.world.fetch("SELECT * FROM lt_halts")
        assert (row["action"], row["reason"]) == ("halt", "a test")
        assert "a test" in next(row["detail"] for row in await desk.orders(reason="HALTED"))
        await desk.checked()


async def test_flatten_sells_what_is_held():
    async with trading(33, **{"live.settle_interval_s": "600"}) as desk:
        await desk.until(lambda rows: len(filled(rows)) >= 3)
        await desk.live.world.post("/play", action="pause")
        await desk.ask("POST", "/api/lt/strategies/LT_MIRROR/flatten", {"confirm": True})
        await trio.sleep(3)
        # What was bought before the pause was heard of.
        await desk.ask("POST", "/api/lt/strategies/LT_MIRROR/flatten", {"confirm": True})

        async def held() -> Decimal:
            # What is worth less than a dollar stays, and hundredths of a share; a market that closed has nobody to sell to.
            rows = await desk.live.world.fetch(
                "SELECT coalesce(sum(shares_open), 0) AS held FROM lt_orders AS o WHERE shares_open >= 0.01 AND NOT EXISTS ("
                " SELECT 1 FROM lt_exits AS x WHERE x.token_id = o.token_id AND x.status IN ('DUST', 'OPEN'))"
            )
            return Decimal(rows[0]["held"])

        await desk.until(lambda rows: any(row["side"] == "SELL" and row["filled_shares"] > 0 for row in rows))
        with trio.move_on_after(20):
            while await held():
                await trio.sleep(0.2)
        exits = await desk.live.world.fetch("SELECT * FROM lt_exits")
        assert not await held(), Counter((one["kind"], one["status"], one["detail"]) for one in exits)
        await desk.checked()


async def test_an_order_by_hand_is_placed_once_for_its_key():
    async with trading(34) as desk:
        rows = await desk.until(lambda rows: len(filled(rows)) >= 1)
        like = filled(rows)[0]
        body = {
            "orderIntentId": "by-hand-1", "account": "main", "tokenId": like["token_id"],
            "conditionId": like["condition_id"], "side": "BUY", "price": "0.99", "amount": "3", "inputMode": "usd",
            "orderType": "FAK", "confirm": True,
        }  # fmt: skip
        dry = await desk.ask("POST", "/api/polymarket/orders/dry-run", {**body, "orderIntentId": "dry-run-1"})
        assert dry["orderHash"].startswith("0x")
        first = await desk.ask("POST", "/api/polymarket/orders/place", body)
        again = await desk.ask("POST", "/api/polymarket/orders/place", body)
        assert first["orderId"] == again["orderId"]
        await desk.ask("POST", "/api/polymarket/orders/place", {**body, "amount": "4"}, status=409)
        manual = await desk.orders(is_manual=True)
        assert [(row["status"], row["spend_usd"]) for row in manual] == [("FILLED", Decimal(3))]
        account = await desk.live.account()
        assert dry["orderHash"] not in account["posts"]
        await desk.checked()


@pytest.mark.parametrize("fault", ["answer_lost", "accepted_late", "error_after"])
async def test_an_answer_that_never_comes_is_looked_up_and_never_repeated(fault):
    async with trading(35) as desk:
        await desk.until(lambda rows: len(filled(rows)) >= 1)
        await desk.live.fault(fault, count=3)
        before = len(await desk.orders())
        await desk.until(lambda rows: len(rows) > before + 6 and all(row["ended"] for row in rows[: before + 6]))
        account = await desk.live.account()
        assert max(account["posts"].values()) == 1
        await desk.checked()


async def test_a_match_that_fails_on_the_chain_is_unwound():
    async with trading(36) as desk:
        await desk.until(lambda rows: len(filled(rows)) >= 1)
        await desk.live.fault("trade_failed", count=2)

        async def failed() -> list[Any]:
            return list(await desk.live.world.fetch("SELECT * FROM lt_fills WHERE status = 'FAILED'"))

        with trio.fail_after(25):
            while len(await failed()) < 2:
                await trio.sleep(0.2)
        await desk.checked()
