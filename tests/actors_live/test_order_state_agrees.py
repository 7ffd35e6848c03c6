from collections.abc import Sequence
from fractions import Fraction

from actors_live.live_cases import D, accepted, filled, seen, sent, unknown
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.live.order_life import advance
from protocols.live.events import Accepted, Filled, OrderEvent, Seen
from protocols.live.orders import Fill, LiveOrder, OrderType, Side

CENT = Fraction(1, 100)
RANKS = {"MATCHED": 0, "MINED": 1, "RETRYING": 1, "CONFIRMED": 2, "FAILED": 2}


def verdict(order: LiveOrder, facts: Sequence[OrderEvent]) -> tuple[str, bool, Fraction]:
    """Status, end and filled shares that a set of facts comes to, in no order: a second opinion on `order_life`."""
    signed = order.signed
    assert signed is not None
    resting = signed.order_type in ("GTC", "GTD")
    spoken, over = Fraction(0), False
    trades: dict[str, Filled] = {}
    for fact in facts:
        if isinstance(fact, Accepted):
            spoken = max(spoken, Fraction(fact.matched_shares))
            over |= fact.venue_status == "matched" and fact.matched_shares > 0 and not resting
        elif isinstance(fact, Seen):
            matched = Fraction(fact.matched_shares or 0)
            if fact.venue_status == "MATCHED" and not matched:
                matched = Fraction(signed.size_shares)
            spoken = max(spoken, matched)
            over |= fact.venue_status not in ("LIVE", "DELAYED", "UNMATCHED")
        elif isinstance(fact, Filled):
            known = trades.get(fact.trade_id)
            if known is None or RANKS[fact.status] > RANKS[known.status]:
                trades[fact.trade_id] = fact
    good = [one for one in trades.values() if one.status != "FAILED"]

    def full(fills: Sequence[Filled]) -> bool:
        if signed.spend_usd is not None:
            return sum(Fraction(one.shares) * Fraction(one.price) for one in fills) >= Fraction(signed.spend_usd) - CENT
        return sum(Fraction(one.shares) for one in fills) >= Fraction(signed.size_shares) - CENT

    filled_shares = sum((Fraction(one.shares) for one in good), Fraction(0))
    booked = sum((Fraction(one.shares) for one in trades.values()), Fraction(0))
    heard = any(isinstance(fact, Accepted | Seen | Filled) for fact in facts)
    if full(list(trades.values())) or (over and booked >= spoken - CENT):
        status = "FILLED" if full(good) else "PARTIAL" if good else "CANCELLED"
        return status, True, filled_shares
    return "PARTIAL" if good else "PENDING" if heard else "PLACED", False, filled_shares


SAID = st.sampled_from([
    accepted("live"), accepted("delayed"), accepted("unmatched"), accepted("matched", "0"), accepted("matched", "10"),
    accepted("matched", "20"), accepted("matched", "25"), seen("LIVE", "0"), seen("LIVE", "5"), seen("LIVE"), seen("DELAYED"),
    seen("MATCHED", "20"), seen("MATCHED", "12.5"), seen("MATCHED"), seen("CANCELED", "5"), seen("CANCELED"),
    seen("CANCELED_MARKET_RESOLVED", "10"), seen("INVALID"), unknown(),
])  # fmt: skip
FILLS = st.one_of(
    # Each trade settles one way only; the venue does not contradict itself about it.
    st.builds(filled, st.sampled_from("ab"), st.just("5"), st.just("0.50"), st.sampled_from(["MATCHED", "MINED", "CONFIRMED"])),
    st.builds(filled, st.just("c"), st.just("9.995"), st.just("0.48"), st.sampled_from(["MATCHED", "RETRYING", "FAILED"])),
    st.builds(filled, st.just("d"), st.just("20"), st.just("0.50"), st.sampled_from(["MATCHED", "FAILED"])),
    st.builds(filled, st.just("e"), st.just("25"), st.just("0.40"), st.sampled_from(["MATCHED", "CONFIRMED"])),
)  # fmt: skip
ORDERS = st.sampled_from([
    sent(), sent(order_type=OrderType.FOK), sent(order_type=OrderType.GTC, spend_usd=None),
    sent(order_type=OrderType.GTD, spend_usd=None), sent(Side.SELL), sent(Side.SELL, order_type=OrderType.GTC),
])  # fmt: skip


@given(ORDERS, st.lists(SAID | FILLS | FILLS, max_size=10), st.randoms(use_true_random=False))
@MANY
def test_the_state_of_an_order_follows_from_what_is_known_of_it_in_whatever_order_it_came(order, facts, random):
    facts = facts + random.sample(facts, len(facts) // 2)
    random.shuffle(facts)
    expected = verdict(order, facts)
    fills: dict[str, Fill] = {}
    for fact in facts:
        step = advance(order, fact, fills, not_found_interval_ms=20_000)
        order = step.order
        if step.fill is not None:
            fills[step.fill.trade_id] = step.fill
        assert step.changed or step.order == order
    assert (order.status.value, order.ended, Fraction(order.filled_shares)) == expected
    assert order.ended == (order.ended_ms is not None)
    assert D(order.filled_shares) == sum((one.shares for one in fills.values() if one.counts), D(0))
