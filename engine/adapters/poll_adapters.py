"""Opens what stands behind the ports of the wallet pollers, each tier with a rate and a connection of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from config.poller import ColdPollerConfig, HotPollerConfig
from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.leases import LeaseHold
from engine.adapters.postgres.poll_store import PostgresColdPollStores, PostgresPollStore
from engine.adapters.trade_history import DataApiHistory
from engine.adapters.trader_accounts import DataApiAccounts
from engine.adapters.upstream import Upstream, open_upstream
from engine.runtime.traffic import Traffic
from protocols.clock import WallClock

HOT_CONNECTIONS, COLD_CONNECTIONS = 8, 2
"""One for each worker of the tier."""


@attrs.frozen(kw_only=True)
class PollAdapters:
    """Behind the hot tier."""

    accounts: DataApiAccounts
    history: DataApiHistory
    store: PostgresPollStore


@attrs.frozen(kw_only=True)
class ColdPollAdapters:
    """Behind the cold tier."""

    accounts: DataApiAccounts
    history: DataApiHistory
    stores: PostgresColdPollStores


@asynccontextmanager
async def open_poll_adapters(
    config: EngineConfig, options: DatabaseOptions, lease: LeaseHold | None, *, clock: WallClock, traffic: Traffic
) -> AsyncIterator[PollAdapters]:
    """Yields the adapters of the hot tier, whose writes carry the lease of the ingest, where it runs under that."""
    async with (
        open_connection(options, "hot poller") as connection,
        _open_data(config, config.poller.hot, "hot", HOT_CONNECTIONS, traffic) as api,
    ):
        yield PollAdapters(
            accounts=DataApiAccounts(api=api, clock=clock),
            history=DataApiHistory(api=api, clock=clock),
            store=PostgresPollStore(connection, lease),
        )


@asynccontextmanager
async def open_cold_poll_adapters(
    config: EngineConfig, options: DatabaseOptions, *, clock: WallClock, traffic: Traffic
) -> AsyncIterator[ColdPollAdapters]:
    """Yields the adapters of the cold tier."""
    async with (
        open_connection(options, "cold poll") as connection,
        _open_data(config, config.poller.cold, "cold", COLD_CONNECTIONS, traffic) as api,
    ):
        yield ColdPollAdapters(
            accounts=DataApiAccounts(api=api, clock=clock),
            history=DataApiHistory(api=api, clock=clock),
            stores=PostgresColdPollStores(connection),
        )


@asynccontextmanager
async def _open_data(
    config: EngineConfig, tier: HotPollerConfig | ColdPollerConfig, name: str, connections: int, traffic: Traffic
) -> AsyncIterator[Upstream]:
    async with open_upstream(
        "data",
        config.venue.data_url,
        config.venue,
        rate_per_s=tier.rate_per_s,
        burst=tier.burst,
        traffic=traffic,
        connections_max=connections,
        user=f"{name} poller",
    ) as api:
        yield api
