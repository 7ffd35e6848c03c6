"""What goes wrong in a day: pages that fail, storms, engines that stop, die or are cut off, operators who take locks away."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio
from simulation.day_sim.day_engine import DayEngine
from simulation.day_sim.day_traders import DayTraders
from simulation.day_sim.day_works import Work, Works

from engine.adapters.postgres.job_store import PostgresJobStore
from engine.simulator.faults import FaultBoard
from protocols.clock import Random

ALWAYS = (
    ("http_5xx", {"api": "data", "probability": 0.03, "status": 502}),
    ("http_truncated", {"api": "data", "probability": 0.02}),
    ("http_slow", {"api": "data", "probability": 0.02, "delay_s": 3}),
    ("http_moving", {"api": "data", "probability": 0.02, "rows": 3}),
    ("http_5xx", {"api": "gamma", "probability": 0.05}),
)
"""Five of a hundred pages fail."""
PAUSE_S = (120, 700)
LONG = ("cold-poll", "backfill-wallet-pnl", "coverage-audit")
"""Jobs that last for a minute or more."""


@attrs.define(eq=False, kw_only=True)
class DayWeather:
    faults: FaultBoard
    engines: Sequence[DayEngine]
    traders: DayTraders
    works: Works
    operator: PostgresJobStore
    rng: Random
    only: Sequence[str] = ()
    """Nothing but this; all of it when empty."""
    happened: Counter[str] = attrs.field(factory=Counter)

    async def run(self) -> None:
        """Until it is cancelled."""
        for kind, parameters in ALWAYS:
            self.faults.add(kind, parameters)
        kinds = [kind for kind in self._kinds() if not self.only or _name(kind) in self.only]
        for kind in kinds:
            # Each of them at least once, if the day is long enough.
            await self._later(kind)
        while True:
            await self._later(self.rng.choice(kinds))

    def _kinds(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self._storm, self._storm, self._stream, self._stream, self._ill, self._restart, self._kill, self._cut,
            self._stall, self._unlock, self._flood,
        ]  # fmt: skip

    async def _later(self, kind: Callable[[], Awaitable[None]]) -> None:
        await trio.sleep(self.rng.uniform(*PAUSE_S))
        self.happened[_name(kind)] += 1
        await kind()

    async def _storm(self) -> None:
        """The venue has had enough of us."""
        parameters = {
            "api": "data",
            "probability": self.rng.choice((0.6, 1.0)),
            "retry_after_s": self.rng.choice((1, 5, 30)),
        }
        self.faults.add("http_429", parameters, self.rng.uniform(60, 1_500))

    async def _ill(self) -> None:
        """Lists are empty for some minutes, and the answers look well."""
        self.faults.add(
            "http_empty", {"api": "data", "probability": self.rng.choice((0.5, 1.0))}, self.rng.uniform(30, 240)
        )

    async def _stream(self) -> None:
        kind, parameters, duration_s = self.rng.choice(
            (("close", {}, None), ("reset", {}, None), ("drop", {"probability": 0.5}, 600.0), ("silence", {}, 300.0))
        )
        self.faults.add(kind, parameters, duration_s)

    async def _restart(self) -> None:
        self._at_work().restart()

    async def _kill(self) -> None:
        """Mostly in the middle of a job."""
        work = await self._work() if self.rng.random() < 0.7 else None
        mine = [one for one in self.engines if work is not None and work.owner.startswith(one.name)]
        (mine[0] if mine else self._at_work()).kill()

    async def _cut(self) -> None:
        self._at_work().cut(self.rng.uniform(1, 120))

    async def _stall(self) -> None:
        """It goes on working, and cannot say that it lives."""
        self._at_work().cut(self.rng.uniform(60, 180), "lease", "jobs")

    async def _unlock(self) -> None:
        """`polycopy jobs unlock --force` while the job is at work."""
        if (work := await self._work()) is not None:
            work.robbed_s = trio.current_time()
            await self.operator.unlock(work.job, "the test", force=True)
            self.happened["unlocked"] += 1

    async def _work(self) -> Work | None:
        """A job at work, one of those that last."""
        wanted = self.rng.choice(LONG)
        with trio.move_on_after(2_000):
            while True:
                for work in self.works.now():
                    if work.job == wanted:
                        await trio.sleep(self.rng.uniform(0, 10))
                        return work if work.ended_s == float("inf") else None
                await trio.sleep(1)
        return None

    async def _flood(self) -> None:
        self.traders.flood()

    def _at_work(self) -> DayEngine:
        """Mostly the one that ingests."""
        ingesting = [one for one in self.engines if one.engine is not None and one.engine.actors is not None]
        return self.rng.choice([*ingesting, *ingesting, *self.engines])


def _name(kind: Callable[[], Awaitable[None]]) -> str:
    return str(getattr(kind, "__name__", "")).strip("_")
