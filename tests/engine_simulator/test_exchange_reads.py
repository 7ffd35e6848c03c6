"""Cancels, token buckets, and what is read of orders, trades and balances."""

import base64
from decimal import Decimal

from exchange_world import NO, START_MS, YES, ExchangeWorld
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from engine.simulator.exchange.buckets import SignerBuckets
from engine.simulator.wire_numbers import encode_json
from protocols.venue.clob_account import OwnWallet, read_balance, read_order, read_page, read_trade

D = Decimal


def test_cancels_say_what_was_cancelled_and_why_the_rest_was_not():
    world = ExchangeWorld()
    one, other = world.wallet("one"), world.wallet("other")
    ids = [world.post(one, "BUY", price, "20").body["orderID"] for price in ("0.40", "0.41")]
    foreign = world.post(other, "BUY", "0.20", "20").body["orderID"]
    matched = world.post(one, "BUY", "0.42", "20").body["orderID"]
    world.book({"0.42": "1"}, {})
    world.post(other, "BUY", "0.58", "20", token=NO)
    reply = world.call(one.request("DELETE", "/orders", [ids[0], foreign, matched]))
    assert reply.body["canceled"] == [ids[0]]
    assert reply.body["not_canceled"] == {
        foreign: "Order not found or already canceled",
        matched: "Order already matched",
    }
    assert world.exchange.orders.get(foreign).state == "LIVE"
    again = world.call(one.request("DELETE", "/order", {"orderID": ids[0]}))
    assert again.body["not_canceled"] == {ids[0]: "Order not found or already canceled"}
    assert world.call(one.request("DELETE", "/cancel-all")).body["canceled"] == [ids[1]]


def test_cancels_of_one_market_leave_the_other_token():
    world = ExchangeWorld()
    one = world.wallet("one")
    yes = world.post(one, "BUY", "0.40", "20").body["orderID"]
    no = world.post(one, "BUY", "0.40", "20", token=NO).body["orderID"]
    reply = world.call(one.request("DELETE", "/cancel-market-orders", {"asset_id": NO}))
    assert reply.body == {"canceled": [no], "not_canceled": {}}
    reply = world.call(one.request("DELETE", "/cancel-market-orders", {"market": world.market.condition_id}))
    assert reply.body["canceled"] == [yes]


def test_cancels_have_a_bucket_of_their_own_that_may_owe():
    buckets = SignerBuckets()
    assert buckets.spend("a", "cancels", 150, START_MS).headers["Poly-RateLimit-Remaining"] == "-30"
    refused = buckets.spend("a", "cancels", 1, START_MS)
    assert (refused.admitted, refused.retry_after_s, refused.headers["Retry-After"]) == (False, 1, "1")
    assert buckets.spend("a", "orders", 60, START_MS).admitted
    assert buckets.spend("b", "cancels", 1, START_MS).admitted
    assert buckets.spend("a", "cancels", 1, START_MS + 388).admitted
    buckets.tier = "platinum"
    assert not buckets.spend("a", "cancels", 1_351, START_MS).admitted


def test_a_bucket_that_rests_long_holds_no_more_than_its_burst():
    buckets = SignerBuckets()
    assert buckets.spend("a", "orders", 60, START_MS).admitted
    assert not buckets.spend("a", "orders", 61, START_MS + 3_600_000).admitted
    assert buckets.spend("a", "orders", 60, START_MS + 3_600_000).admitted


@QUICK
@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(1, 15)), max_size=40))
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(calls):
    buckets = SignerBuckets()
    now_ms, given_out = START_MS, 0
    for passed_ms, cost in calls:
        now_ms += passed_ms
        given_out += cost if buckets.spend("a", "orders", cost, now_ms).admitted else 0
        assert given_out <= 60 + 40 * (now_ms - START_MS) / 1000


def test_what_is_read_of_an_account_is_what_a_client_understands():
    world = ExchangeWorld()
    maker, taker = world.wallet("maker", yes=30), world.wallet("taker", usd=50)
    resting = world.post(maker, "SELL", "0.40", "20").body["orderID"]
    fill = world.post(taker, "BUY", "0.45", "4", order_type="FAK").body
    row = world.call(maker.request("GET", f"/data/order/{resting}"))
    order = read_order(row.body)
    assert (order.status, order.matched_shares, order.original_shares) == ("LIVE", 10, 20)
    assert order.trade_ids == tuple(fill["tradeIDs"])
    assert world.call(taker.request("GET", f"/data/order/{resting}")).status == 404
    for wallet, role, side in ((maker, "MAKER", "SELL"), (taker, "TAKER", "BUY")):
        page = read_page(encode_json(world.call(wallet.request("GET", "/data/trades")).body))
        own = OwnWallet(wallet.creds.key, wallet.funder.lower())
        (seen,) = read_trade(page.rows[0], own)
        assert (seen.role, seen.side, seen.shares, seen.price, seen.status) == (role, side, 10, D("0.40"), "MATCHED")
        assert page.next_cursor is None
    stranger = world.wallet("stranger")
    assert world.call(stranger.request("GET", "/data/trades")).body["data"] == []
    query = {"asset_type": "COLLATERAL", "signature_type": "0"}
    balance = read_balance(encode_json(world.call(taker.request("GET", "/balance-allowance", query=query)).body))
    assert balance.balance_micro == 50_000_000 - 4_000_000 - 120_000
    assert len(balance.allowances_micro) == 3
    shares = {"asset_type": "CONDITIONAL", "token_id": YES, "signature_type": "0"}
    assert world.call(taker.request("GET", "/balance-allowance", query=shares)).body["balance"] == "0"
    world.advance(3_000)
    assert world.call(taker.request("GET", "/balance-allowance", query=shares)).body["balance"] == "10000000"


def test_lists_are_cut_into_pages_that_hold_everything_once():
    world = ExchangeWorld()
    wallet = world.wallet("one", usd=100_000)
    world.exchange.buckets.tier = "elite"
    ids = [world.post(wallet, "BUY", "0.01", "5").body["orderID"] for _ in range(205)]
    seen, cursor, pages = [], "MA==", 0
    while cursor != "LTE=":
        body = world.call(wallet.request("GET", "/data/orders", query={"next_cursor": cursor})).body
        assert body["count"] == len(body["data"])
        seen += [each["id"] for each in body["data"]]
        cursor, pages = body["next_cursor"], pages + 1
    assert (seen, pages) == (ids, 3)
    end = {"next_cursor": base64.b64encode(b"-1").decode()}
    assert world.call(wallet.request("GET", "/data/orders", query=end)).body["data"] == []
    assert world.call(wallet.request("GET", "/data/orders", query={"next_cursor": "??"})).status == 400


def test_trades_are_filtered():
    world = ExchangeWorld()
    taker = world.wallet("taker")
    world.book({}, {"0.40": "100"})
    ids = []
    for _ in range(3):
        ids.append(world.post(taker, "BUY", "0.40", "4", order_type="FAK").body["tradeIDs"][0])
        world.advance(1_000)

    def read(**query):
        return [each["id"] for each in world.call(taker.request("GET", "/data/trades", query=query)).body["data"]]

    assert read() == ids[::-1]
    assert read(id=ids[1]) == [ids[1]]
    assert read(after=str(START_MS // 1000)) == [ids[2], ids[1]]
    assert read(before=str(START_MS // 1000 + 1)) == [ids[0]]
    assert read(maker_address=taker.funder) == ids[::-1]
    assert read(market="0x1") == read(asset_id="5") == []
