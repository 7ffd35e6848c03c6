"""Quiet hours by the wall clock: over midnight, and in the nights in which clocks are set."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.notices.quiet_hours import is_quiet, quiet_until, zone_of
from protocols.notifications import Preferences

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
moments = st.integers(0, 4 * 525_600).map(lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
# Half of the moments lie in days in which a clock is set.
changes = st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04"])
nights = st.builds(
    lambda day, minutes: datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minutes - 720),
    changes,
    st.integers(0, 2_880),
)


def wanted(begin, end, zone="Europe/Berlin"):
    return Preferences(quiet_from=time.fromisoformat(begin), quiet_to=time.fromisoformat(end), timezone=zone)


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "begin", "end", "until"),
    [
        ("2026-01-10T23:30+01:00", "22:00", "07:00", "2026-01-11T07:00+01:00"),
        ("2026-01-11T06:59:59+01:00", "22:00", "07:00", "2026-01-11T07:00+01:00"),
        ("2026-01-11T07:00+01:00", "22:00", "07:00", None),
        ("2026-01-10T21:59:59+01:00", "22:00", "07:00", None),
        ("2026-01-10T12:30+01:00", "12:00", "13:00", "2026-01-10T13:00+01:00"),
        ("2026-01-10T11:59+01:00", "12:00", "13:00", None),
        # The night of 29 March has no 02:30 there, and that of 25 October has two.
        ("2026-03-28T23:00+01:00", "22:00", "07:00", "2026-03-29T07:00+02:00"),
        ("2026-10-24T23:00+02:00", "22:00", "07:00", "2026-10-25T07:00+01:00"),
        ("2026-03-29T01:30+01:00", "22:00", "02:30", "2026-03-29T03:30+02:00"),
        ("2026-10-25T01:30+02:00", "22:00", "02:30", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:10+01:00", "22:00", "02:30", "2026-10-25T02:30+01:00"),
    ],
)
def test_when_quiet_hours_end(now, begin, end, until):
    assert quiet_until(at(now), wanted(begin, end)) == (None if until is None else at(until))


@MANY
@given(now=st.one_of(moments, nights), begin=times, end=times, zone=st.sampled_from(ZONES))
def test_a_walk_by_minutes_finds_no_earlier_end(now, begin, end, zone):
    assume(begin != end)
    one = Preferences(quiet_from=begin, quiet_to=end, timezone=zone)
    until = quiet_until(now, one)
    wall = now.astimezone(ZoneInfo(zone)).time()
    assert (until is None) == (not is_quiet(wall, begin, end))
    if until is not None:
        assert now < until <= now + timedelta(hours=26)
        assert quiet_until(until, one) is None
        # An end that the clock skips counts as the old time has it: up to an hour later than the walk finds it.
        step = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        while quiet_until(step, one) is not None:
            step += timedelta(minutes=1)
        assert until - step <= timedelta(hours=1)


def test_without_hours_or_with_a_zone_that_is_unknown_here():
    assert quiet_until(at("2026-01-10T23:30+00:00"), Preferences()) is None
    assert quiet_until(at("2026-01-10T23:30+00:00"), wanted("22:00", "07:00", "No/Where")) == at(
        "2026-01-11T07:00+00:00"
    )
    assert [zone_of(name) for name in ("No/Where", "../etc/passwd", "", "Europe")] == [None] * 4
    assert zone_of("Europe/Berlin") == ZoneInfo("Europe/Berlin")
