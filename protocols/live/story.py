"""What people look at of one trade of live trading from end to end, and of how a strategy's orders were executed."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec

from protocols.live.operating import Row


@attrs.frozen(kw_only=True)
class LiveStory:
    """What hangs together by one id, each in the order in which it happened."""

    orders: Sequence[Row]
    fills: Sequence[Row]
    ledger: Sequence[Row]
    """What was booked for these orders."""
    exits: Sequence[Row]
    lines: Sequence[Row]
    """Of the log."""


class LiveDay(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A UTC day of a live strategy, USD."""

    day: date
    spent_usd: Decimal
    lost_usd: Decimal
    pnl_usd: Decimal
    """Realised on that day."""
    cumulative_pnl_usd: Decimal
    """Realised up to that day."""


class ExecutionQuality(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How the last entries of a live strategy were executed. What nothing tells is null."""

    entries: int
    """Claims, also those that never reached the venue."""
    sent: int
    """Signed, hence sent."""
    filled: int
    """With at least one fill."""
    filled_share: Decimal | None
    """filled / sent, 0 to 1."""
    mean_fill: Decimal | None
    """Mean over orders of what was filled of the shares that were asked for, 0 to 1: a small order counts as a large one."""
    slippage_bps_p50: Decimal | None
    """Median of the average price of a fill above the trader's price, in hundredths of a per cent."""
    slippage_bps_p95: Decimal | None
    decided_ms_p50: Decimal | None
    """From the trader's trade, whose time the venue tells in whole seconds, to the claim."""
    decided_ms_p95: Decimal | None
    signed_ms_p50: Decimal | None
    """From the claim to the signature."""
    signed_ms_p95: Decimal | None
    placed_ms_p50: Decimal | None
    """From the signature to the venue's answer."""
    placed_ms_p95: Decimal | None
    total_ms_p50: Decimal | None
    """From the trader's trade to the venue's answer."""
    total_ms_p95: Decimal | None
    unfilled: Mapping[str, int]
    """How many entries ended without a fill, by reason."""


@attrs.frozen(kw_only=True)
class LivePerformance:
    """Days and execution of a live strategy."""

    days: Sequence[LiveDay]
    quality: ExecutionQuality


class LiveStories(Protocol):
    """Where they come from. Both raise `TransientError`."""

    async def story(self, id_: str, *, user_id: str | None = None) -> LiveStory | None:
        """Returns what hangs together by the id of a trade, an order or an obligation; None when there is nothing.

        Without `user_id` it is everybody's.
        """
        ...

    async def performance(self, strategy_id: str, *, from_day: date, days_max: int, orders_max: int) -> LivePerformance:
        """Returns days from `from_day` on, rising, and the quality of the last entries."""
        ...
