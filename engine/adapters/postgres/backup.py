"""Backups with PostgreSQL's own pg_dump: one consistent file, complete and checked before it gets its name."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
import trio

from engine.adapters.postgres.client_programs import BackupError, ClientPrograms, ServerAddress, last_words

SCHEMA: Final = "public"
TELL_INTERVAL_S: Final = 0.5
# A table that a migration holds is waited for only so long.
_LOCK_WAIT_MS: Final = "60000"
_LISTED = re.compile(r"^\d+; \d+ \d+ TABLE (\S+) (\S+) ", re.MULTILINE)
_TOLD = re.compile(r"^;\s+(Dumped from database version|Archive created at):? ?(.*)$", re.MULTILINE)
_COPIED_VERSION = re.compile(r"^(\d+)\t")
OnBytes = Callable[[int], None]


def ignore_bytes(_: int) -> None:
    """Tells nobody."""


@attrs.frozen(kw_only=True)
class ArchiveFacts:
    """What an archive says of itself, after all of it was read."""

    tables: tuple[str, ...]
    migrations: tuple[int, ...]
    """Versions that were applied in the database it was made from."""
    server_version: str
    created_at: str
    """As pg_dump wrote it."""


async def write_backup(
    programs: ClientPrograms, address: ServerAddress, file: Path, *, overwrite: bool, on_bytes: OnBytes = ignore_bytes
) -> tuple[ArchiveFacts, int]:
    """Dumps the schema `public` into `file` and returns what is in it and its size in bytes.

    The file appears under its name only when it is complete, read back and on disk. `on_bytes` is told now and then how
    large it has become. Raises `BackupError`; then `file` is as it was and no part of a new one is left.
    """
    if not overwrite and await trio.Path(file).exists():
        raise BackupError(f"{file} exists already; --overwrite replaces it once the new backup is complete")
    with _partial_file(file) as (partial, descriptor):
        await _dump(programs, address, partial, descriptor, on_bytes)
        facts = await read_archive(programs, partial)
        if "engine_meta" not in facts.tables:
            raise BackupError("this database holds no tables of Polycopy in its schema public: nothing to back up")
        await trio.to_thread.run_sync(os.fsync, descriptor)
        size = os.fstat(descriptor).st_size
        await trio.to_thread.run_sync(_rename_durably, partial, file, overwrite)
    return facts, size


async def read_archive(programs: ClientPrograms, file: Path) -> ArchiveFacts:
    """Reads a whole archive, data too, and returns what it says of itself. Raises `BackupError` when it is damaged."""
    listing = await _pg_restore(programs, "--list", str(file), of=file)
    text = listing.decode("utf-8", "replace")
    # The table of contents stands in front; a file that was cut short still has it.
    await _pg_restore(programs, "--file=/dev/null", str(file), of=file)
    versions = await _pg_restore(programs, "--data-only", "--table=schema_migrations", "--file=-", str(file), of=file)
    found = (_COPIED_VERSION.match(line) for line in versions.decode("utf-8", "replace").splitlines())
    told = dict(_TOLD.findall(text))
    return ArchiveFacts(
        tables=tuple(name for schema, name in _LISTED.findall(text) if schema == SCHEMA),
        migrations=tuple(sorted(int(match[1]) for match in found if match is not None)),
        server_version=told.get("Dumped from database version", ""),
        created_at=told.get("Archive created at", ""),
    )


async def _pg_restore(programs: ClientPrograms, *arguments: str, of: Path) -> bytes:
    try:
        done = await trio.run_process(
            [programs.program("pg_restore"), *arguments],
            stdin=b"",
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            start_new_session=True,
        )
    except OSError as error:
        raise BackupError(f"cannot run {programs.program('pg_restore')}: {error.strerror}") from None
    if done.returncode:
        raise BackupError(f"{of} is no complete backup: {last_words(done.stderr, 'pg_restore', done.returncode)}")
    return bytes(done.stdout)


async def _dump(
    programs: ClientPrograms, address: ServerAddress, partial: Path, descriptor: int, on_bytes: OnBytes
) -> None:
    # By name: to its standard output it would write the table of contents a second time, behind the data, and a file that
    # was cut short there would pass for a whole one.
    argv = [programs.program("pg_dump"), "--format=custom", f"--schema={SCHEMA}", "--no-owner", "--no-privileges"]
    argv += ["--no-password", f"--lock-wait-timeout={_LOCK_WAIT_MS}", f"--dbname={address.uri}", f"--file={partial}"]
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tell_size, descriptor, on_bytes)
            done = await trio.run_process(
                argv,
                stdin=b"",
                capture_stderr=True,
                check=False,
                env=address.environment(),
                start_new_session=True,
            )
            nursery.cancel_scope.cancel()
    except* OSError as failed:
        raise BackupError(f"cannot run {argv[0]}: {failed.exceptions[0]}") from None
    if done.returncode:
        raise BackupError(f"no backup was made: {last_words(done.stderr, 'pg_dump', done.returncode)}")


async def _tell_size(descriptor: int, on_bytes: OnBytes) -> None:
    while True:
        on_bytes(os.fstat(descriptor).st_size)
        await trio.sleep(TELL_INTERVAL_S)


@contextmanager
def _partial_file(file: Path) -> Iterator[tuple[Path, int]]:
    """A private file beside `file` that is gone afterwards unless it was renamed; one that a killed run left is reused."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"cannot write to {file.parent}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another backup is being written to {file}") from None
        os.ftruncate(descriptor, 0)
        try:
            yield partial, descriptor
        except OSError as error:
            raise BackupError(f"no backup was made: {file}: {error.strerror}") from None
        finally:
            # After the rename it is not there any more.
            with suppress(FileNotFoundError):
                partial.unlink()
    finally:
        os.close(descriptor)


def _rename_durably(partial: Path, file: Path, overwrite: bool) -> None:
    if overwrite:
        partial.replace(file)
    else:
        # Unlike a rename, this fails if somebody else made the file meanwhile.
        try:
            os.link(partial, file)
        except FileExistsError:
            raise BackupError(f"{file} was made by somebody else meanwhile") from None
        except OSError:
            partial.rename(file)  # a file system without links
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


__all__ = ["ArchiveFacts", "BackupError", "read_archive", "write_backup"]
