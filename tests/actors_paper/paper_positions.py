"""A position and the sale of the trader it was copied from, for tests of paper money."""

from decimal import Decimal

import attrs
import msgspec
from property.made_trades import condition, wallet

from protocols.decisions import Book, Inputs, MarketInput
from protocols.paper import Balance, OpenOrder

NOW_MS = 1_795_000_000_000
MARKET = MarketInput(condition_id=condition(7), outcomes=("Lakers", "Celtics"), token_ids=("1", "2"))
# 30 shares that cost 12 USD: 0.40 each.
ORDER = OpenOrder(
    order_id="order",
    wallet_id="BOT",
    trader=wallet(1),
    condition_id=condition(7),
    token_id="1",
    trade_ms=NOW_MS - 60_000,
    entry_price=Decimal("0.40"),
    shares=Decimal(30),
    cost=Decimal(12),
)
# He sells 100 of 400 shares at 0.50.
SALE = Inputs(
    trade_id="sale",
    wallet=wallet(1),
    token_id="1",
    condition_id=condition(7),
    side="SELL",
    price=Decimal("0.50"),
    size_micro=100_000_000,
    holding_micro=400_000_000,
    trade_ms=NOW_MS,
    now_ms=NOW_MS,
    market=MARKET,
)


def order(**changes):
    return attrs.evolve(ORDER, **changes)


def sale(**changes):
    return msgspec.structs.replace(SALE, **changes)


def market(**changes):
    return msgspec.structs.replace(MARKET, **changes)


def book(*, bids=(), asks=()):
    def levels(side):
        return tuple((Decimal(price), Decimal(size)) for price, size in side)

    return Book(bids=levels(bids), asks=levels(asks), observed_ms=NOW_MS)


def balance(starting=1000):
    return Balance(starting=Decimal(starting), cash=Decimal(starting), peak_equity=Decimal(starting))
