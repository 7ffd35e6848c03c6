import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.redis.server_clock import LOOK_BACK_S, ServerClock

AHEAD_S = 1_795_000_000.0
TIMES = st.lists(
    st.tuples(st.floats(0, 2), st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=20
)  # pause, way there, way back


@given(times=TIMES, moment_s=st.floats(0, 60))
def test_a_moment_is_told_too_early_by_no_more_than_the_quickest_answer_took(times, moment_s):
    clock, now_s, quickest_s = ServerClock(), 0.0, float("inf")
    for pause_s, there_s, back_s in times:
        now_s += pause_s
        read_ms = int((now_s + there_s + AHEAD_S) * 1000)
        clock.read(read_ms, sent_s=now_s, received_s=now_s + there_s + back_s)
        now_s += there_s + back_s
        quickest_s = min(quickest_s, there_s + back_s)
    there_ms = int((moment_s + AHEAD_S) * 1000)
    told_s = clock.monotonic_s(there_ms, 1e9)
    assert moment_s - quickest_s - 0.003 <= told_s <= moment_s + 1e-5
    told_ms = clock.server_ms(moment_s)
    assert there_ms - quickest_s * 1000 - 3 <= told_ms <= there_ms + 1
    assert clock.monotonic_s(there_ms, moment_s - 1) <= moment_s - 1


@pytest.mark.parametrize("step_ms", [-60_000, 60_000])
def test_a_clock_that_was_set_is_believed_at_once(step_ms):
    clock = ServerClock()
    clock.read(1_000_000, sent_s=1.0, received_s=1.01)
    clock.read(1_001_000 + step_ms, sent_s=2.0, received_s=2.01)
    assert clock.monotonic_s(1_001_000 + step_ms, 9.0) == pytest.approx(2.0, abs=0.02)


def test_old_answers_do_not_count_since_clocks_drift():
    clock = ServerClock()
    clock.read(1_000, sent_s=1.0, received_s=1.0)
    late_s = 1.0 + LOOK_BACK_S + 1
    clock.read(round(late_s * 1000) + 200, sent_s=late_s, received_s=late_s + 0.5)
    assert clock.monotonic_s(1_000, 99.0) == pytest.approx(0.8, abs=0.002)


def test_it_knows_nothing_without_an_answer():
    clock = ServerClock()
    assert not clock.is_known
    clock.read(5, sent_s=0.0, received_s=0.0)
    assert clock.is_known
    clock.forget()
    assert not clock.is_known
