from decimal import Decimal

from actors_portfolio.portfolio_cases import booked, fill, micro

from actors.rules.portfolio.matching import DAY_US
from actors.rules.portfolio.official import FEES, NOT_REDEEMED, NOT_SYNCED, OUTSIDE, UNEXPLAINED, compared
from protocols.portfolio import OfficialResult


def said(pnl, *, bought="10", synced=90, token="t", held=False):
    return {
        token: OfficialResult(
            token_id=token, realized_pnl=Decimal(pnl), bought_shares=None if bought is None else Decimal(bought),
            avg_price=None, is_held=held, synced_us=synced * DAY_US,
        )
    }  # fmt: skip


def comparison(book, official):
    return compared(book.positions, official)["t"]


def test_one_number_of_the_venue_is_used_once_whatever_orders_and_scopes_a_token_has():
    book = booked(
        *(fill("BUY", 5, "2", scope=scope, order=f"{scope}{n}") for scope in ("LT_A", "LT_B") for n in range(3)), t="1"
    )
    one = comparison(book, said("18", bought="30"))
    assert (one.official, one.ours, one.difference, one.positions, one.reasons) == (micro(18), micro(18), 0, 2, ())


def test_a_difference_is_shown_with_what_may_explain_it():
    fees = booked(fill("BUY", 10, "4", fee="0.5"), fill("SELL", 10, "6", fee="0.5", day=1))
    assert (comparison(fees, said("2")).difference, comparison(fees, said("2")).reasons) == (micro(-1), (FEES,))
    plain = booked(fill("BUY", 10, "4"), fill("SELL", 10, "6", day=1))
    assert comparison(plain, said("3", bought="15")).reasons == (OUTSIDE,)
    assert comparison(plain, said("3", synced=0)).reasons == (NOT_SYNCED,)
    assert comparison(plain, said("3")).reasons == (UNEXPLAINED,)
    assert comparison(plain, said("2.009")).reasons == ()
    won = booked(fill("BUY", 10, "4"), t="1")
    assert comparison(won, said("0")).reasons == (NOT_REDEEMED,)
    assert comparison(won, said("5.5", held=True)).reasons == (NOT_REDEEMED,)
    assert comparison(plain, said("3", bought=None, held=True)).reasons == (UNEXPLAINED,)
    beyond = booked(fill("BUY", 10, "4"), fill("SELL", 12, "6", day=1))
    assert OUTSIDE in comparison(beyond, said("3", bought=None)).reasons


def test_what_only_one_of_both_knows_is_not_compared():
    assert compared(booked(fill("BUY", 10, "4")).positions, said("3", token="other")) == {}
