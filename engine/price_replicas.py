"""Opens what engines share of prices, if they are configured to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors.rules.price_hot_set import AGE_MIN
from config.redis import REDIS
from config.schema import EngineConfig
from engine.edge_hosting import MissingClientError
from protocols.shared_quotes import SharedQuotes


@asynccontextmanager
async def opened_shared_quotes(config: EngineConfig, *, is_wanted: bool) -> AsyncIterator[SharedQuotes | None]:
    """Yields what this engine shares prices by, or None: then nothing of this is loaded.

    Raises `MissingClientError`, and `ValueError` for an address that makes no sense. Connects to nobody yet.
    """
    if not is_wanted or config.prices.transport != REDIS:
        yield None
        return
    try:
        from engine.adapters.redis.address import address_of
        from engine.adapters.redis.connection import open_redis
        from engine.adapters.redis.quote_store import RedisQuotes
    except ImportError as error:
        raise MissingClientError(f"prices over redis need the extra `cluster` of this package ({error})") from None
    async with open_redis(address_of(config.redis)) as office:
        calls, waiting = office.connection("price-calls"), office.connection("price-news")
        ride_ms = round(AGE_MIN * config.prices.ttl_ms)
        yield RedisQuotes(prefix=config.redis.prefix, calls=calls, waiting=waiting, ride_ms=ride_ms)
