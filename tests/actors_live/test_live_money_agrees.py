from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from actors_live.live_cases import T0, D, accepted, filled, intent, not_found, refused, seen, signed, unknown
from actors_live.live_money_reference import expected, micro
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK

from actors.rules.live.batch import Books
from actors.rules.live.booking import commitment, lock_posting
from actors.rules.live.ledger import Money, can_lock, post
from actors.rules.live.settlement import release, settle_lot
from protocols.live.events import Filled, OrderEvent
from protocols.live.money import CooldownEntry, LiveBalance
from protocols.live.orders import LiveOrder, OrderType, Side

INITIAL = D(25)
INTERVAL_MS = 20_000


def hash_of(number: int) -> str:
    return "0x" + f"{number:02x}" * 32


def made(number: int) -> LiveOrder:
    """Orders of every kind: 1 spends dollars, 2 and 3 want shares, 4 and 5 sell."""
    side = Side.BUY if number <= 3 else Side.SELL
    about = intent(
        side, order_id=f"00000000-0000-5000-8000-{number:012d}", cause=f"trade-{number}", signal_ms=T0 + number
    )
    changes: dict[str, Any] = {
        1: {"order_type": OrderType.FAK},
        2: {"order_type": OrderType.GTC, "spend_usd": None, "size_shares": D(12), "lock_usd": D("6.300001")},
        3: {"order_type": OrderType.FOK, "spend_usd": None, "size_shares": D("7.5"), "lock_usd": D("3.93")},
        4: {"spend_usd": None, "lock_usd": D(0)},
        5: {"spend_usd": None, "lock_usd": D(0), "order_type": OrderType.GTC, "fee_rate": D(0)},
    }[number]
    return LiveOrder(intent=about, signed=signed(order_hash=hash_of(number), **changes), version=1)


class World:
    """A strategy whose orders are booked by the rules, with its whole history beside it."""

    def __init__(self, cooldown_hours: Decimal) -> None:
        self.cools = cooldown_hours > 0
        balance = LiveBalance(strategy_id="LT_A", initial=INITIAL, available=INITIAL, peak_equity=INITIAL)
        self.books = Books(orders={}, fills={}, balances={"LT_A": balance}, cooldown_hours={"LT_A": cooldown_hours})
        self.history: list[tuple[Any, ...]] = []
        self.cooling: dict[str, CooldownEntry] = {}
        self.causes: list[str] = []

    @property
    def balance(self) -> LiveBalance:
        return self.books.balances["LT_A"]

    def journal(self, number: int) -> None:
        order = made(number)
        assert order.signed is not None
        if order.signed.order_hash in self.books.orders:
            return
        if order.signed.lock_usd:
            granted = can_lock(self.balance, order.signed.lock_usd)
            assert granted == (self.balance.drift == 0 and self.balance.available >= order.signed.lock_usd)
            if not granted:
                return
            self.take(post(Money(self.balance), lock_posting(order.order_id, "LT_A", order.signed.lock_usd)))
        self.books.orders[order.signed.order_hash] = order
        if order.intent.side is Side.BUY:
            self.books.lots[order.order_id] = order
        self.history.append(("lock", order))

    def happens(self, event: OrderEvent) -> None:
        if event.order_hash not in self.books.orders:
            return
        booked = len(self.books.done)
        self.books.book_all([event], not_found_interval_ms=INTERVAL_MS)
        if isinstance(event, Filled):
            self.history.append(("fill", event.order_hash, event, self.cools))
        for one in self.books.done[booked:]:
            self.causes += [line.posting.cause for line in one.money.lines]
            if one.cooldown is not None:
                self.cooling[one.cooldown.cause] = one.cooldown
            if one.cooled is not None:
                del self.cooling[one.cooled]

    def settle(self, payout: Decimal) -> None:
        for lot in list(self.books.lots.values()):
            if lot.shares_open <= 0:
                continue
            done = settle_lot(lot, payout, self.balance)
            self.take(done.money)
            self.books.lots[lot.order_id] = done.lot
            assert done.lot.signed is not None
            self.books.orders[done.lot.signed.order_hash] = done.lot
            if done.cooldown is not None:
                self.cooling[done.cooldown.cause] = done.cooldown
        self.history.append(("settle", payout))

    def release_all(self) -> None:
        for entry in self.cooling.values():
            self.take(release(self.balance, entry))
        self.cooling.clear()
        self.books.cooling.clear()
        self.history.append(("release",))

    def take(self, money: Money) -> None:
        assert money.balance is not None
        self.books.balances["LT_A"] = money.balance
        self.causes += [line.posting.cause for line in money.lines]

    def check(self) -> None:
        """I1 to I3, and the second opinion."""
        balance = self.balance
        found = expected(INITIAL, self.history, {
            hash_: (one.ended, one.venue_ended, one.venue_matched) for hash_, one in self.books.orders.items()
        })  # fmt: skip
        buys = [one for one in self.books.orders.values() if one.intent.side is Side.BUY]
        assert balance.available + balance.locked + balance.cooldown == INITIAL + balance.realized_pnl + balance.drift
        assert balance.locked == sum(map(commitment, buys))
        assert min(balance.available, balance.locked, balance.cooldown, balance.drift) >= 0
        assert balance.available == 0 or balance.drift == 0
        for one in buys:
            assert one.signed is not None
            assert (micro(one.shares_open), micro(one.cost_open)) == found.lots.get(one.signed.order_hash, (0, 0))
        assert micro(balance.locked) == found.locked
        assert micro(balance.cooldown) == found.cooldown == sum(micro(one.amount) for one in self.cooling.values())
        assert micro(balance.available) - micro(balance.drift) == found.net
        days = [figures for one in self.books.done for figures in one.days.values()]
        assert sum(micro(figures.spent_usd) for figures in days) == found.spent
        assert len(set(self.causes)) == len(self.causes)


def fill_of(number: int, trade: str, status: str, role: str, shares: str, price: str) -> Filled:
    # A trade is one trade: what it says of shares, price and role is the same each time.
    return attrs.evolve(filled(trade, shares, price, status, role=role), order_hash=hash_of(number))


TRADES = {  # by order: what its trades a to d are
    1: (("TAKER", "8", "0.5"), ("TAKER", "12.345678", "0.37"), ("TAKER", "8", "0.25"), ("MAKER", "1", "0.5")),
    2: (("MAKER", "4", "0.5"), ("TAKER", "7.99", "0.481"), ("MAKER", "0.000001", "0.5"), ("TAKER", "12", "0.5")),
    3: (("TAKER", "7.5", "0.5"), ("TAKER", "7.5", "0.5"), ("TAKER", "1.1", "0.01"), ("TAKER", "0.3", "0.999")),
    4: (("TAKER", "8", "0.52"), ("TAKER", "9.87", "0.11"), ("TAKER", "20", "0.9"), ("TAKER", "0.000001", "0.5")),
    5: (("MAKER", "3.3", "0.61"), ("MAKER", "40", "0.5"), ("TAKER", "1", "0.7"), ("MAKER", "2", "0.001")),
}
STATUSES = ["MATCHED", "MATCHED", "MATCHED", "MINED", "RETRYING", "CONFIRMED", "FAILED", "FAILED"]
NEWS: list[OrderEvent] = [
    accepted("live"), accepted("matched", "8"), accepted("matched", "20.345678"), accepted("delayed"), seen("LIVE", "4"),
    seen("MATCHED", "12"), seen("CANCELED", "4"), seen("CANCELED_EXPIRED_ORDER"), seen("INVALID"), refused(), unknown(),
    *(not_found(T0 + n * INTERVAL_MS) for n in range(1, 6)),
]  # fmt: skip


def fills(numbers: list[int]) -> st.SearchStrategy[Filled]:
    return st.tuples(st.sampled_from(numbers), st.integers(0, 3), st.sampled_from(STATUSES)).map(
        lambda one: fill_of(one[0], "abcd"[one[1]], one[2], *TRADES[one[0]][one[1]])
    )


def news(numbers: list[int]) -> st.SearchStrategy[OrderEvent]:
    pairs = st.tuples(st.sampled_from(numbers), st.sampled_from(NEWS))
    return pairs.map(lambda one: attrs.evolve(one[1], order_hash=hash_of(one[0])))


def operations(numbers: list[int]) -> st.SearchStrategy[list[Any]]:
    """Few orders at a time, so that what happens to them meets."""
    rare = st.sampled_from(["release", "release", D(0), D(1), D("0.5"), D("0.333333"), *numbers])
    # One kind of thing in twenty closes all positions: what comes after a sale has to have time to come.
    kinds = st.integers(0, 19).flatmap(
        lambda kind: rare if kind == 19 else news(numbers) if kind > 16 else fills(numbers)
    )
    return st.tuples(st.permutations(numbers), st.lists(kinds, min_size=12, max_size=28)).map(
        lambda two: [*two[0], *two[1]]
    )


OPERATIONS = st.sampled_from([[1, 4], [1, 4], [2, 5], [1, 2, 4], [1, 2, 3, 4, 5]]).flatmap(operations)


def perform(world: World, operation: Any) -> None:
    if isinstance(operation, int):
        world.journal(operation)
    elif isinstance(operation, Decimal):
        world.settle(operation)
    elif operation == "release":
        world.release_all()
    else:
        world.happens(operation)


@given(OPERATIONS, st.sampled_from([D(0), D(3)]))
@QUICK
def test_the_ledger_is_what_a_second_opinion_makes_of_the_whole_history(operations, cooldown_hours):
    world = World(cooldown_hours)
    for operation in operations:
        perform(world, operation)
        world.check()


EVERYONE = sorted(TRADES)


@given(
    st.lists(st.one_of(fills(EVERYONE), fills(EVERYONE), news(EVERYONE)), max_size=20),
    st.randoms(use_true_random=False),
)
@QUICK
def test_saying_it_all_again_changes_nothing(events, random):
    world = World(D(3))
    for number in (1, 2, 3, 4, 5):
        world.journal(number)
    said = []
    for event in events:
        world.happens(event)
        said.append(event)
        before = world.balance
        again = random.choice(said)
        if isinstance(again, Filled):
            world.happens(again)
            assert world.balance == before


@given(
    st.permutations([(number, trade) for number in (1, 2, 3) for trade in range(3)]), st.randoms(use_true_random=False)
)
@QUICK
def test_fills_may_come_in_any_order_and_the_money_is_the_same(order, random):
    worlds = []
    for sequence in (sorted(order), order):
        world = World(D(3))
        for number in (1, 2, 3):
            world.journal(number)
        for number, trade in sequence:
            status = "FAILED" if trade == 2 else "CONFIRMED"
            world.happens(fill_of(number, "abc"[trade], "MATCHED", *TRADES[number][trade]))
            if sequence is order and random.random() < 0.5:
                world.happens(fill_of(number, "abc"[trade], "MATCHED", *TRADES[number][trade]))
            world.happens(fill_of(number, "abc"[trade], status, *TRADES[number][trade]))
        world.check()
        worlds.append(world)
    plain, shuffled = worlds
    assert attrs.evolve(plain.balance, version=0) == attrs.evolve(shuffled.balance, version=0)
    for hash_, one in plain.books.orders.items():
        other = shuffled.books.orders[hash_]
        assert msgspec.structs.replace(one, version=0) == msgspec.structs.replace(other, version=0)


@pytest.mark.parametrize("sold", ["0", "10", "15", "20"])
@pytest.mark.parametrize("failing", ["a", "b"])
def test_a_purchase_that_fails_gives_back_what_it_cost_whatever_was_sold_of_it(sold, failing):
    world = World(D(0))
    world.journal(1)
    world.journal(4)
    parts = {"a": ("TAKER", "10", "0.50"), "b": ("TAKER", "10", "0.40")}
    for trade, part in parts.items():
        world.happens(fill_of(1, trade, "MATCHED", *part))
    proceeds = D(0)
    if D(sold):
        world.happens(fill_of(4, "s", "MATCHED", "MAKER", sold, "0.60"))
        proceeds = D(sold) * D("0.60")
    world.happens(attrs.evolve(seen("CANCELED", "20"), order_hash=hash_of(1)))
    world.happens(fill_of(1, failing, "FAILED", *parts[failing]))
    world.check()
    # The other one cost 10 x 0.40 + 0.12 or 10 x 0.50 + 0.125: that is all that was ever paid.
    paid = D("4.12") if failing == "a" else D("5.125")
    balance = world.balance
    assert balance.available == INITIAL - paid + proceeds
    assert world.books.orders[hash_of(1)].shares_open == max(D(0), 20 - D(sold) - 10)
