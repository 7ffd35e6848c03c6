"""An edge over PostgreSQL: for what must lose nothing, handed over in the sender's own transaction."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import attrs
import trio

from engine.adapters.postgres import edge_statements as sql
from engine.adapters.postgres.database import Connection, row_count
from engine.adapters.postgres.leases import LeaseHold, Leases, fenced
from protocols.edges import Appended, Delivery, EdgeFigures

EDGES_CHANNEL = "polycopy_edges"
"""NOTIFY: something was handed over. A wake-up only; the poll is enough where it does not get through."""
PAGE = 500


@attrs.define(eq=False, kw_only=True)
class PostgresEdgeStore:
    """`EdgeStore` over one long-lived connection. It holds when it is full and never drops.

    With a `lease` the claims of this consumer are those of the lease: whoever holds it next has them at once, and nothing
    that the one before does afterwards counts. Without one, a claim is free for others when `claim_s` have gone by and
    nobody kept it.
    """

    connection: Connection
    edge: str
    who: str
    """Unique to a sender, and to a consumer without a lease; the same again after a restart finds at once what was in hand."""
    lease: LeaseHold | None = None
    claim_s: float = 15.0
    items_max: int = 20_000
    """Items of this edge above which `append` keeps no more; several senders at once may pass it by a batch each."""
    dead_max: int = 1_000
    poll_s: float = 0.25
    _woken: trio.Event = attrs.field(init=False, factory=trio.Event)

    def wake(self) -> None:
        """Says that something may have been handed over. Never waits."""
        self._woken.set()

    async def append(self, number: int, bodies: Sequence[bytes]) -> Appended:
        """See `EdgeStore`."""
        edge, who = self.edge, self.who

        async def work(raw: asyncpg.Connection) -> Appended:
            async with raw.transaction():
                last = await raw.fetchrow(sql.LAST_BATCH, edge, who)
                length = await raw.fetchval(sql.COUNT_UP_TO, edge, self.items_max)
                if last is not None and last["last_number"] == number:
                    return Appended(kept=last["last_kept"], length=length)
                kept = max(0, min(len(bodies), self.items_max - length))
                await raw.execute(sql.NOTE_BATCH, edge, who, number, kept)
                if kept:
                    await raw.execute(sql.ADD_ITEMS, edge, bodies[:kept])
                    await raw.execute(sql.NOTIFY, edge)
                return Appended(kept=kept, length=length + kept)

        return await self.connection.run(work)

    async def take(self, items_max: int, wait_s: float) -> Sequence[Delivery]:
        """See `EdgeStore`. Asks at once, whenever `wake` is called, and every `poll_s`."""
        consumer, epoch = self._claim
        deadline_s = trio.current_time() + wait_s
        while True:
            self._woken = trio.Event()
            rows = await self._rows(sql.TAKE, self.edge, items_max, consumer, epoch, self.claim_s)
            left_s = deadline_s - trio.current_time()
            if rows or left_s <= 0:
                return _deliveries(rows)
            with trio.move_on_after(min(left_s, self.poll_s)):
                await self._woken.wait()

    async def mine(self) -> Sequence[Delivery]:
        """See `EdgeStore`."""
        consumer, epoch = self._claim
        found: list[Delivery] = []
        after = 0
        while True:
            rows = await self._rows(sql.MINE, self.edge, consumer, epoch, after, PAGE)
            found += _deliveries(rows)
            if len(rows) < PAGE:
                return found
            after = rows[-1]["item_id"]

    async def take_over(self) -> Sequence[Delivery]:
        """See `EdgeStore`."""
        consumer, epoch = self._claim
        return _deliveries(await self._rows(sql.TAKE_OVER, self.edge, PAGE, consumer, epoch, self.claim_s))

    async def recount(self, item_id: str, deliveries: int) -> bool:
        """See `EdgeStore`."""
        return bool(await self._claim_own([(int(item_id), deliveries)]))

    async def acknowledge(self, item_ids: Sequence[str]) -> int:
        """See `EdgeStore`."""
        consumer, epoch = self._claim
        ids = [int(item_id) for item_id in item_ids]
        rows = await self._rows(sql.ACKNOWLEDGE_WITHIN, self.edge, consumer, epoch, ids)
        return int(rows[0]["count"])

    async def bury(self, delivery: Delivery, reason: str) -> bool:
        """See `EdgeStore`. The newest dead letters stay, `dead_max` of them."""
        consumer, epoch = self._claim
        # Whatever made the reader fail may stand in the reason; a text of PostgreSQL has no zero byte.
        values = (int(delivery.item_id), delivery.deliveries, reason.replace("\0", ""))
        rows = await self._rows(sql.BURY, self.edge, consumer, epoch, *values)
        await self._rows(sql.FORGET_DEAD, self.edge, self.dead_max)
        return bool(rows[0]["count"])

    async def keep(self, item_ids: Sequence[str]) -> None:
        """See `EdgeStore`."""
        await self._claim_own([(int(item_id), None) for item_id in item_ids])

    async def give_back(self, items: Sequence[Delivery]) -> None:
        """See `EdgeStore`."""
        await self._claim_own([(int(one.item_id), one.deliveries) for one in items], gives_back=True)

    async def figures(self) -> EdgeFigures:
        """See `EdgeStore`."""

        async def work(raw: asyncpg.Connection) -> EdgeFigures:
            (row,) = await raw.fetch(sql.FIGURES, self.edge)
            return EdgeFigures(**dict(row), dropped=0)

        return await self.connection.run(work)

    @property
    def _claim(self) -> tuple[str, int]:
        return (self.who, 0) if self.lease is None else (self.lease.name, self.lease.epoch)

    async def _claim_own(self, pairs: Sequence[tuple[int, int | None]], *, gives_back: bool = False) -> int:
        consumer, epoch = self._claim
        ids, counts = [one[0] for one in pairs], [one[1] for one in pairs]
        values = (self.edge, consumer, epoch, ids, counts, gives_back, self.claim_s)

        async def work(raw: asyncpg.Connection) -> int:
            async with _transaction(raw, self.lease):
                return row_count(await raw.execute(sql.CLAIM_OWN, *values))

        return await self.connection.run(work)

    async def _rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            async with _transaction(raw, self.lease):
                return list(await raw.fetch(statement, *values))

        return await self.connection.run(work)


async def append_within(raw: asyncpg.Connection, edge: str, who: str, bodies: Sequence[bytes]) -> None:
    """Hands items over in the transaction that is open: they are there when it commits, and not when it does not.

    Nothing waits and nothing is refused for room here: what the journal has taken, the edge takes. Whoever may commit the same
    thing twice hands over only what the first commit wrote, as a claim says it.
    """
    if bodies:
        await raw.execute(sql.ADD_WITHIN, edge, who, list(bodies))


async def acknowledge_within(raw: asyncpg.Connection, store: PostgresEdgeStore, item_ids: Sequence[str]) -> int:
    """Ends items in the transaction that writes what became of them, so that they are handled exactly once.

    Returns how many were still this consumer's; whoever gets fewer than he handed in rolls back.
    """
    consumer, epoch = (store.who, 0) if store.lease is None else (store.lease.name, store.lease.epoch)
    ids = [int(item_id) for item_id in item_ids]
    return int(await raw.fetchval(sql.ACKNOWLEDGE_WITHIN, store.edge, consumer, epoch, ids))


@asynccontextmanager
async def _transaction(raw: asyncpg.Connection, lease: LeaseHold | None) -> AsyncIterator[None]:
    """A transaction under the lease, if there is one. Raises `FencedError`, and then nothing was written."""
    if lease is None:
        async with raw.transaction():
            yield
        return
    leases = Leases((lease,))
    async with fenced(raw, leases) as is_ours:
        if not is_ours:
            raise leases.lost()
        yield


def _deliveries(rows: Sequence[asyncpg.Record]) -> list[Delivery]:
    found = [Delivery(item_id=str(row["item_id"]), body=row["body"], deliveries=row["deliveries"]) for row in rows]
    # What an UPDATE returns comes in any order.
    return sorted(found, key=lambda one: int(one.item_id))
