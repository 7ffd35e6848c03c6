import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.gaps import coalesced, merged, window_s
from protocols.ingest import GapReason, GapRequest

NOW_MS = 1_780_000_000_000
REQUESTS = st.builds(
    lambda reason, since, length: GapRequest(
        reason=reason,
        since_ms=None if since is None else NOW_MS + since,
        until_ms=NOW_MS + (since or 0) + length,
    ),
    st.sampled_from(GapReason),
    st.none() | st.integers(0, 100_000),
    st.integers(0, 30_000),
)
WEIGHT = [GapReason.RECYCLE, GapReason.OVERFLOW, GapReason.RECONNECT, GapReason.STALL, GapReason.START]


def covers(outer, inner):
    starts = outer.since_ms is None or (inner.since_ms is not None and outer.since_ms <= inner.since_ms)
    return starts and outer.until_ms >= inner.until_ms and WEIGHT.index(outer.reason) >= WEIGHT.index(inner.reason)


@MANY
@given(first=REQUESTS, second=REQUESTS)
def test_a_merged_request_covers_both_and_asks_for_no_less_work(first, second):
    both = merged(first, second)
    assert covers(both, first)
    assert covers(both, second)
    assert both == merged(second, first)
    assert merged(both, first) == both


@MANY
@given(requests=st.lists(REQUESTS, max_size=12), touching_ms=st.integers(0, 10_000))
def test_every_request_is_covered_by_one_of_few_that_lie_apart(requests, touching_ms):
    result = coalesced(requests, touching_ms=touching_ms)
    assert len(result) <= len(requests)
    for request in requests:
        assert any(covers(one, request) for one in result)
    for earlier, later in itertools.pairwise(result):
        assert later.since_ms > earlier.until_ms + touching_ms
    assert coalesced(result, touching_ms=touching_ms) == result


@MANY
@given(
    request=REQUESTS,
    overlap=st.integers(0, 10**6),
    longest=st.integers(0, 10**7),
)
def test_a_window_covers_the_gap_and_its_overlap_within_the_longest(request, overlap, longest):
    window = window_s(request, overlap_ms=overlap, longest_ms=longest)
    since_ms = request.until_ms if request.since_ms is None else request.since_ms
    start_s, end_s = window
    assert start_s <= end_s
    assert end_s * 1000 >= request.until_ms > (end_s - 1) * 1000
    wanted_ms = max(min(since_ms, request.until_ms) - overlap, request.until_ms - longest)
    assert start_s * 1000 <= wanted_ms < (start_s + 1) * 1000


@pytest.mark.parametrize(
    ("since_ms", "expected"),
    [(1_500_000, (1490, 1601)), (0, (1300, 1601)), (1_700_000, (1590, 1601))],
)
def test_windows_by_example(since_ms, expected):
    request = GapRequest(reason=GapReason.STALL, since_ms=since_ms, until_ms=1_600_500)
    assert window_s(request, overlap_ms=10_000, longest_ms=300_000) == expected


def test_a_merged_start_wins_over_what_came_with_it():
    start = GapRequest(reason=GapReason.START, since_ms=None, until_ms=NOW_MS)
    lost = GapRequest(reason=GapReason.RECONNECT, since_ms=NOW_MS + 1_000, until_ms=NOW_MS + 9_000)
    assert coalesced([lost, start], touching_ms=5_000) == [
        GapRequest(reason=GapReason.START, since_ms=None, until_ms=NOW_MS + 9_000)
    ]
