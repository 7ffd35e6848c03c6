"""The job refresh-copy-pnl: from rows of markets to marks and `orders.current_price`, once, and never on a lost lease."""

import contextlib
from decimal import Decimal

import attrs
import pytest
from engine_adapters.live_worlds import bought
from engine_postgres.portfolio_world import MARKET, TRADER, copy_world

from actors.jobs.copy_prices import RefreshCopyPnl
from actors.rules.portfolio.figures import days_of
from actors.rules.portfolio.pricing import PriceSource
from engine.adapters.postgres.copy_mark_store import PostgresCopyMarkStore
from protocols.errors import FencedError
from protocols.jobs import RunningJob
from protocols.portfolio import CopiedFrom, NewMark
from protocols.timestamps import utc_datetime

D = Decimal
MARKS = "SELECT token_id, price, source, priced_at, resolved_at FROM copy_marks ORDER BY token_id"
ORDERS = """
SELECT order_id, token_id, current_price, market_resolved, resolved_outcome, roi, xmin::text FROM orders ORDER BY order_id
"""
LIVE_TOKEN = "UPDATE market_tokens SET token_id = '77' WHERE token_id = '71'"
MANY = """
WITH made AS (
    INSERT INTO markets (condition_id, outcomes, outcome_prices, last_price_updated_at)
    SELECT 'm' || n, '["Yes", "No"]', '["0.3", "0.7"]', now() FROM generate_series(1, $2::integer) AS n RETURNING condition_id
), named AS (
    INSERT INTO market_tokens SELECT 'y' || condition_id, condition_id, 'Yes', 0 FROM made
)
INSERT INTO orders (order_id, copy_user_id, market_id, token_id, outcome, side, price, size, filled_size, status)
SELECT 'o' || condition_id, $1::text::uuid, condition_id, CASE WHEN length(condition_id) % 2 = 0 THEN 'y' || condition_id END,
    'YES', 'BUY', 0.5, 10, 10, 'filled' FROM made
"""


@pytest.fixture
async def world(database, aio):
    async with copy_world(database) as made:
        yield made


async def test_open_copies_of_both_kinds_get_the_price_of_their_market(world):
    await world.market()
    await world.run(LIVE_TOKEN)
    await world.live.strategy()
    await bought(world.live, 1, claim={"condition_id": MARKET})
    await world.copy()
    await world.copy(user_exit_price=D("0.9"))
    running = await world.refresh()
    marks = await world.run(MARKS)
    assert [(row["token_id"], row["price"], row["source"]) for row in marks] == [
        ("70", D("0.4"), "markets"),
        ("77", D("0.6"), "markets"),
    ]
    first, closed = await world.run(ORDERS)
    assert (first["current_price"], first["market_resolved"], first["roi"]) == (D("0.4"), False, 0)
    assert closed["current_price"] is None
    assert running.figures == {"found_tokens": 0, "tokens": 2, "marked": 2, "orders": 1}
    valued = {one.position.scope: one.price for one in (await world.portfolio()).valued if one.price}
    assert {price.source for price in valued.values()} == {PriceSource.CURRENT_PRICE}
    assert {price.age_ms(world.clock.ms * 1000) for price in valued.values()} == {10_000}


async def test_twice_changes_nothing(world):
    await world.market()
    await world.copy()
    await world.copy(market_id="0xgone", token_id=None)
    await world.refresh()
    before = await world.run(MARKS), await world.run(ORDERS)
    world.clock.ms += 300_000
    again = await world.refresh()
    assert (await world.run(MARKS), await world.run(ORDERS)) == before
    assert again.figures == {"found_tokens": 0, "tokens": 1, "marked": 0, "orders": 0}


@pytest.mark.parametrize(
    ("prices", "price", "winner", "roi"),
    [('["1", "0"]', 1, "Yes", 150), ('["0", "1"]', 0, "No", -100), ('["0.5", "0.5"]', D("0.5"), None, 25)],
)
async def test_a_resolution_ends_the_refreshing(world, prices, price, winner, roi):
    await world.market()
    await world.copy()
    await world.refresh()
    await world.resolve(prices)
    await world.refresh()
    [row] = await world.run(ORDERS)
    assert (row["current_price"], row["market_resolved"], row["resolved_outcome"]) == (price, True, winner)
    assert row["roi"] == roi
    assert (await world.refresh()).figures["tokens"] == 0
    [mark] = await world.run(MARKS)
    assert mark["source"] == "payout"


async def test_a_market_that_does_not_say_when_it_closed_was_resolved_when_that_was_seen_first(world):
    await world.market()
    await world.copy()
    await world.resolve(at_ms=0)
    await world.run("UPDATE markets SET close_time = NULL")
    await world.refresh()
    [mark] = await world.run(MARKS)
    assert mark["resolved_at"] == utc_datetime(world.clock.ms)
    [one] = (await world.portfolio()).valued
    assert one.position.last_us == world.clock.ms * 1000


@pytest.mark.parametrize(
    ("prices", "seen"), [(None, True), ('["x", "0"]', True), ('["1.5", "0"]', True), ('["0.4", "0.6"]', False)]
)
async def test_what_is_no_price_or_has_no_time_is_not_kept(world, prices, seen):
    await world.market(prices=prices)
    if not seen:
        await world.run("UPDATE markets SET last_price_updated_at = NULL")
    await world.copy()
    await world.refresh()
    assert await world.run(MARKS) == []


async def test_an_older_price_never_replaces_a_newer_one_nor_anything_a_payout(world):
    await world.market()
    await world.copy()
    newer = NewMark(token_id="70", condition_id=MARKET, price=D("0.45"), priced_ms=world.clock.ms)
    assert await world.records.mark([newer]) == 1
    assert (await world.refresh()).figures["marked"] == 0
    [row] = await world.run(ORDERS)
    assert row["current_price"] == D("0.45")
    assert await world.records.mark([attrs.evolve(newer, price=D("0.1"), priced_ms=world.clock.ms - 1)]) == 0
    await world.resolve()
    await world.refresh()
    assert await world.records.mark([attrs.evolve(newer, price=D("0.1"), priced_ms=world.clock.ms + 9)]) == 0
    [mark] = await world.run(MARKS)
    assert mark["price"] == 1


async def test_copies_get_their_token_when_their_market_is_stored_and_more_than_a_thousand_of_them(world):
    await world.run(MANY, world.live.user_id, 2_345)
    await world.copy(market_id="m1", outcome="Maybe", token_id=None)
    running = await world.refresh(rows_max=100, tokens_max=100)
    missing = [
        row["order_id"] for row in await world.run(ORDERS) if row["token_id"] is None or row["current_price"] is None
    ]
    assert missing == ["copy-00001"]
    assert running.figures["tokens"] == running.figures["marked"] == running.figures["orders"] == 2_345


@attrs.define
class DyingStore:
    """The real store, whose process dies before one of its transactions, or after it has committed."""

    store: PostgresCopyMarkStore
    left: int
    after: bool

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            self.left -= 1
            if self.left < 0 and not self.after:
                raise Stopped
            answer = await getattr(self.store, name)(*args, **kwargs)
            if self.left < 0:
                raise Stopped
            return answer

        return call


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("transactions", range(9))
async def test_whatever_a_crash_interrupts_is_done_by_the_next_run(world, transactions, after):
    await world.run(MANY, world.live.user_id, 12)
    await world.refresh()
    expected = [(row["token_id"], row["price"]) for row in await world.run(MARKS)]
    orders = [tuple(row)[:6] for row in await world.run(ORDERS)]
    await world.run("TRUNCATE copy_marks")
    await world.run("UPDATE orders SET current_price = NULL, current_price_at = NULL, roi = NULL, token_id = NULL")
    dying = DyingStore(PostgresCopyMarkStore(world.connection), transactions, after)
    job = RefreshCopyPnl(store=dying, clock=world.clock, rows_max=5, tokens_max=4)
    with contextlib.suppress(Stopped):
        await job.run(RunningJob(lease=world.lease))
    await world.refresh(rows_max=5, tokens_max=4)
    assert [(row["token_id"], row["price"]) for row in await world.run(MARKS)] == expected
    assert [tuple(row)[:6] for row in await world.run(ORDERS)] == orders
    assert (await world.refresh()).figures == {"found_tokens": 0, "tokens": 12, "marked": 0, "orders": 0}


async def test_whoever_lost_the_lease_writes_nothing(world):
    await world.market()
    await world.copy(token_id=None)
    await world.refresh()
    before = await world.run(ORDERS)
    await world.run('UPDATE markets SET last_price_updated_at = now(), outcome_prices = \'["0.9", "0.1"]\'')
    stale = attrs.evolve(world.lease, owner="somebody else")
    store = PostgresCopyMarkStore(world.connection)
    with pytest.raises(FencedError):
        await store.find_tokens(stale, rows_max=10)
    with pytest.raises(FencedError):
        await store.refresh(stale, token_after="", tokens_max=10, now_ms=world.clock.ms)
    assert await world.run(ORDERS) == before


async def test_a_copy_that_cost_next_to_nothing_stops_no_other_one(world):
    await world.market()
    await world.copy(price="0.000000000000000001")
    await world.copy()
    await world.refresh()
    cheap, other = await world.run(ORDERS)
    assert (cheap["current_price"], cheap["roi"], other["roi"]) == (D("0.4"), None, 0)


@pytest.mark.parametrize(
    "row",
    [{"user_exit_price": D("0.9")}, {"market_resolved": True, "resolved_outcome": "Yes"}],
    ids=["sold", "resolved"],
)
async def test_a_gain_of_an_unknown_day_stays_on_the_day_on_which_it_was_known(world, row):
    await world.copy(token_id=None, **row)
    before = days_of((await world.portfolio()).days)
    await world.market(prices=None)
    await world.refresh()
    held = CopiedFrom(TRADER, "70", 0)
    await world.run("INSERT INTO wallet_poll_state (wallet_address, last_position_check_at) VALUES ($1, now())", TRADER)
    await world.records.held_by_traders(world.live.user_id, [held])
    [copy] = await world.run("SELECT token_id, trader_still_has_position FROM orders")
    assert tuple(copy) == ("70", False)
    assert days_of((await world.portfolio()).days) == before
