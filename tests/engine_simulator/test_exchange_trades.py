from decimal import Decimal

import pytest
from exchange_world import NO, YES, ExchangeWorld

from engine.simulator.exchange.events import BookChanged, OrderChanged, TradeChanged, Traded

D = Decimal


def test_a_taker_gets_his_makers_price_and_pays_the_fee_on_top():
    world = ExchangeWorld()
    maker, taker = world.wallet("maker", usd=0, yes=100), world.wallet("taker", usd=100)
    assert world.post(maker, "SELL", "0.40", "50").body["status"] == "live"
    reply = world.post(taker, "BUY", "0.50", "50")
    assert reply.body["status"] == "matched"
    assert (reply.body["makingAmount"], reply.body["takingAmount"]) == ("20", "50")
    assert reply.body["transactionsHashes"] == []
    assert len(reply.body["tradeIDs"]) == 1
    # 50 shares x 0.05 x 0.4 x 0.6
    assert world.usd(taker) == D("79.4")
    assert world.shares(taker) == 0
    world.advance(3_000)
    assert world.shares(taker) == 50
    assert (world.usd(maker), world.shares(maker)) == (20, 50)
    assert world.exchange.clearing.fees_micro == 600_000


def test_a_resting_order_has_empty_amounts_and_ties_down_what_it_needs():
    world = ExchangeWorld()
    wallet = world.wallet("one", usd=10)
    reply = world.post(wallet, "BUY", "0.50", "16")
    assert (reply.body["status"], reply.body["makingAmount"], reply.body["takingAmount"]) == ("live", "", "")
    assert world.post(wallet, "BUY", "0.50", "5").body == {"error": "not enough balance / allowance"}
    assert world.post(wallet, "BUY", "0.40", "5").status == 200


def test_the_fee_must_be_affordable_too():
    world = ExchangeWorld()
    world.book({}, {"0.40": "100"})
    # 20 shares x 0.05 x 0.4 x 0.6
    assert world.post(world.wallet("poor", usd=8), "BUY", "0.40", "8", order_type="FAK").status == 400
    rich = world.wallet("rich", usd=9)
    assert world.post(rich, "BUY", "0.40", "8", order_type="FAK").status == 200
    assert world.usd(rich) == 1 - D("0.24")


def test_shares_that_are_for_sale_cannot_be_sold_again():
    world = ExchangeWorld()
    wallet = world.wallet("one", yes=20)
    assert world.post(wallet, "SELL", "0.50", "16").status == 200
    assert world.post(wallet, "SELL", "0.60", "5").body == {"error": "not enough balance / allowance"}
    world.call(wallet.request("DELETE", "/cancel-all"))
    assert world.post(wallet, "SELL", "0.60", "5").status == 200


def test_two_buyers_of_both_outcomes_mint_pairs_worth_one_dollar():
    world = ExchangeWorld(fee_rate=D(0))
    yes, no = world.wallet("yes", usd=100), world.wallet("no", usd=100)
    world.post(no, "BUY", "0.45", "20", token=NO)
    reply = world.post(yes, "BUY", "0.60", "20")
    assert reply.body["makingAmount"] == "11"
    world.advance(3_000)
    assert (world.usd(yes), world.usd(no)) == (89, 91)
    assert (world.shares(yes, YES), world.shares(no, NO)) == (20, 20)
    assert world.exchange.clearing.locked[world.market.condition_id] == 20_000_000


def test_two_sellers_of_both_outcomes_merge_pairs_into_one_dollar():
    world = ExchangeWorld(fee_rate=D(0))
    yes, no = world.wallet("yes", usd=0, yes=20), world.wallet("no", usd=0, no=20)
    world.post(no, "SELL", "0.55", "20", token=NO)
    assert world.post(yes, "SELL", "0.40", "20").body["takingAmount"] == "9"
    world.advance(3_000)
    assert (world.usd(yes), world.usd(no)) == (9, 11)
    assert (world.shares(yes), world.shares(no, NO)) == (0, 0)


def test_a_buy_that_spends_dollars_gets_more_shares_than_planned_where_the_book_is_cheaper():
    world = ExchangeWorld(fee_rate=D(0))
    taker = world.wallet("taker")
    world.book({}, {"0.25": "10", "0.40": "1000"})
    reply = world.post(taker, "BUY", "0.50", "10", order_type="FAK")
    assert reply.body["makingAmount"] == "10"
    assert D(reply.body["takingAmount"]) == 10 + D("7.5") / D("0.4")


def test_what_a_fak_order_cannot_take_is_gone():
    world = ExchangeWorld()
    taker = world.wallet("taker", usd=100)
    world.book({}, {"0.40": "10", "0.60": "10"})
    reply = world.post(taker, "BUY", "0.50", "20", order_type="FAK")
    assert (reply.body["status"], reply.body["takingAmount"]) == ("matched", "10")
    assert list(world.exchange.orders.all_open()) == []
    assert world.exchange.free_micro(world.exchange.accounts.get(taker.funder), None) == 95_880_000


@pytest.mark.parametrize(("order_type", "word"), [("FOK", "couldn't be fully filled"), ("FAK", "no orders found")])
def test_a_killed_order_answers_400_and_its_cancellation_has_the_text(order_type, word):
    world = ExchangeWorld()
    taker = world.wallet("taker")
    world.book({}, {"0.40": "10"} if order_type == "FOK" else {"0.60": "10"})
    before = world.usd(taker)
    reply = world.post(taker, "BUY", "0.50", "20", order_type=order_type)
    assert reply.status == 400
    assert word in reply.body["error"]
    event = next(each for each in world.events if isinstance(each, OrderChanged))
    assert (event.kind, event.status_text, event.killed) == ("CANCELLATION", f"CANCELED_{reply.body['error']}", True)
    assert world.usd(taker) == before
    assert not [each for each in world.events if isinstance(each, Traded)]
    assert world.exchange.orders.get(event.order.order_id) is None


def test_a_level_shrinks_as_it_is_taken_and_both_tokens_are_told():
    world = ExchangeWorld()
    taker = world.wallet("taker")
    world.book({}, {"0.40": "100"})
    world.events.clear()
    world.post(taker, "BUY", "0.40", "4", order_type="FAK")
    told = next(each for each in world.events if isinstance(each, BookChanged))
    assert [(each.outcome_index, each.side, each.price, each.size_micro) for each in told.changes] == [
        (0, "SELL", D("0.40"), 90_000_000),
        (1, "BUY", D("0.60"), 90_000_000),
    ]
    view = world.exchange.book_of(world.market, world.now_ms).view(1, world.now_ms)
    assert view.bids == ((D("0.60"), D(90)),)


def test_events_of_a_match_come_as_order_trade_and_book():
    world = ExchangeWorld()
    maker, taker = world.wallet("maker", yes=10), world.wallet("taker")
    world.post(maker, "SELL", "0.40", "10")
    world.events.clear()
    world.post(taker, "BUY", "0.40", "10")
    names = [type(each).__name__ for each in world.events]
    assert names == ["OrderChanged", "TradeChanged", "Traded", "OrderChanged", "BookChanged"]
    assert [each.status_text for each in world.events if isinstance(each, OrderChanged)] == ["MATCHED", "MATCHED"]
    world.events.clear()
    world.advance(10_000)
    world.advance(10_000)
    told = [each for each in world.events if isinstance(each, TradeChanged)]
    assert [each.status for each in told] == ["MINED", "CONFIRMED"]
    assert all(each.transaction_hash.startswith("0x") for each in told)


def test_the_house_moves_with_the_market_and_fills_orders_that_it_reaches():
    world = ExchangeWorld(empty=False, price=D("0.50"))
    wallet = world.wallet("one")
    order_id = world.post(wallet, "BUY", "0.45", "10").body["orderID"]
    world.market.record_trade(0, D("0.40"), "SELL", 1)
    world.advance(50)
    order = world.exchange.orders.get(order_id)
    assert (order.state, order.matched_micro) == ("MATCHED", 10_000_000)
    # The maker pays his own price and no fee.
    assert world.usd(wallet) == 1_000 - D("4.5")
    world.advance(3_000)
    assert world.shares(wallet) == 10


def test_a_resolved_market_ends_its_orders_and_pays_what_was_won():
    world = ExchangeWorld(fee_rate=D(0))
    wallet = world.wallet("one", usd=100, yes=20, no=3)
    order_id = world.post(wallet, "BUY", "0.45", "10").body["orderID"]
    world.market.resolve((1_000_000, 0), world.now_ms)
    world.advance(50)
    assert world.exchange.orders.get(order_id).state == "CANCELED_MARKET_RESOLVED"
    account = world.exchange.accounts.get(wallet.funder)
    assert world.exchange.clearing.redeem(account, world.market) == 20_000_000
    assert (world.usd(wallet), account.positions) == (120, {})
    assert world.exchange.clearing.redeem(account, world.market) == 0


def test_a_market_without_verdict_cannot_be_redeemed():
    world = ExchangeWorld()
    account = world.exchange.accounts.get(world.wallet("one", yes=5).funder)
    with pytest.raises(ValueError, match="not resolved"):
        world.exchange.clearing.redeem(account, world.market)
    assert account.shares_micro(YES) == 5_000_000


def test_equal_seeds_give_equal_ids():
    def played():
        world = ExchangeWorld()
        taker = world.wallet("taker")
        world.book({}, {"0.40": "100"})
        reply = world.post(taker, "BUY", "0.40", "4", order_type="FAK")
        world.advance(5_000)
        return reply.body, taker.creds.key, [each.transaction_hash for each in world.exchange.trades.values()]

    assert played() == played()
