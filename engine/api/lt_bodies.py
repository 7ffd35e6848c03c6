"""What the routes of live strategies take and answer. Money is USD, prices USD a share, `…Pct` per cent."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from engine.api.bot_bodies import SettingsDocument, Version, WalletId
from engine.api.route import Struct
from engine.api.text_fields import text_field
from protocols.live.settings import LIVE_ID_ALLOWED, LIVE_ID_PATTERN

StrategyId = Annotated[str, text_field(LIVE_ID_PATTERN, LIVE_ID_ALLOWED)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
AccountName = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class NewLive(Struct):
    """A live strategy that mirrors a paper strategy. It begins paused."""

    ft_wallet_id: WalletId
    account: AccountName
    """Name in `live.accounts`; it has to be the caller's."""
    capital_usd: Decimal
    strategy_id: StrategyId | None = None
    """`LT_<ftWalletId>` where it is null."""
    settings: SettingsDocument = msgspec.field(default_factory=dict)


class ChangedLive(Struct):
    """What becomes different; settings that are not named stay."""

    settings: SettingsDocument
    version: Version | None = None
    """The version that the change was thought out for: 409 when it is another one by now. Null: whichever it is."""


class ChangedCapital(Struct):
    """Capital that is given, or taken where it is negative."""

    delta_usd: Decimal
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Stopped(Struct):
    """Why all entries are stopped."""

    reason: Reason


class Confirmed(Struct):
    """That what was asked for is meant."""

    confirm: bool


class LiveStrategyAnswer(Struct):
    """A live strategy with its money and its figures."""

    strategy_id: str
    ft_wallet_id: str
    account: str
    display_name: str
    is_active: bool
    is_paused: bool
    breaker_reason: str | None
    """Why its breaker is latched; null when it is not."""
    version: int
    launched_at: datetime | None
    initial: Decimal
    available: Decimal
    locked: Decimal
    cooldown: Decimal
    positions_usd: Decimal
    """Cost of what is open: the part of `locked` that no order holds."""
    realized_pnl: Decimal
    drift: Decimal
    """What was booked beyond `available`; entries wait until it is 0."""
    peak_equity: Decimal
    spent_today_usd: Decimal
    lost_today_usd: Decimal
    redeemable_usd: Decimal
    orders: int
    filled: int
    open_positions: int
    won: int
    lost: int
    open_exits: int
    overdue_exits: int
    slippage_bps: Decimal | None
    fill_rate: Decimal | None


class LiveStrategies(Struct):
    """Live strategies in the order of their ids."""

    strategies: list[LiveStrategyAnswer]


class LiveStrategyDetail(Struct):
    """One live strategy with every setting."""

    strategy: LiveStrategyAnswer
    settings: SettingsDocument


class RiskAnswer(Struct):
    """Risk rules of a strategy, null where one is off, and the figures that they look at."""

    rules: SettingsDocument
    available: Decimal
    locked: Decimal
    drift: Decimal
    spent_today_usd: Decimal
    lost_today_usd: Decimal
    peak_equity: Decimal
    breaker_reason: str | None


class Changed(Struct):
    """Whether anything is different now; false: it was so before."""

    changed: bool


class Flattened(Struct):
    """How many positions are to be sold."""

    exits: int
