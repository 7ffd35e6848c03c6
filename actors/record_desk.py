"""What is known of traders, at hand: read when a trader is met first, and again when it changed."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.clock import Random
from protocols.decisions import TraderRecord
from protocols.errors import TransientError
from protocols.paper import TraderRecords

_log = logging.getLogger(__name__)
WALLETS_MAX = 20_000
BATCH_MAX = 500
POLL_S = 5.0


@attrs.define(eq=False, kw_only=True)
class RecordDesk:
    """wallets → records. One query for everybody who waits; a trader without a record is remembered as such."""

    store: TraderRecords
    rng: Random
    queries: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _known: OrderedDict[str, TraderRecord | None] = attrs.field(init=False, factory=OrderedDict)
    _wanted: dict[str, trio.Event] = attrs.field(init=False, factory=dict)
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _position: int = attrs.field(init=False, default=0)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def knows(self, wallet: str) -> bool:
        """Returns whether the record of a wallet is at hand, or it is known that there is none; never waits."""
        return wallet in self._known

    def record(self, wallet: str) -> TraderRecord | None:
        """Returns the record of a wallet; None when there is none, or it is not at hand."""
        return self._known.get(wallet)

    async def fetch(self, wallets: Iterable[str], *, deadline_s: float) -> None:
        """Returns when the records of wallets are at hand, at the latest at `deadline_s` (monotonic)."""
        events = [self._wanted.setdefault(wallet, trio.Event()) for wallet in wallets if wallet not in self._known]
        if not events:
            return
        self._wake.set()
        with trio.move_on_at(deadline_s):
            for event in events:
                await event.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answers who waits, and follows changes, until cancelled."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retried, self._answer_forever)
            nursery.start_soon(self._retried, self._follow_changes)

    async def _retried(self, work: Callable[[Backoff], object]) -> None:
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            try:
                await work(backoff)  # type: ignore[misc]
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("records", trio.current_time()) is not None:
                    _log.warning("records of traders not read", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())

    async def _answer_forever(self, backoff: Backoff) -> None:
        while True:
            if not self._wanted:
                self._wake = trio.Event()
                await self._wake.wait()
            wallets = list(self._wanted)[:BATCH_MAX]
            found = await self.store.find(wallets)
            self.queries += 1
            backoff.reset()
            for wallet in wallets:
                self._remember(wallet, found.get(wallet))
                self._wanted.pop(wallet).set()

    async def _follow_changes(self, backoff: Backoff) -> None:
        if not self._position:
            _, self._position = await self.store.changed_since(0)
        while True:
            await trio.sleep(POLL_S)
            changed, self._position = await self.store.changed_since(self._position)
            backoff.reset()
            for wallet, record in changed.items():
                if wallet in self._known:
                    self._known[wallet] = record

    def _remember(self, wallet: str, record: TraderRecord | None) -> None:
        self._known[wallet] = record
        if len(self._known) > WALLETS_MAX:
            self._known.popitem(last=False)
