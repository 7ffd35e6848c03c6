from hypothesis import example, given
from hypothesis import strategies as st

from actors.rules.paper.holding import (
    VENUE_LAG_MS,
    KnownFill,
    baseline_for,
    holding_before,
    observed_as_of_ms,
    remembered,
    since_of_ms,
)
from protocols.paper import Holding

FILLS = st.lists(st.tuples(st.integers(0, 60), st.sampled_from([10, 10, 20, 35, -10, -15])), max_size=8)


def observed(fills, before, after, seen_s):
    known = [KnownFill(str(n), second * 1000, micro) for n, (second, micro) in enumerate(fills)]
    return observed_as_of_ms(known, before_micro=before, after_micro=after, seen_ms=seen_s * 1000)


def test_the_fills_that_make_the_change_are_in_the_snapshot():
    assert observed([(100, 50)], 0, 50, seen_s=105) == 100_000
    # The second has not arrived there yet.
    assert observed([(100, 50), (103, 7)], 0, 50, seen_s=105) == 100_000
    assert observed([(100, 50), (103, 7)], 0, 57, seen_s=105) == 103_000
    assert observed([(90, 20), (100, 50), (103, 7)], 20, 70, seen_s=105) == 100_000


def test_a_change_that_no_fill_explains_counts_as_the_venue_says_it_unless_something_is_on_its_way():
    assert observed([], 0, 80, seen_s=105) == 105_000 - VENUE_LAG_MS
    assert observed([(50, 3)], 0, 80, seen_s=105) == 105_000 - VENUE_LAG_MS
    assert observed([(100, 3)], 0, 80, seen_s=105) is None


def test_a_sale_that_is_decided_late_is_measured_by_what_was_known_before_it():
    early = Holding(wallet="0x", token_id="1", micro=1_000, as_of_ms=10)
    late = Holding(wallet="0x", token_id="1", micro=900, as_of_ms=50)
    assert baseline_for([early, late], 50) is early
    assert baseline_for([early, late], 51) is late
    assert baseline_for([late], 50) is None


@example(fills=[(0, 10), (0, -10), (1, 10)], start=1, lag_s=0, cycle_s=1)
@example(fills=[(0, 10), (42, 10), (49, -10), (50, 10)], start=1, lag_s=1, cycle_s=7)
@given(fills=FILLS, start=st.integers(1, 500), lag_s=st.integers(0, 9), cycle_s=st.integers(1, 7))
def test_once_it_is_quiet_the_holding_is_what_it_is(fills, start, lag_s, cycle_s):
    """The venue is some seconds behind, a poller looks at times, and every fill is known at once by the stream."""
    fills = sorted(fills, key=lambda fill: fill[0])
    kept, held = [], start
    for second, micro in fills:
        # Nobody sells what he has not.
        if held + micro > 0:
            kept.append((second, micro))
            held += micro
    known = [KnownFill(str(n), second * 1000, micro) for n, (second, micro) in enumerate(kept)]
    baselines = [Holding(wallet="0x", token_id="1", micro=start, as_of_ms=-VENUE_LAG_MS)]
    last = start
    for now_s in range(0, 90, cycle_s):
        seen = start + sum(micro for second, micro in kept if second <= now_s - lag_s)
        if seen == last:
            continue
        arrived = [fill for fill in known if fill.trade_ms <= now_s * 1000]
        as_of_ms = observed_as_of_ms(
            arrived, before_micro=last, after_micro=seen, seen_ms=now_s * 1000, since_ms=since_of_ms(baselines, last)
        )
        if as_of_ms is not None:
            said = Holding(wallet="0x", token_id="1", micro=seen, as_of_ms=as_of_ms)
            baselines = remembered(baselines, said)
        last = seen
    found = holding_before(baseline_for(baselines, 90_000), known, trade_id="sale", trade_ms=90_000)
    assert found == held
