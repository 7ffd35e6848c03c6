"""The live side of the demo: an account at the simulated venue with a key of its own, and strategies that trade with it.

The key is made for this one run, stands in a file of the demo's own directory, and is deleted with it. The switches of live
trading are on for nothing but the demo's own simulator on loopback, with this account alone.
"""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import click
import httpx
import trio

from config.live_trading import AccountConfig
from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.signer import read_key_file
from engine.adapters.system_clock import secret_random
from engine.cli.demo_ledger import FIGURES, Standing, standing_of
from engine.lifecycle import EngineHost, Running
from protocols.live.settings import LiveSettings
from protocols.users import ADMIN_NAME

ACCOUNT = "demo"
CASH_USD = Decimal(5_000)
CAPITAL_USD = Decimal(1_000)
MIRRORS = {"LT_DEMO_MIRROR": "DEMO_MIRROR", "LT_DEMO_LONGSHOTS": "DEMO_LONGSHOTS"}
# Books of the simulated platform are thin, and its traders move them by themselves.
SETTINGS = LiveSettings(
    slippage_tolerance_pct=Decimal(20),
    max_price_rise_pct=None,
    max_price_fall_pct=None,
    min_book_depth_pct=None,
    max_order_size_usd=Decimal(25),
    cooldown_hours=Decimal("0.001"),
    exit_deadline_s=10,
)
OVERRIDES = {"live.enabled": "true", "live.reconcile_interval_s": "2", "live.settle_interval_s": "2"}
REST_TIMEOUT_S = 30.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# What the curve allows is a hair below 2^256; one key in 2^128 would be refused, and the demo with it.
KEY_BITS = 256


@attrs.define(eq=False, kw_only=True)
class DemoLive:
    """One account and its strategies."""

    key_file: Path
    address: str

    def only_simulated(self, config: EngineConfig) -> EngineConfig:
        """Returns a configuration that knows no other account. Raises `ClickException` when anything but the demo's own
        simulator and database would be reached."""
        venue = config.venue
        for url in (venue.rtds_url, venue.clob_ws_url, venue.clob_url, venue.gamma_url, venue.data_url):
            if urlsplit(url).hostname not in LOOPBACK:
                raise click.ClickException(f"{url} is not on this machine: the demo trades with its own simulator only")
        if config.database.url is not None:
            raise click.ClickException("database.url is set: the demo trades in a database of its own only")
        account = AccountConfig(key_file=str(self.key_file))
        return attrs.evolve(config, live=attrs.evolve(config.live, accounts={ACCOUNT: account}))

    async def prepare(self, options: DatabaseOptions, control: httpx.AsyncClient) -> None:
        """Opens the account at the venue, and makes and starts the strategies."""
        money = {"address": self.address, "collateral_usd": str(CASH_USD), "signature_type": 0, "approved": True}
        (await control.post("/accounts", json=money)).raise_for_status()
        async with open_connection(options, "demo live") as connection:
            store = LiveStrategyStore(connection)
            user_id = await StrategyStore(connection).user_id(ADMIN_NAME)
            assert user_id is not None, "a migrated database has him"
            for strategy_id, ft_wallet_id in MIRRORS.items():
                await store.create(
                    strategy_id,
                    user_id=user_id,
                    ft_wallet_id=ft_wallet_id,
                    account=ACCOUNT,
                    capital_usd=CAPITAL_USD,
                    settings=SETTINGS,
                    by="demo",
                )
                await store.set_paused(strategy_id, False, by="demo")

    def knows(self, running: Running) -> bool:
        """Returns whether the engine may trade with all strategies."""
        live = running.engine.live
        if live is None:
            return False
        known = live.registry.strategies
        return all(one in known and known[one].enters for one in MIRRORS)

    async def result(
        self, options: DatabaseOptions, control: httpx.AsyncClient, running: Running, host: EngineHost
    ) -> dict[str, Any]:
        """Waits until orders have come to rest, compares everything with the venue, and returns the figures."""
        standing = await self._at_rest(options, control)
        live = running.engine.live
        quantiles = {f"p{q}": host.order_latency.quantile_s(q / 100) for q in (50, 99)}
        return {
            "orders_sent": 0 if live is None else live.sender.posts,
            "orders_filled": standing.filled,
            "trade_to_order_ms": {name: None if s is None else round(s * 1000, 2) for name, s in quantiles.items()},
            "ledger_ok": not standing.problems,
            "ledger_problems": standing.problems,
            "declined": {} if live is None else dict(live.executor.declined),
            "live": {one: self._plain(standing, one) for one in MIRRORS},
        }

    async def _at_rest(self, options: DatabaseOptions, control: httpx.AsyncClient) -> Standing:
        """Returns how everything stands once it adds up, or, when it never does, how it stood last."""
        due_s = trio.current_time() + REST_TIMEOUT_S
        while True:
            standing = await standing_of(options, lambda: self._account(control), CASH_USD)
            if not standing.problems or trio.current_time() > due_s:
                return standing
            await trio.sleep(0.25)

    async def _account(self, control: httpx.AsyncClient) -> dict[str, Any]:
        response = await control.get(f"/accounts/{self.address}")
        response.raise_for_status()
        account: dict[str, Any] = response.json()
        return account

    def _plain(self, standing: Standing, strategy_id: str) -> dict[str, Any]:
        row = standing.strategies.get(strategy_id, {})
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def open_demo_live(home: Path) -> DemoLive:
    """Makes a directory for this user alone below the demo's own, and a new key in it."""
    # The database may belong to another user, who has to pass through the directory above.
    directory = home / "account"
    directory.mkdir(mode=0o700, parents=True)
    path = directory / "demo.key"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret_random().getrandbits(KEY_BITS):064x}\n")
    return DemoLive(key_file=path, address=read_key_file(path).address)


def live_sentences(result: dict[str, Any]) -> str:
    """Returns what was traded, for people."""
    latency = result["trade_to_order_ms"]
    declined = ", ".join(f"{name} {count}" for name, count in sorted(result["declined"].items())) or "none"
    lines = [
        f"With the simulated account: {result['orders_sent']} orders sent, {result['orders_filled']} filled; "
        f"{latency['p50']} ms (p50), {latency['p99']} ms (p99) from the wire to the order. Declined: {declined}.",
        "Orders, positions, cash and ledger are exactly the venue's."
        if result["ledger_ok"]
        else f"THE LEDGER IS WRONG: {'; '.join(result['ledger_problems'])}",
    ]
    for name, row in result["live"].items():
        money = ", ".join(f"{bucket} {row.get(bucket)}" for bucket in FIGURES)
        lines.append(f"  {name:<18} {row.get('orders', 0):>4} orders, {row.get('open', 0)} open; USD: {money}")
    return "\n".join(lines)
