"""Why a trade was copied or not: what is stored of it, and the answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs
import msgspec


class CloseWhy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A part of a position that was sold because the trader sold."""

    order_id: str
    wallet_id: str
    source_trade_id: str
    share: Decimal
    """Of his holding that he sold, 0 to 1."""
    shares: Decimal
    price: Decimal
    fee: Decimal
    proceeds: Decimal
    pnl: Decimal
    trade_time: datetime


class OrderWhy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A paper order, from its fill to its end. USD, prices in USD a share."""

    order_id: str
    wallet_id: str
    signal_price: Decimal
    entry_price: Decimal
    stake: Decimal
    shares: Decimal
    fee: Decimal
    entry_model: str
    fill_inputs: Any
    """What the entry model looked at."""
    outcome: str
    """OPEN, WON, LOST, SOLD or VOID."""
    shares_open: Decimal
    pnl: Decimal
    """Of what was sold or settled so far."""
    exit_price: Decimal | None
    close_reason: str | None
    winning_label: str | None
    resolved_time: datetime | None
    closes: list[CloseWhy]


class LiveFillWhy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A fill of a live order, and how far its settlement has come."""

    trade_id: str
    """Of the venue."""
    shares: Decimal
    price: Decimal
    fee: Decimal
    role: str
    status: str
    """MATCHED, MINED, RETRYING, CONFIRMED or FAILED."""
    transaction_hash: str | None
    matched_at: datetime


class LiveOrderWhy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A live order, from its claim to its end. USD, prices in USD a share."""

    order_id: str
    strategy_id: str
    wallet_id: str
    """The paper strategy that it mirrors."""
    origin: str
    side: str
    attempt: int
    status: str
    ended: bool
    reason: str | None
    """Of an order that never was, was refused or lost: which rule, or what the venue said."""
    detail: str | None
    """Value and limit of the rule, or the venue's words."""
    order_hash: str | None
    """None: never signed."""
    signal_price: Decimal
    limit_price: Decimal | None
    lock_usd: Decimal | None
    filled_shares: Decimal
    average_price: Decimal | None
    fee: Decimal
    outcome: str
    pnl: Decimal
    """Of what was sold or settled so far."""
    paper_pnl: Decimal | None
    """Of its paper twin."""
    performance_diff_pct: Decimal | None
    """(pnl - paper pnl) / |paper pnl| x 100, once it is closed."""
    signed_at: datetime | None
    placed_at: datetime | None
    ended_at: datetime | None
    fills: list[LiveFillWhy]


class GateWhy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One gate of the chain, found again from the stored inputs and the settings of that version."""

    reason: str
    """What a strategy says when it fails here."""
    is_on: bool
    """False: the settings switch it off."""
    passed: bool
    value: str | None
    limit: str | None


class ResultWhy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What one strategy decided."""

    wallet_id: str | None
    """None: the strategy is gone."""
    number: int
    version: int
    reason: str
    bankroll: Decimal | None
    """USD it could spend, where it came to that."""
    gates: list[GateWhy] | None = None
    """Only of the strategy that was asked for."""
    note: str | None = None
    """Why there are no gates although they were asked for."""


class PartWhy(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One decision: at once, or after what some strategies had to wait for."""

    part: str
    trade_id: str
    """Another one than was asked for: it was decided as a member of that trade's aggregate."""
    decided_at: datetime
    members: list[str]
    results: list[ResultWhy]


class Why(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The whole story of one trade."""

    trade_id: str
    lane: int
    trader: str
    side: str
    price: Decimal
    size: Decimal
    """Shares."""
    trade_time: datetime
    condition_id: str
    title: str | None
    outcome: str | None
    conclusion: str
    """In a sentence."""
    parts: list[PartWhy]
    orders: list[OrderWhy]
    """That copy it."""
    closes: list[CloseWhy]
    """That it brought about, being a sale."""
    live_orders: list[LiveOrderWhy] = []
    """That copy it with real money, or sell because of it."""


@attrs.frozen(kw_only=True)
class StoredTrade:
    """A trade as it is stored now."""

    trade_id: str
    lane: int
    trader: str
    token_id: str
    side: str
    price: Decimal
    size: Decimal
    trade_time: datetime
    ingested_at: datetime
    condition_id: str
    title: str | None
    outcome: str | None


@attrs.frozen(kw_only=True)
class StoredDecision:
    """A decision as it is stored; sequences are parallel."""

    part: str
    trade_id: str
    decided_at: datetime
    members: Sequence[str]
    snapshot: str
    strategies: Sequence[int]
    versions: Sequence[int]
    reasons: Sequence[str]
    bankrolls: Sequence[Decimal | None]
    stands: str | None = None
    """JSON of what policies for conflicts looked at, parallel to the others; None where no strategy has one."""


@attrs.frozen(kw_only=True)
class NamedStrategy:
    """Whose number it is."""

    wallet_id: str
    owner_id: str


@attrs.frozen(kw_only=True)
class WhyFacts:
    """All that is stored about what became of a trade."""

    trade: StoredTrade
    decisions: Sequence[StoredDecision]
    strategies: Mapping[int, NamedStrategy]
    settings: Mapping[tuple[int, int], Mapping[str, Any]]
    """Of the strategy asked for, by number and version: the document of that version."""
    orders: Sequence[OrderWhy]
    closes: Sequence[CloseWhy]
    live_orders: Sequence[tuple[str, LiveOrderWhy]] = ()
    """Each with the id of the user whose live strategy it is: he need not own the paper strategy."""
    asked: NamedStrategy | None = None
    """The strategy asked for, whether it decided or not; None when there is none of that name, or none was."""


class WhyStore(Protocol):
    """Where the facts come from. All methods raise `TransientError`."""

    async def facts(self, trade_id: str, bot: str | None = None) -> WhyFacts | None:
        """Returns what is stored about a trade; None when the trade is not. `bot`: of this strategy with settings."""
        ...

    async def is_target(self, wallet_id: str, trader: str) -> bool | None:
        """Returns whether a strategy copies a trader now; None where it copies everyone."""
        ...
