"""Schedulers of several engines over one store in memory, with kills, cut lines, stolen leases and clocks that step."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio
from property.fake_job_store import START_MS, FakeJobStore, database_ms
from property.supervised import CrashError, run_jumping

from actors.scheduler import Scheduler
from config.jobs import JobConfig
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.jobs import RunningJob

TTL_S = 15.0
__all__ = ["START_MS", "TTL_S", "FakeJob", "FakeJobStore", "JobWorld"]


@attrs.define(eq=False)
class Line:
    """An engine's way to the store; while it is cut, nothing gets through."""

    store: FakeJobStore
    cut: bool = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await trio.sleep(0.01)
            if self.cut:
                raise TransientError("cut")
            answer = await method(*args, **kwargs)
            await trio.sleep(0.01)
            if self.cut:
                raise TransientError("the answer was lost")
            return answer

        return call


@attrs.define(eq=False)
class StepClock:
    step_ms: int = 0

    def now_ms(self) -> int:
        return database_ms() + self.step_ms


@attrs.define(eq=False, kw_only=True)
class FakeJob:
    """Takes its time, and records when it was at work."""

    name: str
    after: Sequence[str] = ()
    takes_s: float = 20.0
    script: list[str] = attrs.field(factory=list)
    """"fail" or "crash" for each run in order, then all go well."""
    at_work: int = 0
    most_at_work: int = 0
    works: list[tuple[float, int | None]] = attrs.field(factory=list)
    """(when it began, slot)"""

    async def run(self, running: RunningJob) -> None:
        self.works.append((trio.current_time(), running.lease.slot_ms))
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        how = self.script.pop(0) if self.script else "well"
        try:
            await trio.sleep(self.takes_s / 2)
            running.report(half=True)
            if how == "fail":
                raise TransientError("upstream is down")
            if how == "crash":
                raise CrashError("a bug of ours")
            await trio.sleep(self.takes_s / 2)
        finally:
            self.at_work -= 1


@attrs.define(eq=False)
class FakeEngine:
    """A process with a scheduler: it may be killed, cut off, and have its clock step."""

    scheduler: Scheduler
    line: Line
    clock: StepClock
    scope: trio.CancelScope | None = None

    async def run(self) -> None:
        with trio.CancelScope() as self.scope:
            await self.scheduler.run()

    def stop(self) -> None:
        if self.scope is not None:
            self.scope.cancel()

    def kill(self) -> None:
        """It cannot say goodbye."""
        self.line.cut = True
        self.stop()


@attrs.define(eq=False, kw_only=True)
class JobWorld:
    jobs: Sequence[FakeJob]
    settings: dict[str, JobConfig]
    store: FakeJobStore = attrs.field(factory=FakeJobStore)
    engines: list[FakeEngine] = attrs.field(factory=list)
    nursery: trio.Nursery = attrs.field(init=False)
    options: dict[str, Any] = attrs.field(factory=dict)

    def start_engine(self, step_ms: int = 0) -> FakeEngine:
        line, clock, number = Line(self.store), StepClock(step_ms), len(self.engines)
        scheduler = Scheduler(
            jobs=self.jobs,
            settings=self.settings,
            store=line,
            clock=clock,
            rng=Random(number),
            owner=f"engine {number}",
            holder=f"host process {number}",
            lease_ttl_s=TTL_S,
            **self.options,
        )
        engine = FakeEngine(scheduler, line, clock)
        self.engines.append(engine)
        self.nursery.start_soon(engine.run)
        return engine

    def play(self, story: Callable[["JobWorld"], Any]) -> "JobWorld":
        """Runs `story` on virtual time; everything still running is then killed."""

        async def main() -> None:
            async with trio.open_nursery() as self.nursery:
                await story(self)
                self.nursery.cancel_scope.cancel()

        run_jumping(main)
        return self
