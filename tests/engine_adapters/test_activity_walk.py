"""Activity that is read by time while it grows: every row once."""

from collections import Counter

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import condition, page_row, transaction, wallet

from engine.adapters.activity_walk import ActivityWalk
from protocols.errors import RejectedError
from protocols.timestamps import EARLIEST_MS
from protocols.trader_accounts import Activity, ActivityKind, ActivityPage

BASE_S = EARLIEST_MS // 1000
ROWS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["trade", "other", "reward"])), max_size=40)


@attrs.frozen
class Row:
    second: int
    kind: str
    number: int

    def item(self):
        if self.kind == "trade":
            return page_row(transaction_hash=transaction(self.number), timestamp=BASE_S + self.second)
        return Activity(
            wallet=wallet(1),
            kind=ActivityKind.REDEEM,
            condition_id=condition(1),
            shares_micro=1,
            at_ms=(BASE_S + self.second) * 1000,
            transaction_hash=transaction(self.number),
        )


def served(rows, walk, limit, *, since_s=BASE_S):
    """A page of the venue: newest first, bounds one second wider, by offset."""
    wanted = [row for row in rows if since_s - 1 <= BASE_S + row.second <= walk.until_s + 1]
    wanted.sort(key=lambda row: -row.second)
    sent = wanted[walk.offset : walk.offset + limit]
    return ActivityPage(
        trades=tuple(row.item() for row in sent if row.kind == "trade"),
        others=tuple(row.item() for row in sent if row.kind == "other"),
        malformed=Counter(not_a_trade=sum(row.kind == "reward" for row in sent)),
        rows_sent=len(sent),
        next_cursor=None,
    )


def hashes(page):
    return [item.row.transaction_hash for item in page.trades] + [item.transaction_hash for item in page.others]


@MANY
@given(
    drawn=ROWS,
    limit=st.integers(2, 6),
    since=st.integers(0, 6),
    until=st.integers(6, 12),
    later=st.lists(ROWS, max_size=8),
)
def test_every_row_of_the_time_is_read_once_however_the_list_grows(drawn, limit, since, until, later):
    rows = [Row(second, kind, number) for number, (second, kind) in enumerate(drawn)]
    lasting = [row for row in rows if since <= row.second <= until and row.kind != "reward"]
    found, cursor, number = Counter(), None, len(rows)
    for round_ in range(300):
        walk = ActivityWalk.at(cursor, until_s=BASE_S + until, offset_max=200)
        page = walk.step(served(rows, walk, limit, since_s=BASE_S + since), since_s=BASE_S + since, limit=limit)
        found.update(hashes(page))
        cursor = page.next_cursor
        if cursor is None:
            break
        # What comes later is newer than all that was asked for.
        for _, kind in later[round_] if round_ < len(later) else []:
            number += 1
            rows.append(Row(until + 2, kind, number))
    else:
        pytest.fail("the walk has no end")
    assert found == Counter(transaction(row.number) for row in lasting)


def test_more_rows_in_one_second_than_can_be_read_are_refused():
    rows = [Row(3, "trade", number) for number in range(50)]
    found = []

    def read_on(cursor):
        walk = ActivityWalk.at(cursor, until_s=BASE_S + 3, offset_max=20)
        page = walk.step(served(rows, walk, 5), since_s=BASE_S, limit=5)
        found.extend(hashes(page))
        read_on(page.next_cursor)

    with pytest.raises(RejectedError, match="one second"):
        read_on(None)
    assert len(found) == len(set(found)) == 25


def test_an_api_that_does_not_keep_to_times_is_found_out():
    rows = [Row(second, "trade", second) for second in range(20)]
    walk = ActivityWalk(until_s=BASE_S + 5)
    everything = served(rows, ActivityWalk(until_s=BASE_S + 30), 10)
    with pytest.raises(RejectedError, match="outside"):
        walk.step(everything, since_s=BASE_S, limit=10)


def test_a_trade_without_a_time_is_left_to_the_ingest():
    page = served([Row(3, "trade", 1)], ActivityWalk(until_s=BASE_S + 5), 5)
    timeless = attrs.evolve(page, trades=(*page.trades, page_row(timestamp="soon")), rows_sent=2)
    assert len(ActivityWalk(until_s=BASE_S + 5).step(timeless, since_s=BASE_S, limit=5).trades) == 2
