from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.polysignal import SignalInputs, is_short_term_crypto, polysignal

D = Decimal
NAMES = ["conviction", "traderWr", "entryBand", "edge", "experience"]


def decimal_or_none(text):
    return None if text is None else D(text)


def signal(price="0.50", conviction=None, win_rate=None, count=None, probability=None, title=None, hedging=False):
    return polysignal(
        SignalInputs(
            price=D(price),
            conviction=decimal_or_none(conviction),
            win_rate=decimal_or_none(win_rate),
            resolved_count=count,
            probability=decimal_or_none(probability),
            title=title,
            hedging=hedging,
        )
    )


def points(name, **inputs):
    return next(one.points for one in signal(**inputs).indicators if one.name == name)


@pytest.mark.parametrize(
    ("name", "inputs", "expected"),
    [
        *[("conviction", {"conviction": text}, add) for text, add in
          (("3", 25), ("2.99", 15), ("2", 15), ("1.99", 0), ("1", 0), ("0.99", -15), ("0", -15))],
        *[("entryBand", {"price": text}, add) for text, add in
          (("0", -20), ("0.1999", -20), ("0.20", 25), ("0.40", 25), ("0.4001", -5), ("0.5999", -5), ("0.60", 5))],
        *[("traderWr", {"win_rate": text, "count": 15}, add) for text, add in
          (("0.55", 20), ("0.65", 20), ("0.5499", 10), ("0.50", 10), ("0.6501", 10), ("0.70", 10), ("0.7001", 0),
           ("0.45", 0), ("0.4499", -20), ("0", -20))],
        ("traderWr", {"win_rate": "0", "count": 14}, 0),
        *[("edge", {"probability": text}, add) for text, add in
          (("0.60", "7.5"), ("0.70", "15"), ("0.90", "15"), ("0.50", "0"), ("0.40", "-7.5"), ("0", "-15"))],
    ],
)  # fmt: skip
def test_points_at_their_limits(name, inputs, expected):
    assert points(name, **inputs) == D(expected)


@pytest.mark.parametrize(
    ("count", "label"), [(50, "strong"), (49, "good"), (20, "good"), (19, "neutral"), (9, "little")]
)
def test_experience_adds_nothing_but_a_label(count, label):
    experience = signal(count=count).indicators[4]
    assert (experience.label, experience.points) == (label, 0)


def test_a_golden_score():
    # 50 + 15 (conviction 2) + 25 (price 0.30) + 20 (win rate 0.60) + 7.5 (edge 0.10), cut at 100.
    assert signal("0.30", "2", "0.60", 60, "0.40").score == 100
    # 50 - 15 - 5 + 10 + 3.75
    found = signal("0.50", "0.5", "0.52", 60, "0.55")
    assert (found.score, found.recommendation) == (D("43.75"), "AVOID")


def test_i8_what_nobody_knows_is_shown_as_absent_and_adds_nothing():
    found = signal("0.50")
    assert [one.name for one in found.indicators] == NAMES
    assert {one.name for one in found.indicators if one.value is None} == set(NAMES) - {"entryBand"}
    assert all(one.label == "absent" and one.points == 0 for one in found.indicators if one.value is None)
    assert (found.score, found.recommendation) == (45, "NEUTRAL")


def test_zero_is_a_value_and_not_absent():
    assert signal(conviction="0", win_rate="0", count=0, probability="0").indicators[0].value == 0
    assert all(
        one.value is not None for one in signal(conviction="0", win_rate="0", count=0, probability="0").indicators
    )


@pytest.mark.parametrize(
    ("inputs", "recommendation"),
    [
        ({"price": "0.30", "probability": "0.29", "hedging": True, "conviction": "3"}, "TOXIC"),
        ({"price": "0.30", "probability": "0.29", "conviction": "3"}, "STRONG_BUY"),
        ({"price": "0.30", "conviction": "3", "win_rate": "0.44", "count": 15}, "TOXIC"),
        ({"price": "0.30", "conviction": "1.9", "title": "Bitcoin up or down today?", "win_rate": "0.6"}, "AVOID"),
        ({"price": "0.30", "conviction": "2", "title": "Bitcoin up or down today?", "win_rate": "0.6"}, "STRONG_BUY"),
        ({"price": "0.19", "conviction": "3", "win_rate": "0.49"}, "TOXIC"),
        ({"price": "0.50", "conviction": "3", "win_rate": "0.6", "probability": "0.349"}, "TOXIC"),
        ({"price": "0.50", "conviction": "3", "win_rate": "0.6", "probability": "0.35"}, "STRONG_BUY"),
        ({"price": "0.60", "conviction": "1"}, "NEUTRAL"),
        ({"price": "0.50", "conviction": "2"}, "BUY"),
        ({"price": "0.10", "conviction": "0"}, "TOXIC"),
    ],
)
def test_the_first_recommendation_that_fits(inputs, recommendation):
    assert signal(**inputs).recommendation == recommendation


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Bitcoin Up or Down - November 28, 3PM ET", True),
        ("Will ETH be above $4,000 today?", True),
        ("Solana next hour", True),
        ("XRP at 15:30", True),
        ("Will Bitcoin reach $200k in 2027?", False),
        ("Will it rain today?", False),
        ("Ethiopia votes tomorrow", False),
        (None, False),
    ],
)
def test_short_term_crypto_is_a_coin_and_a_phrase_of_the_day(title, expected):
    assert is_short_term_crypto(title) is expected


def test_short_term_crypto_costs_ten_points():
    assert signal(conviction="2", title="BTC today").score == signal(conviction="2").score - 10


def some(low, high, places):
    return st.none() | st.integers(low, high).map(lambda number: str(D(number).scaleb(-places)))


@QUICK
@given(
    some(0, 1000, 3).filter(bool), some(0, 9000, 3), some(0, 1000, 3), st.none() | st.integers(0, 99), some(0, 1000, 3),
    st.booleans(),
)  # fmt: skip
def test_a_score_lies_between_0_and_100_and_is_its_points(price, conviction, win_rate, count, probability, hedging):
    found = signal(price, conviction, win_rate, count, probability, hedging=hedging)
    total = 50 + sum(one.points for one in found.indicators)
    assert abs(found.score - min(max(total, 0), 100)) <= D("0.005")
    assert found.score == found.score.quantize(D("0.01"))
    assert len(found.indicators) == 5
