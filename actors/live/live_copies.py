"""What live strategies hold or buy because of a trader, found in their positions and in what is on its way."""

from collections.abc import Iterable, Mapping

from protocols.live.exits import Lot
from protocols.live.holdings import LiveCopy
from protocols.live.orders import LiveIntent
from protocols.live.settings import LiveStrategy

Pair = tuple[str, str, str]
"""(trader, condition id, token id)"""


def copied_pairs(lots: Iterable[Lot], coming: Iterable[LiveIntent]) -> list[Pair]:
    """Returns every trader and token of which something is held or being bought, also by orders by hand."""
    found = {(lot.trader, lot.condition_id, lot.token_id) for lot in lots if lot.trader}
    found |= {(one.trader, one.condition_id, one.token_id) for one in coming if one.trader}
    return sorted((trader or "", condition_id, token_id) for trader, condition_id, token_id in found)


def copies(lots: Iterable[Lot], coming: Iterable[LiveIntent], strategies: Mapping[str, LiveStrategy]) -> list[LiveCopy]:
    """Returns what strategies hold and buy, each under the paper strategy that it mirrors."""
    found = [(lot.strategy_id, lot.trader, lot.condition_id, lot.token_id) for lot in lots]
    found += [(one.strategy_id, one.trader, one.condition_id, one.token_id) for one in coming]
    return [
        LiveCopy(strategies[owner].ft_wallet_id, trader, condition_id, token_id)
        for owner, trader, condition_id, token_id in found
        if owner in strategies and trader
    ]
