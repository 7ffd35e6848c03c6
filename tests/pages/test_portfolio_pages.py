"""The portfolio page: figures, lists, actions, hostile names."""

import re

import pytest
from engine_postgres.profile_world import condition, wallet
from pages.page_world import HOSTILE, ago, json_of, page_world, token

from protocols.users import Scope


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


def copy(user, number, **changes):
    """A recorded purchase of ten shares of Yes at 30 cents."""
    made = {
        "order_id": f"recorded-{number:05}", "copy_user_id": user.user_id, "copied_trader_wallet": wallet(7),
        "market_id": condition(1), "token_id": token(1), "outcome": "Yes", "side": "BUY", "price": "0.3", "size": "10",
        "filled_size": "10", "status": "filled", "created_at": ago(minutes=number), "updated_at": ago(minutes=number),
    }  # fmt: skip
    return made | changes


def rows_of(page):
    return [one["data-row"] for _, one in page.elements if "data-row" in one]


def links(page):
    return [one["href"] for name, one in page.elements if name == "a" and "href" in one]


async def walk(world, path, user):
    """Every page of a list, from the first one on."""
    rows, following = [], path
    while following:
        page = await world.get(following, user)
        assert page.status == 200, page.text
        rows += rows_of(page)
        more = [link for link in links(page) if "cursor=" in link]
        following = f"/portfolio{more[0]}" if more else None
    return rows


async def test_an_empty_portfolio_says_what_to_do_next(world):
    ann = await world.visitor()
    page = await world.get("/portfolio", ann)
    assert page.status == 200
    assert "Nothing is open" in page.text
    assert {"/v2/feed", "/portfolio/record"} <= set(links(page))
    for tab in ("closed", "trades", "traders", "nonsense"):
        assert (await world.get(f"/portfolio?tab={tab}&period=1D", ann)).status == 200


async def test_figures_are_those_of_the_api_with_their_definitions(world):
    ann = await world.visitor()
    await world.market()
    sold = copy(ann, 1, side="SELL", price="0.5", size="4", filled_size="4")
    await world.rows.put("orders", [copy(ann, 3), copy(ann, 2), sold])
    page = await world.get("/portfolio", ann)
    stats = json_of(await world.get("/api/portfolio/stats", ann))
    assert stats["realizedPnl"] == 0.8
    assert stats["unrealizedPnl"] == 1.6
    for text in ("+0.80", "+1.60", "+2.40", "6.00"):
        assert text in page.text
    meanings = [one["title"] for _, one in page.elements if one.get("class") == "term"]
    assert any("proceeds less cost, fees included" in one for one in meanings)
    assert len(meanings) >= 11
    places = {one["data-total"]: one["data-value"] for _, one in page.elements if "data-total" in one}
    assert {name: float(value) for name, value in places.items()} == {
        name: stats[name] for name in ("totalPnl", "unrealizedPnl", "openValueUsd")
    }
    row = next(one for name, one in page.elements if name == "tr" and "data-condition" in one)
    assert (row["data-token"], float(row["data-shares"]), float(row["data-worth"])) == (token(1), 16, 6.4)
    assert "By the price stored with the market 1" in page.text
    assert len([one for name, one in page.elements if name == "svg" and "role" in one]) == 2


async def test_what_has_no_price_is_unmarked_and_in_no_gain(world):
    ann = await world.visitor()
    await world.market(outcome_prices=None)
    await world.rows.put("orders", [copy(ann, 1)])
    page = await world.get("/portfolio", ann)
    assert "cost 3.00 USD, in no gain" in page.text
    assert page.text.count("unmarked") >= 5
    assert "-3.00" not in page.text
    row = next(one for name, one in page.elements if name == "tr" and "data-condition" in one)
    assert row["data-worth"] == ""


async def test_official_and_ours_stand_side_by_side_with_reasons(world):
    ann = await world.visitor()
    page = await world.get("/portfolio?account=main", ann)
    assert "it speaks of whole accounts" in page.text


async def test_lists_of_more_than_a_thousand_are_read_to_their_end(world):
    ann = await world.visitor()
    for number in range(1, 8):
        await world.market(number)
    rows = [
        copy(ann, n, market_id=condition(n % 7 + 1), token_id=token(n % 7 + 1), copied_trader_wallet=wallet(n))
        for n in range(1, 1_102)
    ]
    await world.rows.put("orders", rows)
    assert await walk(world, "/portfolio?tab=trades", ann) == [row["order_id"] for row in rows]
    positions = await walk(world, "/portfolio?tab=open", ann)
    assert len(set(positions)) == len(positions) == 1_101
    traders = await walk(world, "/portfolio?tab=traders", ann)
    assert sorted(traders) == sorted(wallet(n) for n in range(1, 1_102))
    page = await world.get("/portfolio?tab=traders&cursor=nobody", ann)
    assert page.status == 400


async def test_a_position_closes_all_of_its_copies_and_a_trade_its_own(world):
    ann = await world.visitor()
    await world.market()
    await world.rows.put("orders", [copy(ann, 2), copy(ann, 1)])
    page = await world.get("/portfolio", ann)
    button = next(one for _, one in page.elements if one.get("data-open") == "close")
    assert button["data-orders"].split() == ["recorded-00002", "recorded-00001"]
    for order_id in button["data-orders"].split():
        answer = await world.ask("POST", f"/api/portfolio/orders/{order_id}/close", ann, json={"price": "0.65"})
        assert answer.status_code == 200, answer.text
    page = await world.get("/portfolio", ann)
    assert "Nothing is open" in page.text
    page = await world.get("/portfolio?tab=trades", ann)
    assert page.text.count("closed by you") == 2
    assert "+7.00" in page.text
    forms = [one["data-api"] for _, one in page.elements if "data-api" in one and "DELETE" in one["data-api"]]
    assert forms == ["DELETE /api/portfolio/orders/{orderId}"] * 2


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_are_text(world, name):
    ann = await world.visitor()
    await world.market(title=name)
    await world.rows.run("UPDATE market_tokens SET outcome = $1 WHERE token_id = $2", name, token(1))
    await world.rows.put("orders", [copy(ann, 1, outcome=name, copied_market_title=name)])
    await world.rows.put("traders", [{"wallet_address": wallet(7), "display_name": name}])
    for tab in ("open", "trades", "traders"):
        page = await world.get(f"/portfolio?tab={tab}", ann)
        assert page.shows(name), tab
        assert page.is_harmless(), tab


async def test_filters_and_periods_are_in_the_address_and_stay_there(world):
    ann = await world.visitor()
    await world.market()
    await world.rows.put("orders", [copy(ann, 1)])
    page = await world.get("/portfolio?tab=trades&period=7D&strategyId=MIRROR", ann)
    assert "Nothing fits" in page.text
    assert "/portfolio?tab=closed&period=7D&strategyId=MIRROR" in links(page)
    assert "/portfolio?tab=trades&period=1Y&strategyId=MIRROR" in links(page)
    page = await world.get("/portfolio?account=A B", ann)
    assert page.status == 400


async def test_one_sees_ones_own_copies_alone(world):
    ann, bob = await world.visitor("ann"), await world.visitor("bob")
    await world.market()
    await world.rows.put("orders", [copy(ann, 1)])
    assert rows_of(await world.get("/portfolio?tab=trades", bob)) == []


async def test_the_form_of_a_copy_made_elsewhere_is_what_the_api_takes(world):
    ann = await world.visitor()
    await world.market()
    page = await world.get(f"/portfolio/record?conditionId={condition(1)}&outcome=Yes&price=0.4", ann)
    fields = {
        one["name"]: one.get("value", "")
        for name, one in page.elements
        if name in ("input", "select") and "name" in one
    }
    assert (fields["conditionId"], fields["price"]) == (condition(1), "0.4")
    fields |= {"shares": "2.5", "orderId": "recorded-0001", "side": "SELL", "at": "2026-01-02T03:04:05Z"}
    body = {name: value for name, value in fields.items() if value and name != "csrf"}
    answer = await world.ask("POST", "/api/portfolio/orders", ann, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"orderId": "recorded-0001", "isNew": True}
    page = await world.get('/portfolio/record?outcome="><script>alert(1)</script>', ann)
    assert page.is_harmless()


async def test_selling_needs_the_right_to_trade_and_an_engine_that_trades(world):
    ann = await world.visitor("ann")
    path = f"/portfolio/sell?account=main&conditionId={condition(1)}&tokenId={token(1)}&shares=10&title=%3Cb%3E"
    assert (await world.get(path, ann)).status == 403
    bob = await world.visitor("bob", Scope.READ, Scope.TRADE)
    page = await world.get(path, bob)
    assert page.status == 200
    assert page.shows("<b>")
    assert "does not trade live, so it cannot sell" in page.text
    assert not re.search(r"data-place", page.html)


async def test_recorded_copies_are_found_among_all_others(world):
    ann = await world.visitor()
    await world.market()
    await world.rows.put("orders", [copy(ann, 1)])
    assert rows_of(await world.get("/portfolio?tab=trades&kind=recorded", ann)) == ["recorded-00001"]
    page = await world.get("/portfolio?tab=trades&kind=live", ann)
    assert (rows_of(page), "Nothing fits" in page.text) == ([], True)
    assert (await world.get("/portfolio?tab=trades&kind=other", ann)).status == 400
