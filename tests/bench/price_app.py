"""The price API over the real cache and the real client of Gamma, without a database: its markets, and how it is opened."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio
from starlette.applications import Starlette

from actors.price_cache import PriceCache
from config.schema import PricesConfig, VenueConfig
from engine.adapters.price_upstream import ClobPrices, GammaPrices
from engine.adapters.system_clock import SystemClock, system_random
from engine.adapters.upstream import open_upstream
from engine.api.gate import Gate
from engine.api.mount import ApiMount
from engine.api.price_routes import price_routes
from engine.api.route import Rate
from engine.runtime.traffic import Traffic
from engine.web.asgi_cycle import AsgiApp, Receive, Scope, Send
from protocols.prices import MarketName, PriceWrite, StoredMarket
from protocols.users import Principal, token_digest
from protocols.users import Scope as TokenScope

MARKETS = tuple(f"0x{number:063x}1" for number in range(1, 51))
PATHS = tuple(f"/api/polymarket/price?conditionId={condition_id}" for condition_id in MARKETS)
TOKEN = "pcy_" + "b" * 43
CALLS_A_MINUTE = 100_000_000


@attrs.frozen
class PriceApp:
    """What a server is given."""

    asgi: AsgiApp
    cache: PriceCache


@attrs.define(eq=False)
class NoRows:
    """`PriceStore` that keeps nothing."""

    writes: int = 0

    async def find(
        self, condition_ids: Collection[str], names: Sequence[MarketName]
    ) -> tuple[list[StoredMarket], Mapping[MarketName, str]]:
        await trio.lowlevel.checkpoint()
        return [], {}

    async def write(self, writes: Sequence[PriceWrite]) -> None:
        await trio.lowlevel.checkpoint()
        self.writes += len(writes)


@asynccontextmanager
async def opened_price_app(venue_url: str, ttl_ms: int) -> AsyncIterator[PriceApp]:
    """Yields the application with every market in memory; `venue_url` is Gamma's and the CLOB's."""
    async with AsyncExitStack() as stack:
        options = {"venue": VenueConfig(request_timeout_s=3.0), "rate_per_s": 50.0, "traffic": Traffic()}
        apis = [await stack.enter_async_context(open_upstream(n, venue_url, **options)) for n in ("gamma", "clob")]
        cache = PriceCache(
            upstream=GammaPrices(api=apis[0]),
            fallback=ClobPrices(api=apis[1]),
            store=NoRows(),
            config=PricesConfig(ttl_ms=ttl_ms),
            clock=SystemClock(),
            rng=system_random(),
        )
        nursery = await stack.enter_async_context(trio.open_nursery())
        await nursery.start(cache.run)
        # A stream keeps every market warm, also before the client has come.
        await cache.subscribe(MARKETS)
        yield PriceApp(_application(cache), cache)
        nursery.cancel_scope.cancel()


def _application(cache: PriceCache) -> AsgiApp:
    bearer = Principal(user_id="0", user_name="ann", token_id="t1", scopes=frozenset({TokenScope.READ}))
    mount, pages = ApiMount(), Starlette()
    mount.install(
        price_routes(cache), Gate({token_digest(TOKEN.encode()): bearer}.get, dict.fromkeys(Rate, CALLS_A_MINUTE))
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # As `EngineApp` does it; the pages speak the lifespan protocol, which hypercorn asks for.
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            await mount(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return application
