from decimal import Decimal

import attrs
import pytest
import trio
from engine_adapters.paper_worlds import NOON_MS
from engine_postgres.ft_world import ft_world

from actors.jobs.ft_snapshot import HOUR_MS, FtSnapshot
from engine.adapters.postgres.ft_snapshot_store import PostgresSnapshotStore
from engine.adapters.postgres.job_store import PostgresJobStore
from protocols.errors import FencedError
from protocols.jobs import JobLease, RunningJob

ALL = "SELECT * FROM ft_performance_snapshots ORDER BY wallet_id, snapshot_at"
HOUR_S = NOON_MS // HOUR_MS * HOUR_MS / 1000


@attrs.define
class Clock:
    ms: int = NOON_MS

    def now_ms(self):
        return self.ms


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        yield made


@pytest.fixture
async def job(world):
    lease = await PostgresJobStore(world.connection).claim(
        "ft-snapshot", slot_ms=0, owner="me", holder="test", ttl_s=600
    )
    assert isinstance(lease, JobLease)
    clock = Clock()

    async def run(at_ms=NOON_MS, wallets_max=2):
        clock.ms = at_ms
        running = RunningJob(lease=lease)
        store = PostgresSnapshotStore(world.connection)
        await FtSnapshot(store=store, clock=clock, wallets_max=wallets_max).run(running)
        return running.figures["snapshots"]

    run.lease = lease
    return run


async def test_every_strategy_that_is_not_archived_has_one_row_an_hour(world, job):
    owner = await world.user("ann")
    for number in range(5):
        await world.strategy(f"S{number}", owner)
    await world.run("UPDATE ft_wallets SET archived_at = now() WHERE wallet_id = 'S3'")
    assert (await job(), await job(), await job(NOON_MS + HOUR_MS)) == (4, 0, 4)
    rows = await world.run(ALL)
    assert [row["wallet_id"] for row in rows] == ["S0", "S0", "S1", "S1", "S2", "S2", "S4", "S4"]
    assert rows[0]["snapshot_at"].timestamp() == HOUR_S
    assert (rows[0]["cash"], rows[0]["unrealized_pnl"], rows[0]["return_pct"]) == (1000, 0, 0)


async def test_open_positions_are_marked_by_their_token_and_realised_profit_is_added(world, job):
    await world.strategy("A", await world.user("ann"), starting_balance=Decimal(100))
    first, bought = await world.buy("A")
    second, _ = await world.buy("A")
    third, _ = await world.buy("A")
    await world.market(first, '["0.9", "0.1"]')
    await world.market(second, '[0.25, "0.75"]', index=1)
    await world.market(third, '{"odd": 1}')
    await world.sell(bought, "5", "0.6")
    await job()
    [row] = await world.run(ALL)
    # The first: 15 of 20 shares left, cost 7.575; 5 sold for 3 at a cost of 2.525. The second: 20 shares for 10.1. The third
    # has no price and stands at its cost.
    assert row["realized_pnl"] == Decimal("0.475")
    assert row["unrealized_pnl"] == (15 * Decimal("0.9") - Decimal("7.575")) + (20 * Decimal("0.75") - Decimal("10.1"))
    assert row["total_pnl"] == row["unrealized_pnl"] + Decimal("0.475")
    assert row["return_pct"] == round(row["total_pnl"], 4)
    assert (row["open_positions"], row["unmarked_positions"], row["total_trades"]) == (3, 1, 3)
    assert row["open_exposure"] == Decimal("27.775")
    assert row["cash"] + row["open_exposure"] == 100 + row["realized_pnl"]


async def test_with_no_price_at_all_nothing_is_claimed_of_the_total(world, job):
    await world.strategy("A", await world.user("ann"))
    trade, _ = await world.buy("A")
    await job()
    await world.market(trade, '["0", "1"]')
    await job(NOON_MS + HOUR_MS)
    unknown, worthless = await world.run(ALL)
    assert (unknown["unrealized_pnl"], unknown["total_pnl"], unknown["return_pct"]) == (None, None, None)
    assert unknown["unmarked_positions"] == 1
    # Zero is a price.
    assert (worthless["unrealized_pnl"], worthless["unmarked_positions"]) == (Decimal("-10.1"), 0)


async def test_a_payout_goes_before_whatever_price_is_stored(world, job):
    await world.strategy("A", await world.user("ann"))
    trade, _ = await world.buy("A")
    await world.market(trade, '["0.3", "0.7"]')
    await world.run("UPDATE market_tokens SET payout = 1")
    await job()
    [row] = await world.run(ALL)
    assert row["unrealized_pnl"] == Decimal("9.9")


async def test_ten_thousand_settled_orders_cost_nothing(world, job):
    await world.strategy("A", await world.user("ann"))
    await world.settled_orders("A", 10_000)
    await world.run("ANALYZE ft_orders")
    trade, _ = await world.buy("A")
    await world.market(trade, '["0.6", "0.4"]')
    await job(NOON_MS - HOUR_MS)
    took_s = []
    for number in range(3):
        start_s = trio.current_time()
        assert await job(NOON_MS + number * HOUR_MS) == 1
        took_s.append(trio.current_time() - start_s)
    assert min(took_s) <= 0.05
    row = (await world.run(ALL))[-1]
    assert (row["total_trades"], row["open_positions"], row["unrealized_pnl"]) == (10_001, 1, Decimal("1.9"))


async def test_on_demand_only_prices_that_are_given_count(world, job):
    await world.strategy("A", await world.user("ann"))
    first, _ = await world.buy("A")
    second, _ = await world.buy("A")
    for trade in (first, second):
        await world.market(trade, '["0.5", "0.5"]', index=0)
    store = PostgresSnapshotStore(world.connection)
    tokens = await store.open_tokens("A")
    assert sorted((one.token_id, one.outcome_index) for one in tokens) == [("token-1", 0), ("token-2", 0)]
    made = await store.write_now("A", now_ms=NOON_MS, prices={"token-1": Decimal("0.8")})
    assert (made.unrealized_pnl, made.unmarked_positions) == (Decimal("5.9"), 1)
    again = await store.write_now("A", now_ms=NOON_MS, prices={"token-1": Decimal("0.9")})
    assert again.unrealized_pnl == Decimal("7.9")
    assert await store.write_now("nobody", now_ms=NOON_MS, prices={}) is None
    assert len(await world.run(ALL)) == 1


async def test_snapshots_come_in_pages_from_the_oldest_on(world, job):
    await world.strategy("A", await world.user("ann"))
    for hour in range(5):
        await job(NOON_MS + hour * HOUR_MS)
    store = PostgresSnapshotStore(world.connection)
    seen, after_us = [], 0
    while page := await store.page("A", from_ms=0, to_ms=NOON_MS + 3 * HOUR_MS, after_us=after_us, rows_max=2):
        seen += [one.snapshot_at.timestamp() for one in page]
        after_us = round(page[-1].snapshot_at.timestamp() * 1_000_000)
    assert seen == [HOUR_S + hour * 3600 for hour in range(4)]


async def test_under_a_lost_lease_no_snapshot_is_written(world, job):
    await world.strategy("A", await world.user("ann"))
    lost = attrs.evolve(job.lease, epoch=job.lease.epoch + 1)
    with pytest.raises(FencedError):
        await PostgresSnapshotStore(world.connection).write_hour(lost, hour_ms=0, wallet_after="", wallets_max=9)
    assert await world.run(ALL) == []
