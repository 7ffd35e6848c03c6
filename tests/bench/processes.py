"""Processes that a benchmark starts, watches and ends."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import trio

ROOT = Path(__file__).parents[2]
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def running(
    argv: list[str], *, env: Mapping[str, str] | None = None, end_s: float = 20.0, **streams: Any
) -> AsyncIterator[trio.Process]:
    """Yields a process; on leaving it gets SIGTERM, and SIGKILL after `end_s`."""
    process = await trio.lowlevel.open_process(argv, env=env, cwd=ROOT, **streams)
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            await end(process, end_s)


async def end(process: trio.Process, end_s: float) -> int | None:
    """Ends a process and returns its exit code; a negative one is the signal that did it."""
    if process.poll() is None:
        process.terminate()
        with trio.move_on_after(end_s):
            await process.wait()
        if process.poll() is None:
            process.kill()
            await process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            await trio.aclose_forcefully(stream)
    return process.returncode


def resident_mb(pid: int) -> float:
    """Returns the resident memory of a process in MB (10^6 bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6


def cpu_s(pid: int) -> float:
    """Returns the processor time that a process has used, in user and system mode; 10 ms resolution."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def free_port() -> int:
    """Returns a TCP port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def http_get(port: int, path: str) -> tuple[int, str]:
    """Returns status and body; status 0 when nobody answers."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    try:
        with trio.fail_after(10):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(request)
                answer = b"".join([chunk async for chunk in stream])
    except (OSError, trio.BrokenResourceError, trio.TooSlowError):
        return 0, ""
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split(b" ", 2)[1]), body.decode()) if head else (0, "")


@attrs.define(eq=False)
class BlasterHandle:
    """The sending process, as its owner sees it."""

    process: trio.Process
    rtds_url: str
    upstream_url: str
    _answers: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    _arrived: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _number: int = 0

    async def order(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Gives a command of `blaster.Blaster` and waits for its answer."""
        self._number += 1
        number = self._number
        assert self.process.stdin is not None
        line = json.dumps({"do": command, "id": number, **arguments}) + "\n"
        await self.process.stdin.send_all(line.encode())
        while number not in self._answers:
            await self._arrived.park()
        return self._answers.pop(number)

    async def wait_clients(self, count: int = 1) -> None:
        """Waits until so many sockets are subscribed."""
        with trio.fail_after(20):
            while (await self.order("clients"))["clients"] < count:
                await trio.sleep(0.02)

    async def read_answers(self) -> None:
        """Serves `order`."""
        async for line in lines_of(self.process):
            answer = json.loads(line)
            self._answers[answer["id"]] = answer
            self._arrived.unpark_all()
        raise RuntimeError("the blaster died")


@asynccontextmanager
async def blaster() -> AsyncIterator[BlasterHandle]:
    """Yields a running sender."""
    argv = [sys.executable, "-m", "tests.bench.blaster"]
    async with running(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, end_s=2) as process:
        first = {}
        async for line in lines_of(process):
            first = json.loads(line)
            break
        upstream_url = f"http://127.0.0.1:{first['upstream_port']}"
        handle = BlasterHandle(process, f"ws://127.0.0.1:{first['rtds_port']}", upstream_url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(handle.read_answers)
            yield handle
            nursery.cancel_scope.cancel()


async def lines_of(process: trio.Process) -> AsyncIterator[bytes]:
    """Yields the lines that a process writes, without their ends."""
    assert process.stdout is not None
    data = bytearray()
    while chunk := await process.stdout.receive_some(1 << 16):
        data += chunk
        while (at := data.find(b"\n")) >= 0:
            yield bytes(data[:at])
            del data[: at + 1]


@attrs.define(eq=False, kw_only=True)
class EngineHandle:
    """A running engine."""

    process: trio.Process
    http_port: int
    log: Path
    samples: list[tuple[float, float]] = attrs.field(factory=list)
    """(monotonic time, resident MB), taken while `watch_memory` runs."""

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait_ready(self, timeout_s: float = 60) -> None:
        """Waits for a 200 of `/readyz`. Raises `RuntimeError` with the end of the log."""
        with trio.move_on_after(timeout_s):
            while (await http_get(self.http_port, "/readyz"))[0] != 200:
                if self.process.poll() is not None:
                    break
                await trio.sleep(0.01)
            else:
                return
        raise RuntimeError(f"the engine is not ready: {self.log.read_text()[-2000:]}")

    async def metrics(self) -> dict[str, float]:
        """Returns every sample of `/metrics` by its name with labels. Raises `RuntimeError`."""
        status, text = await http_get(self.http_port, "/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}: {self.log.read_text()[-500:]}")
        pairs = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def watch_memory(self, interval_s: float = 0.25) -> None:
        """Takes samples until cancelled or the process ends."""
        with suppress(OSError):
            while True:
                self.samples.append((trio.current_time(), resident_mb(self.pid)))
                await trio.sleep(interval_s)


def engine_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment in which only `overrides` (`section.key` → value) configure the engine."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POLYCOPY_")}
    ours = {f"POLYCOPY_{key.replace('.', '__').upper()}": value for key, value in overrides.items()}
    return {**inherited, **ours}


@asynccontextmanager
async def engine(
    sender: BlasterHandle, home: Path, *, dsn: str | None, settings: Mapping[str, str] | None = None
) -> AsyncIterator[EngineHandle]:
    """Yields an engine process whose venue is `sender`; without `dsn` it runs its own database in `home`."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    overrides = {
        "venue.rtds_url": sender.rtds_url,
        "venue.gamma_url": sender.upstream_url,
        "venue.data_url": sender.upstream_url,
        "http.port": str(port),
        "database.data_dir": str(home / "postgres"),
        "writer.spill_dir": str(home / "spill"),
        "logging.format": "json",
        **({"database.url": dsn} if dsn else {}),
        **(settings or {}),
    }
    log = home / "engine.log"
    argv = [sys.executable, "-m", "engine.cli.main", "run"]
    with log.open("ab") as stderr:
        async with running(argv, env=engine_environment(overrides), stderr=stderr, stdout=stderr) as process:
            yield EngineHandle(process=process, http_port=port, log=log)
