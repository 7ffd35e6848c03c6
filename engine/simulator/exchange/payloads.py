"""The body of `POST /order`, read as strictly as the venue does (venue.md §4.3)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from engine.simulator.market import Market
from engine.simulator.wire_numbers import MICRO
from protocols.venue.order_amounts import TICKS, Tick
from protocols.venue.order_typed_data import Order

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WORD = re.compile(r"0x[0-9a-fA-F]{64}")
_NUMBER = re.compile(r"[0-9]{1,78}")
_SALT_MAX = 2**53 - 1
_TYPES = frozenset({"GTC", "GTD", "FOK", "FAK"})


@attrs.frozen(kw_only=True)
class OrderPayload:
    """An order as it was sent."""

    order: Order
    signature: str
    owner: str
    order_type: str
    post_only: bool
    expiration_s: int

    @property
    def takes_only(self) -> bool:
        """Returns whether nothing of it may rest."""
        return self.order_type in ("FOK", "FAK")

    @property
    def shares_micro(self) -> int:
        """Shares: what a BUY takes and a SELL gives."""
        return self.order.taker_amount if self.order.side == "BUY" else self.order.maker_amount

    @property
    def cash_micro(self) -> int:
        """USD: what a BUY gives and a SELL takes."""
        return self.order.maker_amount if self.order.side == "BUY" else self.order.taker_amount

    @property
    def exact_price(self) -> Decimal:
        """USD a share as its amounts have it: of a market order only nearly on the tick."""
        return Decimal(self.cash_micro) / Decimal(self.shares_micro)

    def price_on(self, tick: Decimal) -> Decimal:
        """Returns the price on the tick that the amounts mean."""
        return (self.exact_price / tick).to_integral_value() * tick

    def fits(self, tick: Decimal) -> bool:
        """Returns whether the price is on the tick; that of a market order as nearly as its rounding allows."""
        price = self.price_on(tick)
        if not tick <= price <= 1 - tick:
            return False
        if not self.takes_only:
            return self.shares_micro * price == self.cash_micro
        return abs(self.exact_price - price) <= tick / 50


def read_payload(fields: object) -> OrderPayload | None:
    """Returns the order that a JSON value holds, or None when it is no such value."""
    if not isinstance(fields, Mapping) or not isinstance(fields.get("order"), Mapping):
        return None
    order_type, owner, post_only = fields.get("orderType"), fields.get("owner"), fields.get("postOnly", False)
    if order_type not in _TYPES or not isinstance(owner, str) or not isinstance(post_only, bool):
        return None
    if post_only and order_type in ("FOK", "FAK"):
        return None
    inner = fields["order"]
    order, expiration_s = _order(inner), _number(inner, "expiration")
    signature = inner.get("signature")
    if order is None or expiration_s is None or not isinstance(signature, str):
        return None
    return OrderPayload(
        order=order,
        signature=signature,
        owner=owner,
        order_type=order_type,
        post_only=post_only,
        expiration_s=expiration_s,
    )


def tick_rules(market: Market) -> Tick:
    """Returns the decimals that go with a market's tick."""
    return TICKS[market.tick_size.normalize()]


def places(micro: int) -> int:
    """Returns the decimals of an amount in base units."""
    text = f"{micro % MICRO:06d}".rstrip("0")
    return len(text)


def _order(fields: Mapping[str, Any]) -> Order | None:
    salt, side, kind = fields.get("salt"), fields.get("side"), fields.get("signatureType")
    numbers = [_number(fields, name) for name in ("tokenId", "makerAmount", "takerAmount", "timestamp")]
    if type(salt) is not int or not 0 <= salt <= _SALT_MAX or side not in ("BUY", "SELL"):
        return None
    if type(kind) is not int or kind not in (0, 1, 2, 3) or None in numbers:
        return None
    if not all(_matches(_ADDRESS, fields.get(name)) for name in ("maker", "signer")):
        return None
    if not all(_matches(_WORD, fields.get(name)) for name in ("metadata", "builder")):
        return None
    token_id, maker_amount, taker_amount, timestamp = (int(number or 0) for number in numbers)
    if not (0 < maker_amount < 2**128 and 0 < taker_amount < 2**128 and token_id < 2**256):
        return None
    return Order(
        salt=salt,
        maker=fields["maker"],
        signer=fields["signer"],
        token_id=token_id,
        maker_amount=maker_amount,
        taker_amount=taker_amount,
        side=side,
        signature_type=kind,
        timestamp_ms=timestamp,
        metadata=fields["metadata"],
        builder=fields["builder"],
    )


def _number(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return int(value) if isinstance(value, str) and _matches(_NUMBER, value) else None


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
