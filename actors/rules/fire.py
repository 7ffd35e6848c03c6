"""The fire feed: which trades of which traders are worth copying at once (domain.md §9).

A trader gets in by his record of thirty days, a trade by one strong reason and by a signal that says to buy. What nobody knows
is no reason (I8): a trader without a record is not fire, nor is a trade hot because an average is missing.
"""

import enum
from decimal import Decimal

import attrs

from actors.rules.polysignal import PolySignal, Recommendation, SignalInputs, polysignal

TRADERS_MAX = 100
TRADES_PER_TRADER = 10
TRADER_WIN_RATE_MIN = Decimal("0.52")
TRADER_RESOLVED_MIN = 10
"""Resolved trades of thirty days."""
WIN_RATE_MIN = Decimal("0.55")
ROI_MIN = Decimal("0.15")
CONVICTION_MIN = Decimal("2.5")
_BUYS = frozenset((Recommendation.BUY, Recommendation.STRONG_BUY))


class FireReason(enum.StrEnum):
    """Why a trade is fire. One is enough."""

    WIN_RATE = "winRate"
    """The trader wins at least 55 % of his trades."""
    ROI = "roi"
    """His resolved trades returned at least 15 %."""
    CONVICTION = "conviction"
    """It is at least 2.5 times his average trade."""


@attrs.frozen(kw_only=True)
class Fire:
    """A trade that is fire."""

    reasons: tuple[FireReason, ...]
    """At least one."""
    signal: PolySignal
    """BUY or STRONG_BUY."""


def is_hot_trader(win_rate: Decimal | None, resolved_count: int | None) -> bool:
    """Returns whether a record of thirty days lets a trader in. `win_rate` is 0 to 1."""
    if win_rate is None or resolved_count is None:
        return False
    return win_rate >= TRADER_WIN_RATE_MIN and resolved_count >= TRADER_RESOLVED_MIN


def fire_of(inputs: SignalInputs, roi: Decimal | None) -> Fire | None:
    """Returns what makes a BUY trade fire, or None.

    `inputs` has the trader's win rate and resolved trades of thirty days; `roi` is a part of one.
    """
    if not is_hot_trader(inputs.win_rate, inputs.resolved_count):
        return None
    figures = (
        (FireReason.WIN_RATE, inputs.win_rate, WIN_RATE_MIN),
        (FireReason.ROI, roi, ROI_MIN),
        (FireReason.CONVICTION, inputs.conviction, CONVICTION_MIN),
    )
    reasons = tuple(reason for reason, value, least in figures if value is not None and value >= least)
    if not reasons:
        return None
    signal = polysignal(inputs)
    return Fire(reasons=reasons, signal=signal) if signal.recommendation in _BUYS else None
