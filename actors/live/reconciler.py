"""Compares every account with the venue: at the start, every minute, and at once where an order's fate is not known."""

import logging
from collections.abc import Mapping

import attrs
import trio

from actors.live.account_comparing import AccountComparing
from actors.live.live_book import LiveBook
from actors.live.order_asking import OrderAsking
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.channels import Outbox
from protocols.clock import Random, WallClock
from protocols.errors import RejectedError, TransientError
from protocols.live.events import OrderEvent
from protocols.live.ports import ClobAccount
from protocols.live.watching import ReconciliationReport, ReconciliationStore, WatchTimes

_log = logging.getLogger(__name__)
FIRST_PAUSE_S = 1.0
ASKS_MAX = 10_000


@attrs.define(eq=False)
class _Asks:
    """Orders of one account that somebody wants asked about, and when. Asking twice is asking once."""

    due_s: dict[str, float] = attrs.field(factory=dict)
    wake: trio.Event = attrs.field(factory=trio.Event)

    def add(self, order_hash: str, at_s: float) -> None:
        if order_hash in self.due_s or len(self.due_s) < ASKS_MAX:
            self.due_s[order_hash] = min(at_s, self.due_s.get(order_hash, at_s))
            self.wake.set()


@attrs.define(eq=False, kw_only=True)
class Reconciler:
    """accounts → news of orders, cash, reports. Two tasks an account: one makes passes, one answers who asks.

    A venue that is not reached costs readiness and nothing else: the engine takes trades in all the same.
    """

    accounts: Mapping[str, ClobAccount]
    events: Outbox[OrderEvent]
    store: ReconciliationStore
    book: LiveBook
    clock: WallClock
    rng: Random
    times: WatchTimes = attrs.field(factory=WatchTimes)
    reconciled: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when the working orders and the cash of every account are known: before that nobody knows what is open."""
    reports: dict[str, ReconciliationReport] = attrs.field(init=False, factory=dict)
    """The last one of each account."""
    compared_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """Monotonic time of it."""
    passes: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _known: set[str] = attrs.field(init=False, factory=set)
    """Accounts of which that is so."""
    _comparing: dict[str, AccountComparing] = attrs.field(init=False)
    _asks: dict[str, _Asks] = attrs.field(init=False)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._asks = {name: _Asks() for name in self.accounts}
        self._comparing = {name: self._account(name, venue) for name, venue in self.accounts.items()}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reconciles until cancelled."""
        for comparing in self._comparing.values():
            comparing.asking.begin()
        task_status.started()
        await self.book.wait_loaded()
        self._note_reconciled()
        async with trio.open_nursery() as nursery:
            for name in self.accounts:
                nursery.start_soon(self._make_passes, name)
                nursery.start_soon(self._answer, name)

    def ask(self, order_hash: str) -> None:
        """Has the fate of a working order looked up as soon as may be; never waits."""
        order = self.book.order(order_hash)
        if order is not None and order.signed is not None and order.signed.account in self._asks:
            self._asks[order.signed.account].add(order_hash, trio.current_time())

    async def pass_once(self) -> dict[str, ReconciliationReport]:
        """Compares all accounts now, one after the other, and returns the reports. Raises `TransientError`, `RejectedError`."""
        return {name: await self._compare(name) for name in self.accounts}

    @property
    def pending(self) -> int:
        """Returns how many look-ups are asked for and not made."""
        return sum(len(asks.due_s) for asks in self._asks.values())

    @property
    def orphans(self) -> int:
        """Returns how many working orders belong to accounts that this engine does not have: nobody can ask about them."""
        orders = self.book.working_orders()
        return sum(order.signed is not None and order.signed.account not in self.accounts for order in orders)

    def _account(self, name: str, venue: ClobAccount) -> AccountComparing:
        asking = OrderAsking(
            account=name,
            venue=venue,
            events=self.events,
            book=self.book,
            clock=self.clock,
            times=self.times,
            # One not-found proves nothing: it is asked again as soon as another one counts.
            doubt=self._asks[name].add,
        )
        return AccountComparing(
            account=name, venue=venue, asking=asking, store=self.store, book=self.book, clock=self.clock
        )

    async def _make_passes(self, name: str) -> None:
        backoff = Backoff(first_s=min(FIRST_PAUSE_S, self.times.interval_s), max_s=self.times.interval_s, rng=self.rng)
        while True:
            began_s = trio.current_time()
            try:
                await self._compare(name)
            except (TransientError, RejectedError) as error:
                self._failed(name, "account not compared with the venue, trying again", error)
                await trio.sleep(backoff.next_s())
            else:
                backoff.reset()
                # Never later than the interval: somebody counts on it.
                await trio.sleep_until(began_s + self.times.interval_s * (0.9 + 0.1 * self.rng.random()))

    async def _compare(self, name: str) -> ReconciliationReport:
        report = await self._comparing[name].compare(lambda: self._note_known(name))
        self.reports[name], self.compared_s[name] = report, trio.current_time()
        self.passes += 1
        self._tell(name, report)
        try:
            await self.store.save(name, report)
        except TransientError as error:
            self._failed(name, "a comparison with the venue was not kept", error)
        return report

    async def _answer(self, name: str) -> None:
        """Asks about orders as they become due."""
        asks, asking = self._asks[name], self._comparing[name].asking
        backoff = Backoff(first_s=FIRST_PAUSE_S, max_s=self.times.interval_s, rng=self.rng)
        while True:
            asks.wake = trio.Event()
            now_s = trio.current_time()
            due = [one for one, at_s in asks.due_s.items() if at_s <= now_s]
            for order_hash in due:
                # Not when it is answered: who asks meanwhile knows more than the answer.
                del asks.due_s[order_hash]
            try:
                await asking.ask(due)
            except (TransientError, RejectedError) as error:
                self._failed(name, "orders not looked up, trying again", error)
                for order_hash in due:
                    asks.add(order_hash, now_s)
                await trio.sleep(backoff.next_s())
                continue
            backoff.reset()
            with trio.move_on_at(min(asks.due_s.values(), default=float("inf"))):
                await asks.wake.wait()

    def _note_known(self, name: str) -> None:
        self._known.add(name)
        self._note_reconciled()

    def _note_reconciled(self) -> None:
        if self._known >= self.accounts.keys():
            self.reconciled.set()

    def _tell(self, name: str, report: ReconciliationReport) -> None:
        if not (report.foreign_orders or report.foreign_fills or report.drifts or report.cash_short_usd):
            return
        if self._log_limit.allows(f"found {name}", trio.current_time()) is not None:
            fields = {
                "account": name,
                "foreign_orders": len(report.foreign_orders),
                "foreign_fills": len(report.foreign_fills),
                "drifting_tokens": len(report.drifts),
                "cash_short_usd": str(report.cash_short_usd),
            }
            _log.warning("an account is not what our books say", extra=fields)

    def _failed(self, name: str, message: str, error: Exception) -> None:
        self.failures += 1
        if self._log_limit.allows(f"{message} {name}", trio.current_time()) is not None:
            _log.warning(message, extra={"account": name, "error": str(error)})
