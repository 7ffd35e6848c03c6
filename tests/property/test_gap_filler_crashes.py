import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK, SLOW
from property.fake_history import FakeHistory, Past, numbered
from property.filler_world import LANES, OWNERS, FillerWorld, gap
from property.made_trades import NOON_S, transaction
from property.supervised import CrashPlan, crash_sets

from protocols.ingest import GapReason

WINDOW_S = 12
SETTINGS = {"gap_overlap_s": 2.0, "gap_reread_s": 15.0}
REASONS = st.sampled_from([GapReason.RECONNECT, GapReason.STALL, GapReason.OVERFLOW])


@st.composite
def pasts(draw):
    """Transactions of one second each, with equal fills, in the order of the venue: newest first."""
    rows = []
    for number in range(draw(st.integers(0, 8))):
        second = NOON_S + draw(st.integers(-4, WINDOW_S + 2))
        visible_s = draw(st.sampled_from([0.0, 0.0, 10.0]))
        for _ in range(draw(st.integers(1, 4))):
            fill = (transaction(number), draw(st.sampled_from(OWNERS)), draw(st.integers(1, 2)))
            rows += [Past(second, fill, visible_s)] * draw(st.integers(1, 3))
    return draw(st.permutations(rows))


def wanted(rows, since_s, until_s, lanes=LANES):
    return numbered(
        row.fill for row in rows if NOON_S + since_s <= row.second <= NOON_S + until_s and row.fill[1] in lanes
    )


def check(rows, page_rows, script, reason, crash_at, history_crashes, partly):
    history = FakeHistory(rows, page_rows, script=script, plan=CrashPlan(history_crashes))
    world = FillerWorld(history, plan=CrashPlan(crash_at), settings=SETTINGS, sent_before_crash=partly)
    world.run([(0, gap(reason, 0, WINDOW_S))])
    # The overlap goes before the gap; what appeared late is found by the second reading.
    assert world.found() == wanted(rows, -2, WINDOW_S)
    assert world.filler.readings[reason.value] >= 2
    assert world.filler._plan.next_due_s() is None
    assert world.store.gaps == []


WORLDS = {
    "rows": pasts(),
    "page_rows": st.integers(1, 6),
    "script": st.lists(st.sampled_from(["ok", "transient", "slow"]), max_size=8),
    "reason": REASONS,
    "partly": st.integers(0, 2),
}
CRASHES = {"crash_at": crash_sets(20, apart=2), "history_crashes": crash_sets(20, apart=3)}
NO_CRASHES = {"crash_at": st.just(frozenset()), "history_crashes": st.just(frozenset())}


@QUICK
@given(**WORLDS, **NO_CRASHES)
def test_exactly_the_followed_rows_of_the_window_are_found_over_any_paging(**world):
    check(**world)


@QUICK
@given(**WORLDS, **CRASHES)
def test_exactly_the_followed_rows_of_the_window_are_found_over_any_crashes(**world):
    check(**world)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@SLOW
@given(**WORLDS, **CRASHES)
def test_exactly_the_followed_rows_of_the_window_are_found_over_many_crashes(**world):
    check(**world)


@QUICK
@given(rows=pasts(), page_rows=st.integers(1, 6), too_many=st.booleans(), **CRASHES)
def test_wallet_by_wallet_finds_the_same_for_those_who_matter(rows, page_rows, too_many, crash_at, history_crashes):
    history = FakeHistory(rows, page_rows, refuses_platform_wide=not too_many, plan=CrashPlan(history_crashes))
    history.wallet_page_rows = 1_000 if too_many else page_rows
    world = FillerWorld(
        history, plan=CrashPlan(crash_at), settings=SETTINGS | {"gap_pages_max": 2 if too_many else 200}
    )
    world.run([(0, gap(GapReason.STALL, 0, WINDOW_S))])
    lanes_0_and_1 = {owner for owner, lane in LANES.items() if lane < 2}
    assert world.found() >= wanted(rows, -2, WINDOW_S, lanes_0_and_1)
    assert world.found() <= wanted(rows, -2, WINDOW_S)


@QUICK
@given(
    gaps=st.lists(st.tuples(st.floats(0, 60), REASONS, st.integers(0, 40), st.integers(0, 10)), max_size=6),
    rows=pasts(),
    history_crashes=crash_sets(20, apart=3),
)
def test_every_gap_of_many_is_covered_by_readings(gaps, rows, history_crashes):
    history = FakeHistory(rows, 4, plan=CrashPlan(history_crashes))
    world = FillerWorld(history, settings=SETTINGS)
    requests = [(at_s, gap(reason, since, since + length)) for at_s, reason, since, length in sorted(gaps)]
    world.run(requests)
    firsts = [(call.since_s, call.until_s) for call in history.calls if call.cursor is None and call.wallet is None]
    for _, request in requests:
        covering = [
            (since_s, until_s)
            for since_s, until_s in firsts
            if since_s * 1000 <= request.since_ms - 2_000 and until_s * 1000 >= request.until_ms
        ]
        assert len(covering) >= 2
