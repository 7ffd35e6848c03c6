import json

import pytest
from simulator_clients import WALLET, payload, row, running

OTHER = "0x" + "cd" * 20


async def tokens_of_first_market(venue):
    return json.loads((await venue.gamma("/markets?limit=1")).json()[0]["clobTokenIds"])


async def trade_some(venue):
    """Buys 30 for 12 USD, sells 10 of them for 6; the price ends at 0.6."""
    yes, _ = await tokens_of_first_market(venue)
    await venue.emit(row(asset=yes, size=10, price=0.3), row(asset=yes, size=20, price=0.45))
    await venue.emit(row(asset=yes, size=10, price=0.6, side="SELL"))
    return yes


async def test_positions_have_the_fields_of_recorded_ones_and_add_up():
    (recorded,) = payload("data-api-v2.positions.real.2026-09-08.json")
    async with running() as venue:
        yes = await trade_some(venue)
        (position,) = (await venue.data("/v2/positions", user=WALLET)).json()["data"]
        value = (await venue.data("/v2/value", user=WALLET)).json()
    assert list(position) == list(recorded)
    for name, expected in recorded.items():
        assert type(position[name]) is type(expected), name
    assert position["token_id"] == yes
    assert position["current_size"] == 20
    assert position["avg_price"] == pytest.approx(0.4)
    assert position["entry_cost_usdc"] == pytest.approx(8)
    assert position["realized_pnl"] == pytest.approx(2)
    assert position["unrealized_pnl"] == pytest.approx(4)
    assert position["current_value"] == pytest.approx(12)
    assert position["total_size"] == 30
    assert position["status"] == "OPEN"
    assert value == {"data": {"proxy_wallet": WALLET, "value": 12.0}}


async def test_positions_are_hidden_below_a_tenth_of_a_share_and_found_by_status():
    async with running() as venue:
        yes, no = await tokens_of_first_market(venue)
        await venue.emit(row(asset=yes, size=0.05), row(asset=no, size=3))
        visible = (await venue.data("/v2/positions", user=WALLET)).json()["data"]
        assert [position["token_id"] for position in visible] == [no]
        mergeable = {"status": "MERGEABLE", "filter_amount": "0"}
        assert len((await venue.data("/v2/positions", user=WALLET, **mergeable)).json()["data"]) == 2
        await venue.emit(row(asset=no, size=3, side="SELL"))
        (closed,) = (await venue.data("/v2/positions", user=WALLET, status="CLOSED")).json()["data"]
        assert closed["current_size"] == 0
        assert (await venue.data("/v2/positions")).status_code == 400


async def test_positions_of_a_market_and_pages_of_them():
    async with running() as venue:
        yes, _ = await tokens_of_first_market(venue)
        condition = (await venue.gamma(f"/markets?clob_token_ids={yes}")).json()[0]["conditionId"]
        await venue.emit(*[row(asset=yes, size=size, proxyWallet=f"0x{size:040x}") for size in range(1, 8)])
        query = {"condition_id": condition, "sort_by": "TOKENS"}
        first = (await venue.data("/v2/positions", limit=4, **query)).json()
        assert [position["current_size"] for position in first["data"]] == [7, 6, 5, 4]
        rest = (await venue.data("/v2/positions", cursor=first["pagination"]["next_cursor"], **query)).json()
        assert [position["current_size"] for position in rest["data"]] == [3, 2, 1]
        assert rest["pagination"]["next_cursor"] is None


async def test_resolved_positions_are_redeemable_or_lost():
    async with running(start_paused=False, speed=None, life_scale=0.02) as venue:
        await venue.until(lambda state: state["markets"]["resolved"] >= 2)
        markets = (await venue.gamma("/markets?closed=true&uma_resolution_status=resolved&limit=100")).json()
        statuses = set()
        for market in markets:
            prices = json.loads(market["outcomePrices"])
            tokens = json.loads(market["clobTokenIds"])
            query = {"condition_id": market["conditionId"], "filter_amount": "0.000001"}
            for position in (await venue.data("/v2/positions", **query)).json()["data"]:
                worth = float(prices[tokens.index(position["token_id"])])
                assert position["current_price"] == worth
                assert position["redeemable"] is True
                assert position["status"] == ("REDEEMABLE" if worth else "REDEEMABLE_LOST")
                statuses.add(position["status"])
        assert statuses


async def test_leaderboards_rank_by_profit_or_shares():
    recorded = payload("data-api-v2.leaderboard.real.2026-09-08.json")
    recorded_v1 = payload("data-api-v1.leaderboard.real.2026-07.json")
    async with running() as venue:
        yes = await trade_some(venue)
        await venue.emit(row(asset=yes, size=500, price=0.6, proxyWallet=OTHER))
        by_profit = (await venue.data("/v2/leaderboard", time_period="all")).json()["data"]
        assert [entry["user_id"] for entry in by_profit] == [WALLET, OTHER]
        assert list(by_profit[0]) == list(recorded[0])
        assert by_profit[0]["rank"] == 1
        assert by_profit[0]["pnl"] == pytest.approx(6)
        by_volume = (await venue.data("/v2/leaderboard", sort_by="VOLUME")).json()["data"]
        assert [entry["user_id"] for entry in by_volume] == [OTHER, WALLET]
        assert by_volume[0]["volume"] == 500
        own = (await venue.data("/v2/leaderboard", user=WALLET)).json()["data"]
        assert (own["rank_pnl"], own["rank_volume"]) == (1, 2)
        old = (await venue.data("/v1/leaderboard", timePeriod="ALL", orderBy="VOL")).json()
        assert list(old[0]) == list(recorded_v1[0])
        assert [entry["rank"] for entry in old] == ["1", "2"]
        assert old[0]["proxyWallet"] == OTHER


async def test_the_leaderboard_of_someone_who_never_traded_is_null():
    async with running() as venue:
        assert (await venue.data("/v2/leaderboard", user=OTHER)).json() == {"data": None}


async def test_v1_rows_have_the_fields_of_recorded_ones():
    trades = payload("data-api-v1.trades.real.2026-07-17.json")
    activity = payload("data-api-v1.activity.real.2026-07-14.json")
    positions = payload("data-api-v1.positions.real.2026-07.json")
    closed = payload("data-api-v1.closed-positions.real.2026-05.json")
    async with running() as venue:
        yes = await trade_some(venue)
        ours = {
            "/trades": (await venue.data("/trades", user=WALLET)).json(),
            "/activity": (await venue.data("/activity", user=WALLET)).json(),
            "/positions": (await venue.data("/positions", user=WALLET)).json(),
        }
        await venue.emit(row(asset=yes, size=20, price=0.6, side="SELL"))
        ours["/closed-positions"] = (await venue.data("/closed-positions", user=WALLET)).json()
        assert (await venue.data("/value", user=WALLET)).json() == [{"user": WALLET, "value": 0.0}]
    recorded = {"/trades": trades, "/activity": activity, "/positions": positions, "/closed-positions": closed}
    for path, rows in recorded.items():
        assert ours[path][0].keys() == rows[0].keys(), path
    assert [each["size"] for each in ours["/trades"]] == [10, 20, 10]


async def test_v1_hides_makers_and_small_positions_by_default():
    async with running() as venue:
        await venue.emit(row(transactionHash="0x1"), row(transactionHash="0x1", proxyWallet=OTHER, size=0.5))
        assert len((await venue.data("/trades")).json()) == 1
        assert len((await venue.data("/trades", takerOnly="false")).json()) == 2
        assert (await venue.data("/positions", user=OTHER)).json() == []
        assert len((await venue.data("/positions", user=OTHER, sizeThreshold="0")).json()) == 1


@pytest.mark.parametrize("refused", [False, True])
async def test_v1_offsets_beyond_the_cap_repeat_the_last_page_or_are_refused(refused):
    async with running(v1_offset_refused=refused) as venue:
        await venue.emit(*[row(size=number) for number in range(1, 10_021)])
        last = (await venue.data("/trades", limit=10, offset=10_000)).json()
        assert [each["size"] for each in last] == list(range(20, 10, -1))
        beyond = await venue.data("/trades", limit=10, offset=10_010)
        if refused:
            assert beyond.status_code == 400
            assert beyond.json()["error"]
        else:
            assert beyond.json() == last


async def test_v1_can_be_retired():
    async with running(v1_retired=True) as venue:
        for path in ("/trades", "/activity", "/positions", "/v1/leaderboard"):
            assert (await venue.data(path, user=WALLET)).status_code == 404
        assert (await venue.data("/v2/trades")).status_code == 200
