"""Leases of one kind, divided between processes: whoever runs takes those that are free, up to its share."""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.lease_keeping import HeldLeases, extend_forever, give_back, safe_until_s
from engine.runtime.supervisor import is_fenced
from protocols.errors import FencedError, TransientError

_log = logging.getLogger(__name__)
LOOK_S = 0.5
ORPHAN_S = 1.0
"""A lease that has been nobody's for so long is taken by whoever sees it, also beyond his share: whose share it was may be dead
and still be counted."""
Work = Callable[[HeldLeases, trio.Event], Awaitable[None]]
"""Runs under leases until the event is set, then sees what is on its way to its end and returns."""


@attrs.define(eq=False, kw_only=True)
class SharedLeases:
    """One round after the other: some leases are taken, work runs under them, they are given back.

    Twice a second it is looked which leases are nobody's, and how many this process may hold. Where there are more to take, or
    where more are held than its share, the round ends, and the next one begins with others. Who loses a lease ends the round at
    once.
    """

    office: LeaseOffice
    names: Sequence[str]
    share: Callable[[int], int] = lambda names: names
    """How many of so many leases this process may hold."""
    held: HeldLeases | None = attrs.field(init=False, default=None)
    _ahead: list[LeaseHold] = attrs.field(init=False, factory=list)
    """Taken for the next round."""
    _free_since_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """Since when a lease has been seen to be nobody's."""
    _before: set[str] = attrs.field(init=False, factory=set)
    """What the last round had."""
    _adopted: int = attrs.field(init=False, default=0)
    """How many it may hold because nobody else took them."""
    _adopted_until_s: float = attrs.field(init=False, default=-math.inf)
    """For a lease's time from the round on that has them: by then everybody knows who is there."""

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
                ends = stop.is_set()
                await give_back(self.office, [*held.leases.holds, *(self._ahead if ends else ())])

    async def _some(self, stop: trio.Event) -> HeldLeases | None:
        """Waits until some are free; None when it has to stop before."""
        while not stop.is_set():
            asked_s = trio.current_time()
            # First what was taken for this round, then what the last one had: who takes one more gives none up for it.
            ahead = {one.name for one in self._ahead}
            free = sorted(await self._free(), key=lambda name: (name not in ahead, name not in self._before))
            holds = await self._taken(free, self._may_hold())
            if holds:
                self._before = {one.name for one in holds}
                unused, self._ahead = [one for one in self._ahead if one.name not in self._before], []
                await give_back(self.office, unused)
                self._adopted_until_s = min(self._adopted_until_s, trio.current_time() + self.office.ttl_s)
                _log.info("leases held", extra={"leases": ", ".join(hold.name for hold in holds)})
                return HeldLeases(
                    office=self.office, leases=Leases(tuple(holds)), safe_until_s=safe_until_s(asked_s, self.office)
                )
            with trio.move_on_after(LOOK_S):
                await stop.wait()
        return None

    def _may_hold(self) -> int:
        share = self.share(len(self.names))
        return max(share, self._adopted) if trio.current_time() < self._adopted_until_s else share

    async def _free(self) -> list[str]:
        """Returns leases that nobody else holds, and remembers since when each has been seen so."""
        try:
            free = await self.office.free(sorted(self.names))
        except TransientError as error:
            _log.warning("leases were not looked at", extra={"error": str(error)})
            return []
        now_s = trio.current_time()
        self._free_since_s = {name: self._free_since_s.get(name, now_s) for name in free}
        return free

    async def _taken(self, names: Sequence[str], at_most: int) -> list[LeaseHold]:
        """Takes leases, as many as are still free or ours."""
        found: list[LeaseHold] = []
        for name in names:
            if len(found) >= at_most:
                break
            try:
                answer = await self.office.acquire(name)
            except TransientError as error:
                _log.warning("a lease was not asked for", extra={"lease": name, "error": str(error)})
                break
            if isinstance(answer, LeaseHold):
                found.append(answer)
        return found

    async def _round(self, held: HeldLeases, stop: trio.Event, work: Work) -> None:
        over = trio.Event()
        # What is held is nobody's when it is given back, and not before.
        self._free_since_s = {}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(held.keep)
            nursery.start_soon(self._pass_on, stop, over)
            nursery.start_soon(self._look_for_others, held, stop, over, nursery)
            await work(held, over)
            nursery.cancel_scope.cancel()

    @staticmethod
    async def _pass_on(stop: trio.Event, over: trio.Event) -> None:
        await stop.wait()
        over.set()

    async def _look_for_others(
        self, held: HeldLeases, stop: trio.Event, over: trio.Event, nursery: trio.Nursery
    ) -> None:
        """Ends the round when it should hold others, and goes on looking while it ends, which may take long.

        What it takes is kept until the next round.
        """
        while not stop.is_set():
            await trio.sleep(LOOK_S)
            count, share = len(held.names) + len(self._ahead), self._may_hold()
            if count > share and not over.is_set():
                _log.info("leases are shared anew", extra={"held": count, "share": share})
                over.set()
            mine = {*held.names, *(one.name for one in self._ahead)}
            others = [name for name in await self._free() if name not in mine]
            taken = await self._taken(others, share - count)
            if not taken and (taken := await self._taken(self._orphans(others), len(others))):
                self._adopted = count + len(taken)
                self._adopted_until_s = math.inf
                _log.warning("leases that nobody took", extra={"leases": ", ".join(one.name for one in taken)})
            if taken:
                self._ahead += taken
                over.set()
                nursery.start_soon(self._keep_ahead, taken)

    async def _keep_ahead(self, holds: Sequence[LeaseHold]) -> None:
        """One that is lost before it was used is no reason to end anything."""
        try:
            await extend_forever(self.office, holds)
        except FencedError as error:
            _log.warning("a lease was lost before it was used", extra={"error": str(error)})

    def _orphans(self, names: Sequence[str]) -> list[str]:
        now_s = trio.current_time()
        return [name for name in names if now_s - self._free_since_s[name] >= ORPHAN_S]
