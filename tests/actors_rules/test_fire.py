from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.fire import fire_of, is_hot_trader
from actors.rules.polysignal import SignalInputs, known_conviction

D = Decimal


def fire(win_rate="0.53", count=10, roi=None, conviction=None, price="0.3", title=None):
    given_ = {
        name: None if text is None else D(text) for name, text in (("w", win_rate), ("r", roi), ("c", conviction))
    }
    inputs = SignalInputs(price=D(price), conviction=given_["c"], win_rate=given_["w"], resolved_count=count,
                          probability=None, title=title)  # fmt: skip
    return fire_of(inputs, given_["r"])


@pytest.mark.parametrize(
    ("inputs", "reasons"),
    [
        ({"win_rate": "0.55"}, ["winRate"]),
        ({"win_rate": "0.549999"}, None),
        ({"roi": "0.15"}, ["roi"]),
        ({"roi": "0.149999"}, None),
        ({"conviction": "2.5"}, ["conviction"]),
        ({"conviction": "2.499999"}, None),
        ({"win_rate": "0.6", "roi": "1", "conviction": "9"}, ["winRate", "roi", "conviction"]),
        # A record lets him in, or nothing does.
        ({"win_rate": "0.519999", "roi": "1", "conviction": "9"}, None),
        ({"win_rate": "0.52", "roi": "1", "conviction": "9"}, ["roi", "conviction"]),
        ({"count": 9, "win_rate": "0.9"}, None),
        ({"count": None, "win_rate": "0.9"}, None),
        ({"win_rate": None, "roi": "1", "conviction": "9"}, None),
        # 50 + 10 - 5: neutral, whatever the reasons.
        ({"roi": "1", "price": "0.5"}, None),
        # Many words, few coins.
        ({"win_rate": "0.6", "conviction": "1.9", "title": "Bitcoin up or down, 3pm"}, None),
    ],
)
def test_limits(inputs, reasons):
    found = fire(**inputs)
    assert (None if found is None else [one.value for one in found.reasons]) == reasons


def reference(win_rate, count, roi, conviction, price):
    """The whole rule written out once more, in fractions and for titles without a coin: domain.md §9 and §3.4."""
    if win_rate is None or count is None or win_rate < Fraction(52, 100) or count < 10:
        return None
    reasons = []
    if win_rate >= Fraction(55, 100):
        reasons.append("winRate")
    if roi is not None and roi >= Fraction(15, 100):
        reasons.append("roi")
    if conviction is not None and conviction >= Fraction(5, 2):
        reasons.append("conviction")
    score = 50
    if conviction is not None:
        score += 25 if conviction >= 3 else 15 if conviction >= 2 else 0 if conviction >= 1 else -15
    score += 20 if Fraction(55, 100) <= win_rate <= Fraction(65, 100) else 10 if win_rate <= Fraction(7, 10) else 0
    score += -20 if price < Fraction(1, 5) else 25 if price <= Fraction(2, 5) else -5 if price < Fraction(3, 5) else 5
    if not reasons or score < 60:
        return None
    return reasons, "STRONG_BUY" if score >= 75 else "BUY"


def rates(top, steps):
    return st.one_of(st.none(), st.integers(0, steps).map(lambda n: D(n) * top / steps))


@QUICK
@given(
    win_rate=rates(1, 100),
    count=st.one_of(st.none(), st.integers(8, 60)),
    roi=st.one_of(st.none(), st.integers(-100, 100).map(lambda n: D(n) / 100)),
    conviction=rates(4, 80),
    price=st.integers(0, 100).map(lambda n: D(n) / 100),
)
def test_it_is_what_the_rule_says_written_out_once_more(win_rate, count, roi, conviction, price):
    inputs = SignalInputs(
        price=price, conviction=conviction, win_rate=win_rate, resolved_count=count, probability=None, title="Rain?"
    )
    found = fire_of(inputs, roi)
    exact = [None if value is None else Fraction(value) for value in (win_rate, count, roi, conviction, price)]
    told = None if found is None else ([one.value for one in found.reasons], found.signal.recommendation.value)
    assert told == reference(*exact)


@pytest.mark.parametrize(
    ("win_rate", "count", "expected"), [("0.52", 10, True), ("0.5199", 10, False), ("1", 9, False)]
)
def test_who_gets_in(win_rate, count, expected):
    assert is_hot_trader(D(win_rate), count) is expected


@pytest.mark.parametrize(
    ("trade", "average", "expected"),
    [
        ("5", "2", "2.5"),
        ("1", "3", "0.333333"),
        ("5", None, None),
        ("5", "0", None),
        ("5", "-1", None),
        ("0", "1", "0"),
    ],
)
def test_conviction_is_absent_without_an_average(trade, average, expected):
    found = known_conviction(D(trade), None if average is None else D(average))
    assert found == (None if expected is None else D(expected))
