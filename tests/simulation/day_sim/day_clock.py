"""Virtual time for engines over a real PostgreSQL: days pass in minutes, and nothing depends on how fast the machine is.

The clock jumps as soon as every task waits, except while a database is at work: then it stands still. The database has the
same time. Its `now()` and `clock_timestamp()` are functions of the test's own, found before those of the server, that read a
sequence; whoever asks the database for anything sets it first.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

import asyncpg
import attrs
import trio
import trio.testing

from engine.adapters.postgres.database import Connection, DatabaseOptions, database_loop
from engine.adapters.postgres.migrate import migrate
from protocols.errors import TransientError

INSTALL = """
CREATE SCHEMA day;
CREATE SEQUENCE day.clock MINVALUE 0 START 0;
CREATE FUNCTION day.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT to_timestamp(last_value / 1000.0) FROM day.clock';
CREATE FUNCTION day.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT to_timestamp(last_value / 1000.0) FROM day.clock';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = public, day, pg_catalog', current_database());
END $$;
"""
SET_CLOCK = "SELECT setval('day.clock', {})"


@attrs.define(eq=False)
class Line:
    """The way of one engine to its database."""

    name: str = "operator"
    cut: Callable[[str], bool] = lambda _: False
    """Whether nothing gets through for a connection of that name."""


line_of: ContextVar[Line] = ContextVar("line_of", default=Line())  # noqa: B039 - read only
"""Of whatever task asks: tasks have it from the one that started them."""


@attrs.define(eq=False)
class DayClock:
    """Wall-clock time that runs with virtual time, from a moment that a test chooses."""

    base_ms: int
    mock: trio.testing.MockClock = attrs.field(factory=lambda: trio.testing.MockClock(autojump_threshold=0))
    queries: int = 0
    _at_work: int = 0
    _told_ms: int = -1

    def now_ms(self) -> int:
        return self.base_ms + round(self.mock.current_time() * 1000)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While a database is at work."""
        self._at_work += 1
        self.mock.autojump_threshold = float("inf")
        try:
            yield
        finally:
            self._at_work -= 1
            if not self._at_work:
                self.mock.autojump_threshold = 0

    @contextmanager
    def rules_databases(self) -> Iterator[None]:
        """Every connection keeps this time, and every engine has a line of its own."""
        ask, close = Connection.run, Connection.aclose

        async def run(connection: Connection, work: Any) -> Any:
            line = line_of.get()
            if line.cut(connection.name):
                await trio.lowlevel.checkpoint()
                raise TransientError("the line is cut")

            async def stamped(raw: asyncpg.Connection) -> Any:
                await self.tell(raw)
                return await work(raw)

            with self.standing_still():
                self.queries += 1
                answer = await ask(connection, stamped)
            if line.cut(connection.name):
                raise TransientError("the answer was lost")
            return answer

        async def aclose(connection: Connection) -> None:
            with self.standing_still():
                await close(connection)

        with patch.object(Connection, "run", run), patch.object(Connection, "aclose", aclose):
            yield

    async def tell(self, raw: asyncpg.Connection) -> None:
        """Tells the database what time it is, unless it knows."""
        now_ms = self.now_ms()
        if now_ms != self._told_ms:
            await raw.execute(SET_CLOCK.format(now_ms))
            self._told_ms = now_ms


@asynccontextmanager
async def day_database(dsn: str, clock: DayClock) -> AsyncIterator[DatabaseOptions]:
    """Migrates an empty database that lives on virtual time, for as long as the context lasts."""
    options = DatabaseOptions(dsn=dsn)
    async with database_loop():
        with clock.standing_still():
            connection = Connection(options, "install")
            await connection.run(lambda raw: raw.execute(INSTALL))
            await connection.aclose()
            # Defaults of columns are bound to the functions that are found now.
            await migrate(options)
        with clock.rules_databases():
            yield options


def named(options: DatabaseOptions, name: str) -> DatabaseOptions:
    """The same database; what is done there is known to be done by somebody."""
    return attrs.evolve(options, dsn=f"{options.dsn}{'&' if '?' in options.dsn else '?'}day.engine={name}")
