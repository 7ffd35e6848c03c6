import datetime

from actors_live.live_books import DAY, INTERVAL_MS, LOCK, balance, buckets, locked, say, sold, with_sale
from actors_live.live_cases import HASH, T0, D, accepted, filled, not_found, refused, seen, sent

from actors.rules.live.booking import lock_posting
from actors.rules.live.ledger import Money, can_lock, post
from protocols.live.money import Posting, PostingKind
from protocols.live.orders import OrderStatus, OrderType


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
