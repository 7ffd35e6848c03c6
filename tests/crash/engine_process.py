"""The engine as an operator runs it: a process of its own, to be signalled, stopped and killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import trio
from engine_simulator.loopback_http import NO_TLS


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@attrs.define(eq=False, kw_only=True)
class EngineProcess:
    process: subprocess.Popen[bytes]
    port: int
    log: Any
    host: str = "127.0.0.1"

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    async def wait(self, timeout_s: float = 20) -> int:
        with trio.fail_after(timeout_s):
            while self.process.poll() is None:
                await trio.sleep(0.01)
        return int(self.process.returncode)

    async def readyz(self) -> tuple[int, dict[str, Any]] | None:
        """The answer of /readyz, or None while nobody answers."""
        try:
            async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=2) as client:
                response = await client.get(f"http://{self.host}:{self.port}/readyz")
                return response.status_code, response.json()
        except httpx.TransportError:
            return None

    async def until_ready(self, timeout_s: float = 60) -> None:
        with trio.fail_after(timeout_s):
            while (answer := await self.readyz()) is None or answer[0] != 200:
                assert self.process.poll() is None, self.log_text()
                await trio.sleep(0.05)

    async def until_not_ready_because(self, text: str, timeout_s: float = 60) -> None:
        with trio.fail_after(timeout_s):
            try:
                while (answer := await self.readyz()) is None or text not in json.dumps(answer[1]["waiting_for"]):
                    assert self.process.poll() is None, self.log_text()
                    await trio.sleep(0.05)
            except trio.Cancelled:
                print(f"the last answer of /readyz: {answer}\n{self.log_text()[-3000:]}")
                raise

    def log_text(self) -> str:
        self.log.seek(0)
        return str(self.log.read().decode())

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]


@asynccontextmanager
async def engine_process(settings: Mapping[str, str], *roles: str) -> AsyncIterator[EngineProcess]:
    """Starts `polycopy run`, with `--role` for each role; kills it at the end if it is still there."""
    port = free_port()
    secret = {"POLYCOPY_DATABASE__URL": settings["database.url"]} if "database.url" in settings else {}
    options = {**settings, "http.port": str(port)}
    options.pop("database.url", None)
    pairs = [argument for name, value in options.items() for argument in ("--set", f"{name}={value}")]
    named = [argument for role in roles for argument in ("--role", role)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond, and it has to outlive the loop
            [sys.executable, "-m", "engine.cli.main", *pairs, "run", *named],
            stderr=log,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **secret},
        )
        try:
            yield EngineProcess(process=process, port=port, log=log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
