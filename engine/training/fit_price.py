"""The price drawn straight: ln(p / (1 - p)) = intercept + slope logit(price), fitted by Newton's method."""

import numpy as np

from actors.rules.score.feature_names import FEATURES
from engine.training.table import Array, Table

ROUNDS = 50
SMALL = 1e-10
RIDGE = 1e-6
LOGIT_AT = FEATURES.index("logit_price")


def fit_price(table: Table, weights: Array) -> tuple[float, float]:
    """Returns intercept and slope."""
    x = table.features[:, LOGIT_AT].astype(np.float64)
    y = table.won
    found = np.array([0.0, 1.0])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(found[0] + found[1] * x, -40, 40)))
        error, spread = weights * (p - y), weights * p * (1 - p) + 1e-12
        slope = np.array([error.sum() + RIDGE * found[0], (error * x).sum() + RIDGE * found[1]])
        across = (spread * x).sum()
        curve = np.array([[spread.sum() + RIDGE, across], [across, (spread * x * x).sum() + RIDGE]])
        step = np.linalg.solve(curve, slope)
        found -= np.clip(step, -1, 1)
        if np.abs(step).max() < SMALL:
            break
    return float(found[0]), float(found[1])


def price_logits(table: Table, intercept: float, slope: float) -> Array:
    """Returns the logits of the price drawn straight."""
    return intercept + slope * table.features[:, LOGIT_AT].astype(np.float64)
