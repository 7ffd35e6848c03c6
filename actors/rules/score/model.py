"""A trained model, made of its document: from features to a probability, without any library."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from itertools import compress
from math import exp, isfinite

import attrs
import msgspec

from actors.rules.score.feature_names import FEATURE_VERSION, FEATURES
from actors.rules.score.features import UnfitError, feature_vector
from actors.rules.score.trees import doubled, grown, walked
from protocols.decisions import Absent, Inputs, Present, Score
from protocols.errors import RejectedError
from protocols.score_models import (
    BOOSTED,
    DOCUMENT_BYTES_MAX,
    LOGISTIC,
    BoostedPart,
    LogisticPart,
    ModelDocument,
    TreePart,
)

DOCUMENT_FORMAT = 1
TREES_MAX = 200
LEAVES_MAX = 64
_LOGIT_AT = FEATURES.index("logit_price")
_LOGIT_MAX = 40.0


@attrs.frozen(kw_only=True, eq=False)
class ScoringModel:
    """Made by `read_model`."""

    kind: str
    logit: Callable[[Sequence[float]], float]
    """Of a feature vector."""
    must_know: tuple[bool, ...]
    """By feature: training never saw a trade of which it was not known."""

    def probability(self, values: Sequence[float]) -> float:
        """Returns the probability of a win, 0 to 1. Raises `UnfitError` with the label of what is missing."""
        for value in compress(values, self.must_know):
            if value != value:
                raise UnfitError("unknown_feature")
        logit = self.logit(values)
        if not isfinite(logit):
            raise UnfitError("no_number")
        return sigmoid(logit)

    def score(self, inputs: Inputs) -> Score:
        """Returns a score of six digits, or why there is none."""
        try:
            probability = self.probability(feature_vector(inputs))
        except UnfitError as error:
            return Absent(reason=str(error))
        return Present(probability=Decimal(f"{probability:.6f}"))


def sigmoid(logit: float) -> float:
    """Returns 1 / (1 + e^-x); beyond 40 nothing changes that six digits show."""
    return 1 / (1 + exp(-min(_LOGIT_MAX, max(-_LOGIT_MAX, logit))))


def read_model(text: str) -> ScoringModel:
    """Returns the model of a document. Raises `RejectedError` for one that is not whole, not ours or of other features."""
    if len(text) > DOCUMENT_BYTES_MAX:
        raise RejectedError(f"the model's document is longer than {DOCUMENT_BYTES_MAX} characters")
    try:
        document = msgspec.json.decode(text, type=ModelDocument)
        return _model(document)
    except (msgspec.MsgspecError, UnicodeError, ValueError) as error:
        raise RejectedError(f"the model's document makes no sense: {error}") from None


def _model(document: ModelDocument) -> ScoringModel:
    if document.format != DOCUMENT_FORMAT:
        raise ValueError(f"format {document.format}, this program reads {DOCUMENT_FORMAT}")
    if document.feature_version != FEATURE_VERSION or tuple(document.features) != FEATURES:
        raise ValueError(f"features of version {document.feature_version}, this program has {FEATURE_VERSION}")
    _check(len(document.unknown_seen) == len(FEATURES), "unknown_seen")
    logistic, boosted = document.logistic, document.boosted
    if document.kind == LOGISTIC and logistic is not None and boosted is None:
        logit = _logistic(logistic)
    elif document.kind == BOOSTED and boosted is not None and logistic is None:
        logit = _boosted(boosted)
    else:
        raise ValueError("kind")
    return ScoringModel(kind=document.kind, logit=logit, must_know=tuple(not seen for seen in document.unknown_seen))


def _logistic(part: LogisticPart) -> Callable[[Sequence[float]], float]:
    for name, column in (("means", part.means), ("scales", part.scales), ("weights", part.weights)):
        _check(len(column) == len(FEATURES) and all(map(isfinite, column)), name)
    _check(isfinite(part.intercept) and all(scale > 0 for scale in part.scales), "scales")
    terms = tuple(zip(part.means, part.scales, part.weights, strict=True))

    def logit(values: Sequence[float]) -> float:
        total = part.intercept
        for value, (mean, scale, weight) in zip(values, terms, strict=True):
            if value == value:
                total += weight * (value - mean) / scale
        return total

    return logit


def _boosted(part: BoostedPart) -> Callable[[Sequence[float]], float]:
    _check(isfinite(part.intercept) and isfinite(part.slope), "intercept")
    _check(len(part.trees) <= TREES_MAX, "trees")
    for tree in part.trees:
        _check_tree(tree)
    trees = [
        grown(
            tree.features,
            tree.thresholds,
            tree.lefts,
            tree.rights,
            tree.unknown_left,
            tree.leaves,
            width=len(FEATURES),
        )
        for tree in part.trees
    ]
    return partial(_boosted_logit, part.intercept, part.slope, trees)


def _boosted_logit(intercept: float, slope: float, trees: Sequence[object], values: Sequence[float]) -> float:
    return intercept + slope * values[_LOGIT_AT] + walked(trees, doubled(values))  # type: ignore[arg-type]


def _check_tree(tree: TreePart) -> None:
    count = len(tree.features)
    columns = (tree.thresholds, tree.lefts, tree.rights, tree.unknown_left)
    _check(all(len(column) == count for column in columns), "tree")
    _check(count < LEAVES_MAX and len(tree.leaves) == count + 1, "leaves")
    _check(all(0 <= feature < len(FEATURES) for feature in tree.features), "features of a tree")
    _check(all(map(isfinite, (*tree.thresholds, *tree.leaves))), "numbers of a tree")
    for at, pair in enumerate(zip(tree.lefts, tree.rights, strict=True)):
        _check(all(at < to < count or -len(tree.leaves) <= to < 0 for to in pair), "children of a tree")
    # Each node but the root, and each leaf, has one parent: it is a tree.
    children = sorted([*tree.lefts, *tree.rights])
    _check(not count or children == [*range(-len(tree.leaves), 0), *range(1, count)], "shape of a tree")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
