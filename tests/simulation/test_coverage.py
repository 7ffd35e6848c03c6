"""The audit finds exactly what the stream did not bring, has it recorded once, and counts right: with sockets and a venue."""

import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import trio
from simulation.asked_jobs import ONLY_ASKED, asked, asked_end
from simulation.ingest_world import Fill, IngestWorld, eventually, ingest_world

from engine.lifecycle import Running
from protocols.jobs import JobStatus
from protocols.trades import Lane

TARGET, FOLLOWED, STRANGER = (f"0x{n:040x}" for n in (0xA1, 0xB2, 0xC3))
SETTINGS = {
    **ONLY_ASKED,
    "coverage.settle_s": "0",
    "coverage.window_min_s": "1",
    "coverage.rate_per_s": "50",
    "poller.hot.enabled": "false",
    # A stream that loses rows and stays open is what the gap filler does not see.
    "stream.stall_timeout_s": "600",
    "stream.stall_timeout_max_s": "600",
}
WINDOWS = "SELECT * FROM coverage_windows ORDER BY window_id"
MISSES = """
SELECT trade_id, miss.wallet, miss.source AS history, recorded_source, recorded_at, transaction_hash, asset, side, size
FROM coverage_misses AS miss LEFT JOIN trades_public USING (trade_id) ORDER BY miss_id
"""
SOURCES = "SELECT source, count(*) AS rows FROM trades_public GROUP BY source"


@asynccontextmanager
async def audited_world(database: Any, tmp_path: Any, **settings: str) -> Any:
    """An engine that has audited once, so that from the next second on everything counts."""
    async with ingest_world(database, tmp_path / "spill", lag_scale=0, cache_scale=0, start_paused=True) as world:
        await world.follow([TARGET], target=True)
        await world.follow([FOLLOWED])
        async with world.engine(**{**SETTINGS, **settings}) as running:
            await eventually(lambda: world.knows(2) and reader_of(running).connected)
            await asked(world, "coverage-audit")
            assert await world.fetch(WINDOWS) == []
            await next_second()
            yield world, running


def reader_of(running: Running) -> Any:
    assert running.engine.actors is not None
    return running.engine.actors.stream_reader


async def next_second() -> None:
    await trio.sleep(1 - time.time() % 1 + 0.02)


async def emit(world: IngestWorld, *rows: dict[str, Any]) -> None:
    await world.post("/emit", trades=list(rows))


async def truth(world: IngestWorld, *wallets: str) -> Counter[Fill]:
    fills = (await world.post("/ledger", wallets=list(wallets)))["fills"]
    return Counter({fill_of(one): one["count"] for one in fills})


def fill_of(row: dict[str, Any]) -> Fill:
    return row["transaction_hash"], row["wallet"], row["token_id"], row["side"], row["size_micro"]


def fills_of(rows: list[Any]) -> Counter[Fill]:
    return Counter(
        (row["transaction_hash"], row["wallet"], row["asset"], row["side"], int(row["size"] * 1_000_000))
        for row in rows
    )


def figures(running: Running) -> Any:
    assert running.engine.services is not None
    return running.engine.services.coverage


async def test_exactly_what_the_stream_lost_is_found_recorded_once_and_counted(database, tmp_path):
    async with audited_world(database, tmp_path) as (world, running):
        await emit(world, *({"proxyWallet": wallet, "size": n + 1} for n in range(6) for wallet in (TARGET, FOLLOWED)))
        await world.until_stored(12)
        await world.fault("silence")
        twin = {"proxyWallet": TARGET, "size": 7.5, "price": 0.41, "side": "BUY", "transactionHash": "0x" + "d" * 64}
        await emit(world, twin, twin, {"proxyWallet": FOLLOWED, "size": 30}, {"proxyWallet": STRANGER, "size": 9})
        await world.post("/faults", kind="clear")
        await emit(world, {"proxyWallet": TARGET, "size": 11}, {"proxyWallet": STRANGER, "size": 1})
        await world.until_stored(13)
        before, expected = await world.stored(), await truth(world, TARGET, FOLLOWED)
        lost = expected - before
        assert sorted(lost.values()) == [1, 2], "one of them is two equal fills of one transaction"
        await next_second()
        ended = await asked(world, "coverage-audit")
        misses = await world.fetch(MISSES)
        assert fills_of(misses) == lost
        assert {(row["history"], row["recorded_source"]) for row in misses} == {("both", "audit")}
        assert await world.stored() == expected
        assert {row["source"]: row["rows"] for row in await world.fetch(SOURCES)} == {"stream": 13, "audit": 3}
        assert (ended["expected"], ended["by_stream"], ended["missing"], ended["recorded"]) == (16, 13, 3, 3)
        windows = {row["wallet"]: row for row in await world.fetch(WINDOWS)}
        assert [windows[TARGET][name] for name in ("expected", "by_stream", "missed")] == [9, 7, 2]
        assert [windows[FOLLOWED][name] for name in ("expected", "by_stream", "missed")] == [7, 6, 1]
        assert figures(running).summary[Lane.TARGET].counts.ratio == 7 / 9
        await next_second()
        again = await asked(world, "coverage-audit")
        assert (again["expected"], again["missing"]) == (0, 0)
        assert len(await world.fetch(MISSES)) == 3
        assert await world.stored() == expected


async def test_what_the_gap_filler_brought_is_there_and_is_not_the_streams(database, tmp_path):
    async with audited_world(database, tmp_path) as (world, running):
        await emit(world, {"proxyWallet": TARGET, "size": 1})
        await world.until_stored(1)
        await world.fault("silence")
        await emit(world, {"proxyWallet": TARGET, "size": 2}, {"proxyWallet": TARGET, "size": 3})
        await world.post("/faults", kind="clear")
        await world.fault("close", code=1013, reason="again")
        await world.until_stored(3)
        await next_second()
        ended = await asked(world, "coverage-audit")
        assert (ended["expected"], ended["by_stream"], ended["missing"]) == (3, 1, 0)
        [window] = [row for row in await world.fetch(WINDOWS) if row["wallet"] == TARGET]
        assert (window["by_gap"], window["missed"]) == (2, 0)
        assert round(figures(running).summary[Lane.TARGET].counts.ratio, 4) == round(1 / 3, 4)


async def test_fills_that_only_the_activity_has_are_found(database, tmp_path):
    async with audited_world(database, tmp_path) as (world, _):
        await world.fault("silence")
        # A market maker as of D86: the trades of his wallet are an empty list.
        await world.fault("http_empty", api="data", path="/v2/trades")
        await emit(world, *({"proxyWallet": TARGET, "size": n + 1} for n in range(5)))
        await next_second()
        ended = await asked(world, "coverage-audit")
        assert (ended["expected"], ended["by_stream"], ended["missing"], ended["recorded"]) == (5, 0, 5, 5)
        assert {row["history"] for row in await world.fetch(MISSES)} == {"activity"}
        assert await world.stored() == await truth(world, TARGET)


async def test_a_history_that_fails_closes_no_window_and_the_next_run_has_it_all(database, tmp_path):
    async with audited_world(database, tmp_path) as (world, _):
        await emit(world, {"proxyWallet": TARGET, "size": 1})
        await world.until_stored(1)
        await world.fault("silence")
        await emit(world, {"proxyWallet": TARGET, "size": 2})
        await world.fault("http_5xx", api="data", path="/v2/activity", status=502)
        await next_second()
        status, _, error = await asked_end(world, "coverage-audit")
        assert status is JobStatus.FAILED
        assert error is not None
        assert "TransientError" in error
        assert await world.fetch(WINDOWS) == []
        await world.post("/faults", kind="clear")
        ended = await asked(world, "coverage-audit")
        assert (ended["expected"], ended["by_stream"]) == (2, 1)
        assert await world.stored() == await truth(world, TARGET)
        [window] = [row for row in await world.fetch(WINDOWS) if row["wallet"] == TARGET]
        assert (window["missed"], window["by_stream"]) == (1, 1)
