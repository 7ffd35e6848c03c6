"""What a plan says, as command, API and page show it. Money is USD, prices are USD a share, times are UTC."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec


class PlanStruct(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Base of the parts of a plan: camelCase in JSON, as the API writes everything but names of settings."""


class PlanSource(PlanStruct):
    """The trades that both sides were played on."""

    kind: Literal["stored", "tape"]
    since: datetime
    until: datetime
    trades: int
    traders: int
    """Whose trades these are."""
    markets: int
    markets_unknown: int
    """Markets of which nothing is stored: neither their kind and fees nor what they paid."""
    markets_open: int
    """Markets whose result was not known."""
    unusable: int
    """Lines or trades that could not be played."""


class TraderCoverage(PlanStruct):
    """How far back the stored trades of a trader go who is copied before or after the change."""

    wallet: str
    trades: int
    """In the time that was played."""
    oldest: datetime | None
    """His oldest stored trade of all; null: there is none."""


class SettingChange(PlanStruct):
    """A setting that becomes different, as it is written in files."""

    name: str
    old: Any
    new: Any


class PlanFigures(PlanStruct):
    """What one side came to. Open positions are marked to the last price of the trades that were played."""

    starting_balance: Decimal
    judged: int
    """Trades that it was offered."""
    orders: int
    stakes: Decimal
    fees: Decimal
    """Of buying, selling and settling."""
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    total_pnl: Decimal
    return_pct: Decimal
    max_drawdown: Decimal
    """Of realised equity."""
    max_drawdown_pct: Decimal
    won: int
    lost: int
    sold: int
    void: int
    open_orders: int


class ReasonCount(PlanStruct):
    """How often a side did something, or not, for this reason."""

    reason: str
    before: int
    after: int


class Refusal(PlanStruct):
    """The gate by which the side that did not copy a trade refused it."""

    reason: str
    value: str | None = None
    """What the gate looked at."""
    limit: str | None = None


class PlanCopy(PlanStruct):
    """A copy of a trade on one side."""

    stake: Decimal
    price: Decimal
    shares: Decimal
    fee: Decimal
    """Of buying."""
    result: str
    """WON, LOST, SOLD, VOID, or OPEN: then it is marked."""
    pnl: Decimal
    """What it made in the end, fees included."""


class TradeDifference(PlanStruct):
    """A trade that one side copied and the other did not, or not so."""

    kind: Literal["added", "dropped", "changed"]
    """added: copied after the change only; dropped: before it only."""
    trade_id: str
    at: datetime
    trader: str
    market: str | None
    slug: str | None
    outcome: str | None
    token_id: str
    trader_price: Decimal
    before: PlanCopy | None
    after: PlanCopy | None
    differs: list[str]
    """Of a changed one: stake, price, result."""
    refusal: Refusal | None
    """Of an added or dropped one: why the other side did not copy it; null when there is no other side."""
    effect: Decimal
    """What the change makes of it, USD."""


class DifferenceSum(PlanStruct):
    """Trades of one kind of difference, and what they come to."""

    trades: int
    effect: Decimal


class PlannedBot(PlanStruct):
    """One strategy before and after."""

    wallet_id: str
    is_new: bool
    version: int | None
    """Of the stored strategy."""
    changes: list[SettingChange]
    warnings: list[str]
    before: PlanFigures | None
    after: PlanFigures
    same: int
    """Trades that both sides copied alike."""
    added: DifferenceSum
    dropped: DifferenceSum
    changed: DifferenceSum
    trades: list[TradeDifference]
    """In the order of time; when `cut`, those with the greatest effect."""
    cut: bool
    reasons: list[ReasonCount]


class Plan(PlanStruct):
    """The plan: sources, strategies, and what it cannot know."""

    source: PlanSource
    seed: int
    bots: list[PlannedBot]
    unchanged: list[str]
    """Strategies of the file that are stored like that already."""
    thin: list[TraderCoverage]
    """Traders of whom less is stored than was asked for, those with the fewest trades first; the first 50."""
    thin_count: int
    limits: list[str]
    """Sentences: what was not known, and what that means here."""


encode = msgspec.json.Encoder(decimal_format="number").encode
decode = msgspec.json.Decoder(Plan).decode
