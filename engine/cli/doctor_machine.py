"""The checks of `polycopy doctor` that look at this machine: database, disk, memory, port."""

import errno
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.database_source import listening_options
from engine.adapters.postgres.database import DatabaseOptions, once
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.migrate import SERVER_VERSION_MIN, migration_status
from engine.cli.database_access import NoDatabaseYetError, OpenDatabase, check_answers, with_database
from engine.cli.doctor_report import Check, CheckFailedError
from engine.cli.engine_client import EngineUnreachableError, open_engine_client
from engine.cli.figures import bytes_text
from engine.places import postgres_dir, spill_dir
from engine.runtime.process_gauges import control_group_limit_bytes, machine_memory_bytes

DATABASE_TIMEOUT_S = 60.0
MEMORY_MIN_BYTES = 120 << 20
# The embedded server's own processes and buffers.
MEMORY_EMBEDDED_BYTES = 100 << 20
TRIAL_PREFIX = "polycopy-doctor-"


@attrs.define(eq=False, kw_only=True)
class MachineChecks:
    """What the engine needs of the machine that it runs on."""

    config: EngineConfig
    config_file: Path | None
    timeout_s: float

    def checks(self) -> list[Check]:
        """Returns the checks in the order in which they are shown."""
        database_s = max(self.timeout_s, DATABASE_TIMEOUT_S)
        works: list[tuple[str, Callable[[], Awaitable[str]], str, float]] = [
            ("configuration", self._configuration, "", self.timeout_s),
            ("database", self._database, "", database_s),
            ("spill journal", self._spill, "set writer.spill_dir to a directory that can be written", self.timeout_s),
            ("memory", self._memory, "", self.timeout_s),
            ("http port", self._http, "set http.host and http.port", self.timeout_s),
        ]
        if self.config.database.direct_url is not None:
            works.insert(2, ("direct database", self._direct, "check database.direct_url", database_s))
        return [Check(name=name, work=work, hint=hint, timeout_s=timeout_s) for name, work, hint, timeout_s in works]

    async def _configuration(self) -> str:
        return f"{self.config_file} and the environment" if self.config_file else "defaults and environment, no file"

    async def _database(self) -> str:
        try:
            return await with_database(self.config, self._looked_at)
        except NoDatabaseYetError:
            return await self._trial()

    async def _looked_at(self, database: OpenDatabase) -> str:
        status = await migration_status(database.options)
        version = f"PostgreSQL {status.server_version // 10_000}.{status.server_version % 10_000}"
        if status.server_version < SERVER_VERSION_MIN:
            raise CheckFailedError(f"{database.place} is {version}", "Polycopy needs PostgreSQL 15 or later")
        pending = f", {len(status.pending)} migrations pending (`run` applies them)" if status.pending else ""
        return f"{database.place}: {version}{pending}"

    async def _trial(self) -> str:
        """Nothing is there yet: makes a cluster beside the place where it will be, starts it and takes it away."""
        data_dir = postgres_dir(self.config)
        hint = "set database.data_dir to a directory that can be used, or database.url to a server that runs already"
        if data_dir.exists() and not os.access(data_dir, os.W_OK | os.X_OK):
            raise CheckFailedError(f"{data_dir} cannot be written", hint)
        parent = existing_parent(data_dir)
        try:
            trial = _trial_directory(parent)
        except OSError as error:
            raise CheckFailedError(f"{data_dir} cannot be made: {parent}: {error.strerror}", hint) from None
        try:
            async with run_embedded_server(data_dir=trial / "postgres", durable=False) as server:
                version = server.binaries.version
                await check_answers(DatabaseOptions(dsn=server.dsn))
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(shutil.rmtree, trial, True)
        return f"PostgreSQL {version} works here (tried and removed); `run` will make {data_dir}"

    async def _direct(self) -> str:
        assert self.config.database.direct_url is not None
        dsn = self.config.database.direct_url.reveal()
        options = listening_options(self.config.database, DatabaseOptions(dsn=dsn))
        await check_answers(options)
        await once(options, "doctor", lambda raw: raw.execute("LISTEN polycopy_doctor"))
        return "the server of database.direct_url: answers and takes LISTEN"

    async def _spill(self) -> str:
        directory = spill_dir(self.config, "database").parent
        place = directory if directory.exists() else existing_parent(directory)
        try:
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(b"polycopy")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CheckFailedError(f"{directory} cannot be written: {place}: {error.strerror}") from None
        free, wanted = shutil.disk_usage(place).free, self.config.writer.spill_bytes_max
        if free < wanted:
            hint = "free the disk, or lower writer.spill_bytes_max"
            raise CheckFailedError(f"{directory}: {bytes_text(free)} free, {bytes_text(wanted)} may be needed", hint)
        return f"{directory}: can be written, {bytes_text(free)} free"

    async def _memory(self) -> str:
        group, configured = control_group_limit_bytes(), self.config.limits.memory_mb * 1_000_000
        limit = group or configured or machine_memory_bytes()
        source = "the control group" if group else "limits.memory_mb" if configured else "this machine"
        embedded = self.config.database.url is None
        wanted = MEMORY_MIN_BYTES + (MEMORY_EMBEDDED_BYTES if embedded else 0)
        if limit < wanted:
            hint = "give it more memory" + (" or set database.url: the embedded server shares it" if embedded else "")
            raise CheckFailedError(f"{bytes_text(limit)} by {source}, {bytes_text(wanted)} are needed", hint)
        return f"{bytes_text(limit)} by {source}"

    async def _http(self) -> str:
        http = self.config.http
        try:
            for listener in await trio.open_tcp_listeners(http.port, host=http.host):
                await listener.aclose()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CheckFailedError(f"{http.host}:{http.port} cannot be listened on: {error.strerror}") from None
        else:
            return f"{http.host}:{http.port} is free" if http.port else "any free port will be taken"
        try:
            async with open_engine_client(http) as client:
                ready = await client.ready()
        except EngineUnreachableError:
            raise CheckFailedError(f"{http.host}:{http.port} is taken by another program") from None
        return f"{http.host}:{http.port}: an engine runs here, {'ready' if ready else 'not ready yet'}"


def existing_parent(path: Path) -> Path:
    """Returns the nearest thing above `path` that exists: the directory in which the next one would be made."""
    return next(parent for parent in path.absolute().parents if parent.exists())


def _trial_directory(parent: Path) -> Path:
    """A new directory that the server's account may pass through, as the real one could be."""
    trial = Path(tempfile.mkdtemp(prefix=TRIAL_PREFIX, dir=parent))
    trial.chmod(0o711)
    return trial
