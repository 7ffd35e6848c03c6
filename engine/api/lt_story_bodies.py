"""What the routes about one trade of live trading and about a strategy's execution answer. Money is USD, prices USD a share."""

from datetime import datetime
from decimal import Decimal

from engine.api.lt_report_bodies import ExitAnswer, LiveOrderAnswer, LogLineAnswer
from engine.api.route import Struct
from engine.api.setting_answers import SettingAnswer
from protocols.live.story import ExecutionQuality, LiveDay


class StoryOrderAnswer(LiveOrderAnswer):
    """An order with the times of its steps."""

    signal_at: datetime
    """When the trader traded, or when the obligation to sell arose."""
    signed_at: datetime | None
    placed_at: datetime | None
    """When the venue answered."""


class FillAnswer(Struct):
    """A fill of an order."""

    order_id: str
    trade_id: str
    """Of the venue."""
    shares: Decimal
    price: Decimal
    fee_usd: Decimal
    role: str
    status: str
    """MATCHED, MINED, RETRYING, CONFIRMED or FAILED."""
    transaction_hash: str | None
    matched_at: datetime
    booked_at: datetime
    settled_at: datetime | None


class LedgerAnswer(Struct):
    """A line of the ledger: what it added to each bucket."""

    entry_id: int
    strategy_id: str
    cause: str
    kind: str
    order_id: str | None
    available: Decimal
    locked: Decimal
    cooldown: Decimal
    realized: Decimal
    drift: Decimal
    at: datetime


class StoryAnswer(Struct):
    """One trade of live trading from end to end, each part in the order in which it happened."""

    orders: list[StoryOrderAnswer]
    """Those that it caused, and those that sold what they bought; at most 200."""
    fills: list[FillAnswer]
    ledger: list[LedgerAnswer]
    exits: list[ExitAnswer]
    lines: list[LogLineAnswer]
    """Of the log; at most 500."""


class PerformanceAnswer(Struct):
    """How a live strategy did by UTC day, and how its last 1,000 entries were executed."""

    days: list[LiveDay]
    """The last 365 with a trade, a sale or a settlement, rising."""
    quality: ExecutionQuality


class LiveSettingsAnswer(Struct):
    """Every setting of a live strategy."""

    settings: list[SettingAnswer]
    risk_rules: list[str]
    """Names of those that `PATCH …/risk` changes, too."""
