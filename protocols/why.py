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
