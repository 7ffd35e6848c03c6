"""A day of one seed: traders, weather, restarts; then all is well again and what is stored is compared with the tape."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import trio
from simulation.day_sim.day_after import DayAfter, DayResult
from simulation.day_sim.day_checks import DayChecks
from simulation.day_sim.day_clock import DayClock, day_database, named
from simulation.day_sim.day_engine import DayEngine
from simulation.day_sim.day_traders import DayTraders, wallet_names
from simulation.day_sim.day_venue import SETTINGS, day_venue
from simulation.day_sim.day_watch import install_watch, seen_wrong
from simulation.day_sim.day_weather import DayWeather
from simulation.day_sim.day_works import Works, overlapping

from config.jobs import default_jobs
from engine.adapters import job_adapters
from engine.adapters.postgres.database import DatabaseOptions, once, open_connection
from engine.adapters.postgres.follow_store import FollowStore
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.simulator.options import SimulatorOptions
from protocols.clock import Random

HOUR_S = 3_600.0
EVENING_MS = 1_930_340_400_000
"""2031-03-03 at 19:00 UTC: later than the clock of any machine, and a few hours before the day changes."""


@attrs.frozen(kw_only=True)
class DayPlan:
    """How long, how many, how busy."""

    seed: int
    hours: float = 2.5
    wallets: int = 200
    fills_per_h: float = 1_500
    cooldown_s: float = 180.0
    only: Sequence[str] = ()
    """Nothing but this weather, beside the pages that always fail; all of it when empty."""
    reads_on: bool = True
    """Whether there is a day after, with all that is compared with the tape."""


SETTINGS_OF_A_DAY = {
    **SETTINGS,
    "limits.lease_ttl_s": "30",
    "stream.ping_interval_s": "60",
    "stream.stall_timeout_s": "300",
    "stream.stall_timeout_max_s": "600",
    "stream.recycle_interval_s": "7200",
    "filter.targets_poll_s": "60",
    "markets.linger_s": "5",
    "forward_testing.settle_interval_s": "600",
    "poller.hot.trades_interval_s": "600",
    "poller.cold.cooldown_s": "5",
    # A burst of a wallet that nobody follows may be shed by the writer, which is another matter.
    "channels.writer.shed_above": "4096",
    "logging.heap_interval_s": "3600",
}
CRONS = {
    "trader-stats": "*/10 * * * *",
    "ft-statistics": "*/10 * * * *",
    "markets-refresh": "*/10 * * * *",
    "cold-poll": "*/20 * * * *",
    "sync-trader-leaderboard": "5,35 * * * *",
    "backfill-wallet-pnl": "10,40 * * * *",
    "rotate-pnl-winners": "20,50 * * * *",
    "coverage-audit": "*/15 * * * *",
    "retention": "25 * * * *",
}
"""More often than in life: a day here has few hours."""


def settings_of(plan: DayPlan, *, calm: bool = False) -> dict[str, str]:
    """The settings of an engine; a calm one does nothing by itself."""
    settings = {**SETTINGS_OF_A_DAY, "poller.hot.cooldown_s": str(plan.cooldown_s)}
    for job in default_jobs():
        if job in CRONS:
            settings[f"jobs.{job}.cron"] = CRONS[job]
        if calm:
            # What was compared a moment ago is not compared again.
            settings["coverage.window_min_s"] = "7200"
            settings[f"jobs.{job}.enabled"] = "false"
    return settings


def run_day(plan: DayPlan, dsn: str) -> DayResult:
    """Lives a day on an empty database."""
    clock = DayClock(EVENING_MS)
    result = DayResult(seed=plan.seed)

    async def main() -> None:
        with tempfile.TemporaryDirectory() as home, patch.object(job_adapters, "SystemClock", lambda: clock):
            async with day_database(dsn, clock) as options:
                await _day(plan, options, clock, Path(home), result)

    trio.run(main, clock=clock.mock)
    return result


async def _day(plan: DayPlan, options: DatabaseOptions, clock: DayClock, home: Path, result: DayResult) -> None:
    rng = Random(plan.seed)
    simulated = SimulatorOptions(seed=plan.seed, start_paused=True, v2_absent=plan.seed % 4 == 3)
    operators = named(options, "operator")
    wallets = wallet_names(plan.wallets)
    await install_watch(options)
    async with (
        day_venue(simulated, clock, Random(rng.random())) as venue,
        open_connection(operators, "operator") as connection,
        trio.open_nursery() as nursery,
    ):
        await _known(options, wallets)
        operator, works = PostgresJobStore(connection), Works()
        traders = DayTraders(
            world=venue.world, clock=clock, rng=Random(rng.random()), wallets=wallets, fills_per_h=plan.fills_per_h
        )
        engines = [
            DayEngine(
                name=name,
                options=options,
                settings=settings_of(plan),
                spill_dir=home,
                clock=clock,
                works=works,
                rng=Random(rng.random()),
            )
            for name in ("east", "west")
        ]
        weather = DayWeather(
            faults=venue.world.faults,
            engines=engines,
            traders=traders,
            works=works,
            operator=operator,
            rng=Random(rng.random()),
            only=plan.only,
        )
        for engine in engines:
            nursery.start_soon(engine.run)
        with trio.move_on_after(plan.hours * HOUR_S):
            async with trio.open_nursery() as day:
                day.start_soon(traders.run)
                day.start_soon(weather.run)
        for engine in engines:
            engine.end()
        # What is settled now is the last that happens.
        traders.settle()
        venue.world.faults.clear()
        result.figures.update(weather.happened)
        result.figures["starts"] = sum(engine.starts for engine in engines)
        result.figures["works"] = len(works.done)
        await trio.sleep(60)
        if not plan.reads_on:
            result.problems += await seen_wrong(options) + overlapping(works)
            nursery.cancel_scope.cancel()
            return
        after = DayAfter(options=options, operator=operator, result=result)
        calm = DayEngine(
            name="north",
            options=options,
            settings=settings_of(plan, calm=True),
            spill_dir=home,
            clock=clock,
            works=works,
            rng=Random(rng.random()),
        )
        nursery.start_soon(calm.run)
        while calm.scheduler is None:
            await trio.sleep(1)
        jobs = [job.name for job in calm.scheduler.jobs]
        await after.read_all(jobs)
        checks = DayChecks(
            options=options,
            tape=traders.tape,
            wallets=frozenset(wallets),
            counts_days="backfill-wallet-pnl" in jobs,
        )
        await checks.check()
        result.problems += checks.problems + await seen_wrong(options) + overlapping(works)
        result.figures.update(checks.figures)
        if not result.problems:
            await after.twice(jobs)
        calm.end()
        nursery.cancel_scope.cancel()


async def _known(options: DatabaseOptions, wallets: list[str]) -> None:
    """All are traders of ours; some are followed, and some copied."""

    async def work(raw: Any) -> None:
        await raw.execute("INSERT INTO traders (wallet_address) SELECT unnest($1::text[])", wallets)

    await once(options, "test", work)
    async with open_connection(options, "test") as connection:
        follows = FollowStore(connection, "admin")
        await follows.add(wallets[:30], target=True)
        await follows.add(wallets[30:60], target=False)
