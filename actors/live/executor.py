"""From committed claims to orders on the wire: priced, risk-checked, signed once, journaled, sent once."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

import attrs
import trio

from actors.live.entry_desk import EntryDesk, Unpriced
from actors.live.fair_queue import FairQueue
from actors.live.live_book import LiveBook
from actors.live.order_sender import OrderSender
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.channels import Inbox, Outbox
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.live.orders import LiveIntent, LiveOrder, SignedOrder
from protocols.live.ports import Declined, Journaled, LiveOrderStore, LogLine

_log = logging.getLogger(__name__)
ROUND_MAX = 64
BATCH_MAX = 256
RETRY_S = 0.25
RESCAN_S = 5.0
Key = tuple[str, str]
"""Strategy and market: one order of each is on its way at a time."""


@attrs.define(eq=False, kw_only=True)
class Executor:
    """intents → orders. Rounds: take what strategies want in turns, check and sign all of it in memory, journal it in one
    commit, send. A claim that never gets as far is declined with its reason; one that a crash interrupts is read again from the
    database, and an order that was journaled is never signed again (I7).
    """

    intents: Inbox[LiveIntent]
    store: LiveOrderStore
    book: LiveBook
    desk: EntryDesk
    sender: OrderSender
    reconciled: trio.Event
    """Set when the venue's truth is known: nothing is sent before (D2)."""
    clock: WallClock
    rng: Random
    log: Outbox[LogLine]
    declined: Counter[str] = attrs.field(init=False, factory=Counter)
    """Claims that never became an order, by reason."""
    failures: int = attrs.field(init=False, default=0)
    missed: int = attrs.field(init=False, default=0)
    """Claims that found their channel full, or came after a restart: read from the database."""
    _queue: FairQueue = attrs.field(init=False, factory=FairQueue)
    _busy: set[Key] = attrs.field(init=False, factory=set)
    _ready: list[LiveIntent] = attrs.field(init=False, factory=list)
    """Picked, and nothing has to be waited for to judge them."""
    _picked: set[str] = attrs.field(init=False, factory=set)
    """Order ids of what was picked and is not judged yet."""
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _rescan: bool = attrs.field(init=False, default=True)
    _idle: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Executes until the claims end; what is on its way then is seen to its answer."""
        self._queue, self._busy, self._ready, self._picked, self._rescan = FairQueue(), set(), [], set(), True
        async with trio.open_nursery() as nursery:
            task_status.started()
            await self._load()
            nursery.start_soon(self._work, nursery)
            while batch := await self.intents.batch(BATCH_MAX):
                self.offer(batch)
            while len(self._queue) or self._busy:
                self._idle = trio.Event()
                self._wake.set()
                await self._idle.wait()
            nursery.cancel_scope.cancel()

    def missed_some(self) -> None:
        """Says that something was committed of which memory may not know: it is read from the database; never waits."""
        self._rescan = True
        self._wake.set()

    def offer(self, intents: Iterable[LiveIntent]) -> None:
        """Takes claims that were committed; never waits. One that is known already is not taken twice."""
        self.book.claimed(intents := list(intents))
        for intent in intents:
            self._queue.add(intent)
        self._wake.set()

    async def _load(self) -> None:
        """Reads balances, positions and claims; until then nothing can be judged."""
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            now_ms = self.clock.now_ms()
            # Before it is read: what is missed from here on may not be in it.
            self._rescan = False
            try:
                snapshot = await self.store.snapshot(now_ms)
                break
            except TransientError as error:
                self._failed("live state not read yet", error)
                await trio.sleep(backoff.next_s())
        self.book.load(snapshot, now_ms)
        self.missed += len(snapshot.claims)
        self.offer(snapshot.claims)

    async def _work(self, nursery: trio.Nursery) -> None:
        await self.reconciled.wait()
        while True:
            self._wake = trio.Event()
            if self._rescan:
                await self._read_missed()
            self._take_turns(nursery)
            if self._ready:
                ready, self._ready = self._ready, []
                await self._round(ready, nursery)
                continue
            if not len(self._queue) and not self._busy:
                self._idle.set()
            with trio.move_on_after(RESCAN_S):
                await self._wake.wait()

    def _take_turns(self, nursery: trio.Nursery) -> None:
        """Picks claims whose turn it is. One whose book is not at hand waits for it by itself: it holds up no other."""
        for intent in self._pick():
            self._busy.add((intent.strategy_id, intent.condition_id))
            self._picked.add(intent.order_id)
            if self.desk.glance.is_ready(intent):
                self._ready.append(intent)
            else:
                nursery.start_soon(self._fetch, intent)

    async def _fetch(self, intent: LiveIntent) -> None:
        await self.desk.fetch(intent)
        self._ready.append(intent)
        self._wake.set()

    def _pick(self) -> list[LiveIntent]:
        taken: set[Key] = set()

        def ready(intent: LiveIntent) -> bool:
            key = (intent.strategy_id, intent.condition_id)
            if key in taken or key in self._busy:
                return False
            taken.add(key)
            return True

        return self._queue.pick(ROUND_MAX, ready)

    async def _read_missed(self) -> None:
        # Before it is read: whoever commits meanwhile says so again, and is not in it.
        self._rescan = False
        try:
            snapshot = await self.store.snapshot(self.clock.now_ms())
        except TransientError as error:
            self._rescan = True
            self._failed("missed claims not read yet", error)
            return
        self.book.refresh(snapshot, self.clock.now_ms())
        known = {one.order_id for one in self.book.working_orders()} | self._picked
        found = [one for one in snapshot.claims if one.order_id not in self._queue and one.order_id not in known]
        self.missed += len(found)
        self.offer(found)

    async def _round(self, picked: Sequence[LiveIntent], nursery: trio.Nursery) -> None:
        signed: dict[str, SignedOrder] = {}
        declined: list[Declined] = []
        for intent in picked:
            result = self.desk.prepare(intent)
            if isinstance(result, SignedOrder):
                signed[intent.order_id] = result
            elif isinstance(result, Unpriced):
                nursery.start_soon(self._again, intent)
                continue
            else:
                declined.append(result)
                self._say_declined(intent, result)
                self._free(intent)
            self._picked.discard(intent.order_id)
        if signed:
            by_id = {one.order_id: one for one in picked}
            await self._journal([(by_id[id_], order) for id_, order in signed.items()], declined, nursery)
        if declined:
            nursery.start_soon(self._decline, declined)

    async def _journal(
        self, signed: Sequence[tuple[LiveIntent, SignedOrder]], declined: list[Declined], nursery: trio.Nursery
    ) -> None:
        """Commit 2. While the database does not answer nothing is sent; the same bytes are journaled again."""
        backoff = Backoff(first_s=0.05, max_s=2.0, rng=self.rng)
        while True:
            try:
                result: Journaled = await self.store.journal(signed)
                break
            except TransientError as error:
                self._failed("orders not journaled, nothing is sent", error)
                await trio.sleep(backoff.next_s())
                # What was journaled before, with nobody told, says nothing of balances a second time.
                self._rescan = True
        self.book.journaled(result)
        for order in result.orders:
            nursery.start_soon(self._send, order)
        now_ms = self.clock.now_ms()
        for order_id, reason in result.refused.items():
            if reason != "gone":
                declined.append(Declined(order_id=order_id, reason="AVAILABLE_CASH", detail=reason, at_ms=now_ms))
        for intent, _ in signed:
            if intent.order_id in result.refused:
                self._free(intent)

    async def _send(self, order: LiveOrder) -> None:
        try:
            await self.sender.send(order)
        finally:
            self._free(order.intent)

    async def _again(self, intent: LiveIntent) -> None:
        """Puts a claim back that could not be priced; its age ends it."""
        await trio.sleep(RETRY_S)
        self._busy.discard((intent.strategy_id, intent.condition_id))
        self._picked.discard(intent.order_id)
        self.offer([intent])

    async def _decline(self, declined: Sequence[Declined]) -> None:
        backoff = Backoff(first_s=0.1, max_s=5.0, rng=self.rng)
        self.book.declined(one.order_id for one in declined)
        self.declined.update(one.reason for one in declined)
        while True:
            try:
                await self.store.decline(declined)
                return
            except TransientError as error:
                self._failed("declined orders not recorded yet", error)
                await trio.sleep(backoff.next_s())

    def _say_declined(self, intent: LiveIntent, declined: Declined) -> None:
        self.log.send_nowait(
            LogLine(
                at_ms=declined.at_ms,
                level="info",
                stage="RISK_CHECK" if declined.reason.isupper() else "ORDER_PREP",
                message=f"FILTER {declined.reason}: {declined.detail}",
                trace_id=intent.cause,
                execution_id=intent.order_id,
                strategy_id=intent.strategy_id,
                order_id=intent.order_id,
                source_trade_id=intent.cause,
            )
        )

    def _free(self, intent: LiveIntent) -> None:
        self._busy.discard((intent.strategy_id, intent.condition_id))
        self._wake.set()

    def _failed(self, message: str, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows(message, trio.current_time()) is not None:
            _log.warning(message, extra={"error": str(error)})
