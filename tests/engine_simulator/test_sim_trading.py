"""The exchange through its sockets of HTTP: what the pure tests cannot see."""

import json
import time

import httpx
import pytest
import trio
from simulator_clients import MATCHED, TRADES, SetClock, running
from trading_client import trading


async def test_an_order_is_placed_read_and_cancelled():
    async with trading() as trader:
        order_hash, body = trader.order("0.40", "10")
        answer = (await trader.call("POST", "/order", body)).json()
        assert (answer["orderID"], answer["status"]) == (order_hash, "live")
        assert (await trader.call("GET", f"/data/order/{order_hash}")).json()["original_size"] == "10"
        listed = (await trader.call("GET", "/data/orders", query={"next_cursor": "MA=="})).json()
        assert [each["id"] for each in listed["data"]] == [order_hash]
        book = (await trader.venue.clob("/book", token_id=trader.token)).json()
        assert book["bids"] == [{"price": "0.4", "size": "10"}]
        cancel = await trader.call("DELETE", "/order", json.dumps({"orderID": order_hash}).encode())
        assert cancel.json() == {"canceled": [order_hash], "not_canceled": {}}
        assert cancel.headers["poly-ratelimit-tier"] == "standard"
        seen = await trader.seen()
    assert seen["posts"] == {order_hash: 1}
    assert (seen["collateral_usd"], seen["free_usd"]) == (100, 100)


async def test_a_fill_is_a_public_trade_of_the_wallet_everywhere():
    async with trading() as trader:
        await trader.book(asks=[["0.40", "100"]])
        async with trader.venue.rtds() as rtds:
            await rtds.subscribe(TRADES, MATCHED)
            assert (await trader.buy("0.40", "8", order_type="FAK")).json()["status"] == "matched"
            rows = [row["payload"] for row in await rtds.rows(3)]
        assert {row["proxyWallet"].lower() for row in rows} > {trader.address.lower()}
        mine = next(row for row in rows if row["proxyWallet"].lower() == trader.address.lower())
        assert (mine["side"], mine["size"], mine["price"], mine["asset"]) == ("BUY", 20, 0.4, trader.token)
        feed = (await trader.venue.data("/v2/trades", user=trader.address)).json()["data"]
        assert len(feed) == 1
        positions = (await trader.venue.data("/v2/positions", user=trader.address)).json()["data"]
        assert [each["current_size"] for each in positions] == [20]
        await trader.venue.control(
            "/resolve", {"condition_id": trader.market["conditionId"], "payouts": [1_000_000, 0]}
        )
        with trio.fail_after(5):
            while not (await trader.seen())["positions"]:
                await trio.sleep(0.02)
        paid = await trader.venue.control(
            f"/accounts/{trader.address}/redeem", {"condition_id": trader.market["conditionId"]}
        )
        assert (paid["paid_usd"], paid["positions"]) == (20, {})
        assert (await trader.venue.data("/v2/positions", user=trader.address)).json()["data"] == []
        trades = (await trader.call("GET", "/data/trades")).json()["data"]
    assert trades[0]["transaction_hash"] == mine["transactionHash"]


@pytest.mark.parametrize("how", ["close", "hang"])
async def test_an_answer_gets_lost_but_the_order_is_there(how):
    async with trading() as trader:
        await trader.venue.control("/order-faults", {"kind": "answer_lost", "count": 1, "how": how})
        order_hash, body = trader.order("0.40", "10")
        trader.venue.http.timeout = httpx.Timeout(0.3)
        with pytest.raises(httpx.RemoteProtocolError if how == "close" else httpx.ReadTimeout):
            await trader.call("POST", "/order", body)
        trader.venue.http.timeout = httpx.Timeout(10)
        assert (await trader.call("GET", f"/data/order/{order_hash}")).json()["status"] == "ORDER_STATUS_LIVE"
        again = await trader.call("POST", "/order", body)
        assert (again.status_code, "Duplicated" in again.json()["error"]) == (400, True)
        assert (await trader.seen())["posts"] == {order_hash: 2}


async def test_an_order_is_accepted_after_its_connection_died():
    async with trading() as trader:
        await trader.venue.control("/order-faults", {"kind": "accepted_late", "count": 1, "after_ms": 150})
        order_hash, body = trader.order("0.40", "10")
        with pytest.raises(httpx.RemoteProtocolError):
            await trader.call("POST", "/order", body)
        assert (await trader.call("GET", f"/data/order/{order_hash}")).status_code == 404
        with trio.fail_after(5):
            while (await trader.call("GET", f"/data/order/{order_hash}")).status_code == 404:
                await trio.sleep(0.02)
        assert (await trader.seen())["posts"] == {order_hash: 1}


async def test_error_pages_come_before_or_after_the_order_is_accepted():
    async with trading() as trader:
        for kind, orders in (("error_before", 0), ("error_after", 1)):
            await trader.venue.control("/order-faults", {"kind": kind, "count": 1, "status": 502})
            answer = await trader.buy("0.40", "10")
            assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
            assert len((await trader.seen())["orders"]) == orders
        faults = (await trader.venue.http.get(trader.venue.urls.control_url + "/order-faults")).json()
    assert faults == {"faults": [], "taken": {"error_before": 1, "error_after": 1}}


async def test_a_held_order_is_answered_when_its_time_has_come():
    async with trading() as trader:
        await trader.venue.control("/market", {"token_id": trader.token, "taker_delay": True})
        await trader.book(asks=[["0.40", "100"]])
        began = time.monotonic()
        assert (await trader.buy("0.40", "8", order_type="FAK")).json()["status"] == "matched"
        assert time.monotonic() - began > 0.24


async def test_modes_refuse_and_open_again():
    async with trading() as trader:
        await trader.venue.control("/modes", {"restart_s": 30})
        answer = await trader.buy("0.40", "10")
        assert (answer.status_code, answer.headers["retry-after"]) == (425, "30")
        assert (await trader.call("DELETE", "/cancel-all")).status_code == 425
        described = await trader.venue.control("/modes", {"open": True, "geoblocked": True})
        assert (described["restarting"], described["geoblocked"]) == (False, True)
        assert (await trader.buy("0.40", "10")).status_code == 403
        assert (await trader.venue.clob("/api/geoblock")).json()["blocked"] is True
        await trader.venue.control("/modes", {"geoblocked": False})
        assert (await trader.buy("0.40", "10")).status_code == 200


async def test_a_set_book_can_follow_the_market_again():
    async with trading() as trader:
        second = json.loads(trader.market["clobTokenIds"])[1]
        await trader.venue.control("/book", {"token_id": second, "bids": [["0.30", 7]], "asks": [["0.35", "9.5"]]})
        book = (await trader.venue.clob("/book", token_id=trader.token)).json()
        assert book["bids"] == [{"price": "0.65", "size": "9.5"}]
        assert book["asks"] == [{"price": "0.7", "size": "7"}]
        await trader.venue.control("/book", {"token_id": trader.token, "follow": True})
        assert len((await trader.venue.clob("/book", token_id=trader.token)).json()["bids"]) > 5


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/accounts", {"address": "0x1"}, "address"),
        ("/accounts", {"address": "0x" + "11" * 20, "signature_type": 4}, "signature_type"),
        ("/accounts", {"address": "0x" + "11" * 20, "collateral_usd": "many"}, "collateral_usd"),
        ("/accounts", {"address": "0x" + "11" * 20, "collateral_usd": -1}, "collateral_usd"),
        ("/accounts", {"address": "0x" + "11" * 20, "approved": ["x"]}, "approved"),
        ("/accounts", {"address": "0x" + "11" * 20, "positions": {"7": 1}}, "no market"),
        ("/accounts", {"wallet": 1}, "unknown"),
        ("/book", {"token_id": "7"}, "no market"),
        ("/modes", {"restart_s": "x"}, "restart_s"),
        ("/modes", {"tier": "x"}, "tier"),
        ("/order-faults", {"kind": "x"}, "unknown fault"),
        ("/order-faults", {}, "kind"),
    ],
)
async def test_control_refuses_what_it_cannot_do(path, body, reason):
    async with running() as venue:
        answer = await venue.http.post(venue.urls.control_url + path, json=body)
    assert (answer.status_code, reason in answer.json()["error"]) == (400, True), answer.text


async def test_control_refuses_books_that_cannot_be():
    async with trading() as trader:
        for bids, asks in (([["0.50", 1]], [["0.50", 1]]), ([["0.505", 1]], []), ([["1", 1]], []), ([["x", 1]], [])):
            body = {"token_id": trader.token, "bids": bids, "asks": asks}
            answer = await trader.venue.http.post(trader.venue.urls.control_url + "/book", json=body)
            assert answer.status_code == 400


async def test_the_time_of_the_exchange_is_that_of_the_world():
    clock = SetClock()
    async with trading(clock) as trader:
        answer = (await trader.buy("0.40", "10")).json()
        seen = (await trader.call("GET", f"/data/order/{answer['orderID']}")).json()
    assert seen["created_at"] == clock.time_ms // 1000
