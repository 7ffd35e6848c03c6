"""What a decision is made of (domain.md §2.2, §2.3), written a second time: slowly, in exact fractions."""

from fractions import Fraction
from math import floor

from protocols.decisions import Inputs, ProfileRecord, TraderRecord
from protocols.strategies import StrategySettings

HALF = Fraction(1, 2)


def half_even(value: Fraction, places: int) -> Fraction:
    scale = 10**places
    return Fraction(round(value * scale), scale)  # round() of a Fraction goes to the even neighbour on a tie


def half_up(value: Fraction, places: int) -> Fraction:
    scale = 10**places
    return Fraction(floor(value * scale + HALF), scale)


def clamp(value: Fraction, low: Fraction, high: Fraction) -> Fraction:
    if value < low:
        return low
    if value > high:
        return high
    return value


# 2.2: what follows from the trade and its trader.


def slipped_price(price: Fraction) -> Fraction:
    slipped = price * Fraction(1003, 1000)
    if slipped > Fraction(9999, 10000):
        return Fraction(9999, 10000)
    return slipped


def trade_usd(inputs: Inputs) -> Fraction:
    return Fraction(inputs.price) * Fraction(inputs.size_micro, 1_000_000)


def average_trade_usd(trader: TraderRecord | None) -> Fraction | None:
    if trader is None:
        return None
    if trader.d30.avg_trade_usd is not None:
        return Fraction(trader.d30.avg_trade_usd)
    if trader.lifetime.avg_trade_usd is not None:
        return Fraction(trader.lifetime.avg_trade_usd)
    return None


def conviction_of(inputs: Inputs) -> Fraction:
    average = average_trade_usd(inputs.trader)
    if average is None or average == 0:
        return Fraction(1)
    return half_even(trade_usd(inputs) / average, 6)


# 2.3: the trader's record.


def global_win_rate(trader: TraderRecord | None) -> Fraction:
    if trader is None:
        return HALF
    if trader.d30.win_rate is not None:
        return Fraction(trader.d30.win_rate)
    if trader.lifetime.win_rate is not None:
        return Fraction(trader.lifetime.win_rate)
    return HALF


def global_count(trader: TraderRecord | None) -> int:
    if trader is None:
        return 0
    if trader.d30.resolved_count > 0:
        return trader.d30.resolved_count
    return trader.lifetime.resolved_count


def bracket_of(price: Fraction) -> str:
    if price < Fraction(30, 100):
        return "LOW"
    if price <= Fraction(70, 100):
        return "MID"
    return "HIGH"


def profile_rows(inputs: Inputs) -> list[ProfileRecord]:
    """The rows of the first of three levels that has any resolved trades."""
    market, trader = inputs.market, inputs.trader
    if market is None or trader is None:
        return []
    bracket = bracket_of(Fraction(inputs.price))
    exact, same_structure, similar = [], [], []
    for row in trader.profiles:
        if row.resolved_count <= 0:
            continue
        if row.niche == market.niche and row.structure == market.structure and row.bracket == bracket:
            exact.append(row)
        if row.niche == market.niche and row.structure == market.structure:
            same_structure.append(row)
        if row.niche in market.niche or market.niche in row.niche:
            similar.append(row)
    if exact:
        return exact
    if same_structure:
        return same_structure
    return similar


def win_rate_and_count(settings: StrategySettings, inputs: Inputs) -> tuple[Fraction, int]:
    if settings.wr_source == "PROFILE":
        rows = profile_rows(inputs)
        if rows:
            count = 0
            won = Fraction(0)
            for row in rows:
                count += row.resolved_count
                won += row.resolved_count * Fraction(row.win_rate)
            return half_even(won / count, 6), count
    return global_win_rate(inputs.trader), global_count(inputs.trader)
