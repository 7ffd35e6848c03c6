"""A stored trade as it would have been judged when it was made, and what came of it.

Where this differs from what the running engine sees:

- The trader's record ends with the day before the trade. The engine's own also holds what happened earlier on the same day, as
  far as the job trader-stats has counted it by then.
- The market is the row of today, without all that its end wrote into it. A title, an end or a start that the venue changed
  later is seen as it is now; where the trade was decided by a strategy, the snapshot of the decision has it as it was.
- An aggregate of several fills is judged by the engine as one; here each fill is a trade.
"""

from collections.abc import Mapping
from decimal import Decimal

import attrs
import msgspec

from protocols.backtest import StoredMarket
from protocols.decisions import Inputs, MarketInput, TraderRecord

_WON_FROM, _LOST_TO = Decimal("0.99"), Decimal("0.01")
"""Prices of a resolved market are payouts, but some end a little off 1 and 0; the same limits as trader-stats has."""


@attrs.frozen(kw_only=True)
class EndedMarket:
    """A market that is resolved: as it was while it was open, and how it ended."""

    market: MarketInput
    ended_ms: int
    payouts: Mapping[str, Decimal]
    """USD a share, by token."""


def ended_market(stored: StoredMarket | None) -> EndedMarket | str:
    """Returns a market that ended, or why it is of no use: a label to count by."""
    if stored is None:
        return "no_market"
    market = stored.market
    if not market.resolved:
        return "not_resolved"
    if stored.ended_ms is None:
        return "no_close_time"
    if market.outcome_prices is None or len(market.token_ids) != len(market.outcome_prices):
        return "no_payouts"
    payouts = dict(zip(market.token_ids, market.outcome_prices, strict=True))
    return EndedMarket(market=while_open(market), ended_ms=stored.ended_ms, payouts=payouts)


def while_open(market: MarketInput) -> MarketInput:
    """Returns the market without what only its prices and its end wrote into it."""
    return msgspec.structs.replace(
        market, closed=False, resolved=False, outcome_prices=None, observed_ms=0, tags=(), outcomes=(), token_ids=()
    )


def label_of(market: EndedMarket, token_id: str, trade_ms: int) -> bool | str:
    """Returns whether what was bought won, or why the trade is of no use."""
    if trade_ms >= market.ended_ms:
        return "after_end"
    payout = market.payouts.get(token_id)
    if payout is None:
        return "unknown_token"
    if payout >= _WON_FROM:
        return True
    return False if payout <= _LOST_TO else "void"


def past_inputs(
    *,
    trade_id: str,
    wallet: str,
    token_id: str,
    price: Decimal,
    size_micro: int,
    trade_ms: int,
    outcome: str | None,
    market: MarketInput,
    trader: TraderRecord | None,
) -> Inputs:
    """Returns what a BUY would have been judged by when it was made."""
    return Inputs(
        trade_id=trade_id,
        wallet=wallet,
        token_id=token_id,
        condition_id=market.condition_id,
        side="BUY",
        price=price,
        size_micro=size_micro,
        trade_ms=trade_ms,
        now_ms=trade_ms,
        outcome=outcome,
        market=market,
        trader=trader,
    )
