"""How sure a return is: as the slow reference says, and true as often as it claims."""

import random
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.reference_copyability import bootstrap

from actors.rules.copyability.bootstrap import DayResult, interval_of
from actors.rules.copyability.verdict import Evidence, missing

days = st.lists(st.tuples(st.integers(1, 10**9), st.integers(-(10**9), 10**9)), min_size=2, max_size=12)


def results(pairs):
    return [DayResult(stake_micro=stake, net_micro=net) for stake, net in pairs]


@settings(max_examples=60, deadline=None)
@given(days, st.integers(0, 1_000))
def test_it_is_what_the_slow_reference_says(pairs, seed):
    found = interval_of(results(pairs), seed=seed, draws=60)
    expected = bootstrap(pairs, seed=seed, draws=60, level=Fraction(9, 10))
    if found is None:
        # All days alike but for what floats cannot tell.
        assert expected[2] - expected[1] < 1e-3 * max(1, abs(expected[0]))
        return
    for ours, theirs in zip((found.estimate, found.low, found.high), expected, strict=True):
        assert float(ours) == pytest.approx(theirs, rel=1e-4, abs=2e-6)


@given(days, st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_the_same_days_and_seed_give_the_same_interval(pairs, seed):
    assert interval_of(results(pairs), seed=seed, draws=40) == interval_of(results(pairs), seed=seed, draws=40)


def test_one_day_or_days_that_are_all_alike_have_no_interval():
    assert interval_of(results([(10, 1)]), seed=1) is None
    assert interval_of(results([(10, 1)] * 5), seed=1) is None
    assert interval_of([], seed=1) is None


def a_trader(rng, *, count, a_day, edge, low, high, shock):
    """Days of a trader whose return is `edge`: he pays p for what wins with p (1 + edge), more on some days, less on others."""
    made, copied, won = [], 0, 0
    for _ in range(count):
        stake = net = 0
        mood = rng.choice((-shock, shock))
        for _ in range(1 + int(rng.expovariate(1 / a_day))):
            price = rng.uniform(low, high)
            wins = rng.random() < price * (1 + edge) * (1 + mood)
            stake += 10_000_000
            net += int(10_000_000 * (1 / price - 1)) if wins else -10_000_000
            copied, won = copied + 1, won + wins
        made.append((stake, net))
    evidence = Evidence(copied=copied, days=count, won=won, lost=copied - won)
    return made if missing(evidence) is None else None


def coverage(traders, draws, **law):
    """How often the interval holds the truth, of traders of whom there is enough evidence."""
    held = seen = 0
    for number in range(traders):
        made = a_trader(random.Random(number * 7_919 + 1), **law)
        if made is None:
            continue
        found = interval_of(results(made), seed=number, draws=draws)
        seen += 1
        held += found is not None and found.low <= Decimal(str(law["edge"])) <= found.high
    return held / seen, seen


LAWS = [
    {"count": 20, "a_day": 3, "edge": 0.05, "low": 0.2, "high": 0.8, "shock": 0.0},
    {"count": 30, "a_day": 5, "edge": 0.0, "low": 0.3, "high": 0.7, "shock": 0.3},
]
SLOW_LAWS = [
    *LAWS,
    {"count": 15, "a_day": 3, "edge": 0.05, "low": 0.3, "high": 0.7, "shock": 0.0},
    {"count": 30, "a_day": 4, "edge": -0.05, "low": 0.05, "high": 0.9, "shock": 0.0},
    {"count": 40, "a_day": 4, "edge": 0.02, "low": 0.6, "high": 0.9, "shock": 0.0},
    {"count": 20, "a_day": 5, "edge": 0.05, "low": 0.05, "high": 0.3, "shock": 0.0},
]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_nine_of_ten_intervals_hold_the_truth(law):
    share, seen = coverage(250, 200, **law)
    # Three standard deviations of a count of so many.
    assert abs(share - 0.9) < 3 * (0.9 * 0.1 / seen) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("law", SLOW_LAWS, ids=str)
def test_nine_of_ten_intervals_hold_the_truth_of_many_traders(law):
    share, seen = coverage(1_500, 500, **law)
    # Besides the count's deviation: what 15 to 40 days of skewed profits leave of the approximation.
    assert abs(share - 0.9) < 3 * (0.9 * 0.1 / seen) ** 0.5 + 0.015
