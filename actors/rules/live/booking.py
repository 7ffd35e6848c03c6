"""What an event means in money: commitments of buys, proceeds of sales, and the lines of the ledger.

A BUY commits what its open shares cost and what its working rest may still cost; a change of that moves money between available
and locked (I2). A SELL gives the cost of what it sold back and brings proceeds that cool down. Every function here is pure; the
stores load what it needs, lock it, and write what it returns.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal

import attrs
import msgspec

from actors.rules.exact import EXACT, MICRO_USD, ZERO, half_up
from actors.rules.live.ledger import Money, post
from actors.rules.live.order_life import Step, advance, usd_of
from protocols.live.events import OrderEvent
from protocols.live.exits import LotSale
from protocols.live.money import CooldownEntry, DayFigures, LiveBalance, Posting, PostingKind
from protocols.live.orders import Fill, LiveOrder, Side
from protocols.timestamps import utc_datetime

HOUR_MS = 3_600_000
_replace = msgspec.structs.replace


@attrs.frozen(kw_only=True)
class Held:
    """What a store has loaded, and locked, for one event."""

    fills: Mapping[str, Fill]
    """Of the order, by trade id."""
    balance: LiveBalance | None
    """Of its strategy; None of an order by hand."""
    lots: Sequence[LiveOrder] = ()
    """Of a SELL: the buys with open shares that it sells, oldest first."""
    sales: Sequence[LotSale] = ()
    """Of a SELL: what the fill of this event sold when it was booked."""
    cooling: bool = False
    """Whether the proceeds of that fill still cool down."""
    cooldown_hours: Decimal = ZERO


@attrs.frozen(kw_only=True)
class Booking:
    """What has to be written. Nothing of it when `step.changed` is False."""

    step: Step
    money: Money
    lots: tuple[LiveOrder, ...] = ()
    """Buys of which a sale has changed the open shares."""
    sales: tuple[LotSale, ...] = ()
    unwound: bool = False
    """The sales of this fill were taken back."""
    cooldown: CooldownEntry | None = None
    cooled: str | None = None
    """Cause of proceeds that do not cool down any more: their sale failed."""
    days: Mapping[date, DayFigures] = attrs.field(factory=dict)
    """To be added to the figures of UTC days."""
    sold: Decimal = ZERO
    """To be added to the shares that an obligation has sold; less than 0 when a sale failed."""

    @property
    def order(self) -> LiveOrder:
        """Returns the order as it is now."""
        return self.step.order


def commitment(order: LiveOrder) -> Decimal:
    """Returns what a BUY has locked, USD: the cost of open shares and what its rest may still cost (D14, I2)."""
    return order.cost_open + rest_usd(order)


def rest_usd(order: LiveOrder) -> Decimal:
    """Returns what the working rest of a BUY may still cost at its limit, with fee; 0 when it has ended."""
    signed = order.signed
    if signed is None or order.ended or order.intent.side is Side.SELL:
        return ZERO
    if signed.spend_usd is not None:
        rest = max(ZERO, signed.lock_usd - order.filled_usd - order.fee_usd)
    else:
        rest = _part(signed.lock_usd, max(ZERO, signed.size_shares - order.filled_shares), signed.size_shares)
    if order.venue_ended:
        # Only what the venue spoke of and is not booked yet can still cost something.
        spoken = max(ZERO, order.venue_matched - order.filled_shares)
        rest = min(rest, _part(signed.lock_usd, spoken, signed.size_shares))
    return rest


def book(order: LiveOrder, event: OrderEvent, held: Held, *, not_found_interval_ms: int) -> Booking:
    """Returns what an event means for an order and its strategy."""
    step = advance(order, event, held.fills, not_found_interval_ms=not_found_interval_ms)
    if not step.changed:
        return Booking(step=step, money=Money(held.balance))
    step = attrs.evolve(step, order=_replace(step.order, version=order.version + 1))
    return _sale(order, step, held) if order.intent.side is Side.SELL else _buy(order, step, held)


def lock_posting(order_id: str, strategy_id: str, lock_usd: Decimal) -> Posting:
    """Returns the line that commit 2 writes."""
    return Posting(
        strategy_id=strategy_id, cause=f"lock:{order_id}", kind=PostingKind.LOCK, order_id=order_id,
        available=-lock_usd, locked=lock_usd,
    )  # fmt: skip


def cost_of(fill: Fill) -> Decimal:
    """Returns what a fill of a BUY cost with its fee."""
    return usd_of(fill) + fill.fee_usd


def _buy(before: LiveOrder, step: Step, held: Held) -> Booking:
    order, money, days = step.order, Money(held.balance), dict[date, DayFigures]()
    if step.adds and step.fill is not None:
        cost = cost_of(step.fill)
        order = _replace(order, shares_open=order.shares_open + step.fill.shares, cost_open=order.cost_open + cost)
        days[_day_of(step.fill.match_ms)] = DayFigures(spent_usd=cost)
    elif step.unwinds and step.fill is not None:
        order, returned = _without_fill(order, step.fill)
        days[_day_of(step.fill.match_ms)] = DayFigures(spent_usd=-cost_of(step.fill))
        if returned:
            # Shares that were sold before their purchase failed were sold at a cost that nobody paid.
            money = post(
                money, _posting(order, f"unbuy:{step.fill.trade_id}:{order.order_id}", PostingKind.CORRECTION,
                                available=returned, realized=returned),
            )  # fmt: skip
    change = commitment(order) - commitment(before)
    if change:
        cause = f"commit:{order.order_id}:{order.version}"
        money = post(money, _posting(order, cause, PostingKind.COMMITMENT, available=-change, locked=change))
    return Booking(step=attrs.evolve(step, order=order), money=money, days=days)


def _without_fill(order: LiveOrder, fill: Fill) -> tuple[LiveOrder, Decimal]:
    """Takes a failed fill out of what is open; returns also the part of its cost that is not in what is open any more.

    It all comes back, whatever was sold meanwhile. Less than 0: the open shares were the dearer ones.
    """
    gone = min(order.shares_open, fill.shares)
    cost = cost_of(fill)
    whole = gone == order.shares_open
    released = order.cost_open if whole else min(order.cost_open, _part(cost, gone, fill.shares))
    order = _replace(order, shares_open=order.shares_open - gone, cost_open=order.cost_open - released)
    return order, cost - released


def _sale(before: LiveOrder, step: Step, held: Held) -> Booking:
    fill = step.fill
    if step.adds and fill is not None:
        return _sold(step, fill, held)
    if step.unwinds and fill is not None:
        return _unsold(step, fill, held)
    return Booking(step=step, money=Money(held.balance))


def _sold(step: Step, fill: Fill, held: Held) -> Booking:
    """Sells lots, oldest first. What was sold beyond them brings proceeds that cost nothing."""
    proceeds = max(ZERO, usd_of(fill) - fill.fee_usd)
    left, sales, lots = fill.shares, list[LotSale](), list[LiveOrder]()
    paid = ZERO
    for lot in held.lots:
        shares = min(left, lot.shares_open)
        if shares <= 0:
            continue
        left -= shares
        released = lot.cost_open if shares == lot.shares_open else _part(lot.cost_open, shares, lot.shares_open)
        share = proceeds - paid if left <= 0 else _part(proceeds, shares, fill.shares)
        paid += share
        sales.append(LotSale(lot_order_id=lot.order_id, shares=shares, cost_released=released, proceeds=share))
        lots.append(
            _replace(
                lot,
                shares_open=lot.shares_open - shares,
                cost_open=lot.cost_open - released,
                realized_usd=lot.realized_usd + share - released,
                version=lot.version + 1,
            )
        )
    released = sum((one.cost_released for one in sales), ZERO)
    cause, order = f"sale:{fill.order_hash}:{fill.trade_id}", step.order
    cools = held.cooldown_hours > 0
    posting = _posting(
        order, cause, PostingKind.SALE, locked=-released, realized=proceeds - released,
        available=ZERO if cools else proceeds, cooldown=proceeds if cools else ZERO,
    )  # fmt: skip
    cooldown = None
    if cools and held.balance is not None and proceeds > 0:
        ready_ms = fill.match_ms + int(held.cooldown_hours * HOUR_MS)
        cooldown = CooldownEntry(strategy_id=order.strategy_id, cause=cause, amount=proceeds, available_ms=ready_ms)
    pnl = proceeds - released
    days = {_day_of(fill.match_ms): DayFigures(pnl_usd=pnl, lost_usd=max(ZERO, -pnl))}
    order = _replace(order, realized_usd=order.realized_usd + pnl)
    return Booking(
        step=attrs.evolve(step, order=order), money=post(Money(held.balance), posting), lots=tuple(lots),
        sales=tuple(sales), cooldown=cooldown, days=days, sold=fill.shares,
    )  # fmt: skip


def _unsold(step: Step, fill: Fill, held: Held) -> Booking:
    """Takes a sale back that failed: the shares are ours again at their cost."""
    by_id = {lot.order_id: lot for lot in held.lots}
    lots = []
    for sale in held.sales:
        lot = by_id[sale.lot_order_id]
        lots.append(
            _replace(
                lot,
                shares_open=lot.shares_open + sale.shares,
                cost_open=lot.cost_open + sale.cost_released,
                realized_usd=lot.realized_usd - sale.proceeds + sale.cost_released,
                version=lot.version + 1,
            )
        )
    released = sum((one.cost_released for one in held.sales), ZERO)
    proceeds = max(ZERO, usd_of(fill) - fill.fee_usd)
    pnl = proceeds - released
    posting = _posting(
        step.order, f"unsale:{fill.order_hash}:{fill.trade_id}", PostingKind.SALE_UNWOUND, locked=released,
        realized=-pnl, available=ZERO if held.cooling else -proceeds, cooldown=-proceeds if held.cooling else ZERO,
    )  # fmt: skip
    return Booking(
        step=attrs.evolve(step, order=_replace(step.order, realized_usd=step.order.realized_usd - pnl)),
        money=post(Money(held.balance), posting), lots=tuple(lots), unwound=True,
        cooled=f"sale:{fill.order_hash}:{fill.trade_id}" if held.cooling else None,
        days={_day_of(fill.match_ms): DayFigures(pnl_usd=-pnl, lost_usd=min(ZERO, pnl))}, sold=-fill.shares,
    )  # fmt: skip


def _posting(
    order: LiveOrder,
    cause: str,
    kind: PostingKind,
    *,
    available: Decimal = ZERO,
    locked: Decimal = ZERO,
    cooldown: Decimal = ZERO,
    realized: Decimal = ZERO,
) -> Posting:
    return Posting(
        strategy_id=order.strategy_id, cause=cause, kind=kind, order_id=order.order_id, available=available,
        locked=locked, cooldown=cooldown, realized=realized,
    )  # fmt: skip


def _part(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    """A part of an amount, to the micro-USD: up, so that what is locked is never too little."""
    if part >= of:
        return whole
    return EXACT.divide(EXACT.multiply(whole, part), of).quantize(MICRO_USD, ROUND_CEILING, EXACT)


def _day_of(at_ms: int) -> date:
    return utc_datetime(at_ms).date()


__all__ = ["Booking", "Held", "book", "commitment", "cost_of", "half_up", "lock_posting", "rest_usd"]
