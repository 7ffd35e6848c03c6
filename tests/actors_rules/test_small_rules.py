import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.recent_set import RecentSet
from actors.rules.stall import StallWatch


@MANY
@given(first_s=st.floats(0.001, 100), ratio=st.floats(1, 1e6), failures=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_a_pause_lies_between_half_of_its_step_and_the_step(first_s, ratio, failures, seed):
    max_s = first_s * ratio
    backoff = Backoff(first_s=first_s, max_s=max_s, rng=random.Random(seed))
    for n in range(failures):
        step_s = min(max_s, first_s * 2.0**n)
        assert step_s / 2 <= backoff.next_s() <= step_s
    assert backoff.failures == failures
    backoff.reset()
    assert first_s / 2 <= backoff.next_s() <= first_s


def test_pauses_are_jittered_and_never_overflow():
    backoff = Backoff(first_s=1, max_s=30, rng=random.Random(1))
    pauses = [backoff.next_s() for _ in range(5_000)]
    assert len(set(pauses)) > 4_900
    assert 15 <= min(pauses[10:]) < 16
    assert 29 < max(pauses) <= 30


@QUICK
@given(keys=st.lists(st.text(max_size=3), max_size=200), keys_max=st.integers(1, 20))
def test_a_recent_set_remembers_at_least_the_last_and_at_most_twice_as_many(keys, keys_max):
    seen = RecentSet(keys_max)
    for number, key in enumerate(keys):
        seen.add(key)
        assert len(seen) <= 2 * keys_max
        last: list[str] = []
        for earlier in reversed(keys[: number + 1]):
            if earlier not in last:
                last.append(earlier)
        assert all(one in seen for one in last[:keys_max])
    assert not any(f"{key} never added" in seen for key in keys)


def test_a_recent_set_forgets():
    seen = RecentSet(10)
    for number in range(1_000):
        seen.add(str(number))
    assert "0" not in seen
    assert "979" not in seen
    assert "995" in seen


@pytest.fixture
def watch():
    return StallWatch(timeout_s=30, timeout_max_s=300)


def test_the_stall_time_out_doubles_up_to_five_minutes_while_sockets_stay_silent(watch):
    seen = []
    for _ in range(7):
        seen.append(watch.current_s)
        watch.stalled()
    assert seen == [30, 60, 120, 240, 300, 300, 300]


def test_data_brings_the_stall_time_out_back(watch):
    watch.stalled()
    watch.stalled()
    watch.data_arrived()
    assert watch.current_s == 30


@MANY
@given(events=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20)), max_size=60), interval_s=st.floats(0.1, 20))
def test_one_line_a_key_and_interval_and_none_uncounted(events, interval_s):
    limit, now_s = LogLimit(interval_s), 0.0
    written, reported = {}, {}
    for key, pause_s in events:
        now_s += pause_s
        held = limit.allows(key, now_s)
        if held is None:
            assert now_s - written[key] < interval_s
            reported[key] = reported.get(key, 0) + 1
        else:
            assert key not in written or now_s - written[key] >= interval_s
            assert held == reported.pop(key, 0)
            written[key] = now_s


def test_the_number_of_keys_is_bounded():
    limit = LogLimit(10, keys_max=5)
    for number in range(1_000):
        assert limit.allows(str(number), 0.0) == 0
        assert len(limit._last_s) <= 5
        assert len(limit._held) <= 5
