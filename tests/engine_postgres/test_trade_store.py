from decimal import Decimal

import msgspec
import pytest
import trio

from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.trade_store import PostgresTradeStore
from protocols.amounts import SIZE_MICRO_MAX
from protocols.errors import FencedError, RejectedError, TransientError
from protocols.trades import Lane, LanedTrade, Trade, without_description

TRADE = Trade(
    trade_id="a-0", wallet="0x" + "1" * 40, transaction_hash="0x" + "2" * 64, token_id="7", condition_id="0x3", side="BUY",
    size_micro=2_702_700, price=Decimal("0.688999999893586712"), trade_ms=1_787_102_287_053, outcome="No",
    outcome_index=1, market_slug="s", event_slug=None, market_title="T", trader_name="Zoë", trader_image=None,
    market_image=None, raw='{"fee": 1.5}', seen_s=0.0,
)  # fmt: skip
ROWS = "SELECT * FROM trades_public ORDER BY ingest_seq"


def laned(lane: Lane = Lane.TARGET, **changes: object) -> LanedTrade:
    return LanedTrade(msgspec.structs.replace(TRADE, **changes), lane)


async def opened(database: DatabaseOptions) -> tuple[Connection, LeaseOffice, PostgresTradeStore]:
    connection = Connection(database, "test")
    office = LeaseOffice(connection=connection, owner="me", holder="test", ttl_s=60)
    hold = await office.acquire("ingest")
    assert isinstance(hold, LeaseHold)
    return connection, office, PostgresTradeStore(connection, Leases((hold,)))


async def rows_of(connection):
    return await connection.run(lambda raw: raw.fetch(ROWS))


@pytest.mark.parametrize("micro", [1, 2_702_700, 10**15 + 1, SIZE_MICRO_MAX])
async def test_amounts_and_times_arrive_exactly(micro, database, aio):
    connection, _, store = await opened(database)
    result = await store.write([laned(size_micro=micro)])
    assert (result.inserted, result.repeated) == (1, 0)
    [row] = await rows_of(connection)
    assert row["size"] * 1_000_000 == micro
    assert row["price"] == TRADE.price
    assert round(row["trade_timestamp"].timestamp() * 1000) == TRADE.trade_ms
    await connection.aclose()


async def test_ingest_seq_follows_the_order_of_commits_and_survives_repeats(database, aio):
    connection, _, store = await opened(database)
    await store.write([laned(trade_id="c-0"), laned(trade_id="a-0")])
    await store.write([laned(trade_id="a-0", market_title="newer"), laned(trade_id="b-0")])
    rows = await rows_of(connection)
    assert [row["trade_id"] for row in rows] == ["c-0", "a-0", "b-0"]
    assert rows[1]["market_title"] == "newer"
    await connection.aclose()


async def test_a_repeat_may_raise_a_trades_importance_and_never_lowers_it(database, aio):
    connection, _, store = await opened(database)
    for lane in (Lane.FOLLOWED, Lane.TARGET, Lane.KNOWN):
        await store.write([laned(lane)])
    assert [row["lane"] for row in await rows_of(connection)] == [0]
    await connection.aclose()


async def test_a_write_under_a_lost_lease_changes_nothing(database, aio):
    connection, office, store = await opened(database)
    [held] = store.leases.holds
    await office.release(held)
    other = await LeaseOffice(connection=connection, owner="you", holder="test", ttl_s=60).acquire("ingest")
    assert isinstance(other, LeaseHold)
    assert other.epoch == held.epoch + 1
    with pytest.raises(FencedError):
        await store.write([laned()])
    assert await rows_of(connection) == []
    await connection.aclose()


async def test_what_describes_a_trade_does_not_cost_it(database, aio):
    """A number that jsonb refuses: the writer tries again without description."""
    connection, _, store = await opened(database)
    hostile = laned(raw='{"fee": 1e200000}')
    with pytest.raises(RejectedError):
        await store.write([hostile])
    await store.write([without_description(hostile)])
    [row] = await rows_of(connection)
    assert row["raw"] == "{}"
    await connection.aclose()


async def test_payloads_of_two_lists_are_laid_over_each_other_and_rewrite_nothing_for_ever(database, aio):
    connection, _, store = await opened(database)
    lists = ["[7]", '{"type": "TRADE", "name": "a"}', '{"bio": "", "name": "b"}', "{}"]
    for raw in lists:
        await store.write([laned(raw=raw)])
    [row] = await rows_of(connection)
    assert msgspec.json.decode(row["raw"]) == {"type": "TRADE", "bio": "", "name": "b"}
    version = "SELECT xmin::text FROM trades_public"
    before = await connection.run(lambda raw: raw.fetchval(version))
    for raw in lists[2:]:
        await store.write([laned(raw=raw)])
    assert await connection.run(lambda raw: raw.fetchval(version)) == before
    await connection.aclose()


async def test_a_database_that_does_not_answer_in_time_is_weather(database, aio):
    slow = DatabaseOptions(dsn=database.dsn, statement_timeout_s=0.2)
    connection = Connection(slow, "test")
    with pytest.raises(TransientError, match="no answer"):
        await connection.run(lambda raw: raw.execute("SELECT pg_sleep(30)"))
    with trio.fail_after(5):
        assert await connection.run(lambda raw: raw.fetchval("SELECT 1")) == 1
    await connection.aclose()


@pytest.mark.parametrize("first", ["stream", "gap", "poller", "audit", None])
async def test_who_brought_a_trade_first_stays_its_source(first, database, aio):
    connection, _, store = await opened(database)
    await store.write([laned(source=first)])
    await store.write([laned(source="audit", market_title="newer")])
    [row] = await rows_of(connection)
    assert (row["source"], row["market_title"]) == (first, "newer")
    await connection.aclose()
