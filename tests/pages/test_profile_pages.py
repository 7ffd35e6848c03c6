"""Discover, profiles of traders, whom one follows: what is shown, what is empty, pages, hostile names."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from engine_postgres.profile_world import condition, held, wallet
from pages.page_world import HOSTILE, ago, feed_trade, json_of, page_world

from protocols.users import Scope

DAY = datetime.now(tz=UTC).date()
LISTS = (
    "leaderboard",
    "biggest-winners",
    "most-active",
    "most-consistent",
    "most-copied",
    "most-copyable",
    "big-trades",
)


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


def leader(number, **changes):
    made = {
        "wallet_address": wallet(number), "is_active": True, "display_name": f"leader {number}", "pnl": 1000 - number,
        "volume": 5_000, "roi": "0.25", "win_rate": "0.6", "total_trades": 40, "rank": number, "rank_volume": number,
    }  # fmt: skip
    return made | changes


def day_row(number, back, pnl, to_date=None):
    return {
        "wallet_address": wallet(number), "date": DAY - timedelta(days=back), "realized_pnl": pnl,
        "pnl_to_date": pnl if to_date is None else to_date, "closed_positions": 1, "won_positions": int(pnl > 0),
        "source": "test",
    }  # fmt: skip


def rows_of(page, name="data-row"):
    return [one[name] for _, one in page.elements if name in one]


def links(page):
    return [one["href"] for name, one in page.elements if name == "a" and "href" in one]


async def test_the_lists_of_an_engine_that_knows_nobody_say_why_they_are_empty(world):
    ann = await world.visitor()
    page = await world.get("/discover", ann)
    assert page.status == 200
    assert page.text.count("Empty.") == len(LISTS)
    for name in LISTS:
        page = await world.get(f"/discover/{name}", ann)
        assert (page.status, "Empty so far" in page.text) == (200, True), name
        page = await world.get(f"/discover/{name}?category=nba", ann)
        assert "Nobody fits" in page.text


async def test_a_list_that_there_is_not_is_not_found_and_a_wrong_filter_is_named(world):
    ann = await world.visitor()
    assert (await world.get("/discover/nobody", ann)).status == 404
    page = await world.get("/discover/leaderboard?minTrades=-1", ann)
    assert page.status == 400
    assert "must be a whole number from 1" in page.text


async def test_leaders_are_shown_with_sparklines_in_pages_and_sorted_as_asked(world):
    ann = await world.visitor()
    await world.rows.put("traders", [leader(number) for number in range(1, 121)])
    await world.rows.put("wallet_realized_pnl_daily", [day_row(1, 2, 5), day_row(1, 1, -2)])
    page, walked = await world.get("/discover/leaderboard", ann), []
    assert page.shows("leader 1")
    assert sum(one.get("class") == "sparkline sparkline-gain" for _, one in page.elements) == 1
    assert page.text.count("not known") == 49
    for _ in range(3):
        walked += rows_of(page)
        following = [link for link in links(page) if "cursor=" in link]
        page = await world.get(f"/discover/leaderboard{following[0]}", ann) if following else page
    assert walked == [wallet(number) for number in range(1, 121)]
    page = await world.get("/discover/leaderboard?sort=winRate&minTrades=41", ann)
    assert "Nobody fits" in page.text


async def test_other_lists_have_sparklines_too(world):
    ann = await world.visitor()
    await world.rows.put("wallet_realized_pnl_daily", [day_row(1, back, 5) for back in range(1, 8)])
    await world.trades([feed_trade(number, trader=1, market=2) for number in range(5)], followed_by=ann)
    for name in ("most-active", "most-consistent", "most-copied"):
        page = await world.get(f"/discover/{name}", ann)
        assert rows_of(page) == [wallet(1)], name
        assert sum("sparkline" in one.get("class", "").split() for _, one in page.elements) == 1, name


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_names_are_text_everywhere(world, name):
    ann = await world.visitor()
    await world.rows.put("traders", [leader(1, display_name=name)])
    await world.trades(
        [feed_trade(n, trader=1, trader_name=name, market_title=name, outcome=name, size="100") for n in range(3)],
        followed_by=ann,
    )
    await world.rows.put(
        "positions_current", [held(wallet(1), "1000", market_title=name, outcome=name, opened_at=ago(days=1))]
    )
    paths = [f"/v2/trader/{wallet(1)}" + tail for tail in ("", "?tab=open", "?tab=trades")]
    for path in ("/discover", "/discover/leaderboard", "/discover/big-trades", "/following", *paths):
        page = await world.get(path, ann)
        assert page.status == 200, path
        assert page.shows(name), path
        if path == "/following":
            # Its own field for many wallets, and no other one.
            assert sum(one == "textarea" for one, _ in page.elements) == 1
            page = attrs.evolve(
                page, html=page.html.replace('<textarea id="wallets"', "<p").replace("</textarea>\n", "</p>")
            )
        assert page.is_harmless(), path


async def test_a_profile_shows_what_is_known_and_what_is_not(world):
    ann = await world.visitor()
    await world.rows.put("traders", [leader(1)])
    await world.rows.put("wallet_realized_pnl_daily", [day_row(1, 3, 5), day_row(1, 1, -2, 3)])
    await world.trades([feed_trade(1, trader=1)])
    page = await world.get(f"/v2/trader/{wallet(1).upper().replace('0X', '0x')}", ann)
    assert page.status == 200
    assert page.shows("leader 1")
    assert "+999.00" in page.text
    assert "25.0" in page.text
    assert [one.get("class") for name, one in page.elements if name == "svg" and "role" in one] == [
        "chart chart-bars",
        "chart",
    ]
    assert "1 of 2 closed" in page.text
    assert "Leaderboard never" in page.text
    follow = next(one for _, one in page.elements if one.get("data-follow"))
    assert (follow["data-api"], follow["data-follow"]) == ("POST /api/follows", wallet(1))


async def test_a_position_without_a_price_is_unmarked(world):
    ann = await world.visitor()
    await world.rows.put(
        "positions_current", [held(wallet(1), "7", opened_at=ago(days=1), last_seen_at=ago(minutes=1))]
    )
    page = await world.get(f"/v2/trader/{wallet(1)}?tab=open", ann)
    assert page.text.count("unmarked") == 3
    page = await world.get(f"/v2/trader/{wallet(1)}", ann)
    assert "1 unmarked" in page.text


async def test_every_list_of_a_profile_is_read_in_pages_to_its_end(world):
    ann = await world.visitor()
    await world.trades([feed_trade(n, trader=1, market=n, age_s=n * 86_400) for n in range(101)])
    await world.rows.put(
        "positions_current", [held(wallet(1), str(n), value_usd=n, condition_id=condition(n)) for n in range(1, 102)]
    )
    for tab in ("open", "trades"):
        path, walked = f"/v2/trader/{wallet(1)}?tab={tab}", []
        while path:
            page = await world.get(path, ann)
            walked += rows_of(page)
            following = [link for link in links(page) if "cursor=" in link]
            path = f"/v2/trader/{wallet(1)}{following[0]}" if following else None
        assert len(walked) == len(set(walked)) == 101, tab
    for tab in ("closed", "markets", "activity", "nonsense"):
        assert (await world.get(f"/v2/trader/{wallet(1)}?tab={tab}", ann)).status == 200, tab


async def test_a_wallet_that_was_never_met_may_be_followed_and_is_known_then(world):
    ann = await world.visitor()
    page = await world.get(f"/v2/trader/{wallet(9)}", ann)
    assert page.status == 404
    assert "Nobody met this wallet yet" in page.text
    form = next(one for _, one in page.elements if one.get("data-follow"))
    method, path = form["data-api"].split(" ")
    answer = await world.ask(method, path, ann, json={"wallets": [form["data-follow"]]})
    assert answer.json() == {"changed": 1}
    page = await world.get(f"/v2/trader?wallet=%20{wallet(9)}%20", ann)
    assert page.status == 200
    assert "Following" in page.text


async def test_what_is_no_wallet_is_said_beside_the_field(world):
    ann = await world.visitor()
    page = await world.get("/v2/trader/0x12", ann)
    assert page.status == 404
    assert "A wallet is 0x and 40 hex digits." in page.text
    page = await world.get("/v2/trader", ann)
    assert (page.status, "A wallet is" in page.text) == (200, False)
    page = await world.get("/v2/trader?wallet=%22%3E%3Cscript%3E", ann)
    assert page.is_harmless()


async def test_follows_are_paged_and_many_are_added_at_once(world):
    ann, bob = await world.visitor("ann"), await world.visitor("bob")
    page = await world.get("/following", ann)
    assert "You follow nobody yet" in page.text
    answer = await world.ask("POST", "/api/follows", ann, json={"wallets": [wallet(n) for n in range(1, 1_102)]})
    assert answer.json() == {"changed": 1_101}
    path, walked = "/following", []
    while path:
        page = await world.get(path, ann)
        walked += rows_of(page)
        following = [link for link in links(page) if "cursor=" in link]
        path = f"/following{following[0]}" if following else None
    assert walked == [wallet(n) for n in range(1, 1_102)]
    assert rows_of(await world.get("/following", bob)) == []
    assert json_of(await world.get("/api/follows?limit=1", ann))["follows"][0]["wallet"] == wallet(1)


async def test_who_copies_him_is_shown_to_the_owner_of_the_strategy_alone(world):
    ann, bob = await world.visitor("ann", Scope.READ, Scope.TRADE), await world.visitor("bob")
    await world.trades([feed_trade(1, trader=1)], followed_by=ann)
    settings = {"target_mode": "list", "target_traders": [wallet(1)]}
    made = await world.ask("POST", "/api/ft/wallets", ann, json={"walletId": "MIRROR", "settings": settings})
    assert made.status_code == 200, made.text
    assert "/v2/bots/MIRROR" in links(await world.get(f"/v2/trader/{wallet(1)}", ann))
    assert "None of my running strategies" in (await world.get(f"/v2/trader/{wallet(1)}", bob)).text
