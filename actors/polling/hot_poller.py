"""Polls copy targets, followed traders and those that are marked hot, all the time."""

import logging
from collections.abc import Mapping

import attrs
import trio

from actors.polling.poll_outlets import PollOutlets
from actors.polling.venue_asking import VenueFailure
from actors.polling.wallet_poll import WalletPoll
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.poll_queue import HotLane, PollQueue, Queued, hot_wallets
from actors.rules.trade_due import trades_due
from actors.rules.wallet_split import owned
from config.poller import HotPollerConfig
from protocols.clock import Random
from protocols.cluster import ClusterView, Membership, Role
from protocols.errors import TransientError
from protocols.ingest import TargetView
from protocols.polling import PollKind, PollStore, StreamCoverage, TradeList

_log = logging.getLogger(__name__)
WORKERS = 8
WORKERS_APART = 2
"""So many of them take also wallets that failed last time, or took very long."""
LIST_S = 5.0
LOOK_S = 1.0
KEEP_S = 10.0
WALLET_TIMEOUT_S = 20.0
SPLIT_AT_ONCE = 500
"""Wallets whose owners are found before somebody else has a turn: a thousandth of a second for each other member."""
WEATHER_WALLETS = 3
"""So many different wallets failed since the last success: it is not the wallets, it is the venue."""


@attrs.define(eq=False, kw_only=True)
class HotPoller:
    """wallet sets → positions and their changes, raw trades.

    Each wallet is polled again `cooldown_s` after its last poll, or as soon as the rate allows. Positions every time; trades
    only when the stream has not brought them for sure, and every `trades_interval_s`.

    Of several engines that poll each polls the wallets that it owns (`wallet_split`). While their views differ two may poll one
    wallet, or for some seconds nobody does: a snapshot of the other makes ours void, watermarks only move on, and trades have
    one identity whoever brings them.
    """

    wallet_poll: WalletPoll
    store: PollStore
    outlets: PollOutlets
    targets: TargetView
    coverage: StreamCoverage
    config: HotPollerConfig
    rng: Random
    membership: Membership | None = None
    """Who else polls; None: nobody."""
    queue: PollQueue = attrs.field(init=False, factory=PollQueue)
    left_out: int = attrs.field(init=False, default=0)
    """Wallets for which the hot tier has no room."""
    store_failures: int = attrs.field(init=False, default=0)
    _alive_s: float = attrs.field(init=False, default=float("-inf"))
    """When a poll last succeeded, or there was nobody to poll."""
    _marked: frozenset[str] = attrs.field(init=False, default=frozenset())
    _trades_read_s: dict[str, dict[TradeList, float]] = attrs.field(init=False, factory=dict)
    """When each list of trades of a wallet was read to its end last."""
    _failed_lately: set[str] = attrs.field(init=False, factory=set)
    """Wallets whose poll failed since the last one that succeeded."""
    _paused_until_s: float = attrs.field(init=False, default=float("-inf"))
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)
    _venue_backoff: Backoff = attrs.field(init=False)
    _store_backoff: Backoff = attrs.field(init=False)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._venue_backoff = Backoff(first_s=0.5, max_s=30, rng=self.rng)
        self._store_backoff = Backoff(first_s=0.5, max_s=10, rng=self.rng)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Polls until cancelled."""
        for one in self.queue.entries.values():
            # After a crash: whoever was being polled then is not any more.
            if one.polling:
                self.queue.put_back(one, trio.current_time())
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_list)
            nursery.start_soon(self._keep_watermarks)
            for number in range(WORKERS):
                nursery.start_soon(self._work, number < WORKERS_APART)

    def trades_age_s(self, now_s: float) -> float | None:
        """Returns how long ago trades of a hot wallet were read last, of the wallet where that is longest; None without any."""
        read = [max(times.values()) for times in self._trades_read_s.values() if times]
        return max(0.0, now_s - min(read)) if read else None

    def idle_s(self, now_s: float) -> float | None:
        """Returns how long ago a poll succeeded last; None when there is nobody to poll."""
        return max(0.0, now_s - self._alive_s) if self.queue.entries else None

    def planned_cycle_s(self) -> float:
        """Returns the shortest cycle that rate and cool-down allow with one call a wallet."""
        wallets = len(self.queue.entries)
        return max(self.config.cooldown_s, wallets / self.config.rate_per_s) if wallets else 0.0

    async def _keep_list(self) -> None:
        listed: object = None
        listed_s = float("-inf")
        while True:
            sets, now_s, enabled = self.targets.current(), trio.current_time(), self.config.enabled
            if now_s - listed_s >= LIST_S:
                listed_s = now_s
                try:
                    self._marked = frozenset(await self.store.hot_wallets())
                except TransientError as error:
                    self._store_failed(error)
            view = None if self.membership is None else self.membership.view()
            wanted = (sets.version, self._marked, enabled, None if view is None else view.version)
            # Out of the cluster the list stays as it is, and nobody is polled.
            if wanted != listed and (view is None or view.is_in):
                listed = wanted
                wallets, left_out = hot_wallets(sets.lanes, self._marked) if enabled else ({}, 0)
                self._list(wallets if view is None else await _own(wallets, view), left_out)
            await trio.sleep(LOOK_S)

    def _list(self, wallets: dict[str, HotLane], left_out: int) -> None:
        self.left_out = left_out
        if not self.queue.entries:
            self._alive_s = trio.current_time()
        gone = self.queue.entries.keys() - wallets.keys()
        self.queue.set_wallets(wallets, trio.current_time())
        for wallet in gone:
            self.wallet_poll.forget(wallet)
            self._trades_read_s.pop(wallet, None)
            self._failed_lately.discard(wallet)
        self._wake()

    async def _keep_watermarks(self) -> None:
        while True:
            await trio.sleep(KEEP_S)
            try:
                await self.wallet_poll.keep_watermarks(self.store)
            except TransientError as error:
                self._store_failed(error)

    async def _work(self, apart: bool) -> None:
        while True:
            await trio.sleep_until(self._paused_until_s)
            if self.membership is not None and not self.membership.view().is_in:
                await trio.sleep(LOOK_S)
                continue
            one = self.queue.take(trio.current_time(), apart=apart)
            if one is not None:
                await self._poll(one)
                self._wake()
                continue
            changed = self._changed
            with trio.move_on_at(self.queue.next_due_s(apart=apart)):
                await changed.wait()

    async def _poll(self, one: Queued) -> None:
        cooldown_s, began_s = self.config.cooldown_s, trio.current_time()
        try:
            await self._polled(one)
        except VenueFailure as error:
            self._venue_failed(one, error)
            self.queue.failed(one, trio.current_time(), cooldown_s=cooldown_s)
        except TransientError as error:
            self._store_failed(error)
            self.queue.put_back(one, trio.current_time())
            self._pause(self._store_backoff)
        else:
            self._failed_lately.clear()
            self._venue_backoff.reset()
            self._store_backoff.reset()
            self._alive_s = now_s = trio.current_time()
            self.queue.done(one, now_s, cooldown_s=cooldown_s, took_s=now_s - began_s)

    async def _polled(self, one: Queued) -> None:
        wallet = one.wallet
        read_s = self._trades_read_s.setdefault(wallet, {})
        began_s = trio.current_time()
        # One that is refused has its turn every interval; were it due all the time, each poll would ask for it in vain.
        refused = self.wallet_poll.reading.refused(wallet)
        with_trades = trades_due(
            [read_s.get(source) for source in TradeList if source is not refused],
            covered_since_s=self.coverage.covered_since_s(),
            now_s=began_s,
            interval_s=self.config.trades_interval_s,
        )
        if not with_trades:
            self.wallet_poll.figures.saved[PollKind.TRADES] += 1
        deadline_s = began_s + WALLET_TIMEOUT_S
        source = await self.wallet_poll.poll(
            wallet, self.store, self.outlets, with_trades=with_trades, deadline_s=deadline_s
        )
        if source is not None:
            read_s[source] = began_s

    def _venue_failed(self, one: Queued, error: VenueFailure) -> None:
        self._failed_lately.add(one.wallet)
        if len(self._failed_lately) >= WEATHER_WALLETS:
            self._pause(self._venue_backoff)
        held_back = self._log_limit.allows(error.kind, trio.current_time())
        if held_back is not None:
            fields = {"wallet": one.wallet, "kind": error.kind, "error": str(error), "not_shown": held_back}
            _log.warning("wallet not polled", extra=fields)

    def _store_failed(self, error: TransientError) -> None:
        self.store_failures += 1
        if self._log_limit.allows("store", trio.current_time()) is not None:
            _log.warning("pollers wait for the database or the ingest", extra={"error": str(error)})

    def _pause(self, backoff: Backoff) -> None:
        self._paused_until_s = max(self._paused_until_s, trio.current_time() + backoff.next_s())

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


async def _own(wallets: Mapping[str, HotLane], view: ClusterView) -> dict[str, HotLane]:
    pollers, names = view.working_at(Role.POLL), list(wallets)
    mine: dict[str, HotLane] = {}
    for place in range(0, len(names), SPLIT_AT_ONCE):
        mine |= {name: wallets[name] for name in owned(names[place : place + SPLIT_AT_ONCE], view.member_id, pollers)}
        await trio.lowlevel.checkpoint()
    return mine
