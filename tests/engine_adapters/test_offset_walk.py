"""Lists that are read by offset while they move: whole, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from engine.adapters.offset_walk import OffsetWalk
from protocols.errors import RejectedError, TransientError

OFFSET_MAX = 60
MOVES = st.lists(st.tuples(st.sampled_from(["remove", "insert", "nothing"]), st.integers(0, 40)), max_size=3)


def read(rows, cursor, *, limit, left_out=frozenset(), offset_max=OFFSET_MAX, cap=OFFSET_MAX):
    """One page as an API with a cap serves it: its fresh ids and the cursor of the next."""
    walk = OffsetWalk.at(cursor, offset_max=offset_max)
    offset = min(walk.offset, cap)
    sent = rows[offset : offset + limit]
    ids = [each for each in sent if each not in left_out]
    onward = walk.onward(ids, rows_sent=len(sent), limit=limit)
    return ids[walk.repeated(ids) :], onward


@MANY
@given(count=st.integers(0, 40), limit=st.integers(4, 9), moves=st.lists(MOVES, max_size=12))
def test_who_was_there_all_the_time_is_read_once_or_the_list_is_begun_again(count, limit, moves):
    rows, found, cursor, news = [f"t{number}" for number in range(count)], [], None, 0
    lasting = set(rows)
    for number in range(100):
        try:
            page, cursor = read(rows, cursor, limit=limit)
        except (TransientError, RejectedError):
            return
        found += page
        if cursor is None:
            break
        for move, place in moves[number] if number < len(moves) else []:
            if move == "remove" and rows:
                lasting.discard(rows.pop(place % len(rows)))
            elif move == "insert":
                news += 1
                rows.insert(place % (len(rows) + 1), f"new{news}")
    else:
        pytest.fail("the walk has no end")
    assert lasting <= set(found)
    assert [found.count(each) for each in lasting] == [1] * len(lasting)


@MANY
@given(
    count=st.integers(0, 50),
    limit=st.integers(4, 9),
    left_out=st.sets(st.integers(0, 49)),
    cap=st.integers(0, OFFSET_MAX),
)
def test_a_list_that_stands_still_is_read_whole_or_refused_where_it_cannot_be(count, limit, left_out, cap):
    rows = [f"t{number}" for number in range(count)]
    silent = {f"t{number}" for number in left_out}
    found, cursor = [], None
    for _ in range(100):
        try:
            page, cursor = read(rows, cursor, limit=limit, left_out=silent, cap=cap)
        except TransientError:
            # The server's cap lies below ours, and where it jumps back to there is nothing to go by.
            assert count > cap
            return
        except RejectedError:
            assert count >= cap + limit
            return
        found += page
        if cursor is None:
            break
    else:
        pytest.fail("the walk has no end")
    if cap >= count:
        assert found == [each for each in rows if each not in silent]


def test_a_row_that_leaves_the_front_is_noticed():
    rows = list("abcdefgh")
    _, cursor = read(rows, None, limit=4)
    del rows[0]
    with pytest.raises(TransientError, match="moved"):
        read(rows, cursor, limit=4)


def test_a_row_that_comes_to_the_front_repeats_nothing():
    rows = list("abcdefgh")
    page, cursor = read(rows, None, limit=4)
    rows.insert(0, "z")
    again, cursor = read(rows, cursor, limit=4)
    rest, cursor = read(rows, cursor, limit=4)
    assert (page + again + rest, cursor) == (list("abcdefgh"), None)


def test_the_last_page_for_ever_is_no_list():
    rows = [str(number) for number in range(100)]
    found = []

    def read_on(cursor):
        page, cursor = read(rows, cursor, limit=5, cap=20)
        found.extend(page)
        read_on(cursor)

    with pytest.raises(RejectedError, match="same page"):
        read_on(None)
    assert found == rows[:25]
    with pytest.raises(RejectedError, match="beyond"):
        read(rows, "v1:61:x", limit=5)
