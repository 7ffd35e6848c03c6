import json

import pytest
from simulator_clients import row, running

from engine.simulator.market import MarketDirectory, MarketState
from engine.simulator.platform import Platform

VOID = [500_000, 500_000]


async def first_market(venue):
    return (await venue.gamma("/markets", {"limit": 1, "include_tag": "true"})).json()[0]


@pytest.mark.parametrize("payouts", [[1_000_000, 0], [0, 1_000_000], VOID])
async def test_a_market_is_resolved_on_command_and_gamma_and_the_data_api_agree(payouts):
    async with running() as venue:
        condition_id = (await first_market(venue))["conditionId"]
        before = (await venue.data("/v2/resolutions", condition_id=condition_id)).json()["data"]
        assert before == []
        closed = await venue.control("/resolve", {"condition_id": condition_id})
        assert closed["state"] == "closed"
        (posed,) = (await venue.data("/v2/resolutions", condition_id=condition_id, _=1)).json()["data"]
        assert posed["status"] == "posed"
        assert "payouts" not in posed
        told = await venue.control("/resolve", {"condition_id": condition_id, "payouts": payouts})
        assert told == {"condition_id": condition_id, "state": "resolved", "payouts": payouts}
        again = await venue.control("/resolve", {"condition_id": condition_id, "payouts": payouts[::-1]})
        assert again["payouts"] == payouts
        (said,) = (await venue.data("/v2/resolutions", condition_id=condition_id, _=2)).json()["data"]
        assert said["payouts"] == payouts
        (listed,) = (await venue.gamma("/markets", {"condition_ids": condition_id})).json()
        assert listed["closed"] is True
        assert listed["umaResolutionStatus"] == "resolved"
        assert [float(price) * 1_000_000 for price in json.loads(listed["outcomePrices"])] == payouts


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"condition_id": "0x1", "payouts": [1_000_000, 0]},
        {"payouts": [1]},
        {"payouts": [2_000_000, -1_000_000]},
        {"payouts": [1_000_000, 1]},
        {"payouts": ["1000000", 0]},
        {"winner": 1},
    ],
)
async def test_a_verdict_that_makes_no_sense_is_refused(body):
    async with running() as venue:
        market = await first_market(venue)
        body = {"condition_id": market["conditionId"]} | body if body else body
        answer = await venue.http.post(venue.urls.control_url + "/resolve", json=body)
        assert answer.status_code == 400
        assert (await first_market(venue))["closed"] is False


async def test_gamma_tells_fees_games_and_tags():
    async with running(markets=60) as venue:
        markets = (await venue.gamma("/markets", {"limit": 60, "include_tag": "true"})).json()
        assert all(market["feesEnabled"] and market["feeSchedule"]["rate"] > 0 for market in markets)
        games = [market for market in markets if "gameStartTime" in market]
        assert 0 < len(games) < 60
        assert all("Sports" in [tag["label"] for tag in market["tags"]] for market in games)
        untagged = (await venue.gamma("/markets", {"limit": 60})).json()
        assert not any("tags" in market for market in untagged)


def test_markets_of_a_short_life_close_and_resolve_within_a_demo():
    directory = MarketDirectory()
    platform = Platform(directory, seed=3, origin_ms=1_795_000_000_000, wallets=200, markets=60, life_scale=0.02)
    began = set(directory)
    while platform.describe()["offset_s"] < 60:
        for change in (block := platform.next_block()).before:
            change(1_795_000_000_000 + round(block.offset_s * 1000))
    resolved = [market for market in directory if market.state is MarketState.RESOLVED]
    assert len(resolved) >= 20
    assert began.intersection(resolved)
    assert all(sum(market.payouts) == 1_000_000 for market in resolved)


async def test_what_a_trader_holds_of_one_market_is_told_by_both_versions():
    async with running() as venue:
        market = await first_market(venue)
        token = json.loads(market["clobTokenIds"])[0]
        await venue.emit(row(asset=token, conditionId=market["conditionId"], size=7.25))
        wallet, condition_id = row()["proxyWallet"], market["conditionId"]
        v2 = await venue.data("/v2/positions", user=wallet, condition_id=condition_id, status="OPEN")
        assert [(each["token_id"], each["current_size"]) for each in v2.json()["data"]] == [(token, 7.25)]
        v1 = await venue.data("/positions", user=wallet, market=condition_id, sizeThreshold=0)
        assert [(each["asset"], each["size"]) for each in v1.json()] == [(token, 7.25)]
