from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from reference.reference_portfolio import results_of

from actors.rules.portfolio.book import CopyBook
from actors.rules.portfolio.figures import days_of, totals_of, traders_of, valued_at
from actors.rules.portfolio.matching import DAY_US
from actors.rules.portfolio.pricing import Price, PriceSource
from protocols.portfolio import CopiedFill, TokenFacts

TRADERS = ["0xa", "0xb", None]
TOKENS = ["t1", "t2", "m::yes"]


@st.composite
def histories(draw):
    """Fills in the order in which the database gives them, with partial fills, fees, sales of nothing, and closes."""
    fills, bought = [], {}
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["s1", "s2"]), st.sampled_from(TOKENS), st.sampled_from(TRADERS),
                st.sampled_from(["BUY", "BUY", "SELL", "MORE", "CLOSE"]), st.integers(1, 5_000_000),
                st.integers(0, 1_000_000), st.integers(0, 30_000), st.integers(0, 3 * DAY_US),
            ),
            max_size=30,
        )
    )  # fmt: skip
    for number, (scope, token, trader, what, shares, price, fee, at_us) in enumerate(
        sorted(steps, key=lambda s: s[-1])
    ):
        order_id, side = f"o{number}", "SELL" if what == "SELL" else "BUY"
        own = bought.setdefault((scope, token), [])
        if what in ("MORE", "CLOSE") and own:
            order_id, trader, whole = draw(st.sampled_from(own))
            if what == "CLOSE":
                shares, side, fee = whole, "CLOSE", 0
                own.remove((order_id, trader, whole))
        elif side == "BUY":
            own.append((order_id, trader, shares))
        usd = (shares * price + 500_000) // 1_000_000
        fills.append(CopiedFill(scope, token, order_id, trader, side, shares, usd, fee, at_us))
    return fills


payouts = st.dictionaries(
    st.sampled_from(TOKENS),
    st.tuples(st.sampled_from(["0", "0.5", "1", "0.333333"]), st.integers(0, 4 * DAY_US)),
    max_size=3,
)


def booked(fills, paid, portion=1_000):
    book = CopyBook()
    for start in range(0, len(fills), portion):
        book.take(fills[start : start + portion])
    facts = {
        token: TokenFacts(token_id=token, payout=Decimal(usd), resolved_us=at_us)
        for token, (usd, at_us) in paid.items()
    }
    book.settle(facts, 10 * DAY_US)
    return book


@settings(max_examples=400, deadline=None)
@given(histories(), payouts, st.integers(1, 7))
def test_every_position_is_what_slow_fractions_say(fills, paid, portion):
    book = booked(fills, paid, portion)
    exact = results_of(fills, {token: (Fraction(usd), at_us) for token, (usd, at_us) in paid.items()})
    assert {(one.scope, one.token_id) for one in book.positions} == set(exact)
    near = len(fills) + 1
    for day in days_of(book.days.values()):
        assert abs(day.realized - sum(one.by_day.get(day.number, 0) for one in exact.values())) <= near
    for one in book.positions:
        slow = exact[one.scope, one.token_id]
        assert one.shares == slow.shares
        assert one.bought == slow.bought
        assert abs(one.cost - slow.cost) <= near
        assert abs(one.realized - slow.realized) <= near
        assert abs(one.unmatched - slow.unmatched) <= near
        for order_id, order in one.orders.items():
            if order.is_buy:
                assert abs(order.realized - slow.by_order.get(order_id, 0)) <= near


@settings(max_examples=300, deadline=None)
@given(histories(), payouts, st.dictionaries(st.sampled_from(TOKENS), st.sampled_from(["0", "0.25", "1"])))
def test_nothing_is_lost_between_the_figures(fills, paid, marks):
    book = booked(fills, paid)
    valued = [
        valued_at(one, None if one.token_id not in marks or not one.is_open
               else Price(usd=Decimal(marks[one.token_id]), source=PriceSource.MARKET, at_us=None))
        for one in book.positions
    ]  # fmt: skip
    totals, traders, days = totals_of(valued), traders_of(valued), days_of(book.days.values())
    buys = [fill for fill in fills if fill.side == "BUY"]
    assert totals.volume == sum(fill.usd + fill.fee for fill in buys) == sum(one.invested for one in traders)
    assert totals.volume == sum(day.bought for day in days)
    assert totals.realized == sum(one.realized for one in traders) == sum(day.realized for day in days)
    assert totals.buys == len({fill.order_id for fill in buys}) == sum(one.copies for one in traders)
    assert totals.open_cost == sum(one.open_cost for one in traders)
    assert totals.unmarked_cost == sum(one.unmarked_cost for one in traders)
    assert totals.winning + totals.losing <= totals.closed_positions
    assert totals.open_positions + totals.closed_positions == sum(one.is_position for one in book.positions)
    for one in book.positions:
        orders = one.orders.values()
        assert one.shares == sum(order.shares_open for order in orders) == sum(one.open_by_trader().values())
        assert one.cost == sum(order.cost_open for order in orders)
        assert one.bought_shares == one.shares + one.sold_shares + one.settled_shares
    if totals.unrealized is not None:
        assert abs(totals.unrealized - sum(one.unrealized for one in traders)) <= len(fills)
