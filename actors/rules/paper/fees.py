"""What the venue takes of a fill (venue.md §7.1)."""

from decimal import Decimal

from actors.rules.exact import EXACT, ONE, ZERO, half_up

FEE_QUANTUM = Decimal("0.00001")


def taker_fee(shares: Decimal, price: Decimal, rate: Decimal | None, exponent: int) -> Decimal:
    """Returns shares x rate x (p (1 - p))^exponent in USD, to 5 decimals and at least the least of them when positive.

    `rate` None or zero: the market charges nothing.
    """
    if not rate:
        return ZERO
    spread = EXACT.multiply(price, EXACT.subtract(ONE, price))
    fee = EXACT.multiply(EXACT.multiply(shares, rate), EXACT.power(spread, exponent) if exponent else ONE)
    return max(half_up(fee, FEE_QUANTUM), FEE_QUANTUM) if fee > 0 else ZERO
