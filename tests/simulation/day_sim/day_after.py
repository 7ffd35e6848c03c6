"""The day after: all is well again, everybody is read once more, and then nothing changes any more."""

from collections import Counter

import attrs
import trio
from simulation.day_sim.day_dump import difference, dump_of

from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.job_store import PostgresJobStore
from protocols.jobs import JobStatus

DUE_S = 1_900.0
"""Until a wallet that was polled is due for the cold tier again."""
DISCOVERY = ("sync-trader-leaderboard", "backfill-wallet-pnl")
ENDED = frozenset(JobStatus) - {JobStatus.RUNNING}


@attrs.define(kw_only=True)
class DayResult:
    seed: int
    problems: list[str] = attrs.field(factory=list)
    figures: Counter[str] = attrs.field(factory=Counter)

    def told(self) -> str:
        return "\n".join([f"seed {self.seed}: {len(self.problems)} problems", *self.problems[:20]])


@attrs.define(eq=False, kw_only=True)
class DayAfter:
    options: DatabaseOptions
    operator: PostgresJobStore
    result: DayResult

    async def read_all(self) -> None:
        """Every wallet is polled, both lists of its trades are read, and what it earned is counted."""
        for _ in range(2):
            await trio.sleep(DUE_S)
            await self.asked("cold-poll")
        for job in DISCOVERY:
            await self.asked(job)

    async def twice(self, jobs: list[str]) -> None:
        """Runs every job twice in a row."""
        for job in jobs:
            if job.startswith("lt-"):
                # Without live trading nobody can run it.
                continue
            pause_s = DUE_S if job == "cold-poll" else 60
            await trio.sleep(pause_s)
            await self.asked(job)
            first = await self._quiet()
            await trio.sleep(pause_s)
            await self.asked(job)
            self.result.figures["jobs run twice"] += 1
            self.result.problems += [f"{job} once more: {one}" for one in difference(first, await self._quiet())]

    async def asked(self, job: str) -> None:
        """Has a job run, by whichever engine, until it succeeds."""
        asked = await self.operator.request(job, "the test")
        with trio.move_on_after(7_200):
            while True:
                run = await self.operator.run_of_request(asked.request_id)
                if run is not None and run.status in ENDED:
                    if run.status is not JobStatus.SUCCEEDED:
                        self.result.problems.append(f"{job} {run.status}: {run.error}")
                    return
                await trio.sleep(5)
        self.result.problems.append(f"{job} did not end")

    async def _quiet(self) -> dict[str, Counter[str]]:
        await trio.sleep(30)
        return dict(await dump_of(self.options))
