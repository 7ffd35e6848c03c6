from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.made_decisions import TOKEN, account, close, decision, order
from property.made_trades import condition, wallet

from actors.paper_book import PaperBook
from actors.rules.paper.orders import as_open
from protocols.paper import SettledOrder
from protocols.receipts import ClosedShares, Receipt

TRADER, MARKET = wallet(1), condition(7)


def book(cash: str = "100") -> PaperBook:
    made = PaperBook()
    made.load([account(cash=cash)], {})
    return made


def bought(made: PaperBook, number: int = 1):
    one = order(number)
    decided = decision(f"trade-{number}", orders=(one,))
    made.reserve(decided)
    made.received([Receipt(key=decided.key, applied=True)])
    return one


def settlement(one, payout="25", outcome="WON"):
    return SettledOrder(
        order_id=one.order_id, wallet_id=one.wallet_id, payout=Decimal(payout), cost_released=one.cost, outcome=outcome,
        pnl=Decimal(payout) - one.cost,
    )  # fmt: skip


def test_a_decision_holds_its_cash_until_its_receipt_comes():
    made = book()
    decided = decision("t", orders=(order(1),))
    made.reserve(decided)
    assert made.available("BOT_1") == 90
    assert [one.shares for one in made.open_orders(TRADER, TOKEN)] == [25]
    assert not made.open_pairs()
    made.received([Receipt(key=decided.key, applied=True)])
    assert made.available("BOT_1") == 90
    assert [one.shares for one in made.open_orders(TRADER, TOKEN)] == [25]


def test_a_refusal_holds_the_cash_until_the_database_has_been_read():
    made = book()
    decided = decision("t", orders=(order(1),))
    made.reserve(decided)
    made.received([Receipt(key=decided.key, applied=False)])
    # The commit may have happened, and its answer been lost.
    assert made.available("BOT_1") == 90
    assert made.doubts
    made.load([account(cash="100")], made.changes(["BOT_1"]))
    assert made.available("BOT_1") == 100
    assert not made.doubts
    assert not made.in_flight


def test_an_order_that_the_database_left_out_gives_its_cash_back():
    made = book()
    one = order(1)
    decided = decision("t", orders=(one, order(2)))
    made.reserve(decided)
    made.received([Receipt(key=decided.key, applied=True, left_out=(one.order_id,))])
    assert made.available("BOT_1") == 90


def test_deciding_the_same_part_of_a_trade_again_reserves_nothing_twice():
    made = book()
    for _ in range(3):
        made.reserve(decision("t", orders=(order(1),)))
    assert made.available("BOT_1") == 90
    made.reserve(decision("t", part="tx", orders=(order(2),)))
    assert made.available("BOT_1") == 80


def test_shares_that_are_being_sold_are_sold_once():
    made = book()
    one = bought(made)
    sale = decision("s", closes=(close(1, one, "10"),))
    made.reserve(sale)
    assert [left.shares for left in made.open_orders(TRADER, TOKEN)] == [15]
    made.reserve(decision("s2", closes=(close(2, one, "15"),)))
    assert not made.open_orders(TRADER, TOKEN)
    sold = ClosedShares(
        order_id=one.order_id, wallet_id="BOT_1", shares=Decimal(10), proceeds=Decimal(5), cost_released=Decimal(4),
        shares_left=Decimal(15), cost_left=Decimal(6),
    )  # fmt: skip
    made.received([Receipt(key=sale.key, applied=True, closed=(sold,))])
    assert made.available("BOT_1") == 95
    made.received([Receipt(key=("s2", "now"), applied=False)])
    (left,) = made.open_orders(TRADER, TOKEN)
    assert (left.shares, left.cost, left.realized) == (15, 6, 1)


def test_what_is_settled_is_paid_and_closed():
    made = book()
    one = bought(made)
    made.settled([settlement(one)])
    assert made.available("BOT_1") == 115
    assert not made.open_pairs()


def test_a_settlement_that_comes_before_the_receipt_of_its_order_is_not_lost():
    made = book()
    one = order(1)
    decided = decision("t", orders=(one,))
    made.reserve(decided)
    made.settled([settlement(one)])
    assert made.available("BOT_1") == 90
    made.received([Receipt(key=decided.key, applied=True)])
    assert made.available("BOT_1") == 115
    assert not made.open_pairs()


def test_a_reading_of_the_database_never_undoes_what_was_committed_since():
    made = book()
    read = account(cash="100")
    changes = made.changes(["BOT_1"])
    bought(made)
    made.load([read], changes)
    assert made.available("BOT_1") == 90
    made.load([account(cash="70")], made.changes(["BOT_1"]))
    assert made.available("BOT_1") == 70
    assert not made.open_pairs()


def test_an_account_with_decisions_on_their_way_is_not_read_over():
    made = book()
    decided = decision("t", orders=(order(1),))
    made.reserve(decided)
    made.load([account(cash="50")], made.changes(["BOT_1"]))
    made.received([Receipt(key=decided.key, applied=True)])
    assert made.available("BOT_1") == 90


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "apply", "refuse", "leave out", "settle"]), st.integers(0, 6)), max_size=40
)


@QUICK
@given(steps=STEPS)
def test_cash_is_what_it_was_less_what_is_bought_or_on_its_way_plus_what_was_paid(steps):
    made = book("1000")
    reserved, opened, paid, done, doubted = set(), set(), 0, set(), 0
    for step, number in steps:
        one = order(number)
        decided = decision(f"trade-{number}", orders=(one,))
        if step == "reserve" and number not in opened | done:
            made.reserve(decided)
            reserved.add(number)
        elif step in ("apply", "refuse", "leave out"):
            left_out = (one.order_id,) if step == "leave out" else ()
            made.received([Receipt(key=decided.key, applied=step != "refuse", left_out=left_out)])
            if step == "apply" and number in reserved:
                opened.add(number)
            doubted += step == "refuse" and number in reserved
            reserved.discard(number)
        elif step == "settle" and number in opened:
            made.settled([settlement(one)])
            opened.discard(number)
            done.add(number)
            paid += 1
        held = len(reserved) + len(opened) + len(done) + doubted
        assert made.available("BOT_1") == 1000 - 10 * held + 25 * paid
        assert {left.order_id for left in made.open_orders(TRADER, TOKEN)} == {
            order(n).order_id for n in opened | reserved
        }
        assert made.accounts["BOT_1"].reserved == 10 * len(reserved)


def held(made: PaperBook, event_slug=None, condition_id=MARKET):
    return sorted(one.order_id[-1] for one in made.positions("BOT_1", condition_id, event_slug))


def test_nothing_is_kept_by_market_of_a_strategy_that_nobody_watches():
    made = book()
    bought(made)
    assert held(made) == []
    made.watch({"BOT_1"})
    assert held(made) == ["1"], "what it held before is found"
    made.watch(())
    assert held(made) == []


def test_what_is_on_its_way_open_or_being_sold_is_held_until_a_commit_says_otherwise():
    made = book()
    made.watch({"BOT_1"})
    coming = decision("t", orders=(order(1),))
    made.reserve(coming)
    assert held(made) == ["1"]
    made.received([Receipt(key=coming.key, applied=True)])
    assert held(made) == ["1"]
    sale = decision("s", closes=(close(1, order(1), "25"),))
    made.reserve(sale)
    assert held(made) == ["1"]
    gone = ClosedShares(
        order_id=order(1).order_id, wallet_id="BOT_1", shares=Decimal(25), proceeds=Decimal(10), cost_released=Decimal(10),
        shares_left=Decimal(0), cost_left=Decimal(0),
    )  # fmt: skip
    made.received([Receipt(key=sale.key, applied=True, closed=(gone,))])
    assert held(made) == []


def test_a_decision_made_again_replaces_what_it_held():
    made = book()
    made.watch({"BOT_1"})
    made.reserve(decision("t", orders=(order(1),)))
    made.reserve(decision("t"))
    assert held(made) == []


def test_an_order_in_doubt_is_held_until_the_database_has_been_read():
    made = book()
    made.watch({"BOT_1"})
    one = decision("t", orders=(order(1, event_slug="cup"),))
    made.reserve(one)
    made.received([Receipt(key=one.key, applied=False)])
    assert held(made) == held(made, "cup", "0xother") == ["1"]
    # It is bought after all: then it is open, and the end of the doubt does not take it away.
    made.reserve(one)
    made.received([Receipt(key=one.key, applied=True)])
    made.load([account("BOT_1", "90", as_open(order(1, event_slug="cup")))], made.changes(["BOT_1"]))
    assert held(made) == ["1"]
    other = decision("u", orders=(order(2),))
    made.reserve(other)
    made.received([Receipt(key=other.key, applied=False)])
    assert held(made) == ["1", "2"]
    made.load([account("BOT_1", "90", as_open(order(1, event_slug="cup")))], made.changes(["BOT_1"]))
    assert held(made) == ["1"]


def test_markets_of_one_event_are_found_together():
    made = book()
    made.watch({"BOT_1"})
    for number, market, slug in ((1, MARKET, "cup"), (2, "0xother", "cup"), (3, "0xother", None), (4, MARKET, None)):
        one = decision(f"t{number}", orders=(order(number, condition_id=market, event_slug=slug),))
        made.reserve(one)
    assert held(made, "cup") == ["1", "2", "4"]
    assert held(made) == ["1", "4"]
    assert held(made, "another", "0xother") == ["2", "3"]
