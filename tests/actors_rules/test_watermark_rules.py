from hypothesis import given
from hypothesis import strategies as st

from actors.rules.trade_due import trades_due
from actors.rules.watermarks import FIRST_S, FUTURE_S, LONGEST_S, OVERLAP_S, SETTLE_S, Settling, reached, window

NOW_S = 1_780_000_000
SECONDS = st.integers(NOW_S - 1_000, NOW_S + 1_000)


def test_the_second_of_the_watermark_and_what_may_be_late_are_read_again():
    read = window(NOW_S - 500, NOW_S)
    assert (read.since_s, read.until_s) == (NOW_S - 500 - OVERLAP_S, NOW_S + FUTURE_S)


def test_a_wallet_without_watermark_is_read_for_a_day_and_none_for_more_than_a_month():
    assert window(None, NOW_S).since_s == NOW_S - FIRST_S
    assert window(0, NOW_S).since_s == NOW_S - LONGEST_S
    # A watermark that another clock has put into the future must not make the window vanish.
    assert window(NOW_S + 10_000, NOW_S).since_s == NOW_S


@given(watermark=st.none() | SECONDS, newest=st.none() | SECONDS)
def test_a_watermark_never_moves_back_nor_beyond_now_nor_beyond_what_was_seen(watermark, newest):
    read = window(watermark, NOW_S)
    after = reached(watermark, read, newest, NOW_S)
    if watermark is not None:
        assert after >= watermark
    if watermark is None or after > watermark:
        assert after <= NOW_S
        assert after <= (read.since_s if newest is None else newest)


@given(steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), max_size=40), pause=st.integers(0, 100))
def test_only_what_was_reached_a_minute_ago_is_kept_and_in_the_end_all_of_it(steps, pause):
    at_s, second = 0.0, 0
    history = [(at_s, second)]
    settling = Settling(second, at_s)
    for wait, further in steps:
        at_s, second = at_s + wait, second + further
        settling.advance(second, at_s)
        history.append((at_s, second))
        kept = settling.settled(at_s)
        assert kept is None or kept <= max(
            (seen for reached_s, seen in history if at_s - reached_s >= SETTLE_S), default=-1
        )
    assert settling.settled(at_s + SETTLE_S + pause) == second


def test_trades_are_always_due_while_the_stream_cannot_be_relied_on():
    assert trades_due([99.0, 99.0], covered_since_s=None, now_s=100, interval_s=600)


def test_each_list_is_read_once_after_a_gap_and_then_one_of_them_each_interval():
    due = {"covered_since_s": 50.0, "interval_s": 600}
    assert trades_due([None, 60.0], now_s=61, **due)
    assert trades_due([49.0, 60.0], now_s=61, **due)
    assert not trades_due([55.0, 60.0], now_s=61, **due)
    assert not trades_due([55.0, 60.0], now_s=659, **due)
    assert trades_due([55.0, 60.0], now_s=660, **due)
