"""A world in which the store fails on command, and what has to be true in the end."""

from collections.abc import Sequence
from decimal import Decimal

import attrs
import msgspec
import trio
from property.made_trades import laned
from property.supervised import CrashError, run_jumping, supervisor
from worked_example.whale import Whale
from worked_example.whale_watch import WhaleWatch

from engine.runtime.channel import Channel
from engine.runtime.channel_statistics import ChannelStatistics
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.trades import LanedTrade

LEAST_USD = Decimal(1000)


@attrs.define(eq=False)
class FailingStore:
    """Keeps whales like the table does. Each call does what the script says; after its end all is well."""

    script: list[str]
    kept: dict[str, Whale] = attrs.field(factory=dict)

    async def record(self, whales: Sequence[Whale]) -> int:
        step = self.script.pop(0) if self.script else "works"
        await trio.sleep(0.01)
        if step == "away":
            raise TransientError("the database is away")
        if step == "crash before":
            raise CrashError("a bug before the commit")
        new = [whale for whale in whales if whale.trade_id not in self.kept]
        self.kept |= {whale.trade_id: whale for whale in new}
        if step == "answer lost":
            raise TransientError("committed, and the answer got lost")
        if step == "crash after":
            raise CrashError("a bug after the commit")
        return len(new)


@attrs.define(eq=False)
class WhaleWorld:
    """Trades of so many USD, one after the other, through a small channel into the watch."""

    usd: Sequence[int]
    script: Sequence[str]
    watch: type[WhaleWatch] = WhaleWatch
    store: FailingStore = attrs.field(init=False)
    channel: Channel[LanedTrade] = attrs.field(init=False, factory=lambda: Channel("trades", 3))

    def run(self) -> ChannelStatistics:
        """Sends everything, ends the stream, waits until the watch has returned."""
        self.store = FailingStore(list(self.script))
        run_jumping(self._main, longest_s=10_000)
        return self.channel.statistics()

    async def _main(self) -> None:
        outbox = self.channel.outbox()
        watch = self.watch(trades=self.channel.inbox, store=self.store, least_usd=LEAST_USD, rng=Random(1))
        child = Child(name="whale_watch", run=watch.run, reads=(self.channel,))
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor().run_group, "stages", [child])
            for number, usd in enumerate(self.usd):
                await outbox.send(trade_of(number, usd))
            outbox.close()


def trade_of(number: int, usd: int) -> LanedTrade:
    """Trade `number`, of `usd` USD: twice as many shares at a half."""
    made = laned(number)
    trade = msgspec.structs.replace(made.trade, price=Decimal("0.5"), size_micro=2_000_000 * usd)
    return LanedTrade(trade, made.lane)
