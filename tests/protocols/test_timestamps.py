from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from protocols.errors import MalformedError
from protocols.timestamps import EARLIEST_MS, LATEST_MS, epoch_ms, utc_datetime

MOMENTS = st.integers(EARLIEST_MS, LATEST_MS - 1)


@pytest.mark.parametrize(
    ("value", "expected_ms"),
    [
        (1_787_102_287, 1_787_102_287_000),
        (1_787_102_287_053, 1_787_102_287_053),
        ("1787102287", 1_787_102_287_000),
        ("1787102287053", 1_787_102_287_053),
        (" 1787102287 ", 1_787_102_287_000),
        (1_787_102_287.5, 1_787_102_287_500),
        ("2026-07-24T12:10:52Z", 1_784_895_052_000),
        ("2026-07-24T12:10:52.250Z", 1_784_895_052_250),
        ("2026-07-24 12:10:52+00", 1_784_895_052_000),
        ("2026-07-24T14:10:52+02:00", 1_784_895_052_000),
        ("2026-07-24T12:10:52", 1_784_895_052_000),
        ("2026-07-24", 1_784_851_200_000),
    ],
)
def test_every_spelling_of_the_venue(value, expected_ms):
    assert epoch_ms(value) == expected_ms


@MANY
@given(milliseconds=MOMENTS)
def test_all_spellings_of_one_moment_agree(milliseconds):
    moment = utc_datetime(milliseconds)
    seconds = milliseconds // 1000
    assert epoch_ms(milliseconds) == epoch_ms(str(milliseconds)) == milliseconds
    assert epoch_ms(seconds) == epoch_ms(str(seconds)) == seconds * 1000
    assert epoch_ms(moment.isoformat()) == milliseconds
    assert epoch_ms(moment.isoformat().replace("+00:00", "Z")) == milliseconds
    assert epoch_ms(moment.replace(microsecond=0).strftime("%Y-%m-%d %H:%M:%S+00")) == seconds * 1000


@MANY
@given(milliseconds=MOMENTS)
def test_a_datetime_is_aware_and_exact(milliseconds):
    moment = utc_datetime(milliseconds)
    assert moment.tzinfo is UTC
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == milliseconds


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=5), st.datetimes().map(str),
    st.text(alphabet="0123456789-+:.TZ W", max_size=30), st.integers(1, 4300).map(lambda digits: int("9" * digits)),
)  # fmt: skip


@MANY
@given(value=ANYTHING)
def test_anything_is_a_moment_within_range_or_malformed(value):
    try:
        assert EARLIEST_MS <= epoch_ms(value) < LATEST_MS
    except MalformedError as error:
        assert error.reason == "timestamp"
        assert len(error.detail) < 5_000


@pytest.mark.parametrize(
    "digits",
    [
        20,
        400,
        4_299,
        4_300,
    ],
)
def test_an_integer_as_long_as_json_allows_is_malformed_too(digits):
    for value in (int("9" * digits), -int("9" * digits)):
        with pytest.raises(MalformedError):
            epoch_ms(value)


@pytest.mark.parametrize(
    "value", ["", "yesterday", "0", 0, -1, float("nan"), float("inf"), True, "20260724", "٣", "1" * 16]
)
def test_what_is_no_time(value):
    with pytest.raises(MalformedError):
        epoch_ms(value)
