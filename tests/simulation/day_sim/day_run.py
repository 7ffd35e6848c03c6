"""A day of one seed: traders, weather, restarts; then all is well again and what is stored is compared with the tape."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import trio
from simulation.day_sim.day_after import DayAfter, DayResult
from simulation.day_sim.day_checks import DayChecks
from simulation.day_sim.day_clock import DayClock, day_database, named
from simulation.day_sim.day_engine import DayEngine
from simulation.day_sim.day_plan import APART, EVENING_MS, HOUR_S, DayPlan, settings_of
from simulation.day_sim.day_tape import Tape
from simulation.day_sim.day_traders import DayTraders, wallet_names
from simulation.day_sim.day_venue import day_venue
from simulation.day_sim.day_watch import install_watch, seen_wrong
from simulation.day_sim.day_weather import DayWeather
from simulation.day_sim.day_works import Works, overlapping

from engine.adapters import job_adapters
from engine.adapters.postgres.database import DatabaseOptions, once, open_connection
from engine.adapters.postgres.follow_store import FollowStore
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.simulator.faults import FaultBoard
from engine.simulator.options import SimulatorOptions
from protocols.clock import Random

__all__ = ["DayPlan", "DayResult", "run_day"]


def run_day(plan: DayPlan, dsn: str) -> DayResult:
    """Lives a day on an empty database."""
    clock = DayClock(EVENING_MS)
    result = DayResult(seed=plan.seed)

    async def main() -> None:
        with tempfile.TemporaryDirectory() as home, patch.object(job_adapters, "SystemClock", lambda: clock):
            async with day_database(dsn, clock) as options:
                life = _Life(
                    plan=plan,
                    options=options,
                    clock=clock,
                    home=Path(home),
                    result=result,
                    rng=Random(plan.seed),
                    wallets=wallet_names(plan.wallets),
                )
                await life.live()

    trio.run(main, clock=clock.mock)
    return result


@attrs.define(eq=False, kw_only=True)
class _Life:
    """One day and the day after."""

    plan: DayPlan
    options: DatabaseOptions
    clock: DayClock
    home: Path
    result: DayResult
    rng: Random
    wallets: list[str]
    works: Works = attrs.field(factory=Works)

    async def live(self) -> None:
        plan = self.plan
        simulated = SimulatorOptions(seed=plan.seed, start_paused=True, v2_absent=plan.seed % 4 == 3)
        await install_watch(self.options)
        await _known(self.options, self.wallets)
        async with (
            day_venue(simulated, self.clock, self._rng()) as venue,
            open_connection(named(self.options, "operator"), "operator") as connection,
            trio.open_nursery() as nursery,
        ):
            operator = PostgresJobStore(connection)
            traders = DayTraders(
                world=venue.world,
                clock=self.clock,
                rng=self._rng(),
                wallets=self.wallets,
                fills_per_h=plan.fills_per_h,
            )
            await self._day(venue.world.faults, traders, operator, nursery)
            await trio.sleep(60)
            if plan.reads_on:
                await self._day_after(traders.tape, operator, nursery)
            else:
                self.result.problems += await seen_wrong(self.options) + overlapping(self.works)
            nursery.cancel_scope.cancel()

    async def _day(
        self, faults: FaultBoard, traders: DayTraders, operator: PostgresJobStore, nursery: trio.Nursery
    ) -> None:
        engines = [self._engine(name, settings_of(self.plan)) for name in ("east", "west")]
        weather = DayWeather(
            faults=faults,
            engines=engines,
            traders=traders,
            works=self.works,
            operator=operator,
            rng=self._rng(),
            only=self.plan.only,
        )
        for engine in engines:
            nursery.start_soon(engine.run)
        with trio.move_on_after(self.plan.hours * HOUR_S):
            async with trio.open_nursery() as day:
                day.start_soon(traders.run)
                day.start_soon(weather.run)
        for engine in engines:
            engine.end()
        # What is settled now is the last that happens, and no engine hears of it.
        traders.settle()
        faults.clear()
        self.result.figures.update(weather.happened)
        self.result.figures["starts"] = sum(engine.starts for engine in engines)
        self.result.figures["works"] = len(self.works.done)

    async def _day_after(self, tape: Tape, operator: PostgresJobStore, nursery: trio.Nursery) -> None:
        after = DayAfter(options=self.options, operator=operator, result=self.result)
        calm = self._engine("north", settings_of(self.plan, calm=True))
        nursery.start_soon(calm.run)
        while calm.scheduler is None:
            await trio.sleep(1)
        await after.read_all()
        checks = DayChecks(options=self.options, tape=tape, wallets=frozenset(self.wallets))
        await checks.check()
        self.result.problems += checks.problems + await seen_wrong(self.options) + overlapping(self.works)
        self.result.figures.update(checks.figures)
        if not self.result.problems:
            await after.twice([job.name for job in calm.scheduler.jobs if job.name not in APART])

    def _engine(self, name: str, settings: Mapping[str, str]) -> DayEngine:
        return DayEngine(
            name=name,
            options=self.options,
            settings=settings,
            spill_dir=self.home,
            clock=self.clock,
            works=self.works,
            rng=self._rng(),
        )

    def _rng(self) -> Random:
        return Random(self.rng.random())


async def _known(options: DatabaseOptions, wallets: list[str]) -> None:
    """All are traders of ours; some are followed, and some copied."""

    async def work(raw: Any) -> None:
        await raw.execute("INSERT INTO traders (wallet_address) SELECT unnest($1::text[])", wallets)

    await once(options, "test", work)
    async with open_connection(options, "test") as connection:
        follows = FollowStore(connection, "admin")
        await follows.add(wallets[:30], target=True)
        await follows.add(wallets[30:60], target=False)
