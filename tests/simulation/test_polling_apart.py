"""Engines that poll and do not ingest, beside one that ingests and does not poll, against the simulated venue."""

from contextlib import AsyncExitStack

import trio
from simulation.ingest_world import eventually, ingest_world
from simulation.test_wallet_polling import CALM, LIVELY, QUICK_POLLS, WALLET, truth, until_held

INGESTS = {"cluster.roles": "ingest,decide", "limits.lease_ttl_s": "3"}
POLLS = {**QUICK_POLLS, "cluster.roles": "poll", "limits.lease_ttl_s": "3", "poller.hot.trades_interval_s": "1"}
PATIENT = {"stream.stall_timeout_s": "30", "stream.stall_timeout_max_s": "60"}
BOOKS = "SELECT sum(sent) AS sent, sum(acknowledged) AS ended, sum(dead) AS dead FROM edge_books WHERE edge = 'polled'"


async def until_passed_on(world):
    """Returns how many pages went over the edge, once all of them are acknowledged."""
    with trio.fail_after(20):
        while (books := (await world.fetch(BOOKS))[0])["sent"] != books["ended"]:
            await trio.sleep(0.05)
    assert books["dead"] == 0
    return books["sent"]


async def test_what_a_poller_apart_finds_is_stored_by_whoever_ingests(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **CALM) as world:
        await world.follow([WALLET])
        # A gap of the stream is not read before the poller has found what it missed.
        async with world.engine(**INGESTS, **PATIENT) as ingest, world.engine(**POLLS) as poller:
            assert ingest.engine.polls.hot is None
            await eventually(lambda: poller.engine.polls.hot.wallet_poll.figures.polls > 0)
            await world.fault("drop")
            # Two equal fills of one transaction, which only a whole response tells apart.
            await world.post("/emit", trades=[{"proxyWallet": WALLET, "size": 5}, {"proxyWallet": WALLET, "size": 5}])
            await eventually(lambda: ingest.engine.actors.sync_writer.inserted == 2)
            fills, held = await truth(world, [WALLET])
            await until_held(world, WALLET, held[WALLET])
            assert await until_passed_on(world) > 0
        assert await world.stored() == fills
        sources = await world.fetch("SELECT DISTINCT source FROM trades_public")
        assert [row["source"] for row in sources] == ["poller"]


async def test_the_stream_saves_pollers_apart_the_calls_for_trades(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **LIVELY) as world:
        await world.follow([WALLET])
        settings = {**POLLS, "poller.hot.trades_interval_s": "3600"}
        async with world.engine(**INGESTS, **PATIENT) as ingest, world.engine(**settings) as poller:
            figures = poller.engine.polls.hot.wallet_poll.figures
            await eventually(lambda: figures.saved["trades"] > 3)
            assert ingest.engine.stream_covered_s(trio.current_time()) is not None


async def test_two_that_poll_apart_split_the_wallets_and_whoever_ingests_later_finds_what_they_found(
    database, tmp_path
):
    async with ingest_world(database, tmp_path / "spill", **LIVELY) as world, AsyncExitStack() as stack:
        wallets = set()
        while len(wallets) < 12:
            wallets = {fill["wallet"] for fill in (await world.post("/ledger", wallets=None))["fills"]}
        followed = sorted(wallets)[:12]
        await world.follow(followed)
        first = await stack.enter_async_context(world.engine(**POLLS))
        second = await stack.enter_async_context(world.engine(**POLLS))
        listed = [one.engine.polls.hot.queue.entries for one in (first, second)]
        await eventually(lambda: all(listed) and listed[0].keys() | listed[1].keys() == set(followed), timeout_s=30)
        await eventually(lambda: not listed[0].keys() & listed[1].keys(), timeout_s=30)
        # Nobody ingests yet: what is found waits on the edge.
        await eventually(lambda: first.engine.polls.outlets.late.rows_sent > 0)
        async with world.engine(**INGESTS) as ingest:
            await eventually(lambda: ingest.engine.actors.polled.reader.rows_read > 0)
            await world.post("/play", action="pause")
            counted, holdings = await truth(world, followed)
            for wallet in followed:
                await until_held(world, wallet, holdings[wallet])
            with trio.fail_after(30):
                while await world.stored() != counted:
                    await trio.sleep(0.1)
            assert await until_passed_on(world) > 0
            working = {one.report.working for one in first.engine.member.view().members}
            assert working >= {frozenset({"poll"}), frozenset({"ingest", "decide"})}
