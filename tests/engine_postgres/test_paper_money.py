"""What only a database can get wrong about virtual money."""

from decimal import Decimal

import attrs
import msgspec
import pytest
import trio
from engine_adapters.paper_worlds import (
    NOON_MS,
    check_identity,
    close,
    decided,
    id_of,
    order,
    paying,
    postgres_world,
    traded,
)

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.decision_statement import WRITE_DECIDED, decisions_json
from engine.adapters.postgres.leases import Leases
from engine.adapters.postgres.settlement_store import PostgresSettlementStore
from engine.adapters.postgres.trade_statement import trade_columns
from engine.adapters.postgres.trade_store import PostgresTradeStore
from protocols.errors import FencedError, RejectedError

BUY, SELL, LATER = traded(1), traded(2, side="SELL"), traded(3)


@pytest.fixture
async def stored(database, aio):
    async with postgres_world(database) as one:
        await one.strategy("A", 1_000)
        yield one


async def test_a_source_whose_clock_differs_around_midnight_claims_nothing_twice(stored):
    midnight_ms = 1_780_012_800_000
    before = traded(1, trade_ms=midnight_ms - 500)
    after = attrs.evolve(before, trade=msgspec.structs.replace(before.trade, trade_ms=midnight_ms + 500))
    assert (await stored.trades.write([decided(before, order(before))])).receipts[0].applied
    assert not (await stored.trades.write([decided(after, order(after))])).receipts[0].applied
    [row] = await stored.fetch("SELECT trade_day::text AS day FROM decisions")
    assert row["day"] == "2026-05-28"


async def test_two_settlers_at_once_pay_once(stored):
    trades = [traded(n) for n in range(40)]
    await stored.trades.write([decided(one, order(one)) for one in trades])
    others = [Connection(stored.database, f"settler {n}") for n in range(2)]
    results = []

    async def settle(connection):
        store = PostgresSettlementStore(connection=connection, leases=stored.leases, markets=None, orders_max=7)
        results.extend(await store.settle([paying(trades[0], "1")]))

    async with trio.open_nursery() as nursery:
        for connection in others:
            nursery.start_soon(settle, connection)
    for connection in others:
        await connection.aclose()
    assert sorted(one.order_id for one in results) == sorted(id_of("A", one.trade.trade_id) for one in trades)
    balance = (await stored.account()).balance
    check_identity(balance)
    assert (balance.won, balance.cash) == (40, 1_000 + 40 * Decimal("9.9"))


async def test_a_hundred_signals_against_cash_for_ten_make_ten_orders(stored):
    await stored.strategy("B", 100)
    applied = 0
    for number in range(100):
        one = traded(number)
        try:
            result = await stored.trades.write([decided(one, order(one, "B", fee=Decimal(0)))])
            applied += result.receipts[0].applied
        except RejectedError:
            pass
    assert applied == 10
    assert (await stored.account("B")).balance.cash == 0


async def test_an_archived_strategy_buys_nothing_more(stored):
    await stored.connection.run(lambda raw: raw.execute("UPDATE ft_wallets SET archived_at = now()"))
    [receipt] = (await stored.trades.write([decided(BUY, order(BUY))])).receipts
    assert (receipt.applied, len(receipt.left_out)) == (True, 1)


async def test_money_is_written_under_the_lease_only(stored):
    await stored.trades.write([decided(BUY, order(BUY))])
    stale = Leases(tuple(attrs.evolve(one, epoch=one.epoch + 1) for one in stored.leases.holds))
    with pytest.raises(FencedError):
        await PostgresTradeStore(stored.connection, stale).write([decided(LATER, order(LATER))])
    with pytest.raises(FencedError):
        await PostgresTradeStore(stored.connection, stale).write([decided(SELL, closes=[close(order(BUY), SELL, "5")])])
    with pytest.raises(FencedError):
        await PostgresSettlementStore(connection=stored.connection, leases=stale, markets=None).settle(
            [paying(BUY, "1")]
        )
    account = await stored.account()
    assert (account.balance.orders, account.open_orders[0].shares) == (1, 20)


async def test_payouts_and_the_label_of_the_winner_are_kept(stored):
    await stored.connection.run(
        lambda raw: raw.execute(
            "WITH made AS (INSERT INTO markets (condition_id) VALUES ($1) RETURNING condition_id) "
            "INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index) "
            "SELECT token, $1, label, n FROM made, "
            "(VALUES ($2::text, 'Yes', 0), ($2 || '-other', 'No', 1)) AS t (token, label, n)",
            BUY.trade.condition_id,
            BUY.trade.token_id,
        )
    )
    await stored.trades.write([decided(BUY, order(BUY))])
    await stored.settlement.settle([paying(BUY, "0")])
    rows = await stored.fetch("SELECT payout FROM market_tokens ORDER BY outcome_index")
    assert [row["payout"] for row in rows] == [0, 1]
    [row] = await stored.fetch("SELECT winning_label, close_reason, resolved_time FROM ft_orders")
    assert (row["winning_label"], row["close_reason"]) == ("No", "resolution")


async def test_the_day_of_today_gets_a_partition_and_another_day_does_not(stored):
    [row] = await stored.fetch(
        "SELECT (extract(epoch FROM now()) * 1000)::bigint AS ms, to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') AS day"
    )
    today, long_ago = traded(1, trade_ms=row["ms"]), traded(2, trade_ms=NOON_MS - 86_400_000 * 400)
    await stored.trades.write([decided(today), decided(long_ago)])
    rows = await stored.fetch("SELECT tableoid::regclass::text AS part FROM decisions ORDER BY trade_day")
    assert [one["part"] for one in rows] == ["decisions_other", f"decisions_{row['day']}"]


async def test_what_was_committed_while_a_batch_waited_for_the_lease_is_seen(stored):
    """A statement that a time-out left behind holds the lease, and what it commits is not in the other one's snapshot."""
    aggregate = order(LATER, members=(LATER.trade.trade_id, BUY.trade.trade_id))
    left_behind = Connection(stored.database, "left behind")
    values = (*trade_columns([BUY]), decisions_json([(decided(BUY, order(BUY)).decisions[0], BUY.trade.trade_ms)]))
    holding, result = trio.Event(), []

    async def hold(raw):
        async with raw.transaction():
            await raw.execute("SELECT 1 FROM engine_leases WHERE name = 'ingest' FOR UPDATE")
            holding.set()
            await raw.execute("SELECT pg_sleep(0.4)")
            await raw.fetchrow(WRITE_DECIDED, *stored.leases.columns, *values)

    async def write():
        await holding.wait()
        result.append(await stored.trades.write([decided(LATER, aggregate, part="tx", members=aggregate.members)]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(left_behind.run, hold)
        nursery.start_soon(write)
    await left_behind.aclose()
    [receipt] = result[0].receipts
    assert (receipt.applied, receipt.left_out) == (True, (aggregate.order_id,))
    assert list(await stored.orders()) == [id_of("A", BUY.trade.trade_id)]
    check_identity((await stored.account()).balance)
