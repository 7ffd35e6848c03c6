"""What a decision is made of (domain.md §2.2, §2.3), computed once for a trade and shared by all strategies."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import attrs

from actors.rules.exact import EXACT, MICRO_USD, ONE, ZERO, half_even
from protocols.amounts import size_from_micro
from protocols.decisions import Absent, Inputs, MarketInput, Present, ProfileRecord, TraderRecord
from protocols.strategies import StrategySettings, WinRateSource

SLIPPAGE = Decimal("1.003")
ENTRY_MAX = Decimal("0.9999")
# What is assumed of a trader who has no record, on every path (D54).
WIN_RATE_UNKNOWN = Decimal("0.5")
RESOLVED_COUNT_UNKNOWN = 0
CONVICTION_UNKNOWN = ONE
LOW_BELOW = Decimal("0.30")
MID_TO = Decimal("0.70")
# Between texts that keywords are looked for in: no text holds it, so that no keyword matches across two.
_BETWEEN = "\0"


@attrs.frozen
class Standing:
    """A trader's record by one source."""

    win_rate: Decimal
    """0 to 1."""
    resolved_count: int
    edge: Decimal
    """Win rate above the slipped price."""
    is_default: bool
    """Nothing is known: the win rate is the assumed one half (D54)."""


def entry_of(price: Decimal) -> Decimal:
    """Returns the price of the leader and 0.3 %, at most 0.9999; exact."""
    return min(ENTRY_MAX, EXACT.multiply(price, SLIPPAGE))


def bracket_of(price: Decimal) -> str:
    """Returns LOW below 0.30, MID up to 0.70, else HIGH; the same limits everywhere."""
    if price < LOW_BELOW:
        return "LOW"
    return "MID" if price <= MID_TO else "HIGH"


@attrs.define(eq=False, kw_only=True)
class TradeTraits:
    """A trade as strategies judge it. USD, prices in USD a share, exact. Made by `traits_of`."""

    inputs: Inputs
    price: Decimal
    """The leader's."""
    entry: Decimal
    """The leader's price and 0.3 %, at most 0.9999."""
    trade_usd: Decimal
    conviction: Decimal
    """The trade as a multiple of the trader's average, 6 decimals; 1 when that is unknown or zero."""
    roi: Decimal | None
    age_ms: int
    is_buy: bool
    market: MarketInput | None
    overall: Standing
    """The record by `WinRateSource.GLOBAL`."""
    probability: Decimal | None
    """The model's; None when the score is absent, which is no number (I8)."""
    _profile: Standing | None = None
    _text: str | None = None
    __hash__: ClassVar = object.__hash__

    @property
    def profile(self) -> Standing:
        """Returns the record by `WinRateSource.PROFILE`; the overall one where there is none for such markets."""
        found = self._profile
        if found is None:
            found = self._profile = _profile_standing(self)
        return found

    @property
    def text(self) -> str:
        """Returns title, category and tags in lower case, for keywords."""
        found = self._text
        if found is None:
            found = self._text = _searched_text(self.inputs, self.market)
        return found

    def standing(self, source: WinRateSource) -> Standing:
        """Returns the record that a strategy with this `wr_source` goes by."""
        return self.profile if source is WinRateSource.PROFILE else self.overall

    def score_for(self, settings: StrategySettings) -> Decimal | None:
        """Returns the model's probability; None when it is absent or the strategy does not use the model."""
        return self.probability if settings.use_model else None


def traits_of(inputs: Inputs) -> TradeTraits:
    """Returns what all strategies judge the trade by."""
    price, trader = inputs.price, inputs.trader
    entry = entry_of(price)
    trade_usd = EXACT.multiply(price, size_from_micro(inputs.size_micro))
    score = inputs.score
    return TradeTraits(
        inputs=inputs,
        price=price,
        entry=entry,
        trade_usd=trade_usd,
        conviction=_conviction(trade_usd, trader),
        roi=_roi(trader),
        age_ms=inputs.now_ms - inputs.trade_ms,
        is_buy=inputs.side == "BUY",
        market=inputs.market,
        overall=_overall_standing(trader, entry),
        probability=score.probability if isinstance(score, Present) else None,
    )


def absence_of(inputs: Inputs) -> str | None:
    """Returns why there is no score, or None when there is one."""
    return inputs.score.reason if isinstance(inputs.score, Absent) else None


def _conviction(trade_usd: Decimal, trader: TraderRecord | None) -> Decimal:
    if trader is None:
        return CONVICTION_UNKNOWN
    average = trader.d30.avg_trade_usd
    if average is None:
        average = trader.lifetime.avg_trade_usd
    if average is None or average <= 0:
        return CONVICTION_UNKNOWN
    return half_even(EXACT.divide(trade_usd, average), MICRO_USD)


def _roi(trader: TraderRecord | None) -> Decimal | None:
    if trader is None:
        return None
    return trader.d30.roi if trader.d30.roi is not None else trader.lifetime.roi


def _overall_standing(trader: TraderRecord | None, entry: Decimal) -> Standing:
    win_rate, count = None, RESOLVED_COUNT_UNKNOWN
    if trader is not None:
        win_rate = trader.d30.win_rate if trader.d30.win_rate is not None else trader.lifetime.win_rate
        count = trader.d30.resolved_count or trader.lifetime.resolved_count
    known = WIN_RATE_UNKNOWN if win_rate is None else win_rate
    return Standing(known, count, EXACT.subtract(known, entry), win_rate is None)


def _profile_standing(traits: TradeTraits) -> Standing:
    trader, market = traits.inputs.trader, traits.market
    if trader is None or market is None:
        return traits.overall
    rows = _profile_rows(trader.profiles, market, bracket_of(traits.price))
    if not rows:
        return traits.overall
    count = sum(row.resolved_count for row in rows)
    won = ZERO
    for row in rows:
        won = EXACT.fma(row.win_rate, Decimal(row.resolved_count), won)
    win_rate = half_even(EXACT.divide(won, Decimal(count)), MICRO_USD)
    return Standing(win_rate, count, EXACT.subtract(win_rate, traits.entry), is_default=False)


def _profile_rows(profiles: Sequence[ProfileRecord], market: MarketInput, bracket: str) -> list[ProfileRecord]:
    """The rows of the narrowest of three levels that has resolved trades; niches are similar when one holds the other."""
    counted = [row for row in profiles if row.resolved_count > 0]
    alike = [row for row in counted if row.niche == market.niche and row.structure == market.structure]
    return (
        [row for row in alike if row.bracket == bracket]
        or alike
        or [row for row in counted if row.niche in market.niche or market.niche in row.niche]
    )


def _searched_text(inputs: Inputs, market: MarketInput | None) -> str:
    title = inputs.title if market is None or market.title is None else market.title
    texts = [title or ""]
    if market is not None:
        texts += [market.category or "", *market.tags]
    return _BETWEEN.join(text.lower() for text in texts)
