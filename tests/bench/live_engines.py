"""Engines that copy with real orders, at a venue that takes everything: what the rows about live trading share."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import trio

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings
from protocols.venue.order_typed_data import keccak256

from .bench import Bench
from .databases import BenchDatabase
from .frames import LEGS, TARGET, wallets
from .processes import BlasterHandle, EngineHandle, blaster, engine, http_get, running
from .row_forward import MARKETS, TOKENS

CAPITAL_USD = Decimal(100_000)
STAKE_USD = Decimal(2)
LIVE = LiveSettings(max_price_rise_pct=None, max_price_fall_pct=None)
ORDERS = """
SELECT lt_orders.order_hash, split_part(raw->>'bio', ' ', 2)::bigint AS sent_ns
FROM lt_orders JOIN trades_public ON trades_public.trade_id = lt_orders.cause
WHERE lt_orders.order_hash IS NOT NULL
"""


@attrs.define(eq=False, kw_only=True)
class LiveBench:
    """An engine with live trading and everything around it."""

    sender: BlasterHandle
    engine: EngineHandle
    database: BenchDatabase
    venue_port: int

    async def arrivals(self) -> dict[str, int]:
        """Returns when each order had arrived at the venue, monotonic ns. Raises `RuntimeError` when one came twice."""
        arrived = (await venue_said(self.venue_port))["arrivals"]
        found = {str(order_hash): int(at_ns) for order_hash, at_ns in arrived}
        if len(found) != len(arrived):
            raise RuntimeError("an order was sent twice")
        return found

    async def waits_ms(self, since_ns: int) -> list[float]:
        """Returns how long each order took whose trade was sent since then: last byte of the request less the trade's send."""
        arrived = await self.arrivals()
        return [
            (arrived[row["order_hash"]] - row["sent_ns"]) / 1e6
            for row in await self.database.fetch(ORDERS)
            if row["sent_ns"] >= since_ns and row["order_hash"] in arrived
        ]

    async def settled(self, count: int, timeout_s: float = 10) -> None:
        """Waits until so many orders have arrived, then for what may come too many."""
        with trio.move_on_after(timeout_s):
            while len(await self.arrivals()) < count:
                await trio.sleep(0.05)
        await trio.sleep(0.5)


async def venue_said(port: int) -> dict[str, list[tuple[str, int]]]:
    """Returns what a venue has counted."""
    status, text = await http_get(port, "/bench")
    if status != 200:
        raise RuntimeError(f"the venue answered {status}")
    found: dict[str, list[tuple[str, int]]] = json.loads(text)
    return found


@asynccontextmanager
async def live_bench(
    bench: Bench,
    *,
    targets: int,
    settings: LiveSettings = LIVE,
    capital_usd: Decimal = CAPITAL_USD,
    paused: bool = False,
    is_on: bool = True,
    markets_known: bool = True,
) -> AsyncIterator[LiveBench]:
    """Yields a running engine whose one live strategy copies `targets` traders."""
    database = await bench.database()
    await database.follow(wallets(TARGET, targets))
    if markets_known:
        await database.fetch(MARKETS, sorted({leg.condition_id for leg in LEGS}))
        columns = zip(*((leg.condition_id, leg.token_id, leg.outcome, leg.outcome_index) for leg in LEGS), strict=True)
        await database.fetch(TOKENS, *map(list, columns))
    await _mirror(database, settings, capital_usd, paused=paused)
    home = bench.home()
    home.mkdir(parents=True)
    key = home / "key"
    key.write_text(keccak256(b"polycopy bench account").hex())
    key.chmod(0o600)
    async with _venue() as port, blaster() as sender:
        options = {
            "live.enabled": "true",
            **({"live": "1"} if is_on else {}),
            "live.accounts.main.key_file": str(key),
            "venue.clob_url": f"http://127.0.0.1:{port}",
            "venue.clob_ws_url": f"ws://127.0.0.1:{port}",
            # Above the rate of the trades: what is measured is not the bucket.
            "live.orders_per_s": "1000",
            "live.orders_burst": "1000",
        }
        async with engine(sender, home, dsn=database.dsn(), settings=options) as handle:
            await handle.wait_ready()
            await sender.wait_clients()
            yield LiveBench(sender=sender, engine=handle, database=database, venue_port=port)


async def _mirror(database: BenchDatabase, settings: LiveSettings, capital_usd: Decimal, *, paused: bool) -> None:
    """One paper strategy that takes every purchase, and its live mirror."""
    paper_settings = StrategySettings(
        min_edge=None, min_trader_resolved_count=0, starting_balance=Decimal(1_000_000), bet_size=STAKE_USD
    )
    async with open_connection(database.options, "bench strategies") as connection:
        paper, live = StrategyStore(connection), LiveStrategyStore(connection)
        owner_id = await paper.user_id("admin")
        assert owner_id is not None
        await paper.create([("BENCH", paper_settings)], owner_id, by="bench")
        await live.create(
            "LT_BENCH", user_id=owner_id, ft_wallet_id="BENCH", account="main", capital_usd=capital_usd,
            settings=settings, by="bench",
        )  # fmt: skip
        await live.set_paused("LT_BENCH", paused, by="bench")


@asynccontextmanager
async def _venue() -> AsyncIterator[int]:
    argv = [sys.executable, "-m", "tests.bench.venue_stub"]
    async with running(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, end_s=2) as process:
        assert process.stdout is not None
        line = bytearray()
        while not line.endswith(b"\n"):
            line += await process.stdout.receive_some(1 << 16)
        yield int(json.loads(line)["port"])
