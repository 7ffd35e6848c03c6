"""Spread and depth of real books, where enough were seen."""

from decimal import Decimal

from actors.rules.copyability.book_fit import ASSUMED, BOOKS_MIN, TOKENS_MIN, fitted
from actors.rules.copyability.depth import DepthModel
from protocols.copyability import SeenBook


def book(number, *, bid="0.49", ask="0.51", shares="100", tokens=TOKENS_MIN):
    return SeenBook(
        token_id=str(number % tokens), best_bid=Decimal(bid), best_ask=Decimal(ask), ask_shares=Decimal(shares)
    )


def test_too_few_books_or_tokens_change_nothing():
    assert fitted([]) == ASSUMED
    assert fitted([book(number) for number in range(BOOKS_MIN - 1)]) == ASSUMED
    assert fitted([book(number, tokens=TOKENS_MIN - 1) for number in range(BOOKS_MIN)]) == ASSUMED
    tails = [book(number, bid="0.01", ask="0.02") for number in range(BOOKS_MIN)]
    assert fitted(tails) == ASSUMED


def test_the_half_spread_is_the_median_and_the_depth_what_three_in_four_have():
    wide = [book(number, bid="0.45", ask="0.55", shares="1000") for number in range(BOOKS_MIN // 2 - 1)]
    narrow = [book(number, shares=str(number)) for number in range(BOOKS_MIN // 2 + 1)]
    found = fitted([*wide, *narrow])
    assert found.model.half_spread == Decimal("0.01")
    assert found.model.touch_usd == Decimal("0.51") * 50
    assert found.model.growth == DepthModel().growth
    assert "200 real books of 30 tokens" in found.source


def test_what_is_out_of_bounds_is_cut():
    odd = [book(number, bid="0.20", ask="0.60", shares="0.1") for number in range(BOOKS_MIN)]
    found = fitted(odd)
    assert (found.model.half_spread, found.model.touch_usd) == (Decimal("0.05"), 1)
