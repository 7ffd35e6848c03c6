"""PolySignal: a score from 0 to 100 for one trade, with the indicators it is made of (domain.md §3.4).

A rule of thumb for trade cards, not a model: what nobody knows is shown as absent and adds nothing.
"""

import enum
import re
from collections.abc import Sequence
from decimal import Decimal

import attrs
import msgspec

from actors.rules.exact import EXACT, MICRO_USD, ZERO, half_even, half_up

START = 50
EXPERIENCE_FOR_BAD = 15
"""Resolved trades from which a low win rate counts against a trader."""
_COIN = re.compile(r"(?<!\w)(?:bitcoin|btc|ethereum|eth|solana|sol|xrp|dogecoin|doge|bnb|crypto)(?!\w)", re.IGNORECASE)
_INTRADAY = re.compile(
    r"up or down|(?<!\w)(?:today|tomorrow|tonight)(?!\w)|next (?:hour|day)"
    r"|(?<!\w)(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2}(?!\d)"
    r"|(?<!\d)\d{1,2}(?::\d{2})? ?[ap]m(?!\w)|(?<!\d)\d{1,2}:\d{2}(?!\d)",
    re.IGNORECASE,
)


class Recommendation(enum.StrEnum):
    """What the score comes to."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    NEUTRAL = "NEUTRAL"
    AVOID = "AVOID"
    TOXIC = "TOXIC"


class Indicator(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One of the five things that are looked at."""

    name: str
    """conviction, traderWr, entryBand, edge or experience."""
    value: Decimal | None
    """Multiple of his average trade; rate 0 to 1; price in USD a share; probability less price; resolved trades."""
    points: Decimal
    """What it adds to the score; 0 when it is absent."""
    label: str
    """In a word; `absent` when nobody knows the value."""


class PolySignal(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The signal of one trade."""

    score: Decimal
    """0 to 100, 2 decimals."""
    recommendation: Recommendation
    short_term_crypto: bool
    indicators: tuple[Indicator, ...]


@attrs.frozen(kw_only=True)
class SignalInputs:
    """What a signal is made of; None: nobody knows."""

    price: Decimal
    """USD a share, 0 to 1."""
    conviction: Decimal | None
    win_rate: Decimal | None
    resolved_count: int | None
    probability: Decimal | None
    """The model's; without one there is no edge."""
    title: str | None
    hedging: bool = False
    """The trader holds the other side as well."""


def polysignal(inputs: SignalInputs) -> PolySignal:
    """Returns the signal of a trade."""
    short_term = is_short_term_crypto(inputs.title)
    edge = None if inputs.probability is None else EXACT.subtract(inputs.probability, inputs.price)
    indicators = (
        _conviction(inputs.conviction),
        _win_rate(inputs.win_rate, inputs.resolved_count),
        _entry_band(inputs.price),
        _edge(edge),
        _experience(inputs.resolved_count),
    )
    total = sum((one.points for one in indicators), Decimal(START)) - (10 if short_term else 0)
    score = half_up(min(max(total, ZERO), Decimal(100)), Decimal("0.01"))
    return PolySignal(
        score=score,
        recommendation=_recommendation(inputs, edge, score, short_term=short_term),
        short_term_crypto=short_term,
        indicators=indicators,
    )


def known_conviction(trade_usd: Decimal, average_usd: Decimal | None) -> Decimal | None:
    """Returns a trade as a multiple of the trader's average, 6 decimals.

    None where a strategy would assume 1 (traits.py): a signal shows what is known.
    """
    if average_usd is None or average_usd <= 0:
        return None
    return half_even(EXACT.divide(trade_usd, average_usd), MICRO_USD)


def is_short_term_crypto(title: str | None) -> bool:
    """Returns whether a title mentions a coin and a phrase of the day."""
    return title is not None and bool(_COIN.search(title)) and bool(_INTRADAY.search(title))


def _conviction(value: Decimal | None) -> Indicator:
    steps = ((Decimal(3), 25, "very strong"), (Decimal(2), 15, "strong"), (Decimal(1), 0, "usual"))
    return _stepped("conviction", value, steps, (-15, "weak"))


def _win_rate(value: Decimal | None, count: int | None) -> Indicator:
    if value is None:
        return _absent("traderWr")
    points, label = 0, "neutral"
    if Decimal("0.55") <= value <= Decimal("0.65"):
        points, label = 20, "best"
    elif Decimal("0.50") <= value <= Decimal("0.70"):
        points, label = 10, "good"
    elif _is_bad(value, count):
        points, label = -20, "bad"
    return Indicator(name="traderWr", value=value, points=Decimal(points), label=label)


def _entry_band(price: Decimal) -> Indicator:
    if price < Decimal("0.20"):
        points, label = -20, "long shot"
    elif price <= Decimal("0.40"):
        points, label = 25, "best"
    elif price < Decimal("0.60"):
        points, label = -5, "coin flip"
    else:
        points, label = 5, "favourite"
    return Indicator(name="entryBand", value=price, points=Decimal(points), label=label)


def _edge(edge: Decimal | None) -> Indicator:
    if edge is None:
        return _absent("edge")
    points = min(max(EXACT.multiply(Decimal(75), edge), Decimal(-15)), Decimal(15))
    label = "positive" if edge > 0 else "negative" if edge < 0 else "none"
    return Indicator(name="edge", value=edge, points=points, label=label)


def _experience(count: int | None) -> Indicator:
    value = None if count is None else Decimal(count)
    steps = ((Decimal(50), 0, "strong"), (Decimal(20), 0, "good"), (Decimal(10), 0, "neutral"))
    return _stepped("experience", value, steps, (0, "little"))


def _stepped(
    name: str, value: Decimal | None, steps: Sequence[tuple[Decimal, int, str]], below: tuple[int, str]
) -> Indicator:
    """The first step that the value reaches."""
    if value is None:
        return _absent(name)
    points, label = next(((points, label) for least, points, label in steps if value >= least), below)
    return Indicator(name=name, value=value, points=Decimal(points), label=label)


def _absent(name: str) -> Indicator:
    return Indicator(name=name, value=None, points=ZERO, label="absent")


def _is_bad(win_rate: Decimal | None, count: int | None) -> bool:
    return win_rate is not None and win_rate < Decimal("0.45") and (count or 0) >= EXPERIENCE_FOR_BAD


def _recommendation(inputs: SignalInputs, edge: Decimal | None, score: Decimal, *, short_term: bool) -> Recommendation:
    """The first that fits. An absent value fits nothing."""
    is_unlikely = inputs.price < Decimal("0.20") and inputs.win_rate is not None and inputs.win_rate < Decimal("0.50")
    if (inputs.hedging and edge is not None and edge < 0) or _is_bad(inputs.win_rate, inputs.resolved_count):
        return Recommendation.TOXIC
    if short_term and inputs.conviction is not None and inputs.conviction < 2:
        return Recommendation.AVOID
    if is_unlikely or (edge is not None and edge < Decimal("-0.15")):
        return Recommendation.TOXIC
    for least, name in (
        (75, Recommendation.STRONG_BUY),
        (60, Recommendation.BUY),
        (45, Recommendation.NEUTRAL),
        (30, Recommendation.AVOID),
    ):
        if score >= least:
            return name
    return Recommendation.TOXIC
