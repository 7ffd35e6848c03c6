"""A profile and its lists read what they show, not what a trader ever did: plans over 30,000 trades and 10,000 positions."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from bench.big_trader import WALLET, Sizes, add_big_trader
from engine_postgres.profile_world import ProfileWorld, stats

from engine.adapters.postgres import discover_statements as discover
from engine.adapters.postgres import trader_head_statements as head
from engine.adapters.postgres import trader_list_statements as lists
from engine.adapters.postgres.database import Connection

SIZES = Sizes(trades=30_000, closed=10_000, open=300, others=400)
NOBODY = "00000000-0000-0000-0000-000000000000"
NOW = datetime.now(UTC)
PAGE = 51
DAYS_TRADED, DAYS_CLOSED = 91, 180


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = ProfileWorld(connection)
    await add_big_trader(made.run, SIZES)
    yield made
    await connection.aclose()


def rows_read(plan, found=None):
    """Rows of each table that a statement looks at, those that it throws away too; and pairs that a join throws away."""
    found = {} if found is None else found
    found["pairs"] = found.get("pairs", 0) + plan.get("Rows Removed by Join Filter", 0) * plan["Actual Loops"]
    if (table := plan.get("Relation Name")) is not None:
        thrown_away = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        found[table] = found.get(table, 0) + (plan["Actual Rows"] + thrown_away) * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        rows_read(part, found)
    return found


def literal(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


async def read_by(world, statement, *values):
    """What is read by the plan that knows no parameter, as the engine's connections have it."""

    async def work(raw):
        # EXPLAIN of a statement with parameters would plan for their values; of an EXECUTE it shows what the engine gets.
        await raw.execute(f"PREPARE asked AS {statement}")
        plan = await raw.fetchval(f"EXPLAIN (ANALYZE, FORMAT json) EXECUTE asked ({', '.join(map(literal, values))})")
        await raw.execute("DEALLOCATE asked")
        return plan

    return rows_read(json.loads(await world.connection.run(work))[0]["Plan"])


async def test_the_head_of_a_profile_reads_days_not_trades(world):
    found = await read_by(world, head.HEAD, WALLET, NOBODY)
    assert found["trades_public"] <= DAYS_TRADED + 5, found
    assert found["wallet_realized_pnl_daily"] <= 2 * DAYS_CLOSED + 5
    assert "wallet_closed_positions" not in found
    ranked = await read_by(world, head.RANKED, WALLET)
    assert ranked["wallet_realized_pnl_rankings"] <= 12
    [row] = await world.run(head.HEAD, WALLET, NOBODY)
    assert row["active_days"] in (DAYS_CLOSED, DAYS_CLOSED + 1)


async def test_pages_read_what_they_show(world):
    for moment in (NOW, NOW - timedelta(days=60)):
        trades = await read_by(world, lists.TRADES, WALLET, moment, "", PAGE)
        assert trades["trades_public"] <= PAGE, trades
    middle = datetime(NOW.year - 1, NOW.month, 1, tzinfo=UTC)
    for place in ((None, ""), (middle, "")):
        closed = await read_by(world, lists.CLOSED, WALLET, *place, PAGE)
        # Each of the page with a look at the other table; of what was seen as well, those of the same time.
        assert closed["wallet_closed_positions"] <= 6 * PAGE, closed
        assert closed["positions_closed"] <= 6 * PAGE, closed
    days = await read_by(world, lists.NEWEST_DAYS, WALLET, 90)
    assert days["wallet_realized_pnl_daily"] <= 90, days
    activity = await read_by(world, lists.ACTIVITY, WALLET, None, 31)
    # The trades of these days are counted, and no others.
    assert activity["trades_public"] <= 32 * (SIZES.trades / 90 + 3), activity


async def test_open_positions_cost_what_is_open(world):
    for statement, values in ((lists.OPEN, (WALLET, "value", None, None, PAGE)), (head.OPEN_TOTALS, (WALLET,))):
        found = await read_by(world, statement, *values)
        assert found["positions_current"] <= SIZES.open + 5, found
        # Of 10,000 closed ones, those that were lost and never redeemed.
        assert found["wallet_closed_positions"] <= SIZES.closed / 40 + 5, found
        assert found["pairs"] == 0, found
    markets = await read_by(world, lists.MARKETS, WALLET, "recent", None, None, PAGE)
    assert markets["wallet_closed_positions"] <= 2 * SIZES.closed + SIZES.open + SIZES.closed / 40 + PAGE, markets
    assert markets["pairs"] == 0, markets


async def test_the_leaderboard_reads_its_page(world):
    for statement in discover.LEADERS.values():
        for place in ((None, None), (1, WALLET)):
            found = await read_by(world, statement, NOBODY, PAGE, None, None, NOW.date(), *place)
            assert found["traders"] <= 2 * PAGE + 5, found
            assert found.get("wallet_realized_pnl_daily", 0) <= 14 * PAGE, found


async def test_winners_and_fire_read_their_page(world):
    for rank in (None, 200):
        found = await read_by(world, discover.WINNERS, NOBODY, PAGE, None, None, "30D", rank, None)
        assert found["wallet_realized_pnl_rankings"] <= 2 * PAGE + 5, found
    fire = await read_by(world, discover.FIRE, datetime(2020, 1, 1, tzinfo=UTC), NOW, "", 250)
    assert fire["trader_global_stats"] <= 101, fire
    # Found, and looked up by id for the page; his sales among the newest are passed over.
    assert fire["trades_public"] <= 100 * 10 + 250, fire


async def test_a_wallet_without_trades_costs_nothing_where_one_trader_has_all_of_them(database, aio):
    """With one wallet in a table a plan believes that any row will do, and reads on to the end."""
    connection = Connection(database, "test")
    world = ProfileWorld(connection)
    await add_big_trader(world.run, Sizes(trades=20_000, closed=100, open=10, others=0))
    stranger = "0x" + "c2" * 20
    await world.put("trader_global_stats", [stats(stranger, d30_win_rate="0.9", d30_resolved_count=10)])
    found = {}
    for name, statement, values in (
        ("known", head.KNOWN, (stranger,)),
        ("head", head.HEAD, (stranger, NOBODY)),
        ("trades", lists.TRADES, (stranger, NOW, "", PAGE)),
        ("activity", lists.ACTIVITY, (stranger, None, 31)),
        ("winners", discover.WINNERS, (NOBODY, PAGE, None, None, "1D", None, None)),
        ("fire", discover.FIRE, (datetime(2020, 1, 1, tzinfo=UTC), NOW, "", 250)),
    ):
        found[name] = (await read_by(world, statement, *values)).get("trades_public", 0)
    await connection.aclose()
    assert max(found.values()) <= 30, found
