import datetime

import attrs
import msgspec
import pytest
from actors_live.live_cases import HASH, T0, D, accepted, filled, intent, not_found, refused, seen, sent, signed

from actors.rules.live.batch import Books
from actors.rules.live.booking import commitment, lock_posting
from actors.rules.live.ledger import Money, can_lock, post
from actors.rules.live.settlement import release, settle_lot
from protocols.live.events import OrderEvent
from protocols.live.exits import ExitKind, LiveExit
from protocols.live.money import LiveBalance, Posting, PostingKind
from protocols.live.orders import LiveOrder, OrderOrigin, OrderStatus, OrderType, Side

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
        orders={order.signed.order_hash: order}, fills={}, balances={"LT_A": money.balance}, cooldown_hours={"LT_A": D(3)}
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


def test_what_vanished_at_the_venue_gives_its_lock_back_and_only_once():
    books = locked(sent())
    after = say(books, *(not_found(T0 + n * INTERVAL_MS) for n in (1, 2, 3)))
    assert buckets(after) == ("100", "0", "0", "0", "0")
    assert say(books, *(not_found(T0 + n * INTERVAL_MS) for n in (4, 5, 6, 7, 8))) == after


def test_a_lost_order_keeps_the_shares_that_it_bought():
    books = locked(sent(order_type=OrderType.GTC))
    after = say(books, filled("a", "8", "0.50"), *(not_found(T0 + n * INTERVAL_MS) for n in (3, 4, 5)))
    order = books.orders[HASH]
    assert (order.status, order.shares_open, order.cost_open) == (OrderStatus.LOST, D(8), D("4.1"))
    assert buckets(after) == ("95.9", "4.1", "0", "0", "0")


def test_the_final_part_of_an_order_is_final():
    books = locked(sent())
    events = (accepted("matched", "8"), filled("a", "8", "0.50"))
    after = say(books, *events)
    assert buckets(after) == ("95.9", "4.1", "0", "0", "0")
    assert say(books, *events, seen("MATCHED", "8"), seen("CANCELED", "8"), *events) == after


def test_a_part_with_a_live_rest_keeps_what_the_rest_may_cost():
    order = sent(order_type=OrderType.GTC, spend_usd=None)
    after = say(locked(order), accepted("live"), filled("a", "8", "0.40"))
    # 8 x 0.40 and a fee of 8 x 0.05 x 0.24; 12 of 20 shares may still cost 12/20 of the lock.
    cost, rest = D("3.296"), D("6.30006")
    assert (after.locked, after.available) == (cost + rest, 100 - cost - rest)


def test_nothing_is_spent_by_an_order_that_was_cancelled():
    books = locked(sent(order_type=OrderType.GTC))
    after = say(books, accepted("live"), seen("CANCELED", "0"))
    assert buckets(after) == ("100", "0", "0", "0", "0")
    assert [one.days for one in books.done if one.days] == []


def test_a_fill_after_midnight_is_spent_on_its_own_day():
    midnight = int(datetime.datetime(2026, 11, 19, tzinfo=datetime.UTC).timestamp() * 1000)
    books = locked(sent(order_type=OrderType.GTC))
    say(books, filled("a", "4", match_ms=midnight - 1, at_ms=midnight + 5), filled("b", "4", match_ms=midnight))
    spent = {day: figures.spent_usd for one in books.done for day, figures in one.days.items()}
    assert spent == {DAY: D("2.05"), DAY + datetime.timedelta(days=1): D("2.05")}


def test_of_two_locks_for_all_the_cash_one_is_granted():
    start = balance("10.5001")
    assert can_lock(start, LOCK)
    money = post(Money(start), lock_posting("one", "LT_A", LOCK))
    assert money.balance is not None
    assert not can_lock(money.balance, LOCK)
    assert not can_lock(money.balance, D("0.000001"))


def test_profits_are_lockable_and_no_cancelled_order_takes_them_away():
    rich = balance("100", available=D(600), realized_pnl=D(500), peak_equity=D(600))
    assert can_lock(rich, D(600))
    after = say(locked(sent(), rich), refused())
    assert (after.available, after.equity, after.peak_equity) == (D(600), D(600), D(600))


def test_a_fact_always_books_and_what_cannot_be_paid_is_drift():
    books = locked(sent(), balance("10.5001"))
    assert say(books, *(not_found(T0 + n * INTERVAL_MS) for n in (1, 2, 3))).available == LOCK
    money = post(Money(books.balances["LT_A"]), lock_posting("another", "LT_A", D(10)))
    assert money.balance is not None
    books.balances["LT_A"] = money.balance
    after = say(books, filled("late", "20", "0.50"))
    # 10.25 came to be paid, 0.5001 was there.
    assert buckets(after) == ("0", "20.25", "0", "0", "9.7499")
    assert not can_lock(after, D("0.000001"))


def test_money_that_comes_pays_the_drift_back_first():
    short = balance("100", available=D(0), locked=D(110), drift=D(10))
    entry = Posting(strategy_id="LT_A", cause="x", kind=PostingKind.COMMITMENT, available=D(25), locked=D(-25))
    money = post(Money(short), entry)
    assert money.balance is not None
    assert buckets(money.balance) == ("15", "85", "0", "0", "0")
    assert (money.lines[0].drift, money.lines[0].available) == (D(-10), D(15))


def test_the_peak_never_falls():
    books = with_sale(locked(sent()))
    say(books, filled("a", "20", "0.50"))
    up = say(books, sold("s", "10", "0.90"))
    down = say(books, sold("t", "10", "0.01"))
    assert up.peak_equity == up.equity > 100
    assert down.equity < 100
    assert down.peak_equity == up.peak_equity


def test_half_sold_at_a_profit_is_profit_and_cools_down():
    books = with_sale(locked(sent()))
    say(books, accepted("matched", "20"), filled("a", "20", "0.50"))
    after = say(books, sold("s", "10", "0.60"))
    # Half of 10.25 is given back; 10 x 0.60 less 10 x 0.05 x 0.24 comes in.
    assert buckets(after) == ("89.75", "5.125", "5.88", "0.755", "0")
    lot = books.orders[HASH]
    assert (lot.shares_open, lot.cost_open, lot.realized_usd) == (D(10), D("5.125"), D("0.755"))
    cooldown = books.done[-1].cooldown
    assert cooldown is not None
    assert (cooldown.amount, cooldown.available_ms) == (D("5.88"), T0 + 30 + 3 * 3_600_000)
    assert books.done[-1].days[DAY].pnl_usd == D("0.755")


def test_a_cooldown_of_zero_is_no_cooldown():
    books = with_sale(locked(sent()))
    books.cooldown_hours = {"LT_A": D(0)}
    say(books, accepted("matched", "20"), filled("a", "20", "0.50"))
    after = say(books, sold("s", "20", "0.60"))
    assert buckets(after) == ("101.51", "0", "0", "1.51", "0")
    assert books.done[-1].cooldown is None


def test_a_sale_is_booked_when_it_is_filled_and_not_when_it_is_placed():
    books = with_sale(locked(sent()))
    before = say(books, accepted("matched", "20"), filled("a", "20", "0.50"))
    assert say(books, attrs.evolve(accepted("live"), order_hash=SALE_HASH)) == before
    assert books.orders[HASH].shares_open == 20


def test_a_sale_that_fails_is_taken_back_once():
    books = with_sale(locked(sent()))
    before = say(books, accepted("matched", "20"), filled("a", "20", "0.50"))
    say(books, sold("s", "20", "0.30"))
    assert books.done[-1].days[DAY].lost_usd == D("4.46")
    after = say(books, sold("s", "20", "0.30", "FAILED"), sold("s", "20", "0.30", "FAILED"))
    assert buckets(after) == buckets(before)
    assert books.done[-1].days[DAY].lost_usd == D("-4.46")
    assert (books.done[-1].cooled, books.done[-1].sold) == (f"sale:{SALE_HASH}:s", D(-20))


def test_what_had_cooled_down_is_taken_from_spendable_money_when_its_sale_fails():
    books = with_sale(locked(sent()))
    say(books, accepted("matched", "20"), filled("a", "20", "0.50"), sold("s", "20", "0.30"))
    entry = books.done[-1].cooldown
    assert entry is not None
    money = release(books.balances["LT_A"], entry)
    assert money.balance is not None
    books.balances["LT_A"] = money.balance
    books.cooling.clear()
    assert buckets(say(books, sold("s", "20", "0.30", "FAILED"))) == ("89.75", "10.25", "0", "0", "0")


def test_more_shares_sold_than_were_held_bring_money_that_cost_nothing():
    books = with_sale(locked(sent()))
    say(books, accepted("matched", "8"), filled("a", "8", "0.50"))
    after = say(books, sold("s", "10", "0.60", role="MAKER"))
    assert buckets(after) == ("95.9", "0", "6", "1.9", "0")
    assert [(sale.shares, sale.cost_released) for sale in books.done[-1].sales] == [(D(8), D("4.1"))]


def test_an_exit_sells_the_lots_that_it_is_about_before_any_other():
    his, other, later = "0x" + "11" * 20, "0x" + "22" * 20, T0 + 9_000
    books = locked(sent(intent=intent(trader=other, signal_ms=T0 - 5)))
    for number, (trader, signal_ms) in enumerate([(his, T0 - 2), (his, later), (his, T0 - 3)], 2):
        about = intent(trader=trader, signal_ms=signal_ms, order_id=f"00000000-0000-5000-8000-{number:012d}")
        order = sent(intent=about, order_hash="0x" + f"{number:02x}" * 32)
        books.orders["0x" + f"{number:02x}" * 32] = order
        books.lots[about.order_id] = order
        money = post(Money(books.balances["LT_A"]), lock_posting(about.order_id, "LT_A", LOCK))
        assert money.balance is not None
        books.balances["LT_A"] = money.balance
    for hash_ in list(books.orders):
        say(books, attrs.evolve(filled("a", "10", "0.50"), order_hash=hash_))
    books.exits["exit-1"] = LiveExit(
        exit_id="exit-1", strategy_id="LT_A", cause="his sale", kind=ExitKind.TRADER_SELL, condition_id="0xc0",
        token_id="77", trader=his, share=D(1), signal_price=D("0.5"), signal_ms=T0, created_ms=T0,
        deadline_ms=T0 + 1, next_try_ms=T0,
    )  # fmt: skip
    with_sale(books)
    books.orders[SALE_HASH] = msgspec.structs.replace(
        books.orders[SALE_HASH], intent=intent(Side.SELL, cause="exit-1", origin=OrderOrigin.EXIT, order_id="sale")
    )
    say(books, sold("s", "25", "0.50"))
    assert [sale.lot_order_id[-1] for sale in books.done[-1].sales] == ["4", "2", "1"]
    assert books.sold_by_exit() == {"exit-1": D(25)}


@pytest.mark.parametrize(
    ("payout", "outcome", "value", "pnl", "lost"),
    [("1", "WON", "20", "9.75", "0"), ("0", "LOST", "0", "-10.25", "10.25"), ("0.5", "VOID", "10", "-0.25", "0.25")],
)
def test_a_resolution_pays_shares_and_its_value_waits_for_redemption(payout, outcome, value, pnl, lost):
    books = locked(sent())
    say(books, accepted("matched", "20"), filled("a", "20", "0.50"))
    done = settle_lot(books.orders[HASH], D(payout), books.balances["LT_A"])
    assert done.money.balance is not None
    assert (done.settled.outcome, done.settled.value, done.settled.pnl) == (outcome, D(value), D(pnl))
    assert (done.day.pnl_usd, done.day.lost_usd) == (D(pnl), D(lost))
    after = done.money.balance
    assert (after.available, after.locked, after.cooldown, after.realized_pnl) == (D("89.75"), 0, D(value), D(pnl))
    assert (done.cooldown is None) == (D(value) == 0)
    if done.cooldown is not None:
        assert (done.cooldown.available_ms, done.cooldown.condition_id) == (None, "0xc0")
    assert (done.lot.shares_open, done.lot.cost_open) == (0, 0)


def test_a_won_stake_without_fee_earns_the_stake_by_its_price():
    # S (1 - p) / p: 12 USD at 0.40 win 18.
    order = LiveOrder(intent=intent(), signed=signed(fee_rate=D(0), spend_usd=D(12), size_shares=D(30), lock_usd=D(12)))
    books = locked(order)
    say(books, accepted("matched", "30"), filled("a", "30", "0.40"))
    assert settle_lot(books.orders[HASH], D(1), books.balances["LT_A"]).settled.pnl == 18


def test_a_position_that_was_settled_and_opened_again_is_another_settlement():
    books = locked(sent())
    say(books, accepted("matched", "8"), filled("a", "8", "0.50"))
    first = settle_lot(books.orders[HASH], D(1), books.balances["LT_A"])
    books.orders[HASH], books.balances["LT_A"] = first.lot, first.money.balance or balance()
    say(books, filled("late", "4", "0.50"))
    second = settle_lot(books.orders[HASH], D(1), books.balances["LT_A"])
    assert second.settled.value == 4
    assert first.money.lines[0].posting.cause != second.money.lines[0].posting.cause


def test_an_order_by_hand_has_fills_and_shares_but_no_ledger():
    order = sent(intent=intent(strategy_id="manual:main", origin=OrderOrigin.MANUAL))
    books = Books(orders={HASH: order}, fills={}, balances={}, cooldown_hours={})
    books.book_all([accepted("matched", "20"), filled("a", "20", "0.50")], not_found_interval_ms=INTERVAL_MS)
    after = books.orders[HASH]
    assert (after.status, after.shares_open, commitment(after)) == (OrderStatus.FILLED, D(20), D("10.25"))
    assert [one.money.lines for one in books.done] == [(), ()]
    assert settle_lot(after, D(1), None).cooldown is None


def test_the_price_of_an_order_is_what_its_fills_cost_and_not_its_limit():
    books = locked(sent(), balance())
    say(books, accepted("matched", "100"), filled("a", "40", "0.10"), filled("b", "60", "0.10", role="MAKER"))
    assert books.orders[HASH].average_price == D("0.1")
    assert books.orders[HASH].fee_usd == D("0.18")


def test_matched_without_an_amount_ends_nothing():
    for said in (accepted("matched", "0"), seen("LIVE", "0")):
        books = locked(sent())
        after = say(books, said)
        assert (books.orders[HASH].status, after.locked) == (OrderStatus.PENDING, LOCK)
    books = locked(sent())
    say(books, seen("MATCHED", "0"))
    assert not books.orders[HASH].ended
    say(books, filled("a", "20", "0.50"))
    assert books.orders[HASH].status is OrderStatus.FILLED
