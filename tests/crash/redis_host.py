"""A Redis server on a host of its own, without persistence: what is killed comes back empty."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
from crash.namespaces import Network
from engine_postgres.server_fixtures import running, wait_until
from engine_redis.redis_fixtures import redis_program

from engine.adapters.redis.address import RedisAddress
from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.edge_store import RedisEdge, RedisEdgeStore
from protocols.edges import EdgeFigures

BROKER = "redis"
PORT = 6379


@attrs.define(eq=False, kw_only=True)
class RedisHost:
    """One server that may be killed and started again."""

    network: Network
    home: Path
    stack: ExitStack
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """What engines are told."""
        return f"redis://{self.network.address(BROKER)}:{PORT}/0"

    def start(self) -> None:
        """Returns when it answers."""
        argv = [redis_program(), "--bind", self.network.address(BROKER), "--port", str(PORT), "--protected-mode", "no",
                "--save", "", "--appendonly", "no", "--dir", str(self.home), "--maxmemory", "64mb",
                "--maxmemory-policy", "noeviction"]  # fmt: skip
        log_path = self.home / "redis.log"
        log = self.stack.enter_context(log_path.open("ab"))
        with self.network.on(BROKER):
            started = running(argv, log, signal.SIGTERM, {"stdin": subprocess.DEVNULL})
            self.process = self.stack.enter_context(started)
        wait_until(self._answers, self.process, log_path)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def flush(self) -> None:
        """FLUSHALL: it forgets everything and goes on."""
        assert self._call("FLUSHALL") == b"+OK\r\n"

    async def lanes(self) -> EdgeFigures:
        """Returns the books of the edge of lanes 1 and 2, which begin anew when it has forgotten them."""
        address = RedisAddress(host=self.network.address(BROKER), port=PORT, timeout_s=2.0)
        async with open_redis(address) as office:
            edge = RedisEdge(name="lanes", prefix="polycopy", items_max=1)
            ends = {"calls": office.connection("test"), "waiting": office.connection("test-waits")}
            return await RedisEdgeStore(edge=edge, who="test", **ends).figures()

    def _answers(self) -> bool:
        try:
            return self._call("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def _call(self, words: str) -> bytes:
        with socket.create_connection((self.network.address(BROKER), PORT), timeout=2) as connection:
            connection.sendall(f"{words}\r\n".encode())
            return connection.makefile("rb").readline()


@contextmanager
def redis_host(network: Network, home: Path) -> Iterator[RedisHost]:
    """Serves until the block ends. Skips where Redis is not installed."""
    with ExitStack() as stack:
        host = RedisHost(network=network, home=home, stack=stack)
        host.start()
        yield host
