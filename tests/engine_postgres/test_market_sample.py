"""A sample of markets: whole ones, never more trades than asked for, the same each time."""

import pytest
from engine_tuner.planted_rows import DAY_MS, PlantedRows, planted_rows

from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.market_sample import PORTIONS, market_sample, portion_of
from protocols.backtest import BacktestQuery

UNTIL_MS = 20_000 * DAY_MS
QUERY = BacktestQuery(since_ms=0, until_ms=UNTIL_MS)


@pytest.fixture
async def connection(database, aio):
    made = Connection(database, "test")
    yield made
    await made.aclose()


@pytest.fixture
async def store(connection) -> PlantedRows:
    rows = planted_rows(1, until_ms=UNTIL_MS, a_day=30)
    await rows.insert(lambda statement, *values: connection.run(lambda raw: raw.fetch(statement, *values)))
    return rows


async def read(store, query=QUERY):
    found, page = [], await store.trades(query)
    while True:
        found += page.trades
        if page.after is None:
            return found
        page = await store.trades(query, page.after)


async def test_few_trades_are_all_taken(connection, store):
    sample = await market_sample(connection, QUERY, len(store.trades_))
    assert sample.share == 1
    assert len(await read(sample)) == len(store.trades_)


@pytest.mark.parametrize("trades_max", [10, 100, 500, 899])
async def test_of_many_some_whole_markets_are_taken(connection, store, trades_max):
    sample = await market_sample(connection, QUERY, trades_max)
    found = await read(sample)
    assert 0 < len(found) <= trades_max
    assert len(found) >= trades_max - 20
    markets = {trade.condition_id for trade in found}
    assert len(found) == sum(trade.condition_id in markets for trade in store.trades_)
    # The database and the program choose alike.
    chosen = [trade for trade in store.trades_ if portion_of(trade.condition_id) < round(sample.share * PORTIONS)]
    assert {trade.condition_id for trade in chosen} == markets
    assert sample.share == pytest.approx(len(found) / len(store.trades_), abs=0.08)


async def test_only_what_the_query_asks_for_is_counted(connection, store):
    query = BacktestQuery(since_ms=UNTIL_MS - 3 * DAY_MS, until_ms=UNTIL_MS)
    assert (await market_sample(connection, query, 90)).share == 1
    nobody = BacktestQuery(since_ms=0, until_ms=UNTIL_MS, wallets=("0x1",))
    assert (await market_sample(connection, nobody, 1)).share == 1
    assert await read(await market_sample(connection, nobody, 1), nobody) == []
    assert len(await read(PostgresBacktestStore(connection))) == 900
