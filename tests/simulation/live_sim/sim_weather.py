"""The swarm: which faults a seed has, and when they come and go."""

from collections.abc import Callable, Mapping

import trio
from simulation.live_sim.sim_venue import Weather
from simulation.live_sim.sim_world import SimWorld

from protocols.clock import Random

CRASH_PAUSE_S = 10.0
"""An item that crashes its reader three times is dead: crashes of one actor stay so far apart."""
ORDER_FAULTS: Mapping[str, Callable[[Random], dict[str, object]]] = {
    "answer_lost": lambda rng: {"how": rng.choice(("close", "hang"))},
    "accepted_late": lambda rng: {"after_ms": rng.choice((300, 2_500))},
    "error_before": lambda rng: {"status": rng.choice((500, 502, 503)), "html": rng.random() < 0.5},
    "error_after": lambda rng: {"status": rng.choice((500, 502, 504)), "html": rng.random() < 0.5},
    "status_slow": lambda rng: {"delay_ms": rng.choice((500, 4_000))},
    "status_error": lambda rng: {"status": rng.choice((500, 503)), "html": True},
    "order_forgotten": lambda _rng: {},
    "trade_retrying": lambda _rng: {},
    "trade_failed": lambda _rng: {},
    "socket_duplicate": lambda _rng: {},
    "socket_reorder": lambda _rng: {},
    "socket_lost": lambda _rng: {},
}


class Swarm:
    """Half of all kinds of trouble, another half in each seed."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.rng = world.rng("swarm")
        rng = self.rng
        self.kinds = [kind for kind in ORDER_FAULTS if rng.random() < 0.5]
        self.has = {
            name: rng.random() < 0.5
            for name in ("network", "slow", "down", "database", "database_down", "modes", "crash", "kill", "sockets")
        }
        world.note(f"swarm {self.kinds} {[name for name, there in self.has.items() if there]}")

    async def blow(self) -> None:
        """Runs until it is cancelled: trouble that stays, and trouble that comes for some seconds."""
        world, rng, weather = self.world, self.rng, self.world.venue.weather
        faults = world.venue.exchange.faults
        for kind in self.kinds:
            often = (0.1, 0.3, 0.6) if kind.startswith("trade_") else (0.03, 0.1, 0.3)
            faults.add(kind, ORDER_FAULTS[kind](rng), probability=rng.choice(often))
        if self.has["network"]:
            weather.refused, weather.lost = rng.choice((0.02, 0.1)), rng.choice((0.02, 0.1))
        if self.has["slow"]:
            weather.slow, weather.latency_s = rng.choice((0.03, 0.1)), rng.choice((0.02, 0.3))
        if self.has["sockets"]:
            weather.dial, weather.socket_dies, weather.socket_mute = 0.2, 0.05, 0.2
        if self.has["database"]:
            world.database.fails_before, world.database.fails_after = 0.05, rng.choice((0.02, 0.1))
            world.database.latency_s = rng.choice((0.004, 0.1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._gusts)
            if self.has["crash"]:
                nursery.start_soon(self._crashes)
            if self.has["kill"]:
                nursery.start_soon(self._kills)

    def calm(self) -> None:
        """Ends all trouble."""
        world, venue = self.world, self.world.venue
        venue.exchange.faults.clear()
        venue.weather = Weather()
        world.database.down = False
        world.database.fails_before = world.database.fails_after = 0.0
        world.database.latency_s = 0.004
        modes = venue.exchange.modes
        modes.cancel_only = modes.geoblocked = modes.close_only = False
        modes.restarting_until_ms = modes.post_only_until_ms = 0
        world.note("calm")

    async def _gusts(self) -> None:
        world, rng = self.world, self.rng
        modes = world.venue.exchange.modes
        while True:
            await trio.sleep(rng.uniform(3, 25))
            for_s = rng.uniform(0.5, 8)
            kind = rng.choice(
                [name for name in ("down", "database_down", "modes", "sockets") if self.has[name]] or [""]
            )
            world.note(f"gust {kind}")
            if kind == "down":
                world.venue.weather.down = True
                await trio.sleep(for_s)
                world.venue.weather.down = False
            elif kind == "database_down":
                world.database.down = True
                await trio.sleep(for_s)
                world.database.down = False
            elif kind == "modes":
                mode = rng.choice(("restart", "cancel_only", "geoblocked", "close_only"))
                if mode == "restart":
                    modes.restart(for_s, world.clock.now_ms())
                    modes.post_only_until_ms = modes.restarting_until_ms + 5_000
                    continue
                setattr(modes, mode, True)
                await trio.sleep(for_s)
                setattr(modes, mode, False)

    async def _crashes(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(0.5, 12))
            now_s = trio.current_time()
            ready = [one for one in self.world.mortals if now_s - one.crashed_s > CRASH_PAUSE_S]
            if ready:
                self.rng.choice(ready).crash()

    async def _kills(self) -> None:
        while True:
            await trio.sleep(self.rng.uniform(5, 90))
            self.world.kill()
