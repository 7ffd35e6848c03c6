"""What a trained model sees of a trade: numbers that are known when it is made, and nothing else.

One function serves training and the running engine. It looks at the trade, at the trader's record, and at what a market
says of itself while it is open: words, end and start of the game. It never looks at prices of the market's row, at whether it
is closed, at the order book or at the time of the decision: they differ between a trade that is judged now and one of the past.
A value that nobody knows is not a number (NaN), with a feature beside it that says so: never a number made up for it (I8).
"""

from math import log, log1p, nan

from actors.rules.market_kind import NICHES
from actors.rules.score.feature_names import HIGHEST, LOWEST
from actors.rules.strategy.traits import bracket_of
from protocols.decisions import Inputs, MarketInput, ProfileRecord, TraderRecord, WindowRecord

SHRINK_TRADES = 20.0
"""A record of this many trades counts half: rates are drawn to the price that was paid, at which copying gains nothing."""
STRUCTURES = ("HEAD_TO_HEAD", "STANDARD", "YES_NO", "SPREAD", "PROP", "OVER_UNDER")
_MS_PER_MINUTE = 60_000
_MICRO = 1e-6
_NICHE_AT = {niche: at for at, niche in enumerate(NICHES)}
_STRUCTURE_AT = {structure: at for at, structure in enumerate(STRUCTURES)}
_NO_NICHE = (0.0,) * len(NICHES)
_NO_STRUCTURE = (0.0,) * len(STRUCTURES)
_NO_RECORD = (nan, nan, nan, nan)


class UnfitError(ValueError):
    """A model must not judge this trade; the message is a short label for the reason of an absent score."""


def feature_vector(inputs: Inputs) -> list[float]:
    """Returns the values of `feature_names.FEATURES` in their order, NaN where nobody knows.

    Raises `UnfitError("not_a_buy")`, and `UnfitError("feature_range")` for a value that cannot be: a model knows nothing there.
    """
    if inputs.side != "BUY":
        raise UnfitError("not_a_buy")
    price = float(inputs.price)
    usd = price * inputs.size_micro * _MICRO
    if not (0 < price < 1 and usd > 0):
        raise UnfitError("feature_range")
    values = [price, log(price / (1 - price)), log(usd)]
    values += _trader(inputs, price, usd)
    values += _market(inputs.market, inputs.trade_ms)
    outcome = (inputs.outcome or "").lower()
    values += (float(outcome == "yes"), float(outcome == "no"))
    # Comparisons with NaN are false, so that what nobody knows passes.
    if any(value < low or value > high for value, low, high in zip(values, LOWEST, HIGHEST, strict=True)):
        raise UnfitError("feature_range")
    return values


def _trader(inputs: Inputs, price: float, usd: float) -> list[float]:
    trader = inputs.trader
    if trader is None:
        return [0.0, 0.0, nan, *_NO_RECORD, *_NO_RECORD, *_NO_RECORD, nan, nan, nan, nan, nan, nan, nan, nan]
    average = trader.d30.avg_trade_usd if trader.d30.avg_trade_usd is not None else trader.lifetime.avg_trade_usd
    conviction = log(usd / float(average)) if average is not None and average > 0 else nan
    lifetime, d30, d7 = trader.lifetime, trader.d30, trader.d7
    return [
        1.0,
        float(conviction == conviction),
        conviction,
        *_window(lifetime, price),
        *_window(d30, price),
        *_window(d7, price),
        *_change(d30, lifetime),
        *_change(d7, lifetime),
        *_profiles(trader, inputs, price),
    ]


def _window(window: WindowRecord, price: float) -> tuple[float, float, float, float]:
    rate, count = window.win_rate, window.resolved_count
    edge = nan if rate is None else count * (float(rate) - price) / (count + SHRINK_TRADES)
    roi = window.roi
    return edge, log1p(count), log1p(window.trade_count), nan if roi is None else _squashed(float(roi))


def _change(late: WindowRecord, all_time: WindowRecord) -> tuple[float]:
    if late.win_rate is None or all_time.win_rate is None:
        return (nan,)
    return (float(late.win_rate - all_time.win_rate),)


def _profiles(trader: TraderRecord, inputs: Inputs, price: float) -> list[float]:
    """His results at such prices, in the niche, and of the very kind: what he gained over the price, and of how many trades."""
    market = inputs.market
    if market is None:
        return [nan] * 6
    niche, structure, bracket = market.niche, market.structure, bracket_of(inputs.price)
    at_price: list[ProfileRecord] = []
    in_niche: list[ProfileRecord] = []
    of_kind: list[ProfileRecord] = []
    for row in trader.profiles:
        alike = row.niche == niche
        if alike:
            in_niche.append(row)
        if row.bracket == bracket:
            at_price.append(row)
            if alike and row.structure == structure:
                of_kind.append(row)
    return [*_gain(at_price, price), *_gain(in_niche, price), *_gain(of_kind, price)]


def _gain(rows: list[ProfileRecord], price: float) -> tuple[float, float]:
    count = 0
    won = 0.0
    for row in rows:
        count += row.resolved_count
        won += row.resolved_count * float(row.win_rate)
    return ((won - count * price) / (count + SHRINK_TRADES) if count else nan), log1p(count)


def _market(market: MarketInput | None, trade_ms: int) -> list[float]:
    if market is None:
        return [0.0, 0.0, nan, 0.0, nan, *_NO_NICHE, *_NO_STRUCTURE]
    end, start = _minutes(market.end_ms, trade_ms), _minutes(market.game_start_ms, trade_ms)
    niches, structures = list(_NO_NICHE), list(_NO_STRUCTURE)
    at = _NICHE_AT.get(market.niche)
    if at is not None:
        niches[at] = 1.0
    at = _STRUCTURE_AT.get(market.structure)
    if at is not None:
        structures[at] = 1.0
    return [1.0, float(end == end), end, float(start == start), start, *niches, *structures]


def _minutes(moment_ms: int | None, trade_ms: int) -> float:
    """Minutes from the trade until then, on a scale that sees minutes and months: sign(x) ln(1 + |x|); negative: it is past."""
    if moment_ms is None:
        return nan
    minutes = (moment_ms - trade_ms) / _MS_PER_MINUTE
    return log1p(minutes) if minutes >= 0 else -log1p(-minutes)


def _squashed(roi: float) -> float:
    return roi / (1 + abs(roi))
