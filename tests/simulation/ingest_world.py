"""The whole engine in this process against the simulated venue, over real sockets and a real database."""

import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from engine_simulator.loopback_http import NO_TLS

from config.live import LiveConfig
from config.loader import load_config
from engine.adapters.postgres.database import Connection, DatabaseOptions, database_loop
from engine.adapters.postgres.follow_store import FollowStore
from engine.adapters.system_clock import SystemClock
from engine.lifecycle import EngineHost, Running
from engine.reload import Reloader
from engine.simulator.options import SimulatorOptions, SimulatorUrls
from engine.simulator.serve import serve_simulator
from protocols.clock import Random

Fill = tuple[str, str, str, str, int]
"""(transaction hash, wallet, token, side, micro-shares): identical fills share it."""

QUICK = {
    "http.port": "0",
    "stream.stall_timeout_s": "1",
    "stream.stall_timeout_max_s": "2",
    "stream.ping_interval_s": "0.5",
    "stream.reconnect_delay_s": "0.05",
    "stream.reconnect_delay_max_s": "0.3",
    "stream.gap_reread_s": "1",
    "stream.gap_overlap_s": "5",
    "markets.linger_s": "0.2",
    "markets.newest_interval_s": "0",
    "filter.targets_poll_s": "0.2",
    "venue.request_timeout_s": "3",
    "limits.drain_s": "5",
}


@attrs.define(eq=False, kw_only=True)
class IngestWorld:
    """What a test may do and ask."""

    database: DatabaseOptions
    urls: SimulatorUrls
    control: httpx.AsyncClient
    settings: dict[str, str]
    running: Running | None = None
    host: EngineHost | None = None

    @asynccontextmanager
    async def engine(self, **settings: str) -> AsyncIterator[Running]:
        """Runs an engine until the block ends, then stops it in order."""
        config = load_config(environ={}, overrides={**self.settings, **settings})
        host = EngineHost(
            config=config, clock=SystemClock(), rng=Random(7), reloader=Reloader(LiveConfig(config), lambda: config)
        )
        async with trio.open_nursery() as nursery:
            running = await nursery.start(host.run)
            self.host, self.running = host, running
            await eventually(lambda: running.engine.readiness.ready)
            yield running
            host.stop.set()

    async def follow(self, wallets: Iterable[str], *, target: bool = False) -> None:
        connection = Connection(self.database, "test")
        await FollowStore(connection, "admin").add([wallet.lower() for wallet in wallets], target=target)
        await connection.aclose()

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        connection = Connection(self.database, "test")
        try:
            return await connection.run(lambda raw: raw.fetch(sql, *arguments))
        finally:
            await connection.aclose()

    @asynccontextmanager
    async def locked_trades(self) -> AsyncIterator[None]:
        """Makes every write to `trades_public` wait until the block ends: a database that does not answer."""
        connection = Connection(self.database, "lock")
        await connection.run(lambda raw: raw.execute("BEGIN; LOCK TABLE trades_public IN ACCESS EXCLUSIVE MODE"))
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await connection.aclose()

    async def stored(self) -> Counter[Fill]:
        """Every stored fill, counted."""
        rows = await self.fetch("SELECT transaction_hash, trader_wallet, asset, side, size FROM trades_public")
        return Counter(
            (row["transaction_hash"], row["trader_wallet"], row["asset"], row["side"], int(row["size"] * 1_000_000))
            for row in rows
        )

    async def until_stored(self, count: int = 1, timeout_s: float = 20) -> None:
        with trio.fail_after(timeout_s):
            while (await self.stored()).total() < count:
                await trio.sleep(0.05)

    async def fault(self, kind: str, **parameters: Any) -> None:
        response = await self.control.post("/faults", json={"kind": kind, **parameters})
        assert response.status_code == 200, response.text

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        response = await self.control.post(path, json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def state(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.control.get("/state")).json()
        return answer

    async def until_played(self, timeout_s: float = 60) -> None:
        with trio.fail_after(timeout_s):
            while not (await self.state())["finished"]:
                await trio.sleep(0.1)

    def knows(self, count: int) -> bool:
        actors = self.running.engine.actors if self.running else None
        return actors is not None and len(actors.target_registry.current().lanes) == count


@asynccontextmanager
async def ingest_world(database: DatabaseOptions, spill_dir: Path, **options: Any) -> AsyncIterator[IngestWorld]:
    """A simulated venue and everything needed to run engines against it."""
    async with database_loop(), trio.open_nursery() as nursery:
        urls = await nursery.start(
            lambda task_status: serve_simulator(
                SimulatorOptions(**options), clock=SystemClock(), rng=Random(3), task_status=task_status
            )
        )
        settings = {
            **QUICK,
            "database.url": database.dsn,
            "writer.spill_dir": str(spill_dir),
            **{f"venue.{name}": url for name, url in attrs.asdict(urls).items() if name != "control_url"},
        }
        async with httpx.AsyncClient(verify=NO_TLS, base_url=urls.control_url, timeout=10, trust_env=False) as control:
            yield IngestWorld(database=database, urls=urls, control=control, settings=settings)
        nursery.cancel_scope.cancel()


async def eventually(condition: Callable[[], bool], timeout_s: float = 30) -> None:
    with trio.fail_after(timeout_s):
        while not condition():
            await trio.sleep(0.02)


def tape_rows(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line, parse_float=Decimal) for line in file if line.strip()]


def counted(rows: Iterable[dict[str, Any]], wallets: set[str]) -> Counter[Fill]:
    """The independent count: fills of `wallets` straight from the rows of a file."""
    return Counter(
        (
            row["transactionHash"].lower(),
            row["proxyWallet"].lower(),
            row["asset"],
            row["side"],
            round(Decimal(row["size"]) * 1_000_000),
        )
        for row in rows
        if row["proxyWallet"].lower() in wallets
    )
