"""Figures of a model that may be activated, and of those that may not."""

from score.made_models import logistic_document, text_of

from actors.rules.score.feature_names import FEATURE_VERSION, FEATURES
from protocols.score_models import CalibrationBin, DriftFigures, Gain, Marks, ModelFigures, NewModel, Span, Spread

DAY_MS = 86_400_000


def made_figures(*, days=30, events=900, markets=400, price=-0.001, price_fit=-0.001, win_rate=-0.01, version=None):
    marks = Marks(auc=0.7, brier=0.2, log_loss=0.6)
    train = Span(rows=5_000, events=4_000, markets=900, days=90, from_ms=0, until_ms=90 * DAY_MS, share_won=0.5)
    valid = Span(
        rows=1_000, events=events, markets=markets, days=days, from_ms=90 * DAY_MS, until_ms=120 * DAY_MS, share_won=0.5
    )
    return ModelFigures(
        train=train,
        valid=valid,
        left_out={"void": 3},
        embargoed=12,
        model=marks,
        baselines=dict.fromkeys(("price", "price_fit", "win_rate"), marks),
        gains={
            name: Gain(mean=high - 0.001, low=high - 0.002, high=high)
            for name, high in (("price", price), ("price_fit", price_fit), ("win_rate", win_rate))
        },
        calibration=[
            CalibrationBin(low=0.4, high=0.5, rows=9, events=8.5, mean=0.45, won=0.5, won_low=0.3, won_high=0.7)
        ],
        spreads=dict.fromkeys((*FEATURES, "probability"), Spread(edges=[0.5], shares=[0.5, 0.5], unknown=0.0)),
    )


def made_model(**figures):
    return NewModel(
        document=text_of(logistic_document()),
        figures=made_figures(**figures),
        kind="logistic",
        feature_version=FEATURE_VERSION,
        seed=1,
        code_version="1.2.3",
        libraries={"scikit-learn": "1.9"},
        seconds=1.5,
    )


def made_drift(*, drifted=True):
    figures = made_figures()
    return DriftFigures(
        span=figures.valid,
        model=figures.model,
        price=figures.model,
        gain=Gain(mean=0.01, low=-0.01, high=0.02),
        psi={"probability": 0.4, "price": 0.1, "log_usd": 0.9},
        drifted=drifted,
        reasons=["worse than the price"] if drifted else [],
    )
