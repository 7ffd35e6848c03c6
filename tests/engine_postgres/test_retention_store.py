import json
from datetime import UTC, datetime, timedelta

import attrs
import pytest
import trio

from actors.jobs.retention import Retention
from config.jobs import RetentionConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.retention_store import PostgresRetentionStore
from engine.adapters.system_clock import SystemClock
from protocols.clock import Random
from protocols.errors import FencedError
from protocols.jobs import JobLease, RunningJob

DAY = timedelta(days=1)
CONFIG = RetentionConfig(followed_days=30, resolved_days=7, target_days=180, batch_rows=100, batch_pause_ms=0)
INSERT = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw)
SELECT id, lane, '0x1', '0x2', '3', market, 'BUY', 1, 0.5, at, '{}'
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::timestamptz[]) AS new (id, lane, market, at)
"""
INSERT_MARKET = """
INSERT INTO markets (condition_id, closed, resolution_status, outcome_prices) VALUES ($1, $2, $3, $4::jsonb)
"""
MARKETS = {
    # id: closed, status, prices, and whether it counts as resolved
    "open": (False, None, '["0.4", "0.6"]', False),
    "all-but-won": (False, None, '["0.999", "0.001"]', False),
    "disputed": (True, "disputed", '["0.999", "0.001"]', False),
    "proposed": (True, "proposed", '["1", "0"]', False),
    "old-zeros": (True, "resolved", '["0", "0"]', False),
    "priceless": (True, "resolved", None, False),
    "garbage": (True, "resolved", '["x", "1"]', False),
    "object": (True, "resolved", '{"a": 1}', False),
    "closed-halves": (True, None, '["0.5", "0.5"]', False),
    "resolved": (True, "resolved", '["1", "0"]', True),
    "settled": (True, "settled", '["0", "1"]', True),
    "split": (True, "resolved", '["0.5", "0.5"]', True),
    "no-status": (True, None, '["0.9995", "0.0005"]', True),
    "tiny": (True, None, '["1", "1E-7"]', True),
    "numbers": (True, "resolved", "[1, 0]", True),
}


@pytest.fixture
async def connection(database, aio):
    opened = Connection(database, "job work")
    yield opened
    await opened.aclose()


async def fill(connection, trades):
    columns = [list(column) for column in zip(*trades, strict=True)]

    async def work(raw):
        await raw.executemany(INSERT_MARKET, [(id_, *market[:3]) for id_, market in MARKETS.items()])
        await raw.execute(INSERT, *columns)

    await connection.run(work)


async def lease_of(connection):
    lease = await PostgresJobStore(connection).claim(
        "retention", slot_ms=1_795_219_200_000, owner="me", holder="test", ttl_s=600
    )
    assert isinstance(lease, JobLease)
    return lease


async def kept(connection):
    return {
        row["trade_id"] for row in await connection.run(lambda raw: raw.fetch("SELECT trade_id FROM trades_public"))
    }


def job(connection, clock=None, config=CONFIG):
    store = PostgresRetentionStore(connection, markets_per_batch=4)
    return Retention(store=store, config=config, clock=clock or SystemClock())


def stays(lane, market, age):
    """The slow reference: one trade, by the words of the design."""
    if lane == 0:
        return age <= 180 * DAY
    return age <= (7 * DAY if market in MARKETS and MARKETS[market][3] else 30 * DAY)


def made_trades(rng, count, now):
    ages = [0, 1, 6.9, 7.1, 8, 29.9, 30.1, 31, 100, 179.9, 180.1, 400, -1]
    markets = [*MARKETS, "unknown"]
    return [
        (
            f"{n}",
            rng.randrange(3),
            rng.choice(markets),
            now - rng.choice(ages) * DAY - rng.random() * timedelta(hours=1),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_what_goes_and_stays_is_what_a_slow_reference_says(seed, connection):
    now = datetime.now(UTC)
    trades = made_trades(Random(seed), 3_000, now)
    await fill(connection, trades)
    running = RunningJob(lease=await lease_of(connection))
    await job(connection).run(running)
    expected = {id_ for id_, lane, market, at in trades if stays(lane, market, now - at)}
    assert await kept(connection) == expected
    assert sum(running.figures.values()) == len(trades) - len(expected)
    await job(connection).run(running)
    assert await kept(connection) == expected


async def test_markets_count_as_resolved_only_when_they_are(connection):
    await fill(connection, [("1", 1, "open", datetime.now(UTC))])
    rows = await connection.run(lambda raw: raw.fetch("SELECT condition_id, is_resolved FROM markets"))
    assert dict(rows) == {id_: market[3] for id_, market in MARKETS.items()}


async def test_a_clock_that_is_years_ahead_deletes_nothing_early(connection):
    class Ahead:
        def now_ms(self):
            return SystemClock().now_ms() + 5 * 365 * 86_400_000

    now = datetime.now(UTC)
    await fill(connection, [(str(lane), lane, "open", now - 29 * DAY) for lane in (0, 1, 2)])
    await job(connection, Ahead()).run(RunningJob(lease=await lease_of(connection)))
    assert len(await kept(connection)) == 3


async def test_a_run_that_lost_its_lease_deletes_nothing(connection):
    now = datetime.now(UTC)
    await fill(connection, [("1", 1, "open", now - 99 * DAY), ("2", 1, "resolved", now - 9 * DAY)])
    lease = await lease_of(connection)
    await PostgresJobStore(connection).unlock("retention", "test", force=True)
    store = PostgresRetentionStore(connection)
    now_ms = SystemClock().now_ms()
    with pytest.raises(FencedError):
        await job(connection).run(RunningJob(lease=lease))
    with pytest.raises(FencedError):
        await store.delete_resolved(lease, now_ms=now_ms, days=7, market_after="", rows_max=10)
    assert await kept(connection) == {"1", "2"}


async def test_a_trade_that_has_just_become_a_targets_stays(database, connection):
    """The deletion meets a row whose lane another transaction is changing, and looks again once that has committed."""
    await fill(connection, [("1", 2, "open", datetime.now(UTC) - 99 * DAY)])
    lease = await lease_of(connection)
    other = Connection(database, "promotion")
    promoted, told = trio.Event(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

    async def promote(raw):
        async with raw.transaction():
            await raw.execute("UPDATE trades_public SET lane = 0")
            promoted.set()
            while not await raw.fetchval(told):
                await raw.execute("SELECT pg_sleep(0.01)")

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other.run, promote)
            await promoted.wait()
            await job(connection).run(RunningJob(lease=lease))
    assert await kept(connection) == {"1"}
    await other.aclose()


async def test_a_cancelled_run_stops_between_batches_and_says_how_far_it_came(connection):
    now = datetime.now(UTC)
    await fill(connection, [(str(n), 1, "open", now - 99 * DAY) for n in range(1_000)])
    running = RunningJob(lease=await lease_of(connection))
    slow = RetentionConfig(batch_rows=100, batch_pause_ms=10_000)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(job(connection, config=slow).run, running)
            while not running.figures.get("followed"):
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    assert running.figures["followed"] == 100
    assert len(await kept(connection)) == 900


async def test_every_batch_is_found_by_an_index(connection):
    """Generic plans, as connections of ours use them, on statistics that say the table is large."""
    now = datetime.now(UTC)
    rng = Random(1)
    await fill(connection, made_trades(rng, 20_000, now))
    from engine.adapters.postgres.retention_store import DELETE_OLD, DELETE_RESOLVED

    async def plans(raw):
        await raw.execute("ANALYZE")
        found = []
        for name, statement, types, values in (
            (
                "old",
                DELETE_OLD,
                "text, text, bigint, smallint, timestamptz, int, int",
                "'', '', 1, 1::smallint, now(), 30, 100",
            ),
            (
                "resolved",
                DELETE_RESOLVED,
                "text, text, bigint, timestamptz, int, text, int, int",
                "'', '', 1, now(), 7, '', 5, 100",
            ),
        ):
            await raw.execute(f"PREPARE {name} ({types}) AS {statement}")
            found.append(json.dumps(await raw.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name} ({values})")))
        return found

    old, resolved = await connection.run(plans)
    assert "trades_public_by_lane" in old
    assert "trades_public_by_market_time" in resolved
    for plan in (old, resolved):
        assert "trades_public_pkey" in plan
        for node in plan.replace("\\", "").split('"Node Type"'):
            assert not ("Seq Scan" in node and "trades_public" in node)


DECISION = """
INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, reasons,
    bankrolls)
SELECT (at AT TIME ZONE 'UTC')::date, id, 'now', at, at, '{}', '{}', '{}', '{}', '{}', '{}'
FROM unnest($1::text[], $2::timestamptz[]) AS new (id, at)
"""
MEMBER = """
INSERT INTO decision_members (trade_id, part, first_trade_id, trade_day)
SELECT id, 'tx', id, (at AT TIME ZONE 'UTC')::date FROM unnest($1::text[], $2::timestamptz[]) AS new (id, at)
"""


async def decide(connection, times, own_days):
    ids = [str(n) for n in range(len(times))]

    async def work(raw):
        for day in own_days:
            await raw.execute("SELECT ensure_decisions_partition($1::date)", day)
        await raw.execute(DECISION, ids, times)
        await raw.execute(MEMBER, ids, times)

    await connection.run(work)


async def kept_decisions(connection):
    rows = await connection.run(
        lambda raw: raw.fetch("SELECT trade_id FROM decisions UNION ALL SELECT trade_id FROM decision_members")
    )
    return sorted(int(row["trade_id"]) for row in rows)


async def test_decisions_go_by_whole_days_with_the_trades_of_targets(connection):
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ages = [0, 1, 179, 180, 181, 182, 300, 400]
    times = [today - age * DAY + timedelta(seconds=1) for age in ages]
    own = [time.date() for age, time in zip(ages, times, strict=True) if age not in (1, 300)]
    await decide(connection, times, own)
    running = RunningJob(lease=await lease_of(connection))
    await job(connection, config=RetentionConfig(target_days=180, batch_rows=100, batch_pause_ms=0)).run(running)
    # A day that is partly older stays until all of it is.
    assert await kept_decisions(connection) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert running.figures["decision_days"] == 3
    left = await connection.run(
        lambda raw: raw.fetch("SELECT FROM pg_inherits WHERE inhparent = 'decisions'::regclass")
    )
    assert len(left) == 4


async def test_decisions_without_a_day_of_their_own_go_in_batches(connection):
    await decide(connection, [datetime.now(UTC) - 200 * DAY] * 250, [])
    running = RunningJob(lease=await lease_of(connection))
    batch = await PostgresRetentionStore(connection).delete_decisions(
        running.lease, now_ms=SystemClock().now_ms(), days=180, rows_max=100
    )
    assert batch.deleted == 100
    await job(connection).run(running)
    assert await kept_decisions(connection) == []


async def test_without_the_lease_no_decision_goes(connection):
    old = datetime.now(UTC) - 200 * DAY
    await decide(connection, [old], [old.date()])
    lease = await lease_of(connection)
    lost = attrs.evolve(lease, epoch=lease.epoch + 1)
    store, now_ms = PostgresRetentionStore(connection), SystemClock().now_ms()
    with pytest.raises(FencedError):
        await store.drop_decisions(lost, now_ms=now_ms, days=1)
    with pytest.raises(FencedError):
        await store.delete_decisions(lost, now_ms=now_ms, days=1, rows_max=10)
    assert await kept_decisions(connection) == [0, 0]
