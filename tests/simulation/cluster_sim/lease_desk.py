"""Leases as the SQL of `leases.py` gives them, in the model of the database."""

from collections.abc import Sequence
from typing import Any

import attrs
from simulation.cluster_sim.cluster_database import ClusterDatabase, LeaseRow, Line

from engine.adapters.postgres.leases import LeaseHold, LeaseRefused
from protocols.errors import FencedError


@attrs.define(eq=False, kw_only=True)
class LeaseDesk:
    """`LeaseOffice` of one process.

    A process whose clock goes slow finds that leases last less long than it thinks: all that its clock is asked here is how
    long, so that the server's time for it is made shorter by `drift` instead.
    """

    line: Line
    owner: str
    ttl_s: float
    drift: float = 0.0

    async def acquire(self, name: str) -> LeaseHold | LeaseRefused:
        answer: LeaseHold | LeaseRefused = await self.line.run(f"acquire {name}", lambda: self._acquire(name))
        return answer

    async def extend(self, hold: LeaseHold) -> None:
        if not await self.line.run(f"extend {hold.name}", lambda: self._end(hold, self._lasts_s)):
            raise FencedError(f"the lease {hold.name} was taken over")

    async def free(self, names: Sequence[str]) -> list[str]:
        answer: list[str] = await self.line.run("look at leases", lambda: self._free(names))
        return answer

    async def release(self, hold: LeaseHold) -> None:
        await self.line.run(f"release {hold.name}", lambda: self._end(hold, 0.0))

    @property
    def _lasts_s(self) -> float:
        return self.ttl_s * (1 - self.drift)

    @property
    def _database(self) -> ClusterDatabase:
        return self.line.database

    async def _acquire(self, name: str) -> LeaseHold | LeaseRefused:
        row, now_s = self._database.leases.setdefault(name, LeaseRow()), self._database.now_s()
        if row.owner != self.owner and row.expires_s > now_s:
            return LeaseRefused(name=name, holder=row.owner, left_s=row.expires_s - now_s)
        row.epoch += 1
        if row.owner != self.owner:
            self._database.note(f"{name} goes from {row.owner or 'nobody'} to {self.owner}, epoch {row.epoch}")
        row.owner, row.expires_s = self.owner, now_s + self._lasts_s
        return LeaseHold(name=name, owner=self.owner, epoch=row.epoch)

    async def _free(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self._database.holder(name) in (None, self.owner)]

    async def _end(self, hold: LeaseHold, after_s: float) -> bool:
        row: Any = self._database.leases[hold.name]
        if (row.owner, row.epoch) != (hold.owner, hold.epoch):
            return not self._database.tells_of_takeovers
        row.expires_s = self._database.now_s() + after_s
        return True
