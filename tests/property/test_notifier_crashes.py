"""Every notice reaches every channel that is up in the end, whatever crashes, fails and is taken over meanwhile."""

from datetime import time
from functools import partial

import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import FEW
from property.fake_outbox import FakeChannels, FakeOutbox
from property.fake_prices import EPOCH_MS, TrioClock
from property.supervised import CrashPlan, crash_sets, run_jumping, supervisor

from actors.notifier import Notifier
from actors.rules.notices.quiet_hours import quiet_until
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.notifications import URGENT, ChannelRule, DeliveryStatus, NoticeKind, Preferences
from protocols.timestamps import utc_datetime

CHANNELS = (ChannelRule(name="mail", needs_address=True), ChannelRule(name="ops"))
LEASE_S, WINDOW_S = 60.0, 20.0
POLL_S = 120.0
USERS = ("ann", "bob")
KINDS = (NoticeKind.ORDER_FILLED, NoticeKind.DRIFT, NoticeKind.MARKET_RESOLVED)
QUIET = Preferences(quiet_from=time(22), quiet_to=time(7), timezone="Europe/Berlin")
NO_FILLS = Preferences(unwanted=frozenset({NoticeKind.ORDER_FILLED}))
events = st.lists(
    st.tuples(st.floats(0, 40_000), st.sampled_from(USERS), st.sampled_from(KINDS)), min_size=1, max_size=12
)
calls = partial(crash_sets, 120)


def notifier(outbox, channels, clock, seed):
    return Notifier(
        store=outbox, sender=channels, channels=CHANNELS, clock=clock, rng=Random(seed), lease_s=LEASE_S, window_s=WINDOW_S,
        poll_s=POLL_S,
    )  # fmt: skip


async def played(outbox, channels, clock, happened, engines):
    """Plays until everything has been decided, a day after the last event."""
    async with trio.open_nursery() as nursery:
        for seed in range(engines):
            child = Child(name=f"notifier {seed}", run=notifier(outbox, channels, clock, seed).run)
            await nursery.start(supervisor().run_group, "serving", (child,))
        for at_s, user, kind in sorted(happened):
            await trio.sleep_until(at_s)
            outbox.facts.append((user, kind))
        await trio.sleep(50_000)
        while (
            outbox.facts or outbox.unrouted or any(row.status is DeliveryStatus.PENDING for row in outbox.rows.values())
        ):
            await trio.sleep(600)
        nursery.cancel_scope.cancel()


@FEW
@given(
    happened=events, crashes=calls(), weather=calls(), send_crashes=calls(), lost=calls(),
    down_s=st.floats(0, 30_000), engines=st.integers(1, 2), quiet=st.booleans(), picky=st.booleans(),
)  # fmt: skip
def test_nothing_is_lost(happened, crashes, weather, send_crashes, lost, down_s, engines, quiet, picky):
    async def main():
        clock = TrioClock()
        wishes = {"ann": QUIET if quiet else Preferences(), "bob": NO_FILLS if picky else Preferences()}
        outbox = FakeOutbox(CrashPlan(crashes), CrashPlan(weather), wishes)
        channels = FakeChannels(Random(1), clock, {"ops": down_s}, CrashPlan(send_crashes), CrashPlan(lost))
        await played(outbox, channels, clock, happened, engines)
        assert len(outbox.rows) == 2 * len(happened)
        for row in outbox.rows.values():
            unwanted = row.notice.kind in wishes[row.user].unwanted
            if unwanted:
                assert row.status is DeliveryStatus.SUPPRESSED
            elif row.status is DeliveryStatus.FAILED:
                # Only what was tried as often as it may be.
                assert row.attempts >= 6
            else:
                assert row.status is DeliveryStatus.SENT
        # What was marked was sent, and nothing that is not wanted.
        told = {key for key, row in outbox.rows.items() if any(_tells(one, row) for _, one in channels.messages)}
        assert told >= {key for key, row in outbox.rows.items() if row.status is DeliveryStatus.SENT}
        assert not told & {key for key, row in outbox.rows.items() if row.status is DeliveryStatus.SUPPRESSED}
        for at_s, one in channels.messages:
            # Whether it is quiet is looked at when a batch begins.
            looked_s = at_s - channels.takes_s * 2 * len(happened)
            if quiet and _is_for(one, "ann") and "ledger" not in one.title:
                assert not (_is_quiet(at_s) and _is_quiet(looked_s))

    run_jumping(main, longest_s=4e6)


def _tells(message, row):
    own = message.channel == row.channel and _is_for(message, row.user)
    return own and f"subject {row.notice.notification_id:04}" in message.text


def _is_quiet(at_s):
    return quiet_until(utc_datetime(EPOCH_MS + round(at_s * 1000)), QUIET) is not None


def _is_for(message, user):
    return message.address == f"{user}@example.org" or f"] {user}:" in message.title


@FEW
@given(happened=events, engines=st.integers(1, 2))
def test_without_crashes_everything_is_sent_exactly_once(happened, engines):
    async def main():
        clock = TrioClock()
        outbox = FakeOutbox(CrashPlan(()), CrashPlan(()))
        channels = FakeChannels(Random(1), clock, {}, CrashPlan(()), CrashPlan(()))
        await played(outbox, channels, clock, happened, engines)
        for row in outbox.rows.values():
            assert sum(_tells(one, row) for _, one in channels.messages) == 1
        assert all(row.status is DeliveryStatus.SENT and row.attempts == 0 for row in outbox.rows.values())

    run_jumping(main, longest_s=4e6)


def test_urgent_kinds_are_those_that_cannot_wait():
    assert {NoticeKind.DRIFT, NoticeKind.STRATEGY_HALTED, NoticeKind.ORDER_LOST, NoticeKind.TEST} == URGENT
