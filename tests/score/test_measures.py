import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from score.made_figures import made_figures

from actors.rules.score.activation import refusals
from actors.rules.score.measures import auc, brier_gain, calibration, event_weights, marks, wilson
from actors.rules.score.spreads import spread_of, stability_index

cases = st.lists(
    st.tuples(st.integers(0, 8).map(lambda eighth: eighth / 8), st.sampled_from((0.0, 1.0)), st.integers(1, 3)),
    min_size=1,
)


@given(cases=cases)
def test_auc_is_the_share_of_pairs_in_order(cases):
    won = [(p, w) for p, y, w in cases if y]
    lost = [(p, w) for p, y, w in cases if not y]
    found = auc(*map(list, zip(*cases, strict=True)))
    if not won or not lost:
        assert found is None
        return
    right = sum(a * b * (1 if p > q else 0.5 if p == q else 0) for (p, a), (q, b) in product(won, lost))
    assert found == pytest.approx(right / (sum(a for _, a in won) * sum(b for _, b in lost)))


@given(cases=cases)
def test_marks_and_calibration_weigh_alike(cases):
    p, y, w = map(list, zip(*cases, strict=True))
    found, bins = marks(p, y, w), calibration(p, y, w)
    assert found.brier == pytest.approx(sum(c * (a - b) ** 2 for a, b, c in cases) / sum(w))
    assert sum(one.rows for one in bins) == len(cases)
    assert sum(one.events for one in bins) == pytest.approx(sum(w))
    assert sum(one.events * one.won for one in bins) == pytest.approx(sum(a * b for a, b in zip(y, w, strict=True)))
    for one in bins:
        assert one.low - 1e-9 <= one.mean <= one.high + 1e-9
        assert one.won_low <= one.won + 1e-9
        assert one.won <= one.won_high + 1e-9


def test_a_sure_error_costs_much_and_not_infinitely():
    assert marks([0.0], [1.0], [1.0]).log_loss == pytest.approx(20.72, abs=0.01)


@given(events=st.lists(st.integers(0, 5), min_size=1))
def test_an_event_counts_once_however_many_trades_it_has(events):
    assert sum(event_weights(events)) == pytest.approx(len(set(events)))


def test_the_interval_of_a_share_covers_the_truth_at_its_rate():
    rng, covered = random.Random(1), 0
    for _ in range(2_000):
        truth = rng.uniform(0.05, 0.95)
        won = sum(rng.random() < truth for _ in range(60))
        low, high = wilson(won / 60, 60)
        covered += low <= truth <= high
    assert 0.93 <= covered / 2_000 <= 0.97


def test_the_interval_of_a_gain_covers_the_truth_at_its_rate():
    # Markets of a day have an error in common: only blocks of days see how little they say.
    covered, tries = 0, 150
    for seed in range(tries):
        rng = random.Random(seed)
        model, price, won, days = [], [], [], []
        for day in range(40):
            shock = rng.gauss(0, 0.1)
            for _ in range(10):
                truth = min(0.95, max(0.05, rng.uniform(0.2, 0.8) + shock))
                won.append(float(rng.random() < truth))
                model.append(0.5)
                price.append(0.6)
                days.append(day)
        # The mean of (0.5 - y)^2 - (0.6 - y)^2 is -0.11 + 0.2 P(y), and y is one half in the mean.
        gain = brier_gain(model, price, won, [1.0] * len(won), days, rng=random.Random(seed))
        covered += gain.low <= -0.11 + 0.2 * 0.5 <= gain.high
    assert covered / tries >= 0.89


@given(values=st.lists(st.one_of(st.just(float("nan")), st.floats(-5, 5)), min_size=1, max_size=200))
def test_a_distribution_is_itself(values):
    spread = spread_of(values)
    assert sum(spread.shares) + spread.unknown == pytest.approx(1)
    assert stability_index(spread, values) == pytest.approx(0, abs=1e-9)
    assert stability_index(spread, [value + 100 for value in values]) >= 0


def test_another_distribution_is_told():
    rng = random.Random(1)
    before = spread_of([rng.gauss(0, 1) for _ in range(5_000)])
    assert stability_index(before, [rng.gauss(0, 1) for _ in range(5_000)]) < 0.02
    assert stability_index(before, [rng.gauss(1, 1) for _ in range(5_000)]) > 0.25
    assert stability_index(before, [float("nan")] * 2_000 + [rng.gauss(0, 1) for _ in range(3_000)]) > 0.25


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"days": 9}, "9 days"),
        ({"events": 499}, "499 events"),
        ({"markets": 99}, "99 markets"),
        ({"price": 0.0}, "baseline price out"),
        ({"price_fit": 0.00001}, "baseline price_fit out"),
        ({"win_rate": 0.1}, None),
        ({"version": 2}, "features of version 2"),
    ],
)
def test_a_model_is_refused_by_each_part_of_the_rule(change, says):
    found = refusals(made_figures(**change), feature_version=change.get("version", 1), current_version=1)
    assert [says in text for text in found] == ([] if says is None else [True])
