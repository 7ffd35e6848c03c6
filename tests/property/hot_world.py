"""The hot poller in a world where calls take time and tokens, on virtual time."""

import attrs
import trio
from property.fake_accounts import FakeAccounts
from property.made_trades import wallet
from property.poll_world import PollWorld
from property.supervised import run_jumping, supervisor

from actors.polling.hot_poller import HotPoller
from config.poller import HotPollerConfig
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.ingest import TargetSets
from protocols.trades import Lane

CALL_S = 0.2


@attrs.define(eq=False)
class PacedAccounts(FakeAccounts):
    """Calls take time and tokens, and are on record."""

    bucket: TokenBucket = attrs.field(factory=lambda: TokenBucket(rate_per_s=10, burst=20))
    asked: list[tuple[float, str, str]] = attrs.field(factory=list)

    async def _outcome(self, wallet, what):
        await self.bucket.take()
        self.asked.append((trio.current_time(), wallet, what))
        await trio.sleep(CALL_S)
        return await super()._outcome(wallet, what)

    def times(self, wallet, what="positions"):
        return [at_s for at_s, one, kind in self.asked if (one, kind) == (wallet, what)]


@attrs.define(eq=False)
class Coverage:
    since_s: float | None = 0.0

    def covered_since_s(self):
        return self.since_s


@attrs.define(eq=False)
class Targets:
    lanes: dict[str, Lane]
    version: int = 1

    def current(self):
        return TargetSets(lanes=self.lanes, version=self.version)


@attrs.define(eq=False)
class HotWorld:
    lanes: dict[str, Lane]
    accounts: PacedAccounts = attrs.field(factory=PacedAccounts)
    settings: dict = attrs.field(factory=dict)
    coverage: Coverage = attrs.field(factory=Coverage)
    world: PollWorld = attrs.field(init=False)
    targets: Targets = attrs.field(init=False)
    hot: HotPoller = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.world = PollWorld(accounts=self.accounts, lanes=self.lanes)
        self.targets = Targets(self.lanes)
        self.hot = HotPoller(
            wallet_poll=self.world.new_poll(),
            store=self.world.store,
            outlets=self.world.outlets,
            targets=self.targets,
            coverage=self.coverage,
            config=HotPollerConfig(**self.settings),
            rng=Random(3),
        )

    def run(self, *steps, until_s):
        """Runs the poller; each step is (seconds, what to do then)."""

        async def main():
            child = Child(name="hot_poller", run=self.hot.run)
            async with trio.open_nursery() as nursery:
                await self.world.open(nursery)
                await nursery.start(supervisor().run_group, "sources", (child,))
                for at_s, do in steps:
                    await trio.sleep_until(at_s)
                    do()
                await trio.sleep_until(until_s)
                nursery.cancel_scope.cancel()

        run_jumping(main)
        return self


def wallets(count, lane=Lane.FOLLOWED):
    return {wallet(n): lane for n in range(1, count + 1)}
