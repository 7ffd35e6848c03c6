import re
from random import Random

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from property.fake_feed import FakeFeed, event_ids
from property.supervised import TIRELESS, CrashError, run_jumping, supervisor

from actors.feed_hub import FeedHub
from actors.rules.feed_bounds import FeedBounds
from engine.runtime.supervisor import Child
from protocols.errors import TransientError

BOUNDS = FeedBounds(
    ring_events_max=12, batch_rows=4, catch_up_span=40, catch_up_rows=9, catch_up_page_rows=3, chunk_bytes_max=900,
    poll_s=1.0, keep_alive_s=3.0,
)  # fmt: skip
USERS = {"one": (1,), "both": (1, 2), "none": ()}
_RESYNC = re.compile(rb"event: resync\nid: (\d+)\n")
_POSITION = re.compile(rb"id: (\d+)\n\n$")


@attrs.define(eq=False)
class CrashingFeed(FakeFeed):
    """Crashes, or is away, at chosen readings; after the answer, which is when most is at stake."""

    crash_at: frozenset[int] = frozenset()
    away_at: frozenset[int] = frozenset()

    async def committed_after(self, seq, rows_max):
        batch = await super().committed_after(seq, rows_max)
        if self.calls in self.crash_at:
            raise CrashError(f"reading {self.calls}")
        if self.calls in self.away_at:
            raise TransientError("away")
        return batch


@attrs.define(eq=False, kw_only=True)
class Client:
    """Reads at its own pace, and comes back now and then with the last id it saw."""

    hub: FeedHub
    store: FakeFeed
    user_id: str
    pause_s: float
    chunks_per_visit: int
    begin: int | None
    position: int = 0
    is_certain: bool = False
    resyncs: int = 0

    async def run(self) -> None:
        resume = self.begin
        while True:
            try:
                subscription = await self.hub.subscribe(self.user_id, resume)
            except TransientError:
                await trio.sleep(0.5)
                continue
            for _ in range(self.chunks_per_visit):
                self.check(await subscription.chunk(), resume)
                await trio.sleep(self.pause_s)
            resume = self.position

    def check(self, chunk: bytes, resume: int | None) -> None:
        """Whatever arrives is what comes next, unless the stream said that something was missed."""
        if found := _RESYNC.search(chunk):
            self.resyncs += 1
            self.position = int(found[1])
            return
        if chunk.startswith(b"retry"):
            opened_at = int(_POSITION.search(chunk)[1])
            assert resume in (None, opened_at)
            self.position = opened_at
            return
        got = event_ids(chunk)
        if got:
            expected = self.store.seqs(self.user_id, after=self.position)[: len(got)]
            assert got == expected
            self.position = got[-1]
        else:
            reached = int(_POSITION.search(chunk)[1])
            assert not [seq for seq in self.store.seqs(self.user_id, self.position) if seq <= reached], "skipped"
            self.position = max(self.position, reached)


commits = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.1, 0.7, 3.0]),
        st.lists(st.integers(1, 3), max_size=25),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=25,
)
clients = st.lists(
    st.tuples(
        st.sampled_from(list(USERS)),
        st.sampled_from([0.0, 0.05, 0.9, 3.0]),
        st.integers(2, 12),
        st.sampled_from([None, 0, 3, 30]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(commits=commits, clients=clients, crash_at=st.frozensets(st.integers(1, 40), max_size=6),
       away_at=st.frozensets(st.integers(1, 40), max_size=6), before=st.integers(0, 60))  # fmt: skip
def test_no_event_is_lost_or_repeated_without_a_resync(commits, clients, crash_at, away_at, before):
    store = CrashingFeed(crash_at=crash_at, away_at=away_at)
    for user_id, wallets in USERS.items():
        store.follow(user_id, *wallets)
    store.commit(*[1, 3] * before)
    hub = FeedHub(store=store, rng=Random(1), bounds=BOUNDS)
    there = [
        Client(hub=hub, store=store, user_id=user, pause_s=pause_s, chunks_per_visit=chunks, begin=begin)
        for user, pause_s, chunks, begin in clients
    ]

    async def main():
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor().keep_alive, Child(name="feed_hub", run=hub.run), TIRELESS)
            for client in there:
                nursery.start_soon(client.run)
            for pause_s, wallets, hole, told in commits:
                await trio.sleep(pause_s)
                store.commit(*wallets, hole=hole)
                if told:
                    hub.wake()
            # However slow a client is, in the end it has everything.
            await trio.sleep(150)
            nursery.cancel_scope.cancel()

    run_jumping(main, longest_s=1_000)
    for client in there:
        assert not store.seqs(client.user_id, after=client.position), "not delivered"
    assert len(hub.ring) <= BOUNDS.ring_events_max
