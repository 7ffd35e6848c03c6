import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.gap_plan import PLANNED_MAX, GapPlan
from protocols.ingest import GapReason, GapRequest


def gap(since_s, until_s, reason=GapReason.STALL):
    return GapRequest(reason=reason, since_ms=since_s * 1000, until_ms=until_s * 1000)


def covered(gaps, second):
    return any(one.since_ms <= second * 1000 <= one.until_ms for one in gaps)


def test_a_gap_is_due_at_once_and_again_after_the_pause_and_then_no_more():
    plan = GapPlan(reread_s=15)
    plan.add([gap(0, 10)], now_s=100)
    (first,) = plan.due(100)
    plan.done(first, 103)
    assert plan.due(117.9) == []
    assert plan.next_due_s() == 118
    (second,) = plan.due(118)
    assert second.request == first.request
    plan.done(second, 119)
    assert plan.next_due_s() is None
    assert plan.unread() == frozenset()


def test_without_a_pause_there_is_one_reading():
    plan = GapPlan(reread_s=0)
    plan.add([gap(0, 10)], now_s=1)
    plan.done(plan.due(1)[0], 2)
    assert plan.next_due_s() is None


def test_a_postponed_gap_keeps_its_readings():
    plan = GapPlan(reread_s=15)
    plan.add([gap(0, 10)], now_s=0)
    (reading,) = plan.due(0)
    plan.postpone(reading, 60)
    assert plan.due(59) == []
    (again,) = plan.due(60)
    assert (again.request, again.readings_left) == (reading.request, reading.readings_left)


@pytest.mark.parametrize("reason", GapReason)
def test_all_but_a_recycling_is_unread_until_its_last_reading_is_done(reason):
    plan = GapPlan(reread_s=15)
    request = gap(0, 10, reason)
    plan.add([request], now_s=0)
    expected = frozenset() if reason is GapReason.RECYCLE else frozenset([request])
    assert plan.unread() == expected
    plan.done(plan.due(0)[0], 0)
    assert plan.unread() == expected
    plan.done(plan.due(15)[0], 15)
    assert plan.unread() == frozenset()


@given(starts=st.lists(st.integers(0, 10**6), min_size=1, max_size=4 * PLANNED_MAX), taken=st.integers(0, PLANNED_MAX))
def test_a_plan_is_bounded_and_forgets_no_second(starts, taken):
    """A reading that is under way while requests keep coming ends without taking later ones with it."""
    plan = GapPlan(reread_s=15)
    under_way = []
    for n, start in enumerate(starts):
        plan.add([gap(start, start + 1)], now_s=n)
        if n == taken:
            under_way = plan.due(n)
    assert len(plan.due(1e9)) <= PLANNED_MAX
    assert all(covered(plan.unread(), start) for start in starts)
    for reading in under_way:
        plan.done(reading, 1e6)
    assert all(covered(plan.unread(), start) for start in starts)
