"""What only a database has: fences, races, rows that never change, and statements that do not read everything."""

import attrs
import msgspec
import pytest
import trio
from actors_live.live_cases import T0, intent
from engine_adapters.live_worlds import LATER, D, buy, bytes_for, hash_of, owed, postgres_live, sell, told
from engine_adapters.paper_worlds import decided, traded

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import Leases
from engine.adapters.postgres.live_order_store import PostgresLiveOrderStore
from protocols.decisions import DecidedTrade
from protocols.errors import FencedError, RejectedError, TransientError
from protocols.live.events import NotFound, Seen
from protocols.live.exits import ExitSignal

OLD_ORDERS = """
INSERT INTO lt_orders (
    lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id, ft_trader_wallet,
    ft_wallet_id, signal_price, signal_at, decided_at, status, ended, ended_at, order_hash, signed_body, order_type,
    limit_price, size_shares, lock_usd, fee_rate, fee_exponent, negative_risk, signed_at, filled_shares, filled_usd,
    outcome, created_at
)
SELECT gen_random_uuid(), 'LT_A', 'main', 'old ' || n, 1, 'copy', 'now', 'BUY', '0xold' || n % 50, '77', $1, 'A', 0.5,
    now(), now(), 'FILLED', true, now(), '0x' || lpad(to_hex(n + 1000000), 64, '0'), 'x', 'FAK', 0.5, 20, 10, 0, 1, false,
    now() - interval '1 hour', 20, 10, 'SOLD', now() - n * interval '1 second'
FROM generate_series(1, 20000) AS n
"""
ROWS_READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint AS rows FROM pg_stat_user_tables
WHERE relname IN ('lt_orders', 'lt_fills', 'lt_ledger', 'lt_lot_sales')
"""
ENOUGH_ROWS = 100
"""Of 20,000."""


@pytest.fixture
async def world(database, aio):
    async with postgres_live(database) as one:
        await one.strategy()
        yield one
        await one.check()


def store_over(world, connection, leases=None, accounts=("main",)):
    return PostgresLiveOrderStore(
        connection=connection, leases=leases or world.leases, accounts=accounts, not_found_interval_ms=20_000
    )


async def test_who_lost_the_lease_writes_nothing(world):
    [held] = world.leases.holds
    lost = Leases((attrs.evolve(held, epoch=held.epoch - 1),))
    store, claim = store_over(world, world.connection, lost), buy(1)
    await world.store.claim([claim])
    for call in (
        store.claim([buy(2)]),
        store.decline([]),
        store.journal([(claim, bytes_for(claim, 1))]),
        store.journal([]),
        store.apply([told(1, "t1", "3")]),
        store.settle([], LATER),
        store.release(T0),
        store.open_exits([owed(1)]),
        store.save_exits([]),
        store.fixed_target(owed(1).exit_id),
        store.latch("LT_A", "x", T0),
    ):
        with pytest.raises(FencedError):
            await call
    snapshot = await world.store.snapshot(T0)
    assert (snapshot.claims, snapshot.working, snapshot.exits) == ((claim,), (), ())


async def test_of_two_orders_for_the_whole_cash_exactly_one_is_journaled(world):
    claims = [buy(number) for number in range(1, 7)]
    await world.store.claim(claims)
    connections = [Connection(world.database, f"other {number}") for number in range(6)]
    results = []

    async def journal(connection, claim, number):
        store = store_over(world, connection)
        results.append(await store.journal([(claim, bytes_for(claim, number, lock_usd=D(100)))]))

    async with trio.open_nursery() as nursery:
        for number, (connection, claim) in enumerate(zip(connections, claims, strict=True)):
            nursery.start_soon(journal, connection, claim, number)
    assert sorted(len(one.orders) for one in results) == [0, 0, 0, 0, 0, 1]
    assert sorted({why for one in results for why in one.refused.values()}) == ["insufficient_cash"]
    balance = await world.balance()
    assert (balance.available, balance.locked) == (0, 100)
    for connection in connections:
        await connection.aclose()


async def test_a_journal_whose_answer_is_lost_is_written_again_while_the_first_still_waits(world):
    claim = buy(1)
    await world.store.claim([claim])
    pair = (claim, bytes_for(claim, 1))
    blocker, *others = [Connection(world.database, f"other {number}") for number in range(4)]
    results = []

    async def journal(connection):
        results.append(await store_over(world, connection).journal([pair]))

    async with trio.open_nursery() as nursery:
        await blocker.run(lambda raw: raw.execute("BEGIN"))
        await blocker.run(lambda raw: raw.fetch("SELECT 1 FROM engine_leases WHERE name = 'live:main' FOR UPDATE"))
        for connection in others:
            nursery.start_soon(journal, connection)
        with trio.fail_after(10):
            while await world.connection.run(_waiting) < len(others):
                await trio.sleep(0.01)
        await blocker.run(lambda raw: raw.execute("COMMIT"))
    assert [(len(one.orders), one.refused, one.orders[0].version) for one in results] == [(1, {}, 2)] * 3
    assert (await world.balance()).locked == D("10.5001")
    for connection in (blocker, *others):
        await connection.aclose()


async def _waiting(raw):
    return await raw.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


async def test_a_cause_is_claimed_once_by_many_who_want_it(world):
    connections = [Connection(world.database, f"other {number}") for number in range(6)]
    claimed = []

    async def claim(connection):
        for number in range(10):
            claimed.extend(await store_over(world, connection).claim([buy(number)]))

    async with trio.open_nursery() as nursery:
        for connection in connections:
            nursery.start_soon(claim, connection)
    assert sorted(one.cause for one in claimed) == sorted(f"trade-{number}" for number in range(10))
    for connection in connections:
        await connection.aclose()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lt_ledger SET available = available + 1, locked = locked - 1",
        "UPDATE lt_balances SET available = available + 1",
        "UPDATE lt_balances SET available = -1, locked = locked + available + 1",
        "INSERT INTO lt_ledger (strategy_id, cause, kind, initial, available, locked, cooldown, realized)"
        " VALUES ('LT_A', 'x', 'lock', 0, 1, 0, 0, 0)",
        "INSERT INTO lt_ledger (strategy_id, cause, kind, initial, available, locked, cooldown, realized)"
        " VALUES ('LT_A', 'capital:1', 'lock', 0, 0, 0, 0, 0)",
        "UPDATE lt_orders SET status = 'FILLED'",
        "UPDATE lt_orders SET order_hash = NULL",
        "UPDATE lt_orders SET cost_open = 5",
    ],
)
async def test_money_that_does_not_add_up_is_refused_by_the_database(statement, world):
    claim = buy(1)
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, 1))])
    before = await world.ledger()
    with pytest.raises((RejectedError, TransientError)):
        await world.fetch(statement)
    assert await world.ledger() == before


async def test_old_orders_cost_nothing(world):
    trader = intent().trader
    await world.fetch(OLD_ORDERS, trader)
    await world.fetch("ANALYZE lt_orders")
    claim, one = buy(1), owed(5, share=D(1))
    exit_claim = sell(1, one, "20")
    signal = ExitSignal(
        trade_id="sold", trader=trader, condition_id="0xc0", token_id="77", share=D(1), price=D("0.5"), trade_ms=T0 + 99,
        ft_wallet_ids=("A",),
    )  # fmt: skip
    source = traded(9, side="SELL")
    news = [told(1, "t1", "20"), Seen(order_hash=hash_of(1), venue_status="MATCHED", matched_shares=D(20), at_ms=T0)]

    async def sale():
        await world.trades.write([_decided(source, exit_signal=signal)])

    steps = {
        "claim": lambda: world.store.claim([claim]),
        "journal": lambda: world.store.journal([(claim, bytes_for(claim, 1))]),
        "apply": lambda: world.store.apply(news),
        "signal": sale,
        "snapshot": lambda: world.store.snapshot(T0),
        "obligation": lambda: world.store.open_exits([one]),
        "target": lambda: world.store.fixed_target(one.exit_id),
        "claim of exit": lambda: world.store.claim([exit_claim]),
        "journal of exit": lambda: world.store.journal([(exit_claim, bytes_for(exit_claim, 2))]),
        "sale": lambda: world.store.apply([told(2, "s1", "5", "0.6", role="MAKER")]),
        "not found": lambda: world.store.apply([NotFound(order_hash=hash_of(2), at_ms=T0)]),
        "markets": lambda: world.store.open_markets("", 10),
        "settle": lambda: world.store.settle([], LATER),
        "release": lambda: world.store.release(T0),
    }
    # The first pass prepares; the second one does the same again, the same way.
    for step in steps.values():
        await step()
    read = {}
    for name, step in steps.items():
        before = await _rows_read(world)
        await step()
        read[name] = await _rows_read(world) - before
    assert {name: rows for name, rows in read.items() if rows > ENOUGH_ROWS} == {}


async def _rows_read(world):
    await world.fetch("SELECT pg_stat_force_next_flush()")
    [row] = await world.fetch(ROWS_READ)
    return row["rows"]


def _decided(trade, *, part="now", **changes):
    made = decided(trade, part=part)
    [decision] = made.decisions
    return DecidedTrade(trade.trade, trade.lane, (msgspec.structs.replace(decision, **changes),))
