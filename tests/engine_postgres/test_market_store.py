from decimal import Decimal

import attrs
import pytest
from engine_postgres.test_trade_store import laned, opened
from property.fake_markets import market

from engine.adapters.postgres.market_store import PostgresMarketStore


async def swept(store, ids_max):
    found, after, looks = [], "", 0
    while True:
        unknown, after = await store.traded_without_market(after, ids_max)
        found += unknown
        looks += 1
        if not after:
            return found, looks


@pytest.mark.parametrize(("ids_max", "looks"), [(1, 21), (7, 3), (20, 2), (50, 1)])
async def test_a_sweep_finds_every_traded_id_without_a_market_whatever_it_looks_at_at_once(
    ids_max, looks, database, aio
):
    connection, _, trades = await opened(database)
    store = PostgresMarketStore(connection)
    assert await store.traded_without_market("", ids_max) == ([], "")
    ids = [f"0x{n:064x}" for n in range(20)]
    await trades.write([laned(trade_id=f"{n}-{id_}", condition_id=id_) for id_ in ids for n in range(3)])
    known = ids[::3]
    insert = "INSERT INTO markets (condition_id) SELECT unnest($1::text[])"
    await connection.run(lambda raw: raw.execute(insert, known))
    assert await swept(store, ids_max) == ([id_ for id_ in ids if id_ not in known], looks)
    await connection.aclose()


@pytest.mark.parametrize(("age", "expected"), [("1 minute", '["0.9", "0.1"]'), ("20 minutes", '["0.5", "0.5"]')])
async def test_a_listing_does_not_replace_prices_that_were_read_lately(age, expected, database, aio):
    connection, _, _ = await opened(database)
    store = PostgresMarketStore(connection)
    listed = attrs.evolve(market("0x" + "1" * 64), outcome_prices=(Decimal("0.5"), Decimal("0.5")))
    await store.upsert([listed])
    read = "UPDATE markets SET outcome_prices = $1, last_price_updated_at = now() - $2::text::interval"
    await connection.run(lambda raw: raw.execute(read, '["0.9", "0.1"]', age))
    await store.upsert([listed])
    assert await connection.run(lambda raw: raw.fetchval("SELECT outcome_prices FROM markets")) == expected
    await connection.aclose()
