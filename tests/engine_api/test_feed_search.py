"""Filtered pages of the feed over a real database, against sorting and filtering everything."""

import random
from decimal import Decimal

import attrs
import pytest
from pages.page_world import condition, feed_trade, json_of, page_world, token, wallet

from engine.api import feed_search

PATH = "/api/v2/feed/trades"
NICHES = {1: "Bitcoin above 100k?", 2: "NBA: Bulls vs. Lakers", 3: "Will the senate vote?", 4: "Nothing special"}


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


async def ids(world, who, query="", limit=7):
    """All pages of a filter."""
    found, cursor = [], ""
    for _ in range(200):
        page = json_of(await world.get(f"{PATH}?limit={limit}{query}{cursor}", who))
        assert len(page["trades"]) <= limit
        found += [one["tradeId"] for one in page["trades"]]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"
    raise AssertionError("it never ends")


@attrs.define
class Made:
    rows: list
    held: set


@pytest.fixture
async def made(world, monkeypatch):
    """400 trades of four markets by three traders, ann follows the first two; stretches are so short that many are needed."""
    monkeypatch.setattr(feed_search, "STRETCH_ROWS", 11)
    monkeypatch.setattr(feed_search, "STRETCHES", 3)
    rng = random.Random(7)
    ann = await world.visitor("ann")
    rows = [
        feed_trade(
            number, trader=rng.randint(1, 3), market=(market := rng.randint(1, 4)), age_s=rng.randint(0, 5_000) + 0.5,
            side=rng.choice(["BUY", "SELL"]), price=str(rng.randint(1, 99) / 100), size=str(rng.randint(1, 500)),
            market_title=NICHES[market],
        )
        for number in range(400)
    ]  # fmt: skip
    await world.trades(rows)
    await world.io.follows.add(ann.user_id, [wallet(1), wallet(2)])
    for number, title in NICHES.items():
        start = {"gameStartTime": "2020-01-01T00:00:00Z"} if number == 2 else {}
        await world.market(
            number, title=title, raw_gamma=start, end_time="2099-01-01T00:00:00Z" if number == 1 else None
        )
    held = {(wallet(1), token(2)), (wallet(2), token(1))}
    for address, token_id in held:
        await world.rows.put("positions_current", [{
            "wallet_address": address, "token_id": token_id, "condition_id": condition(1), "size": "5", "redeemable": False,
            "mergeable": False, "opened_at": "2026-01-01", "opened_snapshot": 1, "last_seen_at": "2026-01-01", "raw": {},
        }])  # fmt: skip
    return Made(rows, held)


def expected(made, keep, traders=(1, 2)):
    mine = [one for one in made.rows if one["trader_wallet"] in map(wallet, traders) and keep(one)]
    return [
        one["trade_id"] for one in sorted(mine, key=lambda one: (one["trade_timestamp"], one["trade_id"]), reverse=True)
    ]


def usd(one):
    return Decimal(one["price"]) * Decimal(one["size"])


FILTERS = {
    "": lambda one, made: True,
    "&usdMin=60": lambda one, made: usd(one) >= 60,
    "&priceMin=0.2&priceMax=0.3": lambda one, made: Decimal("0.2") <= Decimal(one["price"]) <= Decimal("0.3"),
    "&priceMin=0.5&side=SELL": lambda one, made: Decimal(one["price"]) >= Decimal("0.5") and one["side"] == "SELL",
    "&category=CRYPTO": lambda one, made: one["condition_id"] == condition(1),
    "&category=SPORTS&usdMin=100": lambda one, made: one["condition_id"] == condition(2) and usd(one) >= 100,
    "&category=OTHER": lambda one, made: one["condition_id"] == condition(4),
    "&category=CULTURE": lambda one, made: False,
    "&live=1": lambda one, made: one["condition_id"] == condition(2),
    "&held=1": lambda one, made: (one["trader_wallet"], one["asset"]) in made.held,
    "&endsWithinH=8784": lambda one, made: False,
    f"&wallet={wallet(2)}&usdMin=10": lambda one, made: one["trader_wallet"] == wallet(2) and usd(one) >= 10,
    f"&wallet={wallet(1)}&wallet={wallet(2)}": lambda one, made: True,
    f"&conditionId={condition(3)}&priceMax=0.5": (
        lambda one, made: one["condition_id"] == condition(3) and Decimal(one["price"]) <= Decimal("0.5")
    ),
}


async def test_every_walk_through_filtered_pages_is_the_filtered_list(world, made):
    ann = await world.visitor("ann")
    for query, keep in FILTERS.items():
        for limit in (3, 50):
            found = await ids(world, ann, query, limit)
            assert found == expected(made, lambda one, keep=keep: keep(one, made)), query


async def test_a_score_is_that_of_the_signal(world, made):
    ann = await world.visitor("ann")
    page = json_of(await world.get(f"{PATH}?limit=200&signal=1", ann))
    scores = {one["tradeId"]: one["signal"]["score"] for one in page["trades"]}
    wanted = [one for one in await ids(world, ann, limit=50) if one in scores and scores[one] >= 55]
    assert 10 < len(wanted) < len(scores)
    found = await ids(world, ann, "&scoreMin=55", 50)
    assert [one for one in found if one in scores] == wanted


async def test_copies_are_those_of_ones_own_strategies_whether_the_trader_is_followed_or_not(world, made):
    ann, bob = await world.visitor("ann"), await world.visitor("bob")
    for owner, name in ((ann, "A1"), (ann, "A2"), (bob, "B1")):
        await world.strategy(name, owner)
    copied = {
        "A1": [f"trade-{n}" for n in range(0, 400, 5)],
        "A2": [f"trade-{n}" for n in range(0, 400, 7)],
        "B1": ["trade-1"],
    }
    for name, trade_ids in copied.items():
        await world.copies(name, trade_ids)
    everybody = (1, 2, 3)
    both = {*copied["A1"], *copied["A2"]}
    assert await ids(world, ann, "&copied=1") == expected(made, lambda one: one["trade_id"] in both, everybody)
    assert await ids(world, bob, "&copied=1") == ["trade-1"]
    only = expected(made, lambda one: one["trade_id"] in copied["A2"], everybody)
    assert await ids(world, ann, "&strategy=A2") == await ids(world, ann, "&copied=1&strategy=A2") == only
    some = expected(made, lambda one: one["trade_id"] in copied["A2"] and usd(one) >= 60, everybody)
    assert await ids(world, ann, "&strategy=A2&usdMin=60", 3) == some
    here = expected(made, lambda one: one["trade_id"] in both and one["condition_id"] == condition(1), everybody)
    assert await ids(world, ann, f"&copied=1&conditionId={condition(1)}") == here
    assert (await world.get(f"{PATH}?strategy=B1", ann)).status == 400
    page = json_of(await world.get(f"{PATH}?limit=1&signal=1&strategy=A1", ann))
    names = {one["walletId"] for one in page["trades"][0]["copiedBy"]}
    assert names == {name for name in ("A1", "A2") if page["trades"][0]["tradeId"] in copied[name]}


async def test_a_search_looks_at_a_bounded_number_of_trades(world, made):
    ann = await world.visitor("ann")
    page = json_of(await world.get(f"{PATH}?limit=50&category=CULTURE", ann))
    assert (page["trades"], page["nextCursor"] is None) == ([], False)
