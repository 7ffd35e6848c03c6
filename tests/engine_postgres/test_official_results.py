"""What the venue says of our own accounts: once a token, and only when something happened (D79)."""

import uuid
from decimal import Decimal

import pytest
from engine_postgres.results_world import ResultsWorld, wallet_of

from engine.adapters.postgres.database import Connection

OWN = wallet_of(0xA)
HALF, TEN = Decimal("0.5"), Decimal(10)
ROWS = """
SELECT token_id, realized_pnl, bought_shares, is_held FROM official_position_results
WHERE wallet_address = $1 ORDER BY token_id
"""
ADD_ORDER = """
INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id,
    signal_price, signal_at, decided_at) VALUES ($1, 'S', 'main', $2, 1, 'copy', '', 'BUY', '0x', $3, 0.5, now(), now())
"""


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = ResultsWorld(connection, own_wallets={"main": OWN})
    await made.begin(0)
    await made.fetch("TRUNCATE lt_orders CASCADE")
    yield made
    await connection.aclose()


async def order(world, token):
    await world.fetch(ADD_ORDER, uuid.UUID(int=len(await world.fetch("SELECT 1 FROM lt_orders"))), f"c{token}", token)


async def official(world):
    return [tuple(row) for row in await world.fetch(ROWS, OWN)]


async def test_a_token_of_several_orders_has_one_result(world):
    token = world.venue.token(OWN, "7")
    for _ in range(3):
        token.buy(TEN, HALF, world.venue.now_s)
    for number in range(3):
        await world.fetch(ADD_ORDER, uuid.UUID(int=number), f"cause {number}", "7")
    token.sell_part(Decimal("0.9"), world.venue.now_s)
    figures = await world.run()
    assert (figures["accounts"], figures["accounts_read"], figures["official"]) == (1, 1, 1)
    assert await official(world) == [("7", Decimal(6), None, True)]
    token.sell_all(HALF, 0, world.venue.now_s)
    await order(world, "8")
    await world.run()
    assert await official(world) == [("7", Decimal(6), Decimal(30), False)]


async def test_an_account_is_asked_for_only_after_news_of_it(world):
    await world.run()
    world.accounts.calls.clear()
    figures = await world.run()
    assert (figures["accounts_read"], world.accounts.calls) == (0, [])
    for news in (
        "INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,"
        f" trade_timestamp, raw) VALUES ('t', 1, '{OWN}', '0x', '1', '0x', 'BUY', 1, 0.5, now(), '{{}}')",
        "INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id,"
        " token_id, signal_price, signal_at, decided_at) VALUES"
        " ('00000000-0000-0000-0000-0000000000aa', 'S', 'main', 'c', 1, 'copy', '', 'BUY', '0x', '1', 0.5, now(), now())",
        "UPDATE lt_orders SET updated_at = now()",
    ):
        await world.fetch(news)
        await world.fetch("DELETE FROM wallet_pnl_state")
        assert (await world.run())["accounts_read"] == 1
        assert (await world.run())["accounts_read"] == 0


@pytest.mark.parametrize("fault", ["weather", "refused", "malformed"])
async def test_an_account_that_cannot_be_read_is_read_again_and_stops_nothing(world, fault):
    token = world.venue.token(OWN, "7")
    token.buy(TEN, HALF, world.venue.now_s)
    world.accounts.bad_wallets[OWN] = fault
    figures = await world.run()
    assert (figures["accounts_failed"], await official(world)) == (1, [])
    [state] = await world.fetch("SELECT * FROM official_sync_state")
    assert (state["synced_at"], bool(state["last_error"])) == (None, True)
    world.accounts.bad_wallets.clear()
    assert (await world.run())["accounts_read"] == 1
    assert await official(world) == [("7", Decimal(0), None, True)]


async def test_every_one_of_a_thousand_tokens_is_there(world):
    world.accounts.page_rows = 100
    for number in range(1_001):
        token = world.venue.token(OWN, str(number))
        token.buy(TEN, HALF, world.venue.now_s)
        token.sell_all(Decimal("0.6"), 0, world.venue.now_s)
    await world.run()
    assert len(await official(world)) == 1_001
    await order(world, "0")
    assert (await world.run())["official"] == 0


async def test_another_wallet_of_the_same_account_begins_anew(world):
    await world.run()
    other = wallet_of(0xB)
    world.own_wallets = {"main": other}
    sold = world.venue.token(other, "3")
    sold.buy(TEN, HALF, world.venue.now_s)
    sold.sell_all(HALF, 0, world.venue.now_s)
    await world.run()
    assert world.accounts.calls[-1] == ("closed", other, None)
    assert len(await world.fetch(ROWS, other)) == 1


async def test_what_is_held_again_is_held_while_its_last_close_is_still_listed(world):
    world.accounts.lists_reopened = True
    token = world.venue.token(OWN, "7")
    token.buy(TEN, HALF, world.venue.now_s)
    token.sell_all(Decimal("0.9"), 0, world.venue.now_s)
    await world.run()
    assert await official(world) == [("7", Decimal(4), Decimal(10), False)]
    world.venue.now_s += 60
    token.buy(TEN, HALF, world.venue.now_s)
    await order(world, "8")
    await world.run()
    assert await official(world) == [("7", Decimal(4), None, True)]
    await order(world, "9")
    assert (await world.run())["official"] == 0
    world.venue.now_s += 60
    token.sell_all(HALF, 0, world.venue.now_s)
    await order(world, "10")
    await world.run()
    assert [row[3] for row in await official(world)] == [False]
