"""How some traders stand in a market by the trades that were seen of them."""

from collections.abc import Iterable
from decimal import Decimal

from actors.rules.exact import EXACT, ONE, half_even
from protocols.conflicts import Circle, Crowd, MarketFill, Side
from protocols.trades import Trade

STANCE_DAYS = 30
"""Older trades are no opinion of today. Trades of targets are stored for longer, so that a start finds the same."""
STANCE_MS = STANCE_DAYS * 86_400_000


def market_fill(
    *,
    trade_id: str,
    wallet: str,
    condition_id: str,
    token_id: str,
    side: str,
    size_micro: int,
    price: Decimal,
    trade_ms: int,
) -> MarketFill:
    """Returns what a trade is to its market: less than zero where it sold; USD to the nearest millionth."""
    sign = 1 if side == "BUY" else -1
    usd_micro = int(half_even(EXACT.multiply(price, Decimal(size_micro)), ONE))
    return MarketFill(
        trade_id=trade_id,
        wallet=wallet,
        condition_id=condition_id,
        token_id=token_id,
        shares_micro=sign * size_micro,
        usd_micro=sign * usd_micro,
        trade_ms=trade_ms,
    )


def fill_of_trade(trade: Trade) -> MarketFill:
    """Returns what a trade is to its market."""
    return market_fill(
        trade_id=trade.trade_id,
        wallet=trade.wallet,
        condition_id=trade.condition_id,
        token_id=trade.token_id,
        side=trade.side,
        size_micro=trade.size_micro,
        price=trade.price,
        trade_ms=trade.trade_ms,
    )


def crowd_of(fills: Iterable[MarketFill], circle: Circle, *, wallet: str, trade_ms: int) -> Crowd:
    """Returns how traders of a circle, and `wallet` whatever the circle says, stood when a trade of `trade_ms` was made.

    `fills` are the market's up to this trade, this one too. A trader holds of an outcome what he bought less what he sold, and
    nothing where that is zero or less; he counts on the one outcome of which he holds more than of any other, and on none when
    there are two such. His money on an outcome that he holds is what he paid less what he got back, at least zero.
    """
    held: dict[str, dict[str, list[int]]] = {}
    tokens: dict[str, list[int]] = {}
    since_ms = trade_ms - STANCE_MS
    for fill in fills:
        if fill.trade_ms < since_ms or not (fill.wallet == wallet or circle.counts(fill.wallet)):
            continue
        sums = held.setdefault(fill.wallet, {}).setdefault(fill.token_id, [0, 0])
        sums[0] += fill.shares_micro
        sums[1] += fill.usd_micro
        tokens.setdefault(fill.token_id, [0, 0])
    for outcomes in held.values():
        for token_id, (shares, usd) in outcomes.items():
            if shares > 0:
                tokens[token_id][1] += max(usd, 0)
        favourite = _most_held(outcomes)
        if favourite is not None:
            tokens[favourite][0] += 1
    return Crowd(
        sides=tuple(
            Side(token_id=token_id, targets=targets, usd_micro=usd)
            for token_id, (targets, usd) in sorted(tokens.items())
        )
    )


def _most_held(outcomes: dict[str, list[int]]) -> str | None:
    most = max(shares for shares, _ in outcomes.values())
    favourites = [token_id for token_id, (shares, _) in outcomes.items() if shares == most]
    return favourites[0] if most > 0 and len(favourites) == 1 else None
