"""Whether settings did better than others on the same trades, by more than chance explains.

The statistic is the difference of two returns, profit over stake. Each is a ratio of sums, so a token's share in the
difference is its linearised influence (as in survey sampling), summed by UTC day: trades of a day hang together, days
hardly do. The standard error is the larger of two: what the days show, and what the prices themselves say. A favourite
that happened to win every day shows no scatter at all, but a share bought at p pays 1 with probability p if the price
is right, and so varies by p (1 - p).
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from actors.rules.tuner.student import NORMAL, two_sided_quantile, upper_tail
from protocols.tuner_search import Bet, Gain, PartFigures, Played

CONFIDENCE = 0.95
DAYS_MIN = 5
"""Days with results below which nothing is said of a difference."""
_USD = 1_000_000
_PRICE_MIN, _PRICE_MAX = 0.01, 0.99


def figures_of(played: Played) -> PartFigures:
    """Returns what settings came to, with intervals."""
    bets = played.bets
    orders, wins = sum(one.orders for one in bets), sum(one.wins for one in bets)
    staked, pnl = sum(one.staked_micro for one in bets), sum(one.pnl_micro for one in bets)
    days = len({one.day for one in bets})
    roi = pnl / staked if staked else None
    half = None
    if roi is not None and days >= 2:
        half = two_sided_quantile(CONFIDENCE, days - 1) * standard_error((), bets)
    win_low, win_high = _wilson(wins, orders)
    return PartFigures(
        orders=orders,
        wins=wins,
        days=days,
        unsettled=played.unsettled,
        staked_usd=Decimal(staked) / _USD,
        pnl_usd=Decimal(pnl) / _USD,
        roi=roi,
        roi_low=None if roi is None or half is None else roi - half,
        roi_high=None if roi is None or half is None else roi + half,
        win_rate=wins / orders if orders else None,
        win_rate_low=win_low,
        win_rate_high=win_high,
    )


def gain_of(before: Sequence[Bet], after: Sequence[Bet]) -> Gain | None:
    """Returns how much better `after` did, or None where too few days have a result or nothing varies."""
    days = len({one.day for one in (*before, *after)})
    error = standard_error(before, after)
    if days < DAYS_MIN or not after or error <= 0:
        return None
    roi = _roi(after) - _roi(before)
    half = two_sided_quantile(CONFIDENCE, days - 1) * error
    t = roi / error
    return Gain(roi=roi, roi_low=roi - half, roi_high=roi + half, standard_error=error, t=t, p=upper_tail(t, days - 1))


def standard_error(before: Sequence[Bet], after: Sequence[Bet]) -> float:
    """Returns the standard error of the difference of two returns; with nothing before, of one. 0 where nothing varies."""
    by_day, by_token, prices = defaultdict[int, float](float), defaultdict[str, float](float), dict[str, float]()
    for sign, bets in ((1, after), (-1, before)):
        staked = sum(one.staked_micro for one in bets)
        if not staked:
            continue
        roi = _roi(bets)
        for one in bets:
            by_day[one.day] += sign * (one.pnl_micro - roi * one.staked_micro) / staked
            by_token[one.token_id] += sign * one.held_shares_micro / staked
            prices[one.token_id] = min(max(one.price, _PRICE_MIN), _PRICE_MAX)
    count = len(by_day)
    shown = count / (count - 1) * math.fsum(value * value for value in by_day.values()) if count > 1 else 0.0
    priced = math.fsum(weight * weight * prices[token] * (1 - prices[token]) for token, weight in by_token.items())
    return math.sqrt(max(shown, priced))


def profit_micro(bets: Sequence[Bet]) -> int:
    """Returns the profit in micro-USD."""
    return sum(one.pnl_micro for one in bets)


def orders_of(bets: Sequence[Bet]) -> int:
    """Returns how many orders have a result."""
    return sum(one.orders for one in bets)


def _roi(bets: Sequence[Bet]) -> float:
    staked = sum(one.staked_micro for one in bets)
    return profit_micro(bets) / staked if staked else 0.0


def _wilson(wins: int, orders: int) -> tuple[float | None, float | None]:
    """The score interval of a share (Wilson, 1927): it stays within 0 and 1 and needs no many orders."""
    if not orders:
        return None, None
    z = NORMAL.inv_cdf((1 + CONFIDENCE) / 2)
    share = wins / orders
    middle = share + z * z / (2 * orders)
    half = z * math.sqrt(share * (1 - share) / orders + z * z / (4 * orders * orders))
    whole = 1 + z * z / orders
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
