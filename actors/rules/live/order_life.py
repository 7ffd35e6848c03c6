"""The life of an order: one total table of states and events, and what each event makes of an order.

Facts add up (what was filled, what failed, what the venue has spoken of), and the state follows from them, so that events may
come twice, late and in any order. Only LOST and REJECTED can be revived: by a fill, or by the venue showing the order again.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import attrs
import msgspec

from actors.rules.exact import EXACT, MICRO_USD, ZERO, half_up
from actors.rules.paper.fees import taker_fee
from protocols.live.events import Accepted, Filled, NotFound, OrderEvent, Refused, Seen, Unknown
from protocols.live.orders import Fill, LiveOrder, OrderStatus

TOLERANCE = Decimal("0.01")
"""Shares, and USD of an order that spends dollars: the venue fills up to so much less or more (venue.md §7.2)."""
NOT_FOUND_LIMIT = 3
_RANK = {"MATCHED": 0, "MINED": 1, "RETRYING": 1, "CONFIRMED": 2, "FAILED": 2}
_FINAL = 2
_replace = msgspec.structs.replace


class OrderState(enum.Enum):
    """Where an order is in its life."""

    CLAIMED = "claimed"
    SIGNED = "signed"
    """Journaled; sent or not."""
    WORKING = "working"
    PARTIAL = "partial"
    PARTIAL_ENDED = "partial_ended"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"


@attrs.frozen(kw_only=True)
class Step:
    """What an event made of an order."""

    order: LiveOrder
    changed: bool
    fill: Fill | None = None
    """New or changed."""
    before: Fill | None = None
    """The same fill as it was booked before."""

    @property
    def adds(self) -> bool:
        """Returns whether shares came."""
        return self.fill is not None and self.fill.counts and (self.before is None or not self.before.counts)

    @property
    def unwinds(self) -> bool:
        """Returns whether shares that were booked went again."""
        return self.before is not None and self.before.counts and self.fill is not None and not self.fill.counts


def state_of(order: LiveOrder) -> OrderState:
    """Returns the state that an order's fields mean."""
    if order.status is OrderStatus.PLACED:
        return OrderState.CLAIMED if order.signed is None else OrderState.SIGNED
    if order.status is OrderStatus.PENDING:
        return OrderState.WORKING
    if order.status is OrderStatus.PARTIAL:
        return OrderState.PARTIAL_ENDED if order.ended else OrderState.PARTIAL
    return OrderState[order.status.name]


def advance(order: LiveOrder, event: OrderEvent, fills: Mapping[str, Fill], *, not_found_interval_ms: int) -> Step:
    """Returns what an event makes of an order. `fills` are those booked of it, by trade id."""
    action = TABLE[state_of(order), type(event)]
    return action(order, event, fills, not_found_interval_ms)


def is_full(order: LiveOrder, shares: Decimal, usd: Decimal) -> bool:
    """Returns whether so many shares for so much USD are all that an order wants."""
    signed = order.signed
    if signed is None:
        return False
    if signed.spend_usd is not None:
        return usd >= signed.spend_usd - TOLERANCE
    return shares >= signed.size_shares - TOLERANCE


def usd_of(fill: Fill) -> Decimal:
    """Returns what a fill's shares cost without fee, to the micro-USD."""
    return half_up(EXACT.multiply(fill.shares, fill.price), MICRO_USD)


def is_over_at_venue(venue_status: str) -> bool:
    """Returns whether a status of the venue means that it fills no more of an order; free text is possible."""
    return venue_status.startswith(("MATCHED", "CANCEL", "INVALID", "EXPIRED", "REJECTED", "KILLED"))


def _ignore(order: LiveOrder, _event: OrderEvent, _fills: Mapping[str, Fill], _interval_ms: int) -> Step:
    return Step(order=order, changed=False)


def _accept(order: LiveOrder, event: OrderEvent, fills: Mapping[str, Fill], _interval_ms: int) -> Step:
    assert isinstance(event, Accepted)
    assert order.signed is not None
    # "matched" without an amount ends nothing: its fills are on their way, and whoever asks will learn how many.
    ends = event.venue_status == "matched" and event.matched_shares > 0 and not order.signed.order_type.rests
    return _known(order, event.at_ms, event.matched_shares, ends, None, fills)


def _see(order: LiveOrder, event: OrderEvent, fills: Mapping[str, Fill], _interval_ms: int) -> Step:
    assert isinstance(event, Seen)
    assert order.signed is not None
    ends = is_over_at_venue(event.venue_status)
    matched = event.matched_shares or ZERO
    if event.venue_status.startswith("MATCHED") and not matched:
        # It does not say how much; nothing is no match.
        matched = order.signed.size_shares
    detail = event.venue_status[:200] if ends and not event.venue_status.startswith("MATCHED") else None
    return _known(order, event.at_ms, matched, ends, detail, fills)


def _revive(order: LiveOrder, event: OrderEvent, fills: Mapping[str, Fill], interval_ms: int) -> Step:
    """The venue has what we took for refused or lost. That it is over there, with nothing matched, changes nothing."""
    assert isinstance(event, Accepted | Seen)
    over = isinstance(event, Seen) and is_over_at_venue(event.venue_status)
    if (over or order.venue_ended) and not event.matched_shares:
        return _changed(order, _replace(order, venue_ended=True))
    revived = _replace(order, status=OrderStatus.PENDING, ended=False, ended_ms=None, reason=None, detail=None)
    step = (_see if isinstance(event, Seen) else _accept)(revived, event, fills, interval_ms)
    return attrs.evolve(step, changed=True)


def _refuse(order: LiveOrder, event: OrderEvent, _fills: Mapping[str, Fill], _interval_ms: int) -> Step:
    assert isinstance(event, Refused)
    refused = _replace(
        order, status=OrderStatus.REJECTED, ended=True, ended_ms=event.at_ms, reason=event.reason, detail=event.detail
    )
    return _changed(order, refused)


def _refuse_late(order: LiveOrder, event: OrderEvent, _fills: Mapping[str, Fill], _interval_ms: int) -> Step:
    """The venue tells of an order that it killed at once in two ways, by the answer and by the socket, in any order."""
    assert isinstance(event, Refused)
    assert order.signed is not None
    if order.signed.order_type.rests or order.venue_matched or order.filled_shares:
        return Step(order=order, changed=False)
    refused = _replace(order, status=OrderStatus.REJECTED, reason=event.reason, detail=event.detail)
    return _changed(order, refused)


def _count(order: LiveOrder, event: OrderEvent, _fills: Mapping[str, Fill], interval_ms: int) -> Step:
    """At most one not-found in an interval counts (D28). One from before the last was told again, or the clock was put back."""
    assert isinstance(event, NotFound)
    last_ms = order.not_found_ms
    if last_ms is not None and 0 <= event.at_ms - last_ms < interval_ms:
        return Step(order=order, changed=False)
    before = order.not_found if last_ms is not None and event.at_ms >= last_ms else 0
    counted = _replace(order, not_found=before + 1, not_found_ms=event.at_ms)
    if counted.not_found >= NOT_FOUND_LIMIT:
        counted = _replace(
            counted, status=OrderStatus.LOST, ended=True, ended_ms=event.at_ms, reason="not_found",
            detail=f"the venue did not know it {counted.not_found} times",
        )  # fmt: skip
    return _changed(order, counted)


def _fill(order: LiveOrder, event: OrderEvent, fills: Mapping[str, Fill], _interval_ms: int) -> Step:
    assert isinstance(event, Filled)
    assert order.signed is not None
    known = fills.get(event.trade_id)
    if known is not None and not _is_news(known, event):
        return Step(order=order, changed=False)
    fee = known.fee_usd if known is not None else ZERO
    if known is None and event.role == "TAKER":
        fee = taker_fee(event.shares, event.price, order.signed.fee_rate, order.signed.fee_exponent)
    fill = Fill(
        trade_id=event.trade_id,
        order_hash=event.order_hash,
        # What was booked first stands: later news are about its settlement.
        shares=event.shares if known is None else known.shares,
        price=event.price if known is None else known.price,
        fee_usd=fee,
        role=event.role if known is None else known.role,
        status=event.status,
        transaction_hash=event.transaction_hash or (None if known is None else known.transaction_hash),
        match_ms=event.match_ms if known is None else known.match_ms,
    )
    booked = {**fills, fill.trade_id: fill}
    after = _with_fills(order, booked, event.at_ms, is_new=known is None)
    return Step(order=after, changed=True, fill=fill, before=known)


def _is_news(known: Fill, event: Filled) -> bool:
    """Settlement goes forward; CONFIRMED and FAILED are final."""
    if _RANK[known.status] == _FINAL or _RANK[event.status] < _RANK[known.status]:
        return False
    return event.status != known.status or (event.transaction_hash or known.transaction_hash) != known.transaction_hash


def _known(
    order: LiveOrder, at_ms: int, matched: Decimal, ends: bool, detail: str | None, fills: Mapping[str, Fill]
) -> Step:
    """The venue has it, has matched so much of it, and will or will not fill more."""
    known = _replace(
        order,
        placed_ms=at_ms if order.placed_ms is None else order.placed_ms,
        venue_matched=max(order.venue_matched, matched),
        venue_ended=order.venue_ended or ends,
        not_found=0,
        not_found_ms=None,
        detail=detail if detail is not None and not order.ended else order.detail,
    )
    return _changed(order, _concluded(known, fills.values(), at_ms))


def _with_fills(order: LiveOrder, fills: Mapping[str, Fill], at_ms: int, *, is_new: bool) -> LiveOrder:
    counting = [one for one in fills.values() if one.counts]
    filled = _replace(
        order,
        placed_ms=at_ms if order.placed_ms is None else order.placed_ms,
        filled_shares=sum((one.shares for one in counting), ZERO),
        filled_usd=sum((usd_of(one) for one in counting), ZERO),
        fee_usd=sum((one.fee_usd for one in counting), ZERO),
        not_found=0,
        not_found_ms=None,
    )
    if is_new and order.status in (OrderStatus.LOST, OrderStatus.REJECTED) and filled.filled_shares > 0:
        # It was there after all. What takes at once has no rest that could still be filled.
        assert order.signed is not None
        filled = _replace(
            filled, status=OrderStatus.PARTIAL, ended=False, ended_ms=None, reason=None, detail=None,
            venue_ended=filled.venue_ended or not order.signed.order_type.rests,
        )  # fmt: skip
    return _concluded(filled, fills.values(), at_ms)


def _concluded(order: LiveOrder, fills: Iterable[Fill], at_ms: int) -> LiveOrder:
    """The state that follows from the facts. Ended: the venue fills no more, and all that it spoke of is booked."""
    if order.status in (OrderStatus.LOST, OrderStatus.REJECTED) and order.filled_shares == 0:
        return order
    fills = list(fills)
    # A match that failed is accounted for: nothing more comes of it.
    shares = sum((one.shares for one in fills), ZERO)
    usd = sum((usd_of(one) for one in fills), ZERO)
    over = order.venue_ended and shares >= order.venue_matched - TOLERANCE
    if not over and not is_full(order, shares, usd):
        if order.ended and order.status is OrderStatus.LOST:
            return order
        status = OrderStatus.PARTIAL if order.filled_shares > 0 else OrderStatus.PENDING
        return _replace(order, status=status, ended=False, ended_ms=None)
    if is_full(order, order.filled_shares, order.filled_usd):
        status = OrderStatus.FILLED
    else:
        status = OrderStatus.PARTIAL if order.filled_shares > 0 else OrderStatus.CANCELLED
    return _replace(order, status=status, ended=True, ended_ms=at_ms if order.ended_ms is None else order.ended_ms)


def _changed(before: LiveOrder, after: LiveOrder) -> Step:
    return Step(order=after, changed=after != before)


Action = Callable[[LiveOrder, OrderEvent, Mapping[str, Fill], int], Step]
_S = OrderState
# Who asks about a claim asks about nothing: it has no hash. Unknown changes nothing: somebody has to ask (I7).
_ROWS: dict[OrderState, tuple[Action, Action, Action, Action, Action, Action]] = {
    #                  Accepted  Refused  Unknown  Seen     NotFound Filled
    _S.CLAIMED:       (_ignore, _ignore, _ignore, _ignore, _ignore, _ignore),
    _S.SIGNED:        (_accept, _refuse, _ignore, _see, _count, _fill),
    _S.WORKING:       (_accept, _ignore, _ignore, _see, _count, _fill),
    _S.PARTIAL:       (_accept, _ignore, _ignore, _see, _count, _fill),
    _S.PARTIAL_ENDED: (_accept, _ignore, _ignore, _see, _ignore, _fill),
    _S.FILLED:        (_ignore, _ignore, _ignore, _ignore, _ignore, _fill),
    _S.CANCELLED:     (_accept, _refuse_late, _ignore, _see, _ignore, _fill),
    _S.REJECTED:      (_revive, _ignore, _ignore, _revive, _ignore, _fill),
    _S.LOST:          (_revive, _ignore, _ignore, _revive, _ignore, _fill),
}  # fmt: skip
EVENTS = (Accepted, Refused, Unknown, Seen, NotFound, Filled)
TABLE: Mapping[tuple[OrderState, type], Action] = {
    (state, kind): action for state, row in _ROWS.items() for kind, action in zip(EVENTS, row, strict=True)
}
