"""Orders and events for tests of the rules of live trading."""

from decimal import Decimal
from typing import Any

from protocols.live.events import Accepted, Filled, NotFound, OrderEvent, Refused, Seen, Unknown
from protocols.live.orders import LiveIntent, LiveOrder, OrderType, Side, SignedOrder

HASH = "0x" + "ab" * 32
D = Decimal
T0 = 1_795_000_000_000


def intent(side: Side = Side.BUY, **changes: Any) -> LiveIntent:
    values: dict[str, Any] = {
        "order_id": "00000000-0000-5000-8000-000000000001",
        "strategy_id": "LT_A",
        "cause": "trade-1",
        "side": side,
        "condition_id": "0xc0",
        "token_id": "77",
        "trader": "0x" + "11" * 20,
        "signal_price": D("0.50"),
        "signal_ms": T0,
        "decided_ms": T0 + 5,
    }
    return LiveIntent(**{**values, **changes})


def signed(**changes: Any) -> SignedOrder:
    """A FAK BUY of 10 USD at 0.50 with a fee of 5 %."""
    values: dict[str, Any] = {
        "order_hash": HASH,
        "body": b"{}",
        "account": "main",
        "order_type": OrderType.FAK,
        "limit_price": D("0.50"),
        "size_shares": D(20),
        "spend_usd": D(10),
        "lock_usd": D("10.5001"),
        "fee_rate": D("0.05"),
        "fee_exponent": 1,
        "negative_risk": False,
        "signed_ms": T0 + 10,
    }
    return SignedOrder(**{**values, **changes})


def sent(side: Side = Side.BUY, **changes: Any) -> LiveOrder:
    """A journaled order."""
    own = {name: changes.pop(name) for name in ("intent",) if name in changes}
    if side is Side.SELL:
        changes = {"spend_usd": None, "lock_usd": D(0), **changes}
    return LiveOrder(intent=own.get("intent", intent(side)), signed=signed(**changes), version=2)


def accepted(status: str = "matched", matched: str = "0", **changes: Any) -> Accepted:
    return Accepted(order_hash=HASH, venue_status=status, matched_shares=D(matched), at_ms=T0 + 20, **changes)


def filled(trade_id: str, shares: str, price: str = "0.50", status: str = "MATCHED", **changes: Any) -> Filled:
    values: dict[str, Any] = {
        "order_hash": HASH,
        "trade_id": trade_id,
        "shares": D(shares),
        "price": D(price),
        "role": "TAKER",
        "status": status,
        "transaction_hash": None,
        "match_ms": T0 + 30,
        "at_ms": T0 + 40,
    }
    return Filled(**{**values, **changes})


def seen(status: str, matched: str | None = None, at_ms: int = T0 + 50) -> Seen:
    return Seen(
        order_hash=HASH, venue_status=status, matched_shares=None if matched is None else D(matched), at_ms=at_ms
    )


def not_found(at_ms: int) -> NotFound:
    return NotFound(order_hash=HASH, at_ms=at_ms)


def refused(reason: str = "min_size") -> Refused:
    return Refused(order_hash=HASH, reason=reason, detail="too small", at_ms=T0 + 20)


def unknown() -> Unknown:
    return Unknown(order_hash=HASH, why="lost", at_ms=T0 + 20)


EVERY_KIND: tuple[OrderEvent, ...] = (
    accepted(),
    refused(),
    unknown(),
    seen("LIVE", "0"),
    not_found(T0 + 60),
    filled("t1", "4"),
)
