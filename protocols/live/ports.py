"""The world behind live trading: the store of orders and money, the account at the venue, and what makes signed orders.

Stores raise `TransientError`; those that write also `FencedError` when another engine has taken over.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.live.events import OrderEvent
from protocols.live.exits import ExitKind, LiveExit, Lot
from protocols.live.money import DayFigures, LiveBalance
from protocols.live.orders import LiveIntent, LiveOrder, OrderType, Side, SignedOrder
from protocols.paper import Payouts
from protocols.venue.clob_account import BalanceAllowance, VenueFill, VenueOrder
from protocols.venue.clob_orders import CancelAnswer, PostReply


@attrs.frozen(kw_only=True)
class OrderPlan:
    """An order that the rules let through, priced and rounded, before it is signed."""

    intent: LiveIntent
    account: str
    order_type: OrderType
    limit_price: Decimal
    maker_amount: int
    """Base units of what we give: 10^6 a USD or share."""
    taker_amount: int
    size_shares: Decimal
    spend_usd: Decimal | None
    lock_usd: Decimal
    fee_rate: Decimal
    fee_exponent: int
    negative_risk: bool
    expiration_s: int = 0

    @property
    def side(self) -> Side:
        """Returns which way it goes."""
        return self.intent.side


@attrs.frozen(kw_only=True)
class Declined:
    """A claim that never became an order."""

    order_id: str
    reason: str
    """A short name: a rule of ours."""
    detail: str
    """Value and limit, for people."""
    at_ms: int


@attrs.frozen(kw_only=True)
class Journaled:
    """What commit 2 did."""

    orders: tuple[LiveOrder, ...]
    """Those that may be sent now."""
    refused: Mapping[str, str]
    """By order_id: `insufficient_cash`, or `gone` when the claim is not open any more."""
    balances: tuple[LiveBalance, ...]


@attrs.frozen(kw_only=True)
class Applied:
    """What a batch of events did."""

    orders: tuple[LiveOrder, ...]
    """Every order that changed, as it is now."""
    balances: tuple[LiveBalance, ...]
    days: Mapping[str, DayFigures]
    """Of today, by strategy, where they changed."""
    lots: tuple[Lot, ...]
    """Every lot that changed, as it is now; `shares` 0: gone."""
    exits: tuple[LiveExit, ...]
    unknown: tuple[str, ...]
    """Hashes that are no order of ours."""
    spent_usd: Mapping[str, Decimal] = attrs.field(factory=dict)
    """What fills cost that are new, by account; less than 0 where more failed than came."""


@attrs.frozen(kw_only=True)
class LiveSnapshot:
    """Everything that risk rules and recovery look at, in one reading."""

    balances: tuple[LiveBalance, ...]
    claims: tuple[LiveIntent, ...]
    """Claimed and unsigned, oldest first; with `inputs`."""
    working: tuple[LiveOrder, ...]
    """Journaled and not ended."""
    lots: tuple[Lot, ...]
    exits: tuple[LiveExit, ...]
    """Open ones."""
    days: Mapping[str, DayFigures]
    """Of today, by strategy_id."""
    entries_ms: Mapping[str, tuple[int, ...]]
    """Times of entries of the last minute, by strategy_id."""


@attrs.frozen(kw_only=True)
class SettledLot:
    """An open position that its market's resolution closed."""

    order_id: str
    strategy_id: str
    condition_id: str
    outcome: str
    """WON, LOST or VOID."""
    value: Decimal
    """USD that its shares pay when redeemed."""
    pnl: Decimal


@attrs.frozen(kw_only=True)
class Settled:
    """What a settlement did."""

    lots: tuple[SettledLot, ...]
    balances: tuple[LiveBalance, ...]
    exits: tuple[LiveExit, ...]
    days: Mapping[str, DayFigures] = attrs.field(factory=dict)
    """Of today, by strategy, where they changed."""


class LiveOrderStore(Protocol):
    """Orders, fills, positions, obligations and the ledger. Every method is one transaction."""

    async def snapshot(self, today_ms: int) -> LiveSnapshot:
        """Returns the state of the UTC day in which `today_ms` lies."""
        ...

    async def claim(self, intents: Sequence[LiveIntent]) -> tuple[LiveIntent, ...]:
        """Claims causes that no trade brings (exits, manual orders); returns those that nobody had claimed before."""
        ...

    async def decline(self, declined: Sequence[Declined]) -> tuple[LiveOrder, ...]:
        """Ends claims as REJECTED. One that is journaled or ended already stays as it is."""
        ...

    async def journal(self, orders: Sequence[tuple[LiveIntent, SignedOrder]]) -> Journaled:
        """Commit 2: locks money and keeps the signed bytes of claims. After it an order may be sent; again is no harm.

        A lock is refused where `available` does not cover it; the others of the batch are journaled.
        """
        ...

    async def apply(self, events: Sequence[OrderEvent]) -> Applied:
        """Books events in their order, each exactly once however often it comes."""
        ...

    async def settle(self, payouts: Sequence[Payouts], now_ms: int) -> Settled:
        """Closes open positions of resolved markets. A lot leaves OPEN once, whoever settles how often."""
        ...

    async def open_markets(self, after: str, markets_max: int) -> Sequence[tuple[str, frozenset[str]]]:
        """Returns markets with open positions and their tokens, in the order of their ids."""
        ...

    async def release(self, now_ms: int, redeemed: Sequence[tuple[str, str]] = ()) -> tuple[LiveBalance, ...]:
        """Makes due proceeds spendable, and those of redeemed markets, by (strategy_id, condition_id), begin to cool down."""
        ...

    async def open_exits(self, exits: Sequence[LiveExit]) -> tuple[LiveExit, ...]:
        """Makes obligations; returns those that are new."""
        ...

    async def save_exits(self, exits: Sequence[LiveExit]) -> None:
        """Keeps status, target, attempts, times and detail of obligations. `sold_shares` is written by `apply` alone."""
        ...

    async def fixed_target(self, exit_id: str) -> LiveExit | None:
        """Fixes the target from the open lots of now, once; None while a buy of those lots is still working."""
        ...

    async def latch(self, strategy_id: str, reason: str | None, at_ms: int) -> None:
        """Latches the breaker of a strategy, or clears it with None."""
        ...


class ClobAccount(Protocol):
    """One account at the venue (venue.md §4). Raises `TransientError` for what is no answer, `RejectedError` for a refusal."""

    async def post_order(self, body: bytes) -> PostReply:
        """Sends signed bytes once. Never raises for what the venue says, never retries."""
        ...

    async def cancel(self, order_hashes: Sequence[str]) -> CancelAnswer:
        """Cancels orders; which of them were not is in the answer."""
        ...

    async def order(self, order_hash: str) -> VenueOrder | None:
        """Returns how an order stands; None only when the venue says that there is none."""
        ...

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Returns all orders that are live, over all pages."""
        ...

    async def trades(self, *, after_s: int | None = None, trade_id: str | None = None) -> Sequence[VenueFill]:
        """Returns fills of this account, over all pages."""
        ...

    async def collateral(self) -> BalanceAllowance:
        """Returns spendable pUSD and what exchanges may take of it."""
        ...

    async def conditional(self, token_id: str) -> BalanceAllowance:
        """Returns shares of a token, and what exchanges may take of them."""
        ...


class SendGate(Protocol):
    """How fast orders of one signer may be sent (venue.md §6)."""

    async def take(self) -> None:
        """Waits for a turn; turns come in the order in which they were asked for."""
        ...

    def block_for(self, seconds: float) -> None:
        """Lets nobody pass for a while: the venue said Retry-After."""
        ...


class OrderMaker(Protocol):
    """Makes the signed bytes of an order. Holds a key, or talks to what holds it."""

    def sign(self, plan: OrderPlan, now_ms: int) -> SignedOrder:
        """Returns the order, ready for the journal. Never the same twice: salt and time are new."""
        ...


@attrs.frozen(kw_only=True)
class TradingAccount:
    """One account that orders are sent with: what signs, what sends, and how fast it may."""

    name: str
    venue: ClobAccount
    maker: OrderMaker
    gate: SendGate
    wallet: str
    """The address that its trades show on the feed, lower case."""


@attrs.frozen(kw_only=True)
class LogLine:
    """A line of `lt_execute_logs` (domain.md §4.11)."""

    at_ms: int
    level: str
    stage: str
    """EXECUTION_START, ORDER_PREP, RISK_CHECK, MARKET_CHECK, ORDER_PLACE, ORDER_RESULT, ORDER_LIVE, SELL, RESOLVE, …"""
    message: str
    trace_id: str
    """The cause of the order: one trade, one trace."""
    execution_id: str
    """The batch that the executor took together."""
    strategy_id: str | None = None
    order_id: str | None = None
    order_hash: str | None = None
    source_trade_id: str | None = None
    elapsed_ms: float | None = None
    """Since the trade came off the wire, or since the claim was taken."""
    extra: Mapping[str, str] = attrs.field(factory=dict)


class LogStore(Protocol):
    """Where lines are kept, in batches."""

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keeps lines."""
        ...


__all__ = [
    "Applied",
    "ClobAccount",
    "Declined",
    "ExitKind",
    "Journaled",
    "LiveOrderStore",
    "LiveSnapshot",
    "LogLine",
    "LogStore",
    "OrderMaker",
    "OrderPlan",
    "Settled",
    "SettledLot",
]
