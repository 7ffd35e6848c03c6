"""Opens what stands behind the ports of the jobs; no ingest lease is needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from config.schema import EngineConfig
from engine.adapters.discovery_adapters import DiscoveryAdapters, open_discovery_adapters
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.poll_adapters import ColdPollAdapters, open_cold_poll_adapters
from engine.adapters.postgres.copy_mark_store import PostgresCopyMarkStore
from engine.adapters.postgres.copyability_store import PostgresCopyabilityStore
from engine.adapters.postgres.coverage_store import PostgresCoverageStore
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.ft_snapshot_store import PostgresSnapshotStore
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.market_refresh_store import PostgresMarketRefreshStore
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.postgres.notice_job_store import PostgresNoticeJobStore
from engine.adapters.postgres.retention_store import PostgresRetentionStore
from engine.adapters.postgres.trader_stats_store import PostgresTraderStatsStore
from engine.adapters.postgres.tuner_store import PostgresTunerStore
from engine.adapters.system_clock import SystemClock
from engine.adapters.trade_history import DataApiHistory
from engine.adapters.trader_accounts import DataApiAccounts
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic

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
    trader_stats: PostgresTraderStatsStore
    reason_counts: PostgresTraderStatsStore
    snapshots: PostgresSnapshotStore
    coverage: PostgresCoverageStore
    history: DataApiHistory
    accounts: DataApiAccounts
    cold: ColdPollAdapters
    copy_marks: PostgresCopyMarkStore
    notices: PostgresNoticeJobStore
    discovery: DiscoveryAdapters
    models: PostgresModelStore
    tuner: PostgresTunerStore
    copyability: PostgresCopyabilityStore


@asynccontextmanager
async def open_job_adapters(
    config: EngineConfig, options: DatabaseOptions, traffic: Traffic
) -> AsyncIterator[JobAdapters]:
    """Yields the adapters; connections are opened when they are needed. Leases have one of their own."""
    venue = config.venue
    async with (
        open_connection(options, "jobs") as leases,
        open_connection(options, "job work") as work,
        open_upstream(
            "gamma", venue.gamma_url, venue, rate_per_s=RATE_PER_S, traffic=traffic, user="jobs", connections_max=1
        ) as gamma,
        open_upstream(
            "data",
            venue.data_url,
            venue,
            rate_per_s=config.coverage.rate_per_s,
            traffic=traffic,
            user="audit",
            connections_max=1,
        ) as audited,
        open_cold_poll_adapters(config, options, clock=SystemClock(), traffic=traffic) as cold,
        open_discovery_adapters(config, options, clock=SystemClock(), traffic=traffic) as discovery,
    ):
        clock = SystemClock()
        yield JobAdapters(
            store=PostgresJobStore(leases),
            retention=PostgresRetentionStore(work),
            refresh=PostgresMarketRefreshStore(work),
            markets=PostgresMarketStore(work),
            catalog=GammaCatalog(api=gamma, shown_rides=traffic.market_rides),
            trader_stats=PostgresTraderStatsStore(work),
            reason_counts=PostgresTraderStatsStore(work),
            snapshots=PostgresSnapshotStore(work),
            coverage=PostgresCoverageStore(work),
            history=DataApiHistory(api=audited, clock=clock),
            accounts=DataApiAccounts(api=audited, clock=clock),
            cold=cold,
            copy_marks=PostgresCopyMarkStore(work),
            notices=PostgresNoticeJobStore(work),
            discovery=discovery,
            models=PostgresModelStore(work),
            tuner=PostgresTunerStore(work, config.tuner),
            copyability=PostgresCopyabilityStore(work),
        )
