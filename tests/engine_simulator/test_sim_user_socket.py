import json
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
import trio
from clob_socket_clients import socket_of, user_socket
from simulator_clients import payload
from trading_client import Trader, trading

from protocols.venue.clob_account import OwnWallet, VenueFill
from protocols.venue.clob_auth import ApiCreds
from protocols.venue.clob_user import read_user_frame


@asynccontextmanager
async def streaming(**options):
    async with trading(lag_scale=0.01) as trader, user_socket(trader.venue, trader.creds, **options) as client:
        yield trader, client


def shape(name, place=None):
    recorded = payload(name)
    return recorded if place is None else recorded[place]


async def test_an_order_is_placed_and_cancelled_as_recorded():
    async with streaming() as (trader, client):
        order_id = (await trader.buy("0.40", "10")).json()["orderID"]
        placed = await client.event()
        await trader.cancel(order_id)
        cancelled = await client.event()
    assert placed.keys() == shape("clob-ws.user-order-placement.real.2024-09.json").keys()
    assert (placed["type"], placed["status"], placed["id"]) == ("PLACEMENT", "LIVE", order_id)
    assert (placed["original_size"], placed["size_matched"], placed["price"]) == ("10", "0", "0.4")
    assert placed["associate_trades"] is None
    assert (placed["owner"], placed["order_owner"]) == (trader.creds.key, trader.creds.key)
    assert (len(placed["timestamp"]), len(placed["created_at"])) == (13, 10)
    assert cancelled.keys() == shape("clob-ws.user-order-cancellation.real.2024-09.json").keys()
    assert (cancelled["type"], cancelled["status"]) == ("CANCELLATION", "CANCELED")


async def test_a_taker_hears_of_every_step_of_his_trade():
    async with streaming() as (trader, client):
        await trader.book(asks=[["0.40", 15], ["0.41", 100]])
        answer = (await trader.buy("0.41", "8", order_type="FAK")).json()
        events = await client.events(4)
        listed = (await trader.call("GET", "/data/trades")).json()["data"][0]
    trades = [each for each in events if each["event_type"] == "trade"]
    assert [each["status"] for each in trades] == ["MATCHED", "MINED", "CONFIRMED"]
    assert {each["id"] for each in trades} == set(answer["tradeIDs"])
    assert [bool(each["transaction_hash"]) for each in trades] == [False, True, True]
    recorded = shape("clob-ws.user-trade-taker-matched.real.2024-09.json")
    assert trades[0].keys() == recorded.keys()
    assert trades[0]["maker_orders"][0].keys() >= recorded["maker_orders"][0].keys()
    # A maker may have bought the other outcome: then both together paid one dollar a pair.
    own = [
        Decimal(each["price"]) if each["asset_id"] == trader.token else 1 - Decimal(each["price"])
        for each in trades[0]["maker_orders"]
    ]
    assert own == [Decimal("0.4"), Decimal("0.41")]
    assert (trades[0]["trader_side"], trades[0]["owner"]) == ("TAKER", trader.creds.key)
    assert len(trades[0]["timestamp"]) == 10
    same = trades[2].keys() & listed.keys() - {"status"}
    assert {name: trades[2][name] for name in same} == {name: listed[name] for name in same}
    assert listed["status"] == "TRADE_STATUS_CONFIRMED"
    (order,) = [each for each in events if each["event_type"] == "order"]
    assert (order["type"], order["status"], order["associate_trades"]) == ("UPDATE", "MATCHED", answer["tradeIDs"])


async def test_a_maker_is_told_of_his_part_with_the_takers_fields():
    async with streaming() as (trader, client):
        order_id = (await trader.buy("0.40", "10")).json()["orderID"]
        other = Trader(trader.venue, trader.market, "another trader in tests")
        await other.start(positions={trader.token: 100})
        await other.sell("0.40", "6", order_type="FAK")
        events = [await client.event() for _ in range(3)]
    recorded = shape("clob-ws.user-trade-maker-confirmed.2025-11.redacted.json")
    assert (events[0]["type"], events[1]["type"]) == ("PLACEMENT", "UPDATE")
    assert (events[1]["status"], events[1]["size_matched"]) == ("LIVE", "6")
    trade = events[2]
    assert trade.keys() == recorded.keys()
    assert (trade["trader_side"], trade["side"], trade["owner"]) == ("MAKER", "SELL", other.creds.key)
    assert trade["maker_address"].lower() == other.address.lower()
    (mine,) = trade["maker_orders"]
    assert mine.keys() >= recorded["maker_orders"][0].keys()
    assert (mine["order_id"], mine["side"], mine["matched_amount"]) == (order_id, "BUY", "6")


async def test_a_killed_purchase_shows_its_dollars_and_empty_texts():
    async with streaming() as (trader, client):
        await trader.book(asks=[["0.60", 5]])
        answer = await trader.buy("0.60", "12", order_type="FOK")
        killed = await client.event()
    recorded = shape("clob-ws.user-order-fok-killed.2026-08.redacted.json", 0)
    assert answer.status_code == 400
    assert killed.keys() == recorded.keys()
    alike = ("type", "status", "original_size", "size_matched", "created_at", "outcome", "associate_trades", "price")
    assert {name: killed[name] for name in alike} == {name: recorded[name] for name in alike}


async def test_failed_and_repeated_settlement_is_told():
    async with streaming() as (trader, client):
        await trader.book(asks=[["0.40", 100]])
        for fault, statuses in (
            ("trade_failed", ["MATCHED", "FAILED"]),
            ("trade_retrying", ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]),
        ):
            await trader.venue.control("/order-faults", {"kind": fault, "count": 1})
            await trader.buy("0.40", "4", order_type="FAK")
            trades = [await client.next_of("trade") for _ in statuses]
            assert [each["status"] for each in trades] == statuses
        hashes = [each["transaction_hash"] for each in trades]
    assert "" not in hashes[1:]
    assert hashes[1] != hashes[2] == hashes[3]


@pytest.mark.parametrize("part", ["key", "secret", "passphrase", "nothing"])
async def test_wrong_credentials_end_the_connection(part):
    async with trading() as trader, socket_of(trader.venue, "user") as client:
        auth = trader.creds.socket_auth()
        wrong = {"key": {"apiKey": "0"}, "secret": {"secret": "AAAA"}, "passphrase": {"passphrase": "x"}}
        await client.send({"type": "user", "auth": auth | wrong.get(part, {}) if part != "nothing" else None})
        assert await client.close_code() == 1008


async def test_nothing_is_told_without_credentials_or_of_somebody_else():
    async with trading() as trader:
        other = Trader(trader.venue, trader.market, "another trader in tests")
        await other.start()
        async with socket_of(trader.venue, "user") as silent, user_socket(trader.venue, other.creds) as stranger:
            await trader.buy("0.40", "10")
            assert await silent.nothing_for()
            assert await stranger.nothing_for()


async def test_only_the_markets_that_were_asked_for_are_told():
    condition = "0x" + "9" * 64
    async with streaming(markets=[condition]) as (trader, client):
        await trader.buy("0.40", "10")
        assert await client.nothing_for()
        await client.send({"operation": "subscribe", "markets": [trader.market["conditionId"]]})
        await client.send("PING")
        assert await client.frame() == "PONG"
        await trader.buy("0.41", "10")
        assert (await client.event())["price"] == "0.41"
        await client.send({"operation": "unsubscribe", "markets": [trader.market["conditionId"]]})
        await client.send("PING")
        assert await client.frame() == "PONG"
        await trader.buy("0.42", "10")
        assert await client.nothing_for()


async def test_nothing_is_told_again_after_a_reconnect():
    async with streaming() as (trader, client):
        await trader.buy("0.40", "10")
        await client.event()
        await trader.venue.fault("ws_close", channel="user")
        assert await client.close_code() == 1001
        await trader.buy("0.41", "10")
        async with user_socket(trader.venue, trader.creds) as again:
            assert await again.nothing_for()
            await trader.buy("0.42", "10")
            assert (await again.event())["price"] == "0.42"


async def test_events_come_twice_in_another_order_or_not_at_all():
    async with streaming() as (trader, client):
        await trader.venue.control("/order-faults", {"kind": "socket_duplicate", "count": 1})
        await trader.buy("0.40", "10")
        first, second = await client.events(2)
        assert first == second
        await trader.venue.control("/order-faults", {"kind": "socket_reorder", "count": 1})
        await trader.buy("0.41", "10")
        await trader.buy("0.42", "10")
        assert [each["price"] for each in await client.events(2)] == ["0.42", "0.41"]
        await trader.venue.control("/order-faults", {"kind": "socket_lost", "count": 1})
        await trader.buy("0.43", "10")
        await trader.buy("0.44", "10")
        assert (await client.event())["price"] == "0.44"


async def test_an_event_that_nothing_overtakes_comes_after_a_while():
    async with streaming() as (trader, client):
        await trader.venue.control("/order-faults", {"kind": "socket_reorder", "count": 1})
        began = trio.current_time()
        await trader.buy("0.41", "10")
        assert (await client.event())["price"] == "0.41"
        assert trio.current_time() - began > 2


async def test_two_sockets_of_one_account_hear_the_same():
    async with streaming() as (trader, client), user_socket(trader.venue, trader.creds) as twin:
        await trader.buy("0.40", "10")
        assert await client.event() == await twin.event()


async def test_the_secrets_are_in_no_event_and_no_state():
    async with streaming() as (trader, client):
        await trader.buy("0.40", "10")
        auth = trader.creds.socket_auth()
        text = json.dumps([await client.event(), await trader.venue.state(), await trader.seen()])
    assert auth["secret"] not in text
    assert auth["passphrase"] not in text
    assert isinstance(trader.creds, ApiCreds)


async def test_the_engine_reads_the_same_fills_from_the_socket_as_from_the_exchange():
    async with streaming() as (trader, client):
        await trader.book(asks=[["0.40", 15], ["0.41", 100]])
        order_id = (await trader.buy("0.41", "8", order_type="FAK")).json()["orderID"]
        own = OwnWallet(trader.creds.key, trader.address.lower())
        news = [each for event in await client.events(4) for each in read_user_frame(json.dumps(event), own)]
        seen = await trader.seen()
    fills = [each for each in news if isinstance(each, VenueFill)]
    assert [each.status for each in fills] == ["MATCHED", "MINED", "CONFIRMED"]
    assert {(each.order_hash, each.token_id, each.side, each.role) for each in fills} == {
        (order_id, trader.token, "BUY", "TAKER")
    }
    assert {each.shares for each in fills} == {Decimal(str(seen["positions"][trader.token]))}


async def test_an_account_trades():
    """Money in, a purchase settled, the shares sold again, an order placed and taken back."""
    async with streaming() as (trader, client):
        await trader.book(bids=[["0.39", 100]], asks=[["0.40", 100]])
        bought = (await trader.buy("0.40", "8", order_type="FAK")).json()
        assert (bought["status"], bought["makingAmount"], bought["takingAmount"]) == ("matched", "8", "20")
        assert (await trader.seen())["positions"] == {}
        steps = [(await client.next_of("trade"))["status"] for _ in range(3)]
        assert steps == ["MATCHED", "MINED", "CONFIRMED"]
        holding = await trader.seen()
        fee_rate = (await trader.venue.clob(f"/clob-markets/{trader.market['conditionId']}")).json()["fd"]["r"]
        fee = 20 * fee_rate * 0.4 * 0.6
        assert holding["positions"] == {trader.token: 20}
        assert holding["collateral_usd"] == pytest.approx(100 - 8 - fee, abs=1e-5)
        sold = (await trader.sell("0.39", "20", order_type="FAK")).json()
        assert (sold["status"], sold["makingAmount"], sold["takingAmount"]) == ("matched", "20", "7.8")
        while (await client.next_of("trade"))["status"] != "CONFIRMED":
            pass
        fee += 20 * fee_rate * 0.39 * 0.61
        flat = await trader.seen()
        assert flat["positions"] == {}
        assert flat["collateral_usd"] == pytest.approx(100 - 8 + 7.8 - fee, abs=1e-4)
        resting = (await trader.buy("0.30", "10")).json()
        assert (resting["status"], resting["makingAmount"]) == ("live", "")
        assert (await trader.seen())["free_usd"] == pytest.approx(flat["collateral_usd"] - 3)
        assert (await trader.cancel(resting["orderID"])).json()["canceled"] == [resting["orderID"]]
        ended = await trader.seen()
    assert ended["free_usd"] == flat["collateral_usd"]
    assert [each["status"] for each in ended["orders"]][-1] == "ORDER_STATUS_CANCELED"
    assert len(ended["fills"]) == 2
