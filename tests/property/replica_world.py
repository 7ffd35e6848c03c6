"""Several price caches, each a replica with a clock of its own, over one venue and one store between them."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio
from property.fake_prices import FakePriceStore, FakeVenue, TrioClock
from property.made_trades import condition
from property.memory_quotes import MemoryQuotes, QuoteLine
from property.supervised import CrashPlan, supervisor

from actors.price_cache import PriceCache
from actors.price_sharing import PriceSharing
from config.schema import PricesConfig
from engine.runtime.supervisor import Child
from protocols.clock import Random


@attrs.frozen
class SkewedClock(TrioClock):
    """A replica's wall clock that is wrong."""

    skew_ms: int = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.skew_ms


@attrs.define(eq=False, kw_only=True)
class Replica:
    cache: PriceCache
    line: QuoteLine
    sharing: PriceSharing
    life: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Under supervision, until killed: then nothing of it happens any more, whatever it had begun."""
        keeper = supervisor()
        with self.life:
            await keeper.keep_alive(
                Child(name="price_cache", run=self.cache.run), keeper.policy, task_status=task_status
            )

    async def quotes(self, numbers: Sequence[int], max_age_ms: int = 0) -> dict[str, Any]:
        return await self.cache.quotes([condition(number) for number in numbers], max_age_ms)


@attrs.define(eq=False, kw_only=True)
class ReplicaWorld:
    count: int
    venue: FakeVenue = attrs.field(factory=FakeVenue)
    rows: FakePriceStore = attrs.field(factory=FakePriceStore)
    skews_ms: Sequence[int] = ()
    shared: MemoryQuotes = attrs.field(factory=MemoryQuotes)
    replicas: list[Replica] = attrs.field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.replicas = [self.replica(index) for index in range(self.count)]

    def replica(self, index: int, *crash_at: int) -> Replica:
        line = self.shared.line(plan=CrashPlan(frozenset(crash_at)))
        sharing = PriceSharing(store=line, name=f"replica{index}.{id(line)}")
        cache = PriceCache(
            upstream=self.venue,
            fallback=self.venue,
            store=self.rows,
            config=PricesConfig(),
            clock=SkewedClock(self.skews_ms[index] if index < len(self.skews_ms) else 0),
            rng=Random(index),
            sharing=sharing,
        )
        return Replica(cache=cache, line=line, sharing=sharing)

    async def during(self, main: Callable[[], Any]) -> None:
        async with trio.open_nursery() as nursery:
            for replica in self.replicas:
                await nursery.start(replica.run)
            await main()
            nursery.cancel_scope.cancel()
