from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.fake_accounts import held

from actors.rules.positions import (
    REFRESH_MS,
    UNEXPLAINED_MS,
    UNKNOWN_MARKET_MS,
    VENUE_LAG_S,
    Evidence,
    Purchase,
    Sale,
    close_reason,
    compared,
    ended,
    evidence_of,
    evidence_since_s,
    merged_rows,
)
from protocols.positions import CloseReason, KnownPosition, MarketEnd, PositionChange
from protocols.trader_accounts import Activity, ActivityKind

NOW_MS = 1_780_000_000_000
W = "0x" + "a" * 40
HOLDINGS = st.dictionaries(st.sampled_from("12345"), st.integers(1, 5), max_size=5)


def known(token="1", micro=10, *, written_ms=NOW_MS, missing_since_ms=None, redeemable=False):
    return KnownPosition(
        token_id=token, condition_id=f"c{token}", shares_micro=micro, redeemable=redeemable, mergeable=False,
        written_ms=written_ms, missing_since_ms=missing_since_ms,
    )  # fmt: skip


def activity(kind, condition="c1", micro=10, at_s=NOW_MS // 1000):
    return Activity(wallet=W, kind=kind, condition_id=condition, shares_micro=micro, at_ms=at_s * 1000,
                    transaction_hash="0x1")  # fmt: skip


@given(before=HOLDINGS, after=HOLDINGS)
def test_a_comparison_is_the_difference_of_two_holdings(before, after):
    stored = [known(token, micro) for token, micro in before.items()]
    found = compared(W, stored, {t: held(W, t, m) for t, m in after.items()}, seen_ms=NOW_MS)
    changes = Counter(event.change for event in found.events)
    both = before.keys() & after.keys()
    assert changes == +Counter(
        {
            PositionChange.OPENED: len(after.keys() - before.keys()),
            PositionChange.INCREASED: sum(after[t] > before[t] for t in both),
            PositionChange.PARTLY_CLOSED: sum(after[t] < before[t] for t in both),
        }
    )
    assert {row.token_id for row in found.written} == {t for t in after if before.get(t) != after[t]}
    assert {position.token_id for position in found.absent} == before.keys() - after.keys()


def test_a_row_that_did_not_change_is_rewritten_from_time_to_time_and_when_it_had_been_missing():
    row = {"1": held(W, "1", 10)}
    assert compared(W, [known()], row, seen_ms=NOW_MS + REFRESH_MS - 1).written == ()
    assert len(compared(W, [known()], row, seen_ms=NOW_MS + REFRESH_MS).written) == 1
    back = compared(W, [known(missing_since_ms=NOW_MS)], row, seen_ms=NOW_MS + 1)
    assert len(back.written) == 1
    assert back.events == ()


def test_a_row_that_moved_between_pages_counts_once_as_it_was_read_last():
    pages = [[held(W, "1", 10), held(W, "2", 5)], [held(W, "1", 4)]]
    assert {token: row.shares_micro for token, row in merged_rows(pages).items()} == {"1": 4, "2": 5}


LATER_MS = NOW_MS + UNEXPLAINED_MS
CASES = {
    "redeemed": ({}, Evidence(redeemed=frozenset({"c1"})), MarketEnd.UNKNOWN, NOW_MS, CloseReason.REDEEMED),
    "sold, the other outcome redeemed": (
        {}, Evidence(redeemed=frozenset({"c1"}), sold_micro={"1": 10}, given_away=frozenset({"1"})), MarketEnd.ENDED, NOW_MS,
        CloseReason.MANUAL_CLOSE,
    ),
    "sold": ({}, Evidence(sold_micro={"1": 10}), MarketEnd.UNKNOWN, NOW_MS, CloseReason.MANUAL_CLOSE),
    "sold before the end": ({}, Evidence(sold_micro={"1": 10}), MarketEnd.ENDED, NOW_MS, CloseReason.MANUAL_CLOSE),
    "merged": ({}, Evidence(merged_micro={"c1": 11}), MarketEnd.OPEN, NOW_MS, CloseReason.MANUAL_CLOSE),
    "sold a part, and the rest is hidden": ({}, Evidence(sold_micro={"1": 9}), MarketEnd.OPEN, NOW_MS, None),
    "sold a part": (
        {"missing_since_ms": NOW_MS}, Evidence(sold_micro={"1": 9}), MarketEnd.OPEN, LATER_MS, CloseReason.MANUAL_CLOSE,
    ),
    "a part, then the end": (
        {"missing_since_ms": NOW_MS}, Evidence(sold_micro={"1": 9}), MarketEnd.ENDED, LATER_MS,
        CloseReason.MARKET_CLOSED,
    ),
    "a part, market unknown": (
        {"missing_since_ms": NOW_MS}, Evidence(sold_micro={"1": 9}), MarketEnd.UNKNOWN, LATER_MS, None,
    ),
    "nobody knows": ({}, Evidence(), MarketEnd.ENDED, NOW_MS, None),
    "not long enough": ({"missing_since_ms": NOW_MS}, Evidence(), MarketEnd.ENDED, LATER_MS - 1, None),
    "the end": ({"missing_since_ms": NOW_MS}, Evidence(), MarketEnd.ENDED, LATER_MS, CloseReason.MARKET_CLOSED),
    "given away": ({"missing_since_ms": NOW_MS}, Evidence(), MarketEnd.OPEN, LATER_MS, CloseReason.MANUAL_CLOSE),
    "could be redeemed": (
        {"missing_since_ms": NOW_MS, "redeemable": True}, Evidence(), MarketEnd.UNKNOWN, LATER_MS, CloseReason.REDEEMED,
    ),
    "waits for the market": ({"missing_since_ms": NOW_MS}, Evidence(), MarketEnd.UNKNOWN, LATER_MS, None),
    "not for ever": (
        {"missing_since_ms": NOW_MS}, Evidence(), MarketEnd.UNKNOWN, NOW_MS + UNKNOWN_MARKET_MS,
        CloseReason.MANUAL_CLOSE,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "evidence", "market", "seen_ms", "expected"), CASES.values(), ids=CASES)
def test_how_a_position_ended(changes, evidence, market, seen_ms, expected):
    assert close_reason(known(**changes), evidence, market, seen_ms=seen_ms) is expected


def test_what_is_closed_is_an_event_and_what_is_not_is_none():
    absent = [known("1"), known("2", micro=3)]
    ending = ended(W, absent, Evidence(sold_micro={"2": 3}), {}, seen_ms=NOW_MS)
    assert ending.closed == {"2": CloseReason.MANUAL_CLOSE}
    (event,) = ending.events
    assert (event.change, event.before_micro, event.after_micro) == (PositionChange.CLOSED, 3, 0)


def test_what_happened_before_a_snapshot_that_had_the_position_is_no_evidence():
    position = known(written_ms=NOW_MS)
    since_s = NOW_MS // 1000 - VENUE_LAG_S
    assert evidence_since_s([position, known("2", written_ms=NOW_MS + 5_000)]) == since_s
    others = [activity(ActivityKind.REDEEM, at_s=since_s - 1), activity(ActivityKind.MERGE, at_s=since_s, micro=4)]
    sales = [Sale("1", 3, since_s - 1), Sale("1", 2, since_s), Sale("9", 7, since_s)]
    evidence = evidence_of(sales, others, [position])
    assert evidence.redeemed == frozenset()
    assert evidence.gone_micro(position) == 6
    assert evidence_of([], [activity(ActivityKind.SPLIT)], [position]) == Evidence()


SEEN_S = NOW_MS // 1000
NET = {
    "sold to the last share": ([(10, 5)], [], True),
    "less": ([(9, 5)], [], False),
    "and bought again": ([(10, 5)], [(1, 6)], False),
    "bought, and sold with it": ([(4, 5), (8, 7)], [(2, 6)], True),
    "perhaps before the snapshot": ([(10, 0)], [], False),
    "bought perhaps after it": ([(10, 5)], [(1, -VENUE_LAG_S)], False),
    "bought long before it": ([(10, 5)], [(1, -VENUE_LAG_S - 1)], True),
}


@pytest.mark.parametrize(("sales", "purchases", "expected"), NET.values(), ids=NET)
def test_a_token_that_was_given_away_is_not_the_one_that_was_redeemed(sales, purchases, expected):
    evidence = evidence_of(
        [Sale("1", micro, SEEN_S + after_s) for micro, after_s in sales],
        [activity(ActivityKind.REDEEM, at_s=SEEN_S + 60)],
        [known(written_ms=NOW_MS)],
        [Purchase("1", micro, SEEN_S + after_s) for micro, after_s in purchases],
    )
    assert ("1" in evidence.given_away) is expected
    reason = close_reason(known(), evidence, MarketEnd.ENDED, seen_ms=NOW_MS)
    assert reason is (CloseReason.MANUAL_CLOSE if expected else CloseReason.REDEEMED)
