"""The program's own inference says what the library says, to 1e-9."""

import random

import attrs
import msgspec
import numpy
import pytest
from score.made_figures import DAY_MS

from actors.rules.score.feature_names import FEATURES
from actors.rules.score.model import read_model, sigmoid
from engine.training.fit_boosted import fit_boosted
from engine.training.fit_logistic import fit_logistic
from engine.training.fit_price import fit_price, price_logits
from engine.training.split import split_by_time
from engine.training.table import Table

ROWS = 6_000
UNKNOWN = [at for at, name in enumerate(FEATURES) if name.endswith(("_edge", "_roi", "_start", "_conviction"))]


def made_table(seed, *, holes=True):
    rng = numpy.random.default_rng(seed)
    features = rng.normal(size=(ROWS, len(FEATURES))).astype(numpy.float32)
    price = rng.uniform(0.03, 0.97, ROWS)
    features[:, 0], features[:, 1] = price, numpy.log(price / (1 - price))
    strength = features[:, 6] + 0.5 * (features[:, 7] > 0.3) * features[:, 8]
    won = rng.random(ROWS) < 1 / (1 + numpy.exp(-features[:, 1] - strength))
    if holes:
        for at in UNKNOWN:
            features[rng.random(ROWS) < 0.2, at] = numpy.nan
    times = numpy.sort(rng.integers(0, 60 * DAY_MS, ROWS))
    return Table(
        features=features,
        won=won.astype(numpy.float32),
        trade_ms=times,
        ended_ms=times + rng.integers(1, 2 * DAY_MS, ROWS),
        event=rng.integers(0, 3_000, ROWS),
        market=rng.integers(0, 900, ROWS).astype(numpy.int32),
    )


def ours(document, features):
    model = read_model(msgspec.json.encode(document).decode())
    return numpy.array([model.probability(row) for row in features.astype(numpy.float64).tolist()])


@pytest.mark.parametrize(("seed", "holes"), [(1, True), (2, True), (3, False)])
def test_boosted_trees(seed, holes):
    table, asked = made_table(seed, holes=holes), made_table(seed + 100, holes=holes)
    document, booster = fit_boosted(table, seed=seed)
    assert len(document.boosted.trees) > 5
    logits = booster.predict(asked.features.astype(numpy.float64), raw_score=True)
    logits += price_logits(asked, document.boosted.intercept, document.boosted.slope)
    theirs = numpy.array([sigmoid(one) for one in logits.tolist()])
    assert numpy.abs(ours(document, asked.features) - theirs).max() < 1e-9


@pytest.mark.parametrize("seed", [1, 2])
def test_logistic_regression(seed):
    table, asked = made_table(seed), made_table(seed + 100)
    document, fitted = fit_logistic(table, seed=seed)
    part = document.logistic
    standard = (asked.features.astype(numpy.float64) - part.means) / part.scales
    fitted.coef_, fitted.intercept_ = fitted.coef_.astype(numpy.float64), fitted.intercept_.astype(numpy.float64)
    theirs = fitted.predict_proba(numpy.nan_to_num(standard))[:, 1]
    assert numpy.abs(ours(document, asked.features) - theirs).max() < 1e-9


def test_the_same_seed_makes_the_same_document():
    first, second = [fit_boosted(made_table(1), seed=7)[0] for _ in range(2)]
    assert first == second
    first, second = [fit_logistic(made_table(1), seed=7)[0] for _ in range(2)]
    assert first == second


def test_the_price_drawn_straight_finds_slope_and_intercept():
    rng = numpy.random.default_rng(5)
    table = made_table(5)
    won = rng.random(ROWS) < 1 / (1 + numpy.exp(-(0.3 + 0.7 * table.features[:, 1])))
    table.won[:] = won
    intercept, slope = fit_price(table, numpy.ones(ROWS))
    assert abs(intercept - 0.3) < 0.1
    assert abs(slope - 0.7) < 0.1


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_was_learned_from_ended_after_the_first_trade_of_validation(seed):
    rng = random.Random(seed)
    table = made_table(seed)
    ends = {market: rng.randint(0, 70 * DAY_MS) for market in range(900)}
    table.ended_ms[:] = [
        max(ends[market], at + 1) for market, at in zip(table.market.tolist(), table.trade_ms.tolist(), strict=True)
    ]
    # All trades of a market end with it.
    for market in range(900):
        rows = table.market == market
        if rows.any():
            table.ended_ms[rows] = table.ended_ms[rows].max()
    share = rng.uniform(0.1, 0.6)
    split = split_by_time(table, valid_share=share)
    assert len(split.train) + split.embargoed + len(split.valid) == len(table)
    if len(split.valid):
        assert split.train.ended_ms.max(initial=0) < split.valid.trade_ms.min()
        assert not set(split.train.market.tolist()) & set(split.valid.market.tolist())
        moved = split_by_time(table, valid_share=share, in_place=True)
        for part, same in ((split.train, moved.train), (split.valid, moved.valid)):
            for name, column in attrs.asdict(part, recurse=False).items():
                assert numpy.array_equal(column, getattr(same, name), equal_nan=True), name
        assert split.valid.weights.sum() == pytest.approx(len(set(split.valid.event.tolist())))
