"""When each job was really at work, as the test saw it: job history tells what was recorded."""

from collections.abc import Sequence

import attrs
import trio

from protocols.jobs import Job, RunningJob


@attrs.define
class Work:
    job: str
    owner: str
    run_id: int
    began_s: float
    ended_s: float = float("inf")
    robbed_s: float | None = None
    """When an operator took its lock away."""


@attrs.define(eq=False)
class Works:
    """Every work of every engine."""

    done: list[Work] = attrs.field(factory=list)

    def now(self) -> list[Work]:
        """Those that have not ended."""
        return [work for work in self.done if work.ended_s == float("inf")]


@attrs.define(eq=False)
class Watched:
    """A job whose works are noted."""

    inner: Job
    owner: str
    works: Works

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def after(self) -> Sequence[str]:
        return self.inner.after

    async def run(self, running: RunningJob) -> None:
        work = Work(self.name, self.owner, running.lease.run_id, trio.current_time())
        self.works.done.append(work)
        try:
            await self.inner.run(running)
        finally:
            work.ended_s = trio.current_time()


def overlapping(works: Works) -> list[str]:
    """Works of one job at the same time in one engine or in two; whose lock was taken by force may go on for a moment."""
    found = []
    by_job: dict[str, list[Work]] = {}
    for work in works.done:
        by_job.setdefault(work.job, []).append(work)
    for name, mine in by_job.items():
        for number, work in enumerate(mine):
            for later in mine[number + 1 :]:
                if later.began_s < work.ended_s and not (work.robbed_s is not None and later.began_s >= work.robbed_s):
                    found.append(f"{name} at work twice: {work}, {later}")
    return found
