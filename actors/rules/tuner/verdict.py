"""What became of a change, 24 h later (domain.md §7.7).

Days are counted from the moment of the change, 24 h each. An order counts in a day when it was placed and was over
within it. Before and after are looked at through the same window that way: counting whatever is over by now would
compare old orders, which had a week to end, with new ones that had a day, and markets that end fast are not like those
that end slowly. `before` has the `DAYS_BEFORE` days in front of the change, `after` the whole days since. The verdict
falls on the first day by which both have enough orders, and on the last one at any rate: with too few it is neutral,
and says so.
"""

import enum
import math

import attrs

DAYS_BEFORE = 7
DAYS_AFTER_MAX = 7
WIN_RATE_UP, ROI_UP = 0.02, 0.01
WIN_RATE_DOWN, ROI_DOWN = -0.05, -0.03


class Outcome(enum.StrEnum):
    """What became of it."""

    IMPROVED = "IMPROVED"
    NEUTRAL = "NEUTRAL"
    DEGRADED = "DEGRADED"


@attrs.frozen(kw_only=True)
class Measured:
    """Orders that were placed and over within the days looked at. Sums are exact where they come from, statistics here."""

    orders: int
    wins: int
    staked_usd: float
    pnl_usd: float
    squares: float
    """Sum over orders of profit², USD²."""
    products: float
    """Of profit × stake."""
    staked_squares: float
    """Of stake²."""

    @property
    def win_rate(self) -> float | None:
        """Returns the share of orders that won."""
        return self.wins / self.orders if self.orders else None

    @property
    def roi(self) -> float | None:
        """Returns profit over stake."""
        return self.pnl_usd / self.staked_usd if self.staked_usd > 0 else None

    @property
    def win_rate_variance(self) -> float:
        """Returns the variance of the win rate, for one order more won and one more lost (never 0)."""
        share = (self.wins + 1) / (self.orders + 2)
        return share * (1 - share) / max(1, self.orders)

    @property
    def roi_variance(self) -> float:
        """Returns the variance of the return, order by order, of the linearised ratio."""
        if self.orders < 2 or self.staked_usd <= 0:
            return 0.0
        roi = self.pnl_usd / self.staked_usd
        spread = self.squares - 2 * roi * self.products + roi * roi * self.staked_squares
        return max(0.0, spread) / self.staked_usd**2 * self.orders / (self.orders - 1)


@attrs.frozen(kw_only=True)
class Verdict:
    """The outcome, and the differences that it rests on; None where one side has no figure."""

    outcome: Outcome
    win_rate: float | None
    roi: float | None
    enough: bool
    """Both sides had enough orders."""


def verdict_of(
    before: Measured, after: Measured, *, days_after: int, orders_min: int, errors_min: float
) -> Verdict | None:
    """Returns the verdict, or None while it is too early to tell.

    A difference counts when it is beyond its limit and at least `errors_min` standard errors away from 0. One that
    degraded in one figure and improved in the other has degraded.
    """
    enough = min(before.orders, after.orders) >= orders_min
    if not enough and days_after < DAYS_AFTER_MAX:
        return None
    win_rate = _difference(before.win_rate, after.win_rate)
    roi = _difference(before.roi, after.roi)
    outcome = Outcome.NEUTRAL
    if enough:
        rates = _counts(win_rate, before.win_rate_variance + after.win_rate_variance, errors_min)
        returns = _counts(roi, before.roi_variance + after.roi_variance, errors_min)
        if rates <= WIN_RATE_DOWN or returns <= ROI_DOWN:
            outcome = Outcome.DEGRADED
        elif rates >= WIN_RATE_UP or returns >= ROI_UP:
            outcome = Outcome.IMPROVED
    return Verdict(outcome=outcome, win_rate=win_rate, roi=roi, enough=enough)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _counts(difference: float | None, variance: float, errors_min: float) -> float:
    """Returns the difference as far as it is more than noise, else 0. Rounded, so that 0.02 is 0.02."""
    if difference is None or abs(difference) < errors_min * math.sqrt(variance):
        return 0.0
    return round(difference, 9)
