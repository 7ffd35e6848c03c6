"""Measures a model on the trades of validation, with the program's own inference: what is measured is what will judge."""

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random

import attrs
import msgspec
import numpy as np

from actors.rules.score.feature_names import FEATURES
from actors.rules.score.features import UnfitError
from actors.rules.score.measures import brier_gain, calibration, marks
from actors.rules.score.model import read_model, sigmoid
from actors.rules.score.spreads import spread_of
from engine.training.fit_price import fit_price, price_logits
from engine.training.split import Split
from engine.training.table import Table
from protocols.errors import RejectedError
from protocols.score_models import ModelDocument, ModelFigures, Span, Spread

WIN_RATE_WEIGHT = 20.0
SPREAD_ROWS = 100_000
PAGE_ROWS = 10_000
_PRICE, _LIFETIME_EDGE = FEATURES.index("price"), FEATURES.index("lifetime_edge")
_LIFETIME_COUNT = FEATURES.index("lifetime_log_resolved")


@attrs.frozen(kw_only=True)
class Yardstick:
    """What every model of one training is measured against."""

    train: Span
    valid: Span
    embargoed: int
    left_out: Mapping[str, int]
    baselines: Mapping[str, list[float]]
    """Probabilities of the trades of validation."""
    spreads: Mapping[str, Spread]
    seed: int


def yardstick(split: Split, *, left_out: Mapping[str, int], seed: int) -> Yardstick:
    """Returns it; to be called while the features of the training part are as they were read."""
    train, valid = split.train, split.valid
    weights = train.weights
    base_rate = float(np.average(train.won, weights=weights))
    fitted = price_logits(valid, *fit_price(train, weights))
    every = max(1, len(train) // SPREAD_ROWS)
    return Yardstick(
        train=_span(train),
        valid=_span(valid),
        embargoed=split.embargoed,
        left_out=left_out,
        baselines={
            "price": valid.features[:, _PRICE].astype(np.float64).tolist(),
            "price_fit": [sigmoid(logit) for logit in fitted.tolist()],
            "win_rate": [_win_rate(row, base_rate) for row in _rows(valid)],
        },
        spreads={name: spread_of(train.features[::every, at].tolist()) for at, name in enumerate(FEATURES)},
        seed=seed,
    )


def measured(document: ModelDocument, valid: Table, against: Yardstick) -> ModelFigures:
    """Returns the figures of a model. Trades that it does not judge are left out of all of them, and counted.

    Raises `RejectedError` when it judges none.
    """
    model = read_model(msgspec.json.encode(document).decode())
    judged, found, unfit = list[int](), list[float](), Counter[str]()
    for at, row in enumerate(_rows(valid)):
        try:
            found.append(model.probability(row))
            judged.append(at)
        except UnfitError as error:
            unfit[f"valid_{error}"] += 1
    if not judged:
        raise RejectedError("the model judges no trade of validation")
    part = valid if len(judged) == len(valid) else valid.taken(np.array(judged))
    won, weights, days = part.won.tolist(), part.weights.tolist(), part.ended_day.tolist()
    baselines = {name: [column[at] for at in judged] for name, column in against.baselines.items()}
    return ModelFigures(
        train=against.train,
        valid=against.valid if part is valid else _span(part),
        left_out={**against.left_out, **unfit},
        embargoed=against.embargoed,
        model=marks(found, won, weights),
        baselines={name: marks(column, won, weights) for name, column in baselines.items()},
        gains={
            name: brier_gain(found, column, won, weights, days, rng=Random(against.seed))  # noqa: S311 - no secret
            for name, column in baselines.items()
        },
        calibration=calibration(found, won, weights),
        spreads={**against.spreads, "probability": spread_of(found)},
    )


def _win_rate(row: list[float], base_rate: float) -> float:
    """The trader's share of wins, drawn to that of everybody: (wins + 20 base) / (trades + 20); without a record, the base."""
    edge = row[_LIFETIME_EDGE]
    if edge != edge:
        return base_rate
    count = float(np.expm1(row[_LIFETIME_COUNT]))
    wins = edge * (count + WIN_RATE_WEIGHT) + count * row[_PRICE]
    return min(1.0, max(0.0, (wins + WIN_RATE_WEIGHT * base_rate) / (count + WIN_RATE_WEIGHT)))


def _span(table: Table) -> Span:
    return Span(
        rows=len(table),
        events=len(np.unique(table.event)),
        markets=len(np.unique(table.market)),
        days=len(np.unique(table.ended_day)),
        from_ms=int(table.trade_ms[0]),
        until_ms=int(table.trade_ms[-1]),
        share_won=float(np.average(table.won, weights=table.weights)),
    )


def _rows(table: Table) -> Iterator[list[float]]:
    """A page at a time: as Python numbers a row takes ten times as much."""
    for first in range(0, len(table), PAGE_ROWS):
        yield from table.features[first : first + PAGE_ROWS].tolist()
