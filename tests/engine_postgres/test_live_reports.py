"""What people look at of live trading, lines of logs, and orders by hand that are placed once for their key."""

import time
from datetime import timedelta

import attrs
import msgspec
import pytest
import trio
from actors_live.live_cases import T0
from engine_adapters.live_worlds import LATER, D, buy, bytes_for, hash_of, owed, postgres_live, resolved, sell, told
from engine_adapters.paper_worlds import decided, order, traded
from engine_postgres.test_live_order_store import OLD_ORDERS

from engine.adapters.postgres.leases import Leases
from engine.adapters.postgres.live_log_store import PostgresLiveLogStore
from engine.adapters.postgres.live_manual_store import PostgresManualStore
from engine.adapters.postgres.live_report_store import LiveReportStore, plain_row
from engine.adapters.postgres.pool import open_pool
from protocols.errors import FencedError
from protocols.live.events import Seen
from protocols.live.operating import IntentConflictError
from protocols.live.orders import OrderOrigin
from protocols.live.ports import LogLine

ENOUGH_S = 0.25
SETTLE_TWIN = """
UPDATE ft_orders SET pnl = 4, outcome = 'WON', shares_open = 0, cost_open = 0, resolved_time = now()
"""


@pytest.fixture
async def world(database, aio):
    async with postgres_live(database) as one:
        await one.strategy()
        yield one


@pytest.fixture
def reports(world):
    return LiveReportStore(world.connection)


async def bought(world, number, shares="20", **changes):
    claim = buy(number, **changes)
    await world.store.claim([claim])
    await world.store.journal([(claim, bytes_for(claim, number))])
    over = Seen(order_hash=hash_of(number), venue_status="MATCHED", matched_shares=D(shares), at_ms=T0 + 60)
    await world.store.apply([told(number, f"t{number}", shares, "0.51"), over])
    return claim


async def test_a_strategy_is_shown_with_its_money_its_rates_and_what_waits(world, reports):
    await bought(world, 1)
    await bought(world, 2, "10", token_id="78")
    await world.store.open_exits([owed(3)])
    await world.store.settle([resolved("1")], LATER)
    [row] = await reports.strategies()
    balance = await world.balance()
    assert {name: row[name] for name in ("initial", "available", "locked", "cooldown", "realized_pnl", "drift")} == {
        name: getattr(balance, name) for name in ("initial", "available", "locked", "cooldown", "realized_pnl", "drift")
    }
    assert (row["orders"], row["filled"], row["open_positions"], row["won"], row["lost"]) == (2, 2, 1, 1, 0)
    # 0.51 for a signal of 0.50; 30 of 40 shares.
    assert (row["slippage_bps"], row["fill_rate"]) == (200, D("0.75"))
    assert (row["open_exits"], row["redeemable_usd"]) == (0, 20)
    assert await reports.strategies(strategy_id="LT_B") == []
    assert await reports.strategies(user_id="00000000-0000-0000-0000-000000000000") == []
    [waiting] = await reports.redeemable(user_id=world.user_id)
    assert (waiting["condition_id"], waiting["token_id"], waiting["shares"], waiting["amount"]) == (
        "0xc0",
        "77",
        20,
        20,
    )
    [position] = await reports.positions(strategy_id="LT_A")
    assert (position["token_id"], position["shares"], position["lots"]) == ("78", 10, 1)
    [ended] = await reports.exits(ended=True)
    assert (await reports.exits(), ended["status"]) == ([], "SETTLED")


async def test_an_order_is_compared_with_its_paper_twin(world, reports):
    trade = traded(1)
    twin = order(trade)
    await world.trades.write([decided(trade, twin)])
    claim = await bought(world, 1, ft_order_id=twin.order_id)
    assert (await reports.orders())[0]["performance_diff_pct"] is None
    await world.fetch(SETTLE_TWIN)
    await world.store.settle([resolved("1")], LATER)
    [row] = await reports.orders(cause=claim.cause)
    # We: 20 - 10.2 - 0.25 in fees and cents; the twin: 4.
    assert row["ft_pnl"] == 4
    assert row["performance_diff_pct"] == round((row["realized_usd"] - 4) / 4 * 100, 2) > 0


async def test_an_order_is_shown_with_its_fills_and_what_was_sold_of_it(world, reports):
    claim = await bought(world, 1)
    [one] = await world.store.open_exits([owed(3, share=D(1))])
    await world.store.fixed_target(one.exit_id)
    sale = sell(1, one, "20")
    await world.store.claim([sale])
    await world.store.journal([(sale, bytes_for(sale, 9))])
    await world.store.apply([told(9, "s1", "12", "0.6", role="MAKER")])
    row, sold = await reports.order(claim.order_id), await reports.order(sale.order_id)
    assert [(fill["trade_id"], fill["shares"]) for fill in row["fills"]] == [("t1", 20)]
    assert [(part["trade_id"], part["shares"]) for part in row["lot_sales"]] == [("s1", 12)]
    assert sold["lot_sales"] == row["lot_sales"]
    assert await reports.order("00000000-0000-0000-0000-000000000000") is None
    assert plain_row(row)["filled_shares"] == "20"


async def test_orders_are_walked_by_pages_and_filtered(world, reports):
    await world.strategy("LT_A-other")
    claims = [buy(number, owner) for number in range(5) for owner in ("LT_A", "LT_A-other")]
    await world.store.claim(claims)
    first = claims[0]
    await world.store.journal([(first, bytes_for(first, 1))])
    walked, before = [], None
    while page := await reports.orders(before=before, rows_max=3):
        walked += [row["order_id"] for row in page]
        before = (page[-1]["created_at"], page[-1]["order_id"])
    assert sorted(walked) == sorted(one.order_id for one in claims)
    assert len(await reports.orders(strategy_id="LT_A", status="PLACED", account="main", user_id=world.user_id)) == 5
    assert await reports.orders(strategy_id="LT_A", status="FILLED") == []
    assert [row["order_id"] for row in await reports.orders(cause="trade-3", strategy_id="LT_A")] == [buy(3).order_id]


async def test_reports_of_20_000_orders_are_quick(world, reports):
    await world.fetch(OLD_ORDERS, "0x1")
    await world.fetch("ANALYZE lt_orders")
    [last] = await reports.orders(rows_max=1)
    asked = {
        "newest": lambda: reports.orders(rows_max=50),
        "of a strategy": lambda: reports.orders(strategy_id="LT_A", rows_max=50),
        "next page": lambda: reports.orders(before=(last["created_at"], last["order_id"]), rows_max=50),
        "one": lambda: reports.order(last["order_id"]),
        "of a cause": lambda: reports.orders(cause="old 15000"),
        "positions": reports.positions,
        "strategies": reports.strategies,
    }
    for ask in asked.values():
        await ask()
    slow = {}
    for name, ask in asked.items():
        started = time.perf_counter()
        await ask()
        took = time.perf_counter() - started
        if took > ENOUGH_S:
            slow[name] = took
    assert slow == {}


def line(number, **changes):
    values = {
        "at_ms": T0 + number, "level": "INFO", "stage": "ORDER_PLACE", "message": f"sent {number}", "trace_id": "trade-1",
        "execution_id": "batch-1", "strategy_id": "LT_A", "elapsed_ms": 1.5, "extra": {"price": "0.5"}, **changes,
    }  # fmt: skip
    return LogLine(**values)


async def test_lines_are_kept_by_day_and_found_by_what_they_are_about(world, reports):
    store = PostgresLiveLogStore(world.connection)
    now_ms = int(time.time() * 1000)
    await store.append([])
    await store.append([line(1), line(2, stage="RESOLVE", level="ERROR"), line(3, at_ms=now_ms, trace_id="trade-2")])
    await store.append([line(4, at_ms=now_ms + 1, execution_id="batch-2", strategy_id=None, message="50% done")])
    names = [row["message"] for row in await reports.logs()]
    assert names == ["50% done", "sent 3", "sent 2", "sent 1"]
    [row] = await reports.logs(level="ERROR", stage="RESOLVE", trace_id="trade-1", strategy_id="LT_A")
    assert (row["ft_wallet_id"], row["elapsed_ms"], row["extra"]) == ("A", 1.5, {"price": "0.5"})
    assert [one["message"] for one in await reports.logs(execution_id="batch-2")] == ["50% done"]
    assert [one["message"] for one in await reports.logs(prefix="50%")] == ["50% done"]
    assert await reports.logs(prefix="%") == []
    assert len(await reports.logs(since=row["created_at"] + timedelta(milliseconds=1))) == 2
    assert [one["message"] for one in await reports.logs(before_id=row["id"])] == ["sent 1"]
    assert len(await reports.logs(user_id=world.user_id)) == 3
    partitions = await world.fetch("SELECT 1 FROM pg_inherits WHERE inhparent = 'lt_execute_logs'::regclass")
    # The default one, and today's; the lines of the past have none of their own.
    assert len(partitions) == 2


async def test_of_many_who_use_one_key_at_once_one_places_the_order(world):
    manual, outcomes = "manual:main", []
    async with open_pool(world.database, "test", 4) as pool:
        store = PostgresManualStore(connection=pool, leases=world.leases)

        async def place(number, request):
            claim = buy(number, manual, origin=OrderOrigin.MANUAL, cause=f"user:key:{number}")
            try:
                outcomes.append(await store.claim_keyed(world.user_id, "key", request, claim))
            except IntentConflictError:
                outcomes.append("conflict")

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(place, number, "same")
        await place(7, "another")
        ids = {one[0] for one in outcomes[:-1]}
        assert len(ids) == 1
        assert sorted(one[1] for one in outcomes[:-1]) == [False] * 5 + [True]
        assert outcomes[-1] == "conflict"
        [claimed] = (await world.store.snapshot(T0)).claims
        assert {claimed.order_id} == ids
        assert (await store.find(claimed.order_id)).intent == msgspec.structs.replace(claimed, inputs=None)
        assert await store.find("00000000-0000-0000-0000-000000000000") is None
        [held] = world.leases.holds
        lost = Leases((attrs.evolve(held, epoch=held.epoch - 1),))
        with pytest.raises(FencedError):
            await PostgresManualStore(connection=pool, leases=lost).claim_keyed(
                world.user_id, "other", "x", buy(9, manual)
            )
