"""Books in which an order was journaled, and what happens to them."""

import datetime

import attrs
from actors_live.live_cases import D, filled, intent, sent

from actors.rules.live.batch import Books
from actors.rules.live.booking import lock_posting
from actors.rules.live.ledger import Money, post
from protocols.live.events import OrderEvent
from protocols.live.money import LiveBalance
from protocols.live.orders import LiveOrder, Side

INTERVAL_MS = 20_000
LOCK = D("10.5001")
SALE_HASH = "0x" + "cd" * 32
DAY = datetime.date(2026, 11, 18)


def balance(initial: str = "100", **changes: object) -> LiveBalance:
    whole = LiveBalance(strategy_id="LT_A", initial=D(initial), available=D(initial), peak_equity=D(initial))
    return attrs.evolve(whole, **changes)


def locked(order: LiveOrder, start: LiveBalance | None = None) -> Books:
    """Books in which an order was journaled."""
    assert order.signed is not None
    money = Money(balance() if start is None else start)
    money = post(money, lock_posting(order.order_id, "LT_A", order.signed.lock_usd))
    assert money.balance is not None
    books = Books(
        orders={order.signed.order_hash: order},
        fills={},
        balances={"LT_A": money.balance},
        cooldown_hours={"LT_A": D(3)},
    )
    books.lots[order.order_id] = order
    return books


def say(books: Books, *events: OrderEvent) -> LiveBalance:
    books.book_all(events, not_found_interval_ms=INTERVAL_MS)
    return books.balances["LT_A"]


def with_sale(books: Books, **changes: object) -> Books:
    about = intent(Side.SELL, order_id="00000000-0000-5000-8000-000000000009", cause="sale-1", **changes)
    order = sent(Side.SELL, intent=about, order_hash=SALE_HASH)
    books.orders[SALE_HASH] = order
    return books


def sold(trade_id: str, shares: str, price: str, status: str = "MATCHED", **changes: object) -> OrderEvent:
    return attrs.evolve(filled(trade_id, shares, price, status, **changes), order_hash=SALE_HASH)


def buckets(one: LiveBalance) -> tuple[str, ...]:
    found = (one.available, one.locked, one.cooldown, one.realized_pnl, one.drift)
    return tuple(format(value.normalize(), "f") for value in found)
