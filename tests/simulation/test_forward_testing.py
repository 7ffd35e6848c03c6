"""Paper bots in the whole engine, against the simulated venue, over real sockets and a real database."""

import json
from collections import Counter
from decimal import Decimal

import httpx
import trio
from crash.paper_audit import audit, undecided
from crash.paper_bots import make_bots
from engine_postgres.server_fixtures import scratch_directory
from engine_simulator.loopback_http import NO_TLS
from simulation.ingest_world import eventually, ingest_world

LEADER = "0x" + "ab" * 20
BOTS = ("FOLLOWER", "WHOLE_ORDERS", "POOR", "CHOOSY")
SETTINGS = {"forward_testing.settle_interval_s": "1", "forward_testing.aggregate_linger_ms": "200"}
ORDERS = "SELECT * FROM ft_orders WHERE wallet_id = $1 ORDER BY decided_at, order_id"
REASONS = """
SELECT ft_wallets.wallet_id AS bot, result.reason FROM decisions,
    unnest(decisions.strategies, decisions.reasons) AS result (strategy, reason)
    JOIN ft_wallets ON ft_wallets.number = result.strategy
"""


def buy(**changes):
    row = {
        "proxyWallet": LEADER,
        "side": "BUY",
        "size": "10",
        "price": "0.40",
        "outcome": "Yes",
        "title": "Will it rain?",
    }
    return row | changes


async def one_market(world) -> dict[str, str]:
    """The ids of a market that the venue has."""
    async with httpx.AsyncClient(verify=NO_TLS, base_url=world.urls.gamma_url, trust_env=False) as gamma:
        (market,) = (await gamma.get("/markets", params={"limit": 1})).json()
    return {"asset": json.loads(market["clobTokenIds"])[0], "conditionId": market["conditionId"]}


async def orders_of(world, bot):
    return await world.fetch(ORDERS, bot)


async def until_orders(world, bot, count, timeout_s=15):
    with trio.fail_after(timeout_s):
        while len(found := await orders_of(world, bot)) < count:
            await trio.sleep(0.05)
    return found


async def reasons(world) -> Counter:
    return Counter((row["bot"], row["reason"]) for row in await world.fetch(REASONS))


def known(running) -> bool:
    return len(running.engine.actors.forward.tester._index.runners) == len(BOTS) and LEADER in (
        running.engine.actors.target_registry.current().lanes
    )


async def test_bots_buy_sell_and_are_paid(database):
    with scratch_directory() as home:
        async with ingest_world(database, home / "spill", start_paused=True, lag_scale=0.05, cache_scale=0) as world:
            await world.follow([LEADER])
            await make_bots(database, *BOTS)
            async with world.engine(**SETTINGS) as running:
                await eventually(lambda: known(running))
                market = await one_market(world)
                tx = "0x" + "11" * 32
                await world.post("/emit", trades=[buy(**market, transactionHash=tx, size=str(n)) for n in (10, 20, 30)])
                follower = await until_orders(world, "FOLLOWER", 3)
                (whole,) = await until_orders(world, "WHOLE_ORDERS", 1)
                assert {row["size"] for row in follower} == {Decimal(5)}
                assert all(row["entry_price"] == Decimal("0.4012") for row in follower)
                assert len(whole["members"]) == 3
                assert whole["members"][0] == whole["source_trade_id"]
                assert not await orders_of(world, "CHOOSY")

                await world.post("/emit", trades=[buy(**market, side="SELL", size="30", price="0.5")])
                await eventually_sold(world, 3)
                open_shares = [row["shares_open"] for row in await orders_of(world, "FOLLOWER")]
                assert all(0 < left < row["shares"] for left, row in zip(open_shares, follower, strict=True))

                await world.post("/resolve", condition_id=market["conditionId"], payouts=[1_000_000, 0])
                with trio.fail_after(20):
                    while any(row["outcome"] == "OPEN" for row in await orders_of(world, "FOLLOWER")):
                        await trio.sleep(0.1)
                done = await orders_of(world, "FOLLOWER")
                assert {row["outcome"] for row in done} <= {"WON", "LOST"}
                book = running.engine.actors.forward.tester.maker.book
                balances = {
                    r["wallet_id"]: r["cash"] for r in await world.fetch("SELECT wallet_id, cash FROM ft_balances")
                }
                await eventually(lambda: {bot: book.available(bot) for bot in BOTS} == balances)
            assert await audit(database) >= 5
            found = await reasons(world)
            assert found["CHOOSY", "price_out_of_range"] == 3
            assert found["FOLLOWER", "taken"] == 3
            assert found["WHOLE_ORDERS", "taken"] == 1


async def eventually_sold(world, count):
    with trio.fail_after(15):
        while len(await world.fetch("SELECT 1 FROM ft_closes WHERE wallet_id = 'FOLLOWER'")) < count:
            await trio.sleep(0.05)


async def test_a_database_that_stalls_costs_no_decision_and_doubles_none(database):
    with scratch_directory() as home:
        async with ingest_world(database, home / "spill", start_paused=True, lag_scale=0.05, cache_scale=0) as world:
            await world.follow([LEADER])
            await make_bots(database, *BOTS)
            async with world.engine(**SETTINGS, **{"writer.patience_ms": "100"}) as running:
                await eventually(lambda: known(running))
                market = await one_market(world)
                await world.post("/emit", trades=[buy(**market)])
                await until_orders(world, "FOLLOWER", 1)
                writer = running.engine.actors.sync_writer
                async with world.locked_trades():
                    for _ in range(8):
                        await world.post("/emit", trades=[buy(**market)])
                    await eventually(lambda: writer.spilled >= 5)
                    # Three of five USD and their fees fit into its 20; what is in the journal has been spent already.
                    await eventually(lambda: running.engine.actors.forward.tester.maker.book.available("POOR") < 5)
                await until_orders(world, "FOLLOWER", 9, timeout_s=30)
                await eventually(lambda: not writer.spill.size_bytes)
            assert await audit(database) > 0
            assert await undecided(database) == 0
            assert len(await orders_of(world, "POOR")) == 3
            assert len(await orders_of(world, "FOLLOWER")) == 9


async def test_a_market_that_gamma_does_not_tell_for_a_while_is_waited_for(database):
    with scratch_directory() as home:
        async with ingest_world(database, home / "spill", start_paused=True, lag_scale=0.05, cache_scale=0) as world:
            await world.follow([LEADER])
            await make_bots(database, *BOTS)
            async with world.engine(**SETTINGS) as running:
                await eventually(lambda: known(running))
                market = await one_market(world)
                # The engine has heard of it by a trade of somebody whom nobody follows, that is not at all.
                await world.fault("http_5xx", api="gamma")
                await world.post("/emit", trades=[buy(**market)])
                await world.until_stored()
                await trio.sleep(2)
                assert not await orders_of(world, "FOLLOWER")
                assert len(running.engine.actors.forward.tester.room) >= 1
                response = await world.control.delete("/faults")
                assert response.status_code == 200
                began_s = trio.current_time()
                await until_orders(world, "FOLLOWER", 1, timeout_s=5)
                assert trio.current_time() - began_s < 2.0
