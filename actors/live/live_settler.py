"""Settles live positions once their markets are resolved, and lets proceeds become spendable when they are there."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs
import trio

from actors.live.live_book import LiveBook
from actors.payout_finding import PassFigures, PayoutFinder
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.clock import Random, WallClock
from protocols.errors import RejectedError, TransientError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.live.ports import ClobAccount, LiveOrderStore, Settled
from protocols.live.watching import AwaitedRedemption, RedemptionStore
from protocols.paper import DecisionMarkets, OpenMarket, Payouts, Resolutions

_log = logging.getLogger(__name__)
FIRST_PAUSE_S = 1.0
RELEASE_S = 5.0
REDEMPTION_S = 60.0
TOKENS_A_ROUND = 50
CALL_PAUSE_S = 0.1
"""Between two questions for a balance: a tenth of what the venue allows (venue.md §6)."""


@attrs.define(eq=False, kw_only=True)
class LiveSettler:
    """open positions, resolutions → settled positions; time, redemptions → spendable cash.

    Redeeming happens on the chain, by hand or by the venue: a settled token that the account holds no more was redeemed, and
    only then its value begins to cool down. Running twice or at once settles and releases nothing twice.
    """

    store: LiveOrderStore
    redemptions: RedemptionStore
    stored: DecisionMarkets
    markets: MarketStore
    catalog: MarketCatalog
    resolutions: Resolutions
    accounts: Mapping[str, ClobAccount]
    book: LiveBook
    clock: WallClock
    rng: Random
    interval_s: float
    settled: Callable[[Settled], None] = lambda _settled: None
    """Told after each commit, when the book knows; never waits."""
    doubtful: Callable[[], None] = lambda: None
    """Told when memory may not know all that was committed; never waits."""
    passes: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    redeemed: int = attrs.field(init=False, default=0)
    """Redemptions seen."""
    awaited: int = attrs.field(init=False, default=0)
    """Settlements looked at in the last round that are not redeemed."""
    settled_by_outcome: Counter[str] = attrs.field(init=False, factory=Counter)
    _finder: PayoutFinder = attrs.field(init=False)
    _after: str = attrs.field(init=False, default="")
    """Token up to which redemptions were looked at."""
    _untold: set[str] = attrs.field(init=False, factory=set)
    """What was begun, and may have been committed with nobody told: doing it again would not tell."""
    _one_at_a_time: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._finder = PayoutFinder(
            open_markets=self._open_markets,
            settle=self._settle,
            markets=self.markets,
            catalog=self.catalog,
            resolutions=self.resolutions,
            clock=self.clock,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Settles, looks for redemptions and releases until cancelled."""
        task_status.started()
        await self.book.wait_loaded()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._repeat, self.pass_once, self.interval_s, "open positions not settled")
            nursery.start_soon(self._repeat, self.release_due, RELEASE_S, "proceeds not released")
            nursery.start_soon(self._repeat, self.look_for_redemptions, REDEMPTION_S, "redemptions not looked for")

    async def pass_once(self) -> PassFigures:
        """Settles what can be settled now. Raises `TransientError`; what was settled until then stays so."""
        async with self._one_at_a_time:
            figures = await self._finder.pass_once()
            self.passes += 1
        return figures

    async def release_due(self) -> None:
        """Makes proceeds spendable that have cooled down. Raises `TransientError`."""
        self.book.take_balances(await self.store.release(self.clock.now_ms()))

    async def look_for_redemptions(self) -> None:
        """Lets the value of some settled positions begin to cool down, where the account holds them no more.

        Raises `TransientError`.
        """
        entries = await self.redemptions.awaited(TOKENS_A_ROUND, self._after)
        held = dict[tuple[str, str], bool]()
        for entry in entries:
            account = self.book.account_of(entry.strategy_id)
            if account is None or account not in self.accounts or (account, entry.token_id) in held:
                continue
            try:
                allowance = await self.accounts[account].conditional(entry.token_id)
            except RejectedError as error:
                # The venue's word on one token must not cost the word on the others.
                self._failed("a redemption not looked for", error)
            else:
                held[account, entry.token_id] = allowance.balance_micro > 0
            await trio.sleep(CALL_PAUSE_S)
        redeemed = [entry for entry in entries if not held.get(self._place_of(entry), True)]
        if redeemed:
            pairs = sorted({(entry.strategy_id, entry.condition_id) for entry in redeemed})
            self.book.take_balances(await self.store.release(self.clock.now_ms(), pairs))
        self.redeemed += len(redeemed)
        self.awaited = len(entries) - len(redeemed)
        # The next ones in the next round; those of the end begin again.
        tokens = {entry.token_id for entry in entries}
        self._after = max(tokens) if len(tokens) == TOKENS_A_ROUND else ""

    @property
    def totals(self) -> Counter[str]:
        """Returns `PassFigures` of all passes."""
        return self._finder.totals

    def _place_of(self, entry: AwaitedRedemption) -> tuple[str, str]:
        return self.book.account_of(entry.strategy_id) or "", entry.token_id

    async def _open_markets(self, after: str, markets_max: int) -> Sequence[OpenMarket]:
        page = await self.store.open_markets(after, markets_max)
        stored = await self.stored.find([condition_id for condition_id, _ in page]) if page else {}
        return [
            OpenMarket(condition_id=condition_id, token_ids=token_ids, market=stored.get(condition_id))
            for condition_id, token_ids in page
        ]

    async def _settle(self, payouts: Sequence[Payouts]) -> int:
        result = await self.store.settle(payouts, self.clock.now_ms())
        # Midnight may have passed meanwhile.
        self.book.settled(result, self.clock.now_ms())
        self.settled_by_outcome.update(lot.outcome for lot in result.lots)
        if result.lots or result.exits:
            self.settled(result)
        return len(result.lots)

    async def _repeat(self, what: Callable[[], Awaitable[object]], interval_s: float, failed: str) -> None:
        backoff = Backoff(first_s=min(FIRST_PAUSE_S, interval_s), max_s=interval_s, rng=self.rng)
        while True:
            doubtful = failed in self._untold
            self._untold.add(failed)
            try:
                await what()
            except (TransientError, RejectedError) as error:
                self._failed(failed, error)
                await trio.sleep(backoff.next_s())
            else:
                backoff.reset()
                self._untold.discard(failed)
                if doubtful:
                    self.doubtful()
                await trio.sleep(interval_s * (0.9 + 0.2 * self.rng.random()))

    def _failed(self, what: str, error: Exception) -> None:
        self.failures += 1
        if self._log_limit.allows(what, trio.current_time()) is not None:
            _log.warning(what, extra={"error": str(error)})
