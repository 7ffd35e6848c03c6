"""How a model does on trades that it could not know: against the price, and how these trades differ from those it knew."""

from collections.abc import Mapping, Sequence
from random import Random

from actors.rules.score.feature_names import FEATURES
from actors.rules.score.measures import brier_gain, event_weights, marks
from actors.rules.score.spreads import stability_index
from protocols.score_models import DriftFigures, Span, Spread

EVENTS_MIN = 100
"""With fewer nothing can be said."""
STABILITY_MAX = 0.25
"""Above it a distribution counts as another one."""
_PRICE = FEATURES.index("price")
Event = tuple[str, str]


def drift_of(
    *,
    features: Sequence[Sequence[float]],
    probabilities: Sequence[float],
    won: Sequence[float],
    events: Sequence[Event],
    days: Sequence[int],
    times_ms: Sequence[int],
    spreads: Mapping[str, Spread],
    rng: Random,
) -> DriftFigures | None:
    """Returns how a model did on trades, given in parallel; None when they are too few to say.

    A model has drifted when its Brier score is above the price's, or when its probabilities are distributed otherwise than in
    validation. Features that moved are shown; counts of trades grow by themselves, so that none of them alone is a reason.
    """
    if len(set(events)) < EVENTS_MIN:
        return None
    weights = event_weights(events)
    prices = [row[_PRICE] for row in features]
    gain = brier_gain(probabilities, prices, won, weights, days, rng=rng)
    psi = {name: stability_index(spreads[name], [row[at] for row in features]) for at, name in enumerate(FEATURES)}
    psi["probability"] = stability_index(spreads["probability"], probabilities)
    reasons = []
    if gain.mean > 0:
        reasons.append(
            f"its Brier score is above the price's by {gain.mean:.5f} (95 % between {gain.low:+.5f} and {gain.high:+.5f})"
        )
    if psi["probability"] > STABILITY_MAX:
        reasons.append(f"its probabilities are distributed otherwise than in validation (PSI {psi['probability']:.2f})")
    return DriftFigures(
        span=Span(
            rows=len(won),
            events=len(set(events)),
            markets=len({market for _, market in events}),
            days=len(set(days)),
            from_ms=min(times_ms),
            until_ms=max(times_ms),
            share_won=sum(y * w for y, w in zip(won, weights, strict=True)) / sum(weights),
        ),
        model=marks(probabilities, won, weights),
        price=marks(prices, won, weights),
        gain=gain,
        psi=psi,
        drifted=bool(reasons),
        reasons=reasons,
    )
