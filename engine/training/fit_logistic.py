"""Logistic regression by scikit-learn on standardised features; what nobody knows adds nothing, a feature beside it says so."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from actors.rules.score.feature_names import FEATURE_VERSION, FEATURES
from actors.rules.score.model import DOCUMENT_FORMAT
from engine.training.fit_boosted import unknown_seen
from engine.training.table import Array, Table
from protocols.score_models import LOGISTIC, LogisticPart, ModelDocument

PENALTY_C = 1.0
ROUNDS_MAX = 300
TOLERANCE = 1e-4
SCALE_MIN = 1e-6


def fit_logistic(train: Table, *, seed: int) -> tuple[ModelDocument, LogisticRegression]:
    """Returns the document of a model, and scikit-learn's own for comparison.

    The features of `train` are standardised in place: a copy of a million rows would cost as much again. Nothing else can be
    learned from the table afterwards.
    """
    weights = train.weights
    seen = unknown_seen(train)
    means, scales = standardise(train.features, weights)
    fitted = LogisticRegression(C=PENALTY_C, max_iter=ROUNDS_MAX, tol=TOLERANCE, random_state=seed)
    fitted.fit(train.features, train.won, sample_weight=weights)
    part = LogisticPart(
        intercept=float(fitted.intercept_[0]),
        means=means,
        scales=scales,
        weights=[float(weight) for weight in fitted.coef_[0]],
    )
    document = ModelDocument(
        format=DOCUMENT_FORMAT,
        kind=LOGISTIC,
        feature_version=FEATURE_VERSION,
        features=list(FEATURES),
        unknown_seen=seen,
        logistic=part,
    )
    return document, fitted


def standardise(features: Array, weights: Array) -> tuple[list[float], list[float]]:
    """Takes mean and scale out of each column in place, and leaves 0 where nobody knows; returns means and scales."""
    means, scales = [], []
    for at in range(features.shape[1]):
        column = features[:, at].astype(np.float64)
        known = ~np.isnan(column)
        mean, scale = 0.0, 1.0
        if known.any():
            mean = float(np.average(column[known], weights=weights[known]))
            scale = float(np.sqrt(np.average((column[known] - mean) ** 2, weights=weights[known])))
        if scale < SCALE_MIN:
            scale = 1.0
        column -= mean
        column /= scale
        column[~known] = 0.0
        features[:, at] = column
        means.append(mean)
        scales.append(scale)
    return means, scales
