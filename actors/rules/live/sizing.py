"""What a live strategy stakes: the formula of its paper twin on the money that it can spend (I6, D23 to D25)."""

from decimal import Decimal

from actors.rules.exact import ZERO
from actors.rules.strategy.sizing import stake_usd
from actors.rules.strategy.traits import traits_of
from protocols.decisions import Inputs
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings


def stake_for(inputs: Inputs, paper: StrategySettings, live: LiveSettings, available: Decimal) -> Decimal:
    """Returns the stake in USD before the fee: 0 where the formula stakes nothing, else within the limits of an order.

    It may be more than is available: then the risk rules say so, and do not quietly make it less.
    """
    stake = stake_usd(paper, traits_of(inputs), available)
    if stake <= 0:
        return ZERO
    return min(max(stake, live.min_order_size_usd), live.max_order_size_usd)
