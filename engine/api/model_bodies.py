"""Trained models as the API answers them and the commands print them."""

from collections.abc import Mapping
from datetime import datetime

from engine.api.route import Struct
from engine.model_switching import refusals_of
from protocols.score_models import DriftRow, Gain, Marks, ModelRow, Span, Switch
from protocols.timestamps import utc_datetime

SPREADS_SHOWN = 10
BASELINES = ("price", "price_fit", "win_rate")


class SpanAnswer(Struct):
    """A set of trades. `events`: a trader in a market, however often he bought there."""

    trades: int
    events: int
    markets: int
    days: int
    since: datetime
    until: datetime
    share_won: float


class MarksAnswer(Struct):
    """How good probabilities are: AUC (none where all ended alike), Brier score, log loss."""

    auc: float | None
    brier: float
    log_loss: float


class GainAnswer(Struct):
    """Brier score less that of a baseline, negative is better, and where 95 % of a bootstrap by day lie."""

    mean: float
    low: float
    high: float


class BaselinesAnswer(Struct):
    """What a model is measured against: the price; the price drawn straight on the training part; the trader's win rate."""

    price: MarksAnswer
    price_fit: MarksAnswer
    win_rate: MarksAnswer


class GainsAnswer(Struct):
    """What a model gains over each baseline."""

    price: GainAnswer
    price_fit: GainAnswer
    win_rate: GainAnswer


class BinAnswer(Struct):
    """Trades whose probability lies from `low` to below `high`: the mean of it, and how many won."""

    low: float
    high: float
    trades: int
    events: float
    mean: float
    won: float
    won_low: float
    won_high: float


class DriftAnswer(Struct):
    """How a model did on what ended after its training."""

    checked_at: datetime
    span: SpanAnswer
    model: MarksAnswer
    price: MarksAnswer
    gain: GainAnswer
    drifted: bool
    reasons: list[str]
    stability: dict[str, float]
    """Population stability index of the probability, and of the features that moved most."""


class ModelAnswer(Struct):
    """One model."""

    model_id: int
    kind: str
    created_at: datetime
    is_active: bool
    refusals: list[str]
    """Why it must not be activated; empty: it may."""
    feature_version: int
    data_from: datetime
    data_until: datetime
    marks: MarksAnswer
    """Out of sample."""
    gains: GainsAnswer
    drift: DriftAnswer | None


class ModelReport(Struct):
    """Everything that is known of a model."""

    model: ModelAnswer
    train: SpanAnswer
    valid: SpanAnswer
    embargoed: int
    left_out: dict[str, int]
    baselines: BaselinesAnswer
    calibration: list[BinAnswer]
    seed: int
    code_version: str
    libraries: dict[str, str]
    seconds: float


class ModelsAnswer(Struct):
    """A page of models, newest first."""

    models: list[ModelAnswer]
    active: int | None
    score_file: bool
    """Scores come from a file, which goes before every model."""
    next_before: int | None


class SwitchAnswer(Struct):
    """A model was activated, or none."""

    switch_id: int
    model_id: int | None
    at: datetime
    by: str
    reason: str


class SwitchesAnswer(Struct):
    """What was switched, newest first."""

    switches: list[SwitchAnswer]
    next_before: int | None


def model_answer(row: ModelRow, drift: DriftRow | None) -> ModelAnswer:
    """Returns what a list says of a model."""
    figures = row.figures
    return ModelAnswer(
        model_id=row.model_id,
        kind=row.kind,
        created_at=utc_datetime(row.created_ms),
        is_active=row.is_active,
        refusals=refusals_of(row),
        feature_version=row.feature_version,
        data_from=utc_datetime(min(figures.train.from_ms, figures.valid.from_ms)),
        data_until=utc_datetime(max(figures.train.until_ms, figures.valid.until_ms)),
        marks=_marks(figures.model),
        gains=GainsAnswer(**{name: _gain(figures.gains[name]) for name in BASELINES}),
        drift=None if drift is None else _drift(drift),
    )


def report_answer(row: ModelRow, drift: DriftRow | None) -> ModelReport:
    """Returns everything that is known of a model."""
    figures = row.figures
    return ModelReport(
        model=model_answer(row, drift),
        train=_span(figures.train),
        valid=_span(figures.valid),
        embargoed=figures.embargoed,
        left_out=figures.left_out,
        baselines=BaselinesAnswer(**{name: _marks(figures.baselines[name]) for name in BASELINES}),
        calibration=[
            BinAnswer(
                low=one.low,
                high=one.high,
                trades=one.rows,
                events=one.events,
                mean=one.mean,
                won=one.won,
                won_low=one.won_low,
                won_high=one.won_high,
            )
            for one in figures.calibration
        ],
        seed=row.seed,
        code_version=row.code_version,
        libraries=dict(row.libraries),
        seconds=row.seconds,
    )


def switch_answer(switch: Switch) -> SwitchAnswer:
    """Returns one switch."""
    return SwitchAnswer(
        switch_id=switch.switch_id,
        model_id=switch.model_id,
        at=utc_datetime(switch.switched_ms),
        by=switch.by,
        reason=switch.reason,
    )


def _drift(row: DriftRow) -> DriftAnswer:
    figures = row.figures
    return DriftAnswer(
        checked_at=utc_datetime(row.checked_ms),
        span=_span(figures.span),
        model=_marks(figures.model),
        price=_marks(figures.price),
        gain=_gain(figures.gain),
        drifted=figures.drifted,
        reasons=figures.reasons,
        stability=_most_moved(figures.psi),
    )


def _most_moved(indices: Mapping[str, float]) -> dict[str, float]:
    order = sorted(indices, key=lambda name: (name != "probability", -indices[name], name))
    return {name: indices[name] for name in order[: SPREADS_SHOWN + 1]}


def _span(span: Span) -> SpanAnswer:
    return SpanAnswer(
        trades=span.rows,
        events=span.events,
        markets=span.markets,
        days=span.days,
        since=utc_datetime(span.from_ms),
        until=utc_datetime(span.until_ms),
        share_won=span.share_won,
    )


def _marks(marks: Marks) -> MarksAnswer:
    return MarksAnswer(auc=marks.auc, brier=marks.brier, log_loss=marks.log_loss)


def _gain(gain: Gain) -> GainAnswer:
    return GainAnswer(mean=gain.mean, low=gain.low, high=gain.high)
