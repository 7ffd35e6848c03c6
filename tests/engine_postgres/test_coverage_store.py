import attrs
import pytest
from engine_postgres.audited_wallets import NOW_S, add_trade, audits, miss, wallet, window

from protocols.coverage import BOTH
from protocols.errors import FencedError, RejectedError
from protocols.trades import Lane

LANES = [(wallet(n), Lane.TARGET if n % 2 else Lane.FOLLOWED) for n in range(1, 6)]


@pytest.fixture
async def opened(database, aio):
    async with audits(database) as pair:
        yield pair


async def known(store):
    rows = await store.wallets(since_ms=0, after="", rows_max=10_000)
    return [(row.wallet, row.lane, row.audited_until_s) for row in rows]


async def test_ranges_of_wallets_are_made_what_they_are_and_new_ones_begin_now(opened):
    store, lease = opened
    await store.sync(lease, LANES[:3], after="", at_end=False, now_s=NOW_S)
    await store.sync(lease, LANES[3:], after=wallet(3), at_end=True, now_s=NOW_S)
    assert await known(store) == [(*one, NOW_S) for one in LANES]
    # One is left out of the first range, one changes its lane, one is new; the second range is not touched.
    changed = [(wallet(1), Lane.FOLLOWED), (wallet(3), Lane.TARGET)]
    await store.sync(lease, changed, after="", at_end=False, now_s=NOW_S + 60)
    assert [one[0] for one in await known(store)] == [wallet(n) for n in (1, 3, 4, 5)]
    assert (await known(store))[0] == (wallet(1), Lane.FOLLOWED, NOW_S)
    await store.sync(lease, LANES[1:2], after=wallet(1), at_end=True, now_s=NOW_S + 60)
    assert await known(store) == [(wallet(1), Lane.FOLLOWED, NOW_S), (wallet(2), Lane.FOLLOWED, NOW_S + 60)]
    await store.sync(lease, [], after="", at_end=True, now_s=NOW_S)
    assert await known(store) == []


async def test_whose_turn_it_is_goes_by_the_last_try_whatever_it_came_to(opened):
    store, lease = opened
    await store.sync(lease, [(wallet(n), Lane.TARGET) for n in range(1, 5)], after="", at_end=True, now_s=NOW_S)
    await store.failed(lease, wallet(1), "502", now_ms=NOW_S * 1000 + 2)
    await store.close_window(lease, window(wallet(2), until_s=NOW_S + 5), now_ms=NOW_S * 1000 + 1)

    async def turn(until_s, wallets_max=10):
        return [one.wallet for one in await store.due(Lane.TARGET, until_s=until_s, wallets_max=wallets_max)]

    assert await turn(NOW_S + 5) == [wallet(n) for n in (3, 4, 2, 1)]
    assert await turn(NOW_S + 4) == [wallet(n) for n in (3, 4, 1)], "one is audited further than that"
    assert await turn(NOW_S + 5, 1) == [wallet(3)]
    assert await store.due(Lane.FOLLOWED, until_s=NOW_S + 5, wallets_max=10) == []
    [first] = await store.wallets(since_ms=0, after="", rows_max=1)
    assert (first.failures, first.last_error, first.tried_ms) == (1, "502", NOW_S * 1000 + 2)
    await store.close_window(lease, window(wallet(1)), now_ms=NOW_S * 1000 + 3)
    [first] = await store.wallets(since_ms=0, after="", rows_max=1)
    assert (first.failures, first.last_error, first.audited_until_s) == (0, None, NOW_S + 60)


async def test_a_run_that_lost_its_lease_writes_nothing(opened):
    store, lease = opened
    await store.sync(lease, LANES, after="", at_end=True, now_s=NOW_S)
    before = await known(store)
    late = attrs.evolve(lease, epoch=lease.epoch - 1)
    for write in (
        store.sync(late, [], after="", at_end=True, now_s=NOW_S),
        store.keep_misses(late, [miss(1)]),
        store.close_window(late, window(), now_ms=1),
        store.failed(late, wallet(1), "x", now_ms=1),
        store.mark_recorded(late, rows_max=10),
        store.prune(late, before_ms=10**14, rows_max=10),
    ):
        with pytest.raises(FencedError):
            await write
    assert await known(store) == before
    assert await store.misses(wallet=None, only_open=False, before=None, rows_max=10) == []
    assert await store.summary(since_ms=0) == {}


async def test_a_miss_is_kept_once_learns_of_the_other_history_and_who_brought_it(opened):
    store, lease = opened
    await store.sync(lease, LANES, after="", at_end=True, now_s=NOW_S)
    assert await store.keep_misses(lease, [miss(1), miss(2)]) == 2
    assert await store.keep_misses(lease, [miss(1, "activity"), miss(3, "activity")]) == 1
    assert await store.keep_misses(lease, [miss(1), miss(1, "activity")][:1]) == 0
    stranger = miss(4, owner=wallet(99))
    await store.keep_misses(lease, [stranger])
    open_ones = await store.unrecorded(since_ms=0, rows_max=10)
    assert [(one.trade_id, one.source) for one in open_ones] == [
        (miss(1).trade_id, BOTH),
        (miss(2).trade_id, "trades"),
        (miss(3).trade_id, "activity"),
    ], "who is followed no more is not asked for again"
    await add_trade(store, miss(2).trade_id, wallet(1), NOW_S, "audit")
    assert await store.mark_recorded(lease, rows_max=10) == 1
    assert await store.mark_recorded(lease, rows_max=10) == 0
    rows = await store.misses(wallet=wallet(1), only_open=False, before=None, rows_max=10)
    assert [(row.miss.trade_id, row.recorded_source, row.recorded_ms is None) for row in rows] == [
        (miss(3).trade_id, None, True),
        (miss(2).trade_id, "audit", False),
        (miss(1).trade_id, None, True),
    ]
    assert rows[1].miss == miss(2)
    only_open = await store.misses(wallet=None, only_open=True, before=rows[0].miss_id, rows_max=10)
    assert [row.miss.trade_id for row in only_open] == [miss(1).trade_id]


async def test_our_trades_are_found_by_id_and_by_their_seconds(opened):
    store, _ = opened
    for number, source in enumerate(("stream", "gap", None)):
        await add_trade(store, f"{number}-0", wallet(1), NOW_S + number, source)
    await add_trade(store, "other-0", wallet(2), NOW_S, "stream")
    assert await store.sources(["0-0", "2-0", "nobody-0"]) == {"0-0": "stream", "2-0": None}
    assert await store.trade_ids(wallet(1), NOW_S, NOW_S + 1, ids_max=10) == ["1-0", "0-0"]
    assert await store.trade_ids(wallet(1), NOW_S, NOW_S + 2, ids_max=1) == ["2-0"]


async def test_windows_add_up_by_lane_and_by_wallet_and_are_forgotten_in_time(opened):
    store, lease = opened
    await store.sync(lease, LANES, after="", at_end=True, now_s=NOW_S)
    await store.close_window(lease, window(), now_ms=1)
    await store.close_window(lease, window(), now_ms=1)
    await store.close_window(lease, window(since_s=NOW_S + 61, until_s=NOW_S + 90, unconfirmed=2), now_ms=1)
    await store.close_window(
        lease, window(wallet(2), Lane.FOLLOWED, expected=4, by_stream=1, by_gap=0, missed=0, by_unknown=3), now_ms=1
    )
    lanes = await store.summary(since_ms=0)
    assert (lanes[Lane.TARGET].counts.expected, lanes[Lane.TARGET].counts.unconfirmed) == (20, 2)
    assert (lanes[Lane.TARGET].counts.ratio, lanes[Lane.TARGET].wallets) == (0.8, 1)
    assert lanes[Lane.FOLLOWED].counts.ratio == 1.0, "who brought the others nobody knows any more"
    first, second, third, *_ = await store.wallets(since_ms=0, after="", rows_max=10)
    assert (first.counts.expected, second.counts.expected, third.counts.expected) == (20, 4, 0)
    assert third.counts.ratio is None
    await store.keep_misses(lease, [miss(1)])
    assert await store.prune(lease, before_ms=NOW_S * 1000, rows_max=10) == 0
    assert await store.prune(lease, before_ms=10**14, rows_max=2) == 3
    assert await store.prune(lease, before_ms=10**14, rows_max=2) == 1
    assert await store.summary(since_ms=0) == {}


async def test_lists_go_on_where_they_ended_beyond_a_thousand_rows(opened):
    store, lease = opened
    many = [(wallet(n), Lane.FOLLOWED) for n in range(1, 1_202)]
    await store.sync(lease, many, after="", at_end=True, now_s=NOW_S)
    await store.keep_misses(lease, [miss(n) for n in range(1_201)])
    pages, after = [], ""
    while not pages or pages[-1]:
        pages.append(await store.wallets(since_ms=0, after=after, rows_max=500))
        after = pages[-1][-1].wallet if pages[-1] else after
    assert [row.wallet for page in pages for row in page] == [name for name, _ in many]
    first = await store.misses(wallet=None, only_open=False, before=None, rows_max=1_000)
    rest = await store.misses(wallet=None, only_open=False, before=first[-1].miss_id, rows_max=1_000)
    assert len({row.miss.trade_id for row in (*first, *rest)}) == 1_201


async def test_what_the_table_says_of_a_window_adds_up(opened):
    store, lease = opened
    with pytest.raises(RejectedError):
        await store.close_window(lease, window(expected=11), now_ms=1)
