"""A fill_watcher under supervision at a scripted venue."""

import attrs
from actors_live_flow.watched_venue import ACCOUNT, venue_fill
from actors_live_flow.watched_world import Watched
from property.supervised import run_jumping

from actors.live.fill_watcher import FillWatcher
from engine.runtime.supervisor import Child
from protocols.clock import Random


@attrs.define(eq=False)
class World(Watched):
    watcher: FillWatcher = attrs.field(init=False)

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        self.watcher = FillWatcher(
            account=ACCOUNT, sockets=self.sockets, venue=self.venue, events=self.outbox(), book=self.book,
            clock=self.clock, rng=Random(3),
        )  # fmt: skip

    def run(self, main):
        run_jumping(lambda: self.during(Child(name="fill_watcher", run=self.watcher.run), main=main))
        return self

    def now_ms(self):
        return self.clock.now_ms()

    def match(self, number, trade=1, *, shares="10", heard=True, transaction_hash=None):
        """The venue matches; the socket says so to whoever listens."""
        done = venue_fill(number, trade, shares=shares, match_ms=self.now_ms(), transaction_hash=transaction_hash)
        self.venue.fills.append(done)
        if heard:
            self.sockets.say(done)
