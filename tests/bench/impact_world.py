"""A simulated venue, an engine, and users who follow its traders: what the report on the outside world looks at."""

import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from hashlib import sha256
from typing import Any

import attrs
import httpx
import trio

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.signer import Signer
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings, TargetMode
from protocols.venue.order_typed_data import keccak256

from .bench import Bench
from .databases import BenchDatabase
from .processes import ROOT, EngineHandle, engine_environment, free_port, running

POOL = 1_000
FOLLOWS = 20
MANY = 200
"""Whom the user follows whose bot trades with money: enough that its orders a minute are always used up."""
USERS_PER_BOT = 10
SECRET = keccak256(b"polycopy impact account")
TOKENS = """
INSERT INTO api_tokens (user_id, name, token_digest, scopes)
SELECT id, 'bench', digest, ARRAY['read'] FROM unnest($1::text[], $2::bytea[]) AS one (name, digest)
JOIN profiles ON user_name = one.name
"""
USERS = "INSERT INTO profiles (user_name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
FOLLOW = """
INSERT INTO follows (user_id, trader_wallet) SELECT id, wallet FROM unnest($1::text[], $2::text[]) AS one (name, wallet)
JOIN profiles ON user_name = one.name ON CONFLICT DO NOTHING
"""
ACTIVE_MARKETS = """
SELECT condition_id FROM trades_public WHERE trade_timestamp > now() - interval '5 minutes'
GROUP BY condition_id ORDER BY count(*) DESC, condition_id LIMIT $1
"""
PAPER = StrategySettings(
    target_mode=TargetMode.FOLLOWED,
    min_edge=None,
    min_trader_resolved_count=0,
    starting_balance=Decimal(1_000_000),
    bet_size=Decimal(2),
    min_bet=Decimal(1),
)
# One order a minute: what trading costs the venue, not how fast it can be.
LIVE = LiveSettings(
    slippage_tolerance_pct=Decimal(20), max_price_rise_pct=None, max_price_fall_pct=None, min_book_depth_pct=None,
    max_orders_per_minute=1,
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Venue:
    """A running simulator."""

    urls: dict[str, str]
    wallets: tuple[str, ...]
    """Traders, in an order of chance: following has little to do with how often somebody trades."""


@attrs.frozen(kw_only=True)
class User:
    """Somebody with the page open."""

    name: str
    token: str


@asynccontextmanager
async def venue(bench: Bench) -> AsyncIterator[Venue]:
    """Yields a simulated platform that has traded for a while."""
    argv = [
        sys.executable,
        "-m",
        "engine.cli.main",
        "simulator",
        "--wallets",
        "20000",
        "--markets",
        "200",
        "--seed",
        "7",
    ]
    async with running(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, end_s=5) as process:
        assert process.stdout is not None
        line = bytearray()
        with trio.fail_after(60):
            while not line.endswith(b"\n"):
                line += await process.stdout.receive_some(1 << 16)
        urls = json.loads(line)
        traders = set[str]()
        async with httpx.AsyncClient(base_url=urls["control_url"], trust_env=False, timeout=60) as control:
            while len(traders) < 2 * POOL:
                await trio.sleep(5)
                fills = (await control.post("/ledger", json={"wallets": None})).json()["fills"]
                traders = {fill["wallet"] for fill in fills}
            account = {
                "address": Signer(SECRET).address,
                "collateral_usd": "5000",
                "signature_type": 0,
                "approved": True,
            }
            (await control.post("/accounts", json=account)).raise_for_status()
        bench.say(f"  {len(traders)} traders were seen")
        yield Venue(urls=urls, wallets=tuple(random.Random(1).sample(sorted(traders), POOL)))


async def populated(database: BenchDatabase, traders: tuple[str, ...], count: int) -> list[User]:
    """Makes users who follow 20 traders each, popular ones more often, and a paper bot for every tenth of them."""
    users = [User(name=f"user{number}", token=f"pcy_{'0' * 37}{number:06d}") for number in range(count)]
    await database.fetch(USERS, [user.name for user in users])
    await database.fetch(
        TOKENS, [user.name for user in users], [sha256(user.token.encode()).digest() for user in users]
    )
    weights = [1 / (place + 10) for place in range(len(traders))]
    # By user: whoever trades with money follows the same traders whatever the number of users.
    chosen = [
        (user.name, wallet)
        for user in users
        for wallet in sorted(set(random.Random(user.name).choices(traders, weights, k=FOLLOWS)))
    ]
    chosen += [(users[0].name, wallet) for wallet in traders[:MANY]]
    await database.fetch(FOLLOW, [name for name, _ in chosen], [wallet for _, wallet in chosen])
    async with open_connection(database.options, "bench strategies") as connection:
        store = StrategyStore(connection)
        for number, user in enumerate(users[::USERS_PER_BOT]):
            owner_id = await store.user_id(user.name)
            assert owner_id is not None
            # Sales are not limited by the minute: what trades with money only buys, so that two orders are two orders.
            settings = attrs.evolve(PAPER, copy_sells=number > 0)
            await store.create([(f"BOT_{number}", settings)], owner_id, by="bench")
    return users


async def mirror(database: BenchDatabase) -> None:
    """Copies the first bot with real orders, a few a minute."""
    async with open_connection(database.options, "bench live") as connection:
        store = LiveStrategyStore(connection)
        user_id = await StrategyStore(connection).user_id("user0")
        assert user_id is not None
        await store.create("LT_IMPACT", user_id=user_id, ft_wallet_id="BOT_0", account="main", capital_usd=Decimal(1_000),
                           settings=LIVE, by="bench")  # fmt: skip
        await store.set_paused("LT_IMPACT", False, by="bench")


@asynccontextmanager
async def impact_engine(
    bench: Bench, place: Venue, database: BenchDatabase, settings: dict[str, str]
) -> AsyncIterator[EngineHandle]:
    """Yields an engine at that venue, ready."""
    home, port = bench.home(), free_port()
    home.mkdir(parents=True)
    home.chmod(0o711)
    key = home / "key"
    key.write_text(SECRET.hex())
    key.chmod(0o600)
    urls = {f"venue.{name}": url for name, url in place.urls.items() if name in VENUE_KEYS}
    overrides = urls | {
        "http.port": str(port), "http.connections_max": "2000", "writer.spill_dir": str(home / "spill"),
        "logging.format": "json",
        "database.url": database.dsn(), "live.accounts.main.key_file": str(key), "live.accounts.main.user": "user0",
        **settings,
    }  # fmt: skip
    log = home / "engine.log"
    argv = [sys.executable, "-m", "engine.cli.main", "run"]
    with log.open("ab") as stderr:
        async with running(argv, env=engine_environment(overrides), stderr=stderr, stdout=stderr) as process:
            handle = EngineHandle(process=process, http_port=port, log=log)
            await handle.wait_ready()
            yield handle


VENUE_KEYS = ("rtds_url", "clob_url", "clob_ws_url", "gamma_url", "data_url")


async def looked_at(
    engine: EngineHandle, lines: list[str], *, connections: int, seconds: float, interval_s: float
) -> dict[str, Any]:
    """Has users look at pages: lines `TOKEN PATH`, one after the other, so often on each connection."""
    arguments = [str(value) for value in (engine.http_port, connections, seconds, interval_s)]
    argv = [sys.executable, "-m", "tests.bench.impact_load", *arguments]
    done = await trio.run_process(argv, stdin="\n".join(lines).encode(), capture_stdout=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
