"""A database of the reference's shape, read only: one snapshot, in bounded batches, whatever columns it has."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import MappingProxyType
from typing import Final

import asyncpg
import attrs
import trio

from engine.adapters.postgres.database import Connection, DatabaseOptions
from protocols.errors import EngineError, RejectedError, TransientError

CONNECT_TIMEOUT_S: Final = 15.0
# The first batch of a table comes after the server has sorted it.
STATEMENT_TIMEOUT_S: Final = 3_600.0
BEGIN = """
SET default_transaction_read_only = on;
SET TimeZone = 'UTC';
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL statement_timeout = 0
"""
TABLES = """
SELECT relname AS name, greatest(reltuples, 0)::bigint AS about FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""
# A row as JSON: databases of this shape differ in columns, and one strange value must not end the reading. Rows that
# differ in the case of a wallet only stand together, the one to keep first.
_CURSORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "profiles": "DECLARE rows_to_import CURSOR FOR SELECT to_jsonb(t)::text FROM public.profiles AS t ORDER BY t.id",
        "traders": """
            DECLARE rows_to_import CURSOR FOR SELECT to_jsonb(t)::text FROM public.traders AS t
            ORDER BY lower(t.wallet_address), t.updated_at DESC NULLS LAST
        """,
        "follows": """
            DECLARE rows_to_import CURSOR FOR SELECT to_jsonb(t)::text FROM public.follows AS t
            ORDER BY t.user_id, lower(t.trader_wallet), t.active DESC NULLS LAST
        """,
        "markets": """
            DECLARE rows_to_import CURSOR FOR SELECT to_jsonb(t)::text FROM public.markets AS t ORDER BY t.condition_id
        """,
        "trades_public": """
            DECLARE rows_to_import CURSOR FOR SELECT to_jsonb(t)::text FROM public.trades_public AS t
            ORDER BY t.trade_timestamp, t.trade_id
        """,
        "orders": """
            DECLARE rows_to_import CURSOR FOR SELECT to_jsonb(t)::text FROM public.orders AS t ORDER BY t.order_id
        """,
    }
)
IMPORTED_TABLES: Final = tuple(_CURSORS)
"""In the order in which they are imported: wallets before their trades, users and markets before copies."""
FETCH = "FETCH FORWARD 500 FROM rows_to_import"
CLOSE = "CLOSE rows_to_import"


class SourceError(EngineError):
    """The database to import from cannot be read. The text holds nothing of its address."""


@attrs.define(eq=False)
class ReferenceSource:
    """Open it with `open_reference`."""

    connection: Connection

    async def tables(self) -> dict[str, int]:
        """Returns the tables there and about how many rows the planner thinks they have. Raises `SourceError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(TABLES)

        with _told():
            return {row["name"]: row["about"] for row in await self.connection.run(work)}

    async def batches(self, table: str) -> AsyncIterator[Sequence[str]]:
        """Yields the rows of one of `IMPORTED_TABLES` as JSON texts. Raises `SourceError`."""
        statement = _CURSORS[table]

        async def fetch(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(FETCH)

        with _told():
            await self.connection.run(lambda raw: raw.execute(statement))
        while True:
            with _told():
                rows = await self.connection.run(fetch)
            if not rows:
                break
            yield [row[0] for row in rows]
        with _told():
            await self.connection.run(lambda raw: raw.execute(CLOSE))


@asynccontextmanager
async def open_reference(dsn: str) -> AsyncIterator[ReferenceSource]:
    """Yields the database at `dsn`, at one moment in time. Raises `SourceError`."""
    options = DatabaseOptions(
        dsn=dsn,
        connect_timeout_s=CONNECT_TIMEOUT_S,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        pooled=True,  # no statements are kept between batches, so a pooler in between does not matter
    )
    connection = Connection(options, "import")
    try:
        with _told():
            await connection.run(lambda raw: raw.execute(BEGIN))
        yield ReferenceSource(connection)
    finally:
        with trio.CancelScope(shield=True):
            await connection.aclose()


@contextmanager
def _told() -> Iterator[None]:
    """Weather of the source is not that of our own database: a command that repeats its work must not repeat all of it."""
    try:
        yield
    except (TransientError, RejectedError) as error:
        raise SourceError(f"the database to import from: {error}") from None
    except (ValueError, OSError, asyncpg.InterfaceError) as error:
        raise SourceError(f"the database to import from cannot be reached ({type(error).__name__})") from None
