"""Markets in memory: what is stored, and what the venue has."""

from collections import deque
from collections.abc import Sequence

import attrs
import trio
from property.supervised import CrashPlan

from protocols.errors import RejectedError, TransientError
from protocols.markets import Market
from protocols.venue.gamma import market_from


def market(condition_id: str) -> Market:
    return market_from({"conditionId": condition_id, "id": condition_id[-4:], "question": "?"})


@attrs.define(eq=False)
class FakeMarketStore:
    """`MarketStore`; `fails` counts transient failures to come, `refused` are ids no database takes."""

    stored: dict[str, Market] = attrs.field(factory=dict)
    traded: list[str] = attrs.field(factory=list)
    fails: int = 0
    refused: frozenset[str] = frozenset()
    sweep_ids: int = 3
    """Ids that one look takes in."""
    sweeps_s: list[float] = attrs.field(factory=list)
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))

    async def _step(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.plan.due():
            self.plan.crash()
        if self.fails:
            self.fails -= 1
            raise TransientError("database down")

    async def missing(self, condition_ids: Sequence[str]) -> list[str]:
        await self._step()
        return [id_ for id_ in condition_ids if id_ not in self.stored]

    async def traded_without_market(self, after: str, ids_max: int) -> tuple[list[str], str]:
        if not after:
            self.sweeps_s.append(trio.current_time())
        await self._step()
        page = sorted(id_ for id_ in set(self.traded) if id_ > after)[: min(ids_max, self.sweep_ids)]
        unknown = [id_ for id_ in page if id_ not in self.stored]
        return unknown, page[-1] if len(page) == min(ids_max, self.sweep_ids) else ""

    async def upsert(self, markets: Sequence[Market]) -> None:
        await self._step()
        if any(one.condition_id in self.refused for one in markets):
            raise RejectedError("value out of range")
        self.stored.update({one.condition_id: one for one in markets})


@attrs.define(eq=False)
class FakeCatalog:
    """`MarketCatalog`: knows some ids, hides closed markets unless asked for them, and fails by script."""

    known: set[str] = attrs.field(factory=set)
    closed: set[str] = attrs.field(factory=set)
    script: deque[str] = attrs.field(factory=deque, converter=deque)
    calls: list[tuple[float, tuple[str, ...], bool | None]] = attrs.field(factory=list)

    async def markets(self, condition_ids: Sequence[str], *, closed: bool | None) -> list[Market]:
        await trio.lowlevel.checkpoint()
        self.calls.append((trio.current_time(), tuple(condition_ids), closed))
        outcome = self.script.popleft() if self.script else "ok"
        if outcome == "transient":
            raise TransientError("429")
        if outcome == "slow":
            await trio.sleep(3)
        visible = self.known | (self.closed if closed else set())
        return [market(id_) for id_ in condition_ids if id_ in visible]

    async def newest(self, markets_max: int) -> list[Market]:
        """`NewestMarkets`: there are none."""
        del markets_max
        await trio.lowlevel.checkpoint()
        return []
