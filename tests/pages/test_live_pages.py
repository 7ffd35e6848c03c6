"""Live trading: money that adds up, what stops it and why, each tab of a strategy, and how one is begun."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pages.page_world import HOSTILE, page_world
from pages.strategy_rows import (
    LIVE,
    cells,
    live_config,
    live_exit,
    live_order,
    make_bot,
    make_live,
    never_sent,
    order_id,
)

from protocols.users import Scope

TABS = ("positions", "pending", "orders", "exits", "performance", "risk", "settings")


@pytest.fixture
async def world(database, aio):
    async with page_world(database, live_config()) as one:
        yield one


@pytest.fixture
async def ann(world):
    found = await world.visitor("ann", Scope.READ, Scope.TRADE)
    await make_bot(world, found)
    return found


@pytest.fixture
async def root(world):
    return await world.visitor("root", *Scope)


def bucket(page, name):
    """The amount of a bucket on the page, as text without its sign."""
    words = page.html.split(f'data-bucket="{name}">')[1].split("</dd>")[0]
    return Decimal(words.split("</span>")[-1].strip().replace(",", "").replace("−", "-"))


async def test_without_live_strategies_the_page_says_which_switch_is_missing(world, ann):
    page = await world.get("/lt", ann)
    assert page.status == 200
    assert "No live strategies" in page.text
    assert "Live trading is off" in page.text
    assert page.text.count("Off") >= 2
    assert "live.enabled = true" in page.text
    assert "POLYCOPY_LIVE=1" in page.text


async def test_the_buckets_add_up_to_the_equity(world, ann):
    await make_live(world, ann, capital=100)
    await world.rows.run(
        "UPDATE lt_balances SET available = 60.5, locked = 30.25, cooldown = 12.5, realized_pnl = 3.25 WHERE strategy_id = $1",
        LIVE,
    )
    await world.rows.put("lt_orders", [live_order(1, cost_open="20.05"), live_order(2, cost_open="5")])
    for path in ("/lt", f"/lt/{LIVE}"):
        page = await world.get(path, ann)
        parts = {name: bucket(page, name) for name in ("available", "orders", "positions", "cooling")}
        assert parts == {
            "available": Decimal("60.5"), "orders": Decimal("5.20"), "positions": Decimal("25.05"), "cooling": Decimal("12.5"),
        }  # fmt: skip
        assert sum(parts.values()) == bucket(page, "total") == Decimal("103.25")
        assert "does not add up" not in page.text
        widths = [
            float(one["width"]) for name, one in page.elements if name == "rect" and "fill-" in one.get("class", "")
        ]
        assert abs(sum(widths) - 100) < 0.1


@pytest.mark.parametrize("tab", TABS)
async def test_every_tab_is_drawn_for_a_strategy_without_and_with_a_life(world, ann, tab):
    await make_live(world, ann)
    assert (await world.get(f"/lt/{LIVE}?tab={tab}", ann)).status == 200
    await world.rows.put("lt_orders", [live_order(n) for n in range(1, 4)])
    await world.rows.put("lt_exits", [live_exit(1)])
    await world.rows.put(
        "lt_daily", [{"strategy_id": LIVE, "day": "2026-01-01", "spent_usd": 1, "lost_usd": 0, "pnl_usd": 2}]
    )
    page = await world.get(f"/lt/{LIVE}?tab={tab}", ann)
    assert page.status == 200
    assert page.is_harmless() or tab == "settings"
    assert (await world.get(f"/lt/{LIVE}?tab={tab}", await world.visitor("bob"))).status == 404


async def test_positions_are_unmarked_until_a_price_comes(world, ann):
    await make_live(world, ann)
    await world.rows.put("lt_orders", [live_order(1)])
    page = await world.get(f"/lt/{LIVE}", ann)
    [row] = [one for name, one in page.elements if name == "tr" and "data-token" in one]
    assert (row["data-shares"], row["data-cost"]) == ("10.000000", "5.050000")
    assert "50.50¢ unmarked 5.05 unmarked unmarked" in page.text.replace("50.5¢", "50.50¢")


async def test_orders_say_why_they_were_not_sent_and_lead_to_their_trace(world, ann):
    await make_live(world, ann)
    await world.rows.put("lt_orders", [live_order(1)])
    await world.rows.put("lt_orders", [never_sent(2, "DAILY_BUDGET", "12 is more than 10")])
    page = await world.get(f"/lt/{LIVE}?tab=orders&status=REJECTED", ann)
    assert cells(page, "data-order") == [order_id(2)]
    assert "DAILY_BUDGET : 12 is more than 10" in page.text
    assert "/lt/logs/trade-2" in cells(page, "href")
    every = await world.get("/lt/orders", ann)
    assert sorted(cells(every, "data-order")) == [order_id(1), order_id(2)]
    assert cells(await world.get("/lt/orders", await world.visitor("bob")), "data-order") == []


async def test_only_what_works_is_pending(world, ann):
    await make_live(world, ann)
    await world.rows.put("lt_orders", [live_order(1), live_order(2, status="PARTIAL", ended=False, ended_at=None)])
    assert cells(await world.get(f"/lt/{LIVE}?tab=pending", ann), "data-order") == [order_id(2)]


async def test_many_orders_and_exits_are_walked_by_cursors(world, ann):
    await make_live(world, ann)
    await world.rows.put("lt_orders", [live_order(n, age_s=1_000 - n // 3) for n in range(1, 121)])
    await world.rows.put("lt_exits", [live_exit(n, created_at="2026-01-01T00:00:00Z") for n in range(1, 121)])
    for tab, name in (("orders", "data-order"), ("exits", "data-exit")):
        found, path = [], f"/lt/{LIVE}?tab={tab}"
        while path:
            page = await world.get(path, ann)
            found += cells(page, name)
            more = [value for value in cells(page, "href") if "cursor=" in value]
            path = f"/lt/{LIVE}{more[0]}" if more else None
        assert len(found) == len(set(found)) == 120


async def test_overdue_exits_are_marked_wherever_the_strategy_is(world, ann):
    await make_live(world, ann)
    await world.rows.put("lt_exits", [live_exit(1), live_exit(2, due_s=-30)])
    page = await world.get(f"/lt/{LIVE}?tab=exits", ann)
    overdue = [one["data-exit"] for _, one in page.elements if "data-overdue" in one]
    assert overdue == [live_exit(2)["exit_id"]]
    assert "1 exit is overdue" in (await world.get(f"/lt/{LIVE}", ann)).text
    assert "1 exits overdue" in (await world.get("/lt", ann)).text
    assert "Overdue" not in (await world.get(f"/lt/{LIVE}?tab=exits&which=all", ann)).text.replace("Overdue", "", 1)


async def test_risk_rules_are_meters_of_value_and_limit(world, ann):
    await make_live(world, ann, daily_budget_usd="10", max_daily_loss_usd="5")
    await world.rows.put(
        "lt_daily", [{"strategy_id": LIVE, "day": _today(), "spent_usd": 8.5, "lost_usd": 5, "pnl_usd": -5}]
    )
    page = await world.get(f"/lt/{LIVE}?tab=risk", ann)
    states = {one["data-rule"]: one["data-state"] for _, one in page.elements if "data-rule" in one}
    assert (states["daily_budget_usd"], states["max_daily_loss_usd"]) == ("warn", "full")
    assert (states["max_total_exposure_usd"], states["max_signal_age_s"]) == ("off", "each")
    meters = {one["aria-label"]: one["value"] for name, one in page.elements if name == "meter"}
    assert meters == {"Spent today: 85 % of the limit": "0.8500", "Lost today: 100 % of the limit": "1.0000"}
    assert f"PATCH /api/lt/strategies/{LIVE}/risk" in cells(page, "data-api")


async def test_actions_are_for_whoever_may_trade_and_the_halt_for_administrators(world, ann, root):
    await make_live(world, ann)
    one = f"/api/lt/strategies/{LIVE}"
    page = await world.get(f"/lt/{LIVE}?tab=settings", ann)
    assert {f"POST {one}/resume", f"POST {one}/capital", f"POST {one}/flatten", f"DELETE {one}", f"PATCH {one}"} == set(
        cells(page, "data-api")
    )
    [typed] = [one for _, one in page.elements if "data-typed-field" in one]
    assert (typed["pattern"], "name" in typed) == (LIVE, False)
    reader = await world.visitor("ann", Scope.READ)
    assert cells(await world.get(f"/lt/{LIVE}?tab=settings", reader), "data-api") == []
    assert "POST /api/lt/halt" not in cells(await world.get("/lt", ann), "data-api")
    assert "POST /api/lt/halt" in cells(await world.get("/lt", root), "data-api")


async def test_a_halt_says_by_whom_and_why_on_every_page_of_live_trading(world, ann, root):
    await make_live(world, ann)
    assert (await world.ask("POST", "/api/lt/halt", root, json={"reason": HOSTILE[0]})).status_code == 200
    for path in ("/lt", f"/lt/{LIVE}"):
        page = await world.get(path, ann)
        assert page.shows(HOSTILE[0])
        assert page.is_harmless()
        assert "root" in page.text
    assert "POST /api/lt/unhalt" in cells(await world.get("/lt", root), "data-api")


async def test_a_latched_breaker_is_shown_with_the_way_to_clear_it(world, ann):
    await make_live(world, ann)
    await world.rows.run("UPDATE lt_strategies SET breaker_reason = 'lost 12 of 10 USD'")
    page = await world.get(f"/lt/{LIVE}", ann)
    assert "lost 12 of 10 USD" in page.text
    assert f"POST /api/lt/strategies/{LIVE}/clear-breaker" in cells(page, "data-api")


async def test_a_live_strategy_is_made_of_a_bot_with_an_account_of_ones_own(world, ann):
    page = await world.get("/lt/new?bot=BOT", ann)
    options = [one for name, one in page.elements if name == "option"]
    assert {"value": "BOT", "selected": ""} in options
    assert "POST /api/lt/strategies" in cells(page, "data-api")
    assert "That is little to judge it by" in page.text
    bob = await world.visitor("bob", Scope.READ, Scope.TRADE)
    none = await world.get("/lt/new", bob)
    assert "No account of yours is configured" in none.text
    assert cells(none, "data-api") == []
    assert "needs the right “trade”" in (await world.get("/lt/new", await world.visitor("ann", Scope.READ))).text


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_of_markets_and_reasons_are_text(world, ann, name):
    await make_live(world, ann, display_name=name[:120])
    await world.rows.put("lt_orders", [live_order(1, market_title=name, token_label=name)])
    await world.rows.put("lt_orders", [never_sent(2, "RULE", name, market_title=name)])
    await world.rows.put("lt_exits", [live_exit(1, detail=name)])
    for path in ("/lt", "/lt/orders", *(f"/lt/{LIVE}?tab={tab}" for tab in ("positions", "orders", "exits", "risk"))):
        page = await world.get(path, ann)
        assert page.status == 200
        assert page.shows(name[:120]), path
        assert page.is_harmless(), path


def _today():
    return datetime.now(UTC).date()
