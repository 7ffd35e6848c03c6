"""What a resolved market pays, and what that does to an open paper order (domain.md §2.10, D60–D64)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.exact import EXACT, MICRO_USD, ONE, half_up
from protocols.decisions import MarketInput
from protocols.paper import OpenOrder, Payouts, SettledOrder

WON_FROM = Decimal("0.99")
LOST_TO = Decimal("0.01")
_MILLION = Decimal(1_000_000)


def settle(order: OpenOrder, payout: Decimal) -> SettledOrder:
    """Returns what a payout in USD a share does to an order.

    With nothing sold before and no fee: won S (1 - p) / p, lost -S, for a stake S at the entry price p.
    """
    usd = half_up(EXACT.multiply(order.shares, payout), MICRO_USD)
    outcome = "WON" if payout >= WON_FROM else "LOST" if payout <= LOST_TO else "VOID"
    return SettledOrder(
        order_id=order.order_id,
        wallet_id=order.wallet_id,
        payout=usd,
        cost_released=order.cost,
        outcome=outcome,
        pnl=order.realized + usd - order.cost,
    )


def payouts_of(market: MarketInput, *, source: str = "database") -> Payouts | None:
    """Returns the payouts of a market that is closed and resolved, by token, or None.

    A price near one in a market that still trades is no payout (D61), nor are prices that do not add up to one, such as the
    zeros of some old markets. Half and half is one (D62).
    """
    prices = market.outcome_prices
    if not market.closed or not market.resolved or prices is None or len(prices) != len(market.token_ids):
        return None
    if sum(prices) != ONE:
        return None
    by_token = {token: half_up(price, MICRO_USD) for token, price in zip(market.token_ids, prices, strict=True)}
    return Payouts(condition_id=market.condition_id, by_token=by_token, source=source)


@attrs.frozen(kw_only=True)
class Agreement:
    """What two sources say of one market together."""

    payouts: Payouts | None
    """The Data API's word where it has one, else Gamma's."""
    disagree: bool


def agreed(market: MarketInput, data_micro: Sequence[int] | None) -> Agreement:
    """Returns the payouts of a market by Gamma's object and by the Data API's resolution, micro-USD by outcome index.

    The Data API's is authoritative (venue.md §3.2); it needs the market to be closed all the same, and a payout for each token.
    """
    by_gamma = payouts_of(market, source="gamma")
    if data_micro is None:
        return Agreement(payouts=by_gamma, disagree=False)
    fits = len(data_micro) == len(market.token_ids) and _is_whole(data_micro) and min(data_micro, default=-1) >= 0
    if not market.closed or not fits:
        return Agreement(payouts=None if not fits else by_gamma, disagree=not fits)
    by_token: Mapping[str, Decimal] = {
        token: EXACT.divide(Decimal(micro), _MILLION) for token, micro in zip(market.token_ids, data_micro, strict=True)
    }
    by_data = Payouts(condition_id=market.condition_id, by_token=by_token, source="data")
    return Agreement(payouts=by_data, disagree=by_gamma is not None and by_gamma.by_token != by_token)


def _is_whole(micro: Sequence[int]) -> bool:
    """Returns whether payouts are one USD together, but for what rounding of each may take away: three thirds are."""
    return abs(sum(micro) - _MILLION) < len(micro)
