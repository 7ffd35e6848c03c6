"""One running server: spawn, adopt, wait for its death, restart, stop."""

import logging
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs
import trio

from .postmaster import (
    live_postmaster,
    make_socket_dir,
    postgres_argv,
    remove_stale_lock_files,
    server_dsn,
    server_processes,
)
from .privileges import EmbeddedServerError, ServerAccount, open_private
from .server_binaries import ServerBinaries

logger = logging.getLogger(__name__)

LOG_BYTES_MAX: Final = 1 << 20
LOG_BYTES_KEPT: Final = 1 << 18
_POLL_S: Final = 0.01
_KILL_PATIENCE_S: Final = 5.0


@attrs.define(eq=False, kw_only=True)
class EmbeddedServer:
    """A server of ours. Valid between entering and leaving `run_embedded_server`; one task at a time restarts it."""

    binaries: ServerBinaries
    """Where it runs from; `pg_dump` and `psql` of the same version are there too."""
    account: ServerAccount
    cluster_dir: Path
    socket_dir: Path
    log_path: Path
    durable: bool
    settings: dict[str, str]
    start_timeout_s: float = 120.0
    stop_timeout_s: float = 20.0
    quit_timeout_s: float = 8.0
    """Longer than the 5 s after which a postmaster told to quit kills its children."""
    log_check_s: float = 10.0
    pid: int = attrs.field(init=False, default=0)
    """Of the postmaster, the last one started or adopted."""
    adopted: bool = attrs.field(init=False, default=False)
    """True while the server is one that an earlier, killed engine left running."""
    _process: trio.Process | None = attrs.field(init=False, default=None)

    @property
    def dsn(self) -> str:
        """For asyncpg and libpq; stays the same over restarts."""
        return server_dsn(str(self.socket_dir))

    async def bring_up(self) -> None:
        """Adopts the server that runs already, else starts one. Raises `EmbeddedServerError`."""
        if not await self._adopt():
            await self._spawn()

    async def restart(self) -> None:
        """Stops the server if it runs and starts it again, same data and DSN. Raises `EmbeddedServerError`."""
        await self.stop()
        await self._spawn()

    async def wait_dead(self) -> None:
        """Returns when the server's main process is gone. While somebody waits here, the size of its log is bounded."""
        while self.is_alive():
            with trio.move_on_after(self.log_check_s) as scope:
                await self._wait_exit()
            if scope.cancelled_caught:
                trim_log(self.log_path, self.account)
        await trio.lowlevel.checkpoint()

    def is_alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        found = live_postmaster(self.cluster_dir) if self.pid else None
        return found is not None and found.pid == self.pid

    async def stop(self) -> None:
        """Ends all sessions and the server: SIGINT (fast), then SIGQUIT (recovers at the next start), then SIGKILL.

        Not cut short by cancellation; takes at most `stop_timeout_s` + `quit_timeout_s` + 5 s. A dead server is no error.
        """
        steps = (
            (signal.SIGINT, self.stop_timeout_s),
            (signal.SIGQUIT, self.quit_timeout_s),
            (signal.SIGKILL, _KILL_PATIENCE_S),
        )
        for signal_number, patience_s in steps:
            if not self.is_alive():
                break
            if signal_number != signal.SIGINT:
                logger.warning("embedded PostgreSQL server does not stop", extra={"next_signal": signal_number.name})
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal_number)
            with trio.move_on_after(patience_s, shield=True):
                await self._wait_exit()
        if self.is_alive():
            raise EmbeddedServerError(f"the embedded PostgreSQL server (process {self.pid}) cannot be stopped")
        self._process, self.pid, self.adopted = None, 0, False
        if self.socket_dir != self.cluster_dir:
            with suppress(OSError):
                self.socket_dir.rmdir()

    async def _wait_exit(self) -> None:
        if self._process is not None:
            await self._process.wait()
            return
        while self.is_alive():  # noqa: ASYNC110 - not our child: nothing tells us
            await trio.sleep(0.1)

    async def _adopt(self) -> bool:
        with trio.move_on_after(self.start_timeout_s) as scope:
            while (found := live_postmaster(self.cluster_dir)) is not None:
                if found.status == "ready":
                    self.pid, self.adopted, self.socket_dir = found.pid, True, Path(found.socket_dir)
                    logger.info("adopted the running PostgreSQL server", extra={"pid": found.pid})
                    return True
                await trio.sleep(_POLL_S)  # still starting, or going down
        if scope.cancelled_caught:
            raise EmbeddedServerError(f"a PostgreSQL server on {self.cluster_dir} neither answers nor stops")
        return False

    async def _spawn(self) -> None:
        await self._clear_leftovers()
        make_socket_dir(self.socket_dir, self.account)
        trim_log(self.log_path, self.account)
        log = open_private(self.log_path, self.account, os.O_APPEND)
        try:
            log_start = os.fstat(log).st_size
            argv = postgres_argv(
                self.binaries, self.cluster_dir, self.socket_dir, durable=self.durable, settings=self.settings
            )
            self._process = await trio.lowlevel.open_process(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cluster_dir,
                **self.account.popen_options(),
            )
        except OSError as error:
            raise EmbeddedServerError(f"cannot run PostgreSQL as uid {self.account.uid}: {error}") from error
        finally:
            os.close(log)
        self.pid, self.adopted = self._process.pid, False
        await self._wait_ready(self._process, log_start)
        logger.info("PostgreSQL server is up", extra={"pid": self.pid, "version": self.binaries.version})

    async def _wait_ready(self, process: trio.Process, log_start: int) -> None:
        with trio.move_on_after(self.start_timeout_s):
            while process.poll() is None:
                found = live_postmaster(self.cluster_dir)
                if found is not None and found.pid == process.pid and found.status == "ready":
                    return
                await trio.sleep(_POLL_S)
        outcome = f"ended with code {process.returncode}" if process.returncode is not None else "did not get ready"
        await self.stop()
        raise EmbeddedServerError(
            f"the embedded PostgreSQL server in {self.cluster_dir} {outcome}; last lines of {self.log_path}:\n"
            + _last_lines(self.log_path, log_start)
        )

    async def _clear_leftovers(self) -> None:
        """Waits for, then ends, sessions that outlived their postmaster: a new one refuses to start beside them."""
        steps = ((0, 2.0), (signal.SIGQUIT, self.quit_timeout_s), (signal.SIGKILL, _KILL_PATIENCE_S))
        left = server_processes(self.cluster_dir)
        for signal_number, patience_s in steps:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal_number)  # 0 only asks whether it is there
            with trio.move_on_after(patience_s):
                while left:
                    await trio.sleep(_POLL_S)
                    left = server_processes(self.cluster_dir)
        if left:
            raise EmbeddedServerError(f"processes {left} of an earlier server in {self.cluster_dir} do not end")
        remove_stale_lock_files(self.cluster_dir, self.socket_dir)


def trim_log(path: Path, account: ServerAccount) -> None:
    """Keeps the last part of a log that has grown over its bound; the server goes on appending to the same file."""
    descriptor = open_private(path, account, os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        if size > LOG_BYTES_MAX:
            kept = os.pread(descriptor, LOG_BYTES_KEPT, size - LOG_BYTES_KEPT)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, kept[kept.find(b"\n") + 1 :])
    finally:
        os.close(descriptor)


def _last_lines(path: Path, start: int, lines_max: int = 15) -> str:
    with suppress(OSError), path.open("rb") as log:
        log.seek(max(start, log.seek(0, os.SEEK_END) - 8192))
        return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines_max:])
    return "(the log cannot be read)"
