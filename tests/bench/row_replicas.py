"""What 1, 2 and 4 replicas of the API cost the venue, under 500 and 2,000 pollers of prices spread over them.

Replicas are engines of the role `api`, processes of their own on one database and one Redis, with the simulator as the venue.
Every poller asks for ten of fifty markets every two seconds. All of it shares the machine's cores.
"""

import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from typing import Any

import attrs
import httpx
import trio

from .bench import Bench
from .databases import BenchDatabase
from .figures import Figure
from .impact_world import TOKENS, USERS, VENUE_KEYS
from .processes import ROOT, EngineHandle, cpu_s, engine_environment, free_port, resident_mb, running
from .redis_process import redis_process
from .upstream_calls import upstream_calls

REPLICAS, POLLERS = (1, 2, 4), (500, 2_000)
MARKETS, CARDS, INTERVAL_S = 50, 10, 2.0
WARM_S = 8.0
GROWTH_MAX = 1.1
TOKEN = "pcy_" + "r" * 43
PLENTY = "10000000"


@attrs.frozen(kw_only=True)
class _World:
    database: BenchDatabase
    urls: dict[str, str]
    redis_url_file: str
    paths: list[str]


@attrs.frozen(kw_only=True)
class _Run:
    """One number of replicas under one number of pollers."""

    calls_per_min: float
    age_max_ms: float
    stale: float
    answers: float
    p99_ms: float
    memory_mb: float
    """Of the largest replica."""
    cpu_ratio: float
    """Of all replicas, as a share of one core."""


async def measure(bench: Bench) -> list[Figure]:
    """Runs every size, and the largest once more with each replica for itself."""
    async with _world(bench) as world:
        runs = {
            (count, pollers): await _run(bench, world, count, pollers, "redis")
            for pollers in POLLERS
            for count in REPLICAS
        }
        alone = await _run(bench, world, REPLICAS[-1], POLLERS[0], "memory")
    figures = list[Figure]()
    for pollers in POLLERS:
        single = runs[REPLICAS[0], pollers]
        for count in REPLICAS:
            run = runs[count, pollers]
            figures += _figures(f"{count} x api, {pollers:,} pollers", run, run.calls_per_min / single.calls_per_min)
    single = runs[REPLICAS[0], POLLERS[0]]
    what = f"{REPLICAS[-1]} x api, {POLLERS[0]:,} pollers, each for itself: calls upstream, times those of one"
    return [*figures, _figure(what, alone.calls_per_min / single.calls_per_min, "x", None)]


def _figures(who: str, run: _Run, growth: float) -> list[Figure]:
    note = f"{run.answers:,.0f} answers, {run.stale:.0f} stale, p99 {run.p99_ms:.1f} ms, {run.cpu_ratio:.2f} of a core in all"
    return [
        _figure(f"{who}: calls upstream", run.calls_per_min, "/min", None, note),
        _figure(f"{who}: times those of one replica", growth, "x", GROWTH_MAX),
        _figure(f"{who}: oldest price seen", run.age_max_ms, "ms", 3_000),
        _figure(f"{who}: memory of a replica", run.memory_mb, "MB", 95),
    ]


def _figure(what: str, value: float, unit: str, target: float | None, note: str = "") -> Figure:
    return Figure(row="replicas", what=what, value=value, unit=unit, target=target, note=note)


@asynccontextmanager
async def _world(bench: Bench) -> AsyncIterator[_World]:
    """Yields venue, store and database, with the token of a user."""
    argv = [
        *(sys.executable, "-m", "engine.cli.main", "simulator"),
        *("--wallets", "200", "--markets", "200", "--seed", "7", "--rate", "0.1"),
    ]
    database, home = await bench.database(), bench.home()
    await database.fetch(USERS, ["reader"])
    await database.fetch(TOKENS, ["reader"], [sha256(TOKEN.encode()).digest()])
    async with (
        redis_process(home) as redis,
        running(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, end_s=5) as process,
    ):
        assert process.stdout is not None
        line = bytearray()
        with trio.fail_after(60):
            while not line.endswith(b"\n"):
                line += await process.stdout.receive_some(1 << 16)
        urls = json.loads(line)
        async with httpx.AsyncClient(base_url=urls["gamma_url"], trust_env=False, timeout=20) as gamma:
            listed = (await gamma.get("/markets", params={"limit": MARKETS, "closed": "false"})).json()
        ids = [market["conditionId"] for market in listed]
        url_file = home / "redis.url"
        url_file.write_text(f"unix://{redis.socket_path}")
        url_file.chmod(0o600)
        rng = random.Random(3)
        paths = [
            "/api/polymarket/price?" + "&".join(f"conditionId={id_}" for id_ in rng.sample(ids, CARDS))
            for _ in range(200)
        ]
        yield _World(database=database, urls=urls, redis_url_file=str(url_file), paths=paths)


async def _run(bench: Bench, world: _World, count: int, pollers: int, transport: str) -> _Run:
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(_replica(bench, world, transport)) for _ in range(count)]
        await _polled(replicas, world, pollers, WARM_S)
        before = [await replica.metrics() for replica in replicas]
        cpu_before = [cpu_s(replica.pid) for replica in replicas]
        seconds, began_s = bench.either(40, 100), trio.current_time()
        found = await _polled(replicas, world, pollers, seconds)
        after = [await replica.metrics() for replica in replicas]
        took_s = trio.current_time() - began_s
        calls = sum(
            made
            for last, first in zip(after, before, strict=True)
            for (_, user), made in upstream_calls(last, first).items()
            if user == "prices"
        )
        used_s = sum(cpu_s(replica.pid) for replica in replicas) - sum(cpu_before)
        run = _Run(
            calls_per_min=60 * calls / took_s,
            age_max_ms=max(one["age_max_ms"] for one in found),
            stale=sum(one["stale"] for one in found),
            answers=sum(one["answers"] for one in found),
            p99_ms=max(one["p99_ms"] for one in found),
            memory_mb=max(resident_mb(replica.pid) for replica in replicas),
            cpu_ratio=used_s / took_s,
        )
    bench.say(f"  {count} replicas, {pollers} pollers, {transport}: {run}")
    return run


async def _polled(replicas: list[EngineHandle], world: _World, pollers: int, seconds: float) -> list[dict[str, Any]]:
    """Users of all replicas at once, for so long."""
    found = list[dict[str, Any]]()

    async def load(replica: EngineHandle) -> None:
        arguments = [str(value) for value in (replica.http_port, pollers // len(replicas), seconds, INTERVAL_S)]
        argv = [sys.executable, "-m", "tests.bench.impact_load", *arguments]
        lines = "\n".join(f"{TOKEN} {path}" for path in world.paths).encode()
        done = await trio.run_process(argv, stdin=lines, capture_stdout=True, cwd=ROOT)
        found.append(json.loads(done.stdout))

    async with trio.open_nursery() as nursery:
        for replica in replicas:
            nursery.start_soon(load, replica)
    return found


@asynccontextmanager
async def _replica(bench: Bench, world: _World, transport: str) -> AsyncIterator[EngineHandle]:
    home, port = bench.home(), free_port()
    home.mkdir(parents=True)
    settings = {
        **{f"venue.{name}": url for name, url in world.urls.items() if name in VENUE_KEYS},
        "http.port": str(port), "http.connections_max": "3000", "http.reads_per_minute": PLENTY, "logging.format": "json",
        "writer.spill_dir": str(home / "spill"), "database.url": world.database.dsn(),
        "prices.transport": transport, "redis.url_file": world.redis_url_file,
    }  # fmt: skip
    log = home / "engine.log"
    argv = [sys.executable, "-m", "engine.cli.main", "run", "--role", "api"]
    with log.open("ab") as stderr:
        async with running(argv, env=engine_environment(settings), stderr=stderr, stdout=stderr) as process:
            handle = EngineHandle(process=process, http_port=port, log=log)
            await handle.wait_ready()
            await _first_look(handle, world.paths[0])
            yield handle


async def _first_look(replica: EngineHandle, path: str) -> None:
    """Waits for prices: the first answer of a venue on a busy machine may take longer than the patience of an asker."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    address = f"http://127.0.0.1:{replica.http_port}"
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=20) as client:
        with trio.fail_after(60):
            while (await client.get(path)).status_code != 200:
                await trio.sleep(0.2)
