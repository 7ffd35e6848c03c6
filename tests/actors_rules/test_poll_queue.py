import itertools

from hypothesis import given
from hypothesis import strategies as st

from actors.rules.poll_queue import FAILED_MAX_S, HOT_WALLETS_MAX, WEIGHT, HotLane, PollQueue, hot_wallets
from protocols.trades import Lane

TAKES_S = 0.1


def polled(wallets, *, until_s, cooldown_s=1.0, poison=()):
    """Polls one after another, `TAKES_S` each, and returns when each wallet was polled."""
    queue, now_s = PollQueue(), 0.0
    queue.set_wallets(wallets, now_s)
    times = {wallet: [] for wallet in wallets}
    while now_s < until_s:
        one = queue.take(now_s, apart=True)
        if one is None:
            now_s = min(queue.next_due_s(apart=True), until_s)
            continue
        now_s += TAKES_S
        times[one.wallet].append(now_s)
        finish = queue.failed if one.wallet in poison else queue.done
        finish(one, now_s, cooldown_s=cooldown_s)
    return times


def longest(times):
    return max(after - before for before, after in itertools.pairwise(times))


def test_while_the_rate_allows_it_everybody_is_polled_again_after_the_cool_down():
    times = polled({f"w{n}": HotLane(n % 3) for n in range(6)}, until_s=60)
    assert max(map(longest, times.values())) <= 1.0 + 6 * TAKES_S


def test_beyond_the_rate_targets_come_round_faster_and_nobody_starves():
    times = polled({f"w{n}": HotLane(n % 3) for n in range(60)}, until_s=300)
    rounds = {lane: [longest(times[f"w{n}"]) for n in range(60) if n % 3 == lane] for lane in HotLane}
    # 20 / x + 20 / 2x + 20 / 4x polls a second are 10.
    expected_s = TAKES_S * sum(20 * WEIGHT[lane] for lane in HotLane)
    for lane in HotLane:
        assert max(rounds[lane]) <= 1.3 * expected_s / WEIGHT[lane]


@given(poison=st.sets(st.integers(0, 9), max_size=9))
def test_a_wallet_that_always_fails_takes_less_and_less_of_the_time(poison):
    bad = {f"w{n}" for n in poison}
    times = polled({f"w{n}": HotLane.FOLLOWED for n in range(10)}, until_s=600, poison=bad)
    for wallet, polls in times.items():
        if wallet in bad:
            assert 600 / FAILED_MAX_S <= len(polls) <= 12
        else:
            assert longest(polls) <= 1.0 + 11 * TAKES_S


def test_those_that_failed_are_left_to_the_worker_that_takes_them():
    queue = PollQueue()
    queue.set_wallets({"bad": HotLane.TARGET, "good": HotLane.MARKED}, 0.0)
    queue.failed(queue.take(0.0, apart=False), 0.0, cooldown_s=1.0)
    good = queue.take(50.0, apart=False)
    assert good.wallet == "good"
    assert queue.take(50.0, apart=False) is None
    assert queue.next_due_s(apart=False) == float("inf")
    assert queue.take(50.0, apart=True).wallet == "bad"


def test_a_wallet_that_leaves_or_changes_its_lane_while_it_is_polled_does_no_harm():
    queue = PollQueue()
    queue.set_wallets({"a": HotLane.FOLLOWED, "b": HotLane.FOLLOWED}, 0.0)
    a, b = queue.take(0.0, apart=False), queue.take(0.0, apart=False)
    queue.set_wallets({"b": HotLane.TARGET}, 0.5)
    queue.done(a, 1.0, cooldown_s=1.0)
    queue.put_back(b, 1.0)
    again = queue.take(1.0, apart=False)
    assert (again.wallet, again.lane) == ("b", HotLane.TARGET)
    assert queue.take(9.0, apart=True) is None


def test_the_cycle_is_between_the_ends_of_two_polls_and_the_lag_is_what_is_overdue():
    queue = PollQueue()
    queue.set_wallets({"a": HotLane.TARGET, "b": HotLane.TARGET}, 0.0)
    for end_s in (1.0, 4.0):
        queue.done(queue.take(end_s, apart=False), end_s, cooldown_s=1.0)
        assert queue.cycle_s(HotLane.TARGET) is None
    queue.done(queue.take(5.5, apart=False), 5.5, cooldown_s=1.0)
    assert queue.cycle_s(HotLane.TARGET) == 4.5
    assert queue.cycle_s(HotLane.FOLLOWED) is None
    assert queue.lag_s(7.0) == 2.0


def test_the_most_important_wallets_have_room_first():
    lanes = {f"f{n}": Lane.FOLLOWED for n in range(HOT_WALLETS_MAX)} | {"t": Lane.TARGET, "k": Lane.KNOWN}
    hot, left_out = hot_wallets(lanes, {"k", "t", "m"})
    assert hot["t"] is HotLane.TARGET
    assert len(hot) == HOT_WALLETS_MAX
    assert left_out == 3
    assert hot_wallets({"k": Lane.KNOWN, "f": Lane.FOLLOWED}, {"k"}) == (
        {"f": HotLane.FOLLOWED, "k": HotLane.MARKED}, 0,
    )  # fmt: skip


def test_a_few_slow_wallets_stand_apart_and_a_slow_venue_puts_nobody_there():
    queue = PollQueue()
    queue.set_wallets({f"w{n}": HotLane.FOLLOWED for n in range(8)}, 0.0)

    def poll_all(took_s):
        while (one := queue.take(100.0, apart=True)) is not None:
            queue.done(one, 100.0, cooldown_s=1.0, took_s=took_s.get(one.wallet, 0.1))
        return {one.wallet for one in queue.entries.values() if one.apart}

    assert poll_all({"w1": 6.0, "w2": 9.0}) == {"w1", "w2"}
    queue = PollQueue()
    queue.set_wallets({f"w{n}": HotLane.FOLLOWED for n in range(8)}, 0.0)
    assert len(poll_all({f"w{n}": 9.0 for n in range(8)})) <= 2
