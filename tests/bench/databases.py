"""Databases for benchmarks: one embedded server, durable as users have it, and a fresh database for each figure."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from engine.adapters.postgres.database import DatabaseOptions, database_loop, once
from engine.adapters.postgres.embedded_server import EmbeddedServer, run_embedded_server
from engine.adapters.postgres.migrate import migrate
from engine.adapters.postgres.postmaster import server_dsn

FOLLOW = """
INSERT INTO follows (user_id, trader_wallet, is_target)
SELECT profiles.id, wallet, $2 FROM profiles CROSS JOIN unnest($1::text[]) AS new (wallet) WHERE user_name = 'admin'
"""
KNOW = "INSERT INTO traders (wallet_address) SELECT unnest($1::text[])"
NEWEST = "SELECT coalesce(max(ingest_seq), 0) FROM trades_public"
NUMBERS = "SELECT split_part(raw->>'bio', ' ', 1)::int AS number FROM trades_public WHERE lane = 0"


@attrs.frozen
class BenchDatabase:
    """One migrated database."""

    name: str
    socket_dir: Path
    options: DatabaseOptions

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """Runs a statement on a connection of its own."""
        rows: list[Any] = await once(self.options, "bench", lambda raw: raw.fetch(statement, *arguments))
        return rows

    async def value(self, statement: str, *arguments: Any) -> Any:
        """Returns the first column of the first row."""
        return await once(self.options, "bench", lambda raw: raw.fetchval(statement, *arguments))

    async def follow(self, wallets: Sequence[str], *, target: bool = True) -> None:
        """Follows wallets as the user `admin`."""
        await self.fetch(FOLLOW, list(wallets), target)

    async def know(self, wallets: Sequence[str]) -> None:
        """Adds wallets to `traders`."""
        await self.fetch(KNOW, list(wallets))

    async def stored_numbers(self) -> set[int]:
        """Returns the numbers of the target trades that are stored."""
        return {row["number"] for row in await self.fetch(NUMBERS)}

    def dsn(self, socket_dir: Path | None = None) -> str:
        """Returns the address of this database, by another socket if one stands between."""
        return server_dsn(str(socket_dir or self.socket_dir), database=self.name)


@attrs.define(eq=False)
class BenchServer:
    """The server."""

    server: EmbeddedServer
    _made: int = 0

    async def database(self) -> BenchDatabase:
        """Returns a fresh, migrated database."""
        self._made += 1
        name = f"bench_{self._made}"
        admin = DatabaseOptions(dsn=self.server.dsn)
        await once(admin, "bench", lambda raw: raw.execute(f"CREATE DATABASE {name} TEMPLATE template0"))
        options = DatabaseOptions(dsn=server_dsn(str(self.server.socket_dir), database=name))
        await migrate(options)
        return BenchDatabase(name, self.server.socket_dir, options)


@asynccontextmanager
async def bench_server(data_dir: Path) -> AsyncIterator[BenchServer]:
    """Yields the server; everything that talks to it has to run inside."""
    async with run_embedded_server(data_dir=data_dir) as server, database_loop():
        yield BenchServer(server)
