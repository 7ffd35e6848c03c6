"""Whom strategies mean, and how far back the trades of each trader go."""

import pytest
from engine_plan.plan_tapes import BEGAN_S, WALLETS, tape_row
from engine_plan.stored_trades import store_trades

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.plan_store import WALLETS_PER_QUERY, PostgresPlanStore

ANN, BOB = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2))
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
FOLLOWS = """
INSERT INTO follows (user_id, trader_wallet, active) VALUES ($1::text::uuid, $3, true), ($1::text::uuid, $4, false),
    ($2::text::uuid, $5, true)
"""
TRADERS = "INSERT INTO traders (wallet_address, is_active) VALUES ($1, true), ($2, false)"


@pytest.fixture
async def connection(database, aio):
    connection = Connection(database, "test")
    yield connection
    await connection.aclose()


async def test_the_oldest_trade_of_each_of_more_traders_than_a_query_takes(connection):
    wallets = [f"0x{number:040x}" for number in range(WALLETS_PER_QUERY + 2)]
    last = tape_row(3, 50, proxyWallet=wallets[-1])
    rows = [tape_row(1, 100, proxyWallet=wallets[0]), tape_row(2, 70, proxyWallet=wallets[0]), last]
    await store_trades(connection, rows)
    found = await PostgresPlanStore(connection).oldest(wallets)
    assert found == {wallets[0]: (BEGAN_S + 70) * 1000, wallets[-1]: (BEGAN_S + 50) * 1000}
    assert await PostgresPlanStore(connection).oldest([]) == {}


async def test_whom_users_follow_and_who_is_on_the_leaderboard(connection):
    await connection.run(lambda raw: raw.execute(USERS, ANN, BOB))
    await connection.run(lambda raw: raw.execute(FOLLOWS, ANN, BOB, *WALLETS[:3]))
    await connection.run(lambda raw: raw.execute(TRADERS, *WALLETS[3:]))
    store = PostgresPlanStore(connection)
    assert await store.followed([ANN, ANN, ""]) == {ANN: {WALLETS[0]}}
    assert await store.followed([ANN, BOB]) == {ANN: {WALLETS[0]}, BOB: {WALLETS[2]}}
    assert await store.followed([]) == {}
    assert await store.leaderboard() == {WALLETS[3]}
