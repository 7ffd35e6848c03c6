from decimal import Decimal, localcontext

import pytest
from actors_strategy.judged_trades import RECORD, TRADE, market, record, trade
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.exact import EXACT
from actors.rules.strategy.traits import bracket_of, entry_of, traits_of
from protocols.decisions import Absent, ProfileRecord, TraderRecord, WindowRecord
from protocols.strategies import WinRateSource

NOTHING = WindowRecord()


def test_golden_values_of_one_trade():
    traits = traits_of(TRADE)
    assert traits.entry == Decimal("0.4012")  # 0.40 x 1.003
    assert traits.trade_usd == 40  # 100 x 0.40
    assert traits.conviction == 2  # 40 / 20
    assert traits.overall.win_rate == Decimal("0.6")
    assert traits.overall.edge == Decimal("0.1988")  # 0.6 - 0.4012
    assert traits.overall.resolved_count == 40
    assert traits.age_ms == 5_000
    assert not traits.overall.is_default


def test_long_prices_and_sizes_are_exact_whatever_the_context_of_the_thread():
    with localcontext() as context:
        context.prec = 5
        traits = traits_of(trade(price=Decimal("0.123456789012345678"), size_micro=9_007_199_254_740_993))
    # 18 and 6 decimals, so the products of the whole numbers have 24; the slipped price has 21.
    assert int(traits.trade_usd.scaleb(24, EXACT)) == 123_456_789_012_345_678 * 9_007_199_254_740_993
    assert int(traits.entry.scaleb(21, EXACT)) == 123_456_789_012_345_678 * 1003


@pytest.mark.parametrize(
    ("price", "entry"), [("0.9969", "0.9998907"), ("0.997", "0.9999"), ("1", "0.9999"), ("0", "0")]
)
def test_the_slipped_price_ends_below_one(price, entry):
    assert entry_of(Decimal(price)) == Decimal(entry)


@pytest.mark.parametrize(
    ("price", "bracket"), [("0.2999", "LOW"), ("0.30", "MID"), ("0.70", "MID"), ("0.700000000000000001", "HIGH")]
)
def test_brackets_have_one_set_of_limits(price, bracket):
    assert bracket_of(Decimal(price)) == bracket


def test_d54_a_trader_without_a_record_gets_one_default_however_the_record_is_missing():
    empty = TraderRecord(lifetime=NOTHING, d30=NOTHING, d7=NOTHING)
    for missing in (None, empty):
        traits = traits_of(trade(trader=missing))
        for source in WinRateSource:
            standing = traits.standing(source)
            assert (standing.win_rate, standing.resolved_count, standing.is_default) == (Decimal("0.5"), 0, True)
        assert traits.conviction == 1


def test_thirty_days_go_before_the_lifetime_value_by_value():
    assert traits_of(trade(trader=record(win_rate=None))).overall.win_rate == Decimal("0.52")
    assert traits_of(trade(trader=record(resolved_count=0))).overall.resolved_count == 500
    assert traits_of(trade(trader=record(avg_trade_usd=None))).conviction == Decimal("0.5")  # 40 / 80


def test_d18_a_win_rate_of_zero_is_a_value_and_no_default():
    standing = traits_of(trade(trader=record(win_rate=Decimal(0)))).overall
    assert (standing.win_rate, standing.is_default) == (0, False)


def test_an_average_of_zero_says_nothing_about_conviction():
    assert traits_of(trade(trader=record(avg_trade_usd=Decimal(0)))).conviction == 1


def test_conviction_has_six_decimals():
    assert str(traits_of(trade(trader=record(avg_trade_usd=Decimal(30)))).conviction) == "1.333333"


def profile(niche, structure, bracket, count, win_rate):
    return ProfileRecord(
        niche=niche, structure=structure, bracket=bracket, resolved_count=count, win_rate=Decimal(win_rate)
    )


SAME_BRACKET = profile("NBA", "HEAD_TO_HEAD", "MID", 10, "0.9")
OTHER_BRACKET = profile("NBA", "HEAD_TO_HEAD", "LOW", 30, "0.5")
OTHER_STRUCTURE = profile("NBA_FINALS", "SPREAD", "MID", 4, "0.25")
UNRELATED = profile("CRYPTO", "HEAD_TO_HEAD", "MID", 99, "0.1")
UNCOUNTED = profile("NBA", "HEAD_TO_HEAD", "MID", 0, "1")


@pytest.mark.parametrize(
    ("rows", "win_rate", "count"),
    [
        ((SAME_BRACKET, OTHER_BRACKET, OTHER_STRUCTURE), "0.9", 10),
        ((OTHER_BRACKET, OTHER_STRUCTURE), "0.5", 30),
        ((OTHER_BRACKET, profile("NBA", "HEAD_TO_HEAD", "HIGH", 10, "0.9")), "0.6", 40),  # (30 x 0.5 + 10 x 0.9) / 40
        ((OTHER_STRUCTURE, UNRELATED), "0.25", 4),
        ((UNCOUNTED, OTHER_BRACKET), "0.5", 30),
        ((UNRELATED,), "0.6", 40),
        ((), "0.6", 40),
    ],
)
def test_a_profile_is_the_narrowest_rows_weighted_by_count_else_the_overall_record(rows, win_rate, count):
    trader = TraderRecord(lifetime=RECORD.lifetime, d30=RECORD.d30, d7=NOTHING, profiles=rows)
    standing = traits_of(trade(trader=trader)).profile
    assert (standing.win_rate, standing.resolved_count) == (Decimal(win_rate), count)
    assert standing.edge == Decimal(win_rate) - Decimal("0.4012")


def test_words_are_of_title_category_and_tags_in_lower_case_and_none_reaches_over_two():
    text = traits_of(TRADE).text
    assert all(word in text for word in ("lakers", "sports", "nba", "basketball"))
    assert "celticssports" not in text
    assert traits_of(trade(market=market(title=None), title="As The Trade Says")).text.startswith("as the trade says")


def test_i8_an_absent_score_is_no_number():
    assert traits_of(trade(score=Absent(reason="timeout"))).probability is None


@QUICK
@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_a_greater_price_never_has_a_smaller_entry(one, other):
    low, high = sorted((one, other))
    low_entry, high_entry = entry_of(Decimal(low).scaleb(-18)), entry_of(Decimal(high).scaleb(-18))
    assert low_entry <= high_entry <= Decimal("0.9999")
