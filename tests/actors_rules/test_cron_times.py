from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import FEW, QUICK

from actors.rules.cron_times import CronTimes, slot_owed
from config.jobs import cron_problem
from protocols.jobs import ATTEMPTS_MAX, JobStatus, LastSlot
from protocols.timestamps import utc_datetime

MINUTE_MS = 60_000
DAY_MINUTES = 1_440


def ms(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def part(low, high, top=None):
    """One field and the values it stands for, written down independently of any parser."""
    top = high if top is None else top
    every = st.just(("*", frozenset(range(low, top + 1))))
    stepped = st.integers(2, 20).map(lambda n: (f"*/{n}", frozenset(range(low, top + 1, n))))
    some = st.sets(st.integers(low, high), min_size=1, max_size=3).map(
        lambda chosen: (",".join(map(str, sorted(chosen))), frozenset(chosen))
    )
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(
        lambda ends: (f"{min(ends)}-{max(ends)}", frozenset(range(min(ends), max(ends) + 1)))
    )
    return st.one_of(every, stepped, some, span)


def is_due(fields, epoch_ms):
    minutes, hours, days, months, weekdays = (values for _, values in fields)
    at = utc_datetime(epoch_ms)
    by_day, by_weekday = at.day in days, (at.weekday() + 1) % 7 in {day % 7 for day in weekdays}
    starred = fields[2][0].startswith("*") or fields[4][0].startswith("*")
    day_fits = by_day and by_weekday if starred else by_day or by_weekday
    return at.minute in minutes and at.hour in hours and at.month in months and day_fits


EXPRESSIONS = st.tuples(part(0, 59), part(0, 23), part(1, 28, 31), part(1, 12), part(0, 7))
TIMES = st.integers(ms("2019-01-01"), ms("2031-12-31"))


@FEW
@given(fields=EXPRESSIONS, at_ms=TIMES)
def test_slots_are_those_that_a_walk_minute_by_minute_finds(fields, at_ms):
    cron = CronTimes(" ".join(text for text, _ in fields))
    floor_ms = at_ms - at_ms % MINUTE_MS
    before = [t for t in range(floor_ms, floor_ms - 2 * DAY_MINUTES * MINUTE_MS, -MINUTE_MS) if is_due(fields, t)]
    after = [
        t for t in range(floor_ms + MINUTE_MS, floor_ms + 2 * DAY_MINUTES * MINUTE_MS, MINUTE_MS) if is_due(fields, t)
    ]
    latest_ms, next_ms = cron.latest_until(at_ms), cron.next_after(at_ms)
    if before:
        assert latest_ms == before[0]
    if after:
        assert next_ms == after[0]
    assert is_due(fields, latest_ms)
    assert is_due(fields, next_ms)
    assert latest_ms <= at_ms < next_ms
    assert cron.next_after(latest_ms) == next_ms
    assert cron.latest_until(next_ms) == next_ms


@pytest.mark.parametrize(
    ("expression", "at", "latest", "following"),
    [
        ("0 4 * * *", "2026-11-21T04:00:00", "2026-11-21T04:00", "2026-11-22T04:00"),
        ("0 4 * * *", "2026-11-21T03:59:59.999", "2026-11-20T04:00", "2026-11-21T04:00"),
        ("*/5 * * * *", "2026-12-31T23:59:30", "2026-12-31T23:55", "2027-01-01T00:00"),
        ("0 6 * * 1", "2026-11-21T12:00", "2026-11-16T06:00", "2026-11-23T06:00"),
        ("0 0 29 2 *", "2026-01-01", "2024-02-29", "2028-02-29"),
        ("30 2 29 3 *", "2026-03-29T12:00", "2026-03-29T02:30", "2027-03-29T02:30"),
    ],
)
def test_examples(expression, at, latest, following):
    cron = CronTimes(expression)
    at_ms = round(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000)
    assert (cron.latest_until(at_ms), cron.next_after(at_ms)) == (ms(latest), ms(following))


@pytest.mark.parametrize(
    "expression", ["0 4 * * *", "*/5 * * * *", "0 6 * * MON", "15,45 0-6/2 1 JAN-MAR *", "0 0 29 2 *"]
)
def test_a_right_expression_has_no_problem(expression):
    assert cron_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "five fields"),
        ("0 4 * *", "five fields"),
        ("0 0 4 * * *", "five fields"),
        ("60 4 * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 4 0 * *", "bad day-of-month"),
        ("0 4 * 13 *", "bad month"),
        ("0 4 * * 8", "bad day-of-week"),
        ("*/0 4 * * *", "bad minute"),
        ("a b c d e", "bad minute"),
        ("0 4 31 2 *", "bad day-of-month"),
        ("0 4 30 2 */2", "bad day-of-month"),
        ("0 4 -1 * *", "bad day-of-month"),
    ],
)
def test_a_wrong_expression_is_told_and_refused(expression, problem):
    assert problem in (cron_problem(expression) or "")
    with pytest.raises(ValueError, match=problem):
        CronTimes(expression)


@QUICK
@given(text=st.text(max_size=30))
def test_any_text_is_judged(text):
    if cron_problem(text) is None:
        CronTimes(text).next_after(ms("2026-01-01"))


def last(slot, status=JobStatus.SUCCEEDED, attempt=1):
    return LastSlot(slot_ms=ms(slot), attempt=attempt, status=status)


def test_of_many_missed_slots_only_the_latest_is_owed():
    assert slot_owed(CronTimes("0 * * * *"), ms("2026-11-21T09:30"), last("2026-11-19T01:00")) == ms("2026-11-21T09:00")


@pytest.mark.parametrize("now", ["2026-11-21T04:00", "2026-11-22T03:59", "2026-11-20T09:00", "2026-11-21T01:00"])
def test_nothing_is_owed_until_the_next_slot_however_the_clock_stepped_back(now):
    assert slot_owed(CronTimes("0 4 * * *"), ms(now), last("2026-11-21T04:00")) is None


@pytest.mark.parametrize("status", list(JobStatus))
@pytest.mark.parametrize("attempt", range(1, ATTEMPTS_MAX + 1))
def test_only_an_abandoned_slot_is_owed_again_while_attempts_are_left(status, attempt):
    owed = slot_owed(CronTimes("0 4 * * *"), ms("2026-11-21T05:00"), last("2026-11-21T04:00", status, attempt))
    again = status in (JobStatus.ABANDONED, JobStatus.RUNNING) and attempt < ATTEMPTS_MAX
    assert owed == (ms("2026-11-21T04:00") if again else None)
