from itertools import pairwise

import pytest
from actors_portfolio.portfolio_cases import booked, fill, micro, only
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.portfolio.matching import DAY_US, part


def test_the_oldest_purchase_is_sold_first_and_fees_count_on_both_sides():
    one = only(
        booked(
            fill("BUY", 10, "4", fee="0.1", order="b1"),
            fill("BUY", 10, "6", fee="0.1", order="b2", day=1),
            fill("SELL", 15, "9", fee="0.2", order="s", day=2),
        )
    )
    # 8.8 for a cost of 4.1 and half of 6.1.
    assert one.realized == micro("1.65")
    assert (one.shares, one.cost) == (micro(5), micro("3.05"))
    assert one.orders["b1"].realized == 5_866_667 - micro("4.1")
    assert one.orders["b2"].realized == 2_933_333 - micro("3.05")
    assert one.orders["s"].realized == one.realized
    assert one.fees == micro("0.4")


def test_a_sale_of_one_trader_leaves_what_was_copied_from_another():
    one = only(
        booked(
            fill("BUY", 10, "2", order="older", trader="0xa"),
            fill("BUY", 10, "8", order="his", trader="0xb", day=1),
            fill("SELL", 10, "9", trader="0xb", day=2),
        )
    )
    assert one.realized == micro(1)
    assert one.open_by_trader() == {"0xa": micro(10)}
    assert one.orders["older"].shares_open == micro(10)


def test_what_is_beyond_his_own_comes_from_the_others_oldest_first():
    one = only(
        booked(
            fill("BUY", 4, "1", order="c", trader="0xc"),
            fill("BUY", 4, "2", order="a", trader="0xa", day=1),
            fill("BUY", 4, "3", order="b", trader="0xb", day=2),
            fill("SELL", 9, "9", trader="0xb", day=3),
        )
    )
    assert {order.order_id: order.shares_open for order in one.orders.values() if order.is_buy} == {
        "a": micro(3),
        "b": 0,
        "c": 0,
    }


def test_a_sale_without_a_purchase_is_reported_and_is_no_position():
    one = only(booked(fill("SELL", 10, "5", fee="0.5")))
    assert (one.is_position, one.is_open, one.realized) == (False, False, 0)
    assert (one.unmatched_shares, one.unmatched) == (micro(10), micro("4.5"))


def test_only_what_was_bought_before_is_sold():
    one = only(booked(fill("BUY", 4, "2"), fill("SELL", 10, "6", day=1), fill("BUY", 10, "3", day=2)))
    assert one.realized == micro("0.4")
    assert (one.shares, one.unmatched_shares, one.unmatched) == (micro(10), micro(6), micro("3.6"))


def test_scopes_and_tokens_do_not_pay_for_each_other():
    book = booked(fill("BUY", 5, "2"), fill("SELL", 5, "4", scope="LT_B"), fill("SELL", 5, "4", token="u"))
    assert [(one.realized, one.shares, one.unmatched_shares) for one in book.positions] == [
        (0, micro(5), 0),
        (0, 0, micro(5)),
        (0, 0, micro(5)),
    ]


def test_an_exit_price_sells_what_is_left_of_its_own_order():
    one = only(
        booked(
            fill("BUY", 10, "4", order="b1"),
            fill("BUY", 10, "5", order="b2", day=1),
            fill("SELL", 4, "2", day=2),
            # All of b1 would have brought 7 USD.
            fill("CLOSE", 10, "7", order="b1", day=3),
        )
    )
    assert one.realized == micro("0.4") + micro("4.2") - micro("2.4")
    assert (one.orders["b1"].shares_open, one.orders["b2"].shares_open) == (0, micro(10))


@pytest.mark.parametrize("order", ["b1", "nobody's"])
def test_what_is_sold_already_is_not_closed_again(order):
    one = only(
        booked(
            fill("BUY", 10, "4", order="b1"), fill("SELL", 10, "5", day=1), fill("CLOSE", 10, "9", order=order, day=2)
        )
    )
    assert one.realized == micro(1)
    assert one.last_us == DAY_US


def test_fills_of_one_order_are_one_order():
    one = only(
        booked(fill("BUY", 3, "1", order="b"), fill("SELL", 2, "1", day=1), fill("BUY", 3, "2", order="b", day=2))
    )
    assert (one.buys, one.orders["b"].shares, one.orders["b"].shares_open) == (1, micro(6), micro(4))


@pytest.mark.parametrize(("payout", "pnl"), [("1", "6"), ("0", "-4"), ("0.5", "1"), ("0.9997", "6"), ("0.0004", "-4")])
def test_a_resolved_market_pays_by_the_token_on_the_day_of_its_resolution(payout, pnl):
    book = booked(fill("BUY", 10, "4"), t=payout)
    one = only(book)
    assert (one.is_open, one.realized, one.settled_pnl) == (False, micro(pnl), micro(pnl))
    assert {number: day.realized for number, day in book.days["t"].items() if day.realized} == {50: micro(pnl)}


def test_a_resolution_is_never_before_the_last_fill():
    book = booked(fill("BUY", 10, "4", day=60), t="1")
    assert only(book).last_us == 60 * DAY_US
    assert book.days["t"][60].realized == micro(6)


def test_what_live_trading_settled_counts_before_the_row_of_the_market_knows():
    bought = fill("BUY", 10, "4", settled_usd=0, settled_us=7 * DAY_US)
    lost = only(booked(bought))
    assert (lost.realized, lost.last_us) == (micro(-4), 7 * DAY_US)
    # The row knows better what was paid. When, it may know no better than that its prices were looked at again.
    corrected = only(booked(bought, t="0.5"))
    assert (corrected.realized, corrected.last_us) == (micro(1), 7 * DAY_US)
    late = fill("BUY", 10, "4", settled_usd=0, settled_us=70 * DAY_US)
    assert only(booked(late, t="0")).last_us == 50 * DAY_US


def test_a_market_that_trades_is_not_settled():
    assert only(booked(fill("BUY", 10, "4"))).is_open


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**12), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_parts_add_up_to_the_whole(whole, of, cuts):
    places = [0, *sorted({cut % of for cut in cuts}), of]
    parts = [part(whole, b, of) - part(whole, a, of) for a, b in pairwise(places)]
    assert sum(parts) == whole - part(whole, 0, of) == whole
