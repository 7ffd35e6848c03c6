"""What is read to explain one trade does not grow with what else is stored."""

import json

import pytest
from engine_postgres.ft_world import ft_world

from engine.adapters.postgres.why_store import CLOSES, DECISIONS, ORDERS, PostgresWhyStore

DECISION_ROWS = """
INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, reasons,
    bankrolls)
SELECT '2026-06-01', 'trade ' || n, 'now', now(), now(), '{}', '{}', '{1}', '{1}', '{not_buy}', '{null}'
FROM generate_series(1, 20000) AS n
"""
MEMBERS = """
INSERT INTO decision_members (trade_id, part, first_trade_id, trade_day)
SELECT 'member ' || n, 'tx', 'trade ' || n, '2026-06-01' FROM generate_series(1, 20000) AS n
"""
CLOSE_ROWS = """
INSERT INTO ft_closes (order_id, source_trade_id, wallet_id, share, shares, price, fee_usd, proceeds, cost_released, pnl,
    trade_time)
SELECT order_id, 'sale ' || source_trade_id, wallet_id, 0.5, 1, 0.5, 0, 0.5, 0.5, 0, now() FROM ft_orders
"""


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        owner = await made.user("ann")
        await made.strategy("BOT", owner)
        await made.settled_orders("BOT", 20_000)
        for statement in (DECISION_ROWS, MEMBERS, CLOSE_ROWS):
            await made.run(statement)
        for table in ("ft_orders", "ft_closes", "decisions", "decision_members"):
            await made.run(f"ANALYZE {table}")
        yield made


def scanned(plan):
    """Tables that are read from one end to the other, and rows that were looked at in vain."""
    inner = [one for part in plan.get("Plans", ()) for one in scanned(part)]
    mine = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" and plan["Actual Rows"] else []
    if plan.get("Rows Removed by Filter", 0) > 100:
        mine.append((plan["Node Type"], plan["Rows Removed by Filter"]))
    return mine + inner


@pytest.mark.parametrize("trade_id", ["old 77", "trade 77", "member 77", "nothing"])
async def test_a_trade_is_found_by_indexes_however_much_is_stored(world, trade_id):
    async def plan(statement, *values):
        [row] = await world.run("EXPLAIN (ANALYZE, FORMAT json) " + statement, *values)
        return json.loads(row[0])[0]["Plan"]

    orders = [row["id"] for row in await world.run("SELECT order_id::text AS id FROM ft_orders LIMIT 3")]
    assert scanned(await plan(DECISIONS, trade_id)) == []
    assert scanned(await plan(ORDERS, trade_id, [trade_id, "old 5"])) == []
    assert scanned(await plan(CLOSES, orders, trade_id)) == []


async def test_a_member_is_told_the_decision_of_its_aggregate_only(world):
    store = PostgresWhyStore(world.connection)
    trade, _ = await world.buy("BOT")
    move = "UPDATE decisions SET trade_id = $1, part = $2 WHERE trade_id = $3"
    await world.run(move, "first", "now", "trade 1")
    await world.run(move, "first", "tx", "trade 2")
    member = "INSERT INTO decision_members (trade_id, part, first_trade_id, trade_day) VALUES ($1, 'tx', 'first', '2026-06-01')"
    await world.run(member, trade.trade.trade_id)
    facts = await store.facts(trade.trade.trade_id)
    assert {(one.trade_id, one.part) for one in facts.decisions} == {("first", "tx"), (trade.trade.trade_id, "now")}


async def test_settings_are_read_of_the_strategy_asked_for(world):
    store = PostgresWhyStore(world.connection)
    trade, _ = await world.buy("BOT")
    plain, asked = await store.facts(trade.trade.trade_id), await store.facts(trade.trade.trade_id, "BOT")
    assert (plain.settings, plain.asked) == ({}, None)
    assert (list(asked.settings), asked.asked.wallet_id) == ([(1, 1)], "BOT")
    assert await store.facts("nothing") is None
    assert (await store.facts(trade.trade.trade_id, "NOBODY")).asked is None
