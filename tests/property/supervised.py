"""Real supervision for tests that crash actors on purpose, on a clock that jumps."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Generic, NoReturn, TypeVar

import attrs
import trio
import trio.testing
from hypothesis import strategies as st

from engine.runtime.channel import ChannelOutbox
from engine.runtime.supervisor import RestartPolicy, Supervisor
from protocols.clock import Random

T = TypeVar("T")
# As many restarts as the test wants: here it is not the budget that is tested.
TIRELESS = RestartPolicy(restarts_max=100_000, window_s=1e9, delay_first_s=0.01, delay_max_s=0.02)


class CrashError(Exception):
    """A bug of ours: nobody expects it, only the supervisor catches it."""


def supervisor() -> Supervisor:
    return Supervisor(rng=Random(5), policy=TIRELESS)


def run_jumping(main: Callable[[], Awaitable[None]], *, longest_s: float = 1e6, start_s: float = 0.0) -> None:
    """Runs `main` on virtual time; a deadlock ends as `TooSlowError` instead of hanging."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    clock.jump(start_s)

    async def bounded() -> None:
        with trio.fail_after(longest_s):
            await main()

    trio.run(bounded, clock=clock)


@attrs.define(eq=False)
class CrashPlan:
    """Crashes at chosen calls, counted over everything that shares the plan."""

    crash_at: Collection[int]
    calls: int = attrs.field(init=False, default=0)
    crashes: int = attrs.field(init=False, default=0)

    def due(self) -> bool:
        self.calls += 1
        return self.calls - 1 in self.crash_at

    def crash(self) -> NoReturn:
        self.crashes += 1
        raise CrashError(f"call {self.calls - 1}")


@attrs.define(eq=False)
class FlakyOutbox(Generic[T]):
    """An outbox whose sender crashes at chosen calls: before anything was sent, after a part of it, or after all."""

    outbox: ChannelOutbox[T]
    plan: CrashPlan
    sent_before_crash: int = 0
    """How many items get through in a call that crashes."""

    async def send(self, item: T) -> None:
        await self.send_many([item])

    async def send_many(self, items: Iterable[T]) -> None:
        items = list(items)
        due = self.plan.due()
        await self.outbox.send_many(items[: self.sent_before_crash] if due else items)
        if due:
            self.plan.crash()

    def send_nowait(self, item: T) -> bool:
        if self.plan.due():
            self.plan.crash()
        return self.outbox.send_nowait(item)

    def send_many_nowait(self, items: Sequence[T]) -> int:
        if self.plan.due():
            self.plan.crash()
        return self.outbox.send_many_nowait(items)


def crash_sets(calls_max: int = 40, *, apart: int = 2) -> st.SearchStrategy[frozenset[int]]:
    """Sets of calls at least `apart`: an item that fails three times is dead-lettered, and that is another test."""

    def thinned(calls: set[int]) -> frozenset[int]:
        kept: list[int] = []
        for call in sorted(calls):
            if not kept or call >= kept[-1] + apart:
                kept.append(call)
        return frozenset(kept)

    return st.sets(st.integers(0, calls_max), max_size=12).map(thinned)
