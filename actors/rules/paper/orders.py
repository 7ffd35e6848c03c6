"""A paper order from what was decided and how it was filled."""

import uuid
from decimal import Decimal

from actors.rules.paper.fill import Fill
from actors.rules.strategy.traits import TradeTraits
from protocols.decisions import Inputs, PaperOrder
from protocols.paper import OpenOrder
from protocols.strategies import Strategy

# Any constant would do; another one would give orders that exist already new ids.
_NAMESPACE = uuid.UUID("4b7f0d0e-5f4e-5c0c-9d7a-0e1f2a3b4c5d")


def order_id_of(wallet_id: str, source_trade_id: str) -> str:
    """Returns the id of the order with which a strategy copies a trade: deciding again gives the same one."""
    return str(uuid.uuid5(_NAMESPACE, f"{wallet_id}\n{source_trade_id}"))


CONVICTION_MAX = Decimal(10) ** 12
"""As it is kept: a trade against an average of dust is still a number that fits."""


def paper_order(strategy: Strategy, inputs: Inputs, traits: TradeTraits, fill: Fill) -> PaperOrder:
    """Returns the order of a strategy that was filled."""
    settings, market = strategy.settings, inputs.market
    standing = traits.standing(settings.wr_source)
    return PaperOrder(
        order_id=order_id_of(strategy.wallet_id, inputs.trade_id),
        wallet_id=strategy.wallet_id,
        version=strategy.version,
        source_trade_id=inputs.trade_id,
        members=inputs.members,
        trader=inputs.wallet,
        condition_id=inputs.condition_id,
        token_id=inputs.token_id,
        outcome=inputs.outcome,
        market_slug=None if market is None else market.slug,
        market_title=inputs.title if market is None or market.title is None else market.title,
        market_end_ms=None if market is None else market.end_ms,
        signal_price=inputs.price,
        entry_price=fill.entry_price,
        stake=fill.stake,
        shares=fill.shares,
        fee=fill.fee,
        entry_model=settings.entry_model.value,
        fill_inputs=fill.inputs_json,
        win_rate=standing.win_rate,
        resolved_count=standing.resolved_count,
        roi=traits.roi,
        model_probability=traits.score_for(settings),
        edge=standing.edge,
        conviction=None if traits.conviction is None else min(traits.conviction, CONVICTION_MAX),
        trade_ms=inputs.trade_ms,
        decided_ms=inputs.now_ms,
        event_slug=None if market is None else market.event_slug,
    )


def as_open(order: PaperOrder) -> OpenOrder:
    """Returns a new order as the position that it opens."""
    return OpenOrder(
        order_id=order.order_id,
        wallet_id=order.wallet_id,
        trader=order.trader,
        condition_id=order.condition_id,
        token_id=order.token_id,
        trade_ms=order.trade_ms,
        entry_price=order.entry_price,
        shares=order.shares,
        cost=order.cost,
        event_slug=order.event_slug,
    )
