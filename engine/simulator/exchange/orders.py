"""An order at the venue: what was signed, and what has become of it (venue.md §4.3, §4.5)."""

import enum
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import attrs

from engine.simulator.market import ONE, Market
from engine.simulator.wire_numbers import MICRO
from protocols.venue.order_typed_data import Order


class OrderState(enum.StrEnum):
    """Where an order is; the words are the venue's."""

    LIVE = "LIVE"
    MATCHED = "MATCHED"
    CANCELED = "CANCELED"
    DELAYED = "DELAYED"
    """In the delay of a sports market: it can neither match nor be cancelled."""
    HELD = "HELD"
    """Inside the call, for the 250 ms of an `itode` market. Nobody is shown it."""
    EXPIRED = "CANCELED_EXPIRED_ORDER"
    RESOLVED = "CANCELED_MARKET_RESOLVED"
    NOT_ENOUGH_BALANCE = "CANCELED_NOT_ENOUGH_BALANCE"
    INVALID = "INVALID"

    @property
    def is_open(self) -> bool:
        """Returns whether the order may still match."""
        return self in (OrderState.LIVE, OrderState.DELAYED, OrderState.HELD)


@attrs.define(eq=False, kw_only=True)
class VenueOrder:
    """One order. Shares and USD are millionths, prices USD a share."""

    order_id: str
    """Its EIP-712 hash, lower case."""
    signed: Order
    market: Market
    outcome_index: int
    side: str
    price: Decimal
    """On the tick, of its own outcome."""
    size_micro: int
    """Shares wanted or offered; of a BUY that spends dollars what they buy at its price."""
    spend_micro: int | None = None
    """Of a FAK or FOK BUY: the dollars that it spends; no count of shares bounds it."""
    order_type: str
    post_only: bool = False
    expiration_s: int = 0
    owner: str
    """API key."""
    funder: str
    """Wallet, lower case."""
    signer: str
    """Of the key, lower case."""
    created_ms: int
    place: int = 0
    """Priority among orders of one price: the lower one was there first."""
    state: OrderState = OrderState.LIVE
    matched_micro: int = 0
    paid_micro: int = 0
    """USD that changed hands so far, without fees."""
    due_ms: int | None = None
    """When a held or delayed order goes on."""
    trade_ids: list[str] = attrs.field(factory=list)

    @property
    def rests(self) -> bool:
        """Returns whether what does not match at once stays in the book."""
        return self.order_type in ("GTC", "GTD")

    @property
    def remaining_micro(self) -> int:
        """Shares still to be matched of an order that counts shares."""
        return max(0, self.size_micro - self.matched_micro)

    @property
    def is_bid(self) -> bool:
        """Returns whether it stands among the bids of the first outcome: buying No is selling Yes (venue.md §7.2)."""
        return (self.side == "BUY") == (self.outcome_index == 0)

    @property
    def book_price(self) -> Decimal:
        """Its price in terms of the first outcome."""
        return self.price if self.outcome_index == 0 else ONE - self.price

    @property
    def token_id(self) -> str:
        """The token that it trades."""
        return self.market.token_ids[self.outcome_index]

    @property
    def reserve_micro(self) -> int:
        """What of the account the rest of it ties down: USD of a BUY, shares of a SELL."""
        if not self.state.is_open:
            return 0
        if self.side == "SELL":
            return self.remaining_micro
        if self.spend_micro is not None:
            return max(0, self.spend_micro - self.paid_micro)
        return rounded_up(self.remaining_micro * self.price)


def shares_text(micro: int) -> str:
    """Returns millionths as the venue writes amounts: plain decimals without trailing zeros."""
    whole, rest = divmod(micro, MICRO)
    return f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)


def rounded_up(micro: Decimal) -> int:
    """Returns the next whole number of millionths."""
    return int(micro.to_integral_value(ROUND_CEILING))


def rounded_down(micro: Decimal) -> int:
    """Returns whole millionths; the rest is lost."""
    return int(micro.to_integral_value(ROUND_FLOOR))
