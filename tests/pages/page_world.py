"""Pages of the whole engine in process: real routes over a real database, a visitor with a session, rows with hostile names.

    async with page_world(database) as world:
        ann = await world.visitor("ann", Scope.READ, Scope.TRADE)
        await world.trades([feed_trade(1, trader_name=HOSTILE[0])], followed_by=ann)
        page = await world.get("/v2/feed", ann)
        assert page.status == 200
        assert page.shows(HOSTILE[0])

`world.rows` puts rows into any table (see `ProfileWorld`); another configuration comes in with `page_world(…, config=…)`.
No venue answers: prices are what the database has of a market, or unmarked.
"""

import json
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
import trio
from engine_api.api_server import PLENTY
from engine_postgres.profile_world import ProfileWorld, condition, wallet
from pages.drawn_page import Drawn
from starlette.applications import Starlette

from config.live import LiveConfig
from config.schema import EngineConfig
from config.sources import ConfigInputs
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.serving import ServingAdapters, open_serving_adapters
from engine.adapters.system_clock import SystemClock
from engine.api.app import EngineApp
from engine.api.browser import CSRF_HEADER, HTTP_COOKIE, BrowserDoor
from engine.api.engine_routes import engine_watch_routes
from engine.api.entrance import Entrance
from engine.api.form_tokens import FormTokens
from engine.api.gate import Gate
from engine.api.mount import ApiMount
from engine.api.route import ApiRoute
from engine.engine_watch import EngineWatch
from engine.page_wiring import page_mount
from engine.pages.login_pages import login_pages
from engine.pages.site import all_pages
from engine.reload import Reloader
from engine.running import Engine
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic
from engine.service_wiring import Services, build_services
from engine.serving import ServingContext, engine_routes, service_ports
from protocols.sessions import csrf_token, secret_digest
from protocols.strategies import Strategy, StrategySettings
from protocols.users import Principal, Scope

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE trades_public; --",
    "‮evil‬ مرحبا بالعالم",
    "{{ 7 * 7 }} ${7*7} {% raw %}",
    "🦄🏳️‍🌈 " + "Ꞩo long a name that nobody would type it " * 4,
    "</title></textarea></script><svg onload=alert(1)>",
    "javascript:alert(1)//",
)
COPIES = """
INSERT INTO ft_orders (order_id, wallet_id, config_version, condition_id, token_id, source_trade_id, trader_address,
    signal_price, entry_price, size, shares, fee_usd, entry_model, fill_inputs, trader_win_rate, trader_resolved_count,
    edge_pct, conviction, shares_open, cost_open, order_time, decided_at)
SELECT gen_random_uuid(), $1, 1, trades.condition_id, trades.asset, trades.trade_id, trades.trader_wallet, trades.price,
    0.5, 5, 10, 0, 'slip', '{}', 0.6, 40, 0, 1, 10, 5, trades.trade_timestamp, trades.trade_timestamp
FROM trades_public AS trades WHERE trades.trade_id = ANY ($2::text[])
"""
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens there: whoever asks the venue is told at once that it does not answer."""


@attrs.define(eq=False, kw_only=True)
class PageWorld:
    """An engine without sources that serves pages."""

    app: EngineApp
    engine: Engine
    io: ServingAdapters
    services: Services
    rows: ProfileWorld
    sessions: dict[bytes, Principal]
    routes: list[ApiRoute]

    @property
    def config(self) -> EngineConfig:
        """What the engine runs with."""
        return self.engine.config

    async def visitor(self, name: str = "ann", *scopes: Scope) -> Principal:
        """Returns a user, made when he is not there, with a session that has these scopes; READ without any."""
        user = await self.io.users.add_user(name) or await self.io.users.user(name)
        assert user is not None
        return Principal(
            user_id=user.user_id, user_name=name, token_id=f"session {name}", scopes=frozenset(scopes or (Scope.READ,))
        )

    async def get(self, path: str, principal: Principal | None, **options: Any) -> Drawn:
        """Opens a page, or anything below `/api/`, as a browser of this user; None: as somebody who is not in."""
        answer = await self.ask("GET", path, principal, **options)
        return Drawn(status=answer.status_code, headers=answer.headers, html=answer.text)

    async def ask(self, method: str, path: str, principal: Principal | None, **options: Any) -> httpx.Response:
        """Sends a request as a page of ours does, with the CSRF token."""
        headers = {"sec-fetch-site": "same-origin"}
        if principal is not None:
            secret = f"{principal.user_name:s<43}"
            self.sessions[secret_digest(secret)] = principal
            headers |= {"cookie": f"{HTTP_COOKIE}={secret}", CSRF_HEADER: csrf_token(secret)}
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers=headers | options.pop("headers", {}), **options)

    async def trades(self, rows: Sequence[Mapping[str, Any]], followed_by: Principal | None = None) -> None:
        """Stores trades of `feed_trade`; with a follower their traders are followed."""
        await self.rows.put("trades_public", rows)
        if followed_by is not None:
            await self.io.follows.add(followed_by.user_id, sorted({row["trader_wallet"] for row in rows}))

    async def market(self, number: int = 1, **changes: Any) -> None:
        """Stores the market that trades of `feed_trade(…, market=number)` are in: open, Yes at 40 cents."""
        made: dict[str, Any] = {
            "condition_id": condition(number), "title": f"Will it rain on day {number}?", "market_slug": f"rain-{number}",
            "outcomes": ["Yes", "No"], "outcome_prices": ["0.4", "0.6"], "closed": False, "last_price_updated_at": ago(),
            "raw_gamma": {}, "created_at": ago(), "updated_at": ago(),
        }  # fmt: skip
        await self.rows.put("markets", [made | changes])
        tokens = [
            {
                "token_id": token(number, index),
                "condition_id": condition(number),
                "outcome": outcome,
                "outcome_index": index,
            }
            for index, outcome in enumerate(("Yes", "No"))
        ]
        await self.rows.put("market_tokens", tokens)

    async def strategy(self, name: str, owner: Principal, **settings: Any) -> Strategy:
        """Makes a bot of somebody's."""
        [made] = await self.io.strategies.create([(name, StrategySettings(**settings))], owner.user_id, "test")
        return made

    async def copies(self, strategy: str, trade_ids: Sequence[str]) -> None:
        """Stored trades were copied by a bot: an open order of 5 USD each. Its balance says nothing of them."""
        await self.rows.run(COPIES, strategy, list(trade_ids))


def token(market: int, index: int = 0) -> str:
    """Returns the token of an outcome of a market."""
    return str(1_000 * market + index)


def feed_trade(number: int, *, trader: int = 1, market: int = 1, age_s: float = 0, **changes: Any) -> dict[str, Any]:
    """Returns a trade for `PageWorld.trades`, `age_s` seconds old."""
    made: dict[str, Any] = {
        "trade_id": f"trade-{number}", "lane": 1, "trader_wallet": wallet(trader), "transaction_hash": f"0x{number:064x}",
        "asset": token(market), "condition_id": condition(market), "side": "BUY", "size": "10", "price": "0.5",
        "trade_timestamp": datetime.fromtimestamp(time.time() - age_s, tz=UTC), "trader_name": f"trader {trader}",
        "trader_image": None, "market_title": f"Will it rain on day {market}?", "outcome": "Yes",
        "market_slug": f"rain-{market}", "raw": {},
    }  # fmt: skip
    assert changes.keys() <= made.keys(), changes.keys() - made.keys()
    return made | changes


@asynccontextmanager
async def page_world(database: DatabaseOptions, config: EngineConfig | None = None) -> AsyncIterator[PageWorld]:
    """Yields the world. Needs the fixture `aio`."""
    config = _nowhere(EngineConfig()) if config is None else config
    clock, rng = SystemClock(), random.Random(1)
    gauges = RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ())
    engine = Engine(
        config=config, supervisor=Supervisor(rng=rng), gauges=gauges, readiness=Readiness(), traffic=Traffic()
    )
    pages = page_mount(engine, clock)
    context = ServingContext(
        mount=ApiMount(),
        pages=pages,
        # What runs beside the engine finds the same database.
        reloader=Reloader(
            LiveConfig(config),
            lambda: config,
            inputs=ConfigInputs.of(environ={"POLYCOPY_DATABASE__URL": database.dsn}),
        ),
        price_age=_NoObserver(),
        clock=clock,
        rng=rng,
        secret_rng=random.SystemRandom(),
        owner="test",
        holder="test",
        is_money_real=False,
    )
    sessions: dict[bytes, Principal] = {}
    door = BrowserDoor(find=sessions.get)
    gate = Gate(lambda _digest: None, PLENTY, door=door)
    async with (
        open_serving_adapters(config, database, engine.traffic, clock) as io,
        open_connection(database, "test rows") as connection,
        trio.open_nursery() as nursery,
    ):
        _, services = build_services(config, service_ports(io, context))
        await nursery.start(services.price_cache.run)
        await nursery.start(services.feed_hub.run)
        engine.services = services
        routes = [
            *engine_routes(engine, io, services, context),
            *engine_watch_routes(EngineWatch(engine=engine, clock=clock)),
        ]
        context.mount.install(routes, gate)
        forms = FormTokens(door=door, clock=clock, secret_rng=context.secret_rng)
        entrance = Entrance(login=services.web_login, door=door, forms=forms)
        pages.install(all_pages, routes, gate, login_pages(pages, entrance))
        yield PageWorld(
            app=EngineApp(Starlette(), context.mount, pages),
            engine=engine,
            io=io,
            services=services,
            rows=ProfileWorld(connection),
            sessions=sessions,
            routes=routes,
        )
        nursery.cancel_scope.cancel()


def ago(**parts: float) -> datetime:
    """Returns a moment in the past: `ago(hours=3)`."""
    return datetime.now(tz=UTC) - timedelta(**parts)


def json_of(page: Drawn) -> Any:
    """Returns the answer of a route of the API."""
    assert page.status == 200, page.html
    return json.loads(page.html)


def _nowhere(config: EngineConfig) -> EngineConfig:
    venue = attrs.evolve(config.venue, gamma_url=NOWHERE, clob_url=NOWHERE, data_url=NOWHERE)
    return attrs.evolve(config, venue=venue)


class _NoObserver:
    def observe(self, value: float) -> None:
        pass
