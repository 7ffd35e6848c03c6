"""Redis servers of the tests' own: on a Unix socket in a directory that goes away, dying with the run; never the system's."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from engine_postgres.server_fixtures import running, scratch_directory

from engine.adapters.redis.address import RedisAddress

START_TIMEOUT_S = 20.0


def redis_program() -> str:
    """Path of redis-server; skips the test if it is not installed."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    return found


@attrs.define(eq=False)
class RedisServer:
    """One server that may be killed and started again."""

    directory: Path
    arguments: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    _stack: Any = None

    @property
    def socket_path(self) -> str:
        return str(self.directory / "redis.sock")

    @property
    def address(self) -> RedisAddress:
        return RedisAddress(socket_path=self.socket_path, timeout_s=2.0)

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}"

    def start(self) -> None:
        """Returns when it accepts connections."""
        Path(self.socket_path).unlink(missing_ok=True)
        argv = [redis_program(), "--port", "0", "--unixsocket", self.socket_path, "--dir", str(self.directory),
                "--save", "", "--appendonly", "no", "--daemonize", "no", *self.arguments]  # fmt: skip
        with (self.directory / "redis.log").open("ab") as log:
            self._stack = running(argv, log, signal.SIGTERM, {"stdin": subprocess.DEVNULL})
            self.process = self._stack.__enter__()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not Path(self.socket_path).exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "redis.log").read_text("utf-8", "replace")[-2000:])
            time.sleep(0.002)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """Ends it; without persistence it forgets everything."""
        if self._stack is not None:
            self.process.send_signal(number)
            self._stack.__exit__(None, None, None)
            self._stack = self.process = None

    def send(self, number: int) -> None:
        """SIGSTOP and SIGCONT: a server that does not answer, and goes on."""
        self.process.send_signal(number)


@contextmanager
def redis_server(*arguments: str) -> Iterator[RedisServer]:
    """A server for a block."""
    with scratch_directory() as directory:
        server = RedisServer(directory, arguments)
        server.start()
        try:
            yield server
        finally:
            server.stop()
