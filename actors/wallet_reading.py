"""Reads the results of one wallet: all of them, or none."""

from collections.abc import Sequence

import attrs

from actors.account_reading import AccountReading, UnreadError
from actors.rules.wallet_results import closed_result, newest_by_token, read_from_ms, resolved_result
from protocols.clock import WallClock
from protocols.errors import MalformedError, RejectedError
from protocols.jobs import JobLease
from protocols.trader_accounts import ClosedPosition, HeldPosition
from protocols.wallet_results import DueWallet, PositionResult, WalletResultStore

HELD_IN_MEMORY = 1_000
"""Results of one wallet; what is more is put aside in the database."""


@attrs.define(eq=False, kw_only=True)
class WalletReading:
    """The venue's lists of a wallet → results, written in one transaction at the end."""

    store: WalletResultStore
    reading: AccountReading
    lease: JobLease
    clock: WallClock

    async def read(self, due: DueWallet) -> int:
        """Returns how many positions changed.

        What is held is read before what is closed: a position that is redeemed in between shows up in both, never in none.
        Raises `UnreadError`; then nothing has changed.
        """
        read_ms = self.clock.now_ms()
        results = _Results(store=self.store, lease=self.lease, wallet=due.wallet)

        async def take_held(rows: Sequence[HeldPosition]) -> None:
            now_ms = self.clock.now_ms()
            await results.add([found for row in rows if (found := resolved_result(row, now_ms=now_ms)) is not None])

        async def take_closed(rows: Sequence[ClosedPosition]) -> None:
            now_ms = self.clock.now_ms()
            await results.add([closed_result(row, now_ms=now_ms) for row in rows])

        try:
            await self.reading.held(due.wallet, take_held)
            await self.reading.closed(due.wallet, read_from_ms(due.newest_close_ms, due.read_ms), take_closed)
            return await self.store.commit(self.lease, due.wallet, results.rest, read_ms=read_ms)
        except UnreadError:
            await results.forget()
            raise
        except (MalformedError, RejectedError) as error:
            # Rows that make no sense, or figures that no column holds.
            await results.forget()
            raise UnreadError(str(error), may_pass=False) from None


@attrs.define(eq=False, kw_only=True)
class _Results:
    """What has been read of a wallet so far."""

    store: WalletResultStore
    lease: JobLease
    wallet: str
    rest: list[PositionResult] = attrs.field(factory=list)
    is_staged: bool = False

    async def add(self, results: Sequence[PositionResult]) -> None:
        self.rest = newest_by_token([*self.rest, *results])
        if len(self.rest) > HELD_IN_MEMORY:
            # Before it is done: cut off in the middle it may have happened.
            self.is_staged = True
            await self.store.stage(self.lease, self.wallet, self.rest)
            self.rest = []

    async def forget(self) -> None:
        if self.is_staged:
            await self.store.forget(self.lease, self.wallet)
