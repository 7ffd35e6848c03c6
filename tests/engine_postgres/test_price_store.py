import json
from decimal import Decimal

import pytest

from actors.rules.price_resolution import is_resolved
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.price_store import PostgresPriceStore
from protocols.prices import MarketKey, MarketName, PriceWrite
from protocols.timestamps import utc_datetime
from protocols.venue.gamma import market_from

T = 1_795_000_000_000


def condition(number):
    return f"0x{number:064x}"


def gamma(number, **changed):
    return {
        "id": str(number),
        "conditionId": condition(number),
        "question": f"Market {number}?",
        "slug": f"market-{number}",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.905", "0.095"]',
        "clobTokenIds": json.dumps([f"{number}1", f"{number}2"]),
        "closed": False,
        "orderPriceMinTickSize": Decimal("0.01"),
        "orderMinSize": 5,
        "description": "long",
        "gameStartTime": "2026-10-05 23:15:00+00",
        "enableOrderBook": True,
        "events": [{"slug": "event", "score": "1-0"}],
    } | changed


def written(number, *prices, at_ms=T, **changed):
    fields = {
        "condition_id": condition(number),
        "outcome_prices": tuple(map(Decimal, prices)) or None,
        "closed": False,
        "accepting_orders": None,
        "resolution_status": None,
        "observed_ms": at_ms,
        "requested_ms": at_ms - 500,
    }
    return PriceWrite(**fields | changed)


class World:
    def __init__(self, database):
        self.connection = Connection(database, "test")
        self.store = PostgresPriceStore(reads=self.connection, writes=Connection(database, "writes"))

    async def add(self, *markets):
        await PostgresMarketStore(self.connection).upsert([market_from(fields) for fields in markets])

    async def row(self, number):
        sql = "SELECT * FROM markets WHERE condition_id = $1"
        return await self.connection.run(lambda raw: raw.fetchrow(sql, condition(number)))

    async def found(self, number):
        ((stored,), _) = await self.store.find([condition(number)], [])
        return stored

    async def execute(self, sql, *arguments):
        await self.connection.run(lambda raw: raw.execute(sql, *arguments))

    async def aclose(self):
        await self.connection.aclose()
        await self.store.writes.aclose()


@pytest.fixture
async def world(database, aio):
    world = World(database)
    yield world
    await world.aclose()


async def test_a_row_is_read_as_gamma_answered_it(world):
    await world.add(gamma(1), gamma(2))
    facts = (await world.found(1)).facts
    assert (facts.question, facts.slug, facts.event_slug) == ("Market 1?", "market-1", "event")
    assert facts.outcome_prices == (Decimal("0.905"), Decimal("0.095"))
    assert facts.token_ids == ("11", "12")
    assert (facts.description, facts.score, facts.enable_order_book) == ("long", "1-0", True)
    assert (str(facts.tick_size), str(facts.order_size_min)) == ("0.01", "5")
    assert await world.store.find([condition(9)], []) == ([], {})


async def test_look_ups_by_slug_and_token_in_one_crossing(world):
    await world.add(*(gamma(number) for number in range(1, 5)))
    await world.add(gamma(5, slug="market-4"))
    names = [
        MarketName(MarketKey.SLUG, "market-2"),
        MarketName(MarketKey.TOKEN, "32"),
        MarketName(MarketKey.SLUG, "market-4"),
        MarketName(MarketKey.TOKEN, "99"),
        MarketName(MarketKey.SLUG, "'; DROP TABLE markets; --"),
    ]
    rows, named = await world.store.find([condition(1)], names)
    assert {row.facts.condition_id for row in rows} == {condition(1), condition(2), condition(3)}
    assert named == {names[0]: condition(2), names[1]: condition(3)}


async def test_a_write_brings_prices_and_times(world):
    await world.add(gamma(1), gamma(2))
    await world.store.write([written(1, "0.123456789012345678", "0.876"), written(9, "0.5", "0.5")])
    row = await world.row(1)
    assert json.loads(row["outcome_prices"]) == ["0.123456789012345678", "0.876"]
    assert row["last_price_updated_at"] == utc_datetime(T)
    assert row["last_requested_at"] == utc_datetime(T - 500)
    assert (await world.row(2))["last_price_updated_at"] is None
    assert await world.row(9) is None


async def test_the_age_of_a_row_is_that_of_its_prices(world):
    await world.add(gamma(1), gamma(2, outcomePrices=None))
    await world.execute("UPDATE markets SET updated_at = $1", utc_datetime(T))
    assert (await world.found(1)).as_of_ms == T
    assert (await world.found(2)).as_of_ms is None
    await world.store.write([written(1, "0.4", "0.6", at_ms=T + 5), written(2, "0.4", "0.6", at_ms=T + 5)])
    assert [(await world.found(number)).as_of_ms for number in (1, 2)] == [T + 5, T + 5]


async def test_an_older_observation_never_replaces_a_newer_one(world):
    await world.add(gamma(1))
    await world.store.write([written(1, "0.4", "0.6", at_ms=T + 10)])
    await world.store.write([written(1, "0.3", "0.7", at_ms=T)])
    assert (await world.found(1)).facts.outcome_prices[0] == Decimal("0.4")
    await world.store.write([written(1, "0.2", "0.8", at_ms=T + 20)])
    assert (await world.found(1)).facts.outcome_prices[0] == Decimal("0.2")


async def test_a_market_that_is_closed_stays_so_and_a_missing_price_removes_none(world):
    await world.add(gamma(1))
    final = {"closed": True, "resolution_status": "resolved", "accepting_orders": False}
    await world.store.write([written(1, "1", "0", **final)])
    await world.store.write([written(1, "0.9", "0.1", at_ms=T + 10)])
    await world.store.write([written(1, at_ms=T + 20, **final)])
    facts = (await world.found(1)).facts
    assert (facts.closed, facts.resolution_status, facts.accepting_orders) == (True, "resolved", False)
    assert facts.outcome_prices == (Decimal(1), Decimal(0))
    assert is_resolved(facts)
    assert (await world.row(1))["is_resolved"] is True


async def test_engine_and_database_agree_on_what_is_resolved(world):
    cases = [
        (prices, closed, status)
        for prices in (["1", "0"], ["0.5", "0.5"], ["0.999", "0.001"], ["0", "0"], ["0.6", "0.4"], None)
        for closed in (True, False)
        for status in (None, "resolved", "settled", "proposed", "disputed")
    ]
    for number, (prices, closed, status) in enumerate(cases, 1):
        told = None if prices is None else json.dumps(prices)
        await world.add(gamma(number, outcomePrices=told, closed=closed, umaResolutionStatus=status))
    for number, case in enumerate(cases, 1):
        assert is_resolved((await world.found(number)).facts) == (await world.row(number))["is_resolved"], case


async def test_prices_as_earlier_programs_wrote_them(world):
    await world.add(gamma(1))
    sql = "UPDATE markets SET outcome_prices = $1::jsonb, raw_gamma = NULL WHERE condition_id = $2"
    for stored, expected in (
        ({"outcomes": ["Yes", "No"], "outcomePrices": [0.25, 0.75]}, (Decimal("0.25"), Decimal("0.75"))),
        ({"outcomes": ["Yes", "No"], "outcomePrices": ["0.25", "0.75"]}, (Decimal("0.25"), Decimal("0.75"))),
        ([0.25, 0.75], (Decimal("0.25"), Decimal("0.75"))),
        ([25, 75], None),
        ([0.5], None),
        ("nonsense", None),
    ):
        await world.execute(sql, json.dumps(stored), condition(1))
        assert (await world.found(1)).facts.outcome_prices == expected, stored


async def test_a_change_of_price_touches_no_index(world):
    await world.add(*(gamma(number) for number in range(1, 30)))
    await world.execute("VACUUM FULL markets")
    for round_number in range(1, 4):
        await world.store.write([written(n, f"0.{n + 10}", "0.5", at_ms=T + round_number) for n in range(1, 30, 10)])
    sql = "SELECT pg_stat_force_next_flush()"
    await world.store.writes.run(lambda raw: raw.fetch(sql))
    figures = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'markets'"
    (row,) = await world.connection.run(lambda raw: raw.fetch(figures))
    assert row["n_tup_hot_upd"] == 9
