"""Parameters of made-up books out of real ones that the engine looked at when it decided."""

from collections.abc import Sequence
from decimal import Decimal

import attrs

from actors.rules.copyability.depth import FINE_ABOVE, FINE_BELOW, DepthModel
from protocols.copyability import SeenBook

BOOKS_MIN, TOKENS_MIN = 200, 30
HALF_SPREAD_MIN, HALF_SPREAD_MAX = Decimal("0.0005"), Decimal("0.05")
TOUCH_USD_MIN, TOUCH_USD_MAX = Decimal(1), Decimal(10_000)


@attrs.frozen(kw_only=True)
class FittedModel:
    """A model of books, and how its parameters are known."""

    model: DepthModel
    source: str


ASSUMED = FittedModel(model=DepthModel(), source="made up from prices, with assumed spread and depth")


def fitted(books: Sequence[SeenBook]) -> FittedModel:
    """Returns the model with half spread and depth at the best price as they were seen; as assumed where too few were.

    The half spread is the median, the depth what three in four books had at least; how depth grows behind the best price, and
    with activity, stays assumed. Books in the tails of prices say nothing of the ones in the middle.
    """
    fit = [one for one in books if one.best_bid > 0 and FINE_BELOW <= (one.best_bid + one.best_ask) / 2 <= FINE_ABOVE]
    tokens = len({one.token_id for one in fit})
    if len(fit) < BOOKS_MIN or tokens < TOKENS_MIN:
        return ASSUMED
    halves = sorted((one.best_ask - one.best_bid) / 2 for one in fit)
    depths = sorted(one.best_ask * one.ask_shares for one in fit)
    model = DepthModel(
        half_spread=min(max(halves[len(halves) // 2], HALF_SPREAD_MIN), HALF_SPREAD_MAX),
        touch_usd=min(max(depths[len(depths) // 4], TOUCH_USD_MIN), TOUCH_USD_MAX),
    )
    source = f"made up from prices, with spread and depth of {len(fit):,} real books of {tokens:,} tokens"
    return FittedModel(model=model, source=source)
