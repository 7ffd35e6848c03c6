"""Reads what traders earned, and ranks them (domain.md §7.3, D78). Also what the venue says of our own accounts (D79)."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing

import attrs
import trio

from actors.account_reading import PAUSES_S, AccountReading, UnreadError
from actors.official_results import OfficialResults
from actors.wallet_reading import WalletReading
from config.discovery import DiscoveryConfig
from protocols.clock import WallClock
from protocols.errors import TransientError
from protocols.jobs import RunningJob
from protocols.trader_accounts import TraderAccounts
from protocols.wallet_results import DueWallet, OfficialResultStore, WalletResultStore

DUE_ROWS = 200
RETRIED_MAX = 1_000
DOWN_AFTER = 40
"""Wallets in a row that could not be read: then it is not them."""


@attrs.define(eq=False, kw_only=True)
class BackfillWalletPnl:
    """Wallets, those first that waited longest → positions, days, rankings.

    A wallet is written whole or not at all, so a run that dies anywhere is continued by the next one. What limits the pace is
    the allowance of the API: as many wallets are read at once as it takes to use it up.
    """

    store: WalletResultStore
    official: OfficialResultStore
    accounts: TraderAccounts
    own_wallets: Callable[[], Mapping[str, str]]
    """By account of ours: its wallet."""
    config: DiscoveryConfig
    clock: WallClock
    pauses_s: Sequence[float] = PAUSES_S
    """Before a page that failed is asked for again."""
    due_rows: int = DUE_ROWS
    name: str = "backfill-wallet-pnl"
    after: Sequence[str] = ("sync-trader-leaderboard",)

    async def run(self, running: RunningJob) -> None:
        """Reads wallets until all are read or time is up, then ranks.

        Raises `TransientError` when database or API are down, and `FencedError`.
        """
        # A second attempt at a slot goes on where the first one died.
        slot_ms, now_ms = running.lease.slot_ms, self.clock.now_ms()
        begun_ms = now_ms if slot_ms is None else min(slot_ms, now_ms)
        running.report(wallets=await self.store.enlist(running.lease), read=0, failed=0, positions=0)
        reading = AccountReading(accounts=self.accounts, pauses_s=self.pauses_s)
        wallets = WalletReading(store=self.store, reading=reading, lease=running.lease, clock=self.clock)
        reader = _Reader(job=self, running=running, wallets=wallets)
        began_s = trio.current_time()
        with trio.move_on_after(self.config.backfill_max_s) as patience:
            await reader.read_due(begun_ms)
        running.report(
            **reader.pace(trio.current_time() - began_s),
            time_is_up=patience.cancelled_caught,
        )
        official = OfficialResults(store=self.official, reading=reading, clock=self.clock)
        running.report(**await official.sync(running.lease, self.own_wallets()))
        state = await self.store.rank(running.lease, begun_ms=begun_ms)
        if state is not None:
            running.report(ranked=state.wallets, waiting=state.wallets_waiting, anchor=str(state.anchor))


@attrs.define(eq=False, kw_only=True)
class _Reader:
    """One run over the wallets."""

    job: BackfillWalletPnl
    running: RunningJob
    wallets: WalletReading
    again: list[DueWallet] = attrs.field(factory=list)
    """Those that failed for a reason that may pass: tried once more at the end."""
    failed_in_a_row: int = 0

    async def read_due(self, begun_ms: int) -> None:
        await self._read_all(self._due(begun_ms), may_retry=True)
        again, self.again = self.again, []
        await self._read_all(_each(again), may_retry=False)

    def pace(self, seconds: float) -> dict[str, float]:
        """Returns how much of what the API allowed was used: what is allowed is the burst and the rate."""
        config, reading = self.job.config, self.wallets.reading
        allowed = config.burst + config.rate_per_s * seconds
        used = round(reading.calls / allowed, 3)
        return {
            "calls": reading.calls,
            "pages": reading.pages,
            "seconds": round(seconds, 1),
            "allowance_used": used,
        }

    async def _read_all(self, wallets: AsyncGenerator[DueWallet], *, may_retry: bool) -> None:
        send, receive = trio.open_memory_channel[DueWallet](0)
        async with trio.open_nursery() as nursery:
            for _ in range(self.job.config.wallets_at_once):
                nursery.start_soon(self._work, receive.clone(), may_retry)
            receive.close()
            async with send, aclosing(wallets) as due:
                async for wallet in due:
                    await send.send(wallet)

    async def _due(self, begun_ms: int) -> AsyncGenerator[DueWallet]:
        page = await self.job.store.due(begun_ms=begun_ms, after=None, wallets_max=self.job.due_rows)
        while True:
            for wallet in page.wallets:
                yield wallet
            if page.after is None:
                return
            page = await self.job.store.due(begun_ms=begun_ms, after=page.after, wallets_max=self.job.due_rows)

    async def _work(self, due: trio.MemoryReceiveChannel[DueWallet], may_retry: bool) -> None:
        async with due:
            async for wallet in due:
                await self._one(wallet, may_retry=may_retry)

    async def _one(self, due: DueWallet, *, may_retry: bool) -> None:
        try:
            changed = await self.wallets.read(due)
        except UnreadError as error:
            await self._failed(due, error, may_retry=may_retry)
        else:
            self.failed_in_a_row = 0
            self._count(read=1, positions=changed)
        reading = self.wallets.reading
        self.running.report(pages=reading.pages, calls=reading.calls)

    async def _failed(self, due: DueWallet, error: UnreadError, *, may_retry: bool) -> None:
        if may_retry and error.may_pass and len(self.again) < RETRIED_MAX:
            self.again.append(due)
        else:
            self._count(failed=1)
            await self.job.store.fail(self.running.lease, due.wallet, str(error), at_ms=self.job.clock.now_ms())
        self.failed_in_a_row += error.may_pass
        if self.failed_in_a_row >= DOWN_AFTER:
            raise TransientError(f"{DOWN_AFTER} wallets in a row could not be read: {error}")

    def _count(self, **more: int) -> None:
        figures = self.running.figures
        self.running.report(**{name: int(figures[name] or 0) + count for name, count in more.items()})


async def _each(wallets: Sequence[DueWallet]) -> AsyncGenerator[DueWallet]:
    for wallet in wallets:
        yield wallet
