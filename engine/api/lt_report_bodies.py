"""What the reports of live trading answer. Money is USD, prices USD a share, `…Pct` per cent."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from engine.api.route import Struct
from protocols.live.operating import Row

T = TypeVar("T", bound=msgspec.Struct)


class LiveOrderAnswer(Struct):
    """An order."""

    order_id: str
    strategy_id: str
    account: str
    origin: str
    side: str
    status: str
    ended: bool
    outcome: str
    reason: str | None
    detail: str | None
    cause: str
    attempt: int
    condition_id: str
    token_id: str
    token_label: str | None
    market_title: str | None
    trader: str | None
    order_hash: str | None
    order_type: str | None
    signal_price: Decimal
    limit_price: Decimal | None
    size_shares: Decimal | None
    lock_usd: Decimal | None
    filled_shares: Decimal
    average_price: Decimal | None
    filled_usd: Decimal
    fee_usd: Decimal
    shares_open: Decimal
    cost_open: Decimal
    realized_usd: Decimal
    created_at: datetime
    ended_at: datetime | None
    ft_pnl: Decimal | None
    """Of the paper twin."""
    performance_diff_pct: Decimal | None


class LiveOrderPage(Struct):
    """Orders, newest first."""

    orders: list[LiveOrderAnswer]
    next_cursor: str | None


class PositionAnswer(Struct):
    """An open position."""

    strategy_id: str
    account: str
    condition_id: str
    token_id: str
    token_label: str | None
    market_title: str | None
    shares: Decimal
    cost_usd: Decimal
    lots: int
    since: datetime | None


class Positions(Struct):
    """Open positions."""

    positions: list[PositionAnswer]


class ExitAnswer(Struct):
    """An obligation to sell."""

    exit_id: str
    strategy_id: str
    cause: str
    kind: str
    status: str
    condition_id: str
    token_id: str
    trader: str | None
    share: Decimal
    target_shares: Decimal | None
    sold_shares: Decimal
    attempts: int
    detail: str | None
    created_at: datetime
    deadline_at: datetime
    overdue: bool


class Exits(Struct):
    """Obligations to sell, newest first."""

    exits: list[ExitAnswer]
    next_cursor: str | None


class RedeemableAnswer(Struct):
    """A settled position whose value waits for its redemption at the venue."""

    strategy_id: str
    account: str
    condition_id: str
    token_id: str | None
    shares: Decimal | None
    amount: Decimal
    created_at: datetime


class Redeemable(Struct):
    """What can be redeemed."""

    redeemable: list[RedeemableAnswer]


class LogLineAnswer(Struct):
    """A line of the log of live trading."""

    id: int
    created_at: datetime
    level: str
    stage: str
    message: str
    trace_id: str
    execution_id: str
    strategy_id: str | None
    ft_wallet_id: str | None
    lt_order_id: str | None
    order_id: str | None
    elapsed_ms: float | None
    source_trade_id: str | None
    extra: dict[str, Any]


class LogPage(Struct):
    """Lines, newest first."""

    lines: list[LogLineAnswer]
    next_before: int | None
    """`before` of the next page; null when this is the last one."""


class HaltAnswer(Struct):
    """Who stopped all entries."""

    halted_by: str
    halted_reason: str | None
    halted_at: datetime


class AccountStanding(Struct):
    """The last comparison of an account with the venue."""

    account: str
    at: datetime
    collateral_usd: Decimal
    report: dict[str, Any]
    entries_paused_s: float | None = None
    """For how long no strategy of the account enters, since the venue said that it has not enough; null: they may."""


class LiveSwitches(Struct):
    """The two switches of live trading. Both have to be on before an order may cost money."""

    enabled: bool
    """`live.enabled` of the configuration."""
    started: bool
    """`--live`, or POLYCOPY_LIVE=1, at start."""


class LiveStatus(Struct):
    """How live trading stands."""

    is_trading: bool
    """Whether this engine sends orders: both switches are on, and it holds the lease."""
    halt: HaltAnswer | None
    accounts: list[AccountStanding]
    """Only the caller's; for administrators all."""
    own_accounts: list[str]
    """Accounts of the configuration that the caller may trade with."""
    switches: LiveSwitches


def answer_of(kind: type[T], row: Row) -> T:
    """Returns the answer of a row that has its fields by name."""
    return kind(**{name: row[name] for name in kind.__struct_fields__})


def answers_of(kind: type[T], rows: Sequence[Row]) -> list[T]:
    """Returns the answers of rows."""
    return [answer_of(kind, row) for row in rows]
