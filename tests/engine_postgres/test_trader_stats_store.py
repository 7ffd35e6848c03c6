from datetime import date, timedelta
from decimal import Decimal

import attrs
import pytest
import trio
from engine_postgres.trader_world import NOON, Bought, TraderWorld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.jobs.reason_counts import ReasonCounts
from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.postgres.trader_stats_store import PostgresTraderStatsStore
from protocols.errors import FencedError
from protocols.jobs import JobLease, RunningJob

MARKETS = 3
DECIDE = """
INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, reasons,
    bankrolls) VALUES ($1, $2, 'now', now(), now(), '{}', '{}', $3, $3, $4, '{}')
"""
COUNTS = "SELECT strategy, day, reason, trades FROM ft_reason_counts ORDER BY strategy, day, reason"
ANY_BUY = Bought(
    wallet="0xa", market=0, outcome=0, side="BUY", shares=Decimal(10), price=Decimal("0.5"), day=0
)  # fmt: skip


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = TraderWorld(connection)
    await made.begin(MARKETS)
    yield made
    await connection.aclose()


trades = st.builds(
    Bought,
    wallet=st.sampled_from(["0xa", "0xb", "0xc"]),
    market=st.integers(0, MARKETS - 1),
    outcome=st.integers(0, 1),
    side=st.sampled_from(["BUY", "BUY", "BUY", "SELL"]),
    shares=st.integers(1, 10**9).map(lambda micro: Decimal(micro) / 10**6),
    price=st.sampled_from(["0.123456789012345678", "0.3", "0.299999", "0.7", "0.71", "0", "1"]).map(Decimal),
    day=st.sampled_from([0, -1, -6, -7, -29, -30, -100]),
)
steps = st.one_of(
    st.tuples(st.just("trade"), trades),
    st.tuples(st.just("trade"), trades),
    st.tuples(
        st.just("resolve"), st.integers(0, MARKETS - 1), st.sampled_from([("1", "0"), ("0.5", "0.5"), ("0", "1")]),
        st.sampled_from([0, -6, -7, -40]),
    ),
    st.tuples(st.just("job"), st.one_of(st.none(), st.integers(0, 9))),
    st.tuples(st.just("days"), st.sampled_from([1, 7, 30])),
)  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=st.lists(steps, max_size=25))
def test_whatever_happens_in_between_the_figures_are_those_of_all_trades(made, database):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                world = TraderWorld(connection)
                await world.begin(MARKETS)
                for name, *arguments in made:
                    if name == "days":
                        world.now += timedelta(days=arguments[0])
                    else:
                        await getattr(world, name)(*arguments)
                await world.job()
                assert await world.records() == world.expected()
            finally:
                await connection.aclose()

    trio.run(main)


async def test_figures_by_hand(world):
    await world.trade(attrs.evolve(ANY_BUY, shares=Decimal(100), price=Decimal("0.20")))
    await world.trade(attrs.evolve(ANY_BUY, shares=Decimal(100), price=Decimal("0.20")))
    await world.trade(attrs.evolve(ANY_BUY, outcome=1, shares=Decimal(50), price=Decimal("0.80")))
    await world.trade(attrs.evolve(ANY_BUY, market=1, shares=Decimal(1), price=Decimal("0.5")))
    await world.resolve(0, ("1", "0"), 0)
    await world.job()
    record = (await world.records())["0xa"]
    # 20 + 20 + 40 USD resolved, 200 paid; the fourth trade is open.
    assert (record.lifetime.trade_count, record.lifetime.resolved_count) == (4, 3)
    assert record.lifetime.win_rate == Decimal("0.666667")
    assert record.lifetime.roi == Decimal("1.5")
    assert record.lifetime.avg_trade_usd == Decimal("20.125")
    assert [(one.bracket, one.resolved_count, one.win_rate) for one in record.profiles] == [
        ("HIGH", 1, 0),
        ("LOW", 2, 1),
    ]


async def test_a_late_trade_of_a_settled_market_counts_in_the_next_pass(world):
    await world.trade(ANY_BUY)
    await world.resolve(0, ("0.5", "0.5"), -3)
    await world.job()
    await world.trade(attrs.evolve(ANY_BUY, day=-2))
    await world.job()
    record = (await world.records())["0xa"]
    assert (record.d7.resolved_count, record.d7.win_rate) == (2, Decimal("0.5"))
    assert await world.run("SELECT 1 FROM trader_open_buys") == []


async def test_prices_of_an_open_market_are_no_payouts_and_a_stored_payout_goes_first(world):
    await world.trade(ANY_BUY)
    await world.run('UPDATE markets SET outcome_prices = \'["1", "0"]\'')
    await world.job()
    assert (await world.records())["0xa"].lifetime.resolved_count == 0
    await world.run("UPDATE market_tokens SET payout = CASE WHEN outcome_index = 0 THEN 0.25 ELSE 0.75 END")
    await world.run("UPDATE markets SET closed = true, resolution_status = 'resolved'")
    await world.job()
    assert (await world.records())["0xa"].lifetime.win_rate == Decimal("0.25")


async def test_a_window_moves_without_new_trades(world):
    await world.trade(ANY_BUY)
    await world.job()
    world.now = NOON + timedelta(days=6)
    await world.job()
    assert (await world.records())["0xa"].d7.trade_count == 1
    world.now = NOON + timedelta(days=7)
    await world.job()
    record = (await world.records())["0xa"]
    assert (record.d7.trade_count, record.d30.trade_count) == (0, 1)


async def test_readers_see_what_changed_after_a_position_and_nothing_twice(world):
    records = PostgresTraderRecords(world.connection, changed_max=1)
    empty, position = await records.changed_since(0)
    assert empty == {}
    await world.trade(ANY_BUY)
    await world.trade(attrs.evolve(ANY_BUY, wallet="0xb"))
    await world.job()
    first, position = await records.changed_since(position)
    second, position = await records.changed_since(position)
    assert sorted([*first, *second]) == ["0xa", "0xb"]
    assert await records.changed_since(position) == ({}, position)
    assert await records.changed_since(0) == ({}, position)
    await world.trade(attrs.evolve(ANY_BUY, wallet="0xb"))
    await world.job()
    changed, _ = await records.changed_since(position)
    assert {wallet: record.lifetime.trade_count for wallet, record in changed.items()} == {"0xb": 2}
    assert await records.find(["0xa", "0xnobody"]) == {"0xa": (await world.records())["0xa"]}


async def test_under_a_lost_lease_nothing_is_counted(world):
    await world.trade(ANY_BUY)
    await world.resolve(0, ("1", "0"), 0)
    store = PostgresTraderStatsStore(world.connection)
    lost = attrs.evolve(world.lease, epoch=world.lease.epoch + 1)
    for work in (
        store.count_trades(lost, rows_max=10),
        store.count_reasons(lost, rows_max=10),
        store.settle_buys(lost, now_ms=0, market_after="", rows_max=10),
        store.move_windows(lost, now_ms=0),
        store.refresh(lost, wallets_max=10),
    ):
        with pytest.raises(FencedError):
            await work
    for statement in ("SELECT 1 FROM ft_cursors", "SELECT 1 FROM trader_open_buys", "SELECT 1 FROM trader_stats_stale"):
        assert await world.run(statement) == []


@pytest.mark.parametrize("rows_max", [1, 2, 100])
async def test_reasons_are_counted_once_by_strategy_day_and_reason(rows_max, world):
    first, second = date(2026, 6, 1), date(2026, 6, 2)
    await world.run(DECIDE, first, "a", [1, 2], ["taken", "pre_game"])
    await world.run(DECIDE, first, "b", [1, 2], ["taken", "taken"])
    job = ReasonCounts(store=PostgresTraderStatsStore(world.connection), rows_max=rows_max)
    lease = JobLease(**attrs.asdict(world.lease))
    running = RunningJob(lease=lease)
    await job.run(running)
    assert running.figures == {"decisions": 2}
    await world.run(DECIDE, second, "c", [1], ["taken"])
    await job.run(RunningJob(lease=lease))
    await job.run(RunningJob(lease=lease))
    assert [tuple(row) for row in await world.run(COUNTS)] == [
        (1, first, "taken", 2), (1, second, "taken", 1), (2, first, "pre_game", 1), (2, first, "taken", 1),
    ]  # fmt: skip
