from hypothesis import given
from hypothesis import strategies as st

from actors.rules.login_throttle import (
    ADDRESS_WAIT_MAX_S,
    FORGET_S,
    FREE_TRIES,
    USER_WAIT_MAX_S,
    Failures,
    LoginThrottle,
)


def test_five_are_free_and_then_each_wait_is_twice_as_long():
    throttle, now_s, waits = LoginThrottle(), 0.0, []
    for _ in range(FREE_TRIES + 7):
        wait_s = throttle.begin("203.0.113.7", "ann", now_s)
        waits.append(wait_s)
        now_s += wait_s
        if wait_s:
            assert throttle.begin("203.0.113.7", "ann", now_s) == 0.0
    assert waits == [0.0] * FREE_TRIES + [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]


def test_many_at_once_are_no_more_than_one_after_the_other():
    throttle = LoginThrottle()
    assert [throttle.begin("203.0.113.7", "ann", 1.0) == 0.0 for _ in range(50)].count(True) == FREE_TRIES


def test_a_user_is_kept_out_for_a_minute_at_most_and_an_address_for_longer():
    throttle, now_s = LoginThrottle(), 0.0
    for number in range(200):
        now_s += throttle.begin(f"2001:db8:0:{number:x}", "ann", now_s)
        throttle.begin(f"2001:db8:0:{number:x}", "ann", now_s)
    assert throttle.begin("198.51.100.1", "ann", now_s) <= USER_WAIT_MAX_S
    for number in range(200):
        now_s += throttle.begin("198.51.100.1", f"user{number}", now_s)
        throttle.begin("198.51.100.1", f"user{number}", now_s)
    assert USER_WAIT_MAX_S < throttle.begin("198.51.100.1", "bob", now_s) <= ADDRESS_WAIT_MAX_S


def test_ones_own_account_buys_no_guesses_at_others():
    throttle, guesses = LoginThrottle(), 0
    for number in range(100):
        guesses += throttle.begin("198.51.100.1", f"user{number}", 0.0) == 0.0
        if throttle.begin("198.51.100.1", "mine", 0.0) == 0.0:
            throttle.succeeded("198.51.100.1", "mine")
    assert guesses <= FREE_TRIES


def test_what_was_no_guess_is_not_counted_and_an_hour_forgets():
    throttle = LoginThrottle()
    for _ in range(100):
        assert throttle.begin("198.51.100.1", "ann", 0.0) == 0.0
        throttle.not_tried("198.51.100.1", "ann")
    for _ in range(FREE_TRIES):
        assert throttle.begin("198.51.100.1", "ann", 0.0) == 0.0
    assert throttle.begin("198.51.100.1", "ann", 0.0) > 0.0
    assert throttle.begin("198.51.100.1", "ann", FORGET_S) == 0.0


steps = st.lists(
    st.tuples(st.sampled_from(["add", "back", "forget"]), st.sampled_from("abcdef"), st.floats(0, 2_000)), max_size=60
)


@given(steps=steps, keys_max=st.integers(1, 10))
def test_memory_is_bounded_and_waits_are_those_of_a_slow_reference(steps, keys_max):
    failures, now_s = Failures(wait_max_s=300.0, keys_max=keys_max), 0.0
    model: dict[str, list[float]] = {}
    for what, key, later_s in steps:
        now_s += later_s
        if what == "add":
            held = [] if key in model and model[key][-1] + FORGET_S <= now_s else model.get(key, [])
            model.pop(key, None)
            if len(model) >= keys_max:
                del model[min(model, key=lambda one: list(model).index(one))]
            model[key] = [*held, now_s]
            failures.add(key, now_s)
        elif what == "back":
            failures.take_back(key)
            if key in model:
                last_s = model[key][-1]
                del model[key][0]
                if model[key]:
                    model[key][-1] = last_s
                else:
                    del model[key]
        else:
            failures.forget(key)
            model.pop(key, None)
        assert len(failures) == len(model) <= keys_max
        for one in "abcdef":
            times = model.get(one, [])
            expected = 0.0
            if len(times) >= FREE_TRIES and times[-1] + FORGET_S > now_s:
                expected = max(0.0, times[-1] + min(2.0 ** (len(times) - FREE_TRIES + 1), 300.0) - now_s)
            assert failures.wait_s(one, now_s) == expected
