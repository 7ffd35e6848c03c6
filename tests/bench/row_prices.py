"""The price API: calls a second by our server and by others in the same run, one call's latency, and the cost upstream.

Server and client have a processor each. The others serve the same application; uvicorn on asyncio.
"""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from config.schema import PricesConfig

from .bench import Bench
from .figures import Figure, median
from .gamma_stub import GammaStub
from .price_app import MARKETS, PATHS, TOKEN
from .processes import ROOT, cpu_s, running

CONNECTIONS = 50
POLLERS = 500
POLL_INTERVAL_S = 0.25
LATENCY_S = 0.2
LONG_TTL_MS = 3_000
"""So that every call is a hit: on asyncio nobody can wait for a flight."""


async def measure(bench: Bench) -> list[Figure]:
    """Runs the servers in turn, several times, so that a busy moment of the machine meets all of them."""
    async with trio.open_nursery() as nursery:
        stub = GammaStub()
        url = await nursery.start(stub.serve)
        figures = await _throughput(bench, url)
        figures += await _one_connection(bench, url)
        figures += await _pollers(bench, stub, url)
        nursery.cancel_scope.cancel()
    return figures


async def _throughput(bench: Bench, url: str) -> list[Figure]:
    seconds = bench.either(5, 10)
    runs: dict[str, list[dict[str, float]]] = {"engine": [], "uvicorn": [], "hypercorn": []}
    for _ in range(int(bench.either(1, 3))):
        for kind, taken in runs.items():
            async with _server(kind, url, LONG_TTL_MS) as (port, pid):
                began_cpu_s = cpu_s(pid)
                found = await _load(port, CONNECTIONS, seconds, 0)
                found["cpu_us"] = (cpu_s(pid) - began_cpu_s) / found["answers"] * 1e6
                taken.append(found)
            bench.say(f"  {kind}: {found}")
    rates = {kind: median([run["per_s"] for run in taken]) for kind, taken in runs.items()}
    p99_ms = {kind: median([run["p99_ms"] for run in taken]) for kind, taken in runs.items()}
    ours = runs["engine"]
    note = f"p50 {median([run['p50_ms'] for run in ours]):.1f} ms, {median([r['cpu_us'] for r in ours]):.0f} us of CPU a call"
    hypercorn = f"hypercorn {rates['hypercorn']:,.0f}/s, uvicorn {rates['uvicorn']:,.0f}/s"
    return [
        Figure(row="prices", what="price, cache hit, 50 connections, one core", value=rates["engine"], unit="/s",
               target=8_000, at_least=True, reference=rates["uvicorn"], reference_text=hypercorn, note=note),
        Figure(row="prices", what="the same by hypercorn's trio worker, times", value=rates["engine"] / rates["hypercorn"],
               unit="x", target=5, at_least=True, note="same application, same run"),
        Figure(row="prices", what="price, cache hit, 50 connections, p99", value=p99_ms["engine"], unit="ms", target=20,
               reference_text=f"hypercorn {p99_ms['hypercorn']:.0f} ms, uvicorn {p99_ms['uvicorn']:.0f} ms"),
    ]  # fmt: skip


async def _one_connection(bench: Bench, url: str) -> list[Figure]:
    async with _server("engine", url, LONG_TTL_MS) as (port, _):
        found = await _load(port, 1, bench.either(5, 10), 0)
    note = f"p50 {found['p50_ms']:.3f} ms, highest {found['max_ms']:.1f} ms, {found['per_s']:,.0f}/s"
    bench.say(f"  one connection: {found}")
    what = "price, cache hit, 1 connection, p99"
    return [Figure(row="prices", what=what, value=found["p99_ms"], unit="ms", target=1, note=note)]


async def _pollers(bench: Bench, stub: GammaStub, url: str) -> list[Figure]:
    seconds = bench.either(20, 60)
    async with _server("engine", url, PricesConfig().ttl_ms) as (port, _):
        stub.latency_s, calls = LATENCY_S, stub.calls
        found = await _load(port, POLLERS, seconds, POLL_INTERVAL_S)
        calls_per_s = (stub.calls - calls) / seconds
    bench.say(f"  pollers: {calls_per_s:.2f} calls/s, {found}")
    who = f"{POLLERS} users polling {len(MARKETS)} markets every {POLL_INTERVAL_S * 1000:.0f} ms"
    note = f"{found['per_s']:,.0f} answers/s, {found['stale']:.0f} stale, p99 {found['p99_ms']:.1f} ms"
    return [
        Figure(row="prices", what=f"calls upstream, {who}", value=calls_per_s, unit="/s", target=0.6, reference=20,
               reference_text="~20/s", note=f"Gamma takes {LATENCY_S:g} s"),
        Figure(row="prices", what="oldest price among their answers", value=found["age_max_ms"], unit="ms", target=2_500,
               note=note),
    ]  # fmt: skip


@asynccontextmanager
async def _server(kind: str, url: str, ttl_ms: int) -> AsyncIterator[tuple[int, int]]:
    """Yields port and process id."""
    argv = [sys.executable, "-m", "tests.bench.price_server", kind, url, str(ttl_ms)]
    async with running(argv, stdout=subprocess.PIPE, end_s=2) as process:
        assert process.stdout is not None
        with trio.fail_after(30):
            line = await process.stdout.receive_some(1_000)
        if not line:
            raise RuntimeError(f"the server {kind} did not start; others than ours come with the extra `bench`")
        yield json.loads(line)["port"], process.pid


async def _load(port: int, connections: int, seconds: float, interval_s: float) -> dict[str, Any]:
    arguments = [str(value) for value in (port, connections, seconds, interval_s, TOKEN)]
    argv = [sys.executable, "-m", "tests.bench.price_load", *arguments]
    done = await trio.run_process(argv, stdin="\n".join(PATHS).encode(), capture_stdout=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    if found["busy"] > 0.9:
        raise RuntimeError("the client is the bottleneck")
    return found
