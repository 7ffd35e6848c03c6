"""A Redis server for a benchmark: on a Unix socket, without persistence, gone with the benchmark."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from engine.adapters.redis.address import RedisAddress

START_S = 20.0


@asynccontextmanager
async def redis_process(directory: Path) -> AsyncIterator[RedisAddress]:
    """Yields where it is. Raises `RuntimeError` where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not installed")
    directory.mkdir(parents=True, exist_ok=True)
    socket = directory / "redis.sock"
    argv = [
        program,
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--dir",
        str(directory),
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - starting takes a millisecond
    try:
        with trio.fail_after(START_S):
            while not socket.exists():
                await trio.sleep(0.005)
        yield RedisAddress(socket_path=str(socket))
    finally:
        process.kill()
        process.wait()
