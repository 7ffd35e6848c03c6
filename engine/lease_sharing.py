"""Leases of one kind, divided between processes: whoever runs takes those that are free, up to its share."""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.lease_keeping import HeldLeases, give_back, safe_until_s
from engine.runtime.supervisor import is_fenced
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
AFTER_S = 0.1
"""After a lease's end: by then it is free."""
Work = Callable[[HeldLeases, trio.Event], Awaitable[None]]
"""Runs under leases until the event is set, then sees what is on its way to its end and returns."""


@attrs.define(eq=False, kw_only=True)
class SharedLeases:
    """One round after the other: some leases are taken, work runs under them, they are given back.

    A third of a lease's time apart, and when the lease of another is about to run out, it is looked whether there are more to
    take, or whether more are held than this process's share; then the round ends, and the next one begins with others. Who
    loses a lease ends the round at once.
    """

    office: LeaseOffice
    names: Sequence[str]
    share: Callable[[int], int] = lambda names: names
    """How many of so many leases this process may hold."""
    held: HeldLeases | None = attrs.field(init=False, default=None)
    _look_again_s: float = attrs.field(init=False, default=0)
    """How long until a lease that was refused may be free."""

    async def run(self, stop: trio.Event, work: Work) -> None:
        """Works until `stop` is set. `work` may raise a group with `FencedError`."""
        while not stop.is_set():
            self.held = held = await self._some(stop)
            if held is None:
                return
            try:
                await self._round(held, stop, work)
            except Exception as error:
                if not is_fenced(error):
                    raise
                fields = {"leases": ", ".join(held.names), "error": str(error)}
                _log.error("another engine took over", extra=fields)
            finally:
                self.held = None
                await give_back(self.office, held.leases.holds)

    async def _some(self, stop: trio.Event) -> HeldLeases | None:
        """Waits until some are free; None when it has to stop before."""
        while not stop.is_set():
            asked_s = trio.current_time()
            holds = await self._free(self.names, self.share(len(self.names)))
            if holds:
                _log.info("leases held", extra={"leases": ", ".join(hold.name for hold in holds)})
                return HeldLeases(
                    office=self.office, leases=Leases(tuple(holds)), safe_until_s=safe_until_s(asked_s, self.office)
                )
            with trio.move_on_after(self._pause_s()):
                await stop.wait()
        return None

    def _pause_s(self) -> float:
        return min(self._look_again_s, self.office.ttl_s / 3)

    async def _free(self, names: Sequence[str], at_most: int) -> list[LeaseHold]:
        """Takes leases that are free or ours."""
        found: list[LeaseHold] = []
        self._look_again_s = math.inf
        for name in sorted(names):
            if len(found) >= at_most:
                break
            try:
                answer = await self.office.acquire(name)
            except TransientError as error:
                _log.warning("a lease was not asked for", extra={"lease": name, "error": str(error)})
                break
            if isinstance(answer, LeaseHold):
                found.append(answer)
            else:
                self._look_again_s = min(self._look_again_s, answer.left_s + AFTER_S)
        return found

    async def _round(self, held: HeldLeases, stop: trio.Event, work: Work) -> None:
        over = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(held.keep)
            nursery.start_soon(self._pass_on, stop, over)
            nursery.start_soon(self._look_for_others, held, over)
            await work(held, over)
            nursery.cancel_scope.cancel()

    @staticmethod
    async def _pass_on(stop: trio.Event, over: trio.Event) -> None:
        await stop.wait()
        over.set()

    async def _look_for_others(self, held: HeldLeases, over: trio.Event) -> None:
        count = len(held.names)
        while not over.is_set():
            await trio.sleep(self._pause_s())
            share = self.share(len(self.names))
            if count > share:
                _log.info("leases are shared anew", extra={"held": count, "share": share})
                over.set()
            elif count < share and await self._free([one for one in self.names if one not in held.names], 1):
                # It is ours already: the next round finds it so.
                over.set()
