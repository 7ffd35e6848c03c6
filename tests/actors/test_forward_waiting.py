from decimal import Decimal

import pytest
import trio
from property.deciding_world import LEADER, DecidingWorld, trade
from property.made_decisions import TOKEN, strategy
from property.made_trades import NOON_S, transaction, wallet

from protocols.decisions import Book, Present
from protocols.strategies import Aggregation, AllocationMethod, EntryModel, ProportionalBasis, TargetMode

LISTED = {"target_mode": TargetMode.LIST, "target_traders": (LEADER,), "entry_model": EntryModel.OBSERVED}
OTHER = wallet(2)


def world(*strategies, **changes):
    return DecidingWorld(strategies or [strategy(**LISTED)], **changes)


def sends(*trades, pause_s=0.0):
    async def scenario(made):
        for one in trades:
            await made.send(one)
            await trio.sleep(pause_s)

    return scenario


def test_sixteen_fills_of_one_transaction_are_one_decision():
    tx = transaction(99)
    made = world(strategy(1, **LISTED | {"aggregate": Aggregation.TRANSACTION}), strategy(2, **LISTED))
    fills = [trade(n, transaction_hash=tx, price=Decimal("0.4") if n % 2 else Decimal("0.6")) for n in range(1, 17)]

    async def scenario(made):
        await sends(*fills)(made)
        await trio.sleep(2)
        await made.send(trade(17, transaction_hash=tx))

    made.run(scenario)
    (order,) = made.orders("BOT_1")
    assert order.source_trade_id == "trade-1"
    assert order.members == tuple(f"trade-{n}" for n in range(1, 17))
    assert order.signal_price == Decimal("0.5")
    assert made.reasons("trade-17")["tx"] == {1: "aggregated"}
    assert len(made.orders("BOT_2")) == 17
    assert made.reasons("trade-2") == {"now": {2: "taken"}}


def test_fills_within_a_window_are_one_decision_and_the_next_one_begins_another():
    made = world(strategy(**LISTED | {"aggregate": Aggregation.WINDOW, "aggregate_window_s": 5}))

    async def scenario(made):
        for number in range(12):
            await made.send(trade(number, trade_ms=(NOON_S + number) * 1000))
            await trio.sleep(1)

    made.run(scenario)
    members = [order.members for order in made.orders()]
    assert sorted(id_ for ids in members for id_ in ids) == sorted(f"trade-{n}" for n in range(12))
    assert [len(ids) for ids in members[:-1]] == [5, 5] or [len(ids) for ids in members[:-1]] == [6, 6]


def sale(number, shares, at_s, **changes):
    return trade(number, side="SELL", size_micro=shares * 1_000_000, price=Decimal("0.5"),
                 trade_ms=(NOON_S + at_s) * 1000, **changes)  # fmt: skip


def test_a_sale_closes_in_proportion_to_what_he_held_before():
    made = world().run(sends(trade(1), sale(2, 10, 1), sale(3, 15, 2), pause_s=1.0))
    position = made.ledger.positions[made.orders()[0].order_id]
    assert [sold.shares.shares for sold in made.ledger.sales] == [10, 15]
    assert position.outcome == "SOLD"
    balance = made.ledger.balances["BOT_1"]
    assert (balance.cash, balance.open_cost, balance.sold) == (Decimal("1002.5"), 0, 1)
    assert made.forward.tester.maker.book.available("BOT_1") == Decimal("1002.5")
    assert made.reasons("trade-2") == {"now": {1: "trader_sell"}}


def test_the_word_of_the_venue_on_his_holding_goes_before_net_buys():
    made = world()
    made.holdings.micro[(LEADER, TOKEN)] = 100_000_000

    async def scenario(made):
        await made.send(trade(1))
        await trio.sleep(60)
        await made.send(sale(2, 50, 60))

    made.run(scenario)
    assert [sold.shares.shares for sold in made.ledger.sales] == [Decimal("12.5")]


def test_a_sale_from_before_our_purchase_closes_nothing():
    made = world().run(sends(trade(1), sale(2, 25, -10), pause_s=1.0))
    assert not made.ledger.sales
    assert made.reasons("trade-2") == {"now": {1: "not_buy"}}


def test_a_sale_of_somebody_else_closes_nothing():
    both = strategy(**LISTED | {"target_traders": (LEADER, OTHER)})
    made = world(both).run(sends(trade(1), sale(2, 25, 1, wallet=OTHER), pause_s=1.0))
    assert not made.ledger.sales


def test_a_sale_waits_for_the_purchase_that_waits():
    made = world(strategy(**LISTED | {"aggregate": Aggregation.WINDOW, "aggregate_window_s": 60}))
    made.run(sends(trade(1), sale(2, 25, 1), pause_s=1.0))
    assert len(made.orders()) == 1
    assert [sold.shares.shares for sold in made.ledger.sales] == [25]
    assert made.ledger.balances["BOT_1"].open_orders == 0


MODEL = LISTED | {"use_model": True, "model_threshold": Decimal("0.6")}


@pytest.mark.parametrize(
    ("scorer", "reason", "counted"),
    [
        ({"scores": {"trade-1": Present(probability=Decimal("0.7"))}}, "taken", "present"),
        ({"scores": {"trade-1": Present(probability=Decimal("0.5"))}}, "low_ml_score", "present"),
        ({}, "ml_unavailable", "unknown_trade"),
        ({"fails": True}, "ml_unavailable", "error"),
        ({"takes_s": 60.0}, "ml_unavailable", "timeout"),
    ],
)
def test_a_score_is_present_or_absent_and_nobody_else_waits_for_it(scorer, reason, counted):
    made = world(strategy(1, **LISTED), strategy(2, **MODEL))
    for name, value in scorer.items():
        setattr(made.scorer, name, value)
    made.run(sends(trade(1)))
    assert made.reasons("trade-1") == {"now": {1: "taken"}, "model": {2: reason}}
    assert made.forward.scores.results == {counted: 1}


BOOKED = LISTED | {"entry_model": EntryModel.BOOK, "fill_delay_ms": 500}


def test_a_book_is_walked_after_the_delay_and_asked_for_once():
    made = world(strategy(1, **BOOKED), strategy(2, **BOOKED), strategy(3, **LISTED))
    levels = ((Decimal("0.40"), Decimal(10)), (Decimal("0.41"), Decimal(1000)))
    made.books.books[TOKEN] = Book(bids=(), asks=levels, observed_ms=NOON_S * 1000)
    made.run(sends(trade(1)))
    assert made.reasons("trade-1") == {"now": {3: "taken"}, "book500": {1: "taken", 2: "taken"}}
    (order,) = made.orders("BOT_1")
    assert (order.stake, order.shares) == (10, Decimal("24.634146"))
    assert order.decided_ms >= NOON_S * 1000 + 500
    assert made.books.calls == 1


def test_no_book_is_a_reason_and_costs_no_cash():
    made = world(strategy(1, **BOOKED)).run(sends(trade(1)))
    assert made.reasons("trade-1") == {"book500": {1: "book_unavailable"}}
    assert made.forward.tester.maker.book.available("BOT_1") == 1000


def test_no_book_is_asked_for_when_nobody_would_buy():
    made = world(strategy(1, **BOOKED | {"price_min": Decimal("0.9")})).run(sends(trade(1)))
    assert made.reasons("trade-1") == {"book500": {1: "price_out_of_range"}}
    assert made.books.calls == 0


def test_a_share_of_his_portfolio_needs_to_know_it():
    shares = LISTED | {
        "allocation_method": AllocationMethod.PROPORTIONAL, "proportional_basis": ProportionalBasis.PORTFOLIO,
        "proportional_pct": Decimal(100),
    }  # fmt: skip
    made = world(strategy(1, **shares)).run(sends(trade(1)))
    assert made.reasons("trade-1") == {"portfolio": {1: "portfolio_unknown"}}
    made = world(strategy(1, **shares))
    made.holdings.portfolios[LEADER] = Decimal(200)
    made.run(sends(trade(1)))
    assert made.orders()[0].stake == 50


def test_a_sale_right_behind_a_purchase_closes_it_before_anything_is_committed():
    made = world().run(sends(trade(1), sale(2, 25, 0)))
    assert [sold.shares.shares for sold in made.ledger.sales] == [25]
    assert made.ledger.balances["BOT_1"].open_orders == 0


def test_what_comes_of_a_transaction_after_a_restart_comes_too_late():
    tx = transaction(99)
    first = world(strategy(1, **LISTED | {"aggregate": Aggregation.TRANSACTION}))
    first.run(sends(trade(1, transaction_hash=tx), trade(2, transaction_hash=tx)))
    second = DecidingWorld(first.strategies, ledger=first.ledger).run(sends(trade(3, transaction_hash=tx)))
    assert [order.members for order in second.orders()] == [("trade-1", "trade-2")]
    assert second.reasons("trade-3") == {"tx": {1: "aggregated"}}
