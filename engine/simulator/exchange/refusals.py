"""How the venue says no: every status and text of its trading endpoints (venue.md §4.3)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from engine.simulator.wire_numbers import decimal_text

FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."


@attrs.frozen
class Refusal:
    """An answer other than 200."""

    status: int
    error: str
    more: Mapping[str, Any] = attrs.field(factory=dict)
    """Other keys of the body."""
    retry_after_s: int | None = None
    """As a header too."""

    def body(self) -> dict[str, Any]:
        """Returns the JSON of the answer."""
        return {"error": self.error, **self.more}


REGION = Refusal(
    403,
    "Trading restricted in your region, please refer to available regions - "
    "https://docs.polymarket.com/developers/CLOB/geoblock",
)
NO_ADDRESS = Refusal(401, "missing address header")
BAD_L1 = Refusal(401, "Invalid L1 Request headers")
BAD_KEY = Refusal(401, "Unauthorized/Invalid api key")
BAD_PAYLOAD = Refusal(400, "Invalid order payload")
NOT_OWNER = Refusal(400, "the order owner has to be the owner of the API KEY")
NOT_SIGNER = Refusal(400, "the order signer address has to be the address of the API KEY")
BAD_SIGNATURE = Refusal(400, "invalid signature")
WRONG_VERSION = Refusal(400, "order_version_mismatch")
BAD_EXPIRATION = Refusal(400, "invalid expiration")
NOT_READY = Refusal(400, "the market is not yet ready to process new orders")
NO_BALANCE = Refusal(400, "not enough balance / allowance")
NO_ALLOWANCE = Refusal(400, "not enough balance / allowance: allowance is not enough")
CROSSES = Refusal(400, "invalid post-only order: order crosses book")
NO_FOK = Refusal(400, FOK_KILLED)
NO_FAK = Refusal(400, FAK_KILLED)
NO_BOOK = Refusal(404, "No orderbook exists for the requested token id")
NOT_INSERTED = Refusal(500, "could not insert order")
CANCEL_ONLY = Refusal(503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.")
KEY_EXISTS = Refusal(400, "Could not create api key")
NO_KEY = Refusal(400, "Could not derive api key!")


def banned(address: str) -> Refusal:
    """Returns the refusal of a banned wallet."""
    return Refusal(400, f"'{address}' address banned")


def closed_only(address: str) -> Refusal:
    """Returns the refusal of a BUY of a wallet that may only close."""
    return Refusal(400, f"'{address}' address in closed only mode")


def off_tick(order_id: str, price: Decimal, tick: Decimal) -> Refusal:
    """Returns the refusal of a price that is no multiple of the tick."""
    return _invalid(order_id, f"Price ({decimal_text(price)}) breaks minimum tick size rule: {decimal_text(tick)}")


def too_small(order_id: str, shares: Decimal, minimum: int) -> Refusal:
    """Returns the refusal of a resting order of too few shares."""
    return _invalid(order_id, f"Size ({decimal_text(shares)}) lower than the minimum: {minimum}")


def duplicated(order_id: str) -> Refusal:
    """Returns the refusal of an order that the venue has already."""
    return _invalid(order_id, "Duplicated.")


def too_cheap(usd: Decimal) -> Refusal:
    """Returns the refusal of a marketable BUY below one dollar."""
    return Refusal(400, f"invalid amount for a marketable BUY order (${decimal_text(usd)}), min size: $1")


def imprecise(side: str, *, market_order: bool, maker_places: int, taker_places: int) -> Refusal:
    """Returns the refusal of amounts with too many decimals."""
    kind = f"{'market ' if market_order else ''}{side.lower()}"
    start = "" if market_order else "invalid amounts, "
    return Refusal(
        400,
        f"{start}the {kind} orders maker amount supports a max accuracy of {maker_places} decimals, "
        f"taker amount a max of {taker_places} decimals",
    )


def too_many(count: int, maximum: int) -> Refusal:
    """Returns the refusal of a batch that is too large."""
    return Refusal(400, f"Too many orders in payload: {count}, max allowed: {maximum}")


def restarting(retry_after_s: int) -> Refusal:
    """Returns 425 while the matching engine restarts (venue.md §7.3)."""
    return Refusal(
        425, "matching engine is restarting", {"retry_after_seconds": retry_after_s}, retry_after_s=retry_after_s
    )


def post_only_mode(retry_after_s: int) -> Refusal:
    """Returns 503 for an order that is not post-only after a restart."""
    return Refusal(
        503,
        "post-only mode: only post-only orders and cancels are allowed",
        {"code": "post_only_mode", "retry_after_seconds": retry_after_s},
        retry_after_s=retry_after_s,
    )


def rate_limited(retry_after_s: int) -> Refusal:
    """Returns 429 of an empty bucket (venue.md §6)."""
    return Refusal(429, "rate limited", {"retry_after_seconds": retry_after_s}, retry_after_s=retry_after_s)


def _invalid(order_id: str, reason: str) -> Refusal:
    return Refusal(400, f"order {order_id} is invalid. {reason}")
