"""Polls every active trader that the hot tier does not: a safety net for trades, and what these traders hold."""

import logging
from collections import deque
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.polling.poll_outlets import PollOutlets
from actors.polling.venue_asking import VenueFailure
from actors.polling.wallet_poll import WalletPoll
from actors.rules.log_limit import LogLimit
from config.poller import ColdPollerConfig
from protocols.clock import WallClock
from protocols.errors import TransientError
from protocols.jobs import RunningJob
from protocols.polling import ColdPollStore, ColdPollStores, TradeList

_log = logging.getLogger(__name__)
FRESH_S = 1_800.0
"""Who was polled this lately, by whichever tier, is not due."""
RUN_MAX_S = 3_300.0
"""Then the run ends and the next one goes on; a little less than an hour."""
WALLETS_MAX = 200
WORKERS = 2
DOWN_AFTER = 8
"""So many wallets in a row failed: the venue is down, and the others keep their place in the row."""


@attrs.define(eq=False, kw_only=True)
class ColdPoll:
    """traders → positions and their changes, raw trades; whoever was polled longest ago comes first.

    How far it came is in the database after each wallet, so a run that dies anywhere is continued by the next one. Its writes
    carry the lease of the job: somebody else may take it over at any time, and then nothing more of this run is written.
    """

    stores: ColdPollStores
    wallet_poll: WalletPoll
    outlets: Callable[[], PollOutlets | None]
    """The ingest of this process, where it ingests."""
    config: ColdPollerConfig
    clock: WallClock
    run_max_s: float = RUN_MAX_S
    name: str = "cold-poll"
    after: Sequence[str] = ()
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, running: RunningJob) -> None:
        """Polls who is due. Raises `TransientError` when the venue, the database or the ingest is down, and `FencedError`."""
        running.report(polled=0, failed=0, trades=0, events=0, left=False)
        if not self.config.enabled:
            return
        outlets = self.outlets()
        if outlets is None:
            raise TransientError("this engine does not poll")
        round_ = _Round(
            store=self.stores.under(running.lease),
            outlets=outlets,
            before_ms=self.clock.now_ms() - round(max(FRESH_S, self.config.cooldown_s) * 1000),
            until_s=trio.current_time() + self.run_max_s,
        )
        figures = self.wallet_poll.figures
        trades, events = figures.trades, figures.events.total()
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(WORKERS):
                    nursery.start_soon(self._work, round_, running)
            await self.wallet_poll.keep_watermarks(round_.store)
        finally:
            running.report(
                trades=figures.trades - trades, events=figures.events.total() - events, left=round_.is_over()
            )

    async def _work(self, round_: "_Round", running: RunningJob) -> None:
        while not round_.is_over():
            wallet = await round_.next_wallet()
            if wallet is None:
                return
            try:
                await self._poll(wallet, round_)
            except VenueFailure as error:
                running.report(failed=int(running.figures["failed"] or 0) + 1)
                self._warn(wallet, error)
                await round_.failed(error)
            else:
                running.report(polled=int(running.figures["polled"] or 0) + 1)
                round_.succeeded()
                if round_.polled % WALLETS_MAX == 0:
                    await self.wallet_poll.keep_watermarks(round_.store)

    async def _poll(self, wallet: str, round_: "_Round") -> None:
        deadline_s = trio.current_time() + self.config.wallet_timeout_s
        read: TradeList | None = None
        try:
            # One with much to read has as many turns as it needs.
            while read is None:
                with_trades = round_.outlets.wants(wallet)
                read = await self.wallet_poll.poll(
                    wallet, round_.store, round_.outlets, with_trades=with_trades, deadline_s=deadline_s
                )
                if not with_trades:
                    return
        finally:
            self.wallet_poll.release(wallet)

    def _warn(self, wallet: str, error: VenueFailure) -> None:
        held_back = self._log_limit.allows(error.kind, trio.current_time())
        if held_back is not None:
            fields = {"wallet": wallet, "kind": error.kind, "error": str(error), "not_shown": held_back}
            _log.warning("wallet not polled by the cold tier", extra=fields)


@attrs.define(eq=False, kw_only=True)
class _Round:
    """One run: who is next, and whether the venue is down."""

    store: ColdPollStore
    outlets: PollOutlets
    before_ms: int
    until_s: float
    polled: int = 0
    failures: int = 0
    """In a row."""
    _wallets: deque[str] = attrs.field(init=False, factory=deque)
    _taken: set[str] = attrs.field(init=False, factory=set)
    """Wallets of the last list, whose polls may not have ended when the next one is read."""
    _listing: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    def is_over(self) -> bool:
        """Whether the run has lasted long enough."""
        return trio.current_time() >= self.until_s

    async def next_wallet(self) -> str | None:
        """Returns who is due; None when nobody is. Raises `TransientError`."""
        async with self._listing:
            if not self._wallets:
                due = await self.store.least_lately_polled(before_ms=self.before_ms, wallets_max=WALLETS_MAX)
                self._wallets.extend(wallet for wallet in due if wallet not in self._taken)
                self._taken = set(due)
            return self._wallets.popleft() if self._wallets else None

    def succeeded(self) -> None:
        """Notes that a wallet was polled."""
        self.polled += 1
        self.failures = 0

    async def failed(self, error: VenueFailure) -> None:
        """Pauses after failures in a row. Raises `TransientError` when there are too many of them."""
        self.failures += 1
        if self.failures >= DOWN_AFTER:
            raise TransientError(f"the venue failed for {self.failures} wallets in a row, lastly: {error}")
        if self.failures > WORKERS:
            await trio.sleep(0.5 * 2**self.failures)
