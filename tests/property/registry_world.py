"""The market registry between a real channel, a store and a catalog that fail."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio
from property.fake_markets import FakeCatalog, FakeMarketStore
from property.supervised import run_jumping, supervisor

from actors.market_registry import MarketRegistry
from config.markets import MarketsConfig
from engine.runtime.channel import Channel
from engine.runtime.supervisor import Child
from protocols.channels import Overflow
from protocols.clock import Random


@attrs.define(eq=False)
class RegistryWorld:
    store: FakeMarketStore
    catalog: FakeCatalog
    settings: dict[str, Any] = attrs.field(factory=dict)
    capacity: int = 1_000
    requests: Channel[str] = attrs.field(init=False)
    registry: MarketRegistry = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.requests = Channel("market_requests", self.capacity, Overflow.DROP_NEWEST)
        self.registry = MarketRegistry(
            requests=self.requests.inbox,
            store=self.store,
            catalog=self.catalog,
            config=MarketsConfig(**self.settings),
            rng=Random(2),
        )

    def run(self, asks: Sequence[tuple[float, str]], seconds: float) -> "RegistryWorld":
        """Asks for ids at their times and lets the registry work for a while."""

        async def main() -> None:
            keeper, outbox = supervisor(), self.requests.outbox()
            child = Child(name="market_registry", run=self.registry.run, reads=(self.requests,))
            with trio.move_on_after(seconds):
                async with trio.open_nursery() as nursery:
                    await nursery.start(keeper.keep_alive, child, keeper.policy)
                    for at_s, condition_id in asks:
                        if at_s > trio.current_time():
                            await trio.sleep_until(at_s)
                        outbox.send_nowait(condition_id)
                    await trio.sleep_forever()

        run_jumping(main)
        return self
