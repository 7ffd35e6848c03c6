"""What kind of trader he is, where that says more than his profit: flags, each with the figures that it follows from.

A flag is no verdict. It says why a result may not repeat, or why it cannot be copied however good it is. The thresholds are
ours: they are named here and listed in engine/copyability/README.md.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from statistics import median

import attrs

from protocols.copyability import StyleFlag
from protocols.timestamps import utc_datetime

DAY_MS = 86_400_000
MAKER_TRADES_MIN, MAKER_SHARE_MIN, MAKER_WITHIN_MS = 100, Decimal("0.30"), 600_000
FREQUENT_PER_DAY, FREQUENT_IN_MINUTE = 150, 20
BOTH_MARKETS_MIN, BOTH_SHARE_MIN, BOTH_BALANCE_MIN = 5, Decimal("0.20"), Decimal("0.20")
JUMP_FACTOR, JUMP_DAYS, JUMP_BEFORE_MIN, JUMP_AFTER_MIN = 5, 7, 20, 5
INACTIVE_DAYS = 14


@attrs.frozen(kw_only=True)
class StyleTrade:
    """A trade of his."""

    trade_ms: int
    condition_id: str
    token_id: str
    side: str
    usd: Decimal


def style_flags(trades: Sequence[StyleTrade], until_ms: int) -> list[StyleFlag]:
    """Returns the flags of a trader by his trades, in the order of time, as far as they were seen before `until_ms`."""
    if not trades:
        return []
    found = (
        _maker(trades),
        _frequent(trades),
        _both_sides(trades),
        _jump(trades, until_ms),
        _inactive(trades, until_ms),
    )
    return [flag for flag in found if flag is not None]


def _maker(trades: Sequence[StyleTrade]) -> StyleFlag | None:
    """He turns round within minutes. Buying the other outcome is the same as selling."""
    last: dict[str, tuple[int, tuple[str, bool]]] = {}
    turns = 0
    for trade in trades:
        direction = (trade.token_id, trade.side == "BUY")
        before = last.get(trade.condition_id)
        if before is not None and trade.trade_ms - before[0] <= MAKER_WITHIN_MS:
            same_token = before[1][0] == direction[0]
            turns += (before[1][1] != direction[1]) if same_token else (before[1][1] == direction[1])
        last[trade.condition_id] = (trade.trade_ms, direction)
    share = Decimal(turns) / len(trades)
    if len(trades) < MAKER_TRADES_MIN or share < MAKER_SHARE_MIN:
        return None
    evidence = f"{turns} of {len(trades)} trades reverse his last one in the market within 10 minutes"
    return StyleFlag(name="market_maker", evidence=evidence)


def _frequent(trades: Sequence[StyleTrade]) -> StyleFlag | None:
    days = len({trade.trade_ms // DAY_MS for trade in trades})
    minutes = Counter(trade.trade_ms // 60_000 for trade in trades)
    a_day, most = len(trades) / days, max(minutes.values())
    if a_day < FREQUENT_PER_DAY and most < FREQUENT_IN_MINUTE:
        return None
    return StyleFlag(name="high_frequency", evidence=f"{a_day:.0f} trades on an active day, up to {most} in a minute")


def _both_sides(trades: Sequence[StyleTrade]) -> StyleFlag | None:
    bought: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for trade in trades:
        if trade.side == "BUY":
            bought[trade.condition_id][trade.token_id] += trade.usd
    both = 0
    for by_token in bought.values():
        most, *others = sorted(by_token.values(), reverse=True)
        both += bool(others) and others[0] >= BOTH_BALANCE_MIN * most
    if len(bought) < BOTH_MARKETS_MIN or Decimal(both) / len(bought) < BOTH_SHARE_MIN:
        return None
    return StyleFlag(name="both_sides", evidence=f"bought opposite outcomes in {both} of {len(bought)} markets")


def _jump(trades: Sequence[StyleTrade], until_ms: int) -> StyleFlag | None:
    since = until_ms - JUMP_DAYS * DAY_MS
    before = [trade.usd for trade in trades if trade.side == "BUY" and trade.trade_ms < since]
    after = [trade.usd for trade in trades if trade.side == "BUY" and trade.trade_ms >= since]
    if len(before) < JUMP_BEFORE_MIN or len(after) < JUMP_AFTER_MIN:
        return None
    was, now = median(before), median(after)
    if now < JUMP_FACTOR * max(was, Decimal(1)):
        return None
    evidence = f"median purchase {now:,.0f} USD in the last {JUMP_DAYS} days, {was:,.0f} USD before"
    return StyleFlag(name="size_jump", evidence=evidence)


def _inactive(trades: Sequence[StyleTrade], until_ms: int) -> StyleFlag | None:
    last_ms = trades[-1].trade_ms
    if until_ms - last_ms < INACTIVE_DAYS * DAY_MS:
        return None
    return StyleFlag(name="inactive", evidence=f"last trade on {utc_datetime(last_ms).date()}")
