"""Numbered SQL files, each applied once, under a lock that poolers in transaction mode respect."""

import hashlib
from importlib import resources

import asyncpg
import attrs

from engine.adapters.postgres.database import DatabaseOptions, once
from protocols.errors import EngineError

# "polycopy" as a number; any constant would do as long as every engine uses the same.
LOCK_KEY = 0x706F6C79
CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""
LOCK = "SELECT pg_advisory_xact_lock($1)"
APPLIED = "SELECT version, checksum FROM schema_migrations ORDER BY version"
RECORD = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"
HAS_TABLE = "SELECT to_regclass('schema_migrations') IS NOT NULL"
SERVER_VERSION = "SELECT current_setting('server_version_num')::int"
MIGRATION_TIMEOUT_S = 3600.0
SERVER_VERSION_MIN = 150_000


class MigrationError(EngineError):
    """The database and this program do not fit; the message says what to do."""


@attrs.frozen(kw_only=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Returns the digest under which it is recorded."""
        return hashlib.sha256(self.sql.encode()).hexdigest()[:16]


@attrs.frozen(kw_only=True)
class MigrationStatus:
    """What a database has and lacks."""

    applied: tuple[int, ...]
    pending: tuple[Migration, ...]
    server_version: int


def migrations() -> list[Migration]:
    """Returns every migration of this program in order."""
    folder = resources.files("engine.adapters.postgres") / "migrations"
    found = []
    for entry in folder.iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append(Migration(version=int(number), name=name, sql=entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


async def migrate(options: DatabaseOptions) -> list[Migration]:
    """Applies what is pending, in one transaction, and returns it.

    Raises `MigrationError` when the server is too old or the database was changed by a newer program or by hand, and
    `TransientError` with the database.
    """

    async def work(raw: asyncpg.Connection) -> list[Migration]:
        async with raw.transaction():
            await raw.execute(LOCK, LOCK_KEY)
            await raw.execute(CREATE_TABLE)
            status = await _status(raw)
            for migration in status.pending:
                await raw.execute(migration.sql)
                await raw.execute(RECORD, migration.version, migration.name, migration.checksum)
            return list(status.pending)

    # A migration may take its time, and wait for another engine's.
    return await once(attrs.evolve(options, statement_timeout_s=MIGRATION_TIMEOUT_S), "migrate", work)


async def migration_status(options: DatabaseOptions) -> MigrationStatus:
    """Returns what is applied and what is pending. Raises as `migrate`."""

    async def work(raw: asyncpg.Connection) -> MigrationStatus:
        if await raw.fetchval(HAS_TABLE):
            return await _status(raw)
        version = await raw.fetchval(SERVER_VERSION)
        return MigrationStatus(applied=(), pending=tuple(migrations()), server_version=version)

    return await once(options, "migration status", work)


async def _status(raw: asyncpg.Connection) -> MigrationStatus:
    server_version = await raw.fetchval(SERVER_VERSION)
    if server_version < SERVER_VERSION_MIN:
        raise MigrationError(f"PostgreSQL {server_version // 10_000} is too old; 15 or later is needed")
    known = {migration.version: migration for migration in migrations()}
    applied = {row["version"]: row["checksum"] for row in await raw.fetch(APPLIED)}
    newer = sorted(applied.keys() - known.keys())
    if newer:
        raise MigrationError(
            f"the database has migration {newer[-1]}, which this program does not know; update Polycopy"
        )
    for version, checksum in applied.items():
        if known[version].checksum != checksum:
            raise MigrationError(
                f"migration {version} was applied in another form; restore the database or the program"
            )
    pending = tuple(migration for version, migration in sorted(known.items()) if version not in applied)
    return MigrationStatus(applied=tuple(sorted(applied)), pending=pending, server_version=server_version)
