import json
from decimal import Decimal
from fractions import Fraction

import pytest
from actors_paper.paper_positions import book, market, sale
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.paper.fees import taker_fee
from actors.rules.paper.fill import Fill, exit_price, fill_buy
from protocols.decisions import Reason
from protocols.strategies import EntryModel, StrategySettings

D = Decimal
BY_BOOK = StrategySettings(entry_model=EntryModel.BOOK)
levels = st.lists(
    st.tuples(st.integers(1, 999), st.integers(1, 10**9)), min_size=1, max_size=6, unique_by=lambda x: x[0]
)
rates = st.sampled_from([None, D(0), D("0.05")])


def buy(asks, stake="10", price="0.40", settings=BY_BOOK, **market_changes):
    inputs = sale(side="BUY", price=D(price), book=book(asks=asks), market=market(**market_changes))
    return fill_buy(settings, inputs, D(stake))


def sell(bids, shares, price="0.50", settings=BY_BOOK):
    return exit_price(settings, sale(price=D(price), book=book(bids=bids)), D(shares))


def side(made, *, best_first):
    ordered = sorted(made, reverse=not best_first)
    return [(D(price).scaleb(-3), D(micro).scaleb(-6)) for price, micro in ordered]


def test_each_level_has_a_fee_of_its_own():
    # 10 x 0.05 x 0.24 = 0.12 and 14.634146 x 0.05 x 0.2419 = 0.17699999587, to five decimals 0.17700.
    fill = buy((("0.40", "10"), ("0.41", "50")), fee_rate=D("0.05"))
    assert fill.fee == D("0.29700")
    looked_at = json.loads(fill.inputs_json)
    assert looked_at["feeRate"] == "0.05"
    assert fill.fee == sum(taker_fee(D(size), D(price), D("0.05"), 1) for price, size in looked_at["levels"])


def test_a_level_without_shares_or_below_a_price_is_passed_over_or_ends_the_walk():
    assert buy((("0.40", "0"), ("0.41", "50"))) is Reason.ZERO_STAKE
    assert buy((("0", "5"), ("0.41", "50"))) is Reason.ZERO_STAKE


def test_a_limit_of_nothing_allows_the_price_of_the_leader_and_no_more():
    strict = StrategySettings(entry_model=EntryModel.BOOK, fill_slippage_max_pct=D(0))
    assert buy((("0.40", "100"),), settings=strict).shares == 25
    assert buy((("0.4001", "100"),), settings=strict) is Reason.SLIPPAGE_EXCEEDED
    # 100 %: twice the leader's price.
    wide = StrategySettings(entry_model=EntryModel.BOOK, fill_slippage_max_pct=D(100))
    assert buy((("0.80", "100"),), settings=wide).shares == D("12.5")


def test_a_better_price_than_the_leaders_is_taken():
    fill = buy((("0.20", "100"),))
    assert (fill.shares, fill.entry_price, fill.stake) == (50, D("0.20"), 10)


def test_a_stake_of_less_than_a_share_of_a_millionth_buys_nothing():
    assert buy((("0.40", "100"),), stake="0.0000003") is Reason.ZERO_STAKE


@QUICK
@given(levels, st.integers(1, 10**6), st.integers(1, 999), rates)
def test_a_fill_is_the_cheapest_way_to_spend_the_stake(made, stake_cents, milli, rate):
    asks, stake = side(made, best_first=True), D(stake_cents).scaleb(-2)
    limit = min(Fraction(9999, 10_000), Fraction(milli, 1000) * Fraction(103, 100))
    left, shares, fee = Fraction(stake), Fraction(0), Fraction(0)
    for price, size in asks:
        if Fraction(price) > limit:
            break
        part = min(Fraction(size), Fraction(int(left / Fraction(price) * 10**6), 10**6))
        shares, left = shares + part, left - part * Fraction(price)
        fee += Fraction(taker_fee(D(part.numerator) / D(part.denominator), price, rate, 1)) if part else 0
        if part < Fraction(size):
            break
    fill = buy(asks, stake=str(stake), price=str(D(milli).scaleb(-3)), fee_rate=rate)
    spent = Fraction(stake) - left
    if spent < Fraction(1, 2 * 10**6):
        assert isinstance(fill, Reason)
        return
    assert isinstance(fill, Fill)
    assert Fraction(fill.shares) == shares
    assert Fraction(fill.fee) == fee
    assert abs(Fraction(fill.stake) - spent) <= Fraction(1, 2 * 10**6)


@pytest.mark.parametrize(
    ("bids", "shares", "expected"),
    [
        ((("0.60", "10"), ("0.50", "10")), "10", D("0.60")),
        ((("0.60", "10"), ("0.50", "10")), "20", D("0.55")),
        ((("0.485", "1"),), "10", D("0.485")),  # 0.50 x 0.97 is the floor itself, and a thin book is its mean
        ((("0.4849", "10"),), "10", Reason.SLIPPAGE_EXCEEDED),
        ((("0.50", "10"), ("0.10", "100")), "30", D("0.50")),  # what is too low is not looked at
        ((), "10", Reason.BOOK_UNAVAILABLE),
    ],
)
def test_golden_exits(bids, shares, expected):
    assert sell(bids, shares) == expected


@QUICK
@given(levels, st.integers(1, 10**9), st.integers(1, 10**9))
def test_more_shares_never_bring_a_better_price_and_all_prices_lie_in_the_book(made, one, other):
    bids = side(made, best_first=False)
    less, more = (D(micro).scaleb(-6) for micro in sorted((one, other)))
    by_few, by_many = sell(bids, less), sell(bids, more)
    if isinstance(by_few, Reason):
        assert by_many is by_few is Reason.SLIPPAGE_EXCEEDED
        assert bids[0][0] < D("0.485")
        return
    assert D("0.485") <= by_many <= by_few <= bids[0][0]
