"""A live order from its claim to its end, and the intent that it is made from.

One row of `lt_orders` is one attempt to buy or sell for one cause. It is claimed before anything is priced (D30), signed once,
journaled before it may be sent, and leaves by exactly one of the final states.
"""

import enum
from decimal import Decimal

import attrs
import msgspec

MANUAL = "manual"
"""Prefix of the strategy id under which orders placed by hand run: `manual:<account>`."""


class Side(enum.StrEnum):
    """Which way an order goes."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(enum.StrEnum):
    """How long an order may wait (venue.md §4.5). FAK, the default, takes what is there up to its price and ends."""

    FAK = "FAK"
    FOK = "FOK"
    GTC = "GTC"
    GTD = "GTD"

    @property
    def rests(self) -> bool:
        """Returns whether what is not filled at once stays in the book."""
        return self in (OrderType.GTC, OrderType.GTD)


class OrderStatus(enum.StrEnum):
    """How an order stands, as people and the database see it. With `ended` it is the state of `order_life`."""

    PLACED = "PLACED"
    """Claimed; with a hash: signed and journaled, and perhaps sent."""
    PENDING = "PENDING"
    """The venue has it, nothing is filled."""
    PARTIAL = "PARTIAL"
    """Filled in part; ended: the rest is dead."""
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    """Ended at the venue with nothing filled."""
    LOST = "LOST"
    """The venue does not know it. A fill that comes late revives it."""
    REJECTED = "REJECTED"
    """Never at the venue: refused by a rule of ours or proved refused by the venue."""


class OrderOrigin(enum.StrEnum):
    """Why there is an order."""

    COPY = "copy"
    EXIT = "exit"
    MANUAL = "manual"


class LiveIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A claim: this strategy wants to act for this cause. Unsigned, unpriced; safe to process or to let expire."""

    order_id: str
    """Our uuid, made from strategy, cause and attempt: claiming again gives the same one."""
    strategy_id: str
    cause: str
    """A source trade, the first member of an aggregate, an exit obligation, or the key of a manual order."""
    attempt: int = 1
    origin: OrderOrigin = OrderOrigin.COPY
    part: str = "now"
    """Of the decision whose snapshot the stake is found from."""
    members: tuple[str, ...] = ()
    """Trades of an aggregate."""
    side: Side
    condition_id: str
    token_id: str
    outcome: str | None = None
    market_title: str | None = None
    market_slug: str | None = None
    event_slug: str | None = None
    trader: str | None = None
    """The copied wallet."""
    ft_order_id: str | None = None
    """The paper twin of the same trade, where the paper strategy took it."""
    signal_price: Decimal
    """USD a share that the trader paid; of an exit: that he got; of a manual order: its limit."""
    signal_ms: int
    """Time of the trade."""
    decided_ms: int
    wanted_shares: Decimal | None = None
    """Of exits and manual orders in shares; None: the stake is found by the sizing of the strategy."""
    wanted_usd: Decimal | None = None
    """Of manual orders in USD."""
    order_type: OrderType | None = None
    """None: as the strategy says."""
    limit_price: Decimal | None = None
    """Of exits and manual orders: the price cap; None: found from signal and slippage."""
    expires_ms: int | None = None
    """Of GTD: when the venue ends it."""
    post_only: bool = False
    inputs: str | None = None
    """`Inputs` of the decision as JSON, for sizing; None after a restart: the store reads it again."""
    seen_s: float | None = None
    """Monotonic time at which the trade came off the wire, for `trade_to_order_seconds`; None after a restart."""


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What is journaled before sending: the exact bytes, once (I7)."""

    order_hash: str
    """0x and 64 hex digits: the EIP-712 hash, the venue's id of the order."""
    body: bytes
    """Of `POST /order`."""
    account: str
    order_type: OrderType
    limit_price: Decimal
    size_shares: Decimal
    """Shares that it buys or sells at its limit; a BUY that spends dollars may get more."""
    spend_usd: Decimal | None
    """Of a BUY that spends dollars: how many, before the fee; None: it targets shares."""
    lock_usd: Decimal
    """Of a BUY: the most that it can cost, with fee; 0 of a SELL."""
    fee_rate: Decimal
    fee_exponent: int
    negative_risk: bool
    signed_ms: int


class LiveOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `lt_orders`. USD and shares are exact to the micro."""

    intent: LiveIntent
    status: OrderStatus = OrderStatus.PLACED
    ended: bool = False
    """Final: only LOST can be revived, by a fill."""
    signed: SignedOrder | None = None
    venue_ended: bool = False
    """The venue will fill no more of it; ended follows when every fill that it spoke of is booked."""
    venue_matched: Decimal = Decimal(0)
    """Most shares that the venue has said were matched."""
    filled_shares: Decimal = Decimal(0)
    """Of fills that did not fail."""
    filled_usd: Decimal = Decimal(0)
    """Shares x price of those, without fee."""
    fee_usd: Decimal = Decimal(0)
    shares_open: Decimal = Decimal(0)
    """Of a BUY: filled, not sold and not settled."""
    cost_open: Decimal = Decimal(0)
    """USD with fee that the open shares cost."""
    realized_usd: Decimal = Decimal(0)
    """Profit of what was sold or settled of a BUY."""
    not_found: int = 0
    """Authoritative not-founds in a row."""
    not_found_ms: int | None = None
    """When the last of them was counted."""
    reason: str | None = None
    """Of REJECTED, CANCELLED and LOST: a short name."""
    detail: str | None = None
    """For people: what the venue said, or value and limit of a rule."""
    placed_ms: int | None = None
    """When the venue was first known to have it."""
    ended_ms: int | None = None
    version: int = 1

    @property
    def order_id(self) -> str:
        """Returns our id."""
        return self.intent.order_id

    @property
    def strategy_id(self) -> str:
        """Returns whose it is."""
        return self.intent.strategy_id

    @property
    def average_price(self) -> Decimal | None:
        """Returns USD a share over all fills, or None without any (D35)."""
        return self.filled_usd / self.filled_shares if self.filled_shares else None


@attrs.frozen(kw_only=True)
class Fill:
    """A fill of an order of ours, booked. Key: (trade_id, order_hash)."""

    trade_id: str
    order_hash: str
    shares: Decimal
    price: Decimal
    fee_usd: Decimal
    role: str
    """TAKER or MAKER."""
    status: str
    """MATCHED, MINED, RETRYING, CONFIRMED or FAILED; the last two are final."""
    transaction_hash: str | None
    match_ms: int

    @property
    def counts(self) -> bool:
        """Returns whether its shares are ours."""
        return self.status != "FAILED"
