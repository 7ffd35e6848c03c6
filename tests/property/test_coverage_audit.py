"""Whatever pages cut, histories lack and databases refuse: exactly what nobody had is found, and recorded once."""

from collections import Counter
from itertools import pairwise

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.coverage_world import START_S, audit_in_weather, ids_of, weather, world_of
from property.examples import QUICK
from property.fake_history import Past
from property.made_trades import transaction, wallet

from protocols.errors import TransientError
from protocols.trades import Lane

ANN, BOB, EVE = wallet(1), wallet(2), wallet(3)
LANES = {ANN: Lane.TARGET, BOB: Lane.FOLLOWED, EVE: Lane.KNOWN}
HOUR_S = 3_600
SOURCES = ("stream", "gap", "poller", None)
APIS = ("trades", "activity", "both")

# A transaction has one second; fills of it may be equal, and of several wallets.
FILLS = st.lists(
    st.tuples(
        st.integers(1, 6), st.sampled_from([ANN, BOB, EVE]), st.integers(1, 3), st.sampled_from(APIS), st.booleans(),
        st.sampled_from(SOURCES),
    ),
    max_size=40,
)  # fmt: skip


def happened(world, fills):
    """Puts fills into the histories, and those that we have into our database; returns rows by wallet and what is ours."""
    kept = {"trades": [], "activity": []}
    for number, owner, micro, api, _, _ in fills:
        row = Past(START_S + 100 + number // 2, (transaction(number), owner, micro))
        for name, rows in kept.items():
            if api in (name, "both"):
                rows.append(row)
    world.trades.rows, world.activity.rows = kept["trades"], kept["activity"]
    # The union as the venue has it: of equal fills as many as the history that shows more of them.
    true_ids = {}
    for owner in (ANN, BOB):
        lists = [[row for row in rows if row.fill[1] == owner] for rows in kept.values()]
        true_ids[owner] = ids_of(lists[0]) | ids_of(lists[1])
    ours = sorted(true_ids[ANN] | true_ids[BOB])
    for trade_id, (*_, is_held, source) in zip(ours, fills, strict=False):
        if is_held:
            owner = ANN if trade_id in true_ids[ANN] else BOB
            world.store.rows[trade_id] = (owner, START_S + 100, source)
    return true_ids, set(ours) - world.store.rows.keys()


@QUICK
@given(fills=FILLS, page_rows=st.integers(1, 7))
def test_exactly_what_nobody_had_is_found_and_recorded_once(fills, page_rows):
    world = world_of(LANES, page_rows=page_rows, pages_max=200)

    async def story(world):
        await world.audit()
        true_ids, missing = happened(world, fills)
        held = Counter(source for _, _, source in world.store.rows.values())
        await trio.sleep(HOUR_S)
        await world.audit()
        assert world.store.kept.keys() == missing
        assert world.store.recorded == dict.fromkeys(missing, "audit")
        assert world.store.rows.keys() == true_ids[ANN] | true_ids[BOB]
        total = world.store.total()
        assert total.expected == len(true_ids[ANN]) + len(true_ids[BOB])
        counted = (total.by_stream, total.by_gap, total.by_poller, total.by_unknown, total.missed)
        assert counted == (held["stream"], held["gap"], held["poller"], held[None], len(missing))
        assert total.unconfirmed == total.malformed == 0
        assert sum(world.board.missed.values()) == len(missing)
        before = dict(world.store.rows), dict(world.store.kept), list(world.store.windows)
        handed = world.handed
        await world.audit()
        assert (dict(world.store.rows), dict(world.store.kept), list(world.store.windows)) == before
        assert world.handed == handed

    world.play(story)


@QUICK
@given(
    fills=FILLS,
    page_rows=st.integers(1, 7),
    runs=st.lists(
        st.tuples(
            st.lists(st.sampled_from(["ok", "ok", "transient", "slow"]), max_size=30),
            st.lists(st.booleans(), max_size=20),
            st.none() | st.floats(0, 30),
        ),
        min_size=1,
        max_size=4,
    ),
    deaf=st.integers(0, 2),
)
def test_no_weather_and_no_kill_loses_a_miss_or_counts_one_twice(fills, page_rows, runs, deaf):
    world = world_of(LANES, page_rows=page_rows, pages_max=200)

    async def story(world):
        await world.audit()
        true_ids, missing = happened(world, fills)
        await trio.sleep(HOUR_S)
        for number, (calls, database, cancel_at) in enumerate(runs):
            # What is handed over may be lost on its way as well.
            world.ingests = number >= deaf
            weather(world, calls, database)
            await audit_in_weather(world, cancel_at)
            await trio.sleep(100)
        weather(world, (), ())
        world.ingests = True
        for _ in range(2):
            await world.audit()
            await trio.sleep(100)
        assert world.store.kept.keys() == missing
        assert world.store.recorded.keys() == missing
        assert world.store.rows.keys() == true_ids[ANN] | true_ids[BOB]
        total = world.store.total()
        assert (total.expected, total.missed) == (len(true_ids[ANN]) + len(true_ids[BOB]), len(missing))
        for owner in (ANN, BOB):
            windows = sorted((one.since_s, one.until_s) for one in world.store.windows if one.wallet == owner)
            assert all(after[0] == before[1] + 1 for before, after in pairwise(windows))

    world.play(story)


def test_a_page_that_fails_closes_no_window_and_fails_the_run():
    world = world_of(LANES)

    async def story(world):
        await world.audit()
        happened(world, [(1, ANN, 1, "both", False, None)])
        await trio.sleep(HOUR_S)
        world.activity.down_until_s = trio.current_time() + 60
        with pytest.raises(TransientError, match="502"):
            await world.audit()
        assert world.store.windows == []
        await trio.sleep(60)
        figures = await world.audit()
        assert (figures["windows"], figures["expected"]) == (2, 1)

    world.play(story)


def test_a_busy_hour_is_halved_until_it_can_be_read():
    world = world_of({ANN: Lane.TARGET}, page_rows=2, pages_max=10)

    async def story(world):
        await world.audit()
        rows = [Past(START_S + 60 + n * 30, (transaction(n), ANN, 1)) for n in range(100)]
        world.trades.rows = world.activity.rows = rows
        await trio.sleep(HOUR_S)
        for _ in range(12):
            await world.audit()
            await trio.sleep(1)
        assert world.store.kept.keys() == ids_of(rows)
        assert world.store.total().expected == 100

    world.play(story)


def test_after_a_long_standstill_what_is_too_old_is_given_up_and_said():
    world = world_of({ANN: Lane.TARGET}, lookback_s=2 * HOUR_S)

    async def story(world):
        await world.audit()
        old = Past(START_S + 100, (transaction(1), ANN, 1))
        young = Past(START_S + 9 * HOUR_S, (transaction(2), ANN, 1))
        world.trades.rows = [old, young]
        await trio.sleep(10 * HOUR_S)
        await world.audit()
        [window] = world.store.windows
        assert (window.since_s, window.skipped_s) == (START_S + 8 * HOUR_S, 8 * HOUR_S - 1)
        assert world.store.kept.keys() == ids_of([young])

    world.play(story)


def test_trades_of_ours_that_no_history_shows_are_no_misses():
    world = world_of({ANN: Lane.TARGET})

    async def story(world):
        await world.audit()
        world.store.rows["abc-0"] = (ANN, START_S + 500, "stream")
        await trio.sleep(HOUR_S)
        await world.audit()
        total = world.store.total()
        assert (total.expected, total.unconfirmed, total.ratio) == (0, 1, None)

    world.play(story)


def test_who_is_not_followed_any_more_is_forgotten_and_begins_anew_when_he_comes_back():
    world = world_of(dict(LANES))

    async def story(world):
        await world.audit()
        assert world.store.wallets.keys() == {ANN, BOB}
        del world.lanes[BOB]
        world.job._synced = None
        await trio.sleep(HOUR_S)
        await world.audit()
        assert world.store.wallets.keys() == {ANN}
        world.lanes[BOB] = Lane.FOLLOWED
        world.job._synced = None
        await trio.sleep(HOUR_S)
        await world.audit()
        assert world.store.wallets[BOB].audited_until_s == START_S + 2 * HOUR_S

    world.play(story)
