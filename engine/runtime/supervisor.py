"""Keeps actors alive: a budget of restarts, jittered back-off, escalation.

A restart is for bugs. Weather (a lost socket, 429, a database that is down) is handled inside the actor and never gets
here. The rule is OTP's: keep the crash times of the last window, give up when more than `restarts_max` remain.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs
import trio

from engine.runtime.channel_statistics import DeadLetter
from protocols.clock import Random
from protocols.errors import FencedError

_log = logging.getLogger(__name__)


class RestartBudgetExceededError(Exception):
    """A child crashed more often than its budget allows; its parent has to decide."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} crashed more often than its restart budget allows")
        self.name = name


class ReadingEnd(Protocol):
    """What a supervisor asks of the reading end of an edge; a `Channel`, or an end of one that leaves the process."""

    def rewind(self, error: BaseException) -> list[DeadLetter]:
        """Takes back what the crashed reader had in hand; returns the letters that are dead now."""
        ...

    def take_back(self) -> None:
        """Takes back what a reader that was cancelled had in hand."""
        ...


class WritingEnd(Protocol):
    """What is closed when a child has returned."""

    def close(self) -> None:
        """Says that this sender is done. Idempotent."""
        ...


class Run(Protocol):
    """What an actor offers to its host."""

    async def __call__(self, *, task_status: trio.TaskStatus[None] = ...) -> None: ...


@attrs.frozen(kw_only=True)
class Child:
    """An actor as its supervisor knows it: its name, its `run`, and its ends of channels."""

    name: str
    run: Run
    reads: tuple[ReadingEnd, ...] = ()
    writes: tuple[WritingEnd, ...] = ()


@attrs.frozen(kw_only=True)
class RestartPolicy:
    """A budget. The delays of a spent budget sum up to less than the window, so back-off cannot hide a loop."""

    restarts_max: int = 5
    window_s: float = 60.0
    delay_first_s: float = 0.1
    delay_max_s: float = 5.0

    def delay_s(self, restarts_in_window: int, rng: Random) -> float:
        """Returns the pause before the n-th restart (from 0) within a window, with jitter of half its length."""
        full = min(self.delay_max_s, self.delay_first_s * 2.0 ** min(restarts_in_window, 40))
        return full * (0.5 + rng.random() / 2)


ACTOR_POLICY = RestartPolicy()
GROUP_POLICY = RestartPolicy(restarts_max=2, window_s=300.0, delay_first_s=1.0, delay_max_s=10.0)


@attrs.define(eq=False)
class ActorState:
    """What the world may know of a child."""

    up: bool = False
    restarts: int = 0
    last_error: str | None = None


@attrs.define(eq=False, kw_only=True)
class Supervisor:
    """Runs children and remembers how they fare."""

    rng: Random
    policy: RestartPolicy = ACTOR_POLICY
    group_policy: RestartPolicy = GROUP_POLICY
    states: dict[str, ActorState] = attrs.field(init=False, factory=dict)
    on_crash: Callable[[str, Exception], None] | None = None

    async def run_group(
        self, name: str, children: Sequence[Child], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Runs children side by side until all of them have returned.

        A child with a spent budget brings the group down; the group is started again within its own budget, and when
        that is spent too, `RestartBudgetExceededError` goes to the caller.
        """

        async def generation(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            async with trio.open_nursery() as nursery:
                for child in children:
                    await nursery.start(self.keep_alive, child, self.policy, name=child.name)
                task_status.started()

        group = Child(name=name, run=generation)
        await self.keep_alive(group, self.group_policy, task_status=task_status)

    async def keep_alive(
        self, child: Child, policy: RestartPolicy, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Runs `child` until it returns, restarting it after crashes within the budget.

        A child that fails before it has started for the first time fails its parent: that is a mistake of the deployment.
        So does one that another engine has fenced off.
        Its outboxes are closed when it returns, and stay open over crashes.
        """
        state = self.states.setdefault(child.name, ActorState())
        crashes: deque[float] = deque()
        status = _FirstStart(task_status, state)
        while True:
            try:
                await child.run(task_status=status)
            except Exception as error:
                if not status.was_started or is_fenced(error):
                    raise
                self._record_crash(child, state, error)
                delay_s = self._next_delay_s(child, policy, crashes, error)
            except BaseExceptionGroup as group:
                # A failure at the moment of a cancellation comes grouped with it: it is told of, and the cancellation goes on.
                failures, cancellation = group.split(Exception)
                if failures is None or cancellation is None or not status.was_started or is_fenced(failures):
                    raise
                self._record_crash(child, state, failures)
                raise cancellation from None
            else:
                for outbox in child.writes:
                    outbox.close()
                return
            finally:
                state.up = False
                # After a crash nothing is in hand any more. After a cancellation, alone or with a falling group, the next
                # run gets what this one had: it must not be taken for acknowledged.
                for channel in child.reads:
                    channel.take_back()
            await trio.sleep(delay_s)

    def _next_delay_s(self, child: Child, policy: RestartPolicy, crashes: deque[float], error: Exception) -> float:
        now = trio.current_time()
        crashes.append(now)
        while crashes[0] <= now - policy.window_s:
            crashes.popleft()
        if len(crashes) > policy.restarts_max:
            raise RestartBudgetExceededError(child.name) from error
        return policy.delay_s(len(crashes) - 1, self.rng)

    def _record_crash(self, child: Child, state: ActorState, error: Exception) -> None:
        state.up = False
        state.restarts += 1
        state.last_error = repr(error)[:300]
        _log.error("actor crashed", extra={"actor": child.name, "restarts": state.restarts}, exc_info=error)
        for channel in child.reads:
            for letter in channel.rewind(error):
                _log.error("dead letter", extra={"channel": letter.channel, "item": letter.item, "error": letter.error})
        if self.on_crash is not None:
            self.on_crash(child.name, error)


def is_fenced(error: BaseException) -> bool:
    """Whether another engine took over: no restart can help."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_fenced(inner) for inner in error.exceptions)
    return isinstance(error, FencedError)


@attrs.define(eq=False)
class _FirstStart:
    """Passes the first `started()` on and swallows those of restarts."""

    _outer: trio.TaskStatus[None]
    _state: ActorState
    was_started: bool = attrs.field(init=False, default=False)

    def started(self, value: None = None) -> None:
        self._state.up = True
        if not self.was_started:
            self.was_started = True
            self._outer.started()
