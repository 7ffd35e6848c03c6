"""Student's distribution and the proof of a difference, against slow references."""

import math
import random
from statistics import NormalDist, fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.rules.tuner.proving import DAYS_MIN, figures_of, gain_of, standard_error
from actors.rules.tuner.student import luck_of_the_best, two_sided_quantile, upper_tail
from protocols.tuner_search import Bet, Played

USD = 1_000_000


def density(x, freedom):
    head = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    return math.exp(head - (freedom + 1) / 2 * math.log1p(x * x / freedom))


def slow_tail(t, freedom, parts=4_000):
    """Simpson's rule from 0 to t."""
    width = t / parts
    inner = sum((4 if n % 2 else 2) * density(n * width, freedom) for n in range(1, parts))
    return 0.5 - width / 3 * (density(0, freedom) + inner + density(t, freedom))


@given(t=st.floats(-12, 12), freedom=st.integers(1, 60))
def test_the_tail_is_the_integral_of_the_density(t, freedom):
    assert upper_tail(t, freedom) == pytest.approx(slow_tail(t, freedom), abs=1e-7)


def test_known_quantiles_of_tables():
    for freedom, value in ((1, 12.706), (4, 2.776), (8, 2.306), (20, 2.086), (1_000, 1.962)):
        assert two_sided_quantile(0.95, freedom) == pytest.approx(value, abs=5e-4)
        assert 2 * upper_tail(two_sided_quantile(0.9, freedom), freedom) == pytest.approx(0.1)


def test_the_luck_of_the_best_is_what_the_best_of_many_shows():
    assert luck_of_the_best(1) == 0.5
    rng = random.Random(1)
    for tries in (5, 40, 120):
        best = fmean(max(rng.gauss(0, 1) for _ in range(tries)) for _ in range(3_000))
        assert NormalDist().inv_cdf(1 - luck_of_the_best(tries)) == pytest.approx(best, abs=0.12)


def bet(token, day, price, won, stake=1.0, **changes):
    shares = stake / price
    return Bet(
        token_id=token, day=day, orders=1, wins=int(won), staked_micro=round(stake * USD),
        pnl_micro=round((shares * won - stake) * USD), held_shares_micro=round(shares * USD), price=price, **changes,
    )  # fmt: skip


def world(rng, days=9, a_day=60, edge=0.0):
    bets = []
    for day in range(days):
        for number in range(a_day):
            price = rng.uniform(0.1, 0.9)
            bets.append(bet(f"{day}.{number}", day, price, rng.random() < price + edge))
    return bets


def test_the_error_is_how_much_the_difference_scatters_from_world_to_world():
    differences, errors = [], []
    for seed in range(400):
        bets = world(random.Random(seed))
        chosen = [one for one in bets if one.price > 0.5]
        gain = gain_of(bets, chosen)
        differences.append(gain.roi)
        errors.append(gain.standard_error)
    # The larger of two estimates is a little too careful.
    assert 0.97 < fmean(errors) / stdev(differences) < 1.35


def test_p_is_small_no_more_often_than_it_says():
    found = []
    for seed in range(600):
        bets = world(random.Random(seed))
        found.append(gain_of(bets, [one for one in bets if one.price > 0.5]).p)
    for level in (0.2, 0.1, 0.05, 0.02):
        assert sum(p < level for p in found) / len(found) < level * 1.3


def test_favourites_that_all_won_prove_nothing():
    lost = [bet(f"a{day}", day, 0.5, won=False) for day in range(9)]
    won = [bet(f"b{day}", day, 0.95, won=True) for day in range(9)]
    # Day by day nothing scatters: the days alone would be sure.
    gain = gain_of((), won)
    assert gain.roi == pytest.approx(0.0526, abs=1e-4)
    assert gain.standard_error >= math.sqrt(0.95 * 0.05 / 9) / 0.95 - 1e-9
    assert gain.p > 0.2
    assert gain_of(lost, lost) is None or gain_of(lost, lost).roi == 0


def test_the_same_bets_differ_by_nothing_and_few_days_say_nothing():
    bets = world(random.Random(3))
    gain = gain_of(bets, bets)
    assert gain is None or (gain.roi, gain.t) == (0, 0)
    short = [one for one in bets if one.day < DAYS_MIN - 1]
    assert gain_of(short, short[:30]) is None
    assert gain_of(bets, []) is None
    assert standard_error([], []) == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.floats(0.02, 0.98), st.booleans(), st.floats(0.5, 20)), max_size=40))
def test_figures_are_plain_sums(rows):
    bets = [bet(str(number), day, price, won, stake) for number, (day, price, won, stake) in enumerate(rows)]
    found = figures_of(Played(bets=bets, unsettled=3))
    assert (found.orders, found.wins, found.unsettled) == (len(rows), sum(won for _, _, won, _ in rows), 3)
    assert float(found.staked_usd) == pytest.approx(sum(stake for *_, stake in rows), abs=1e-4)
    if rows:
        assert found.roi == pytest.approx(float(found.pnl_usd / found.staked_usd))
        assert found.win_rate_low - 1e-12 <= found.win_rate <= found.win_rate_high + 1e-12
        assert found.roi_low is None or found.roi_low - 1e-12 <= found.roi <= found.roi_high + 1e-12
    else:
        assert (found.roi, found.win_rate) == (None, None)
