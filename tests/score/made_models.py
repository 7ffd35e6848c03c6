"""Documents of models, made at random, and what they say by a naive walk."""

import random
from math import exp, isnan

import msgspec

from actors.rules.score.feature_names import FEATURE_VERSION, FEATURES
from protocols.score_models import BOOSTED, LOGISTIC, BoostedPart, LogisticPart, ModelDocument, TreePart

WIDTH = len(FEATURES)


def logistic_document(seed=1, *, seen=True):
    rng = random.Random(seed)
    part = LogisticPart(
        intercept=rng.gauss(0, 1),
        means=[rng.gauss(0, 1) for _ in FEATURES],
        scales=[rng.uniform(0.1, 3) for _ in FEATURES],
        weights=[rng.gauss(0, 0.3) for _ in FEATURES],
    )
    return _document(LOGISTIC, seen, logistic=part)


def boosted_document(seed=1, *, trees=20, leaves=12, seen=True):
    rng = random.Random(seed)
    part = BoostedPart(
        intercept=rng.gauss(0, 0.2), slope=rng.uniform(0.5, 1.2), trees=[_tree(rng, leaves) for _ in range(trees)]
    )
    return _document(BOOSTED, seen, boosted=part)


def _document(kind, seen, **parts):
    return ModelDocument(
        format=1,
        kind=kind,
        feature_version=FEATURE_VERSION,
        features=list(FEATURES),
        unknown_seen=[seen] * WIDTH,
        **parts,
    )


def _tree(rng, leaves):
    part = TreePart(features=[], thresholds=[], lefts=[], rights=[], unknown_left=[], leaves=[])

    def grow(left):
        if left == 1:
            part.leaves.append(rng.gauss(0, 0.1))
            return -len(part.leaves)
        at = len(part.features)
        part.features.append(rng.randrange(WIDTH))
        part.thresholds.append(rng.gauss(0, 1))
        part.unknown_left.append(rng.random() < 0.5)
        part.lefts.append(0)
        part.rights.append(0)
        share = rng.randint(1, left - 1)
        part.lefts[at] = grow(share)
        part.rights[at] = grow(left - share)
        return at

    grow(leaves)
    return part


def naive_probability(document, values):
    """The reference: the document's own words, taken literally."""
    if document.kind == LOGISTIC:
        part = document.logistic
        logit = part.intercept
        for at, value in enumerate(values):
            if not isnan(value):
                logit += part.weights[at] * (value - part.means[at]) / part.scales[at]
    else:
        part = document.boosted
        logit = part.intercept + part.slope * values[FEATURES.index("logit_price")]
        for tree in part.trees:
            at = 0 if tree.features else -1
            while at >= 0:
                value = values[tree.features[at]]
                left = tree.unknown_left[at] if isnan(value) else value <= tree.thresholds[at]
                at = tree.lefts[at] if left else tree.rights[at]
            logit += tree.leaves[-1 - at]
    return 1 / (1 + exp(-max(-40, min(40, logit))))


def text_of(document):
    return msgspec.json.encode(document).decode()
