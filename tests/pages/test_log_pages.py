"""The log of live trading with its filters, and the trace of one trade from end to end."""

import pytest
from pages.page_world import HOSTILE, ago, feed_trade, page_world
from pages.strategy_rows import (
    LIVE,
    cells,
    live_config,
    live_order,
    log_line,
    make_bot,
    make_live,
    never_sent,
    order_id,
    put_lines,
)

from engine.pages.log_pages import PREFIXES, offset
from protocols.users import Scope


@pytest.fixture
async def world(database, aio):
    async with page_world(database, live_config()) as one:
        yield one


@pytest.fixture
async def ann(world):
    found = await world.visitor("ann", Scope.READ, Scope.TRADE)
    await make_bot(world, found)
    await make_live(world, found)
    return found


async def test_an_empty_log_says_so_and_still_refreshes(world, ann):
    page = await world.get("/lt/logs", ann)
    assert page.status == 200
    assert "No lines yet" in page.text
    assert cells(page, "data-refresh") == ["/lt/log-lines"]
    assert "data-log-pause" in page.html


async def test_lines_are_filtered_by_beginning_level_stage_text_strategy_and_time(world, ann):
    lines = [
        log_line(1, message="POLL BUY FILLED", stage="ORDER_POLL"),
        log_line(2, message="FILTER DAILY_BUDGET: too much", stage="RISK_CHECK"),
        log_line(3, message="TRADE BUY refused", level="warn"),
        log_line(4, message="SELL DONE", stage="SELL", age_s=7_200),
    ]
    await put_lines(world, lines)

    async def shown(query):
        return sorted(cells(await world.get(f"/lt/logs?{query}", ann), "data-line"))

    assert await shown("") == ["1", "2", "3", "4"]
    assert await shown("prefix=POLL") == ["1"]
    assert await shown("level=warn") == ["3"]
    assert await shown("stage=RISK_CHECK") == ["2"]
    assert await shown("text=daily_") == ["2"]
    assert await shown(f"strategyId={LIVE}&prefix=SELL") == ["4"]
    assert await shown(f"since={int(ago(hours=1).timestamp())}") == ["1", "2", "3"]
    assert "No line like this" in (await world.get("/lt/logs?prefix=CASH", ann)).text
    assert (await world.get("/lt/logs?prefix=NONE", ann)).status == 400
    assert (await world.get("/lt/logs?since=yesterday", ann)).status == 400


async def test_filters_stay_when_another_one_is_chosen_and_in_what_refreshes(world, ann):
    page = await world.get("/lt/logs?level=warn&prefix=SELL&text=a%26b", ann)
    links = cells(page, "href")
    assert "/lt/logs?level=warn&text=a%26b" in links
    for name, _ in PREFIXES:
        assert f"/lt/logs?level=warn&text=a%26b&prefix={name}" in links
    assert cells(page, "data-refresh") == ["/lt/log-lines?prefix=SELL&level=warn&text=a%26b"]
    assert ("input", {"type": "hidden", "name": "prefix", "value": "SELL"}) in page.elements


async def test_a_thousand_lines_are_walked_and_older_pages_do_not_refresh(world, ann):
    await put_lines(world, [log_line(n) for n in range(1, 251)])
    found, path = [], "/lt/logs"
    while path:
        page = await world.get(path, ann)
        assert bool(cells(page, "data-refresh")) == ("cursor" not in path)
        found += cells(page, "data-line")
        more = [value for value in cells(page, "href") if "cursor=" in value]
        path = f"/lt/logs{more[0]}" if more else None
    assert [int(one) for one in found] == list(range(250, 0, -1))


async def test_the_piece_that_refreshes_has_no_frame_and_is_only_ones_own(world, ann):
    await put_lines(world, [log_line(1)])
    page = await world.get("/lt/log-lines", ann)
    assert (page.status, "<html" in page.html, cells(page, "data-line")) == (200, False, ["1"])
    assert cells(await world.get("/lt/log-lines", await world.visitor("bob")), "data-line") == []


async def test_a_trace_tells_a_trade_from_its_source_to_the_ledger(world, ann):
    await world.trades([feed_trade(1)])
    await world.rows.put("lt_orders", [live_order(1)])
    await world.rows.put(
        "lt_fills",
        [{"order_hash": f"0x{1:064x}", "trade_id": "f1", "lt_order_id": order_id(1), "shares": "10", "price": "0.5",
          "fee_usd": "0.05", "role": "TAKER", "status": "CONFIRMED", "matched_at": ago(seconds=58), "booked_at": ago()}],
    )  # fmt: skip
    await put_lines(world, [log_line(1)])
    page = await world.get("/lt/logs/trade-1", ann)
    assert page.status == 200
    assert cells(page, "data-step") == ["source", "decision", "orders", "exits", "lines"]
    assert cells(page, "data-order") == [order_id(1)]
    for text in ("Will it rain on day 1?", "Signed and journaled +1.50 s", "10 shares at 50¢", "TRADE BUY 1", "12 ms"):
        assert text in page.text.replace("\N{NO-BREAK SPACE}", " "), text
    by_order = await world.get(f"/lt/logs/{order_id(1)}", ann)
    assert cells(by_order, "data-order") == [order_id(1)]
    assert "no longer kept" in by_order.text


async def test_a_trace_of_a_trade_that_was_not_sent_says_which_rule_kept_it(world, ann):
    await world.rows.put("lt_orders", [never_sent(2, "DAILY_BUDGET", "12 is more than 10")])
    page = await world.get("/lt/logs/trade-2", ann)
    assert "Never signed" in page.text
    assert "DAILY_BUDGET : 12 is more than 10" in page.text


async def test_a_trace_of_nothing_and_of_somebody_else_looks_the_same(world, ann):
    await world.rows.put("lt_orders", [live_order(1)])
    bob = await world.visitor("bob")
    for path, who in (("/lt/logs/nothing", ann), ("/lt/logs/trade-1", bob), (f"/lt/logs/{order_id(1)}", bob)):
        page = await world.get(path, who)
        assert "Nothing is known of this id" in page.text
        assert cells(page, "data-order") == []


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_messages_are_text(world, ann, name):
    await world.trades([feed_trade(1, market_title=name, outcome=name, trader_name=name)])
    await world.rows.put("lt_orders", [live_order(1, market_title=name, detail=name, reason="x")])
    await put_lines(world, [log_line(1, message=name)])
    for path in ("/lt/logs", "/lt/log-lines", "/lt/logs/trade-1"):
        page = await world.get(path, ann)
        assert page.status == 200
        assert page.shows(name), path
        assert page.is_harmless(), path


@pytest.mark.parametrize(
    ("at", "text"),
    [("00.000", "+0 ms"), ("00.029", "+29 ms"), ("01.500", "+1.50 s"), ("59.999", "+60.00 s")],
)
def test_an_offset_is_in_the_unit_that_fits(at, text):
    said = offset(f"2026-01-01T00:00:{at}Z", "2026-01-01T00:00:00Z").replace("\N{NO-BREAK SPACE}", " ")
    assert said == text


def test_a_clock_of_the_venue_that_is_ahead_gives_less_than_zero():
    assert offset("2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z").startswith("−2.00")
    assert offset("2026-01-01T02:00:00Z", "2026-01-01T00:00:00Z") == "+2 h"
