import attrs
import msgspec
import pytest
from actors_live.live_books import DAY, INTERVAL_MS, LOCK, SALE_HASH, balance, buckets, locked, say, sold, with_sale
from actors_live.live_cases import HASH, T0, D, accepted, filled, intent, sent, signed

from actors.rules.live.batch import Books
from actors.rules.live.booking import commitment, lock_posting
from actors.rules.live.ledger import Money, post
from actors.rules.live.settlement import release, settle_lot
from protocols.live.exits import ExitKind, LiveExit
from protocols.live.orders import LiveOrder, OrderOrigin, OrderStatus, Side


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
