import random

import pytest
from score.made_figures import DAY_MS

from actors.rules.score.drift import EVENTS_MIN, drift_of
from actors.rules.score.feature_names import FEATURES
from actors.rules.score.spreads import spread_of


def looked(*, noise=0.0, shift=0.0, events=600, before=0.0):
    """Trades whose price is off by 0.15, and a model that knows better, but for `noise`."""
    rng = random.Random(3)
    rows, probabilities, won = [], [], []
    for _ in range(events):
        truth = rng.uniform(0.2, 0.8)
        price = min(0.99, max(0.01, truth + rng.choice((-0.15, 0.15))))
        rows.append([price, *(rng.gauss(0, 1) for _ in FEATURES[1:])])
        probabilities.append(min(1, max(0, truth + rng.choice((-noise, noise)) + shift)))
        won.append(float(rng.random() < truth))
    spreads = {name: spread_of([row[at] + before for row in rows]) for at, name in enumerate(FEATURES)}
    spreads["probability"] = spread_of([p - shift for p in probabilities])
    return drift_of(
        features=rows,
        probabilities=probabilities,
        won=won,
        events=[(f"w{number}", f"m{number}") for number in range(events)],
        days=[number % 20 for number in range(events)],
        times_ms=[number * DAY_MS for number in range(events)],
        spreads=spreads,
        rng=random.Random(1),
    )


def test_a_model_that_is_better_than_the_price_holds():
    found = looked()
    assert (found.drifted, found.reasons) == (False, [])
    assert found.gain.mean < 0
    assert (found.span.events, found.span.days) == (600, 20)
    assert max(found.psi.values()) < 0.01


def test_one_that_is_worse_has_drifted():
    found = looked(noise=0.3)
    assert found.drifted
    assert "above the price's" in found.reasons[0]


def test_one_whose_probabilities_moved_has_drifted():
    found = looked(shift=0.15)
    assert [("distributed otherwise" in text) for text in found.reasons][-1]


def test_features_that_moved_are_shown_and_no_reason_alone():
    found = looked(before=3.0)
    assert found.psi["log_usd"] > 0.25
    assert not found.drifted


@pytest.mark.parametrize("events", [1, EVENTS_MIN - 1])
def test_of_too_few_events_nothing_is_said(events):
    assert looked(events=events) is None
