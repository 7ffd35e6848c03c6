"""Paper money written a second time: fills, fees, profit, and an account that is a list, in exact fractions.

USD are kept to 6 decimals, half up, and shares to 6, rounded down. A sale that would leave less than a hundredth of a share
sells that too.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from reference.reference_inputs import half_even, half_up, slipped_price

from protocols.decisions import Inputs, MarketInput
from protocols.strategies import StrategySettings

ZERO = Fraction(0)
MICRO = Fraction(1, 1_000_000)


@dataclass
class Fill:
    """What a stake buys. Prices and money in USD."""

    price: Fraction
    shares: Fraction
    fee: Fraction


def round_down(value: Fraction, places: int) -> Fraction:
    scale = 10**places
    return Fraction(floor(value * scale), scale)


def fee_of(shares: Fraction, price: Fraction, market: MarketInput | None) -> Fraction:
    """venue.md §7.1: shares × rate × (p(1 − p))^exponent, 5 decimals, at least 0.00001 where there is any."""
    if market is None or market.fee_rate is None:
        return ZERO
    exact = shares * Fraction(market.fee_rate) * (price * (1 - price)) ** market.fee_exponent
    if exact <= 0:
        return ZERO
    return max(half_up(exact, 5), Fraction(1, 100_000))


def fill_of(settings: StrategySettings, inputs: Inputs, stake: Fraction) -> Fill | None:
    """By the models `slip` and `observed`; None where the stake buys nothing, or more than there is."""
    price = Fraction(inputs.price)
    if settings.entry_model == "slip":
        price = slipped_price(price)
    elif settings.entry_model != "observed":
        raise ValueError(settings.entry_model)
    if half_even(price, 18) == 0:
        return None
    shares = round_down(stake / price, 6)
    if shares == 0 or shares > 10**12:
        return None
    return Fill(half_even(price, 18), shares, fee_of(shares, price, inputs.market))


def pnl_of(fill: Fill, stake: Fraction, payout: Fraction) -> Fraction:
    """Profit at a payout of USD a share."""
    return fill.shares * payout - stake - fill.fee


@dataclass
class Position:
    """An open virtual position."""

    trader: str
    token_id: str
    trade_ms: int
    shares: Fraction
    cost: Fraction
    condition_id: str = ""
    event: str | None = None


@dataclass
class Account:
    """The money of one strategy, walked through one trade at a time."""

    starting: Fraction
    realised: Fraction = ZERO
    positions: list[Position] = field(default_factory=list)

    def open_cost(self) -> Fraction:
        total = ZERO
        for position in self.positions:
            total += position.cost
        return total

    def bankroll(self) -> Fraction:
        return self.starting + self.realised - self.open_cost()

    def buy(self, inputs: Inputs, stake: Fraction, fill: Fill) -> None:
        event = None if inputs.market is None else inputs.market.event_slug
        self.positions.append(
            Position(
                inputs.wallet,
                inputs.token_id,
                inputs.trade_ms,
                fill.shares,
                stake + fill.fee,
                inputs.condition_id,
                event,
            )
        )

    def copy_sale(self, settings: StrategySettings, inputs: Inputs) -> bool:
        """Closes what was bought from this trader in this token before; returns whether there was any."""
        share = share_sold(inputs)
        sold = False
        for position in self.positions:
            if position.trader != inputs.wallet or position.token_id != inputs.token_id:
                continue
            if position.trade_ms > inputs.trade_ms:
                continue
            shares = round_down(position.shares * share, 6)
            if position.shares - shares < Fraction(1, 100):
                shares = position.shares
            if shares > 0:
                self._sell(position, shares, exit_price(settings, inputs), inputs.market)
                sold = True
        self.positions = [position for position in self.positions if position.shares > 0]
        return sold

    def _sell(self, position: Position, shares: Fraction, price: Fraction, market: MarketInput | None) -> None:
        gross = half_up(shares * price, 6)
        proceeds = gross - min(gross, fee_of(shares, price, market))
        released = position.cost if shares == position.shares else half_up(position.cost * shares / position.shares, 6)
        position.shares -= shares
        position.cost -= released
        self.realised += proceeds - released

    def settle(self, payouts: dict[str, Fraction]) -> None:
        """Pays every open position whose token is named, USD a share."""
        still_open = []
        for position in self.positions:
            if position.token_id in payouts:
                self.realised += half_up(position.shares * payouts[position.token_id], 6) - position.cost
            else:
                still_open.append(position)
        self.positions = still_open


def share_sold(inputs: Inputs) -> Fraction:
    """The part of his holding that the trader sold, 0 to 1; all of it when nobody knows what he held."""
    if inputs.holding_micro is None or inputs.holding_micro <= 0:
        return Fraction(1)
    return min(Fraction(1), Fraction(inputs.size_micro, inputs.holding_micro))


def exit_price(settings: StrategySettings, inputs: Inputs) -> Fraction:
    """The trader's price, by the model `slip` 0.3 % less."""
    price = Fraction(inputs.price)
    return half_even(price * Fraction(997, 1000), 18) if settings.entry_model == "slip" else price
