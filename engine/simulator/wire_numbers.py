"""Exact numbers as the venue writes them in JSON."""

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

import msgspec

MICRO = 1_000_000
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_TEN_PLACES = Decimal(1).scaleb(-10)

encode_json: Callable[[object], bytes] = msgspec.json.Encoder(decimal_format="number").encode
"""Encodes with `Decimal` as a JSON number, digit for digit."""


def micro_from(value: Decimal) -> int:
    """Returns shares or USD as integer millionths, to the nearest. Raises `ValueError` when it is not finite."""
    if not value.is_finite():
        raise ValueError(f"not a finite number: {value}")
    return int(value.scaleb(6, EXACT).to_integral_value(ROUND_HALF_EVEN, EXACT))


def micro_number(micro: int) -> int | Decimal:
    """Returns millionths as the JSON number the venue prints: 50, 0.26, 2.7027; never 50.000000."""
    whole, rest = divmod(micro, MICRO)
    return whole if not rest else Decimal(micro).scaleb(-6, EXACT).normalize(EXACT)


def ten_places(price: Decimal) -> Decimal:
    """Returns a price as the Data API v2 prints it: at most 10 decimals (venue.md §5.1)."""
    exponent = price.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -10:
        return price
    return price.quantize(_TEN_PLACES, context=EXACT).normalize(EXACT)


def notional_micro(size_micro: int, price: Decimal) -> int:
    """Returns size times price in millionths of a USD, rounded down as the chain does."""
    return int((size_micro * price).to_integral_value(ROUND_DOWN, EXACT))


def decimal_text(value: Decimal) -> str:
    """Returns a plain decimal string without exponent and without trailing zeros: ``0.1``, ``1123``, ``194.22``."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def product_of(*factors: Decimal | int) -> Decimal:
    """Returns the exact product."""
    result = Decimal(1)
    for factor in factors:
        result = EXACT.multiply(result, Decimal(factor))
    return result
