"""Trained models: the document that holds one, the figures that it was measured by, and where both are kept.

A document is JSON of ours, strictly read; nothing in it is code. Probabilities and features are floats: they are estimates, and
no amount is ever computed from them without passing through a `Decimal` of fixed digits.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs
import msgspec

from protocols.jobs import JobLease

DOCUMENT_BYTES_MAX = 2 << 20
FIGURES_BYTES_MAX = 256 << 10
LOGISTIC, BOOSTED = "logistic", "boosted"
KINDS = (LOGISTIC, BOOSTED)


class Strict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base: unknown fields are refused."""


class LogisticPart(Strict):
    """ln(p / (1 - p)) = intercept + sum of weight (value - mean) / scale over the features that are known."""

    intercept: float
    means: list[float]
    scales: list[float]
    weights: list[float]


class TreePart(Strict):
    """A tree as parallel lists; node 0 is its root. A child >= 0 is a node, a child < 0 the leaf -1 - child.

    Left when value <= threshold; a value that nobody knows goes left where `unknown_left` says so.
    """

    features: list[int]
    thresholds: list[float]
    lefts: list[int]
    rights: list[int]
    unknown_left: list[bool]
    leaves: list[float]


class BoostedPart(Strict):
    """ln(p / (1 - p)) = intercept + slope logit(price) + sum over trees: what they add to the price, drawn straight."""

    intercept: float
    slope: float
    trees: list[TreePart]


class ModelDocument(Strict):
    """A whole model; one of the two parts."""

    format: int
    kind: str
    feature_version: int
    features: list[str]
    unknown_seen: list[bool]
    """By feature: training saw trades of which it was not known. A model does not judge where it never saw that."""
    logistic: LogisticPart | None = None
    boosted: BoostedPart | None = None


class Span(Strict):
    """A set of trades. Times are epoch ms; `events`: a trader in a market, however often he bought."""

    rows: int
    events: int
    markets: int
    days: int
    """Days on which their markets ended."""
    from_ms: int
    until_ms: int
    """Of the last trade."""
    share_won: float
    """Of events."""


class Marks(Strict):
    """How good probabilities are. `auc` None: all won, or none."""

    auc: float | None
    brier: float
    log_loss: float


class Gain(Strict):
    """Brier score of the model less a baseline's: negative is better. Block bootstrap by the day on which markets ended."""

    mean: float
    low: float
    high: float
    """95 % of the resamplings lie between."""


class CalibrationBin(Strict):
    """Validation trades whose probability lies in [low, high); counts are events."""

    low: float
    high: float
    rows: int
    events: float
    mean: float
    """Probability."""
    won: float
    """Share that won, with its interval of 95 % (Wilson)."""
    won_low: float
    won_high: float


class Spread(Strict):
    """How a value was distributed in training: shares between edges, and of those of which it is not known."""

    edges: list[float]
    shares: list[float]
    """One more than edges."""
    unknown: float


class ModelFigures(Strict):
    """What a model was trained on, and how it did on later trades that it never saw."""

    train: Span
    valid: Span
    left_out: dict[str, int]
    """Trades by the reason why they were not used."""
    embargoed: int
    """Trades before the first of validation whose market ended after it: in neither part."""
    model: Marks
    baselines: dict[str, Marks]
    """`price`; `price_fit`: the price, drawn straight on the training part; `win_rate`: the trader's, shrunk."""
    gains: dict[str, Gain]
    """By baseline."""
    calibration: list[CalibrationBin]
    spreads: dict[str, Spread]
    """By feature, and `probability`."""


@attrs.frozen(kw_only=True)
class NewModel:
    """A trained model before it is kept."""

    document: str
    """JSON of `ModelDocument`."""
    figures: ModelFigures
    kind: str
    feature_version: int
    seed: int
    code_version: str
    libraries: Mapping[str, str]
    seconds: float
    """Of training and measuring."""


@attrs.frozen(kw_only=True)
class ModelRow:
    """A kept model without its document."""

    model_id: int
    created_ms: int
    kind: str
    feature_version: int
    seed: int
    code_version: str
    libraries: Mapping[str, str]
    seconds: float
    figures: ModelFigures
    is_active: bool


def as_row(model: NewModel, *, model_id: int, created_ms: int) -> ModelRow:
    """Returns a model as it is after it was kept."""
    kept = attrs.asdict(model, recurse=False, filter=lambda field, _: field.name != "document")
    return ModelRow(model_id=model_id, created_ms=created_ms, is_active=False, **kept)


class DriftFigures(Strict):
    """How a model did on trades that ended after its training, and how far their features lie from those it learned on."""

    span: Span
    model: Marks
    price: Marks
    gain: Gain
    """Over the price."""
    psi: dict[str, float]
    """Population stability index by feature and of `probability`; above 0.25 is another population."""
    drifted: bool
    reasons: list[str]


@attrs.frozen(kw_only=True)
class DriftRow:
    """The last look at a model."""

    model_id: int
    checked_ms: int
    figures: DriftFigures


@attrs.frozen(kw_only=True)
class Switch:
    """A model was activated, or none was."""

    switch_id: int
    model_id: int | None
    switched_ms: int
    by: str
    reason: str


class ModelStore(Protocol):
    """Where models are kept. All methods raise `TransientError`."""

    async def add(self, model: NewModel) -> int:
        """Keeps a model and returns its id."""
        ...

    async def models(self, *, before: int | None, rows_max: int) -> list[ModelRow]:
        """Returns models, newest first."""
        ...

    async def model(self, model_id: int) -> ModelRow | None:
        """Returns a model."""
        ...

    async def document(self, model_id: int) -> str | None:
        """Returns the document of a model."""
        ...

    async def switch(
        self, model_id: int | None, *, by: str, reason: str, only_from: int | None = None
    ) -> Switch | None:
        """Activates a model, or none; with `only_from` only while that one is active, else None. Raises `RejectedError`."""
        ...

    async def switches(self, *, before: int | None, rows_max: int) -> list[Switch]:
        """Returns what was switched, newest first."""
        ...

    async def drift(self, model_ids: Sequence[int]) -> dict[int, DriftRow]:
        """Returns the last look at each model that was looked at."""
        ...


class ModelWork(Protocol):
    """Heavy work, done elsewhere. Raises `EngineError` with the reason when it was not done."""

    async def train(self) -> Sequence[NewModel]:
        """Returns newly trained models, which nobody has kept yet."""
        ...

    async def look(self, model_id: int) -> DriftFigures | None:
        """Returns how a model does; None when too little has happened since its training."""
        ...


class ModelJobStore(Protocol):
    """What jobs write, under their lease. Raises `TransientError` and `FencedError`."""

    async def active(self, known: int | None) -> tuple[int | None, str | None]:
        """As `ActiveModels`."""
        ...

    async def add_under(self, lease: JobLease, model: NewModel) -> int:
        """Keeps a model and returns its id."""
        ...

    async def keep_drift_under(
        self, lease: JobLease, model_id: int, figures: DriftFigures, *, deactivate_as: str | None
    ) -> bool:
        """Keeps how a model does, and deactivates it in the name of `deactivate_as`; returns whether it did that."""
        ...


class ActiveModels(Protocol):
    """Which model judges. Raises `TransientError`."""

    async def active(self, known: int | None) -> tuple[int | None, str | None]:
        """Returns the id of the active model, and its document unless that is the one that is `known`."""
        ...

    async def drift(self, model_ids: Sequence[int]) -> dict[int, DriftRow]:
        """Returns the last look at each model that was looked at."""
        ...
