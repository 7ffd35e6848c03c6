"""What becomes of orders and trades with time: settlement, delays, expiry, heartbeats, cancels, and what is read of them."""

import base64
from decimal import Decimal

import pytest
from exchange_world import NO, START_MS, YES, ExchangeWorld
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from engine.simulator.exchange.buckets import SignerBuckets
from engine.simulator.exchange.deliveries import DeliveryDesk
from engine.simulator.exchange.events import OrderChanged, TradeChanged
from engine.simulator.exchange.order_faults import OrderFaultError, OrderFaults
from engine.simulator.seeds import generator
from engine.simulator.wire_numbers import encode_json
from protocols.venue.clob_account import OwnWallet, read_balance, read_order, read_page, read_trade

D = Decimal


def taken(world, taker, *faults):
    world.book({}, {"0.40": "100"})
    for kind in faults:
        world.exchange.faults.add(kind, count=1)
    reply = world.post(taker, "BUY", "0.40", "8", order_type="FAK")
    assert reply.status == 200
    return world.exchange.trades[reply.body["tradeIDs"][0]]


def statuses(world):
    return [each.status for each in world.events if isinstance(each, TradeChanged)]


def hashes(world):
    return [each.transaction_hash for each in world.events if isinstance(each, TradeChanged)]


def test_a_trade_is_matched_mined_and_confirmed():
    world = ExchangeWorld()
    trade = taken(world, world.wallet("taker"))
    world.advance(999)
    assert statuses(world) == ["MATCHED"]
    world.advance(2_001)
    world.advance(3_999)
    world.advance(2_001)
    assert statuses(world) == ["MATCHED", "MINED", "CONFIRMED"]
    assert hashes(world) == ["", trade.transaction_hash, trade.transaction_hash]
    assert len(trade.transaction_hash) == 66


def test_a_trade_that_is_retried_is_mined_under_another_hash():
    world = ExchangeWorld()
    taker = world.wallet("taker")
    taken(world, taker, "trade_retrying")
    for _ in range(12):
        world.advance(1_000)
    assert statuses(world) == ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]
    _, first, second, _ = hashes(world)
    assert first != second
    assert world.shares(taker) == 20


@pytest.mark.parametrize("faults", [("trade_failed",), ("trade_failed", "trade_retrying")])
def test_a_trade_that_fails_gives_everybody_back_exactly_what_he_had(faults):
    world = ExchangeWorld()
    maker, taker = world.wallet("maker", usd=7, yes=13), world.wallet("taker", usd=100)
    world.post(maker, "SELL", "0.39", "13")
    before = [(dict(each.positions), each.collateral_micro) for each in world.exchange.accounts]
    house = dict(world.exchange.accounts.house.positions)
    taken(world, taker, *faults)
    assert world.usd(taker) < 100
    for _ in range(12):
        world.advance(1_000)
    assert statuses(world)[-1] == "FAILED"
    assert [(dict(each.positions), each.collateral_micro) for each in world.exchange.accounts] == before
    assert world.exchange.accounts.house.positions == house
    assert world.exchange.clearing.escrow_micro == world.exchange.clearing.fees_micro == 0


def test_faults_of_settlement_are_counted():
    world = ExchangeWorld()
    taker = world.wallet("taker")
    taken(world, taker, "trade_failed")
    world.post(taker, "BUY", "0.40", "8", order_type="FAK")
    for _ in range(9):
        world.advance(1_000)
    assert [each.status for each in world.exchange.trades.values()] == ["FAILED", "CONFIRMED"]
    assert world.exchange.faults.taken == {"trade_failed": 1}


def test_an_order_in_a_fast_market_is_held_inside_the_call_and_then_answered():
    world = ExchangeWorld(taker_delay=True)
    taker = world.wallet("taker")
    world.book({}, {"0.40": "100"})
    request = taker.request("POST", "/order", world.body(taker, "BUY", "0.40", "8", order_type="FAK"))
    handling = world.api.handle(request, world.now_ms)
    assert handling.due_ms == START_MS + 250
    world.advance(249)
    assert handling.due_ms is not None
    world.advance(1)
    assert handling.due_ms is None
    assert handling.reply().body["status"] == "matched"
    resting = world.post(taker, "BUY", "0.30", "10")
    assert (resting.body["status"], world.now_ms) == ("live", START_MS + 250)


def test_what_is_gone_after_the_hold_is_not_matched():
    world = ExchangeWorld(taker_delay=True)
    taker = world.wallet("taker")
    world.book({}, {"0.40": "100"})
    request = taker.request("POST", "/order", world.body(taker, "BUY", "0.40", "8", order_type="FAK"))
    handling = world.api.handle(request, world.now_ms)
    world.book({}, {"0.45": "100"})
    world.advance(250)
    assert handling.reply().status == 400
    assert world.usd(taker) == 1_000


def test_a_delayed_order_cannot_be_cancelled_and_is_then_matched():
    world = ExchangeWorld(seconds_delay=3)
    taker = world.wallet("taker")
    world.book({}, {"0.40": "100"})
    reply = world.post(taker, "BUY", "0.40", "8", order_type="FAK")
    assert (reply.body["status"], reply.body["makingAmount"], reply.body["tradeIDs"]) == ("delayed", "0", [])
    order_id = reply.body["orderID"]
    cancel = world.call(taker.request("DELETE", "/order", {"orderID": order_id}))
    assert list(cancel.body["not_canceled"]) == [order_id]
    world.advance(3_000)
    order = world.exchange.orders.get(order_id)
    assert (order.state, order.matched_micro) == ("MATCHED", 20_000_000)


@pytest.mark.parametrize(
    ("order_type", "change", "state", "text"),
    [
        ("GTC", "book", "LIVE", "UNMATCHED"),
        ("FAK", "book", "CANCELED", "CANCELED_no orders found"),
        ("GTC", "balance", "CANCELED_NOT_ENOUGH_BALANCE", "CANCELED_NOT_ENOUGH_BALANCE"),
        ("GTC", "close", "CANCELED_MARKET_RESOLVED", "CANCELED_MARKET_RESOLVED"),
    ],
)
def test_a_delayed_order_is_looked_at_anew(order_type, change, state, text):
    world = ExchangeWorld(seconds_delay=3)
    taker = world.wallet("taker")
    world.book({}, {"0.40": "100"})
    order_id = world.post(taker, "BUY", "0.40", "20", order_type=order_type).body["orderID"]
    if change == "book":
        world.book({}, {"0.60": "100"})
    elif change == "balance":
        world.exchange.accounts.open(taker.funder, collateral_micro=1_000_000)
    else:
        world.market.close(world.now_ms)
    world.advance(3_000)
    assert world.exchange.orders.get(order_id).state == state
    last = [each for each in world.events if isinstance(each, OrderChanged)][-1]
    assert last.status_text.startswith(text)
    assert not world.exchange.trades


def test_a_gtd_order_ends_a_minute_before_the_time_it_states():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    expiration_s = START_MS // 1000 + 200
    order_id = world.post(wallet, "BUY", "0.40", "20", order_type="GTD", expiration_s=expiration_s).body["orderID"]
    world.advance(139_999)
    assert world.exchange.orders.get(order_id).state == "LIVE"
    world.advance(1)
    assert world.exchange.orders.get(order_id).state == "CANCELED_EXPIRED_ORDER"
    assert world.exchange.free_micro(world.exchange.accounts.get(wallet.funder), None) == 1_000_000_000


def test_without_beats_the_orders_of_those_credentials_end_after_ten_seconds():
    world = ExchangeWorld()
    beating, quiet = world.wallet("beating"), world.wallet("quiet")
    ids = [world.post(each, "BUY", "0.40", "20").body["orderID"] for each in (beating, quiet)]

    def beat(heartbeat_id):
        return world.call(beating.request("POST", "/v1/heartbeats", {"heartbeat_id": heartbeat_id}))

    first = beat("").body["heartbeat_id"]
    world.advance(9_999)
    wrong = beat("stale")
    assert (wrong.status, wrong.body) == (400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": first})
    second = beat(first).body["heartbeat_id"]
    assert second != first
    world.advance(9_999)
    assert world.exchange.orders.get(ids[0]).state == "LIVE"
    world.advance(1)
    assert [world.exchange.orders.get(each).state for each in ids] == ["CANCELED", "LIVE"]
    assert beat("").status == 200
    assert world.call(beating.request("POST", "/heartbeats")).body == {"status": "ok"}


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


def test_an_account_that_has_less_loses_its_newest_orders():
    world = ExchangeWorld()
    wallet = world.wallet("one", usd=20)
    ids = [world.post(wallet, "BUY", "0.40", "20").body["orderID"] for _ in range(2)]
    account = world.exchange.accounts.open(wallet.funder, collateral_micro=10_000_000)
    world.exchange.recheck(account, world.now_ms)
    assert [world.exchange.orders.get(each).state for each in ids] == ["LIVE", "CANCELED_NOT_ENOUGH_BALANCE"]


def delivered(kind, **parameters):
    world = ExchangeWorld()
    wallet = world.wallet("one")
    world.exchange.faults.add(kind, parameters, count=1)
    desk = DeliveryDesk(world.api, world.exchange.faults)
    request = wallet.request("POST", "/order", world.body(wallet, "BUY", "0.40", "20"))
    return world, desk, request, desk.send(request, world.now_ms)


def test_an_answer_can_get_lost_after_the_order_was_accepted():
    world, desk, request, delivery = delivered("answer_lost", how="hang")
    assert (delivery.lost, len(world.exchange.orders)) == ("hang", 1)
    assert "Duplicated" in desk.send(request, world.now_ms).handling.reply().body["error"]
    assert list(world.exchange.orders.posts.values()) == [2]


def test_an_order_can_be_accepted_after_its_connection_has_died():
    world, _, _, delivery = delivered("accepted_late", after_ms=700)
    assert (delivery.lost, delivery.handling, len(world.exchange.orders)) == ("close", None, 0)
    world.advance(699)
    assert len(world.exchange.orders) == 0
    world.advance(1)
    assert len(world.exchange.orders) == 1


def test_a_gateway_can_fail_before_and_after_the_order_was_accepted():
    world, _, _, delivery = delivered("error_before", status=503)
    assert (delivery.error_status, len(world.exchange.orders)) == (503, 0)
    world, _, _, delivery = delivered("error_after", html=False)
    assert (delivery.error_status, delivery.html, len(world.exchange.orders)) == (502, False, 1)


def test_status_endpoints_can_be_slow_wrong_and_forgetful():
    world = ExchangeWorld()
    wallet = world.wallet("one")
    order_id = world.post(wallet, "BUY", "0.40", "20").body["orderID"]
    desk = DeliveryDesk(world.api, world.exchange.faults)

    def ask():
        return desk.send(wallet.request("GET", f"/data/order/{order_id}"), world.now_ms)

    world.exchange.faults.add("status_slow", {"delay_ms": 900}, count=1)
    assert (ask().delay_ms, ask().delay_ms) == (900, 0)
    world.exchange.faults.add("status_error", {"status": 500}, count=1)
    assert (ask().error_status, ask().error_status) == (500, None)
    world.exchange.faults.add("order_forgotten")
    assert ask().handling.reply().status == 200
    world.call(wallet.request("DELETE", "/cancel-all"))
    assert ask().handling.reply().status == 404


def test_faults_happen_by_chance_as_the_seed_says_or_so_many_times():
    def happened(seed):
        faults = OrderFaults(rng=generator(seed, "faults"))
        faults.add("socket_duplicate", probability=0.3)
        return [faults.take("socket_duplicate") is not None for _ in range(1_000)]

    assert happened(1) == happened(1) != happened(2)
    assert 230 < sum(happened(1)) < 370
    faults = OrderFaults(rng=generator(1, "faults"))
    faults.add("answer_lost", count=2)
    assert [faults.take("answer_lost") is not None for _ in range(3)] == [True, True, False]
    assert faults.describe() == []


@pytest.mark.parametrize(
    ("kind", "parameters", "more"),
    [
        ("no such", {}, {}),
        ("answer_lost", {"delay_ms": 1}, {}),
        ("answer_lost", {"how": "gently"}, {}),
        ("answer_lost", {}, {"count": 0}),
        ("answer_lost", {}, {"count": True}),
        ("answer_lost", {}, {"probability": 1.1}),
        ("status_slow", {"delay_ms": -1}, {}),
        ("status_slow", {"delay_ms": "1"}, {}),
    ],
)
def test_faults_that_make_no_sense_are_refused(kind, parameters, more):
    with pytest.raises(OrderFaultError):
        OrderFaults(rng=generator(1, "faults")).add(kind, parameters, **more)
