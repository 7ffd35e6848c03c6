"""A venue with an account, a trader who is copied with real money, and engines that are killed."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio
from crash import killed_engine
from crash.engine_process import EngineProcess, free_port
from crash.paper_bots import OPEN
from engine_postgres.server_fixtures import scratch_directory
from simulation.ingest_world import IngestWorld, ingest_world

from engine.adapters.postgres.database import DatabaseOptions, database_loop, open_connection
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.migrate import migrate
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.signer import Signer
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings
from protocols.venue.order_typed_data import keccak256

START_USD = Decimal(100_000)
# Several engines with every part apart need some twenty each.
MANY = {"max_connections": "100"}
SETTINGS = {
    "writer.patience_ms": "1000", "limits.lease_ttl_s": "2", "logging.format": "json", "live.enabled": "true",
    "live.reconcile_interval_s": "0.5", "live.not_found_interval_s": "0.3", "live.in_flight_s": "0.5",
    "live.poll_interval_ms": "50", "live.lookups_per_s": "200", "live.settle_interval_s": "0.5", "live.order_timeout_s": "2",
    "live.orders_per_s": "1000", "live.orders_burst": "1000", "forward_testing.settle_interval_s": "1",
}  # fmt: skip
LIVE = LiveSettings(
    slippage_tolerance_pct=Decimal(20), max_price_rise_pct=None, max_price_fall_pct=None, min_book_depth_pct=None,
    cooldown_hours=Decimal("0.0003"), max_signal_age_s=60, exit_deadline_s=5,
)  # fmt: skip


@attrs.define(eq=False, kw_only=True)
class LiveWorld:
    """Accounts at one venue."""

    world: IngestWorld
    addresses: Mapping[str, str]
    """By name."""
    targets: Sequence[str]
    """Who is copied."""

    async def account(self, name: str = "main") -> dict[str, Any]:
        response = await self.world.control.get(f"/accounts/{self.addresses[name]}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def fault(self, kind: str, **parameters: Any) -> None:
        await self.world.post("/order-faults", kind=kind, **parameters)


@asynccontextmanager
async def live_world(seed: int, *, accounts: Sequence[str] = ("main",), **options: Any) -> AsyncIterator[LiveWorld]:
    """A venue, accounts of 100,000 USD each, and for each a paper strategy and its live mirror with half of that."""
    with scratch_directory() as home:
        async with (
            database_loop(),
            run_embedded_server(data_dir=home / "postgres", settings=MANY, durable=False) as server,
            live_world_on(DatabaseOptions(dsn=server.dsn), home, seed, accounts=accounts, **options) as live,
        ):
            yield live


@asynccontextmanager
async def live_world_on(
    database: DatabaseOptions, home: Path, seed: int, *, accounts: Sequence[str], **options: Any
) -> AsyncIterator[LiveWorld]:
    """The same on an empty database of somebody's; files go to `home`. Needs `database_loop` around it."""
    secrets = {name: _secret(seed, name) for name in accounts}
    keys = {f"live.accounts.{name}.key_file": str(_kept(secret, home / name)) for name, secret in secrets.items()}
    addresses = {name: Signer(secret).address for name, secret in secrets.items()}
    await migrate(database)
    simulated = {
        "rate_scale": 2, "wallets": 200, "lag_scale": 0, "cache_scale": 0, "life_scale": 0.02, **options,
    }  # fmt: skip
    async with ingest_world(database, home / "spill", seed=seed, **simulated) as world:
        world.settings |= {**SETTINGS, **keys}
        for address in addresses.values():
            await world.post(
                "/accounts", address=address, collateral_usd=str(START_USD), signature_type=0, approved=True
            )
        await _strategies(database, accounts)
        targets = await busiest(world, 8)
        await world.follow(targets, target=True)
        yield LiveWorld(world=world, addresses=addresses, targets=targets)


def _secret(seed: int, name: str) -> bytes:
    return keccak256(f"polycopy test account {seed}{'' if name == 'main' else name}".encode())


def _kept(secret: bytes, path: Path) -> Path:
    path.write_text(secret.hex())
    path.chmod(0o600)
    return path


async def _strategies(database: DatabaseOptions, accounts: Sequence[str]) -> None:
    async with open_connection(database, "strategies") as connection:
        paper, live = StrategyStore(connection), LiveStrategyStore(connection)
        owner_id = await paper.user_id("admin")
        assert owner_id is not None
        for account in accounts:
            name = "MIRROR" if account == "main" else f"MIRROR_{account}"
            await paper.create([(name, StrategySettings(**OPEN))], owner_id, by="test")
            await live.create(
                f"LT_{name}", user_id=owner_id, ft_wallet_id=name, account=account, capital_usd=START_USD / 2,
                settings=LIVE, by="test",
            )  # fmt: skip
            await live.set_paused(f"LT_{name}", False, by="test")


async def busiest(world: IngestWorld, count: int) -> list[str]:
    found: Counter[str] = Counter()
    while len(found) < count * 4:
        await trio.sleep(0.2)
        found = Counter(fill["wallet"] for fill in (await world.post("/ledger", wallets=None))["fills"])
    return [wallet for wallet, _ in found.most_common(count)]


@asynccontextmanager
async def armed_engine(
    settings: Mapping[str, str],
    point: str = "none",
    passes: int = 1,
    *,
    resend: bool = False,
    host: str = "127.0.0.1",
    place: AbstractContextManager[None] | None = None,
) -> AsyncIterator[EngineProcess]:
    """An engine that kills itself at the passes-th passing of a point; `none`: it lives. `place`: where it is started."""
    port = free_port()
    names = {name: f"POLYCOPY_{name.upper().replace('.', '__')}" for name in settings}
    environment = {names[name]: value for name, value in settings.items()}
    own = {"POLYCOPY_HTTP__PORT": str(port), "POLYCOPY_HTTP__HOST": host}
    called = [sys.executable, str(Path(killed_engine.__file__)), point, str(passes), *(["resend"] if resend else [])]
    with tempfile.TemporaryFile() as log:
        with place or nullcontext():
            process = subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond, and it has to outlive the loop
                called,
                stderr=log,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **environment, **own},
            )
        try:
            yield EngineProcess(process=process, port=port, log=log, host=host)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
