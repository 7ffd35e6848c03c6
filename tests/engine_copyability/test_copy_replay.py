"""Trades copied through the replay: costs as the slow reference has them, reasons counted, and nothing seen too early."""

from decimal import Decimal
from fractions import Fraction

import pytest
from engine_copyability.copy_world import BEGAN_S, LEADER, OTHER, copied, market, prices_of, token, trade
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference.reference_copyability import held_to_the_end

from engine.copyability.copy_replay import Assumed

CLOSE = Fraction(2, 100_000)
cents = st.integers(2, 98).map(lambda cent: Decimal(cent) / 100)


def only(found):
    [at_size] = found.values()
    [copy] = at_size.copies
    return copy


@settings(max_examples=40, deadline=None)
@given(
    leader=cents,
    then=cents,
    size=st.sampled_from([1, 20, 250, 3_000]),
    wins=st.booleans(),
    rate=st.sampled_from(["0", "0.05", "0.07"]),
    turnover=st.sampled_from([1, 3_000, 60_000]),
)
def test_a_copy_that_is_held_costs_what_the_slow_reference_says(leader, then, size, wins, rate, turnover):
    moved = trade(1, 2, then, wallet=OTHER, size=turnover)
    played = copied([trade(1, 0, leader)], [market(1, wins=wins, rate=rate)], [size], others=[moved])
    day_usd = Fraction(100 * leader + then * turnover)
    expected = held_to_the_end(
        Fraction(size), Fraction(leader), Fraction(then), day_usd, Fraction(int(wins)), Fraction(rate)
    )
    if expected is None:
        assert played[Decimal(size)].left_out == {"slippage_exceeded": 1}
        return
    copy = only(played)
    found = {"net": copy.net, "gross": copy.gross, "delay": copy.costs.delay, "spread": copy.costs.spread}
    found |= {"depth": copy.costs.depth, "fees": copy.costs.fees}
    for name, ours in found.items():
        # The ledger has six decimals, and a level whose size is rounded may move a hundredth of a share.
        assert abs(Fraction(ours) - getattr(expected, name)) <= CLOSE + Fraction(size, 20_000), name


@settings(max_examples=25, deadline=None)
@given(
    bought=cents,
    sold=cents,
    moved_pct=st.integers(-50, 50),
    after_sale=cents,
    part=st.sampled_from([25, 50, 100]),
    wins=st.booleans(),
)
def test_a_sale_is_copied_in_proportion_and_its_costs_add_up(bought, sold, moved_pct, after_sale, part, wins):
    after_buy = min(bought * (100 + moved_pct) / 100, Decimal("0.98"))
    rows = [trade(1, 0, bought), trade(1, 600, sold, side="SELL", size=part)]
    others = [trade(1, 2, after_buy, wallet=OTHER), trade(1, 602, after_sale, wallet=OTHER)]
    copy = only(copied(rows, [market(1, wins=wins)], [20], others=others))
    shares = shares_bought(bought, after_buy)
    kept = 1 - Decimal(part) / 100
    at_his_prices = shares * (kept * int(wins) + (1 - kept) * sold - bought)
    assert abs(copy.gross - at_his_prices) < Decimal("0.01")
    assert copy.gross - copy.costs.total == copy.net


def shares_bought(leader, price):
    """How many shares 20 USD bought when the price was this: what they would pay at one USD each."""
    turnover = 100 * (leader + price)
    paid = held_to_the_end(
        Fraction(20), Fraction(leader), Fraction(price), Fraction(turnover), Fraction(1), Fraction(0)
    )
    assert paid is not None
    shares = paid.gross / (1 - Fraction(leader))
    return Decimal(shares.numerator) / Decimal(shares.denominator)


def test_the_price_at_our_order_counts_and_not_the_leaders():
    cheap = only(copied([trade(1, 0, "0.50")], [market(1, wins=True)], others=[trade(1, 3, "0.40", wallet=OTHER)]))
    dear = only(copied([trade(1, 0, "0.50")], [market(1, wins=True)], others=[trade(1, 3, "0.60", wallet=OTHER)]))
    late = only(copied([trade(1, 0, "0.50")], [market(1, wins=True)], others=[trade(1, 4, "0.60", wallet=OTHER)]))
    assert cheap.costs.delay < 0 < dear.costs.delay
    assert late.costs.delay == 0
    assert cheap.net > late.net > dear.net


def test_the_opposite_token_tells_the_price_too():
    other = trade(1, 2, "0.30", outcome=1, wallet=OTHER)
    copy = only(copied([trade(1, 0, "0.50")], [market(1, wins=True)], others=[other]))
    assert copy.costs.delay > 0
    tape = prices_of([trade(1, 0, "0.50"), other])
    assert tape.price_at(token(1), (BEGAN_S + 2) * 1000) == Decimal("0.50")
    tape.pair({"1": (token(1), token(1, 1))})
    assert tape.price_at(token(1), (BEGAN_S + 2) * 1000) == Decimal("0.70")
    assert tape.price_at(token(1), (BEGAN_S + 1) * 1000) == Decimal("0.50")
    assert tape.price_at(token(1), (BEGAN_S - 1) * 1000) is None
    assert tape.price_at("77", BEGAN_S * 1000) is None


def test_turnover_is_that_of_the_24_hours_before():
    tape = prices_of([trade(1, 0, "0.5", size=100), trade(1, 86_399, "0.25", size=8, outcome=1), trade(2, 5, "0.9")])
    at = [tape.day_usd(token(1), (BEGAN_S + second) * 1000) for second in (-1, 0, 86_399, 86_400, 200_000)]
    assert at == [0, 50, 52, 2, 0]


def test_fills_of_one_transaction_are_one_purchase():
    rows = [
        trade(1, 0, "0.50", size=10, transaction=7),
        trade(1, 0, "0.52", size=30, transaction=7),
        trade(1, 1, "0.5"),
    ]
    found = copied(rows, [market(1, wins=True)])[Decimal(20)]
    assert len(found.copies) == 2
    assert sum(one.wanted for one in found.copies) == 40


def test_what_is_left_out_is_counted_by_its_reason():
    rows = [
        trade(1, 0, "0.5"),
        trade(2, 10, "0.5"),
        trade(3, 20, "0.5"),
        trade(4, 30, "0.5", side="SELL"),
        trade(5, 50, "0.5"),
        trade(5, 999, "0.5"),
    ]
    markets = [market(1, wins=True), market(2, wins=None), market(4, wins=True), market(5, wins=False, closed_s=60)]
    found = copied(rows, markets)[Decimal(20)]
    assert len(found.copies) == 2
    assert found.left_out == {"unresolved": 1, "unknown_market": 1, "not_buy": 1, "market_resolved": 1}


def test_a_size_below_the_venues_minimum_copies_nothing():
    found = copied([trade(1, 0, "0.5")], [market(1, wins=True)], ["0.99", 1])
    assert found[Decimal("0.99")].left_out == {"below_minimum": 1}
    assert not found[Decimal("0.99")].copies
    assert len(found[Decimal(1)].copies) == 1


def test_a_sale_below_the_venues_minimum_is_counted():
    rows = [trade(1, 0, "0.5"), trade(1, 600, "0.5", side="SELL", size=3)]
    assert copied(rows, [market(1, wins=True)])[Decimal(20)].sales_below_minimum == 1


def test_a_thin_book_fills_a_part_and_that_is_the_stake():
    copy = only(copied([trade(1, 0, "0.5", size=1)], [market(1, wins=True)], [90_000]))
    assert copy.stake < copy.wanted == 90_000


trades = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 2]), st.integers(0, 60), cents, st.sampled_from(["BUY", "BUY", "SELL"]), st.integers(1, 500)
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    mine=trades,
    theirs=trades,
    cut=st.integers(5, 60),
    delay_ms=st.sampled_from([0, 700, 3_000, 20_000]),
    wins=st.booleans(),
)
def test_nothing_of_a_result_changes_when_later_rows_are_added(mine, theirs, cut, delay_ms, wins):
    """What a copy of a trade before a moment cost is the same whatever is traded, by whom and at what price, after it."""
    markets = [market(number, wins=wins, closed_s=300) for number in (1, 2)]

    def made(some, wallet, first):
        return [
            trade(number, at_s, price, side=side, size=size, wallet=wallet, transaction=first + n)
            for n, (number, at_s, price, side, size) in enumerate(some)
        ]

    leaders, others = made(mine, LEADER, 0), made(theirs, OTHER, 100)
    known = [row for row in leaders if row.timestamp_s < BEGAN_S + cut]
    assume(known)
    # His later sales end copies in another way, which is no look-ahead: later he only buys.
    later = [row for row in leaders if row.timestamp_s >= BEGAN_S + cut and row.side == "BUY"]
    others_known = [row for row in others if row.timestamp_s < BEGAN_S + cut]
    # An order of ours is in the book after the delay; one that waits for another of the same token, after two.
    safe_ms = (BEGAN_S + cut) * 1000 - 2 * delay_ms - 100
    sides = []
    for rows, around in ((known, others_known), ([*known, *later], others)):
        found = copied(rows, markets, [20], others=around, assumed=Assumed(delay_ms=delay_ms))[Decimal(20)]
        sold_later = {row.token_id for row in known if row.side == "SELL" and row.timestamp_s * 1000 > safe_ms}
        sides.append([one for one in found.copies if one.trade_ms <= safe_ms and not sold_later])
    assert sides[0] == sides[1]


@pytest.mark.parametrize("sizes", [[20], [5, 20, 100]])
def test_other_sizes_beside_it_change_nothing(sizes):
    rows = [trade(number, number * 50, "0.4") for number in range(1, 6)]
    markets = [market(number, wins=number % 2 == 0) for number in range(1, 6)]
    assert copied(rows, markets, sizes)[Decimal(20)] == copied(rows, markets)[Decimal(20)]
