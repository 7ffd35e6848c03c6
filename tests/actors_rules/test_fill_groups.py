from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.deciding_world import trade
from property.examples import QUICK
from property.made_trades import transaction, wallet

from actors.rules.fill_groups import belongs, group_key, summed
from actors.rules.strategy_index import Needs

D = Decimal
BY_TRANSACTION, BY_WINDOW = Needs(transaction=True), Needs(window_s=30)
FIRST = trade(1).trade


def fill(**changes):
    return msgspec.structs.replace(FIRST, **changes)


def key(needs, one, part="part"):
    return group_key(part, needs, one)


def test_fills_of_one_transaction_wallet_and_token_are_one_group():
    assert key(BY_TRANSACTION, fill(trade_id="x", price=D("0.5"), size_micro=1)) == key(BY_TRANSACTION, FIRST)


@pytest.mark.parametrize("needs", [BY_TRANSACTION, BY_WINDOW])
@pytest.mark.parametrize("other", [{"wallet": wallet(2)}, {"token_id": "987"}])
def test_other_wallets_and_tokens_are_other_groups(needs, other):
    assert key(needs, fill(**other)) != key(needs, FIRST)


def test_another_transaction_is_another_group_only_where_transactions_are_summed_up():
    other = fill(transaction_hash=transaction(2))
    assert key(BY_TRANSACTION, other) != key(BY_TRANSACTION, FIRST)
    assert key(BY_WINDOW, other) == key(BY_WINDOW, FIRST)


def test_strategies_that_wait_for_different_things_keep_groups_of_their_own():
    assert key(BY_TRANSACTION, FIRST, "tx") != key(BY_TRANSACTION, FIRST, "tx+book500")


@pytest.mark.parametrize(
    ("later_ms", "is_same"), [(0, True), (30_000, True), (30_001, False), (-30_000, True), (-30_001, False)]
)
def test_a_window_holds_what_is_within_its_seconds_of_the_first_fill(later_ms, is_same):
    assert belongs(BY_WINDOW, FIRST, fill(trade_ms=FIRST.trade_ms + later_ms)) is is_same


def test_a_transaction_is_one_group_whatever_the_times_say():
    assert belongs(BY_TRANSACTION, FIRST, fill(trade_ms=FIRST.trade_ms + 10**9))


def test_a_golden_sum():
    # 10 shares for 4 USD and 30 for 15 USD: 40 shares for 19 USD, 0.475 each.
    both = summed([fill(size_micro=10_000_000, price=D("0.4")), fill(size_micro=30_000_000, price=D("0.5"))])
    assert (both.size_micro, both.price) == (40_000_000, D("0.475"))


def test_a_sum_without_an_end_has_eighteen_decimals():
    # (0.1 + 0.1 + 0.2) / 3 = 0.1333...
    three = summed([fill(size_micro=1, price=D(price)) for price in ("0.1", "0.1", "0.2")])
    assert str(three.price) == "0.133333333333333333"


def test_one_fill_is_itself():
    price = D("0.688999999893586712")
    assert summed([fill(price=price)]).price == price


sizes_and_prices = st.lists(
    st.tuples(st.integers(1, 10**15), st.integers(0, 10**18).map(lambda atto: D(atto).scaleb(-18))),
    min_size=1,
    max_size=8,
)


@QUICK
@given(sizes_and_prices, st.randoms())
def test_a_sum_loses_no_share_lies_between_its_prices_and_has_no_order(made, random):
    fills = [fill(size_micro=size, price=price) for size, price in made]
    total = summed(fills)
    assert total.size_micro == sum(size for size, _ in made)
    assert min(price for _, price in made) <= total.price <= max(price for _, price in made)
    exact = sum((size * Fraction(price) for size, price in made), Fraction(0)) / total.size_micro
    assert abs(Fraction(total.price) - exact) <= Fraction(1, 2 * 10**18)
    random.shuffle(fills)
    assert summed(fills) == total
