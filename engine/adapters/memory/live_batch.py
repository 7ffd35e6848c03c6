"""Books a batch of events in memory: what is touched goes through the rules, and is written back as one."""

from collections.abc import Sequence
from decimal import Decimal

import attrs

from actors.rules.live.batch import Books
from engine.adapters.memory.live_state import KeptCooldown, KeptOrder, LiveState
from protocols.live.events import OrderEvent
from protocols.live.exits import ExitStatus, LiveExit
from protocols.live.orders import LiveOrder, Side
from protocols.live.ports import Applied

_TOLERANCE = Decimal("0.005")
"""What was sold has two decimals, what was to be sold has six."""


def apply_batch(state: LiveState, events: Sequence[OrderEvent], not_found_interval_ms: int, now_ms: int) -> Applied:
    """Books events in their order, each exactly once however often it comes."""
    hashes = list(dict.fromkeys(event.order_hash for event in events))
    books = _loaded(state, hashes)
    books.book_all(events, not_found_interval_ms=not_found_interval_ms)
    changed = dict.fromkeys(one.order.order_id for one in books.done)
    latest = books.latest()
    _write(state, books, latest)
    touched = {one.order.strategy_id for one in books.done}
    dated = {one.order.strategy_id for one in books.done if one.days}
    return Applied(
        orders=tuple(latest[order_id] for order_id in changed),
        balances=tuple(balance for id_, balance in books.balances.items() if id_ in touched),
        days={id_: figures for id_, figures in state.day(now_ms).items() if id_ in dated},
        lots=tuple(state.orders[id_].lot for id_, order in latest.items() if order.intent.side is Side.BUY),
        exits=tuple(_sell(state, exit_id, sold) for exit_id, sold in books.sold_by_exit().items()),
        unknown=tuple(one for one in hashes if one not in books.orders),
        spent_usd=books.spent_usd,
    )


def _loaded(state: LiveState, hashes: Sequence[str]) -> Books:
    orders = {hash_: state.orders[state.by_hash[hash_]].order for hash_ in hashes if hash_ in state.by_hash}
    owners = {order.strategy_id for order in orders.values()}
    books = Books(
        orders=orders,
        fills={hash_: dict(state.fills.get(hash_, {})) for hash_ in orders},
        balances={id_: state.balances[id_] for id_ in sorted(owners) if id_ in state.balances},
        cooldown_hours={id_: state.strategies[id_].cooldown_hours for id_ in owners if id_ in state.strategies},
    )
    sells = {hash_: order for hash_, order in orders.items() if order.intent.side is Side.SELL}
    keys = [(hash_, trade_id) for hash_ in sells for trade_id in books.fills[hash_]]
    books.sales = {key: list(state.sales[key]) for key in keys if key in state.sales}
    for hash_, trade_id in keys:
        cause = f"sale:{hash_}:{trade_id}"
        kept = state.cooldowns.get((sells[hash_].strategy_id, cause))
        if kept is not None and not kept.is_released:
            books.cooling.add(cause)
    books.exits = {
        order.intent.cause: state.exits[order.intent.cause]
        for order in sells.values()
        if order.intent.cause in state.exits
    }
    sold = {sale.lot_order_id for sales in books.sales.values() for sale in sales}
    for order in sells.values():
        for lot in state.lots_of(order.strategy_id, order.intent.token_id):
            books.lots[lot.order.order_id] = lot.order
    books.lots |= {id_: state.orders[id_].order for id_ in sold}
    return books


def _write(state: LiveState, books: Books, latest: dict[str, LiveOrder]) -> None:
    state.write_lines([line for one in books.done for line in one.money.lines])
    for id_, order in latest.items():
        kept = state.orders[id_]
        first = books.first_fill_ms(order)
        kept.first_fill_ms = kept.first_fill_ms if first is None else first
        kept.outcome = _outcome(kept, order)
        kept.order = order
    for one in books.done:
        fill = one.step.fill
        strategy_id = one.order.strategy_id
        if fill is not None:
            state.fills.setdefault(fill.order_hash, {})[fill.trade_id] = fill
            key = (fill.order_hash, fill.trade_id)
            if one.sales:
                state.sales[key] = list(one.sales)
            if one.unwound:
                state.sales.pop(key, None)
        if one.cooldown is not None:
            state.cooldowns[strategy_id, one.cooldown.cause] = KeptCooldown(entry=one.cooldown)
        if one.cooled is not None:
            state.cooldowns.pop((strategy_id, one.cooled), None)
        state.add_days(strategy_id, one.days)
    state.balances.update(books.balances)


def _outcome(kept: KeptOrder, order: LiveOrder) -> str:
    """What is open decides; an outcome that a resolution gave stays."""
    if order.intent.side is Side.SELL:
        return "NONE"
    if order.shares_open > 0:
        return "OPEN"
    if kept.outcome in ("WON", "LOST", "VOID"):
        return kept.outcome
    return "SOLD" if order.filled_shares > 0 else "NONE"


def _sell(state: LiveState, exit_id: str, sold: Decimal) -> LiveExit:
    one = state.exits[exit_id]
    total, status = one.sold_shares + sold, one.status
    if status in (ExitStatus.DONE, ExitStatus.DUST) and sold < 0:
        status = ExitStatus.OPEN
    elif status is ExitStatus.OPEN and one.target_shares is not None and total >= one.target_shares - _TOLERANCE:
        status = ExitStatus.DONE
    state.exits[exit_id] = changed = attrs.evolve(one, sold_shares=max(Decimal(0), total), status=status)
    return changed
