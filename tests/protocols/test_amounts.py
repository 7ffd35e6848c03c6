from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from protocols.amounts import MICRO, SIZE_MICRO_MAX, decimal_from, exact_price, size_from_micro, size_micro
from protocols.errors import MalformedError

DECIMALS = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True),
    st.builds(
        lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
        st.integers(0, 1),
        st.lists(st.integers(0, 9), min_size=1, max_size=70),
        st.integers(-3_000_000, 3_000_000) | st.integers(-25, 5),
    ),
)


def nearest_even(value: Fraction) -> int:
    return round(value)


@MANY
@given(size=DECIMALS)
def test_a_size_is_rounded_to_the_nearest_micro_share_or_refused(size):
    try:
        micro = size_micro(size)
    except MalformedError as error:
        assert error.reason == "size"
        if size.is_finite() and abs(size.adjusted()) < 100:
            assert not 0 < nearest_even(Fraction(size) * MICRO) <= SIZE_MICRO_MAX
    else:
        assert isinstance(micro, int)
        assert micro == nearest_even(Fraction(size) * MICRO)
        assert 0 < micro <= SIZE_MICRO_MAX


@MANY
@given(micro=st.integers(1, SIZE_MICRO_MAX))
def test_micro_shares_and_decimals_are_two_spellings(micro):
    size = size_from_micro(micro)
    assert size_micro(size) == micro
    assert -size.as_tuple().exponent == 6
    assert Fraction(size) == Fraction(micro, MICRO)


@MANY
@given(micro=st.integers(1, 10**15), noise=st.integers(-400, 400), digits=st.integers(6, 18))
def test_every_number_of_decimals_of_one_size_is_the_same_size(micro, noise, digits):
    with localcontext() as context:
        context.prec = 60
        exact = size_from_micro(micro) + Decimal(noise).scaleb(-9)
        written = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    assert size_micro(written) == micro


@pytest.mark.parametrize(
    "text", ["0", "-1", "0.0000004", "1e15", "NaN", "sNaN", "Infinity", "-Infinity", "1e999999", "0e9999"]
)
def test_what_no_size_can_be(text):
    with pytest.raises(MalformedError) as caught:
        size_micro(Decimal(text))
    assert caught.value.reason == "size"
    assert len(str(caught.value)) < 100


def test_the_largest_size_is_one_that_every_place_holds():
    largest = size_from_micro(SIZE_MICRO_MAX)
    assert size_micro(largest) == SIZE_MICRO_MAX
    with pytest.raises(MalformedError):
        size_micro(largest + Decimal("0.000001"))


@MANY
@given(price=DECIMALS)
def test_a_price_is_exact_to_18_decimals_or_refused(price):
    try:
        exact = exact_price(price)
    except MalformedError as error:
        assert error.reason == "price"
        assert not (price.is_finite() and 0 <= price <= 1)
    else:
        assert 0 <= exact <= 1
        assert -exact.as_tuple().exponent <= 18
        if price.adjusted() > -100:
            assert abs(Fraction(exact) - Fraction(price)) <= Fraction(1, 2 * 10**18)


@pytest.mark.parametrize("text", ["0.6889999998935867", "0.999000000999", "0", "1", "1.000000000000000000"])
def test_prices_of_the_recordings_stay_as_they_are(text):
    assert str(exact_price(Decimal(text))) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, "5"), ("0.1", "0.1"), (" 7 ", "7"), (Decimal("1e-9"), "1E-9"), ("1e3", "1E+3"), (-3, "-3")],
)
def test_numbers_come_in_many_spellings(value, number):
    assert decimal_from(value, "price") == Decimal(number)


@MANY
@given(value=st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.binary(), st.lists(st.integers())))
def test_anything_else_is_malformed_under_its_own_name(value):
    try:
        assert decimal_from(value, "a_field").is_finite()
    except MalformedError as error:
        assert error.reason == "a_field"
        assert len(error.detail) <= 60


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-inf", "sNaN", "9" * 61, "", "0x10", 1.5, True, None, [1], Decimal("NaN")]
)
def test_traps_of_numbers(value):
    with pytest.raises(MalformedError):
        decimal_from(value, "price")
