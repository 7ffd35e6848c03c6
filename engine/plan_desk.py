"""Plans that users ask for: each is made by `polycopy plan` in a side process, kept for a while, and told when asked again."""

import logging
import re
from collections.abc import Sequence
from typing import Literal

import attrs
import trio

from config.strategy_files import bots_to_toml
from engine.plan.document import decode
from engine.side_process import PROGRESS, SideBusyError, SideDesk, SideProcessError
from protocols.clock import Random
from protocols.strategies import StrategySettings

_log = logging.getLogger(__name__)
TOGETHER_MAX = 2
KEPT_MAX = 8
KEPT_S = 900.0
TIMEOUT_S = 300.0
MEMORY_MB = 768
TRADES_MAX = 200_000
ROWS_MAX = 300
BYTES_MAX = 1 << 20
_PROGRESS = re.compile(rf"{PROGRESS}(\d+) of (\d+)")
State = Literal["running", "done", "failed"]


class PlanBusyError(Exception):
    """No plan was begun. `is_own`: the user's own one has to end first."""

    def __init__(self, text: str, *, is_own: bool) -> None:
        super().__init__(text)
        self.is_own = is_own


@attrs.define(eq=False, kw_only=True)
class PlanJob:
    """One plan, from being asked for to being forgotten."""

    plan_id: str
    user_id: str
    wallet_id: str
    days: int
    state: State = "running"
    played: int = 0
    total: int = 0
    """Trades; 0 while they are being read."""
    error: str | None = None
    answer: bytes | None = attrs.field(default=None, repr=False)
    """JSON of a `Plan`."""
    changed_s: float = 0.0
    """When it began or ended, trio's clock."""
    cancel: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def take_line(self, line: str) -> None:
        """Takes what the process says of its progress."""
        if match := _PROGRESS.fullmatch(line.strip()):
            self.played, self.total = int(match[1]), int(match[2])


@attrs.define(eq=False, kw_only=True)
class PlanDesk:
    """One plan at a time for each user, two in all; of each user the last one is kept for a quarter of an hour."""

    side: SideDesk
    rng: Random
    """A `random.SystemRandom`."""
    _jobs: dict[str, PlanJob] = attrs.field(init=False, factory=dict)
    _nursery: trio.Nursery | None = attrs.field(init=False, default=None)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Makes plans until cancelled."""
        self._jobs.clear()
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    def begin(self, user_id: str, wallet_id: str, settings: StrategySettings, days: int) -> PlanJob:
        """Starts a plan of one stored strategy. Raises `PlanBusyError`."""
        self._forget_old()
        running = [job for job in self._jobs.values() if job.state == "running"]
        if any(job.user_id == user_id for job in running):
            raise PlanBusyError("your last replay is still running; wait for it, or end it", is_own=True)
        kind = f"plan of {wallet_id}"
        try:
            self.side.check_room(kind)
        except SideBusyError:
            raise PlanBusyError("the engine is busy with other work of this kind", is_own=False) from None
        if len(running) >= TOGETHER_MAX or self._nursery is None:
            raise PlanBusyError("the engine is busy with other work of this kind", is_own=False)
        for old in [job for job in self._jobs.values() if job.user_id == user_id]:
            del self._jobs[old.plan_id]
        job = PlanJob(
            plan_id=f"{self.rng.getrandbits(64):016x}",
            user_id=user_id,
            wallet_id=wallet_id,
            days=days,
            changed_s=trio.current_time(),
        )
        self._jobs[job.plan_id] = job
        self._nursery.start_soon(self._make, job, kind, bots_to_toml([(wallet_id, settings)]).encode())
        return job

    def find(self, plan_id: str, user_id: str) -> PlanJob | None:
        """Returns a plan of a user, or None."""
        self._forget_old()
        job = self._jobs.get(plan_id)
        return job if job is not None and job.user_id == user_id else None

    def drop(self, job: PlanJob) -> None:
        """Ends a plan, and forgets it."""
        job.cancel.cancel()
        self._jobs.pop(job.plan_id, None)

    async def _make(self, job: PlanJob, kind: str, document: bytes) -> None:
        with job.cancel:
            try:
                answer = await self.side.run(
                    kind,
                    arguments(job.days),
                    stdin=document,
                    timeout_s=TIMEOUT_S,
                    memory_mb=MEMORY_MB,
                    told=job.take_line,
                )
                if len(answer) > BYTES_MAX:
                    raise SideProcessError(
                        "the plan is too long to be shown; `polycopy plan` makes it without this limit"
                    )
                decode(answer)
                job.answer, job.state = answer, "done"
            except (SideProcessError, SideBusyError, ValueError) as error:
                job.error, job.state = str(error), "failed"
                _log.info("a replay of a change was not made", extra={"bot": job.wallet_id, "error": job.error})
        job.changed_s = trio.current_time()

    def _forget_old(self) -> None:
        before_s = trio.current_time() - KEPT_S
        ended = sorted((job for job in self._jobs.values() if job.state != "running"), key=lambda job: job.changed_s)
        surplus = len(ended) - KEPT_MAX
        for place, job in enumerate(ended):
            if place < surplus or job.changed_s < before_s:
                del self._jobs[job.plan_id]


def arguments(days: int) -> Sequence[str]:
    """Returns the command line of a plan whose strategies come on standard input."""
    return (
        "plan", "--bots", "-", "--days", str(days), "--rows", str(ROWS_MAX), "--trades-max", str(TRADES_MAX), "--json",
        "--progress",
    )  # fmt: skip
