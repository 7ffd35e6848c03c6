"""Exact amounts. Shares and USD have 6 decimals on chain; a float never touches either.

Prices in the feeds are averages with up to 19 decimals; they are kept to 18, which `NUMERIC(20,18)` holds.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from protocols.errors import MalformedError

MICRO = 1_000_000
# Nine million million shares; it travels to the database as a 64-bit integer.
SIZE_MICRO_MAX = 2**63 - 1
_PRICE_QUANTUM = Decimal(1).scaleb(-18)
_MILLION = Decimal(MICRO)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def size_micro(size: Decimal) -> int:
    """Returns shares as integer micro-shares, to the nearest.

    Sources write one size with differing numbers of decimals; the chain knows six. Raises `MalformedError("size")` when
    it is not finite, not positive after rounding, or larger than the database holds.
    """
    if not size.is_finite() or size.adjusted() > 14:
        raise MalformedError("size", str(size)[:40])
    scaled = _EXACT.multiply(size, _MILLION)
    micro = int(scaled)
    if micro != scaled:
        micro = int(scaled.to_integral_value(ROUND_HALF_EVEN, _EXACT))
    if not 0 < micro <= SIZE_MICRO_MAX:
        raise MalformedError("size", str(size)[:40])
    return micro


def size_from_micro(micro: int) -> Decimal:
    """Returns shares as a `Decimal` with 6 decimals."""
    return Decimal(micro).scaleb(-6, _EXACT)


def exact_price(price: Decimal) -> Decimal:
    """Returns a price of 0..1 USD a share with at most 18 decimals.

    Raises `MalformedError("price")` when it is not finite or outside 0..1.
    """
    if not price.is_finite() or not 0 <= price <= 1:
        raise MalformedError("price", str(price)[:40])
    text = str(price)
    # "0." and 18 digits; a short text with an exponent may still have more decimals.
    if len(text) > 20 or "E" in text:
        return price.quantize(_PRICE_QUANTUM, context=_EXACT)
    return price


def decimal_from(value: object, field: str) -> Decimal:
    """Returns the exact value of a number that arrives as int, float text, `Decimal` or string.

    Raises `MalformedError(field)` for anything else, for NaN and for infinities.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise MalformedError(field, repr(value)[:40])
    if isinstance(value, str) and len(value) > 60:
        raise MalformedError(field, "text too long for a number")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise MalformedError(field, repr(value)[:40]) from None
    if not number.is_finite():
        raise MalformedError(field, repr(value)[:40])
    return number
