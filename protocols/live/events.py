"""What happens to an order after its journal: said by the executor, the user socket, or whoever asked the venue.

Every event names the order by its hash. They may come twice, late and in any order; `order_life` makes the same of it.
"""

from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True)
class Accepted:
    """The venue took it."""

    order_hash: str
    venue_status: str
    """live, matched, delayed or unmatched."""
    matched_shares: Decimal
    """By the answer; 0 when it does not say."""
    trade_ids: tuple[str, ...] = ()
    at_ms: int


@attrs.frozen(kw_only=True)
class Refused:
    """Proved: the venue does not have it and never will."""

    order_hash: str
    reason: str
    """A short name, bounded."""
    detail: str
    at_ms: int


@attrs.frozen(kw_only=True)
class Unknown:
    """It may be there or not: nothing changes but that somebody has to ask (I7)."""

    order_hash: str
    why: str
    at_ms: int


@attrs.frozen(kw_only=True)
class Seen:
    """The venue says how it stands: from a look-up or the user socket."""

    order_hash: str
    venue_status: str
    """LIVE, MATCHED, DELAYED, UNMATCHED, CANCELED…, INVALID or free text, upper case; see venue.md §2.2."""
    matched_shares: Decimal | None
    """None when it does not say."""
    trade_ids: tuple[str, ...] = ()
    at_ms: int


@attrs.frozen(kw_only=True)
class NotFound:
    """Authoritative: neither the order nor a trade of it is at the venue."""

    order_hash: str
    at_ms: int


@attrs.frozen(kw_only=True)
class Filled:
    """A fill, or news of one. Never adds up twice: the key is (trade_id, order_hash)."""

    order_hash: str
    trade_id: str
    shares: Decimal
    price: Decimal
    role: str
    """TAKER or MAKER."""
    status: str
    """MATCHED, MINED, RETRYING, CONFIRMED or FAILED."""
    transaction_hash: str | None
    match_ms: int
    at_ms: int


OrderEvent = Accepted | Refused | Unknown | Seen | NotFound | Filled
