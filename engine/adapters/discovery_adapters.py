"""Opens what stands behind the jobs that find out who trades well."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.leaderboard_store import PostgresLeaderboardStore
from engine.adapters.postgres.official_result_store import PostgresOfficialResultStore
from engine.adapters.postgres.rotation_store import PostgresRotationStore
from engine.adapters.postgres.wallet_result_store import PostgresWalletResultStore
from engine.adapters.trader_accounts import DataApiAccounts
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic
from protocols.clock import WallClock

# A wallet with a hundred thousand positions, and the rankings of everybody, are written in one transaction.
STATEMENT_TIMEOUT_S = 300.0


@attrs.frozen(kw_only=True)
class DiscoveryAdapters:
    """What the wiring puts behind the ports."""

    accounts: DataApiAccounts
    results: PostgresWalletResultStore
    official: PostgresOfficialResultStore
    leaderboard: PostgresLeaderboardStore
    rotation: PostgresRotationStore


@asynccontextmanager
async def open_discovery_adapters(
    config: EngineConfig, options: DatabaseOptions, *, clock: WallClock, traffic: Traffic
) -> AsyncIterator[DiscoveryAdapters]:
    """Yields the adapters. Their connection is their own: what they write at once may take seconds."""
    patient = attrs.evolve(options, statement_timeout_s=max(options.statement_timeout_s, STATEMENT_TIMEOUT_S))
    discovery = config.discovery
    async with (
        open_connection(patient, "wallet results") as connection,
        open_upstream(
            "data",
            config.venue.data_url,
            config.venue,
            rate_per_s=discovery.rate_per_s,
            burst=discovery.burst,
            traffic=traffic,
            connections_max=discovery.wallets_at_once,
            user="results",
        ) as data,
    ):
        yield DiscoveryAdapters(
            accounts=DataApiAccounts(api=data, clock=clock),
            results=PostgresWalletResultStore(connection),
            official=PostgresOfficialResultStore(connection),
            leaderboard=PostgresLeaderboardStore(connection),
            rotation=PostgresRotationStore(connection),
        )
