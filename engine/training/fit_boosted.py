"""Boosted trees by LightGBM, on top of the price: they learn only what has to be added to it.

How many trees, later trades of the training part say (early stopping on a split by time of its own); then all of it is learned
anew with so many. Depth and number are bounded, so that the program's own walk down the trees stays within its 50 us.
"""

from typing import Any

import lightgbm
import numpy as np

from actors.rules.score.feature_names import FEATURE_VERSION, FEATURES
from actors.rules.score.model import DOCUMENT_FORMAT
from engine.training.fit_price import fit_price, price_logits
from engine.training.split import split_by_time
from engine.training.table import Array, Table
from protocols.score_models import BOOSTED, BoostedPart, ModelDocument, TreePart

TREES_MAX = 80
DEPTH_MAX = 4
LEAVES = 12
PATIENCE = 15
EVENTS_A_LEAF_MAX = 200
EVENTS_A_LEAF_SHARE = 0.01


def fit_boosted(train: Table, *, seed: int) -> tuple[ModelDocument, lightgbm.Booster]:
    """Returns the document of a model, and LightGBM's own for comparison."""
    (intercept, slope), booster = _boosted(train, seed, _rounds(train, seed), None)
    part = BoostedPart(intercept=intercept, slope=slope, trees=exported(booster))
    return (
        ModelDocument(
            format=DOCUMENT_FORMAT,
            kind=BOOSTED,
            feature_version=FEATURE_VERSION,
            features=list(FEATURES),
            unknown_seen=unknown_seen(train),
            boosted=part,
        ),
        booster,
    )


def _rounds(train: Table, seed: int) -> int:
    """Returns how many trees did best on later trades of the training part. What that took is given back afterwards."""
    inner = split_by_time(train)
    if not len(inner.train) or not len(inner.valid):
        return TREES_MAX
    _, tried = _boosted(inner.train, seed, TREES_MAX, inner.valid)
    return max(1, tried.best_iteration)


def _boosted(train: Table, seed: int, rounds: int, later: Table | None) -> tuple[tuple[float, float], lightgbm.Booster]:
    weights = train.weights
    price = fit_price(train, weights)
    data = lightgbm.Dataset(
        train.features, train.won, weight=weights, init_score=price_logits(train, *price), feature_name=list(FEATURES)
    )
    values: dict[str, Any] = {}
    if later is not None:
        check = lightgbm.Dataset(
            later.features, later.won, weight=later.weights, init_score=price_logits(later, *price), reference=data
        )
        values = {
            "valid_sets": [check],
            "callbacks": [lightgbm.early_stopping(PATIENCE, first_metric_only=True, verbose=False)],
        }
    return price, lightgbm.train(_settings(weights, seed), data, num_boost_round=rounds, **values)


def _settings(weights: Array, seed: int) -> dict[str, Any]:
    events = min(EVENTS_A_LEAF_MAX, EVENTS_A_LEAF_SHARE * float(weights.sum()))
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": 0.1,
        "num_leaves": LEAVES,
        "max_depth": DEPTH_MAX,
        "min_data_in_leaf": max(1, round(events)),
        # Of events: each carries p (1 - p), at most a quarter.
        "min_sum_hessian_in_leaf": events / 8,
        "lambda_l2": 10.0,
        "max_bin": 127,
        "feature_fraction": 0.8,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def unknown_seen(train: Table) -> list[bool]:
    """Returns for each feature whether there is a trade of which it is not known."""
    return [bool(np.isnan(train.features[:, at]).any()) for at in range(len(FEATURES))]


def exported(booster: lightgbm.Booster) -> list[TreePart]:
    """Returns the trees of a booster, from its public dump."""
    trees = booster.dump_model()["tree_info"]
    return [_tree(tree["tree_structure"]) for tree in trees]


def _tree(root: dict[str, Any]) -> TreePart:
    """Numbers nodes from the root down; what nobody knows goes where LightGBM sends it."""
    part = TreePart(features=[], thresholds=[], lefts=[], rights=[], unknown_left=[], leaves=[])

    def grow(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            part.leaves.append(float(node["leaf_value"]))
            return -len(part.leaves)
        if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
            raise ValueError(f"a split of a kind that is not exported: {node['decision_type']}, {node['missing_type']}")
        at = len(part.features)
        threshold = float(node["threshold"])
        # Where training never saw an unknown value LightGBM takes it for 0; the model is not asked then.
        left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
        part.features.append(int(node["split_feature"]))
        part.thresholds.append(threshold)
        part.unknown_left.append(bool(left))
        part.lefts.append(0)
        part.rights.append(0)
        part.lefts[at] = grow(node["left_child"])
        part.rights[at] = grow(node["right_child"])
        return at

    grow(root)
    return part
