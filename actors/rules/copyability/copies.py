"""One copied trade: what it made, what the same shares would have made at the leader's prices, and where the rest went."""

from collections.abc import Iterable
from decimal import Decimal

import attrs

from actors.rules.exact import EXACT, ZERO


@attrs.frozen(kw_only=True)
class Leg:
    """A purchase or sale of ours against the leader's. Prices are USD a share."""

    is_buy: bool
    shares: Decimal
    price: Decimal
    """Mean of ours, before the fee."""
    leader_price: Decimal
    middle: Decimal
    """Price of the token when our order reached the book."""
    touch: Decimal
    """Best price of the book then, on the side that we took."""
    fee: Decimal


@attrs.frozen(kw_only=True)
class Costs:
    """Where the profit of the leader's prices went. USD; negative where it was a gain, as a price that came back is."""

    delay: Decimal = ZERO
    """The price had moved before our order was there."""
    spread: Decimal = ZERO
    depth: Decimal = ZERO
    """What stood behind the best price was dearer."""
    fees: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Returns all of them."""
        return self.delay + self.spread + self.depth + self.fees

    def __add__(self, other: "Costs") -> "Costs":
        return Costs(
            delay=self.delay + other.delay,
            spread=self.spread + other.spread,
            depth=self.depth + other.depth,
            fees=self.fees + other.fees,
        )


@attrs.frozen(kw_only=True)
class Copy:
    """A position that was opened by copying, and closed by sale or resolution."""

    trade_ms: int
    condition_id: str
    stake: Decimal
    """USD paid for the shares."""
    wanted: Decimal
    """USD that were to be staked."""
    net: Decimal
    """Profit after all costs, USD."""
    costs: Costs

    @property
    def gross(self) -> Decimal:
        """Returns the profit of the same shares at the leader's prices and without fees."""
        return self.net + self.costs.total


def costs_of(leg: Leg) -> Costs:
    """Returns what a leg cost more than the leader's price; the parts add up to it exactly."""
    sign = Decimal(1) if leg.is_buy else Decimal(-1)

    def usd(ours: Decimal, theirs: Decimal) -> Decimal:
        return EXACT.multiply(EXACT.multiply(sign, leg.shares), EXACT.subtract(ours, theirs))

    return Costs(
        delay=usd(leg.middle, leg.leader_price),
        spread=usd(leg.touch, leg.middle),
        depth=usd(leg.price, leg.touch),
        fees=leg.fee,
    )


def summed(costs: Iterable[Costs]) -> Costs:
    """Returns the sum of costs."""
    return sum(costs, Costs())
