"""Puts a backup in the place of what a database holds, in one transaction: everything or nothing."""

import tempfile
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from subprocess import PIPE
from typing import IO, Final

import asyncpg
import attrs
import trio

from engine.adapters.postgres.backup import OnBytes, ignore_bytes
from engine.adapters.postgres.client_programs import BackupError, ClientPrograms, ServerAddress, last_words
from engine.adapters.postgres.database import DatabaseOptions, once
from engine.adapters.postgres.migrate import MIGRATION_TIMEOUT_S, migrations
from protocols.errors import EngineError

# Rows of a database that was only migrated: what the program keeps for itself, not what anybody would miss.
_BOOKKEEPING: Final = frozenset(
    {
        "engine_meta",
        "engine_leases",
        "schema_migrations",
        "target_version",
        "strategy_version",
        "token_version",
        "web_session_version",
        "job_schedulers",
        "cluster_members",
        "database_histories",
        # A halt leaves a row in lt_halts as well.
        "lt_control",
    }
)
_PSQL_SCRIPT_ERROR: Final = 3
_PEEK_BYTES: Final = 8_192
_CHUNK_BYTES: Final = 1 << 18
# Written by pg_restore from 17 on, whatever server it is for; refused by servers before 17.
_NEW_SETTING: Final = b"\nSET transaction_timeout = 0;\n"
LEASE_HOLDER = "SELECT holder FROM engine_leases WHERE expires_at > now() ORDER BY expires_at DESC LIMIT 1"
HAS_LEASES = "SELECT to_regclass('public.engine_leases') IS NOT NULL"
COUNTED = "SELECT name, row_count FROM pg_temp.counted"
ANALYZE = "ANALYZE"
# The lock that migrations take, so that an engine that starts meanwhile waits; see `migrate.LOCK_KEY`.
_BEGIN: Final = b"""
BEGIN;
SET client_min_messages = error;
SELECT pg_catalog.pg_advisory_xact_lock(1886350457);
"""
_REFUSE_LEASE: Final = b"""
DO $$
BEGIN
    IF to_regclass('public.engine_leases') IS NOT NULL THEN
        LOCK TABLE public.engine_leases IN ACCESS EXCLUSIVE MODE;
        IF EXISTS (SELECT FROM public.engine_leases WHERE expires_at > clock_timestamp()) THEN
            RAISE EXCEPTION 'an engine has started meanwhile and works with this database';
        END IF;
    END IF;
END
$$;
"""
# Leases in a backup are of engines that are gone.
_COMMIT: Final = b"\nUPDATE public.engine_leases SET expires_at = now() WHERE expires_at > now();\nCOMMIT;\n"


class RestoreUnknownError(EngineError):
    """The connection was lost at the commit: the database holds either all of the backup or what it held before."""


@attrs.frozen(kw_only=True)
class DatabaseContents:
    """What a restore would replace."""

    row_counts: dict[str, int]
    lease_holder: str | None
    """The engine that works with the database right now."""

    @property
    def is_ours(self) -> bool:
        """Whether it holds nothing at all or tables of Polycopy."""
        return not self.row_counts or "engine_meta" in self.row_counts

    @property
    def data(self) -> dict[str, int]:
        """Returns the rows that somebody would miss, by table."""
        spare = {"profiles": 1}  # the user admin
        return {
            name: count
            for name, count in sorted(self.row_counts.items())
            if name not in _BOOKKEEPING and count > spare.get(name, 0)
        }


async def contents_of(options: DatabaseOptions) -> DatabaseContents:
    """Counts the rows of every table and looks for a live engine. Raises `TransientError`."""

    async def work(raw: asyncpg.Connection) -> DatabaseContents:
        holder = await _lease_holder(raw)
        async with raw.transaction():
            await raw.execute(_sql("count_rows.sql"))
            counted = {row["name"]: row["row_count"] for row in await raw.fetch(COUNTED)}
        return DatabaseContents(row_counts=counted, lease_holder=holder)

    return await once(attrs.evolve(options, statement_timeout_s=MIGRATION_TIMEOUT_S), "restore", work)


async def lease_holder(options: DatabaseOptions) -> str | None:
    """Returns the engine that works with the database right now, for people. Raises `TransientError`."""
    return await once(options, "command", _lease_holder)


async def _lease_holder(raw: asyncpg.Connection) -> str | None:
    holder: str | None = await raw.fetchval(LEASE_HOLDER) if await raw.fetchval(HAS_LEASES) else None
    return holder


def check_known_migrations(versions: tuple[int, ...]) -> None:
    """Raises `BackupError` when a backup is of a newer program: this one could do nothing with it."""
    known = {migration.version for migration in migrations()}
    if newer := sorted(set(versions) - known):
        raise BackupError(f"the backup has migration {newer[-1]}, which this program does not know; update Polycopy")


async def restore_archive(
    programs: ClientPrograms,
    address: ServerAddress,
    file: Path,
    *,
    server_major: int,
    beside_engine: bool,
    on_bytes: OnBytes = ignore_bytes,
) -> None:
    """Replaces everything in the schema `public` by what the archive holds, in one transaction.

    `beside_engine` goes on although an engine holds a lease. `on_bytes` is told how many bytes of SQL have gone through.
    Raises `BackupError`, and then the database is as it was, or `RestoreUnknownError`.
    """
    psql = [programs.program("psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
    psql += ["--output=/dev/null", "--file=-", f"--dbname={address.uri}"]
    # With a schema named, pg_restore does not make the schema itself: owner and grants of the one there stay.
    reader = [programs.program("pg_restore"), "--schema=public", "--no-owner", "--no-privileges", "--file=-", str(file)]
    begin = _BEGIN + (b"" if beside_engine else _REFUSE_LEASE) + _sql("clear_schema.sql").encode()
    drop = _NEW_SETTING if server_major < 17 else b""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as reader_said:
        pipe = _Pipe(reader=reader, psql=psql, env=address.environment(), begin=begin, drop=drop, on_bytes=on_bytes)
        try:
            read, done, commit_sent = await pipe.run(reader_said, said)
        except* OSError as failed:
            raise BackupError(f"cannot run PostgreSQL's programs: {failed.exceptions[0]}") from None
        if done == 0 and commit_sent:
            return
        if commit_sent and done != _PSQL_SCRIPT_ERROR:
            raise RestoreUnknownError(
                "the connection was lost at the commit: either all of the backup is there or what was there before; "
                "look with `polycopy db status`, and restore again if needed"
            )
        if read:
            raise BackupError(f"nothing was changed: {last_words(_tail(reader_said), 'pg_restore', read)}")
        raise BackupError(f"nothing was changed: {last_words(_tail(said), 'psql', done)}")


async def analyze(options: DatabaseOptions) -> None:
    """Gives the planner figures of the new rows. Raises `TransientError`."""
    await once(
        attrs.evolve(options, statement_timeout_s=MIGRATION_TIMEOUT_S), "restore", lambda raw: raw.execute(ANALYZE)
    )


@attrs.define(eq=False, kw_only=True)
class _Pipe:
    """pg_restore | psql, with our own begin and end: psql alone would commit what a failed pg_restore left half-way."""

    reader: list[str]
    psql: list[str]
    env: dict[str, str]
    begin: bytes
    drop: bytes
    on_bytes: Callable[[int], None]

    async def run(self, reader_said: IO[bytes], psql_said: IO[bytes]) -> tuple[int, int, bool]:
        """Returns the exit codes of both and whether the commit was sent."""
        async with trio.open_nursery() as nursery:
            run = partial(trio.run_process, check=False, env=self.env, start_new_session=True)
            sink: trio.Process = await nursery.start(
                partial(run, self.psql, stdin=PIPE, stdout=psql_said, stderr=psql_said)
            )
            source: trio.Process = await nursery.start(
                partial(run, self.reader, stdin=b"", stdout=PIPE, stderr=reader_said)
            )
            assert sink.stdin is not None
            assert source.stdout is not None
            sent = False
            try:
                await self._copy(source.stdout, sink.stdin)
                if await source.wait() == 0:
                    await sink.stdin.send_all(_COMMIT)
                    sent = True
            except trio.BrokenResourceError:
                # psql gave up; what it said is the reason, and without a commit nothing has happened.
                source.kill()
            await sink.stdin.aclose()
            await sink.wait()
            await source.wait()
        assert source.returncode is not None
        assert sink.returncode is not None
        return (0 if source.returncode < 0 else source.returncode), sink.returncode, sent

    async def _copy(self, source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
        await sink.send_all(self.begin)
        head = b""
        while len(head) < _PEEK_BYTES and (chunk := bytes(await source.receive_some(_CHUNK_BYTES))):
            head += chunk
        copied = len(head)
        if self.drop:
            head = head[:_PEEK_BYTES].replace(self.drop, b"\n", 1) + head[_PEEK_BYTES:]
        await sink.send_all(head)
        while chunk := bytes(await source.receive_some(_CHUNK_BYTES)):
            await sink.send_all(chunk)
            copied += len(chunk)
            self.on_bytes(copied)


def _tail(said: IO[bytes]) -> bytes:
    said.seek(0, 2)
    said.seek(max(0, said.tell() - 4_096))
    return said.read()


def _sql(name: str) -> str:
    return (resources.files("engine.adapters.postgres") / name).read_text(encoding="utf-8")
