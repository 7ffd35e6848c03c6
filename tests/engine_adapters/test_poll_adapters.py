"""Both tiers against the simulated venue: what its API allows holds for them together, and Retry-After stops both."""

import attrs
import trio
from simulation.ingest_world import ingest_world

from config.loader import load_config
from engine.adapters.poll_adapters import open_cold_poll_adapters, open_poll_adapters
from engine.adapters.postgres.leases import LeaseHold
from engine.adapters.system_clock import SystemClock
from engine.runtime.traffic import PUBLISHED, Traffic
from protocols.errors import TransientError

WALLET = "0x" + "5" * 40
EAGER = {
    "poller.hot.rate_per_s": "50",
    "poller.hot.burst": "100",
    "poller.cold.rate_per_s": "50",
    "poller.cold.burst": "100",
}
POSITIONS = PUBLISHED["data"][1]


@attrs.define(eq=False)
class Users:
    """Both tiers, asking as fast as they may, with the times of their answers."""

    traffic: Traffic = attrs.field(factory=Traffic)
    answered: list[float] = attrs.field(factory=list)
    failed: list[float] = attrs.field(factory=list)

    async def ask(self, accounts) -> None:
        while True:
            try:
                await accounts.held_page(WALLET)
                self.answered.append(trio.current_time())
            except TransientError:
                self.failed.append(trio.current_time())

    async def run(self, world, seconds, story=None):
        config = load_config(environ={}, overrides={**world.settings, **EAGER})
        lease = LeaseHold(name="ingest", owner="me", epoch=1)
        options = world.database
        async with (
            open_poll_adapters(config, options, lease, clock=SystemClock(), traffic=self.traffic) as hot,
            open_cold_poll_adapters(config, options, clock=SystemClock(), traffic=self.traffic) as cold,
            trio.open_nursery() as nursery,
        ):
            for accounts in (hot.accounts, cold.accounts):
                for _ in range(4):
                    nursery.start_soon(self.ask, accounts)
            with trio.move_on_after(seconds):
                if story is not None:
                    await story()
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()


async def test_two_tiers_together_stay_below_what_is_published(database, tmp_path):
    async with ingest_world(
        database, tmp_path / "spill", seed=1, start_paused=True, lag_scale=0, cache_scale=0
    ) as world:
        users, began_s = Users(), trio.current_time()
        await users.run(world, 4)
        took_s = trio.current_time() - began_s
    asked = len(users.answered) + len(users.failed)
    # One call of each of the eight askers may have been admitted and not answered.
    assert asked <= POSITIONS.burst + POSITIONS.rate_per_s * took_s + 1
    assert asked >= POSITIONS.burst
    assert {user for _, user, _ in users.traffic.requests} == {"hot poller", "cold poller"}


async def test_retry_after_stops_both_tiers_for_as_long_as_it_says(database, tmp_path):
    async with ingest_world(
        database, tmp_path / "spill", seed=1, start_paused=True, lag_scale=0, cache_scale=0
    ) as world:
        users = Users()

        async def storm():
            await trio.sleep(0.5)
            await world.fault("http_429", api="data", retry_after_s=2)
            await trio.sleep(1)
            await world.post("/faults", kind="clear")

        await users.run(world, 5, storm)
    assert users.failed
    # Those that were on their way when the first was refused; after that nobody asks.
    assert len(users.failed) <= 8
    last = max(users.failed)
    later = [at_s for at_s in users.answered if at_s > last]
    assert min(later) - min(users.failed) >= 1.9
