import itertools

import msgspec
import pytest
from actors_live.live_cases import (
    EVERY_KIND,
    T0,
    D,
    accepted,
    filled,
    intent,
    not_found,
    refused,
    seen,
    sent,
    unknown,
)
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.live.order_life import EVENTS, TABLE, OrderState, advance, state_of
from protocols.live.events import OrderEvent
from protocols.live.orders import Fill, LiveOrder, OrderStatus, OrderType, Side

INTERVAL_MS = 20_000


def run(
    order: LiveOrder, *events: OrderEvent, known: dict[str, Fill] | None = None
) -> tuple[LiveOrder, dict[str, Fill]]:
    fills: dict[str, Fill] = dict(known or {})
    for event in events:
        step = advance(order, event, fills, not_found_interval_ms=INTERVAL_MS)
        order = step.order
        if step.fill is not None:
            fills[step.fill.trade_id] = step.fill
    return order, fills


def order_in(state: OrderState) -> tuple[LiveOrder, dict[str, Fill]]:
    """An order that events, not fields, have brought into a state, and its fills."""
    resting = sent(order_type=OrderType.GTC, spend_usd=None)
    paths = {
        OrderState.CLAIMED: (LiveOrder(intent=intent()), ()),
        OrderState.SIGNED: (sent(), ()),
        OrderState.WORKING: (resting, (accepted("live"),)),
        OrderState.PARTIAL: (resting, (accepted("live"), filled("t0", "4"))),
        OrderState.PARTIAL_ENDED: (sent(), (accepted("matched", "4"), filled("t0", "4"))),
        OrderState.FILLED: (sent(), (accepted("matched", "20"), filled("t0", "20"))),
        OrderState.CANCELLED: (resting, (accepted("live"), seen("CANCELED", "0"))),
        OrderState.REJECTED: (sent(), (refused(),)),
        OrderState.LOST: (sent(), tuple(not_found(T0 + n * INTERVAL_MS) for n in (1, 2, 3))),
    }
    order, events = paths[state]
    found, fills = run(order, *events)
    assert state_of(found) is state
    return found, fills


@pytest.mark.parametrize("state", OrderState)
def test_every_state_has_an_outcome_for_every_event(state):
    assert {kind for known, kind in TABLE if known is state} == set(EVENTS)
    order, fills = order_in(state)
    for event in EVERY_KIND:
        after, _ = run(order, event, known=fills)
        assert state_of(after) in OrderState
        assert after.ended == (state_of(after).value not in ("claimed", "signed", "working", "partial"))


@pytest.mark.parametrize("state", [OrderState.FILLED, OrderState.CANCELLED, OrderState.PARTIAL_ENDED])
def test_what_ended_at_the_venue_stays_ended_whatever_is_said_but_a_new_fill(state):
    order, fills = order_in(state)
    for event in (unknown(), refused(), not_found(T0 + 10**9), seen("LIVE", "0"), seen("CANCELED", "0")):
        after, _ = run(order, event, known=fills)
        assert (after.status, after.ended, after.filled_shares) == (order.status, True, order.filled_shares)


def test_not_founds_that_are_told_again_count_once():
    first, second = not_found(T0 + 100_000), not_found(T0 + 131_000)
    order, _ = run(sent(), first, second, first, second)
    assert (order.status, order.not_found) == (OrderStatus.PLACED, 2)
    # A clock that was put back for good begins anew.
    order, _ = run(sent(), first, second, *(not_found(T0 + at_ms) for at_ms in (0, 30_000, 60_000)))
    assert order.status is OrderStatus.LOST


def test_an_order_that_was_killed_at_once_was_refused_whoever_says_it_first():
    said = (refused(), seen("CANCELED", "0"))
    for events in (said, said[::-1]):
        order, _ = run(sent(), *events)
        assert (order.status, order.ended, order.reason) == (OrderStatus.REJECTED, True, refused().reason)
    # What rested and was cancelled was taken.
    resting, _ = run(sent(order_type=OrderType.GTC, spend_usd=None), *said[::-1])
    assert resting.status is OrderStatus.CANCELLED


def test_a_fak_that_matched_in_part_ends_when_its_fills_are_known():
    order, _ = run(sent(), accepted("matched", "10"))
    assert (order.status, order.ended) == (OrderStatus.PENDING, False)
    order, _ = run(sent(), accepted("matched", "10"), filled("a", "6"))
    assert (order.status, order.ended) == (OrderStatus.PARTIAL, False)
    order, _ = run(sent(), accepted("matched", "10"), filled("a", "6"), filled("b", "4"))
    assert (order.status, order.ended, order.filled_usd, order.fee_usd) == (
        OrderStatus.PARTIAL,
        True,
        D("5.00"),
        D("0.12500"),
    )


def test_dollars_spent_make_it_full_however_many_shares_they_bought():
    order, _ = run(sent(), accepted("matched", "25"), filled("a", "25", "0.40"))
    assert (order.status, order.filled_shares, order.average_price) == (OrderStatus.FILLED, D(25), D("0.4"))


def test_a_killed_order_is_cancelled():
    order, _ = run(
        sent(order_type=OrderType.FOK),
        seen("CANCELED_ORDER COULDN'T BE FULLY FILLED. FOK ORDERS ARE FULLY FILLED OR KILLED."),
    )
    assert (order.status, order.ended) == (OrderStatus.CANCELLED, True)


def test_three_not_founds_lose_an_order_and_two_in_one_interval_are_one():
    times = [T0, T0 + 1, T0 + INTERVAL_MS - 1, T0 + INTERVAL_MS, T0 + INTERVAL_MS + 1]
    order, _ = run(sent(), *map(not_found, times))
    assert (order.status, order.not_found) == (OrderStatus.PLACED, 2)
    order, _ = run(order, not_found(T0 + 2 * INTERVAL_MS))
    assert (order.status, order.ended, order.reason) == (OrderStatus.LOST, True, "not_found")


def test_whatever_the_venue_says_of_it_starts_the_count_anew():
    two = [not_found(T0), not_found(T0 + INTERVAL_MS)]
    for said in (seen("LIVE", "0"), accepted("live"), filled("a", "1")):
        order, _ = run(sent(order_type=OrderType.GTC), *two, said, not_found(T0 + 2 * INTERVAL_MS))
        assert (order.not_found, order.ended) == (1, False)


def test_unknown_is_neither_refused_nor_not_found():
    order, _ = run(sent(), unknown(), unknown(), unknown(), unknown())
    assert (order.status, order.ended, order.not_found) == (OrderStatus.PLACED, False, 0)


@pytest.mark.parametrize("state", [OrderState.LOST, OrderState.REJECTED, OrderState.CANCELLED])
def test_a_late_fill_is_never_lost(state):
    order, fills = run(order_in(state)[0], filled("late", "4"))
    assert (order.status, order.filled_shares, list(fills)) == (OrderStatus.PARTIAL, D(4), ["late"])


def test_an_order_that_was_lost_and_is_shown_again_works_again():
    order, _ = run(order_in(OrderState.LOST)[0], seen("LIVE", "0"))
    assert (order.status, order.ended, order.reason) == (OrderStatus.PENDING, False, None)


def test_the_end_of_a_refused_order_comes_late_and_changes_nothing():
    for events in ((seen("CANCELED", "0"), seen("LIVE", "0")), (seen("INVALID"), seen("LIVE", "0"))):
        order, _ = run(order_in(OrderState.REJECTED)[0], *events)
        assert (order.status, order.ended) == (OrderStatus.REJECTED, True)


def test_a_match_that_failed_is_unwound_once():
    whole = [accepted("matched", "20"), filled("a", "20")]
    order, fills = run(sent(), *whole, filled("a", "20", status="FAILED"), filled("a", "20", status="FAILED"))
    assert (order.status, order.ended, order.filled_shares, order.fee_usd) == (OrderStatus.CANCELLED, True, D(0), D(0))
    assert fills["a"].status == "FAILED"


def test_what_was_confirmed_never_fails_and_what_failed_never_comes_back():
    order, _ = run(sent(), filled("a", "20", status="CONFIRMED"), filled("a", "20", status="FAILED"))
    assert order.filled_shares == 20
    order, _ = run(sent(), filled("a", "20", status="FAILED"), filled("a", "20", status="CONFIRMED"))
    assert order.filled_shares == 0


def test_a_fill_as_maker_pays_no_fee():
    order, _ = run(sent(order_type=OrderType.GTC), filled("a", "20", role="MAKER"))
    assert order.fee_usd == 0


def test_a_sale_ends_by_its_shares():
    order, _ = run(sent(Side.SELL), accepted("matched", "20"), filled("a", "20", "0.48"))
    assert (order.status, order.filled_usd, order.shares_open) == (OrderStatus.FILLED, D("9.60"), D(0))


FACTS = st.lists(
    st.one_of(
        st.sampled_from([accepted("matched", "10"), accepted("matched", "20"), accepted("live"), accepted("delayed")]),
        st.sampled_from(
            [seen("LIVE", "0"), seen("LIVE", "5"), seen("MATCHED", "20"), seen("CANCELED", "5"), unknown()]
        ),
        st.builds(
            filled,
            st.sampled_from(["a", "b", "c"]),
            st.just("5"),
            st.sampled_from(["0.50"]),
            st.sampled_from(["MATCHED", "MINED", "CONFIRMED"]),
        ),
    ),
    max_size=7,
)


def outcome(order: LiveOrder) -> object:
    """All that matters, and does not depend on when it was heard of."""
    plain = msgspec.structs.replace(order, placed_ms=None, ended_ms=None, detail=None)
    # Once it has ended, what the venue spoke of matters no more.
    return msgspec.structs.replace(plain, venue_matched=D(0), venue_ended=True) if order.ended else plain


@given(FACTS, st.randoms(use_true_random=False), st.sampled_from([OrderType.FAK, OrderType.GTC]))
@MANY
def test_facts_may_come_in_any_order_and_twice(facts, random, order_type):
    start = sent(order_type=order_type)
    expected, fills = run(start, *facts)
    again = facts + random.sample(facts, len(facts))
    random.shuffle(again)
    found, other = run(start, *again)
    assert outcome(found) == outcome(expected)
    assert other == fills


@given(FACTS)
@MANY
def test_filled_shares_are_the_fills_and_never_more(facts):
    order, fills = run(sent(), *facts)
    assert order.filled_shares == sum((fill.shares for fill in fills.values() if fill.counts), D(0))
    assert order.ended or state_of(order) in (OrderState.SIGNED, OrderState.WORKING, OrderState.PARTIAL)


def test_all_short_histories_end_in_a_known_state():
    for events in itertools.product(EVERY_KIND, repeat=4):
        order, _ = run(sent(), *events)
        assert state_of(order) in OrderState
