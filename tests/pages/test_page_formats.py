"""Numbers and times as people read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pages import formats

AMOUNTS = st.decimals(-(10**12), 10**12, places=6)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unmarked"),
        (Decimal("0"), "0.00"),
        (Decimal("-0.004"), "0.00"),
        (Decimal("1234.5"), "1,234.50"),
        (Decimal("-1234567.891"), "−1,234,567.89"),
        (7, "7.00"),
    ],
)
def test_usd(value, text):
    assert formats.usd(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("0.001"), "0.00"), (Decimal("3.1"), "+3.10"), (Decimal("-3.1"), "−3.10"), (None, "unmarked")],
)
def test_signed_usd(value, text):
    assert formats.signed_usd(value) == text


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (Decimal("0.26"), "26¢"),
        (Decimal("0.263"), "26.3¢"),
        (Decimal("0.0001"), "0.01¢"),
        (Decimal("0.123456789"), "12.35¢"),
        (Decimal("0.10"), "10¢"),
        (0, "0¢"),
        (1, "100¢"),
        (None, "unmarked"),
    ],
)
def test_cents(price, text):
    assert formats.cents(price) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(Decimal("12.500000"), "12.50"), (Decimal("1200"), "1,200"), (Decimal("0.001"), "0"), (Decimal("1E+3"), "1,000")],
)
def test_shares(value, text):
    assert formats.shares(value) == text


def test_ratios_and_what_is_in_per_cent_already():
    assert formats.percent(Decimal("0.5797")) == "58.0\N{NARROW NO-BREAK SPACE}%"
    assert formats.percent_of_100(Decimal("23.749929")) == "23.7\N{NARROW NO-BREAK SPACE}%"
    assert formats.percent(None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0\N{NARROW NO-BREAK SPACE}B"), (1536, "1.5\N{NARROW NO-BREAK SPACE}KiB"),
     (95_000_000, "90.6\N{NARROW NO-BREAK SPACE}MiB"), (3 << 40, "3072\N{NARROW NO-BREAK SPACE}GiB")],
)  # fmt: skip
def test_memory(value, text):
    assert formats.size_of_memory(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 s"), (Decimal("0.25"), "250 ms"), (59, "59 s"), (3_660, "1 h 1 min"), (86_400, "1 d"), (90_061, "1 d 1 h")],
)
def test_durations(value, text):
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("age_ms", "text"),
    [(0, "0 s ago"), (999, "0 s ago"), (61_000, "1 min ago"), (86_400_000 * 3, "3 d ago"), (-7_200_000, "in 2 h")],
)
def test_ago(age_ms, text):
    assert formats.ago(age_ms) == text


@given(AMOUNTS)
def test_an_amount_reads_back_as_itself_to_the_cent(value):
    text = formats.usd(value).replace(",", "").replace("−", "-")
    assert abs(Decimal(text) - value) <= Decimal("0.005")


@given(AMOUNTS)
def test_a_sign_says_what_the_colour_says_unless_it_rounds_to_nothing(value):
    text = formats.signed_usd(value)
    if text != "0.00":
        assert (text[0] == "+") == (formats.tone(value) == "gain")
        assert (text[0] == "−") == (formats.tone(value) == "loss")


@given(st.integers(0, 4_102_444_800_000))
def test_times_read_back(at_ms):
    assert formats.time_ms(formats.machine_time(at_ms)) == at_ms
