"""Leases as rows: who may ingest, fenced by epoch (no session state, so poolers do not matter).

A lease ends with the timeline of the database that it was taken on: after a failover its holder has a memory of commits that
may be gone, so that he takes it anew, under the next epoch, and begins with what the database says.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg
import attrs

from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.database_history import HistoryWatch
from protocols.errors import FencedError

# $1 to $3: name, owner, epoch. What was taken on a timeline that has ended is nobody's.
MINE = "name = $1 AND owner = $2 AND epoch = $3 AND timeline = database_timeline()"
# Free, expired, or ours already. Each time with a new epoch, which fences off all that is under the old one: what another
# writes, and a release of ours that was held up on its way: it must not end what we have taken again since.
ACQUIRE = """
INSERT INTO engine_leases AS held (name, owner, holder, epoch, expires_at)
VALUES ($1, $2, $3, 1, now() + $4 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET
    owner = excluded.owner,
    holder = excluded.holder,
    epoch = held.epoch + 1,
    timeline = database_timeline(),
    expires_at = excluded.expires_at
WHERE held.owner = excluded.owner OR held.expires_at <= now()
RETURNING epoch
"""
WHO_HOLDS = "SELECT holder, extract(epoch FROM expires_at - now())::float8 AS left_s FROM engine_leases WHERE name = $1"
EXTEND = f"""
UPDATE engine_leases SET expires_at = now() + $4 * interval '1 second'
WHERE {MINE}
RETURNING 1
"""  # noqa: S608 - constants only
# Those of others, by the same clock that decides who may take one.
TAKEN = "SELECT name FROM engine_leases WHERE name = ANY ($1::text[]) AND owner <> $2 AND expires_at > now()"
# After a failover it stays with its holder, who takes it anew: only he remembers what the database may have lost.
RELEASE = f"""
UPDATE engine_leases SET expires_at = now()
WHERE {MINE}
"""  # noqa: S608 - constants only


@attrs.frozen(kw_only=True)
class LeaseHold:
    """A lease that is ours until another owner takes it over."""

    name: str
    owner: str
    epoch: int


def _by_name(holds: Iterable[LeaseHold]) -> tuple[LeaseHold, ...]:
    return tuple(sorted(holds, key=lambda one: one.name))


@attrs.frozen
class Leases:
    """Some leases, as one: whoever holds all of them writes, who has lost one writes nothing."""

    holds: tuple[LeaseHold, ...] = attrs.field(converter=_by_name)

    @property
    def columns(self) -> tuple[list[str], list[str], list[int]]:
        """Returns names, owners and epochs: the first parameters of a statement with `HELD`."""
        holds = self.holds
        return [one.name for one in holds], [one.owner for one in holds], [one.epoch for one in holds]

    def lost(self) -> FencedError:
        """Returns the error of a write that found one of them taken over."""
        names = ", ".join(f"{one.name} of epoch {one.epoch}" for one in self.holds)
        return FencedError(f"not every lease is ours any more: {names}")


# $1 to $3: names, owners, epochs. Rows are locked in the order of names, whoever holds which of them.
HELD = """
held_leases AS MATERIALIZED (
    SELECT 1 FROM engine_leases JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS mine (name, owner, epoch)
        USING (name, owner, epoch)
    WHERE timeline = database_timeline()
    ORDER BY name FOR UPDATE OF engine_leases
), fence AS MATERIALIZED (
    SELECT 1 FROM (SELECT count(*) AS leases FROM held_leases) AS counted WHERE leases = cardinality($1)
)
"""
# Who is cut off, or put to sleep, in the middle of a transaction holds these rows, and with them off whoever takes over, until
# the server finds out: by its own means after two hours.
IDLE_MAX_MS = 1_500
LOCK_HELD = f"""
WITH {HELD} SELECT count(*) FROM fence CROSS JOIN set_config('idle_in_transaction_session_timeout', '{IDLE_MAX_MS}', true)
"""  # noqa: S608 - constants only


def proof_of_lease(idle_max_ms: int) -> str:
    """Returns `LOCK_HELD` for one lease: it locks the row, and ends whoever then falls asleep for so long before the commit."""
    return f"""
    SELECT 1 FROM engine_leases CROSS JOIN set_config('idle_in_transaction_session_timeout', '{idle_max_ms}', true)
    WHERE {MINE} FOR SHARE OF engine_leases
    """  # noqa: S608 - constants only


PATIENCE_MIN_S = 2.0
"""However short a lease is: an answer over a busy machine takes its time."""


@attrs.frozen(kw_only=True)
class LeaseRefused:
    """Somebody else holds the lease."""

    name: str
    holder: str
    left_s: float


def lease_options(options: DatabaseOptions, ttl_s: float) -> DatabaseOptions:
    """Returns the same database with less patience: a server that is gone without a word has to be given up, and the one in its
    place asked, while the lease lasts.
    """
    patience_s = max(PATIENCE_MIN_S, ttl_s / 4)
    return attrs.evolve(
        options,
        connect_timeout_s=min(options.connect_timeout_s, patience_s),
        statement_timeout_s=min(options.statement_timeout_s, patience_s),
    )


@attrs.define(eq=False, kw_only=True)
class LeaseOffice:
    """Takes, extends and gives back leases for one process. All methods raise `TransientError` with the database."""

    connection: Connection
    owner: str
    """Unique to this process."""
    holder: str
    """Who that is, for people: host and process id."""
    ttl_s: float
    history: HistoryWatch = attrs.field(factory=HistoryWatch)

    async def acquire(self, name: str) -> LeaseHold | LeaseRefused:
        """Takes a lease that is free, expired or ours, of a database that was looked at."""

        async def work(raw: asyncpg.Connection) -> LeaseHold | LeaseRefused:
            await self.history.look(raw)
            epoch = await raw.fetchval(ACQUIRE, name, self.owner, self.holder, self.ttl_s)
            if epoch is not None:
                return LeaseHold(name=name, owner=self.owner, epoch=epoch)
            row = await raw.fetchrow(WHO_HOLDS, name)
            if row is None:
                return LeaseRefused(name=name, holder="nobody any more", left_s=0.0)
            return LeaseRefused(name=name, holder=row["holder"], left_s=max(0.0, row["left_s"]))

        return await self.connection.run(work)

    async def extend(self, hold: LeaseHold) -> None:
        """Extends a lease by its whole time.

        Raises `FencedError` when somebody else took it over, or the database goes on with another history.
        """

        async def work(raw: asyncpg.Connection) -> object:
            if not await self.history.goes_on(raw):
                raise FencedError(f"the lease {hold.name} was taken on a database that has changed")
            return await raw.fetchval(EXTEND, hold.name, hold.owner, hold.epoch, self.ttl_s)

        if await self.connection.run(work) is None:
            raise FencedError(f"the lease {hold.name} was taken over by another engine")

    async def free(self, names: Sequence[str]) -> list[str]:
        """Returns those of the names that are free, expired or ours, in the same order."""

        async def work(raw: asyncpg.Connection) -> set[str]:
            return {row["name"] for row in await raw.fetch(TAKEN, list(names), self.owner)}

        taken = await self.connection.run(work)
        return [name for name in names if name not in taken]

    async def release(self, hold: LeaseHold) -> None:
        """Gives a lease back, unless somebody else has it by now."""

        async def work(raw: asyncpg.Connection) -> object:
            return await raw.execute(RELEASE, hold.name, hold.owner, hold.epoch)

        await self.connection.run(work)


@asynccontextmanager
async def fenced(raw: asyncpg.Connection, leases: Leases) -> AsyncIterator[bool]:
    """A transaction that begins with the rows of leases, in one round trip; yields whether all of them are still ours.

    The next statement sees what whoever had the rows before has committed.
    """
    mine = " OR ".join(
        f"(name = {_literal(one.name)} AND owner = {_literal(one.owner)} AND epoch = {one.epoch:d})"
        for one in leases.holds
    )
    begin = (
        f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = {IDLE_MAX_MS}; "  # noqa: S608 - quoted
        f"SELECT 1 FROM engine_leases WHERE ({mine or 'false'}) "
        "AND timeline = database_timeline() ORDER BY name FOR UPDATE"
    )
    try:
        yield await raw.execute(begin) == f"SELECT {len(leases.holds)}"
    except BaseException:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await raw.execute("ROLLBACK")
        raise
    await raw.execute("COMMIT")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
