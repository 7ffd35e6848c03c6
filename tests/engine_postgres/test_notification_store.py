"""The outbox between engines: nothing is sent by two at once, nothing is lost, marks are those of whoever holds the claim."""

from datetime import time

import pytest
import trio
from engine_adapters.live_worlds import D
from engine_postgres.notice_world import notice_world

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.notification_store import PostgresNotificationStore
from engine.adapters.postgres.notification_user_store import (
    CHANGES_PER_HOUR,
    TESTS_PER_HOUR,
    NotificationUserStore,
    PreferenceRow,
    TooOftenError,
)
from engine.adapters.system_clock import SystemClock
from protocols.notifications import MAIL, ChannelRule, NoticeKind, Preferences, Retry

MAILS = ChannelRule(name=MAIL, needs_address=True)
OPS = ChannelRule(name="ops", users=frozenset({"ann"}), kinds=frozenset({NoticeKind.DRIFT}))
BOTH = [MAIL, "ops"]


@pytest.fixture
async def world(database, aio):
    async with notice_world(database) as one:
        yield one


@pytest.fixture
def users(world):
    return NotificationUserStore(world.live.connection)


async def routed(world, window_s=0.0):
    return await world.outbox.route([MAILS, OPS], window_s=window_s, notices_max=100)


async def claimed(world, **options):
    return await world.outbox.claim(BOTH, **{"lease_s": 60, "window_s": 0, **options})


async def test_a_notice_goes_to_the_channels_that_are_meant_for_it_once(world):
    ann, bob = await world.user("ann", "ann@example.org"), await world.user("bob", "no address\r\nBcc: x@example.org")
    for user, kind in ((ann, "order_filled"), (ann, "drift"), (bob, "drift"), (bob, "test")):
        await world.notice(user, kind)
    gone = await world.user("gone", "gone@example.org")
    await world.notice(gone, "drift")
    await world.live.fetch("UPDATE profiles SET disabled_at = now() WHERE user_name = 'gone'")
    assert [await routed(world) for _ in range(2)] == [5, 0]
    rows = [(one["channel"], str(one["user_id"])) for one in await world.deliveries()]
    assert rows == [(MAIL, ann), (MAIL, ann), ("ops", ann)]


async def test_two_engines_never_hold_one_delivery_at_once(world, database):
    users = [await world.user(f"user{n}", f"user{n}@example.org") for n in range(40)]
    for user in users:
        for key in range(3):
            await world.notice(user, key=str(key))
    while await routed(world):
        pass
    taken = []

    async def engine(name):
        async with open_connection(database, name) as connection:
            store = PostgresNotificationStore(connection)
            while found := await store.claim(BOTH, lease_s=60, window_s=0):
                taken.extend(one.key for one in found)

    async with trio.open_nursery() as nursery:
        for name in ("a", "b", "c"):
            nursery.start_soon(engine, name)
    assert len(taken) == len(set(taken)) == 120


async def test_a_claim_that_ran_out_is_taken_over_and_counts_as_a_try(world):
    await world.notice(await world.user("ann", "ann@example.org"))
    await routed(world)
    [first] = await claimed(world, lease_s=0)
    await trio.sleep(0.01)
    [second] = await claimed(world)
    assert (first.attempts, second.attempts, second.claim) == (0, 1, first.claim + 1)
    assert await claimed(world) == []
    # The one that was taken for dead changes nothing …
    await world.outbox.mark_failed([Retry(delivery=first, error="late", after_s=None)])
    await world.outbox.put_off([(first, 4_000_000_000_000)])
    await world.outbox.suppress([first])
    [row] = await world.deliveries()
    assert (row["status"], row["attempts"], row["last_error"]) == ("pending", 1, None)
    # … but that it sent is true.
    await world.outbox.mark_sent([first])
    await world.outbox.mark_failed([Retry(delivery=second, error="late", after_s=1)])
    [row] = await world.deliveries()
    assert (row["status"], row["claimed_until"]) == ("sent", None)


async def test_a_failure_is_tried_again_when_it_is_due_and_given_up_at_the_end(world):
    await world.notice(await world.user("ann", "ann@example.org"))
    await routed(world)
    [one] = await claimed(world)
    await world.outbox.mark_failed([Retry(delivery=one, error="no", after_s=3_600)])
    assert await claimed(world) == []
    assert (await world.outbox.backlog()).oldest_s > 0
    await world.live.fetch("UPDATE notification_deliveries SET next_try_at = now()")
    [one] = await claimed(world)
    assert one.attempts == 1
    await world.outbox.mark_failed([Retry(delivery=one, error="no", after_s=None)])
    assert await claimed(world) == []
    backlog = await world.outbox.backlog()
    assert (backlog.pending, backlog.failed, backlog.oldest_s) == (0, 1, 0)


async def test_what_follows_within_the_window_comes_along_and_other_users_do_not(world):
    ann, bob = await world.user("ann", "ann@example.org"), await world.user("bob", "bob@example.org")
    await world.notice(ann, key="first")
    await routed(world, window_s=0)
    await world.notice(ann, key="second")
    await world.notice(bob)
    await routed(world, window_s=20)
    found = await claimed(world, window_s=20)
    assert [one.user_name for one in found] == ["ann", "ann"]


async def test_quiet_hours_and_wishes_come_with_the_claim(world, users):
    ann = await world.user("ann", "ann@example.org")
    await world.notice(ann)
    await routed(world)
    [one] = await claimed(world)
    assert one.preferences == Preferences()
    now_ms = SystemClock().now_ms()
    await world.outbox.put_off([(one, now_ms + 3_600_000)])
    backlog = await world.outbox.backlog()
    assert (backlog.pending, backlog.oldest_s) == (1, 0)
    changes = {
        "drift": False,
        "auto_close": False,
        "quiet_from": time(22),
        "quiet_to": time(7),
        "timezone": "Europe/Berlin",
    }
    await users.change(ann, changes)
    await world.live.fetch("UPDATE notification_deliveries SET next_try_at = now()")
    [one] = await claimed(world)
    kinds = {NoticeKind.DRIFT, NoticeKind.AUTO_CLOSE_EXECUTED, NoticeKind.AUTO_CLOSE_FAILED}
    wanted = Preferences(unwanted=frozenset(kinds), quiet_from=time(22), quiet_to=time(7), timezone="Europe/Berlin")
    assert (one.preferences, one.attempts) == (wanted, 0)
    await world.outbox.suppress([one])
    assert [row["status"] for row in await world.deliveries()] == ["suppressed"]


async def test_what_waits_for_days_is_given_up(world):
    await world.notice(await world.user("ann", "ann@example.org"))
    await routed(world)
    await world.live.fetch("UPDATE notification_deliveries SET created_at = now() - interval '73 hours'")
    await world.outbox.note_overdue_exits()
    [row] = await world.deliveries()
    assert (row["status"], row["last_error"]) == ("failed", "not delivered within 72 h")


async def test_preferences_of_a_user_without_a_row_are_the_defaults_of_the_table(world, users):
    ann = await world.user("ann")
    assert await users.preferences(ann) == PreferenceRow()
    await users.change(ann, {})
    assert await users.preferences(ann) == PreferenceRow()
    changed = await users.change(ann, {"default_buy_slippage": D("1.5"), "order_filled": False})
    assert await users.preferences(ann) == changed == PreferenceRow(default_buy_slippage=D("1.5"), order_filled=False)


async def test_changes_and_tests_are_limited_by_the_hour(world, users):
    ann = await world.user("ann")
    for _ in range(CHANGES_PER_HOUR):
        await users.change(ann, {"drift": False})
    with pytest.raises(TooOftenError):
        await users.change(ann, {"drift": True})
    assert not (await users.preferences(ann)).drift
    await world.live.fetch("UPDATE notification_preferences SET hour_began = hour_began - interval '1 hour'")
    assert (await users.change(ann, {"drift": True})).drift
    for _ in range(TESTS_PER_HOUR):
        await users.add_test(ann, "ann")
    with pytest.raises(TooOftenError):
        await users.add_test(ann, "ann")


async def test_notices_are_walked_whole_and_are_ones_own(world, users):
    ann, bob = await world.user("ann"), await world.user("bob")
    mine = [await world.notice(ann, key=str(n)) for n in range(1_001)]
    theirs = await world.notice(bob)
    found, before = [], None
    while page := await users.page(ann, before=before, rows_max=200):
        found += [row["notification_id"] for row in page]
        before = found[-1]
    assert found == sorted(mine, reverse=True)
    assert await users.one(ann, theirs) is None
