import json
import re

import pytest
from simulator_clients import payload, row, running


async def test_markets_have_the_fields_and_types_of_recorded_ones():
    recorded = payload("gamma.market-open.real.2026-10-05.json")
    async with running() as venue:
        (market,) = (await venue.gamma("/markets?limit=1")).json()
    shared = market.keys() & recorded.keys()
    assert len(shared) > 40
    for name in shared:
        pair = {type(market[name]), type(recorded[name])}
        assert len(pair) == 1 or pair == {int, float}, name
    needed = {"id", "conditionId", "slug", "question", "outcomes", "outcomePrices", "clobTokenIds", "active", "closed"}
    assert needed | {"acceptingOrders", "orderPriceMinTickSize", "orderMinSize", "negRisk", "feeSchedule"} <= shared


async def test_lists_inside_are_json_in_strings():
    async with running() as venue:
        (market,) = (await venue.gamma("/markets?limit=1")).json()
        outcomes, prices, tokens = (json.loads(market[name]) for name in ("outcomes", "outcomePrices", "clobTokenIds"))
        assert len(outcomes) == len(prices) == len(tokens) == 2
        assert float(prices[0]) + float(prices[1]) == pytest.approx(1)
        assert all(token.isdigit() for token in tokens)


async def test_ids_are_repeated_parameters():
    async with running() as venue:
        markets = (await venue.gamma("/markets?limit=5")).json()
        conditions = [market["conditionId"] for market in markets]
        found = (await venue.gamma("/markets", [("condition_ids", each) for each in conditions[1:4]])).json()
        assert [market["conditionId"] for market in found] == conditions[1:4]
        token = json.loads(markets[2]["clobTokenIds"])[1]
        assert [each["id"] for each in (await venue.gamma(f"/markets?clob_token_ids={token}")).json()] == [
            markets[2]["id"]
        ]
        assert (await venue.gamma(f"/markets?slug={markets[3]['slug']}")).json()[0]["id"] == markets[3]["id"]
        assert (await venue.gamma(f"/markets?id={markets[4]['id']}")).json()[0]["id"] == markets[4]["id"]
        assert (await venue.gamma("/markets?condition_ids=0x00")).json() == []


async def test_an_unknown_filter_is_ignored_and_unrelated_markets_come_back():
    async with running() as venue:
        markets = (await venue.gamma("/markets?limit=20")).json()
        last = markets[-1]["conditionId"]
        wrong = (await venue.gamma(f"/markets?condition_id={last}&limit=1")).json()
        assert wrong[0]["conditionId"] == markets[0]["conditionId"] != last


async def test_the_legacy_list_defaults_to_twenty_and_says_that_it_is_deprecated():
    async with running(markets=50) as venue:
        response = await venue.gamma("/markets")
        assert len(response.json()) == 20
        assert response.headers["deprecation"] == "true"
        assert response.headers["sunset"].startswith("Fri, 01 May 2026")
        assert response.headers["warning"].startswith("299")
        second = (await venue.gamma("/markets?limit=20&offset=20")).json()
        assert not {each["id"] for each in second} & {each["id"] for each in response.json()}


async def test_keyset_pages_cover_everything_once():
    async with running(markets=45) as venue:
        seen = []
        cursor = ""
        while True:
            page = (await venue.gamma("/markets/keyset?limit=20" + cursor)).json()
            seen += [market["id"] for market in page["markets"]]
            if "next_cursor" not in page:
                break
            cursor = f"&after_cursor={page['next_cursor']}"
        assert len(seen) == len(set(seen)) == 45
        for wrong in ("offset=20", "limit=101", "limit=0", "after_cursor=nonsense"):
            assert (await venue.gamma(f"/markets/keyset?{wrong}")).status_code == 422


async def test_single_markets_by_id_and_slug():
    async with running() as venue:
        market = (await venue.gamma("/markets?limit=1")).json()[0]
        assert (await venue.gamma(f"/markets/{market['id']}")).json()["conditionId"] == market["conditionId"]
        assert (await venue.gamma(f"/markets/slug/{market['slug']}")).json()["id"] == market["id"]
        assert (await venue.gamma("/markets/1")).status_code == 404
        assert (await venue.gamma("/markets/slug/none")).status_code == 404


async def closed_markets(venue):
    await venue.until(lambda state: state["markets"]["resolved"] >= 3)
    return (await venue.gamma("/markets?closed=true&limit=100")).json()


async def test_resolved_markets_look_like_recorded_ones():
    recorded = payload("gamma.market-resolved.real.2026-07-24.json")
    async with running(start_paused=False, speed=None, life_scale=0.02) as venue:
        await venue.until(lambda state: state["markets"]["resolved"] >= 3)
        markets = (await venue.gamma("/markets?closed=true&uma_resolution_status=resolved&limit=100")).json()
        assert len(markets) >= 3
        for market in markets:
            assert market["closed"] is True
            assert market["acceptingOrders"] is False
            assert market["umaResolutionStatus"] == recorded["umaResolutionStatus"] == "resolved"
            assert sorted(json.loads(market["outcomePrices"])) in (["0", "1"], ["0.5", "0.5"])
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00", market["closedTime"])
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00", recorded["closedTime"])
        condition = markets[0]["conditionId"]
        assert (await venue.gamma(f"/markets?condition_ids={condition}")).json()[0]["closed"] is True
        assert (await venue.gamma(f"/markets?condition_ids={condition}&closed=false")).json() == []
        resolution = (await venue.data("/v2/resolutions", condition_id=condition)).json()["data"][0]
        payouts = [float(price) * 1_000_000 for price in json.loads(markets[0]["outcomePrices"])]
        assert resolution["payouts"] == payouts
        winners = [token["winner"] for token in (await venue.clob(f"/markets/{condition}")).json()["tokens"]]
        assert winners == [payout == 1_000_000 for payout in payouts]


async def test_the_default_list_can_be_made_to_leave_out_closed_markets():
    async with running(start_paused=False, speed=None, life_scale=0.02, gamma_default_open_only=True) as venue:
        closed = await closed_markets(venue)
        condition = closed[0]["conditionId"]
        assert (await venue.gamma(f"/markets?condition_ids={condition}")).json() == []
        assert (await venue.gamma(f"/markets?condition_ids={condition}&closed=true")).json()


async def test_some_markets_lack_volume_and_best_bid():
    async with running(markets=300) as venue:
        markets = (await venue.gamma("/markets?limit=500")).json()
        assert len(markets) == 300
        assert 15 <= sum("volume" not in market for market in markets) <= 90
        assert 60 <= sum("bestBid" not in market for market in markets) <= 150


async def test_prices_follow_trades():
    async with running() as venue:
        market = (await venue.gamma("/markets?limit=1")).json()[0]
        token = json.loads(market["clobTokenIds"])[1]
        await venue.emit(row(asset=token, price=0.625))
        market = (await venue.gamma(f"/markets/{market['id']}")).json()
        assert json.loads(market["outcomePrices"]) == ["0.375", "0.625"]
        assert market["lastTradePrice"] == 0.625
