"""Copies that a user made elsewhere: what becomes of them is told, too, and once."""

import pytest
from engine_postgres.notice_world import RESOLVE, TRADER, notice_world, owned

RECORD = """
INSERT INTO orders (order_id, copy_user_id, copied_trader_wallet, copied_market_title, market_id, token_id, outcome, side,
    price, size, status, user_closed_at)
VALUES ($1, $2::text::uuid, $3, 'Will it rain?', '0xc0', '77', 'Yes', $4, 0.4, 10, 'matched',
    CASE WHEN $5 THEN now() END)
"""


@pytest.fixture
async def world(database, aio):
    async with notice_world(database) as one:
        await one.market()
        yield one


async def recorded(world, name, number=1, side="BUY", *, is_closed=False):
    user_id = await world.user(name)
    await world.live.fetch(RECORD, f"{name}-{number}", user_id, TRADER, side, is_closed)
    return user_id


async def told_to(world):
    await world.told()
    rows = await world.live.fetch("SELECT user_id::text AS user_id, kind FROM notifications ORDER BY user_id, kind")
    return [(row["user_id"], row["kind"]) for row in rows]


async def test_who_recorded_a_copy_is_told_that_its_market_was_resolved(world):
    user_id = await recorded(world, "ann")
    await recorded(world, "seller", side="SELL")
    await recorded(world, "gone", is_closed=True)
    await world.live.fetch(RESOLVE)
    assert await told_to(world) == [(user_id, "market_resolved")]
    [said] = await world.told("market_resolved")
    assert (said["winner"], said["outcomes"], said["copies"], said["market"]) == ("Yes", ["Yes"], 1, "Will it rain?")
    assert "pnl" not in said


async def test_who_recorded_a_copy_is_told_that_its_trader_closed(world):
    user_id = await recorded(world, "ann")
    await recorded(world, "gone", is_closed=True)
    await world.closes(reason="redeemed")
    assert await told_to(world) == []
    await world.closes(hours=2)
    assert await told_to(world) == [(user_id, "trader_closed")]
    [said] = await world.told("trader_closed")
    assert (said["trader"], said["shares"], said["outcome"]) == (TRADER, "10", "Yes")


async def test_one_user_with_copies_of_both_kinds_is_told_once(world):
    await owned(world)
    [admin] = await world.live.fetch("SELECT id::text AS id FROM profiles WHERE user_name = 'admin'")
    await world.live.fetch(RECORD, "mine", admin["id"], TRADER, "BUY", False)
    await world.live.fetch(RESOLVE)
    kinds = [kind for _, kind in await told_to(world)]
    assert kinds.count("market_resolved") == 1
