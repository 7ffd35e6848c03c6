import time
from decimal import Decimal

import attrs
import pytest
import trio
from engine_postgres.test_trade_store import opened
from property.fake_accounts import held

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice
from engine.adapters.postgres.poll_store import PostgresColdPollStores, PostgresPollStore
from protocols.errors import FencedError
from protocols.jobs import JobLease
from protocols.polling import TradeList, Watermark
from protocols.positions import CloseReason, KnownPosition, MarketEnd, PositionBooking
from protocols.trader_accounts import TokenText

NOON_MS = 1_787_140_800_123
WALLET = "0x" + "1" * 40
OTHER = "0x" + "2" * 40
CURRENT = "SELECT * FROM positions_current ORDER BY wallet_address, token_id"
CLOSED = "SELECT * FROM positions_closed ORDER BY id"


async def opened_polls(database):
    connection, office, trades = await opened(database)
    return connection, office, PostgresPollStore(connection, trades.leases.holds[0])


def booking(number, *rows, at_s=0, **changes):
    made = {"wallet": WALLET, "snapshots": number, "seen_ms": NOON_MS + at_s * 1000, "written": rows}
    return PositionBooking(**(made | changes))


async def fetch(connection, statement, *values):
    return await connection.run(lambda raw: raw.fetch(statement, *values))


async def test_a_snapshot_comes_back_as_it_was_booked(database, aio):
    connection, _, store = await opened_polls(database)
    assert (await store.polled(WALLET)).known.snapshots == 0
    row = held(
        WALLET, "1", 9_223_372_036_854_775_807, average_price=Decimal("0.123456789012345678"), price=Decimal(1),
        cost_usd=Decimal("-12.3456789"), value_usd=Decimal("9999999999999.5"), redeemable=True, raw='{"a": "é"}',
        text=TokenText(outcome="Yes", outcome_index=0, title="T", slug="s", end_date="2026-07-01T00:00:00Z"),
    )  # fmt: skip
    assert await store.book(booking(0, row, held(WALLET, "2", 1)))
    known = (await store.polled(WALLET)).known
    assert (known.snapshots, known.checked_ms) == (1, NOON_MS)
    assert known.positions[0] == KnownPosition(
        token_id="1", condition_id="c0", shares_micro=row.shares_micro, redeemable=True, mergeable=False,
        written_ms=NOON_MS,
    )  # fmt: skip
    stored = (await fetch(connection, CURRENT))[0]
    assert stored["avg_price"] == row.average_price
    assert stored["cost_usd"] == Decimal("-12.345679")
    assert str(stored["end_date"]) == "2026-07-01"
    assert round(stored["opened_at"].timestamp() * 1000) == NOON_MS
    await connection.aclose()


async def test_of_two_snapshots_that_were_begun_alike_the_later_booked_is_void(database, aio):
    connection, _, store = await opened_polls(database)
    for number, first, second in ((0, 10, 99), (1, 5, 77)):
        assert await store.book(booking(number, held(WALLET, "1", first)))
        void = booking(number, held(WALLET, "1", second), closed={"1": CloseReason.MANUAL_CLOSE}, missing=["1"])
        assert not await store.book(void)
        assert [one.shares_micro for one in (await store.polled(WALLET)).known.positions] == [first]
    assert await fetch(connection, CLOSED) == []
    await connection.aclose()


async def test_a_position_is_closed_once_and_is_another_one_when_it_is_opened_again(database, aio):
    connection, _, store = await opened_polls(database)
    sold = {"1": CloseReason.MANUAL_CLOSE}
    assert await store.book(booking(0, held(WALLET, "1", 10), held(WALLET, "2", 20)))
    assert await store.book(booking(1, missing=["1"], at_s=1))
    assert await store.book(booking(2, missing=["1"], at_s=2))
    assert await store.book(booking(3, closed=sold, at_s=3))
    # Again, as if somebody had not noticed, and at the same time as before: clocks may step.
    assert await store.book(booking(4, closed=sold, at_s=3))
    assert await store.book(booking(5, held(WALLET, "1", 7), at_s=0))
    assert await store.book(booking(6, closed=sold | {"2": CloseReason.REDEEMED}, at_s=0))
    rows = await fetch(connection, CLOSED)
    assert [(row["token_id"], row["closed_reason"], int(row["size"] * 1_000_000)) for row in rows] == [
        ("1", "manual_close", 10), ("1", "manual_close", 7), ("2", "redeemed", 20),
    ]  # fmt: skip
    # Closed when it was missed first.
    assert round(rows[0]["closed_at"].timestamp() * 1000) == NOON_MS + 1_000
    assert await fetch(connection, CURRENT) == []
    await connection.aclose()


async def test_two_who_poll_one_wallet_at_once_book_and_close_it_once(database, aio):
    connection, _, store = await opened_polls(database)
    tokens = [str(n) for n in range(1, 40)]
    await store.book(booking(0, *(held(WALLET, token, 5) for token in tokens)))
    others = [Connection(database, f"poller {n}") for n in range(4)]
    booked = []

    async def close(other):
        done = await PostgresPollStore(other, store.lease).book(
            booking(1, closed=dict.fromkeys(tokens, CloseReason.REDEEMED))
        )
        booked.append(done)

    async with trio.open_nursery() as nursery:
        for other in others:
            nursery.start_soon(close, other)
    assert sorted(booked) == [False, False, False, True]
    assert len(await fetch(connection, CLOSED)) == len(tokens)
    for other in [*others, connection]:
        await other.aclose()


async def test_what_is_missing_keeps_its_first_time_until_it_is_seen_again(database, aio):
    connection, _, store = await opened_polls(database)
    await store.book(booking(0, held(WALLET, "1", 10)))
    for number in (1, 2):
        await store.book(booking(number, missing=["1"], at_s=number))
    (position,) = (await store.polled(WALLET)).known.positions
    assert (position.missing_since_ms, position.written_ms) == (NOON_MS + 1_000, NOON_MS)
    await store.book(booking(3, held(WALLET, "1", 10), at_s=9))
    (position,) = (await store.polled(WALLET)).known.positions
    assert (position.missing_since_ms, position.written_ms) == (None, NOON_MS + 9_000)
    await connection.aclose()


async def test_watermarks_move_on_and_never_back(database, aio):
    connection, _, store = await opened_polls(database)

    async def after(*marks):
        await store.keep_watermarks([Watermark(wallet=w, source=s, second=n) for w, s, n in marks])
        return (await store.polled(WALLET)).watermarks

    assert await after((WALLET, TradeList.ACTIVITY, 100)) == {TradeList.ACTIVITY: 100}
    assert await after((WALLET, TradeList.TRADES, 50), (OTHER, TradeList.TRADES, 7)) == {
        TradeList.ACTIVITY: 100, TradeList.TRADES: 50,
    }  # fmt: skip
    assert await after((WALLET, TradeList.ACTIVITY, 99), (WALLET, TradeList.TRADES, 51)) == {
        TradeList.ACTIVITY: 100, TradeList.TRADES: 51,
    }  # fmt: skip
    await store.book(booking(0))
    await store.failed(WALLET, "answered 500\0", at_ms=NOON_MS)
    assert await after() == {TradeList.ACTIVITY: 100, TradeList.TRADES: 51}
    await connection.aclose()


async def test_nothing_is_written_under_a_lease_that_is_somebody_elses(database, aio):
    connection, _, store = await opened_polls(database)
    await store.book(booking(0, held(WALLET, "1", 10)))
    lost = PostgresPollStore(connection, attrs.evolve(store.lease, epoch=store.lease.epoch + 1))
    for work in (
        lambda: lost.book(booking(1, held(WALLET, "2", 1), closed={"1": CloseReason.REDEEMED})),
        lambda: lost.failed(WALLET, "no", at_ms=NOON_MS),
        lambda: lost.keep_watermarks([Watermark(wallet=WALLET, source=TradeList.TRADES, second=9)]),
    ):
        with pytest.raises(FencedError):
            await work()
    polled = await store.polled(WALLET)
    assert (polled.known.snapshots, polled.watermarks) == (1, {})
    assert [one.token_id for one in polled.known.positions] == ["1"]
    assert (await fetch(connection, "SELECT failures FROM wallet_poll_state"))[0]["failures"] == 0
    await connection.aclose()


async def test_a_job_that_was_unlocked_books_nothing_more_and_cannot_free_the_new_owner(database, aio):
    connection, _, _ = await opened_polls(database)
    jobs = PostgresJobStore(connection)

    async def claimed(owner):
        lease = await jobs.claim("cold-poll", slot_ms=None, owner=owner, holder="test", ttl_s=60)
        assert isinstance(lease, JobLease)
        return lease

    await jobs.request("cold-poll", "test")
    first = await claimed("one")
    stores = PostgresColdPollStores(connection)
    assert await stores.under(first).book(booking(0, held(WALLET, "1", 10)))
    assert await jobs.unlock("cold-poll", "an operator", force=True) is None
    second = await claimed("two")
    with pytest.raises(FencedError):
        await stores.under(first).book(booking(1, closed={"1": CloseReason.REDEEMED}))
    with pytest.raises(FencedError):
        await jobs.extend(first, ttl_s=60, figures={})
    assert await stores.under(second).book(booking(1, held(WALLET, "1", 11)))
    await connection.aclose()


async def test_who_was_polled_longest_ago_comes_first_and_failures_lose_their_turn(database, aio):
    connection, _, store = await opened_polls(database)
    wallets = [f"0x{n:040x}" for n in range(1_203)]
    add = "INSERT INTO traders (wallet_address, is_active) SELECT unnest($1::text[]), $2"
    await fetch(connection, add, wallets, True)
    await fetch(connection, add, ["0x" + "f" * 40], False)

    async def due(count=2_000):
        return await store.least_lately_polled(before_ms=NOON_MS, wallets_max=count)

    assert await due() == wallets
    assert await due(5) == wallets[:5]
    await store.failed(wallets[0], "answered 500", at_ms=NOON_MS + 1)
    await store.failed(wallets[1], "answered 500", at_ms=NOON_MS - 1)
    await store.book(booking(0, wallet=wallets[2]))
    assert await due() == [*wallets[3:], wallets[1]]
    await connection.aclose()


async def test_who_was_polled_by_a_clock_that_was_ahead_is_polled_again_and_then_is_not_due(database, aio):
    connection, _, store = await opened_polls(database)
    wallet, now_ms = "0x" + "5" * 40, round(time.time() * 1000)
    await fetch(connection, "INSERT INTO traders (wallet_address) VALUES ($1)", wallet)
    for at_ms, due in ((now_ms + 86_400_000, [wallet]), (now_ms, [])):
        await store.failed(wallet, "answered 500", at_ms=at_ms)
        assert await store.least_lately_polled(before_ms=now_ms - 1_800_000, wallets_max=5) == due
    await connection.aclose()


async def test_markets_are_open_ended_or_unknown(database, aio):
    connection, _, store = await opened_polls(database)
    add = "INSERT INTO markets (condition_id, closed) VALUES ('a', false), ('b', true)"
    await fetch(connection, add)
    assert await store.market_ends(["a", "b", "c"]) == {
        "a": MarketEnd.OPEN, "b": MarketEnd.ENDED, "c": MarketEnd.UNKNOWN,
    }  # fmt: skip
    await connection.aclose()


async def test_a_new_engine_fences_the_one_before(database, aio):
    connection, office, store = await opened_polls(database)
    await office.release(store.lease)
    other = await LeaseOffice(connection=connection, owner="you", holder="test", ttl_s=60).acquire("ingest")
    assert isinstance(other, LeaseHold)
    with pytest.raises(FencedError):
        await store.book(booking(0, held(WALLET, "1", 10)))
    assert await PostgresPollStore(connection, other).book(booking(0, held(WALLET, "1", 10)))
    await connection.aclose()
