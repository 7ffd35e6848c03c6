"""A paper bot from its making to its last payout, seen only over HTTP, in an engine as an operator runs it."""

import json

import httpx
import trio
from engine_simulator.loopback_http import NO_TLS
from simulation.api_world import QUIET, api_engine
from simulation.ingest_world import ingest_world

LEADER = "0x" + "ab" * 20
SETTINGS = {
    "target_mode": "list", "target_traders": [LEADER], "min_edge": None, "min_trader_resolved_count": 0,
    "max_trade_age_s": 3_600, "bet_size": 5,
}  # fmt: skip
STARTING = 1_000


async def one_market(world):
    """Ids of a market that the venue has: condition and first token."""
    async with httpx.AsyncClient(verify=NO_TLS, base_url=world.urls.gamma_url, trust_env=False) as gamma:
        (market,) = (await gamma.get("/markets", params={"limit": 1})).json()
    return market["conditionId"], json.loads(market["clobTokenIds"])[0]


async def until_copied(world, engine, condition_id, token_id):
    """Lets the leader trade until an order copies him: a new strategy is noticed within a moment, not at once."""
    with trio.fail_after(40):
        for number in range(1, 1_000):
            trade = {"proxyWallet": LEADER, "side": "BUY", "size": "10", "price": "0.40", "outcome": "Yes", "asset": token_id,
                     "conditionId": condition_id, "transactionHash": f"0x{number:064x}"}  # fmt: skip
            await world.post("/emit", trades=[trade])
            # Each trade has its time, so that no order is still on its way when there is one.
            with trio.move_on_after(3):
                while not (orders := (await engine.done("GET", "/api/ft/orders", walletId="BOT"))["orders"]):
                    await trio.sleep(0.05)
                return orders[0]
    raise AssertionError("unreachable")


async def test_a_bot_is_made_copies_is_explained_marked_and_paid(database, tmp_path):
    # Nothing settles by itself in the time of the test.
    settings = {"forward_testing.settle_interval_s": "600"}
    async with (
        ingest_world(database, tmp_path / "spill", **QUIET) as world,
        api_engine(world, tmp_path, **settings) as engine,
    ):
        await engine.process.until_ready()
        await engine.done("POST", "/api/ft/wallets", {"walletId": "BOT", "settings": SETTINGS})
        condition_id, token_id = await one_market(world)
        order = await until_copied(world, engine, condition_id, token_id)
        assert (order["outcome"], order["trader"], order["stake"]) == ("OPEN", LEADER, 5)

        path = f"/api/trades/{order['sourceTradeId']}/why"
        told = await engine.done("GET", path, walletId="BOT")
        [result] = [result for part in told["parts"] for result in part["results"]]
        assert (result["walletId"], result["reason"]) == ("BOT", "taken")
        assert all(gate["passed"] for gate in result["gates"])
        assert [one["orderId"] for one in told["orders"]] == [order["orderId"]]
        diagnosis = await engine.done(
            "POST", "/api/ft/sync-diagnose", {"tradeId": order["sourceTradeId"], "walletId": "BOT"}
        )
        assert (diagnosis["would"], diagnosis["inputs"]) == ("taken", "decision")

        taken = await engine.done("POST", "/api/ft/snapshot-refresh", {"walletId": "BOT"})
        [wallet] = (await engine.done("GET", "/api/ft/wallets"))["wallets"]
        assert (taken["unmarkedPositions"], taken["openPositions"]) == (0, wallet["openOrders"])
        assert taken["cash"] + taken["openExposure"] == STARTING
        assert (taken["cash"], taken["openExposure"]) == (wallet["cash"], wallet["exposure"])
        [kept] = (await engine.done("GET", "/api/ft/snapshots", walletId="BOT"))["snapshots"]
        assert kept == taken

        await world.post("/resolve", condition_id=condition_id, payouts=[1_000_000, 0])
        settled = 0
        with trio.fail_after(30):
            while settled < wallet["openOrders"]:
                settled += (await engine.done("POST", "/api/ft/resolve"))["orders"]
                await trio.sleep(0.2)
        [ended] = (await engine.done("GET", path, walletId="BOT"))["orders"]
        assert (ended["outcome"], ended["exitPrice"]) == ("WON", 1)
        [after] = (await engine.done("GET", "/api/ft/wallets"))["wallets"]
        assert (after["won"], after["openOrders"], after["exposure"]) == (wallet["orders"], 0, 0)
        assert after["cash"] == STARTING + after["realizedPnl"] > STARTING
        [day] = (await engine.done("GET", "/api/ft/daily-stats", walletId="BOT"))["days"]
        assert (day["won"], day["cumulativePnl"]) == (after["won"], after["realizedPnl"])
        [place] = (await engine.done("GET", "/api/ft/leaderboard", by="pnl"))["ranks"]
        assert (place["walletId"], place["value"]) == ("BOT", after["realizedPnl"])
        bot = await engine.done("GET", "/api/v2/bots/BOT")
        assert bot["bot"]["trades"] == after["orders"]
        assert {one["reason"] for one in bot["signals"]} == {"taken"}
        assert not [line for line in engine.process.log_lines() if line["level"] in ("error", "critical")]
