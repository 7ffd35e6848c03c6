"""Bots: the list with its filters, and each tab of one bot, by whom they belong to and with names that mean harm."""

import json

import pytest
from pages.page_world import HOSTILE, ago, page_world
from pages.strategy_rows import cells, live_config, make_bot, make_live

from protocols.users import Scope

TABS = ("overview", "trades", "days", "signals", "settings", "versions")
DECISIONS = """
INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, reasons,
    bankrolls)
SELECT current_date, 'trade-' || n, 'now', now(), now(), '{}', '{"side": "BUY", "price": "0.5", "wallet": "0x1", "title": "T"}',
    ARRAY[$1::integer], ARRAY[1], ARRAY[CASE WHEN n % 5 = 0 THEN 'taken' ELSE 'price_out_of_range' END], ARRAY[NULL::numeric]
FROM generate_series(1, $2::integer) AS n ORDER BY n
"""


@pytest.fixture
async def world(database, aio):
    async with page_world(database, live_config()) as one:
        yield one


@pytest.fixture
async def ann(world):
    return await world.visitor("ann", Scope.READ, Scope.TRADE)


async def snapshots(world, *returns, name="BOT"):
    await world.rows.put(
        "ft_performance_snapshots",
        [
            {
                "wallet_id": name, "snapshot_at": ago(hours=len(returns) - n), "starting_balance": "1000", "cash": "1000",
                "realized_pnl": "0", "unrealized_pnl": "0", "total_pnl": value, "return_pct": value / 10, "open_exposure": "0",
                "total_trades": 0, "open_positions": 0, "unmarked_positions": 0,
            }
            for n, value in enumerate(returns)
        ],
    )  # fmt: skip


async def test_without_bots_the_page_says_what_to_do_next(world, ann):
    page = await world.get("/v2/bots", ann)
    assert page.status == 200
    assert "No bots yet" in page.text
    assert "/v2/new-bot" in cells(page, "href")
    reader = await world.get("/v2/bots", await world.visitor("bob"))
    assert "/v2/new-bot" not in cells(reader, "href")
    assert "needs the right “trade”" in reader.text


async def test_bots_are_listed_by_risk_and_category_and_only_ones_own(world, ann):
    await make_bot(world, ann, "CALM", bet_size="5", price_min="0.7", market_categories=["crypto"])
    await make_bot(world, ann, "BOLD", bet_size="100", max_bet="100")
    await make_bot(world, await world.visitor("bob", Scope.READ, Scope.TRADE), "OTHER")
    assert cells(await world.get("/v2/bots", ann), "data-bot") == ["BOLD", "CALM"]
    assert cells(await world.get("/v2/bots?risk=AGGRESSIVE", ann), "data-bot") == ["BOLD"]
    assert cells(await world.get("/v2/bots?category=CRYPTO", ann), "data-bot") == ["CALM"]
    none = await world.get("/v2/bots?category=FINANCE", ann)
    assert "No bot like this" in none.text
    admin = await world.visitor("root", *Scope)
    assert cells(await world.get("/v2/bots", admin), "data-bot") == ["BOLD", "CALM", "OTHER"]
    assert (await world.get("/v2/bots?risk=NONE", ann)).status == 400


async def test_more_bots_than_fit_are_walked_by_a_cursor(world, ann):
    for number in range(50):
        await make_bot(world, ann, f"B{number:02d}")
    first = await world.get("/v2/bots", ann)
    [more] = [value for value in cells(first, "href") if "cursor=" in value]
    second = await world.get(f"/v2/bots{more}", ann)
    assert cells(first, "data-bot") + cells(second, "data-bot") == [f"B{number:02d}" for number in range(50)]
    assert not [value for value in cells(second, "href") if "cursor=" in value]


@pytest.mark.parametrize("tab", TABS)
async def test_every_tab_of_a_new_bot_is_drawn_and_is_honest_about_what_is_not_there(world, ann, tab):
    await make_bot(world, ann)
    for path in ("/v2/bots/BOT", "/ft/BOT"):
        page = await world.get(f"{path}?tab={tab}", ann)
        assert page.status == 200
        assert [
            one.get("href") for name, one in page.elements if name == "a" and one.get("aria-current") == "page"
        ].count(f"?tab={tab}") == 1
    assert (await world.get(f"/v2/bots/BOT?tab={tab}", await world.visitor("bob"))).status == 404
    assert (await world.get("/v2/bots/NONE", ann)).status == 404


async def test_the_curve_is_of_the_snapshots_in_the_range(world, ann):
    await make_bot(world, ann)
    assert "There is none yet" in (await world.get("/v2/bots/BOT", ann)).text
    await snapshots(world, 1, 2, 3)
    page = await world.get("/v2/bots/BOT?range=1d", ann)
    [points] = cells(page, "data-points")
    assert [value for _, value in json.loads(points)] == [1001, 1002, 1003]


async def test_settings_stand_in_a_form_with_range_default_and_version(world, ann):
    await make_bot(world, ann, bet_size="2.5", market_categories=["NBA", "NFL"])
    page = await world.get("/v2/bots/BOT?tab=settings", ann)
    fields = {one["name"]: one for _, one in page.elements if "name" in one and one["name"].startswith("settings.")}
    described = json.loads((await world.get("/api/ft/settings", ann)).html)["settings"]
    assert {name.removeprefix("settings.") for name in fields} == {one["name"] for one in described}
    bet = fields["settings.bet_size"]
    assert (bet["value"], bet["min"], bet["max"], bet["type"]) == ("2.5", "0", "1000000", "number")
    assert fields["settings.min_edge"]["data-empty"] == "null"
    assert "required" in bet
    assert "NBA NFL" in page.text
    assert ("input", {"type": "hidden", "name": "version", "value": "1", "data-type": "integer"}) in page.elements
    assert "PATCH /api/ft/wallets/BOT/settings" in cells(page, "data-api")
    reader = await world.visitor("ann", Scope.READ)
    assert not [
        one for one in cells(await world.get("/v2/bots/BOT?tab=settings", reader), "data-api") if "ft/wallets" in one
    ]


async def test_versions_say_what_changed(world, ann):
    await make_bot(world, ann)
    for size in ("2", "3"):
        answer = await world.ask("PATCH", "/api/ft/wallets/BOT/settings", ann, json={"settings": {"bet_size": size}})
        assert answer.status_code == 200
    text = (await world.get("/v2/bots/BOT?tab=versions", ann)).text
    assert text.index("bet_size : 2 → 3") < text.index("bet_size : 1.2 → 2") < text.index("First version")


async def test_a_bot_leads_to_live_trading_or_to_its_live_strategy(world, ann):
    await make_bot(world, ann)
    assert "/lt/new?bot=BOT" in cells(await world.get("/v2/bots/BOT", ann), "href")
    await make_live(world, ann)
    page = await world.get("/v2/bots/BOT", ann)
    assert "/lt/LT_BOT" in cells(page, "href")
    assert "/lt/new?bot=BOT" not in cells(page, "href")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_are_text_on_every_page(world, ann, name):
    await make_bot(world, ann, display_name=name[:120], description=name, market_categories=[name[:100]])
    for path in (
        "/v2/bots",
        "/ft",
        "/ft/compare?id=BOT",
        *(f"/v2/bots/BOT?tab={tab}" for tab in TABS if tab != "versions"),
    ):
        page = await world.get(path, ann)
        assert page.status == 200
        assert page.shows(name[:100]) or page.shows(name[:120])
        if "settings" not in path:
            assert page.is_harmless(), path


async def test_templates_are_offered_to_whoever_may_trade(world, ann):
    page = await world.get("/v2/new-bot", ann)
    families = json.loads((await world.get("/api/ft/templates", ann)).html)["templates"]
    assert cells(page, "data-template-shown") == [one["name"] for one in families]
    assert cells(page, "data-api") == ["POST /api/ft/wallets"] * 2
    reader = await world.get("/v2/new-bot", await world.visitor("bob"))
    assert (reader.status, cells(reader, "data-api")) == (200, [])


async def test_the_signal_log_is_walked_whole_and_says_why(world, ann):
    await make_bot(world, ann)
    [row] = await world.rows.run("SELECT number FROM ft_wallets WHERE wallet_id = 'BOT'")
    await world.rows.run(DECISIONS, row["number"], 130)
    found, path = [], "/v2/bots/BOT?tab=signals"
    while path:
        page = await world.get(path, ann)
        found += [one for one in cells(page, "data-drawer") if "/why/" in one]
        more = [value for value in cells(page, "href") if "cursor=" in value]
        path = f"/v2/bots/BOT{more[0]}" if more else None
    assert found == [f"/v2/feed/why/trade-{number}" for number in range(130, 0, -1)]
    text = (await world.get("/v2/bots/BOT?tab=signals", ann)).text
    assert "Price outside its range" in text
    assert "Copied" in text
    taken = await world.get("/v2/bots/BOT?tab=signals&kind=taken", ann)
    assert cells(taken, "data-drawer") == [f"/v2/feed/why/trade-{n}" for n in range(130, 80, -5)]


async def test_a_page_of_signals_may_be_empty_and_not_the_last(world, ann):
    await make_bot(world, ann)
    await world.rows.run(DECISIONS, -1, 2_100)
    first = json.loads((await world.get("/api/v2/bots/BOT/signals", ann)).html)
    assert first["signals"] == []
    assert first["nextCursor"] is not None
    last = json.loads((await world.get(f"/api/v2/bots/BOT/signals?cursor={first['nextCursor']}", ann)).html)
    assert last == {"signals": [], "nextCursor": None}
    assert "No signals on this page" in (await world.get("/v2/bots/BOT?tab=signals", ann)).text
    assert (await world.get("/api/v2/bots/BOT/signals", await world.visitor("bob"))).status == 404
