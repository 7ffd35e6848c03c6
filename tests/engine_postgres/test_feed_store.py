from decimal import Decimal

import pytest
import trio
from engine_postgres.feed_world import (
    NOON_S,
    Fact,
    FeedWorld,
    condition,
    query,
    reference,
    wallet,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.postgres.database import Connection, database_loop
from protocols.feed import FeedPosition

DESCRIBED = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, outcome, market_title, trader_name, trader_image, market_slug, event_slug, market_image, raw)
VALUES ('a', 1, $1, '0xh', '7', $2, 'BUY', 2.7027, 0.688999999893586712, timestamptz 'epoch' + 1780000000.9 * interval '1 s',
    'No', 'Own title', 'Own name', 'own.png', 'own-slug', 'own-event', 'market.png', '{}')
"""
BARE = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw)
VALUES ('a', 1, $1, '0xh', '7', $2, 'SELL', 100, 0, timestamptz 'epoch' + 1780000000 * interval '1 s', '{}')
"""
TRADER = "INSERT INTO traders (wallet_address, display_name, profile_image) VALUES ($1, 'Known name', 'known.png')"
MARKET = """
INSERT INTO markets (condition_id, title, market_slug, event_slug, image, outcome_prices)
VALUES ($1, 'M title', 'm-slug', 'm-event', 'm.png', $2)
"""
TOKEN = "INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index) VALUES ('7', $1, 'Up', 0)"


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    yield FeedWorld(connection)
    await connection.aclose()


def ids(pages):
    return [row.trade_id for page in pages for row in page.rows]


facts = st.lists(
    st.builds(
        lambda number, age_s, side, market: (number, age_s, side, market),
        st.integers(0, 6),
        st.one_of(st.sampled_from([0, 1, 3_600, 86_400, 8 * 86_400]), st.integers(0, 40), st.integers(0, 20 * 86_400)),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 3),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=facts,
    followed=st.sets(st.integers(0, 6), max_size=5),
    limit=st.integers(1, 12),
    window_s=st.sampled_from([0, 1, 60, 86_400, 7 * 86_400, 30 * 86_400]),
    filters=st.fixed_dictionaries(
        {
            "side": st.sampled_from([None, None, "BUY", "SELL"]),
            "wallets": st.lists(st.integers(0, 6).map(wallet), max_size=2).map(tuple),
            "condition_id": st.one_of(st.none(), st.integers(1, 3).map(condition)),
        }
    ),
    strangers=st.sampled_from([0, 0, 4_100]),
)
def test_every_walk_through_the_pages_is_the_sorted_list(made, followed, limit, window_s, filters, strangers, database):
    # More strangers than the first window holds: the pages then come from each wallet's own trades.
    stored = [Fact(f"{number * 7919 % 1009:04x}", *one) for number, one in enumerate(made)]
    noise = [Fact(f"f{number:05x}", 99, number % 50) for number in range(strangers)]

    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                world = FeedWorld(connection)
                await world.clear()
                user_id = await world.user(sorted(followed), unfollowed=sorted({0, 1, 2} - followed))
                await world.trade([*stored, *noise])
                asked = query(user_id, limit=limit, since_ms=(NOON_S - window_s) * 1000, **filters)
                pages = await world.walk(asked)
            finally:
                await connection.aclose()
        assert ids(pages) == reference(stored, followed, asked)
        assert all(len(page.rows) == limit for page in pages[:-1])

    trio.run(main)


async def test_many_trades_of_one_second_are_neither_skipped_nor_repeated(world):
    user_id = await world.user([1, 2])
    stored = [Fact(f"{number:04x}", 1 + number % 2, 5) for number in range(230)]
    await world.trade(stored)
    asked = query(user_id, limit=7)
    assert ids(await world.walk(asked)) == reference(stored, [1, 2], asked)


async def test_times_are_compared_to_the_microsecond(world):
    user_id = await world.user([1])
    stored = [Fact(f"{number:04x}", 1, 5 + number / 1_000_000) for number in range(30)]
    await world.trade(stored)
    asked = query(user_id, limit=1)
    assert ids(await world.walk(asked)) == reference(stored, [1], asked)


async def test_a_thousand_and_one_follows_are_all_read(world):
    numbers = range(1_500)
    user_id = await world.user(numbers)
    stored = [Fact(f"{number:04x}", number, number * 60) for number in numbers]
    await world.trade([*stored, *(Fact(f"f{number:05x}", 9_999, 0.5) for number in range(4_200))])
    asked = query(user_id, limit=200)
    assert ids(await world.walk(asked)) == reference(stored, numbers, asked)


async def test_new_trades_do_not_disturb_who_pages_down(world):
    user_id = await world.user([1])
    stored = [Fact(f"{number:04x}", 1, number) for number in range(20)]
    await world.trade(stored)
    first = await world.store.page(query(user_id, limit=10))
    await world.trade([Fact("ffff", 1, 0.25)])
    second = await world.store.page(query(user_id, limit=10, before=first.next))
    assert ids([first, second]) == reference(stored, [1], query(user_id))


@pytest.mark.parametrize("asked", [{}, {"side": "SELL"}, {"condition_id": condition(1)}, {"wallets": (wallet(1),)}])
async def test_an_empty_feed_is_one_empty_page(asked, world):
    user_id = await world.user([1])
    page = await world.store.page(query(user_id, **asked))
    assert (page.rows, page.next, page.followed) == ((), None, True)


@pytest.mark.parametrize("asked", [{}, {"condition_id": condition(1)}])
async def test_a_wallet_that_is_not_followed_is_told_from_one_without_trades(asked, world):
    user_id = await world.user([1], unfollowed=[2])
    await world.trade([Fact("a", 2, 0), Fact("b", 3, 0)])
    for number in (2, 3):
        page = await world.store.page(query(user_id, wallets=(wallet(number),), **asked))
        assert (page.rows, page.followed) == ((), False)


async def test_a_row_shows_what_the_trade_says_of_itself(world):
    user_id = await world.user([1])
    await world.run(DESCRIBED, wallet(1), condition(1))
    await world.run(TRADER, wallet(1))
    await world.run(MARKET, condition(1), '["0.35", 0.65]')
    [row] = (await world.store.page(query(user_id))).rows
    assert (row.trader_name, row.trader_image, row.title, row.slug) == ("Own name", "own.png", "Own title", "own-slug")
    assert (row.event_slug, row.image, row.outcome) == ("own-event", "market.png", "No")
    assert (row.price, str(row.size)) == (Decimal("0.688999999893586712"), "2.7027")
    assert row.outcome_prices == (Decimal("0.35"), Decimal("0.65"))
    assert row.timestamp == NOON_S


async def test_what_a_trade_lacks_is_told_by_trader_market_and_token(world):
    user_id = await world.user([1])
    await world.run(BARE, wallet(1), condition(1))
    [row] = (await world.store.page(query(user_id))).rows
    assert (row.trader_name, row.title, row.image, row.outcome, row.outcome_prices) == (None, None, None, None, None)
    await world.run(TRADER, wallet(1))
    await world.run(MARKET, condition(1), '{"odd": 1}')
    await world.run(TOKEN, condition(1))
    [row] = (await world.store.page(query(user_id))).rows
    assert (row.trader_name, row.trader_image, row.outcome) == ("Known name", "known.png", "Up")
    assert (row.title, row.slug, row.event_slug, row.image) == ("M title", "m-slug", "m-event", "m.png")
    assert row.outcome_prices is None
    assert (str(row.size), str(row.price)) == ("100", "0")


async def test_a_position_that_nothing_has_is_a_position(world):
    user_id = await world.user([1])
    stored = [Fact(f"{number:04x}", 1, number) for number in range(9)]
    await world.trade(stored)
    asked = query(user_id, before=FeedPosition(trade_us=(NOON_S - 4) * 1_000_000, trade_id="zz"))
    assert ids(await world.walk(asked)) == reference(stored, [1], asked) == ["0004", "0005", "0006", "0007", "0008"]
