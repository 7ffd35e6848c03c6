import itertools

import pytest
import trio
from property.fake_history import FakeHistory, Past, numbered
from property.filler_world import FillerWorld, LastTrade, gap
from property.made_trades import NOON_S, STRANGER, transaction, wallet

from protocols.ingest import GapReason


def trades_of(owner, count, second=NOON_S + 5):
    return [Past(second, (transaction(n), owner, 1)) for n in range(count)]


def spans(history):
    return [(call.since_s - NOON_S, call.until_s - NOON_S) for call in history.calls]


@pytest.mark.parametrize("reason", [GapReason.RECONNECT, GapReason.STALL, GapReason.OVERFLOW, GapReason.RECYCLE])
def test_a_gap_is_read_at_once_and_again_after_fifteen_seconds_with_an_overlap(reason):
    history = FakeHistory()
    FillerWorld(history).run([(100, gap(reason, 10, 20.5))])
    assert spans(history) == [(0, 21), (0, 21)]
    assert [call.at_s for call in history.calls] == pytest.approx([100, 115])


def test_a_start_reads_from_the_last_committed_trade_with_a_long_overlap():
    history = FakeHistory()
    store = LastTrade(last_ms=(NOON_S - 600) * 1000, failures=3)
    FillerWorld(history, store).run([(0, gap(GapReason.START, None, 20))])
    assert spans(history) == [(-720, 20)] * 2


def test_a_start_reads_no_further_back_than_configured():
    history = FakeHistory()
    store = LastTrade(last_ms=(NOON_S - 10**6) * 1000)
    FillerWorld(history, store, settings={"gap_start_max_s": 3_600.0}).run([(0, gap(GapReason.START, None, 0))])
    assert spans(history) == [(-3_600, 0)] * 2


def test_a_first_start_has_no_gap():
    history = FakeHistory()
    FillerWorld(history).run([(0, gap(GapReason.START, None, 20))])
    assert not history.calls


def test_a_gap_right_after_a_first_start_is_read_though_there_is_no_last_trade():
    history = FakeHistory(trades_of(wallet(1), 1))
    world = FillerWorld(history)
    world.run([(-1, gap(GapReason.START, None, 0)), (-1, gap(GapReason.RECONNECT, 3, 9))])
    assert world.found()


def test_requests_that_touch_are_read_together():
    history = FakeHistory()
    FillerWorld(history).run([(-1, gap(GapReason.STALL, 10, 20)), (-1, gap(GapReason.RECONNECT, 22, 30))])
    assert spans(history) == [(0, 30), (0, 30)]


@pytest.mark.parametrize("wallets", [1, 50])
@pytest.mark.parametrize("refused", [False, True])
def test_a_recycling_costs_at_most_two_calls_whatever_the_number_of_wallets(wallets, refused):
    rows = [row for n in range(wallets) for row in trades_of(wallet(n), 30, NOON_S + 5 - n % 3)]
    history = FakeHistory(rows, page_rows=7, refuses_platform_wide=refused)
    world = FillerWorld(history)
    world.run([(0, gap(GapReason.RECYCLE, 0, 10))])
    assert len(history.calls) <= 2
    assert world.filler.readings["recycle"] == 2


def test_a_transaction_cut_by_a_page_edge_is_read_alone_one_call_a_followed_wallet():
    cut = transaction(9)
    owners = [wallet(1), wallet(2), STRANGER]
    rows = [Past(NOON_S + 5, (cut, owner, 1)) for owner in owners for _ in range(2)]
    history = FakeHistory(rows, page_rows=4)
    world = FillerWorld(history, settings={"gap_reread_s": 0.0})
    world.run([(0, gap(GapReason.STALL, 0, 10))])
    alone = [call for call in history.calls if call.wallet is not None]
    assert [call.wallet for call in alone] == [wallet(1), wallet(2)]
    assert {(call.since_s, call.until_s) for call in alone} == {(NOON_S + 5, NOON_S + 5)}
    assert world.found() == numbered(row.fill for row in rows if row.fill[1] != STRANGER)


def test_wallet_by_wallet_begins_with_lane_0_and_leaves_lane_2_out():
    history = FakeHistory(refuses_platform_wide=True)
    FillerWorld(history, settings={"gap_reread_s": 0.0}).run([(0, gap(GapReason.STALL, 0, 10))])
    assert [call.wallet for call in history.calls] == [None, wallet(2), wallet(1)]


def test_a_wallet_that_is_refused_costs_no_other(caplog):
    history = FakeHistory(trades_of(wallet(1), 2), refuses_platform_wide=True, refused_wallets=frozenset({wallet(2)}))
    world = FillerWorld(history)
    world.run([(0, gap(GapReason.STALL, 0, 10))])
    assert len(world.found()) == 2
    assert "history of a wallet refused" in caplog.text


@pytest.mark.parametrize("pages_max", [1, 2])
def test_a_window_of_too_many_pages_goes_wallet_by_wallet(pages_max):
    rows = trades_of(STRANGER, 20) + trades_of(wallet(1), 1, NOON_S + 1)
    history = FakeHistory(rows, page_rows=5)
    world = FillerWorld(history, settings={"gap_pages_max": pages_max})
    world.run([(0, gap(GapReason.STALL, 0, 10))])
    assert len(world.found()) == 1
    assert wallet(1) in {call.wallet for call in history.calls}


def test_the_limit_of_a_start_is_no_limit_of_other_gaps():
    history = FakeHistory(trades_of(wallet(1), 1))
    world = FillerWorld(history, settings={"gap_start_max_s": 0.0})
    world.run([(0, gap(GapReason.STALL, 3, 200))])
    assert world.found()


def test_a_page_is_tried_a_few_times_with_growing_pauses_then_wallet_by_wallet_then_planned_again():
    history = FakeHistory(trades_of(wallet(1), 2), down_until_s=100)
    world = FillerWorld(history)
    world.run([(0, gap(GapReason.STALL, 0, 10))])
    assert len(world.found()) == 2
    by_page = [[call for call in history.calls if call.wallet == owner] for owner in (None, wallet(2))]
    for calls in by_page:
        # The first attempts at a page; after them it is tried another way, or planned again for later.
        pauses = [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(calls[:6])]
        assert all(0.25 * 2**n <= pause <= 0.5 * 2**n + 1e-6 for n, pause in enumerate(pauses))
    assert len([call for call in history.calls if call.at_s < 100]) < 40
    assert world.filler.readings["stall"] == 2


def test_gaps_that_come_while_one_is_read_wait_their_turn():
    history = FakeHistory(script=["slow"])
    FillerWorld(history).run([(0, gap(GapReason.STALL, -500, -490)), (1, gap(GapReason.STALL, 0, 1))])
    first_calls = [(call.at_s, call.since_s - NOON_S) for call in history.calls]
    assert first_calls == [(0, -510), (pytest.approx(7), -10), (pytest.approx(22), -510), (pytest.approx(22), -10)]


def test_a_history_that_announces_more_and_sends_no_rows_is_given_up():
    history = FakeHistory(endless_empty=True)
    FillerWorld(history, settings={"gap_reread_s": 0.0}).run([(0, gap(GapReason.STALL, 10, 20))])
    assert [call.wallet for call in history.calls] == [None] * 3 + [wallet(2)] * 3 + [wallet(1)] * 3


def test_a_row_from_the_future_does_not_carry_the_window_away():
    history = FakeHistory()
    FillerWorld(history).run([(0, gap(GapReason.OVERFLOW, -5, 10**7))])
    assert spans(history) == [(-15, 60)] * 2


def test_gaps_are_kept_until_their_last_reading_and_a_recycling_is_not():
    seen = []
    store = LastTrade(on_keep=lambda gaps: seen.append([(one.reason, one.until_ms) for one in gaps]))
    stalled, recycled = gap(GapReason.STALL, 10, 20), gap(GapReason.RECYCLE, 30, 40)
    FillerWorld(FakeHistory(), store).run([(0, stalled), (50, recycled)])
    assert seen == [[(GapReason.STALL, stalled.until_ms)], []]


def test_gaps_of_an_earlier_run_are_read_by_this_one():
    history = FakeHistory()
    store = LastTrade(last_ms=(NOON_S - 100) * 1000, gaps=[gap(GapReason.RECONNECT, -5_000, -4_000)], failures=2)
    FillerWorld(history, store).run([(0, gap(GapReason.START, None, 0))])
    assert sorted(set(spans(history))) == [(-5_010, -4_000), (-220, 0)]
    assert store.gaps == []


def test_a_database_that_is_down_holds_up_no_reading_and_is_told_later():
    seen = []
    store = LastTrade(on_keep=lambda gaps: seen.append(len(gaps)), down_from_s=1, down_until_s=100)
    history = FakeHistory(down_until_s=200)
    world = FillerWorld(history, store)
    world.run([(10, gap(GapReason.STALL, 0, 10))])
    assert history.calls[0].at_s == pytest.approx(10)
    assert seen == [1, 0]


def test_requests_are_kept_while_a_long_reading_goes_on():
    at_s = []
    store = LastTrade(on_keep=lambda gaps: at_s.append((trio.current_time(), len(gaps))))
    requests = [
        (0, gap(GapReason.STALL, -10, 0)),
        (20, gap(GapReason.STALL, 15, 20)),
        (40, gap(GapReason.STALL, 35, 40)),
    ]
    FillerWorld(FakeHistory(down_until_s=100), store).run(requests)
    assert at_s[:3] == [(pytest.approx(when, abs=0.1), count) for when, count in [(0, 1), (20, 2), (40, 3)]]
