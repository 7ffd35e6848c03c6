"""One trade of live trading from its claim to its end, found by any of its ids; days and execution of a strategy."""

from datetime import date
from statistics import quantiles

import pytest
from actors_live.live_cases import T0
from engine_adapters.live_worlds import D, buy, bytes_for, hash_of, owed, postgres_live, sell, told

from engine.adapters.postgres.live_log_store import PostgresLiveLogStore
from engine.adapters.postgres.live_story_store import LiveStoryStore
from protocols.live.events import Seen
from protocols.live.ports import LogLine

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def world(database, aio):
    async with postgres_live(database) as one:
        await one.strategy()
        yield one


@pytest.fixture
def stories(world):
    return LiveStoryStore(world.connection)


async def filled(world, claim, number, shares="20", price="0.51"):
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, number))])
    over = Seen(order_hash=hash_of(number), venue_status="MATCHED", matched_shares=D(shares), at_ms=T0 + 60)
    await world.store.apply([told(number, f"t{number}", shares, price), over])
    return claim


def line(number, trace_id, **changes):
    values = {
        "at_ms": T0 + number, "level": "info", "stage": "ORDER_RESULT", "message": f"TRADE {number}", "trace_id": trace_id,
        "execution_id": "e", "strategy_id": "LT_A",
    }  # fmt: skip
    return LogLine(**values | changes)


def ids(rows, name="order_id"):
    return [row[name] for row in rows]


async def test_a_trade_is_told_from_its_claim_to_the_sale_of_what_it_bought(world, stories):
    bought = await filled(world, buy(1), 1)
    exit_ = owed(9)
    await world.store.open_exits([exit_])
    sold = await filled(world, sell(1, exit_, "20"), 2)
    other = await filled(world, buy(3, token_id="78"), 3, "10")
    logs = PostgresLiveLogStore(world.connection)
    await logs.append([line(1, "trade-1"), line(2, exit_.exit_id), line(3, "trade-3"), line(4, bought.order_id)])
    story = await stories.story("trade-1")
    assert ids(story.orders) == [bought.order_id, sold.order_id]
    assert ids(story.fills) == [bought.order_id, sold.order_id]
    assert ids(story.exits, "exit_id") == [exit_.exit_id]
    assert ids(story.lines, "message") == ["TRADE 1", "TRADE 2", "TRADE 4"]
    # Everything that was booked for the two orders, and nothing of the third.
    every = await world.fetch("SELECT entry_id, order_id::text AS order_id FROM lt_ledger ORDER BY entry_id")
    wanted = [row["entry_id"] for row in every if row["order_id"] in (bought.order_id, sold.order_id)]
    assert len(wanted) >= 3
    assert ids(story.ledger, "entry_id") == wanted
    assert other.order_id not in {row["order_id"] for row in story.ledger}
    by_exit = await stories.story(exit_.exit_id)
    assert (ids(by_exit.orders), ids(by_exit.exits, "exit_id")) == ([sold.order_id], [exit_.exit_id])
    by_order = await stories.story(bought.order_id)
    assert ids(by_order.orders) == [bought.order_id, sold.order_id]
    # The sale of the trader that obliged to it leads to the exit and its orders.
    by_cause = await stories.story(exit_.cause)
    assert (ids(by_cause.orders), ids(by_cause.exits, "exit_id")) == ([sold.order_id], [exit_.exit_id])


async def test_a_member_of_an_aggregate_leads_to_the_order_that_copied_it(world, stories):
    claim = await filled(world, buy(1, members=("trade-1", "trade-2")), 1)
    assert ids((await stories.story("trade-2")).orders) == [claim.order_id]


async def test_a_story_is_told_to_whom_it_belongs(world, stories):
    claim = await filled(world, buy(1), 1)
    await PostgresLiveLogStore(world.connection).append([line(1, "trade-1")])
    assert ids((await stories.story("trade-1", user_id=world.user_id)).orders) == [claim.order_id]
    for known in ("trade-1", claim.order_id):
        assert await stories.story(known, user_id=NOBODY) is None
    assert await stories.story("nothing") is None


async def test_days_and_quality_are_what_a_slow_count_says(world, stories):
    steps = {1: ("20", "0.51"), 2: ("10", "0.49"), 3: ("15", "0.505"), 4: ("20", "0.50")}
    for number, (shares, price) in steps.items():
        await filled(world, buy(number, token_id=str(70 + number)), number, shares, price)
    # One that ended at the venue without a fill, and one that no rule let through.
    empty = buy(5, token_id="90")
    await world.store.claim([empty])
    await world.store.journal([(empty, bytes_for(empty, 5))])
    await world.store.apply([Seen(order_hash=hash_of(5), venue_status="CANCELED", matched_shares=D(0), at_ms=T0 + 60)])
    await world.fetch(
        "UPDATE lt_orders SET decided_at = signal_at + interval '1 s', signed_at = signal_at + interval '3 s',"
        " placed_at = signal_at + interval '3.25 s'"
    )
    days = [(date(2026, 5, 30), 5, 1, -1), (date(2026, 5, 31), 7, 0, 3), (date(2026, 6, 2), 9, 2, "0.5")]
    await world.fetch("DELETE FROM lt_daily")
    for day, spent, lost, pnl in days:
        await world.fetch("INSERT INTO lt_daily VALUES ('LT_A', $1, $2, $3, $4)", day, D(spent), D(lost), D(pnl))
    found = await stories.performance("LT_A", from_day=date(2026, 5, 31), days_max=10, orders_max=100)
    assert [(one.day, one.pnl_usd, one.cumulative_pnl_usd) for one in found.days] == [
        (date(2026, 5, 31), 3, 2), (date(2026, 6, 2), D("0.5"), D("2.5")),
    ]  # fmt: skip
    quality = found.quality
    assert (quality.entries, quality.sent, quality.filled, quality.filled_share) == (5, 5, 4, D("0.8"))
    # 20 shares were asked for each time.
    assert quality.mean_fill == (1 + D("0.5") + D("0.75") + 1 + 0) / 5
    slips = sorted((float(price) / 0.5 - 1) * 10_000 for _, price in steps.values())
    assert float(quality.slippage_bps_p50) == pytest.approx(quantiles(slips, n=100, method="inclusive")[49], abs=0.1)
    assert float(quality.slippage_bps_p95) == pytest.approx(quantiles(slips, n=100, method="inclusive")[94], abs=0.1)
    assert (quality.decided_ms_p50, quality.signed_ms_p50, quality.placed_ms_p95) == (1_000, 2_000, 250)
    assert quality.total_ms_p95 == 3_250
    assert quality.unfilled == {"CANCELLED": 1}
    assert (await stories.performance("LT_A", from_day=date(2026, 5, 1), days_max=2, orders_max=2)).quality.entries == 2


async def test_a_strategy_without_entries_has_no_quality_rather_than_zeros(world, stories):
    found = await stories.performance("LT_A", from_day=date(2026, 5, 31), days_max=10, orders_max=100)
    assert (found.days, found.quality.entries, found.quality.filled_share, found.quality.total_ms_p50) == (
        [],
        0,
        None,
        None,
    )
    assert found.quality.unfilled == {}
