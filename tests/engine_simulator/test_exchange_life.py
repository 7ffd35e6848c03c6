"""What becomes of orders and trades with time: settlement, delays, expiry, heartbeats, cancels, and what is read of them."""

from decimal import Decimal

import pytest
from exchange_world import START_MS, ExchangeWorld

from engine.simulator.exchange.events import OrderChanged, TradeChanged

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


def test_an_account_that_has_less_loses_its_newest_orders():
    world = ExchangeWorld()
    wallet = world.wallet("one", usd=20)
    ids = [world.post(wallet, "BUY", "0.40", "20").body["orderID"] for _ in range(2)]
    account = world.exchange.accounts.open(wallet.funder, collateral_micro=10_000_000)
    world.exchange.recheck(account, world.now_ms)
    assert [world.exchange.orders.get(each).state for each in ids] == ["LIVE", "CANCELED_NOT_ENOUGH_BALANCE"]


def test_a_held_order_does_not_stand_in_its_own_way():
    world = ExchangeWorld(taker_delay=True, fee_rate=D(0))
    taker = world.wallet("taker", usd=8)
    world.book({}, {"0.40": "100"})
    assert world.post(taker, "BUY", "0.40", "8", order_type="FAK").body["status"] == "matched"
    assert world.usd(taker) == 0
