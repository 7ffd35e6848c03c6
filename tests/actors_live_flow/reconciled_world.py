"""A reconciler under supervision, with accounts at scripted venues."""

import attrs
from actors_live_flow.watched_venue import ACCOUNT
from actors_live_flow.watched_world import Watched
from property.supervised import run_jumping

from actors.live.reconciler import Reconciler
from engine.runtime.supervisor import Child
from protocols.clock import Random

EARLIER_MS = 100_000
"""How long before the start orders were signed that an earlier run left behind."""


@attrs.define(eq=False)
class World(Watched):
    accounts: int = 1
    reconciler: Reconciler = attrs.field(init=False)
    others: list = attrs.field(init=False, factory=list)

    def __attrs_post_init__(self):
        super().__attrs_post_init__()
        venues = {ACCOUNT: self.venue}
        for number in range(1, self.accounts):
            self.others.append(type(self.venue)())
            venues[f"other-{number}"] = self.others[-1]
        self.reconciler = Reconciler(
            accounts=venues, events=self.outbox(), store=self.store, book=self.book, clock=self.clock, rng=Random(4)
        )

    def run(self, main):
        run_jumping(lambda: self.during(Child(name="reconciler", run=self.reconciler.run), main=main))
        return self

    def old_ms(self):
        return self.clock.now_ms() - EARLIER_MS
