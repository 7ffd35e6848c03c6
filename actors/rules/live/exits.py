"""How an obligation to sell is met: how much, at what price, when again, and when a position has to be sold by itself."""

from decimal import Decimal

import attrs

from actors.rules.exact import EXACT, ONE, ZERO
from actors.rules.live.pricing import HUNDRED
from protocols.live.exits import ExitKind, LiveExit, Lot
from protocols.live.market import OrderBook
from protocols.live.settings import LiveSettings
from protocols.venue.order_amounts import SIZE_PLACES, floored, price_on_tick

DUST_SHARES = Decimal("0.01")
"""Less than this cannot be sold at all: orders have two decimals."""
DUST_USD = Decimal(1)
"""What is worth less at the best bid is not worth a try: a taker's order below a dollar may be refused (venue.md §4.4)."""
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


@attrs.frozen(kw_only=True)
class Try:
    """The next attempt of an obligation."""

    shares: Decimal
    limit_price: Decimal


@attrs.frozen
class Wait:
    """No attempt now: nobody bids within the limit, or at all."""

    why: str


@attrs.frozen
class Dust:
    """What is left is too little to be sold; it stays until its market is resolved."""

    why: str


def target_shares(share: Decimal, open_shares: Decimal, carried: Decimal = ZERO) -> Decimal:
    """Returns the shares that have to be sold, on two decimals down; all of them where the rest would be dust (D41).

    `carried` is what earlier sales of the trader obliged to, and was too little to be sold then: it is sold with this one, so
    that many small sales come to what one large sale would have.
    """
    carried = min(carried, open_shares)
    if share >= ONE:
        return open_shares
    wanted = floored(EXACT.multiply(share, open_shares - carried) + carried, SIZE_PLACES)
    return open_shares if open_shares - wanted < DUST_SHARES else wanted


def covers(one: LiveExit, lot: Lot) -> bool:
    """Returns whether an obligation sells of a lot: bought from this trader, and on a signal before his sale (D41)."""
    is_his = one.trader is None or one.trader == lot.trader
    same = (one.strategy_id, one.token_id) == (lot.strategy_id, lot.token_id)
    return same and is_his and (one.kind is not ExitKind.TRADER_SELL or lot.signal_ms <= one.signal_ms)


def next_try(one: LiveExit, settings: LiveSettings, book: OrderBook, left: Decimal, now_ms: int) -> Try | Wait | Dust:
    """Returns the next attempt to sell `left` shares.

    The limit begins `exit_slippage_pct` below the price of the signal, or of the best bid where the signal has none, and falls
    by `exit_step_pct` with each attempt; after the deadline any price will do.
    """
    shares = floored(left, SIZE_PLACES)
    if shares < DUST_SHARES:
        return Dust(f"{left} shares are left")
    if not book.bids:
        return Wait("nobody bids")
    best = book.bids[0][0]
    if EXACT.multiply(shares, best) < DUST_USD:
        return Dust(f"{shares} shares are worth less than {DUST_USD} USD at {best}")
    limit = book.tick if now_ms >= one.deadline_ms else limit_of(one, settings, best, book.tick)
    if best < limit:
        return Wait(f"the best bid {best} is below the limit {limit}")
    return Try(shares=shares, limit_price=limit)


def limit_of(one: LiveExit, settings: LiveSettings, best_bid: Decimal, tick: Decimal) -> Decimal:
    """Returns the least price of the next attempt before the deadline, on the tick."""
    reference = one.signal_price if one.signal_price > 0 else best_bid
    below_pct = min(HUNDRED, settings.exit_slippage_pct + settings.exit_step_pct * one.attempts)
    return price_on_tick(EXACT.multiply(reference, ONE - below_pct / HUNDRED), tick, up=False)


def pause_s(attempts: int) -> float:
    """Returns how long to wait after so many attempts."""
    return PAUSES_S[min(attempts, len(PAUSES_S) - 1)]


def due_exit(lot: Lot, settings: LiveSettings, best_bid: Decimal | None, now_ms: int) -> ExitKind | None:
    """Returns why a position has to be sold by itself, or None. A rule that is absent is off; zero is a value (D18)."""
    if settings.max_hold_hours is not None and now_ms - lot.bought_ms >= settings.max_hold_hours * 3_600_000:
        return ExitKind.MAX_HOLD
    if best_bid is None or lot.shares <= 0 or lot.cost <= 0:
        return None
    change_pct = EXACT.divide((EXACT.multiply(best_bid, lot.shares) - lot.cost) * HUNDRED, lot.cost)
    if settings.stop_loss_pct is not None and change_pct <= -settings.stop_loss_pct:
        return ExitKind.STOP_LOSS
    if settings.take_profit_pct is not None and change_pct >= settings.take_profit_pct:
        return ExitKind.TAKE_PROFIT
    return None


def needs_bid(settings: LiveSettings) -> bool:
    """Returns whether positions of a strategy have to be compared with the market."""
    return settings.stop_loss_pct is not None or settings.take_profit_pct is not None


__all__ = [
    "DUST_SHARES",
    "ZERO",
    "Dust",
    "Try",
    "Wait",
    "covers",
    "due_exit",
    "limit_of",
    "needs_bid",
    "next_try",
    "pause_s",
    "target_shares",
]  # fmt: skip
