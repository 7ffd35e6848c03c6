"""Streams of the feed that go from replica to replica, each with a hub of its own that has read further or less far."""

from random import Random

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from property.supervised import TIRELESS, run_jumping, supervisor
from property.test_feed_hub_crashes import BOUNDS, USERS, Client, CrashingFeed, clients, commits

from actors.feed_hub import FeedHub
from engine.runtime.supervisor import Child
from protocols.errors import TransientError


@attrs.define(eq=False, kw_only=True)
class Wanderer(Client):
    """Comes back with the last id it saw, each time to another replica."""

    hubs: list[FeedHub]
    visits: int = 0

    async def run(self) -> None:
        resume = self.begin
        while True:
            hub = self.hubs[self.visits % len(self.hubs)]
            self.visits += 1
            try:
                subscription = await hub.subscribe(self.user_id, resume)
            except TransientError:
                await trio.sleep(0.5)
                continue
            for _ in range(self.chunks_per_visit):
                self.check(await subscription.chunk(), resume)
                await trio.sleep(self.pause_s)
            resume = self.position


@settings(max_examples=80, deadline=None)
@given(
    commits=commits,
    clients=clients,
    crash_at=st.frozensets(st.integers(1, 40), max_size=4),
    away_at=st.frozensets(st.integers(1, 40), max_size=4),
    before=st.integers(0, 60),
    told=st.lists(st.integers(0, 2), max_size=25),
)
def test_no_event_is_lost_or_repeated_from_replica_to_replica(commits, clients, crash_at, away_at, before, told):
    store = CrashingFeed(crash_at=crash_at, away_at=away_at)
    for user_id, wallets in USERS.items():
        store.follow(user_id, *wallets)
    store.commit(*[1, 3] * before)
    hubs = [FeedHub(store=store, rng=Random(number), bounds=BOUNDS) for number in range(3)]
    there = [
        Wanderer(
            hub=hubs[0], hubs=hubs, store=store, user_id=user, pause_s=pause_s, chunks_per_visit=chunks, begin=begin
        )
        for user, pause_s, chunks, begin in clients
    ]

    async def main():
        async with trio.open_nursery() as nursery:
            for number, hub in enumerate(hubs):
                await nursery.start(supervisor().keep_alive, Child(name=f"feed_hub{number}", run=hub.run), TIRELESS)
            for client in there:
                nursery.start_soon(client.run)
            for number, (pause_s, wallets, hole, _) in enumerate(commits):
                await trio.sleep(pause_s)
                store.commit(*wallets, hole=hole)
                # A replica hears of a commit, or of none and looks by itself.
                if number < len(told):
                    hubs[told[number]].wake()
            await trio.sleep(200)
            nursery.cancel_scope.cancel()

    run_jumping(main, longest_s=1_000)
    for client in there:
        assert not store.seqs(client.user_id, after=client.position), "not delivered"
