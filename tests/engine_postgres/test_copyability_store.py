"""Results of copyability in PostgreSQL: who is due, what is kept under the lease, prices in pages, the measured delay."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from engine_postgres.copyability_world import document, flag, keep, traded
from engine_postgres.profile_world import NOW, NOW_MS, ProfileWorld, condition, stats, trade, wallet

from config.strategy_settings import settings_from
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.copyability_inputs import PostgresCopyabilityInputs
from engine.adapters.postgres.copyability_store import PostgresCopyabilityReports, PostgresCopyabilityStore
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.copyability.stored import DEFAULT_DELAY, Wanted, read_traders
from protocols.errors import FencedError
from protocols.jobs import JobLease

JOB = "score-traders"


@pytest.fixture
async def world(database, aio):
    async with open_pool(database, "test", 2) as pool:
        yield ProfileWorld(pool)


@pytest.fixture
def store(world):
    return PostgresCopyabilityStore(world.connection)


async def lease_of(world, owner="me"):
    await world.run("TRUNCATE engine_leases, job_runs, job_requests")
    lease = await PostgresJobStore(world.connection).claim(JOB, slot_ms=0, owner=owner, holder="test", ttl_s=600)
    assert isinstance(lease, JobLease)
    return lease


async def walked(store, *, top=10, before=NOW, rows=2):
    found, after = [], None
    while True:
        page = await store.due(top=top, computed_before=before, after=after, wallets_max=rows)
        assert len(page.wallets) <= rows
        found += [int(one, 16) for one in page.wallets]
        after = page.after
        if after is None:
            return found


async def test_followed_and_copied_are_due_before_hot_ones_and_leaders(world, store):
    ann = await world.user("ann")
    every = range(1, 9)
    await world.put("trades_public", [trade(f"t{number}", wallet(number)) for number in every])
    await world.put(
        "traders", [{"wallet_address": wallet(n), "rank": n, "is_active": n != 7} for n in (1, 2, 7, 8, 99)]
    )
    await world.put("trader_global_stats", [stats(wallet(3), d30_win_rate="0.7", d30_resolved_count=20),
                                            stats(wallet(4), d30_win_rate="0.5", d30_resolved_count=20)])  # fmt: skip
    await world.put("follows", [{"user_id": ann, "trader_wallet": wallet(8), "active": True},
                                {"user_id": ann, "trader_wallet": wallet(6), "active": False}])  # fmt: skip
    settings = settings_from({"target_mode": "list", "target_traders": [wallet(5)]})
    await StrategyStore(world.connection).create([("BOT", settings)], ann, "ann")
    # 99 has no trades, 7 is not active, 6 is not followed any more, 4 is not hot.
    for rows in (1, 2, 3, 50):
        assert await walked(store, rows=rows) == [5, 8, 3, 1, 2]
    assert await walked(store, top=1) == [5, 8, 3, 1]
    await keep(world, [document(8), document(3, computed_at=NOW - timedelta(days=2))])
    assert await walked(store, before=NOW - timedelta(days=1)) == [5, 3, 1, 2]


async def test_a_result_replaces_the_one_before_and_comes_back_as_it_was(world, store):
    reports = PostgresCopyabilityReports(world.connection)
    lease = await lease_of(world)
    assert await reports.find(wallet(1)) is None
    first = document(1, flags=[flag("inactive")], left_out={"unresolved": 3})
    assert await store.put(lease, [first, document(2, net_return=None)]) == 2
    assert await reports.find(wallet(1)) == first
    assert (await reports.find(wallet(2))).low is None
    second = document(1, grade="good", low=Decimal("0.01"))
    await store.put(lease, [second])
    assert await reports.find(wallet(1)) == second
    [[rows]] = await world.run("SELECT count(*) FROM trader_copyability")
    assert rows == 2


async def test_who_lost_the_lease_writes_and_deletes_nothing(world, store):
    old = await lease_of(world)
    await lease_of(world, "another")
    await keep(world, [document(1)])
    with pytest.raises(FencedError):
        await store.put(old, [document(2)])
    with pytest.raises(FencedError):
        await store.drop_stale(old, NOW + timedelta(days=1), 10)
    assert [row["wallet_address"] for row in await world.run("SELECT * FROM trader_copyability")] == [wallet(1)]


async def test_what_nobody_renews_is_dropped_a_few_at_a_time(world, store):
    lease = await lease_of(world)
    await keep(world, [document(number, computed_at=NOW - timedelta(days=number)) for number in range(1, 6)])
    assert await store.drop_stale(lease, NOW - timedelta(days=2, hours=1), 2) == 2
    left = await world.run("SELECT wallet_address FROM trader_copyability ORDER BY computed_at DESC")
    assert [int(row["wallet_address"], 16) for row in left] == [1, 2, 3]
    assert await store.drop_stale(lease, NOW - timedelta(days=30), 2) == 0


@pytest.mark.parametrize("page_rows", [1, 2, 7, 1_000])
async def test_prices_come_in_pages_and_in_the_order_of_time(world, page_rows, monkeypatch):
    monkeypatch.setattr("engine.adapters.postgres.copyability_inputs.MARKETS_PER_QUERY", 2)
    rows = [
        trade(f"t{number}", wallet(number % 3), age_s=number // 3, asset=str(number % 5), condition_id=condition(number % 5),
              price=str(Decimal(number) / 100), size="2.5")
        for number in range(1, 30)
    ]  # fmt: skip
    await world.put("trades_public", rows)
    inputs = PostgresCopyabilityInputs(world.connection, page_rows)
    since, until = NOW_MS - 8_000, NOW_MS
    ids = [condition(number) for number in (0, 1, 2, 4, 77)]
    found, after = [], None
    while True:
        page = await inputs.prices(ids, since, until, after)
        found += page.trades
        after = page.after
        if after is None:
            break
    expected = [n for n in range(1, 30) if n % 5 != 3 and 0 < n // 3 <= 8]
    assert sorted(int(one.price * 100) for one in found) == expected
    assert all(one.size_micro == 2_500_000 for one in found)
    for market in ids:
        times = [one.at_ms for one in found if one.condition_id == market]
        assert times == sorted(times)
    assert (await inputs.prices([], since, until)).after is None


async def test_the_delay_is_that_of_decisions_as_long_as_no_live_order_was_sent(world):
    inputs = PostgresCopyabilityInputs(world.connection)
    assert await inputs.delay(NOW_MS) is None
    made = [
        {
            "trade_day": NOW.date(), "trade_id": f"t{number}", "part": "now" if number < 51 else "book500",
            "trade_time": NOW - timedelta(seconds=60), "decided_at": NOW - timedelta(seconds=60 - (2 if number < 51 else 50)),
            "members": [], "snapshot": {}, "strategies": [], "versions": [], "reasons": [], "bankrolls": [],
        }
        for number in range(80)
    ]  # fmt: skip
    for row in made[:49]:
        await put_decision(world, row)
    assert await inputs.delay(NOW_MS) is None
    for row in made[49:]:
        await put_decision(world, row)
    found = await inputs.delay(NOW_MS)
    assert (found.delay_ms, "51 decisions" in found.source) == (2_500, True)
    assert await inputs.delay(NOW_MS + 8 * 86_400_000) is None


async def test_real_books_that_decisions_looked_at_are_read_newest_first(world):
    books = [
        {"bids": [["0.49", "10"], ["0.48", "5"]], "asks": [["0.51", "200"]], "observed_ms": 1},
        {"bids": [], "asks": [["0.51", "200"]], "observed_ms": 1},
        None,
        {"bids": [["0.20", "10"]], "asks": [["0.25", "8"], ["0.3", "1"]], "observed_ms": 1},
    ]
    for number, book in enumerate(books):
        snapshot = json.dumps({"token_id": str(number), "book": book})
        await world.run(
            "INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, "
            "versions, reasons, bankrolls) VALUES ($1, $2, 'book500', $3, $3, '{}', $4, '{}', '{}', '{}', '{}')",
            NOW.date(), f"t{number}", NOW - timedelta(seconds=60), snapshot,
        )  # fmt: skip
    inputs = PostgresCopyabilityInputs(world.connection)
    found = await inputs.books(NOW_MS)
    assert [(one.token_id, str(one.best_bid), str(one.best_ask), str(one.ask_shares)) for one in found] == [
        ("3", "0.20", "0.25", "8"),
        ("0", "0.49", "0.51", "200"),
    ]
    assert await inputs.books(NOW_MS + 9 * 86_400_000) == []


async def put_decision(world, row):
    # `seq` has a default, which jsonb_populate_recordset would not apply.
    await world.run(
        "INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, "
        "reasons, bankrolls) VALUES ($1, $2, $3, $4, $5, '{}', '{}', '{}', '{}', '{}', '{}')",
        row["trade_day"], row["trade_id"], row["part"], row["trade_time"], row["decided_at"],
    )  # fmt: skip


async def test_traders_are_read_with_their_newest_trades_markets_and_everybodys_prices(world, monkeypatch):
    monkeypatch.setattr("engine.copyability.stored.TRADES_PER_TRADER_MAX", 5)
    await traded(world, 1, days=8, wins=[True], until=NOW)
    await traded(world, 2, days=3, wins=[True], until=NOW)
    seen = NOW - timedelta(days=2, hours=5)
    await world.put("trades_public", [
        trade("x", wallet(9), asset=str(2 * 10_006 + 1), condition_id=condition(10_006), price="0.2")
        | {"trade_timestamp": seen}
    ])  # fmt: skip
    wanted = Wanted(wallets=[wallet(1), wallet(2), wallet(3)], size_usd=Decimal(20), days=30, now_ms=NOW_MS)
    stores = (PostgresBacktestStore(world.connection), PostgresCopyabilityInputs(world.connection))
    read = await read_traders(*stores, wanted)
    assert {int(one, 16): len(rows) for one, rows in read.rows.items()} == {1: 5, 2: 3, 3: 0}
    assert read.truncated == {wallet(1)}
    assert [row.condition_id for row in read.rows[wallet(1)]] == [condition(10_000 + day) for day in range(3, 8)]
    assert sum(bool(one.payouts) for one in read.resolutions) == len(read.resolutions) == 8
    assert read.prices.trades == 9
    assert read.delay == DEFAULT_DELAY
    few = await read_traders(
        *stores, Wanted(wallets=[wallet(1)], size_usd=Decimal(1), days=3, now_ms=NOW_MS, delay_ms=7)
    )
    assert (len(few.rows[wallet(1)]), few.delay.delay_ms) == (2, 7)
