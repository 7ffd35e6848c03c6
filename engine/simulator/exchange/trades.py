"""A trade at the venue: one taker against his makers in one transaction, and how far it is settled (venue.md §2.2)."""

import enum
from decimal import Decimal

import attrs

from engine.simulator.market import Market


class TradeStatus(enum.StrEnum):
    """How far the settlement of a trade has come. CONFIRMED and FAILED are final."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        """Returns whether nothing follows."""
        return self in (TradeStatus.CONFIRMED, TradeStatus.FAILED)


@attrs.frozen(kw_only=True)
class Leg:
    """One order's part of a trade. Millionths of shares and USD."""

    order_id: str
    owner: str
    """API key; of the house one that nobody has."""
    funder: str
    """Lower case."""
    outcome_index: int
    side: str
    size_micro: int
    price: Decimal
    """Of its own outcome; the taker's is the mean of what his makers gave."""
    cash_micro: int
    """USD paid or received, without the fee."""
    fee_micro: int = 0
    """The taker's: on top of what a buyer pays, off what a seller gets."""
    is_house: bool = False


@attrs.define(eq=False, kw_only=True)
class VenueTrade:
    """A trade. It is identified by `trade_id` in every status."""

    trade_id: str
    market: Market
    taker: Leg
    limit_price: Decimal
    """Of the taker's order: what the trade shows as its price, which may differ from what was paid (venue.md §7.5)."""
    makers: tuple[Leg, ...]
    matched_ms: int
    place: int = 0
    """Number of trades before it."""
    status: TradeStatus = TradeStatus.MATCHED
    transaction_hash: str = ""
    """Empty until mined; another one after RETRYING."""
    updated_ms: int = 0
    due_ms: int = 0
    """When its status changes next."""
    retries_left: int = 0
    fails: bool = False
    bucket_index: int = 0

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Everybody's part, the taker's first."""
        return (self.taker, *self.makers)
