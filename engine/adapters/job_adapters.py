"""Opens what stands behind the ports of the jobs; no ingest lease is needed."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.market_refresh_store import PostgresMarketRefreshStore
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.retention_store import PostgresRetentionStore
from engine.adapters.upstream import open_upstream

# Well below what the price cache and the market registry take of the same allowance: jobs can wait.
RATE_PER_S = 2.0


@attrs.frozen(kw_only=True)
class JobAdapters:
    """What the wiring puts behind the ports of the jobs."""

    store: PostgresJobStore
    retention: PostgresRetentionStore
    refresh: PostgresMarketRefreshStore
    markets: PostgresMarketStore
    catalog: GammaCatalog


@asynccontextmanager
async def open_job_adapters(
    config: EngineConfig, options: DatabaseOptions, requests: Counter[tuple[str, str]]
) -> AsyncIterator[JobAdapters]:
    """Yields the adapters; connections are opened when they are needed. Leases have one of their own."""
    leases, work = Connection(options, "jobs"), Connection(options, "job work")
    try:
        async with open_upstream(
            "gamma",
            config.venue.gamma_url,
            headers={"User-Agent": config.venue.user_agent},
            timeout_s=config.venue.request_timeout_s,
            rate_per_s=RATE_PER_S,
            burst=round(RATE_PER_S),
            requests=requests,
            connections_max=1,
        ) as gamma:
            yield JobAdapters(
                store=PostgresJobStore(leases),
                retention=PostgresRetentionStore(work),
                refresh=PostgresMarketRefreshStore(work),
                markets=PostgresMarketStore(work),
                catalog=GammaCatalog(api=gamma),
            )
    finally:
        with trio.CancelScope(shield=True):
            await leases.aclose()
            await work.aclose()
