"""Amounts of orders as the venue takes them: ticks, decimals and minimums, exact (venue.md §4.4).

Base units are integers, 10^6 a USD or share. Where the venue's clients round in floating point, these are right (D34).
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import attrs

from protocols.errors import RejectedError

MARKETABLE_BUY_MIN_USD = Decimal(1)
"""Least notional of a BUY that takes, measured after rounding."""
RESTING_MIN_SHARES = Decimal(5)
"""Least size of an order that rests, where the market does not say."""
SIZE_PLACES = 2
_MICRO = Decimal(1_000_000)
_EXACT = Context(prec=60)
_BELOW = Decimal(10) ** 13


@attrs.frozen
class Tick:
    """What goes with a tick size: decimals of prices and of amounts in USD."""

    size: Decimal
    price_places: int
    amount_places: int


TICKS: Mapping[Decimal, Tick] = {
    Decimal(size): Tick(Decimal(size), price_places, amount_places)
    for size, price_places, amount_places in (
        ("0.1", 1, 3),
        ("0.01", 2, 4),
        ("0.005", 3, 5),
        ("0.0025", 4, 6),
        ("0.001", 3, 5),
        ("0.0001", 4, 6),
    )
}


@attrs.frozen
class Amounts:
    """What is given and taken, in base units. A BUY gives USD and takes shares."""

    maker: int
    taker: int


def tick_of(size: Decimal) -> Tick:
    """Returns what goes with a tick size. Raises `RejectedError` for one that nobody knows."""
    tick = TICKS.get(size.normalize(_EXACT))
    if tick is None:
        raise RejectedError(f"unknown tick size {size}")
    return tick


def is_on_tick(price: Decimal, tick: Decimal) -> bool:
    """Returns whether a price may stand in an order: a multiple of the tick, from one tick to one less than 1."""
    return tick <= price <= 1 - tick and price % tick == 0


def price_on_tick(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """Returns the nearest price on the tick that is not below (`up`) or not above, within what an order may say."""
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    steps = _EXACT.divide(price, tick).to_integral_value(rounding)
    return min(max(_EXACT.multiply(steps, tick), tick), 1 - tick)


def floored(value: Decimal, places: int) -> Decimal:
    """Returns a value cut to so many decimals."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR, _EXACT)


def limit_amounts(side: str, price: Decimal, shares: Decimal, tick: Decimal) -> Amounts:
    """Returns the amounts of an order that targets shares. Raises `RejectedError` for a price off its tick or no shares."""
    known = _checked(price, tick, shares)
    size = floored(shares, SIZE_PLACES)
    _positive(size, "shares")
    cash = _amount(_EXACT.multiply(size, price), known)
    _positive(cash, "USD")
    return Amounts(_base(cash), _base(size)) if side == "BUY" else Amounts(_base(size), _base(cash))


def market_buy_amounts(usd: Decimal, price: Decimal, tick: Decimal) -> Amounts:
    """Returns the amounts of a BUY that spends dollars at a price of at most `price`.

    Shares are rounded down, so that the price that the venue computes is not below the one that is meant. Raises
    `RejectedError`.
    """
    known = _checked(price, tick, usd)
    cash = floored(usd, 2)
    _positive(cash, "USD")
    shares = _amount(_EXACT.divide(cash, price), known)
    _positive(shares, "shares")
    return Amounts(_base(cash), _base(shares))


def market_sell_amounts(shares: Decimal, price: Decimal, tick: Decimal) -> Amounts:
    """Returns the amounts of a SELL that takes. Raises `RejectedError`."""
    known = _checked(price, tick, shares)
    size = floored(shares, SIZE_PLACES)
    _positive(size, "shares")
    cash = _amount(_EXACT.multiply(size, price), known)
    _positive(cash, "USD")
    return Amounts(_base(size), _base(cash))


def spend_before_fee(max_spend_usd: Decimal, price: Decimal, fee_rate: Decimal, exponent: int) -> Decimal:
    """Returns what a BUY may spend so that with the fee on top it costs at most `max_spend_usd` (venue.md §4.4)."""
    per_usd = _EXACT.divide(_EXACT.multiply(fee_rate, (price * (1 - price)) ** exponent), price)
    return _EXACT.divide(max_spend_usd, 1 + per_usd)


def _checked(price: Decimal, tick: Decimal, amount: Decimal) -> Tick:
    if not all(value.is_finite() and value < _BELOW for value in (price, tick, amount)):
        raise RejectedError(f"no amounts of an order: {amount} at {price} on {tick}")
    known = tick_of(tick)
    if not is_on_tick(price, tick):
        raise RejectedError(f"price {price} is not on the tick {tick}")
    return known


def _positive(value: Decimal, what: str) -> None:
    if value <= 0:
        raise RejectedError(f"rounds to no {what}")


def _amount(value: Decimal, tick: Tick) -> Decimal:
    """As the venue's clients do: what has too many decimals is rounded up a little above them and then cut."""
    places = tick.amount_places
    if value == floored(value, places):
        return value
    return floored(value.quantize(Decimal(1).scaleb(-(places + 4)), ROUND_CEILING, _EXACT), places)


def _base(value: Decimal) -> int:
    return int(_EXACT.multiply(value, _MICRO))
