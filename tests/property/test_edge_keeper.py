"""The task that keeps the claims of a reader, in virtual time, with a store that fails on command."""

import random

import attrs
import trio
from property.supervised import run_jumping

from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.edge_keeper import EdgeKeeper
from protocols.edges import Delivery, EdgeFigures
from protocols.errors import TransientError

FIGURES = EdgeFigures(sent=3, acknowledged=1, dead=0, dropped=0, depth=1, in_hand=1)


@attrs.define(eq=False)
class Store:
    is_up: bool = True
    new: list = attrs.field(factory=list)
    kept: list = attrs.field(factory=list)

    async def mine(self):
        return []

    async def take_over(self):
        return []

    async def take(self, items_max, wait_s):
        taken, self.new = self.new[:items_max], self.new[items_max:]
        return taken

    async def keep(self, item_ids):
        await self._answer()
        self.kept.append(list(item_ids))

    async def figures(self):
        await self._answer()
        return FIGURES

    async def _answer(self):
        await trio.sleep(0.001)
        if not self.is_up:
            raise TransientError("down")


class Codec:
    def decode(self, body):
        return body


def kept_by(store, main):
    """Runs a keeper beside `main`; returns what it told."""
    told = []
    inbox = EdgeInbox(name="edge", store=store, codec=Codec(), rng=random.Random(1))
    keeper = EdgeKeeper(inbox=inbox, interval_s=2.0, is_open=lambda answers, why: told.append((answers, why)))

    async def both():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            await main(inbox, keeper, told)
            nursery.cancel_scope.cancel()

    run_jumping(both)
    return told


def test_what_the_reader_works_on_is_kept_and_nothing_else():
    store = Store(new=[Delivery(item_id="1", body=b"one", deliveries=1)])

    async def main(inbox, keeper, told):
        await trio.sleep(3)
        assert store.kept == []
        assert await inbox.batch(10) == [b"one"]
        await trio.sleep(4)
        assert store.kept == [["1"], ["1"]]
        assert keeper.figures == FIGURES

    kept_by(store, main)


def test_a_store_that_is_gone_is_told_until_it_is_back_or_nobody_reads():
    store = Store()

    async def main(inbox, keeper, told):
        await trio.sleep(3)
        assert told[-1] == (True, "")
        store.is_up = False
        await trio.sleep(2)
        assert (told[-1], keeper.figures) == ((False, "down"), None)
        store.is_up = True
        await trio.sleep(2)
        assert (told[-1], keeper.figures) == ((True, ""), FIGURES)
        store.is_up = False
        await trio.sleep(2)
        assert told[-1] == (False, "down")

    assert kept_by(store, main)[-1] == (True, "")
