"""What one strategy has in the market and the event of a trade, and how much more its limit for the event allows."""

from collections.abc import Iterable
from decimal import Decimal

from actors.rules.exact import CENT, EXACT, ZERO, down
from actors.rules.paper.fill import Fill, fill_buy
from protocols.conflicts import Stand
from protocols.decisions import Inputs, Reason
from protocols.paper import OpenOrder
from protocols.strategies import StrategySettings


def stand_of(
    orders: Iterable[OpenOrder], inputs: Inputs, crowd: int | None = None, mirrored: Iterable[tuple[str, str]] = ()
) -> Stand:
    """Returns what the open orders of a strategy are to a trade; those of other markets and events do not matter.

    A market belongs to its event, and to itself where nobody knows its event. `mirrored` is what is held with money in this
    market: trader and token. It may be there without a paper order, and counts as one but for its cost.
    """
    event_slug = None if inputs.market is None else inputs.market.event_slug
    event_usd, held = ZERO, list(mirrored)
    for order in orders:
        is_same_market = order.condition_id == inputs.condition_id
        if is_same_market or (event_slug is not None and order.event_slug == event_slug):
            event_usd = EXACT.add(event_usd, order.cost)
        if is_same_market:
            held.append((order.trader, order.token_id))
    others = [(trader, token_id) for trader, token_id in held if trader != inputs.wallet]
    against = {token_id for _, token_id in others if token_id != inputs.token_id}
    beside = {trader for trader, token_id in others if token_id == inputs.token_id}
    return Stand(against=tuple(sorted(against)), beside=len(beside), event_usd=event_usd, crowd=crowd)


def event_room(settings: StrategySettings, stand: Stand | None) -> Decimal | None:
    """Returns the USD that may still be bought in the event, zero or more; None without a limit."""
    limit = settings.max_event_exposure_usd
    if limit is None or stand is None:
        return None
    return max(ZERO, EXACT.subtract(limit, stand.event_usd))


def least_stake(settings: StrategySettings) -> Decimal:
    """Returns the least that a strategy buys for: a cut below it is refused."""
    return max(settings.min_bet, CENT)


def cut_to_room(settings: StrategySettings, stake: Decimal, stand: Stand | None) -> Decimal:
    """Returns a stake in USD, cut to whole cents of what the event has room for."""
    room = event_room(settings, stand)
    return stake if room is None or stake <= room else down(room, CENT)


def fill_in_room(settings: StrategySettings, inputs: Inputs, stake: Decimal, stand: Stand | None) -> Fill | Reason:
    """Returns what a stake buys, its fee within the room of the event: where it would not be, a little less is staked."""
    fill = fill_buy(settings, inputs, stake)
    room = event_room(settings, stand)
    if room is None or isinstance(fill, Reason) or _cost(fill) <= room:
        return fill
    over = EXACT.subtract(_cost(fill), room)
    less = down(EXACT.subtract(stake, over), CENT)
    if less < least_stake(settings):
        return Reason.EVENT_EXPOSURE
    fill = fill_buy(settings, inputs, less)
    return fill if isinstance(fill, Reason) or _cost(fill) <= room else Reason.EVENT_EXPOSURE


def _cost(fill: Fill) -> Decimal:
    return EXACT.add(fill.stake, fill.fee)
