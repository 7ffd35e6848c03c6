"""The store between replicas in memory, on trio's clock, over lines that fail, hang and lose answers on command."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio
from property.supervised import CrashPlan

from actors.rules.price_sharing import CLAIM_MS, Record, settled
from protocols.errors import TransientError
from protocols.shared_quotes import Boarding, IsWanted, Published, SharedQuote, Want

ABSENT_MS = 5_000


@attrs.define(eq=False, kw_only=True)
class MemoryQuotes:
    """What all replicas share; the same rule as in Redis, one step at a time since nothing in it waits."""

    records: dict[str, Record] = attrs.field(factory=dict)
    quotes: dict[str, SharedQuote] = attrs.field(factory=dict)
    news: list[Published] = attrs.field(factory=list)
    arrived: trio.Event = attrs.field(factory=trio.Event)
    claims: int = 0

    def now_ms(self) -> int:
        return round(trio.current_time() * 1000)

    def flush(self) -> None:
        """As a server that was started anew, empty."""
        self.records.clear()
        self.quotes.clear()

    def change(self, condition_id: str, **fields: Any) -> None:
        self.records[condition_id] = attrs.evolve(self.records.get(condition_id, Record()), **fields)

    def line(self, **options: Any) -> "QuoteLine":
        return QuoteLine(self, **options)


@attrs.define(eq=False)
class QuoteLine:
    """`SharedQuotes` of one replica."""

    store: MemoryQuotes
    mode: str = attrs.field(default="ok", kw_only=True)
    """`ok`, `down`, `hang`, or `deaf`: what is asked is done, and the answer is lost."""
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()), kw_only=True)
    latency_s: float = attrs.field(default=0.001, kw_only=True)
    _read: int = 0

    def __attrs_post_init__(self) -> None:
        self._read = len(self.store.news)

    async def board(self, flight: str, wants: Sequence[Want], room: int) -> Boarding:
        await self._before()
        store, now_ms = self.store, self.store.now_ms()
        ruled = settled(flight, wants, store.records, now_ms, room=room)
        for want in wants:
            if not want.rides:
                store.change(want.condition_id, asked_ms=now_ms)
        for condition_id in (*ruled.ours, *ruled.along, *ruled.along_hidden):
            store.change(condition_id, claim=flight, claimed_until_ms=now_ms + CLAIM_MS)
            store.claims += 1
        absent = [id_ for id_ in ruled.found if store.records[id_].is_absent]
        await self._after()
        return Boarding(
            found=[store.quotes[id_] for id_ in ruled.found if id_ not in absent],
            absent=absent,
            ours=ruled.ours,
            along=ruled.along,
            along_hidden=ruled.along_hidden,
            theirs={id_: left_ms / 1000 for id_, left_ms in ruled.theirs.items()},
        )

    async def publish(self, flight: str, brought: Published, left: Sequence[str]) -> None:
        await self._before()
        store, now_ms = self.store, self.store.now_ms()
        for quote in brought.quotes:
            condition_id, observed_ms = quote.facts.condition_id, round(quote.observed_s * 1000)
            known = store.records.get(condition_id, Record()).observed_ms
            if known is None or known <= observed_ms:
                store.quotes[condition_id] = quote
                store.change(condition_id, observed_ms=observed_ms, is_absent=False, hidden=quote.hidden,
                             ended=quote.ended, resolved=quote.resolved)  # fmt: skip
        for condition_id in brought.absent:
            store.change(condition_id, observed_ms=now_ms, is_absent=True)
        for condition_id in (*(quote.facts.condition_id for quote in brought.quotes), *brought.absent, *left):
            if store.records.get(condition_id, Record()).claim == flight:
                store.change(condition_id, claim="", claimed_until_ms=0)
        store.news.append(brought)
        arrived, store.arrived = store.arrived, trio.Event()
        arrived.set()
        await self._after()

    async def tell(self, condition_ids: Sequence[str]) -> None:
        await self._before()
        for condition_id in condition_ids:
            self.store.change(condition_id, asked_ms=self.store.now_ms())

    async def news(self, is_wanted: IsWanted, wait_s: float) -> Published:
        await self._before()
        with trio.move_on_after(wait_s):
            while self._read == len(self.store.news):
                await self.store.arrived.wait()
        new, self._read = self.store.news[self._read :], len(self.store.news)
        if self.mode == "down":
            raise TransientError("lost")
        return Published(
            quotes=[quote for one in new for quote in one.quotes if is_wanted(quote.facts.condition_id)],
            absent=[id_ for one in new for id_ in one.absent if is_wanted(id_)],
        )

    async def _before(self) -> None:
        now_ms = self.store.now_ms()
        # An answer that there is no such market is forgotten after a while, as keys of Redis are.
        for condition_id, record in self.store.records.items():
            if record.is_absent and record.observed_ms is not None and now_ms - record.observed_ms >= ABSENT_MS:
                self.store.change(condition_id, is_absent=False, observed_ms=None)
        await trio.sleep(self.latency_s)
        if self.plan.due():
            self.plan.crash()
        if self.mode == "hang":
            await trio.sleep_forever()
        if self.mode == "down":
            raise TransientError("connection refused")

    async def _after(self) -> None:
        if self.mode == "deaf":
            raise TransientError("connection lost")
