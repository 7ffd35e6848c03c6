"""A second opinion on the ledger: everything is recomputed from the whole history, in integers and fractions, slowly.

It shares no code with the rules: history goes in, and what each bucket has to hold comes out.
"""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs

MICRO = 1_000_000


def micro(value: Decimal) -> int:
    scaled = Fraction(value) * MICRO
    assert scaled.denominator == 1, f"{value} is finer than a micro"
    return int(scaled)


def round_half_up(value: Fraction, places: int) -> Fraction:
    return Fraction(math.floor(value * 10**places + Fraction(1, 2)), 10**places)


def ceil_part(whole: int, part: int, of: int) -> int:
    return whole if part >= of else math.ceil(Fraction(whole * part, of))


def fee_of(shares: Decimal, price: Decimal, rate: Decimal, exponent: int) -> int:
    """Micro-USD; venue.md §7.1."""
    exact = Fraction(shares) * Fraction(rate) * (Fraction(price) * (1 - Fraction(price))) ** exponent
    if exact == 0:
        return 0
    return int(max(round_half_up(exact, 5), Fraction(1, 100_000)) * MICRO)


@attrs.define
class Trade:
    """One fill as history tells it, micro."""

    order: str
    trade_id: str
    shares: int
    usd: int
    fee: int
    status: str
    sold: list[tuple[str, int, int]] = attrs.field(factory=list)
    """Of a sale: lot, shares and cost."""
    cools: bool = False

    @property
    def cost(self) -> int:
        return self.usd + self.fee

    @property
    def proceeds(self) -> int:
        return max(0, self.usd - self.fee)


@attrs.define
class Lot:
    shares: int = 0
    cost: int = 0


@attrs.define
class Expected:
    """What the buckets hold, micro-USD. Of `net`, what is less than 0 is drift, what is more is available."""

    net: int
    locked: int
    cooldown: int
    lots: dict[str, tuple[int, int]]
    spent: int
    """On all days: cost of buys that did not fail."""


def expected(
    initial: Decimal, history: list[tuple[Any, ...]], flags: dict[str, tuple[bool, bool, Decimal]]
) -> Expected:
    """Replays a history.

    Its entries: ("lock", order), ("fill", order, event, cools down), ("settle", payout), ("release",). `flags` say how each
    order stands by now: ended, over at the venue, shares that the venue spoke of.
    """
    orders: dict[str, Any] = {}
    trades: dict[tuple[str, str], Trade] = {}
    lots: dict[str, Lot] = {}
    cooling: dict[tuple[str, ...], int] = {}
    paid_out = 0
    for number, entry in enumerate(history):
        if entry[0] == "lock":
            orders[entry[1].signed.order_hash] = entry[1]
        elif entry[0] == "fill":
            _fill(orders[entry[1]], entry[2], entry[3], trades, lots, cooling)
        elif entry[0] == "settle":
            for hash_, lot in lots.items():
                value = int(round_half_up(Fraction(lot.shares, MICRO) * Fraction(entry[1]), 6) * MICRO)
                if value:
                    cooling["settle", hash_, str(number)] = value
                paid_out += value
                lot.shares = lot.cost = 0
        elif entry[0] == "release":
            cooling.clear()
    buys = [one for one in trades.values() if one.status != "FAILED" and orders[one.order].intent.side == "BUY"]
    sales = [one for one in trades.values() if one.status != "FAILED" and orders[one.order].intent.side == "SELL"]
    rests = sum(_rest(orders[hash_], trades, flags[hash_]) for hash_ in orders)
    cash = micro(initial) - sum(one.cost for one in buys) + sum(one.proceeds for one in sales) + paid_out
    cooldown = sum(cooling.values())
    return Expected(
        net=cash - cooldown - rests,
        locked=sum(lot.cost for lot in lots.values()) + rests,
        cooldown=cooldown,
        lots={hash_: (lot.shares, lot.cost) for hash_, lot in lots.items()},
        spent=sum(one.cost for one in buys),
    )


def _fill(
    order: Any,
    event: Any,
    cools: bool,
    trades: dict[tuple[str, str], Trade],
    lots: dict[str, Lot],
    cooling: dict[tuple[str, ...], int],
) -> None:
    hash_ = order.signed.order_hash
    key = (hash_, event.trade_id)
    known = trades.get(key)
    if known is None:
        usd = int(round_half_up(Fraction(event.shares) * Fraction(event.price), 6) * MICRO)
        taker = event.role == "TAKER"
        fee = fee_of(event.shares, event.price, order.signed.fee_rate, order.signed.fee_exponent) if taker else 0
        one = trades[key] = Trade(hash_, event.trade_id, micro(event.shares), usd, fee, event.status)
        if event.status == "FAILED":
            return
        if order.intent.side == "BUY":
            lot = lots.setdefault(hash_, Lot())
            lot.shares, lot.cost = lot.shares + one.shares, lot.cost + one.cost
        else:
            _sell(one, lots)
            if cools and one.proceeds:
                cooling[("sale", *key)] = one.proceeds
        return
    if known.status in ("CONFIRMED", "FAILED"):
        return
    rank = {"MATCHED": 0, "MINED": 1, "RETRYING": 1, "CONFIRMED": 2, "FAILED": 2}
    if rank[event.status] < rank[known.status]:
        return
    known.status = event.status
    if event.status != "FAILED":
        return
    if order.intent.side == "BUY":
        lot = lots[hash_]
        gone = min(lot.shares, known.shares)
        released = lot.cost if gone == lot.shares else min(lot.cost, ceil_part(known.cost, gone, known.shares))
        lot.shares, lot.cost = lot.shares - gone, lot.cost - released
    else:
        for hash_of_lot, shares, cost in known.sold:
            lots[hash_of_lot].shares += shares
            lots[hash_of_lot].cost += cost
        cooling.pop(("sale", *key), None)


def _sell(one: Trade, lots: dict[str, Lot]) -> None:
    left = one.shares
    # The hashes of the world are numbered in the order of the signals.
    for hash_ in sorted(lots):
        lot = lots[hash_]
        shares = min(left, lot.shares)
        if shares == 0:
            continue
        cost = lot.cost if shares == lot.shares else ceil_part(lot.cost, shares, lot.shares)
        lot.shares, lot.cost, left = lot.shares - shares, lot.cost - cost, left - shares
        one.sold.append((hash_, shares, cost))


def _rest(order: Any, trades: dict[tuple[str, str], Trade], flags: tuple[bool, bool, Decimal]) -> int:
    ended, venue_ended, spoken = flags
    if order.intent.side == "SELL" or ended:
        return 0
    signed = order.signed
    mine = [one for one in trades.values() if one.order == signed.order_hash and one.status != "FAILED"]
    filled, cost, lock = sum(one.shares for one in mine), sum(one.cost for one in mine), micro(signed.lock_usd)
    size = micro(signed.size_shares)
    rest = max(0, lock - cost) if signed.spend_usd is not None else ceil_part(lock, max(0, size - filled), size)
    if venue_ended:
        rest = min(rest, ceil_part(lock, max(0, micro(spoken) - filled), size))
    return rest
