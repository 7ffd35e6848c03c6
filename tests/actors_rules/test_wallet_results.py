from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.rotation import new_targets, refusal, window_of
from actors.rules.wallet_results import (
    DAY_MS,
    OVERLAP_MS,
    PageTrail,
    closed_result,
    lost_ms,
    newest_by_token,
    ranking_windows,
    read_from_ms,
    resolved_result,
)
from protocols.errors import MalformedError
from protocols.trader_accounts import ClosedPosition, HeldPosition, TokenText
from protocols.wallet_results import RankingsState, ResultKind

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
CLOSED = ClosedPosition(
    wallet="0x1", token_id="7", condition_id="0x2", bought_micro=10**7, average_price=Decimal("0.4"),
    realized_usd=Decimal("1.5"), closed_ms=NOON_MS, text=TokenText(),
)  # fmt: skip
HELD = HeldPosition(
    wallet="0x1", token_id="7", condition_id="0x2", shares_micro=10**7, average_price=Decimal("0.4"),
    cost_usd=Decimal(4), value_usd=Decimal(0), price=Decimal(0), realized_usd=Decimal(1), redeemable=True,
    mergeable=False, negative_risk=False, last_event_ms=None, text=TokenText(end_date="2026-05-30"), raw="{}",
)  # fmt: skip
COMPLETE = RankingsState(
    anchor=date(2026, 5, 31), wallets=100, wallets_failed=1, wallets_waiting=1, read_since_ms=NOON_MS - 10 * 3_600_000
)


@given(newest=st.integers(0, 40 * DAY_MS), read=st.integers(0, 40 * DAY_MS))
def test_reading_begins_with_the_day_of_the_newest_close_or_the_one_before(newest, read):
    since = read_from_ms(newest, read)
    assert since is not None
    assert since % DAY_MS == 0
    assert since <= min(newest, read) - OVERLAP_MS < since + DAY_MS


def test_without_a_close_or_a_reading_all_is_read():
    assert read_from_ms(None, NOON_MS) is read_from_ms(NOON_MS, None) is None


def test_a_close_that_is_yet_to_come_is_none():
    assert closed_result(CLOSED, now_ms=NOON_MS).closed_ms == NOON_MS
    assert closed_result(CLOSED, now_ms=NOON_MS - 60_000).kind is ResultKind.CLOSED
    with pytest.raises(MalformedError):
        closed_result(CLOSED, now_ms=NOON_MS - 3_600_001)


def test_what_is_not_resolved_has_no_result_and_what_pays_is_no_loss():
    assert resolved_result(attrs.evolve(HELD, redeemable=False), now_ms=NOON_MS) is None
    paid = resolved_result(attrs.evolve(HELD, price=Decimal("0.5")), now_ms=NOON_MS)
    assert (paid.kind, paid.realized_usd) == (ResultKind.PAID, 0)


@pytest.mark.parametrize(
    ("changes", "realized"),
    [
        ({}, "-3"),
        ({"realized_usd": None}, "-4"),
        ({"cost_usd": None}, "-3"),
        ({"price": Decimal("0.01")}, "-3"),
        ({"price": None}, "-3"),
        ({"price": None, "value_usd": Decimal("0.1")}, "-3"),
    ],
)
def test_a_loss_is_the_cost_of_what_is_left_beside_what_was_realised_before(changes, realized):
    lost = resolved_result(attrs.evolve(HELD, **changes), now_ms=NOON_MS)
    assert (lost.kind, lost.realized_usd) == (ResultKind.LOST, Decimal(realized))


@pytest.mark.parametrize("changes", [{"price": None, "value_usd": None}, {"cost_usd": None, "average_price": None}])
def test_a_row_that_says_neither_worth_nor_cost_is_not_understood(changes):
    with pytest.raises(MalformedError):
        resolved_result(attrs.evolve(HELD, **changes), now_ms=NOON_MS)


@pytest.mark.parametrize(
    ("end_date", "event", "expected"),
    [
        (None, None, NOON),
        ("no date", None, NOON),
        ("2026-05-30", None, datetime(2026, 5, 30, tzinfo=UTC)),
        ("2026-05-30T15:00:00Z", None, datetime(2026, 5, 30, 15, tzinfo=UTC)),
        ("2026-05-30", datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 5, 31, tzinfo=UTC)),
        ("2026-05-30", datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 30, tzinfo=UTC)),
        ("2026-12-31", datetime(2026, 5, 1, tzinfo=UTC), NOON),
    ],
)
def test_a_position_is_lost_at_the_end_of_its_market_and_never_later_than_now(end_date, event, expected):
    event_ms = None if event is None else int(event.timestamp() * 1000)
    assert lost_ms(end_date, event_ms, now_ms=NOON_MS) == int(expected.timestamp() * 1000)


def test_of_rows_that_come_twice_the_newest_close_is_kept_and_a_loss_beside_it():
    older, newer = closed_result(CLOSED, now_ms=NOON_MS), attrs.evolve(CLOSED, closed_ms=NOON_MS + 1)
    again = closed_result(attrs.evolve(newer, realized_usd=Decimal(2)), now_ms=NOON_MS)
    lost = resolved_result(HELD, now_ms=NOON_MS)
    kept = newest_by_token([closed_result(newer, now_ms=NOON_MS), older, lost, again])
    assert kept == [again, lost]


def test_a_list_that_leads_nowhere_is_no_list():
    trail = PageTrail(pages_max=3)
    assert trail.follow(0, "a") == "a"
    assert trail.follow(0, "b") == "b"
    with pytest.raises(MalformedError, match="pages"):
        trail.follow(0, "c")
    circle = PageTrail(pages_max=9)
    circle.follow(0, "a")
    with pytest.raises(MalformedError, match="cursor"):
        circle.follow(0, "a")
    with pytest.raises(MalformedError, match="rows"):
        PageTrail(pages_max=9).follow(1, None)
    assert PageTrail(pages_max=1).follow(0, None) is None


def test_windows_end_at_the_newest_day_and_their_forerunners_just_before_them():
    anchor, first = date(2026, 6, 1), date(2025, 1, 1)
    windows = {key: (start, end) for key, start, end in ranking_windows(anchor, first)}
    assert windows.pop("ALL") == (first, anchor)
    assert Counter(key.removesuffix("_PREV") for key in windows) == dict.fromkeys(["1D", "7D", "30D", "3M", "6M"], 2)
    for key, days in (("1D", 1), ("7D", 7), ("30D", 30), ("3M", 90), ("6M", 180)):
        start, end = windows[key]
        assert (end, (end - start).days + 1) == (anchor, days)
        before, until = windows[f"{key}_PREV"]
        assert (until + timedelta(days=1), (until - before).days + 1) == (start, days)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"anchor": date(2026, 6, 1)}, None),
        ({"wallets_failed": 2}, "2 of 100"),
        ({"wallets_waiting": 50}, "50 wait"),
        ({"anchor": date(2026, 5, 30)}, "yesterday is missing"),
        ({"read_since_ms": NOON_MS - 13 * 3_600_000}, "before yesterday was over"),
    ],
)
def test_winners_are_taken_only_from_what_is_complete(changes, reason):
    found = refusal(attrs.evolve(COMPLETE, **changes), now_ms=NOON_MS, incomplete_max_ratio=0.02)
    assert found is None if reason is None else reason in (found or "")
    assert refusal(None, now_ms=NOON_MS, incomplete_max_ratio=1) is not None


def test_days_of_winners_end_with_yesterday():
    assert window_of(1, now_ms=NOON_MS) == (date(2026, 5, 31), date(2026, 5, 31))
    assert window_of(7, now_ms=NOON_MS) == (date(2026, 5, 25), date(2026, 5, 31))


def test_a_list_is_never_emptied_and_the_same_one_in_another_order_is_left():
    assert new_targets([], ["a"]) is None
    assert new_targets(["b", "a"], ["a", "b"]) is None
    assert new_targets(["b", "c"], ["a", "b"]) == ["b", "c"]
