"""The feed page: whose trades it shows, and what it makes of names that mean harm."""

import pytest
from pages.page_world import HOSTILE, feed_trade, page_world


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


async def test_an_empty_feed_says_what_to_do_next(world):
    page = await world.get("/v2/feed", await world.visitor())
    assert page.status == 200
    assert "No trades yet" in page.text
    assert ("a", {"class": "button primary", "href": "/discover"}) in page.elements


async def test_trades_of_followed_traders_are_shown_and_no_others(world):
    ann = await world.visitor()
    await world.trades([feed_trade(1, trader=1), feed_trade(2, trader=1)], followed_by=ann)
    await world.trades([feed_trade(3, trader=2)])
    page = await world.get("/v2/feed", ann)
    assert [one["data-trade"] for name, one in page.elements if "data-trade" in one] == ["trade-2", "trade-1"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_are_text(world, name):
    ann = await world.visitor()
    await world.trades([feed_trade(1, trader_name=name, market_title=name, outcome=name)], followed_by=ann)
    page = await world.get("/v2/feed", ann)
    assert page.status == 200
    assert page.shows(name)
    assert page.is_harmless()


async def test_who_is_not_in_is_led_to_the_login(world):
    page = await world.get("/v2/feed?side=BUY", None)
    assert (page.status, page.headers["location"]) == (303, "/login?next=%2Fv2%2Ffeed%3Fside%3DBUY")
