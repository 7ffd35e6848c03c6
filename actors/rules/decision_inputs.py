"""What a stored trade would be judged by now."""

from protocols.amounts import size_micro
from protocols.decisions import Inputs, MarketInput, TraderRecord
from protocols.why import StoredTrade


def inputs_of(trade: StoredTrade, market: MarketInput | None, trader: TraderRecord | None) -> Inputs:
    """Returns the inputs of a trade by itself, judged at the moment when it arrived. Raises `MalformedError("size")`.

    There is no score, and no book.
    """
    return Inputs(
        trade_id=trade.trade_id,
        wallet=trade.trader,
        token_id=trade.token_id,
        condition_id=trade.condition_id,
        side=trade.side,
        price=trade.price,
        size_micro=size_micro(trade.size),
        trade_ms=round(trade.trade_time.timestamp() * 1000),
        now_ms=round(trade.ingested_at.timestamp() * 1000),
        outcome=trade.outcome,
        title=trade.title,
        market=market,
        trader=trader,
    )
