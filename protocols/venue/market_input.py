"""A market of Gamma as a decision sees it: what columns do not hold is read out of the kept object (venue.md §3.2)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from protocols.amounts import decimal_from
from protocols.decisions import MarketInput
from protocols.errors import MalformedError
from protocols.markets import Market
from protocols.timestamps import epoch_ms
from protocols.venue.gamma_quotes import tag_labels

WINNER_MIN = Decimal("0.99")
_SUM_MIN, _SUM_MAX = Decimal("0.99"), Decimal("1.01")
_FINAL = frozenset({"resolved", "settled"})
_EXPONENT_MAX = 10


class _Fields(msgspec.Struct, rename="camel", kw_only=True):
    game_start_time: Any = None
    end_date: Any = None
    fees_enabled: Any = None
    fee_schedule: Any = None
    tags: Any = None
    events: Any = None


_read = msgspec.json.Decoder(_Fields, float_hook=Decimal).decode


@attrs.frozen(kw_only=True)
class GammaExtras:
    """What only the object of Gamma says. Absent or not understood is None."""

    tags: tuple[str, ...] = ()
    game_start_ms: int | None = None
    end_ms: int | None = None
    fee_rate: Decimal | None = None
    """Of takers, 0 to 1; None unless fees are enabled."""
    fee_exponent: int = 1


NOTHING = GammaExtras()


def market_input(market: Market, observed_ms: int) -> MarketInput:
    """Returns a market that Gamma was asked for at `observed_ms`; structure and niche are left to who knows the rules.

    Never raises: an extra that is not understood is absent.
    """
    extras = gamma_extras(market.raw)
    prices = market.outcome_prices if market.outcome_prices and any(market.outcome_prices) else None
    return MarketInput(
        condition_id=market.condition_id,
        title=market.title,
        slug=market.slug,
        event_slug=market.event_slug,
        category=market.category,
        tags=extras.tags,
        closed=market.closed,
        resolved=is_final(market.closed, market.resolution_status, prices),
        end_ms=market.end_ms if market.end_ms is not None else extras.end_ms,
        game_start_ms=extras.game_start_ms,
        fee_rate=extras.fee_rate,
        fee_exponent=extras.fee_exponent,
        outcomes=market.outcomes,
        token_ids=tuple(token.token_id for token in market.tokens),
        outcome_prices=prices,
        observed_ms=observed_ms,
    )


def gamma_extras(raw: str | bytes | None) -> GammaExtras:
    """Returns what a market object says beyond the columns of its row; nothing for what is no such object."""
    if not raw:
        return NOTHING
    try:
        fields = _read(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ArithmeticError):
        return NOTHING
    events = fields.events
    event = events[0] if isinstance(events, list) and events and isinstance(events[0], dict) else {}
    rate, exponent = _fee(fields)
    return GammaExtras(
        tags=tag_labels(fields.tags if fields.tags is not None else event.get("tags")) or (),
        game_start_ms=_time_ms(fields.game_start_time),
        end_ms=_time_ms(fields.end_date),
        fee_rate=rate,
        fee_exponent=exponent,
    )


def is_final(closed: bool, status: str | None, prices: Sequence[Decimal] | None) -> bool:
    """Returns whether prices are payouts; the function `market_is_resolved` of the database says the same.

    Closed, with prices that add up to one, and the source says resolved (a void market pays 0.5 and 0.5); or it says
    nothing and one outcome has all but won. A price near 1 in an open or disputed market is no resolution (D61).
    """
    if not closed or not prices or not _SUM_MIN <= sum(prices) <= _SUM_MAX:
        return False
    return max(prices) >= WINNER_MIN if status is None else status in _FINAL


def _fee(fields: _Fields) -> tuple[Decimal | None, int]:
    schedule = fields.fee_schedule
    if fields.fees_enabled is not True or not isinstance(schedule, dict):
        return None, 1
    try:
        rate = decimal_from(schedule.get("rate"), "fee_rate")
        exponent = decimal_from(schedule.get("exponent", 1), "fee_exponent")
    except MalformedError:
        return None, 1
    if not 0 <= rate <= 1 or not 0 <= exponent <= _EXPONENT_MAX or exponent != int(exponent):
        return None, 1
    return rate, int(exponent)


def _time_ms(value: object) -> int | None:
    try:
        return epoch_ms(value)
    except MalformedError:
        return None
