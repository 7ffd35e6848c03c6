from datetime import UTC, datetime, timedelta

import attrs
import pytest
from engine_postgres.test_trade_store import laned, opened

from engine.adapters.postgres.gap_store import PostgresGapStore
from protocols.errors import FencedError
from protocols.ingest import GapReason, GapRequest

NOON_MS = 1_787_140_800_123


def gap(since_ms, until_ms, reason=GapReason.STALL):
    return GapRequest(reason=reason, since_ms=NOON_MS + since_ms, until_ms=NOON_MS + until_ms)


async def opened_gaps(database):
    connection, office, trades = await opened(database)
    return connection, office, trades, PostgresGapStore(connection, trades.leases.holds[0])


async def test_the_list_of_unread_gaps_is_replaced_whole(database, aio):
    connection, _, _, store = await opened_gaps(database)
    first, second, third = gap(0, 1), gap(0, 1, GapReason.START), gap(-5_000, 60_000)
    for kept in ([], [first, second], [second, third], [second, third], [third], []):
        await store.keep_unread_gaps(kept)
        assert set(await store.unread_gaps()) == set(kept)
    await connection.aclose()


async def test_unread_gaps_come_back_earliest_end_first_to_the_millisecond(database, aio):
    connection, _, _, store = await opened_gaps(database)
    kept = [gap(n * 7, n * 11) for n in range(50)]
    await store.keep_unread_gaps([*reversed(kept), *kept])
    assert await store.unread_gaps() == kept
    await connection.aclose()


async def test_a_fenced_engine_changes_no_gap(database, aio):
    connection, _, _, store = await opened_gaps(database)
    await store.keep_unread_gaps([gap(0, 1)])
    fenced = PostgresGapStore(connection, attrs.evolve(store.lease, epoch=store.lease.epoch + 1))
    for kept in ([], [gap(0, 2)]):
        with pytest.raises(FencedError):
            await fenced.keep_unread_gaps(kept)
    assert await store.unread_gaps() == [gap(0, 1)]
    await connection.aclose()


async def test_the_last_trade_is_never_later_than_its_commit(database, aio):
    connection, _, trades, store = await opened_gaps(database)
    assert await store.last_trade_ms() is None
    await trades.write([laned(trade_id="a-0", trade_ms=NOON_MS)])
    assert await store.last_trade_ms() == NOON_MS
    now = datetime.now(UTC)
    future_ms = round((now + timedelta(days=900)).timestamp() * 1000)
    await trades.write([laned(trade_id="b-0", trade_ms=future_ms)])
    assert await store.last_trade_ms() == pytest.approx(now.timestamp() * 1000, abs=60_000)
    await connection.aclose()
