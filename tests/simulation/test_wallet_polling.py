"""Pollers, stream and gap filler against the simulated venue: one trade is one row, and positions are what the venue's are."""

from collections import Counter

import trio
from simulation.ingest_world import eventually, ingest_world

CALM = {"seed": 6, "lag_scale": 0, "cache_scale": 0, "start_paused": True}
LIVELY = {"seed": 6, "rate_scale": 2, "wallets": 400, "lag_scale": 0.05, "cache_scale": 0}
QUICK_POLLS = {"poller.hot.cooldown_s": "0.2"}
WALLET = "0x" + "5" * 40
CURRENT = "SELECT token_id, (size * 1000000)::bigint AS micro FROM positions_current WHERE wallet_address = $1"
CLOSED = "SELECT token_id, closed_reason, size FROM positions_closed WHERE wallet_address = $1 ORDER BY id"


async def truth(world, wallets=None):
    """Every fill of the venue, counted, and what the wallets hold by it."""
    fills = (await world.post("/ledger", wallets=wallets))["fills"]
    counted: Counter = Counter()
    holdings = {wallet: Counter() for wallet in wallets or ()}
    for fill in fills:
        token, size = fill["token_id"], fill["size_micro"]
        counted[fill["transaction_hash"], fill["wallet"], token, fill["side"], size] += fill["count"]
        held = holdings.setdefault(fill["wallet"], Counter())
        for _ in range(fill["count"]):
            # What is sold beyond the holding came from a split, and changes nothing.
            held[token] += size if fill["side"] == "BUY" else -min(size, held[token])
    return counted, {wallet: +held for wallet, held in holdings.items()}


async def current(world, wallet):
    return Counter({row["token_id"]: row["micro"] for row in await world.fetch(CURRENT, wallet)})


async def until_held(world, wallet, expected):
    with trio.fail_after(20):
        while await current(world, wallet) != expected:
            await trio.sleep(0.05)


async def test_a_position_is_opened_changed_and_closed_as_the_venue_has_it(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **CALM) as world:
        await world.follow([WALLET], target=True)
        async with world.engine(**QUICK_POLLS) as running:
            polling = running.engine.actors.polling
            await eventually(lambda: polling.hot.wallet_poll.figures.polls > 0)

            async def trade(side, size):
                await world.post("/emit", trades=[{"proxyWallet": WALLET, "side": side, "size": size}])

            await trade("BUY", 100)
            (token,) = (await truth(world, [WALLET]))[1][WALLET]
            await until_held(world, WALLET, Counter({token: 100_000_000}))
            await trade("BUY", 20)
            await until_held(world, WALLET, Counter({token: 120_000_000}))
            await trade("SELL", 30)
            await until_held(world, WALLET, Counter({token: 90_000_000}))
            await trade("SELL", 90)
            await until_held(world, WALLET, Counter())
            closed = await world.fetch(CLOSED, WALLET)
            assert [(row["token_id"], row["closed_reason"], row["size"]) for row in closed] == [
                (token, "manual_close", 90)
            ]
            events = polling.hot.wallet_poll.figures.events
            assert events == {"opened": 1, "increased": 1, "partly_closed": 1, "manual_close": 1}
            await eventually(lambda: polling.listener.heard == 4)
            assert running.engine.traffic.requests["data", "hot poller", "200"] > 0


async def test_a_trade_that_the_stream_never_brought_is_found_by_a_poll(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **CALM) as world:
        await world.follow([WALLET])
        async with world.engine(**QUICK_POLLS, **{"poller.hot.trades_interval_s": "1"}) as running:
            actors = running.engine.actors
            await eventually(lambda: actors.polling.hot.wallet_poll.figures.polls > 0)
            await world.fault("drop")
            await world.post("/emit", trades=[{"proxyWallet": WALLET, "size": 5}, {"proxyWallet": WALLET, "size": 5}])
            await eventually(lambda: actors.sync_writer.inserted == 2)
        assert (await world.stored()) == (await truth(world, [WALLET]))[0]


async def test_stream_gap_filler_and_pollers_make_one_row_of_each_fill_and_the_same_positions(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **LIVELY) as world:
        fills = []
        while len({fill["wallet"] for fill in fills}) < 12:
            fills = (await world.post("/ledger", wallets=None))["fills"]
        busiest = [wallet for wallet, _ in Counter(fill["wallet"] for fill in fills).most_common(12)]
        await world.follow(busiest)
        settings = {**QUICK_POLLS, "poller.hot.trades_interval_s": "1", "poller.hot.rate_per_s": "50"}
        async with world.engine(**settings) as running:
            actors = running.engine.actors
            await eventually(lambda: actors.polling.hot.wallet_poll.figures.polls > 12)
            for fault in ("close", "reset"):
                await world.fault(fault)
                await trio.sleep(1.5)
            await world.fault("http_429", api="data", retry_after_s=1, duration_s=2)
            await world.fault("http_5xx", api="data", probability=0.3, duration_s=3)
            await trio.sleep(4)
            await world.post("/play", action="pause")
            counted, holdings = await truth(world, busiest)
            for wallet in busiest:
                await until_held(world, wallet, holdings[wallet])
            with trio.fail_after(30):
                while await world.stored() != counted:
                    await trio.sleep(0.1)
            assert actors.polling.hot.wallet_poll.figures.trades > 0
        closed = await world.fetch("SELECT wallet_address, token_id, opened_snapshot FROM positions_closed")
        assert len(closed) == len(set(map(tuple, closed)))


async def test_lists_that_are_wrongly_empty_close_nothing(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **CALM) as world:
        await world.follow([WALLET])
        async with world.engine(**QUICK_POLLS) as running:
            hot = running.engine.actors.polling.hot
            rows = [{"proxyWallet": WALLET, "size": size} for size in (5, 7)]
            await world.post("/emit", trades=rows)
            (_, holdings) = await truth(world, [WALLET])
            await until_held(world, WALLET, holdings[WALLET])
            figures = hot.wallet_poll.figures
            for fault in ("http_truncated", "http_429", "http_5xx", "http_empty"):
                failures, looks, polls = figures.failures.total(), figures.calls["evidence"], figures.polls
                await world.fault(fault, api="data", **({} if fault == "http_empty" else {"path": "/v2/positions"}))
                await eventually(
                    lambda f=failures, k=looks: figures.failures.total() > f or figures.calls["evidence"] > k
                )
                assert await current(world, WALLET) == holdings[WALLET]
                await world.post("/faults", kind="clear")
                await eventually(lambda p=polls: figures.polls > p + 1)
        assert await world.fetch(CLOSED, WALLET) == []
        assert await current(world, WALLET) == holdings[WALLET]
        missing = await world.fetch("SELECT 1 FROM positions_current WHERE missing_since IS NOT NULL")
        assert missing == []


async def test_a_position_in_a_market_that_nobody_knows_asks_for_the_market(database, tmp_path):
    """Bought before anybody listened: no trade of ours names the market."""
    async with ingest_world(database, tmp_path / "spill", **CALM) as world:
        await world.post("/emit", trades=[{"proxyWallet": WALLET, "size": 5}])
        await world.follow([WALLET])
        async with world.engine(**QUICK_POLLS) as running:
            actors = running.engine.actors
            await until_held(world, WALLET, (await truth(world, [WALLET]))[1][WALLET])
            await world.fetch("DELETE FROM trades_public")
            await world.fetch("DELETE FROM markets")
            await world.fault("http_empty", api="data")
            await eventually(lambda: actors.polling.hot.wallet_poll.figures.calls["evidence"] >= 1)
            asked = {stats.name: stats.sent for stats in running.engine.gauges.channel_statistics()}
            assert asked["market_requests"] >= 1
