"""The feed page: whose trades it shows, what of them, and what it makes of names that mean harm."""

from decimal import Decimal

import pytest
from engine_adapters.paper_worlds import traded
from engine_api.test_why_routes import decide, open_gates
from engine_postgres.ft_world import ft_world
from pages.page_world import HOSTILE, Drawn, condition, feed_trade, page_world, token, wallet

from engine.pages.formats import market_link
from engine.pages.reasons import REASONS
from protocols.decisions import Reason
from protocols.users import Scope


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


def cards(page: Drawn) -> list[str]:
    assert page.status == 200, page.text
    return [one["data-trade"] for _, one in page.elements if "data-trade" in one]


async def test_an_empty_feed_says_what_to_do_next(world):
    page = await world.get("/v2/feed", await world.visitor())
    assert page.status == 200
    assert "No trades yet" in page.text
    assert ("a", {"class": "button primary", "href": "/discover"}) in page.elements


async def test_trades_of_followed_traders_are_shown_and_no_others(world):
    ann = await world.visitor()
    await world.trades([feed_trade(1, trader=1), feed_trade(2, trader=1)], followed_by=ann)
    await world.trades([feed_trade(3, trader=2)])
    assert cards(await world.get("/v2/feed", ann)) == ["trade-2", "trade-1"]


async def test_a_card_tells_price_size_and_score_and_leads_to_market_and_trader(world):
    ann = await world.visitor()
    await world.trades([feed_trade(1, price="0.263", size="1200")], followed_by=ann)
    page = await world.get("/v2/feed", ann)
    assert "Then 26.3¢" in page.text
    assert "Size, USD 315.60" in page.text
    assert "Shares 1,200" in page.text
    links = [one["href"] for name, one in page.elements if name == "a"]
    assert f"/v2/trader/{wallet(1)}" in links
    assert "https://polymarket.com/event/rain-1" in links
    drawers = [one["data-drawer"] for _, one in page.elements if "data-drawer" in one]
    assert drawers == [f"/v2/feed/{part}/trade-1" for part in ("signal", "copy", "why")]
    [card] = [one for name, one in page.elements if name == "article"]
    assert (card["data-condition"], card["data-token"], card["data-then"]) == (condition(1), token(1), "0.263")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_are_text(world, name):
    ann = await world.visitor()
    await world.trades(
        [feed_trade(1, trader_name=name, market_title=name, outcome=name, market_slug=name)], followed_by=ann
    )
    for path in ("", "/why/trade-1", "/signal/trade-1", "/copy/trade-1", "/card/trade-1"):
        page = await world.get(f"/v2/feed{path}", ann)
        assert page.status == 200, path
        assert page.shows(name), path
        assert page.is_harmless(), path


async def test_filters_in_the_address_are_those_of_the_api_and_of_the_stream(world):
    ann = await world.visitor()
    rows = [feed_trade(n, price=f"0.{n}", size="100", age_s=n, side="BUY" if n % 2 else "SELL") for n in range(1, 9)]
    await world.trades(rows, followed_by=ann)
    page = await world.get("/v2/feed?from=30&to=60&side=BUY&usdMin=&category=", ann)
    assert cards(page) == ["trade-3", "trade-5"]
    [feed] = [one for _, one in page.elements if "data-feed" in one]
    assert feed["data-stream"] == "/api/v2/feed/cards?side=BUY&priceMin=0.3&priceMax=0.6"
    [chosen] = [one["value"] for name, one in page.elements if name == "option" and "selected" in one]
    assert chosen == "BUY"
    nothing = await world.get("/v2/feed?usdMin=1000000", ann)
    assert "No trade passes the filters" in nothing.text
    only = await world.get(f"/v2/feed?wallet={wallet(1)}&wallet=", ann)
    assert len(cards(only)) == 8
    assert ("input", {"type": "checkbox", "name": "wallet", "value": wallet(1), "checked": ""}) in only.elements


@pytest.mark.parametrize(
    "query", ["from=abc", "from=-1", "to=101", "usdMin=<b>", "category=NBA", "scoreMin=x", "wallet=0x1", "from=NaN"]
)
async def test_a_filter_that_makes_no_sense_is_a_page_that_says_so(world, query):
    page = await world.get(f"/v2/feed?{query}", await world.visitor())
    assert page.status == 400
    assert page.is_harmless()


async def test_older_pages_keep_their_filters_and_are_not_live(world):
    ann = await world.visitor()
    await world.trades([feed_trade(n, age_s=n) for n in range(120)], followed_by=ann)
    page = await world.get("/v2/feed?side=BUY", ann)
    [older] = [one["href"] for name, one in page.elements if one.get("rel") == "next"]
    assert older.startswith("?side=BUY&cursor=")
    second = await world.get(f"/v2/feed{older}", ann)
    assert cards(page) + cards(second) == [f"trade-{n}" for n in range(100)]
    assert not any("data-stream" in one for _, one in second.elements)
    assert "new trades do not appear here" in second.text


async def test_the_tab_of_copies_names_the_strategies(world):
    ann, bob = await world.visitor("ann"), await world.visitor("bob")
    await world.trades([feed_trade(1, trader=1, age_s=9), feed_trade(2, trader=2)], followed_by=ann)
    await world.strategy("RAIN", ann)
    await world.strategy("BOBS", bob)
    await world.copies("RAIN", ["trade-1"])
    await world.copies("BOBS", ["trade-2"])
    copied = await world.get("/v2/feed?tab=copied", ann)
    assert cards(copied) == ["trade-1"]
    assert "Copied by RAIN" in copied.text
    everything = await world.get("/v2/feed", ann)
    assert "Copied by RAIN" in everything.text
    assert "BOBS" not in everything.text
    filters = await world.get("/v2/feed/filters?strategy=RAIN", ann)
    assert [one["value"] for name, one in filters.elements if name == "option" and "selected" in one] == ["RAIN"]
    assert "BOBS" not in filters.text
    assert "Nothing was copied" in (await world.get("/v2/feed?tab=copied", await world.visitor("cid"))).text


async def test_the_tab_of_fire_says_when_there_is_none(world):
    page = await world.get("/v2/feed?tab=fire", await world.visitor())
    assert "Nothing is on fire" in page.text


async def test_why_names_gates_with_value_and_limit_and_no_json(world):
    ann = await world.visitor()
    await world.trades([feed_trade(1)], followed_by=ann)
    page = await world.get("/v2/feed/why/trade-1", ann)
    assert page.status == 200
    assert "No strategy copied him" in page.text
    assert "{" not in page.text


def test_every_reason_has_words():
    assert set(REASONS) == set(Reason)
    assert all(text.endswith(".") and label for label, text in REASONS.values())


async def test_the_signal_has_its_five_indicators(world):
    ann = await world.visitor()
    await world.trades([feed_trade(1, price="0.35")], followed_by=ann)
    page = await world.get("/v2/feed/signal/trade-1", ann)
    assert "Price that he paid 35¢ best +25" in page.text
    for name in ("Size against his average", "Win rate of the trader", "Probability less price", "Resolved trades"):
        assert f"{name} not known absent" in page.text


@pytest.mark.parametrize("part", ["why", "signal", "copy", "card"])
async def test_a_trade_that_is_not_there_is_a_404(world, part):
    assert (await world.get(f"/v2/feed/{part}/nothing", await world.visitor())).status == 404


@pytest.mark.parametrize(
    ("scopes", "side", "said"),
    [
        ((Scope.READ,), "BUY", "lacks the right “trade”"),
        ((Scope.READ, Scope.TRADE), "BUY", "does not trade with real money"),
        ((Scope.READ, Scope.TRADE), "SELL", "Only buys are copied"),
    ],
)
async def test_a_copy_that_cannot_be_says_why(world, scopes, side, said):
    ann = await world.visitor("ann", *scopes)
    await world.trades([feed_trade(1, side=side)], followed_by=ann)
    page = await world.get("/v2/feed/copy/trade-1", ann)
    assert said in page.text
    assert not [one for name, one in page.elements if name == "form"]


async def test_who_is_not_in_is_led_to_the_login(world):
    page = await world.get("/v2/feed?side=BUY", None)
    assert (page.status, page.headers["location"]) == (303, "/login?next=%2Fv2%2Ffeed%3Fside%3DBUY")


@pytest.mark.parametrize(
    ("slug", "event", "link"),
    [
        (None, "e", None),
        ("a", None, "https://polymarket.com/event/a"),
        ("a/../b?x", "e", "https://polymarket.com/event/e/a%2F..%2Fb%3Fx"),
        ("javascript:alert(1)", "", "https://polymarket.com/event/javascript%3Aalert%281%29"),
    ],
)
def test_the_address_of_a_market_cannot_lead_elsewhere(slug, event, link):
    assert market_link(slug, event) == link


async def test_gates_stand_there_with_value_and_limit(world, database):
    """A decision that the engine stored, with a gate that failed and others that passed."""
    ann = await world.visitor()
    async with ft_world(database) as paper:
        paper.numbers = 100
        strategy = await paper.strategy("BOT", ann.user_id, **open_gates(min_trader_win_rate=Decimal("0.75")))
        laned = traded(1)
        await decide(paper, laned, [(strategy, "low_win_rate", None)])
    page = await world.get(f"/v2/feed/why/{laned.trade.trade_id}", ann)
    assert page.status == 200, page.text
    assert "The one strategy that looked at it did not copy it." in page.text
    assert "BOT The trader wins too seldom. 0.6 , allowed: 0.75" in page.text
    assert "Win rate, at least failed 0.6 0.75" in page.text
    assert "Market passed known known" in page.text
    # Of somebody else's strategies nothing is told.
    assert "BOT" not in (await world.get(f"/v2/feed/why/{laned.trade.trade_id}", await world.visitor("bob"))).text
