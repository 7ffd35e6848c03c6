"""Decimal arithmetic that does not round unless it is told to, whatever the context of the thread is."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

# The longest product is bankroll x edge x fraction, of 20, 22 and 5 digits. A sum or product is exact; a quotient that
# has an end is exact too, so multiply first and divide last.
EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
MICRO_USD = Decimal("0.000001")
PRICE_QUANTUM = Decimal(1).scaleb(-18)


def half_up(value: Decimal, quantum: Decimal) -> Decimal:
    """Returns the nearest multiple of a power of ten; the middle goes away from zero, as `round` of PostgreSQL does."""
    return value.quantize(quantum, ROUND_HALF_UP, EXACT)


def half_even(value: Decimal, quantum: Decimal) -> Decimal:
    """Returns the nearest multiple of a power of ten; the middle goes to the even one, without bias."""
    return value.quantize(quantum, ROUND_HALF_EVEN, EXACT)


def down(value: Decimal, quantum: Decimal) -> Decimal:
    """Returns the multiple of a power of ten next to the value on the side of zero."""
    return value.quantize(quantum, ROUND_DOWN, EXACT)
