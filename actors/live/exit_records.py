"""What is written of obligations to sell: in the database first, then in memory. Part of exit_keeper."""

from decimal import Decimal

import attrs

from actors.live.exit_times import ExitTimes
from actors.live.live_book import LiveBook
from actors.rules.live.exits import pause_s
from protocols.clock import WallClock
from protocols.live.exits import ExitStatus, LiveExit
from protocols.live.ports import LiveOrderStore


@attrs.define(eq=False, kw_only=True)
class ExitRecords:
    """Changes of obligations → store → book. All methods raise `TransientError` and `RejectedError`."""

    store: LiveOrderStore
    book: LiveBook
    times: ExitTimes
    clock: WallClock

    async def attempt(self, one: LiveExit, attempts: int, detail: str) -> None:
        """Counts attempts; the next one comes after its pause."""
        next_try_ms = self.clock.now_ms() + round(pause_s(attempts) * 1000)
        await self._keep(attrs.evolve(one, attempts=attempts, next_try_ms=next_try_ms, detail=detail))
        self.times.pause(one.exit_id, pause_s(attempts))

    async def close(self, one: LiveExit, status: ExitStatus, detail: str, left: Decimal) -> None:
        """Ends an obligation that owes `left` shares; more was promised, but is not there."""
        await self._keep(attrs.evolve(one, status=status, detail=detail, target_shares=one.sold_shares + left))

    async def say(self, one: LiveExit, detail: str) -> None:
        """Says what an obligation waits for, once."""
        if one.detail != detail:
            await self._keep(attrs.evolve(one, detail=detail))

    async def _keep(self, one: LiveExit) -> None:
        await self.store.save_exits([one])
        self.book.take_exits([one])
