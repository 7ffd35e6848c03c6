"""How an obligation to sell is met: how much, at what price, when again, and when a position has to be sold by itself."""

from decimal import Decimal

import attrs

from actors.rules.exact import EXACT, ONE, ZERO
from actors.rules.live.pricing import HUNDRED
from protocols.live.exits import ExitKind, ExitStatus, LiveExit, Lot
from protocols.live.market import OrderBook
from protocols.live.settings import LiveSettings
from protocols.venue.order_amounts import SIZE_PLACES, floored, price_on_tick

DUST_SHARES = Decimal("0.01")
"""Less than this cannot be sold at all: orders have two decimals."""
DUST_USD = Decimal(1)
"""A position that was worth less when it was to be sold, and cost less, is not worth a try. What became worth less since is:
the venue refuses small purchases only (venue.md §4.4), and one low bid says nothing of the next."""
KEPT_PLACES = 6
"""Decimals of shares in the database."""
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
    """Returns the shares that have to be sold, on six decimals down; all of them where the rest would be dust (D41).

    `carried` is what earlier sales of the trader obliged to and was not sold, since orders have two decimals: it is sold with
    this one, so that many small sales come to what one large sale would have.
    """
    carried = min(carried, open_shares)
    if share >= ONE:
        return open_shares
    wanted = floored(EXACT.multiply(share, open_shares - carried) + carried, KEPT_PLACES)
    return open_shares if open_shares - wanted < DUST_SHARES else wanted


def fixed(one: LiveExit, held: Decimal, promised: Decimal, carried: Decimal) -> LiveExit:
    """Returns an obligation with its target: its share of `held` less what others have `promised` to sell of that.

    A share of the position that is too little to be sold by itself is dust from the beginning, and carried to the next one.
    What sells everything, whosever it is, is obliged to what others have promised too: whoever sells last finds nothing.
    """
    if one.trader is None and one.share >= ONE:
        promised = ZERO
    target = target_shares(one.share, max(ZERO, held - promised), carried)
    status = ExitStatus.OPEN if target >= DUST_SHARES else ExitStatus.DUST if target else ExitStatus.VOID
    detail = f"{target} shares are too little by themselves" if status is ExitStatus.DUST else one.detail
    return attrs.evolve(one, target_shares=target, status=status, detail=detail)


def covers(one: LiveExit, lot: Lot) -> bool:
    """Returns whether an obligation sells of a lot: bought from this trader, and on a signal before his sale (D41)."""
    is_his = one.trader is None or one.trader == lot.trader
    same = (one.strategy_id, one.token_id) == (lot.strategy_id, lot.token_id)
    return same and is_his and (one.kind is not ExitKind.TRADER_SELL or lot.signal_ms <= one.signal_ms)


def next_try(
    one: LiveExit,
    settings: LiveSettings,
    book: OrderBook,
    left: Decimal,
    *,
    paid_price: Decimal = ZERO,
    is_late: bool = False,
) -> Try | Wait | Dust:
    """Returns the next attempt to sell `left` shares, which cost `paid_price` USD each; `is_late`: the deadline has passed.

    The limit begins `exit_slippage_pct` below the price of the signal, or of the best bid where the signal has none, and falls
    by `exit_step_pct` with each attempt; after the deadline any price will do.
    """
    shares = floored(left, SIZE_PLACES)
    if shares < DUST_SHARES:
        return Dust(f"{left} shares are left")
    if not book.bids:
        return Wait("nobody bids")
    best = book.bids[0][0]
    worth = max(best, one.signal_price, paid_price)
    if EXACT.multiply(shares, worth) < DUST_USD:
        return Dust(f"{shares} shares are worth less than {DUST_USD} USD at {worth:.4f}")
    limit = book.tick if is_late else limit_of(one, settings, best, book.tick)
    if best < limit:
        return Wait(f"the best bid {best} is below the limit {limit}")
    return Try(shares=shares, limit_price=limit)


def limit_of(one: LiveExit, settings: LiveSettings, best_bid: Decimal, tick: Decimal) -> Decimal:
    """Returns the least price of the next attempt before the deadline, on the tick."""
    reference = one.signal_price if one.signal_price > 0 else best_bid
    first_pct = settings.exit_slippage_pct if one.slippage_pct is None else one.slippage_pct
    below_pct = min(HUNDRED, first_pct + settings.exit_step_pct * one.attempts)
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
    "fixed",
    "limit_of",
    "needs_bid",
    "next_try",
    "pause_s",
    "target_shares",
]  # fmt: skip
