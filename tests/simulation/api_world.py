"""The API of an engine that runs as an operator runs it: a process of its own, asked over HTTP."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from crash.engine_process import EngineProcess, engine_process
from engine_postgres.server_fixtures import scratch_directory
from engine_simulator.loopback_http import NO_TLS
from simulation.ingest_world import IngestWorld, ingest_world

from engine.adapters.postgres.database import DatabaseOptions, database_loop
from engine.adapters.postgres.embedded_server import EmbeddedServer, run_embedded_server
from engine.adapters.postgres.migrate import migrate

ADMIN = "bootstrap-token-of-a-test-engine"
QUIET = {"seed": 4, "wallets": 100, "lag_scale": 0, "cache_scale": 0, "start_paused": True}
PLENTY = {"http.reads_per_minute": "1000000", "http.changes_per_minute": "1000000", "http.admin_per_minute": "1000000"}


@attrs.frozen
class ApiEngine:
    """One engine process, asked with the bootstrap token unless told otherwise."""

    process: EngineProcess
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, *, token: str | None = ADMIN, **options: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.http.request(method, path, headers={**headers, **options.pop("headers", {})}, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.ask("GET", path, **options)

    async def done(self, method: str, path: str, body: Any = None, *, token: str = ADMIN, **params: Any) -> Any:
        """The document of a 200; numbers are exact."""
        content = {} if body is None else {"json": body}
        response = await self.ask(method, path, token=token, params=params, **content)
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        return json.loads(response.text, parse_float=Decimal)

    async def user(self, name: str) -> None:
        await self.done("POST", "/api/admin/users", {"userName": name})

    async def token(self, name: str, *scopes: str) -> tuple[str, str]:
        """The text and the id of a new token."""
        body = {"name": "-".join(scopes), "scopes": scopes, "userName": name}
        made = await self.done("POST", "/api/tokens", body)
        return made["token"], made["details"]["tokenId"]

    async def pages(self, token: str, limit: int, **params: Any) -> list[list[dict[str, Any]]]:
        """Every page of the feed."""
        pages, cursor = [], None
        while not pages or cursor is not None:
            wanted = params if cursor is None else {**params, "cursor": cursor}
            page = await self.done("GET", "/api/v2/feed/trades", token=token, limit=limit, **wanted)
            pages.append(page["trades"])
            cursor = page["nextCursor"]
        return pages

    async def until_served(self, timeout_s: float = 20) -> None:
        """Until the API answers, whether this engine holds the ingest lease or not."""
        with trio.fail_after(timeout_s):
            while not await self.answers("/api/me", 200):
                assert self.process.process.poll() is None, self.process.log_text()
                await trio.sleep(0.05)

    async def answers(self, path: str, status: int, **options: Any) -> bool:
        try:
            return (await self.get(path, **options)).status_code == status
        except httpx.TransportError:
            return False


@attrs.define(eq=False)
class Listener:
    """An event source as browsers have it: it remembers the last id."""

    last_id: int | None = None
    trades: list[tuple[int | None, dict[str, Any]]] = attrs.field(factory=list)
    """Ids and rows."""

    async def listen(
        self, engine: ApiEngine, token: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Until the server ends the stream."""
        resumed = {} if self.last_id is None else {"Last-Event-ID": str(self.last_id)}
        headers = {"Authorization": f"Bearer {token}", **resumed}
        async with engine.http.stream("GET", "/api/v2/feed/stream", headers=headers, timeout=30) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            task_status.started()
            async for line in response.aiter_lines():
                assert not line.startswith("event:"), "told to resynchronise"
                if line.startswith("id:"):
                    self.last_id = int(line[3:])
                elif line.startswith("data:"):
                    self.trades.append((self.last_id, json.loads(line[5:])))

    async def until(self, count: int, timeout_s: float = 15) -> None:
        with trio.fail_after(timeout_s):
            while len(self.trades) < count:
                await trio.sleep(0.02)


@asynccontextmanager
async def api_engine(
    world: IngestWorld, home: Path, *, rates: Mapping[str, str] = PLENTY, **settings: str
) -> AsyncIterator[ApiEngine]:
    """An engine whose API answers; it need not be ready to ingest."""
    secret = home / "admin-token"
    secret.write_text(ADMIN)
    secret.chmod(0o600)
    fixed = {"http.admin_token_file": str(secret), "logging.format": "json"}
    async with engine_process({**world.settings, **rates, **fixed, **settings}) as process:
        address = f"http://127.0.0.1:{process.port}"
        async with httpx.AsyncClient(verify=NO_TLS, base_url=address, trust_env=False, timeout=15) as http:
            engine = ApiEngine(process, http)
            await engine.until_served()
            yield engine


@asynccontextmanager
async def own_server_world() -> AsyncIterator[tuple[IngestWorld, EmbeddedServer, Path]]:
    """A world on a database server that a test may stop."""
    with scratch_directory() as home:
        async with database_loop(), run_embedded_server(data_dir=home / "postgres", durable=False) as server:
            options = DatabaseOptions(dsn=server.dsn)
            await migrate(options)
            async with ingest_world(options, home / "spill", **QUIET) as world:
                yield world, server, home


async def traders(world: IngestWorld, count: int) -> list[str]:
    """Wallets that have traded, after playing until there are enough; the platform is paused again."""
    fills: list[dict[str, Any]] = []
    await world.post("/play", action="resume")
    with trio.fail_after(30):
        while len({fill["wallet"] for fill in fills}) < count:
            await trio.sleep(0.05)
            fills = (await world.post("/ledger", wallets=None))["fills"]
    await world.post("/play", action="pause")
    return sorted({fill["wallet"] for fill in fills})[:count]


async def emit(world: IngestWorld, *wallets: str) -> None:
    """One trade of each."""
    await world.post("/emit", trades=[{"proxyWallet": wallet, "size": 3} for wallet in wallets])
