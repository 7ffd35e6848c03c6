from datetime import UTC, datetime, timedelta

import pytest
from engine_postgres.test_retention_store import MARKETS, fill

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.market_refresh_store import PostgresMarketRefreshStore

DAY = timedelta(days=1)


@pytest.fixture
async def connection(database, aio):
    opened = Connection(database, "job work")
    yield opened
    await opened.aclose()


async def test_only_unresolved_markets_with_a_late_trade_are_due(connection):
    now = datetime.now(UTC)
    late = [(f"{name} late", 1, name, now - 6 * DAY) for name in MARKETS if name != "disputed"]
    old = [("old", 1, "disputed", now - 8 * DAY), ("unknown", 1, "not stored", now)]
    await fill(connection, [*late, *old])
    due = await PostgresMarketRefreshStore(connection).due(traded_days=7, markets_max=99)
    assert set(due) == {name for name, market in MARKETS.items() if not market[3] and name != "disputed"}


async def test_those_that_were_asked_go_to_the_end_of_the_line(connection):
    now = datetime.now(UTC)
    await fill(connection, [(name, 1, name, now) for name in MARKETS])
    store = PostgresMarketRefreshStore(connection)
    everything = await store.due(traded_days=7, markets_max=99)
    assert everything == sorted(everything)
    first = await store.due(traded_days=7, markets_max=4)
    await store.asked(first)
    assert await store.due(traded_days=7, markets_max=99) == [*everything[4:], *everything[:4]]
