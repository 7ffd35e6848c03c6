"""Rows of markets as decisions see them."""

import json
from decimal import Decimal

import attrs
import pytest
from engine_postgres.test_trade_store import opened

from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.market_store import PostgresMarketStore
from protocols.venue.gamma import market_from
from protocols.venue.market_input import market_input

ID = "0x" + "1" * 64
RAW = {
    "conditionId": ID,
    "question": "Alpha vs. Beta",
    "slug": "alpha-beta",
    "outcomes": '["Alpha", "Beta"]',
    "outcomePrices": '["0.4", "0.6"]',
    "clobTokenIds": '["71", "72"]',
    "endDate": "2026-10-05T23:15:00Z",
    "gameStartTime": "2026-10-05 20:00:00+00",
    "feesEnabled": True,
    "feeSchedule": {"rate": Decimal("0.05"), "exponent": 1, "takerOnly": True},
    "tags": [{"id": "1", "label": "Sports"}],
    "events": [{"slug": "alpha-beta-event"}],
    "category": "sports",
}


@pytest.fixture
async def world(database, aio):
    connection, _, _ = await opened(database)
    yield connection, PostgresMarketStore(connection), PostgresDecisionMarkets(connection)
    await connection.aclose()


async def found(world, *ids):
    return await world[2].find(ids or [ID])


def told(market):
    """What both ways of reading a market must agree about."""
    kept = ("condition_id", "title", "slug", "event_slug", "category", "tags", "closed", "resolved", "end_ms")
    more = ("game_start_ms", "fee_rate", "fee_exponent", "outcomes", "token_ids", "outcome_prices")
    return {name: getattr(market, name) for name in (*kept, *more)}


async def test_a_row_says_what_the_venue_said(world):
    market = market_from(RAW)
    await world[1].upsert([market])
    stored = (await found(world))[ID]
    assert told(stored) == told(market_input(market, 0))
    assert stored.token_ids == ("71", "72")
    assert stored.tags == ("Sports",)
    assert stored.observed_ms > 1_700_000_000_000
    assert await found(world, "0x" + "2" * 64) == {}


async def test_columns_that_are_newer_than_the_kept_object_win(world):
    await world[1].upsert([market_from(RAW)])
    prices = "UPDATE markets SET outcome_prices = $1, closed = true, resolution_status = 'resolved'"
    await world[0].run(lambda raw: raw.execute(prices, '["0", "1"]'))
    stored = (await found(world))[ID]
    assert (stored.closed, stored.resolved, stored.outcome_prices) == (True, True, (Decimal(0), Decimal(1)))


async def test_payouts_that_orders_were_settled_at_win_over_prices(world):
    await world[1].upsert([attrs.evolve(market_from(RAW), closed=True, resolution_status="resolved")])
    paid = "UPDATE market_tokens SET payout = 0.5"
    await world[0].run(lambda raw: raw.execute(paid))
    stored = (await found(world))[ID]
    assert stored.resolved
    assert stored.outcome_prices == (Decimal("0.5"), Decimal("0.5"))


@pytest.mark.parametrize("resolved", [True, False])
async def test_a_row_in_the_shape_of_the_earlier_program_is_read(world, resolved):
    prices = json.dumps({"outcomes": ["Yes", "No"], "outcomePrices": ["1", "0"]})
    row = "INSERT INTO markets (condition_id, title, outcome_prices, closed, resolution_status) VALUES ($1, 'T', $2, $3, $4)"
    await world[0].run(lambda raw: raw.execute(row, ID, prices, resolved, "resolved" if resolved else None))
    stored = (await found(world))[ID]
    assert stored.outcomes == ("Yes", "No")
    assert stored.outcome_prices == (Decimal(1), Decimal(0))
    assert stored.resolved is resolved
    assert (stored.token_ids, stored.tags, stored.fee_rate) == ((), (), None)


@pytest.mark.parametrize("raw", ["[]", "7", '{"events": 3, "tags": {"a": 1}}', "null"])
@pytest.mark.parametrize("prices", ["[]", "7", '["x", "y"]', '{"a": 1}', '["0", "0"]'])
async def test_a_row_with_anything_in_it_is_still_a_market_without_prices(world, raw, prices):
    row = 'INSERT INTO markets (condition_id, outcomes, outcome_prices, raw_gamma) VALUES ($1, \'["a", "b"]\', $2, $3)'
    await world[0].run(lambda connection: connection.execute(row, ID, prices, raw))
    stored = (await found(world))[ID]
    assert stored.outcome_prices is None
    assert not stored.resolved
