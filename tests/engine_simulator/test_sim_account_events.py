"""What accounts do beside trading: redemptions, merges, splits and payments, as the Data API shows them."""

import json

import pytest
from simulator_clients import WALLET, SetClock, payload, row, running

from engine.simulator.account_events import PAYMENTS, EventKind

LOSER, KEEPER = "0x" + "cd" * 20, "0x" + "ef" * 20
DAY_MS = 86_400_000


async def first_market(venue):
    """Condition and tokens of the first market."""
    market = (await venue.gamma("/markets?limit=1")).json()[0]
    return market["conditionId"], json.loads(market["clobTokenIds"])


async def decided(venue):
    """One winner with both tokens, one with the loser's token only, one who keeps his winnings. The first outcome wins."""
    condition, (yes, no) = await first_market(venue)
    await venue.emit(
        row(asset=yes, size=30, price=0.4), row(asset=no, size=10, price=0.6), row(asset=no, size=7, proxyWallet=LOSER),
        row(asset=yes, size=5, price=0.5, proxyWallet=KEEPER),
    )  # fmt: skip
    await venue.control("/resolve", {"condition_id": condition, "payouts": [1_000_000, 0]})
    return condition, yes, no


async def rows_of(venue, wallet=WALLET, **more):
    return (await venue.data("/v2/positions", user=wallet, **more)).json()["data"]


async def test_a_redemption_closes_winner_and_loser_at_its_own_time():
    clock = SetClock()
    async with running(clock) as venue:
        condition, yes, no = await decided(venue)
        assert {each["status"] for each in await rows_of(venue)} == {"REDEEMABLE", "REDEEMABLE_LOST"}
        clock.time_ms += 2 * DAY_MS
        assert await venue.control("/redeem", {"wallets": [WALLET], "condition_id": condition}) == {
            "redeemed": [WALLET]
        }
        closed = {each["token_id"]: each for each in await rows_of(venue, status="CLOSED")}
        old = {each["asset"]: each for each in (await venue.data("/closed-positions", user=WALLET)).json()}
        assert await rows_of(venue) == []
        assert (await venue.data("/positions", user=WALLET, sizeThreshold=0)).json() == []
        assert [each["status"] for each in await rows_of(venue, LOSER)] == ["REDEEMABLE_LOST"]
        assert [each["status"] for each in await rows_of(venue, KEEPER)] == ["REDEEMABLE"]
    assert closed[yes]["realized_pnl"] == old[yes]["realizedPnl"] == pytest.approx(18)
    assert closed[no]["realized_pnl"] == old[no]["realizedPnl"] == pytest.approx(-6)
    assert {each["last_event_at"] for each in closed.values()} == {clock.time_ms // 1000}
    assert {each["timestamp"] for each in old.values()} == {clock.time_ms // 1000}
    assert [closed[yes]["total_size"], old[no]["totalBought"]] == [30, 10]


async def test_everybody_who_holds_may_redeem_at_once_and_only_once():
    async with running() as venue:
        condition, *_ = await decided(venue)
        everybody = {"wallets": None, "condition_id": condition}
        assert sorted((await venue.control("/redeem", everybody))["redeemed"]) == sorted([WALLET, LOSER, KEEPER])
        assert (await venue.control("/redeem", everybody))["redeemed"] == []
        (row_,) = (await venue.data("/v2/activity", user=LOSER, type="REDEEM")).json()["data"]
        assert (row_["size"], row_["usdc_size"]) == (0, 0)


async def test_rows_of_redemptions_are_like_recorded_ones_in_both_versions():
    recorded = payload("data-api-v1.activity.real.2026-07-14.json")
    redeemed = next(each for each in recorded if each["type"] == "REDEEM")
    reward = next(each for each in recorded if each["type"] == "REWARD")
    (trade_v2,) = payload("data-api-v2.activity.real.2026-09-08.json")
    async with running() as venue:
        condition, *_ = await decided(venue)
        await venue.control("/redeem", {"condition_id": condition})
        await venue.control("/payments", {"wallet": WALLET, "type": "REWARD", "usd": 3249.99909})
        old = {each["type"]: each for each in (await venue.data("/activity", user=WALLET)).json()}
        new = {each["type"]: each for each in (await venue.data("/v2/activity", user=WALLET)).json()["data"]}
    assert old.keys() == new.keys() == {"TRADE", "REDEEM", "REWARD"}
    for ours, theirs in ((old["REDEEM"], redeemed), (old["REWARD"], reward)):
        assert ours.keys() == theirs.keys()
        for name in ("asset", "side", "price", "outcomeIndex", "outcome"):
            assert ours[name] == theirs[name], name
    assert (old["REDEEM"]["conditionId"], old["REDEEM"]["size"], old["REDEEM"]["usdcSize"]) == (condition, 30, 30)
    assert (old["REWARD"]["conditionId"], old["REWARD"]["size"]) == ("", reward["size"])
    assert list(new["REDEEM"]) == list(new["REWARD"]) == list(trade_v2)


async def test_pairs_are_split_and_merged_at_half_a_dollar_each():
    async with running() as venue:
        condition, (yes, no) = await first_market(venue)
        await venue.emit(row(asset=yes, size=10, price=0.3))
        await venue.control("/split", {"wallet": WALLET, "condition_id": condition, "shares": 4})
        held = {each["token_id"]: each for each in await rows_of(venue)}
        assert (held[yes]["current_size"], held[no]["current_size"]) == (14, 4)
        assert (held[yes]["entry_cost_usdc"], held[no]["entry_cost_usdc"]) == (5, 2)
        assert held[yes]["mergeable"] is held[no]["mergeable"] is True
        assert await venue.control("/merge", {"wallet": WALLET, "condition_id": condition}) == {"merged": 4}
        (left,) = await rows_of(venue)
        assert (left["token_id"], left["current_size"], left["mergeable"]) == (yes, 10, False)
        # Four of fourteen that cost 5: 2.00 less 1.428572, the cost rounded down.
        assert left["realized_pnl"] == pytest.approx(0.571429)
        (closed,) = await rows_of(venue, status="CLOSED")
        assert (closed["token_id"], closed["realized_pnl"]) == (no, 0)
        kinds = [each["type"] for each in (await venue.data("/v2/activity", user=WALLET)).json()["data"]]
        assert kinds == ["MERGE", "SPLIT", "TRADE"]


async def test_activity_is_asked_by_type_time_side_and_order():
    clock = SetClock()
    async with running(clock) as venue:
        condition, *_ = await decided(venue)
        began_s = clock.time_ms // 1000
        for number, kind in enumerate(("DEPOSIT", "MAKER_REBATE", "WITHDRAWAL")):
            body = {"wallet": WALLET, "type": kind, "usd": number + 1, "timestamp": began_s + 10 * number + 10}
            await venue.control("/payments", body)

        async def kinds(**more):
            new = (await venue.data("/v2/activity", user=WALLET, **more)).json()["data"]
            return [each["type"] for each in new]

        assert await kinds() == ["WITHDRAWAL", "MAKER_REBATE", "DEPOSIT", "TRADE", "TRADE"]
        assert await kinds(sort_direction="ASC") == ["TRADE", "TRADE", "DEPOSIT", "MAKER_REBATE", "WITHDRAWAL"]
        assert await kinds(exclude_deposits_withdrawals="true") == ["MAKER_REBATE", "TRADE", "TRADE"]
        assert await kinds(type="DEPOSIT,TRADE") == ["DEPOSIT", "TRADE", "TRADE"]
        assert await kinds(start=began_s + 10, end=began_s + 20) == ["MAKER_REBATE", "DEPOSIT"]
        assert await kinds(side="BUY") == ["TRADE", "TRADE"]
        assert await kinds(condition_id=condition) == ["TRADE", "TRADE"]
        assert (await venue.data("/v2/activity", user=WALLET, type="DANCE")).status_code == 400
        old = (await venue.data("/activity", user=WALLET, limit=2, offset=1)).json()
        assert [each["type"] for each in old] == ["MAKER_REBATE", "DEPOSIT"]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_cursors_go_through_trades_and_everything_else_in_one_order(direction):
    async with running() as venue:
        condition, (yes, _) = await first_market(venue)
        for number in range(12):
            await venue.emit(row(asset=yes, size=number + 1))
            await venue.control("/payments", {"wallet": WALLET, "type": "TIP", "usd": number + 1})
        await venue.control("/resolve", {"condition_id": condition, "payouts": [0, 1_000_000]})
        await venue.control("/redeem", {"condition_id": condition})
        query = {"user": WALLET, "sort_direction": direction}
        whole = (await venue.data("/v2/activity", **query)).json()["data"]
        pages, cursor = [], {}
        while True:
            page = (await venue.data("/v2/activity", limit=4, **query, **cursor)).json()
            pages += page["data"]
            if page["pagination"]["next_cursor"] is None:
                break
            cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert pages == whole
    assert len(whole) == 25


async def test_what_makes_no_sense_is_refused_with_a_reason():
    async with running() as venue:
        condition, (yes, _) = await first_market(venue)
        await venue.emit(row(asset=yes, size=10))
        wrong = [
            ("/redeem", {"condition_id": "0x1"}), ("/redeem", {"condition_id": condition}),
            ("/redeem", {"condition_id": condition, "wallets": "all"}),
            ("/merge", {"wallet": WALLET, "condition_id": condition}),
            ("/merge", {"wallet": WALLET, "condition_id": condition, "shares": 0}),
            ("/split", {"wallet": WALLET, "condition_id": condition, "shares": "much"}),
            ("/split", {"condition_id": condition, "shares": 1}),
            ("/payments", {"wallet": WALLET, "type": "MERGE", "usd": 1}),
            ("/payments", {"wallet": WALLET, "type": "REWARD", "usd": 1, "timestamp": "now"}),
            ("/payments", {"wallet": WALLET, "type": "REWARD", "usd": 1, "colour": "red"}),
        ]  # fmt: skip
        for path, body in wrong:
            response = await venue.http.post(venue.urls.control_url + path, json=body)
            assert response.status_code == 400, (path, body)
            assert response.json()["error"]
        assert (await venue.state())["account_events"] == 0


async def test_events_become_visible_with_the_lag_of_the_data_api():
    clock = SetClock(1_795_000_000_000)
    async with running(clock, lag_scale=1.0) as venue:
        condition, *_ = await decided(venue)
        clock.time_ms += 20_000
        await venue.control("/redeem", {"condition_id": condition})
        assert len(await rows_of(venue)) == 2
        clock.time_ms += 8_000
        assert await rows_of(venue) == []


def test_kinds_that_move_money_are_those_without_a_market():
    assert {EventKind.SPLIT, EventKind.MERGE, EventKind.REDEEM}.isdisjoint(PAYMENTS)
    assert {EventKind.REWARD, EventKind.MAKER_REBATE, EventKind.TAKER_REBATE, EventKind.DEPOSIT} <= PAYMENTS
