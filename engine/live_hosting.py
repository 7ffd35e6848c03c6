"""Live trading of one engine: its own lease, its keys, and what stands behind its ports."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from actors.rules.backoff import Backoff
from config.schema import EngineConfig
from engine.adapters.assembly import IngestAdapters
from engine.adapters.live_adapters import open_live_adapters
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice
from engine.live_ports import AccountPorts, LivePorts
from engine.runtime.traffic import Traffic
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.instruments import Observer

_log = logging.getLogger(__name__)
LIVE = "live"
"""A lease of its own, held by whoever holds the ingest: writers of live money need not wait for writers of trades."""
RELEASE_TIMEOUT_S = 2.0


@asynccontextmanager
async def open_live(
    config: EngineConfig,
    options: DatabaseOptions,
    office: LeaseOffice,
    io: IngestAdapters,
    *,
    clock: WallClock,
    rng: Random,
    traffic: Traffic,
    trade_to_order: Observer,
) -> AsyncIterator[LivePorts]:
    """Opens live trading for as long as the ingest runs. Raises `KeyFileError` for a key that is not used."""
    hold = await _acquired(office, rng)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_extend, office, hold)
            async with open_live_adapters(
                config, options, hold, clock=clock, rng=rng, traffic=traffic, nursery=nursery
            ) as live:
                yield LivePorts(
                    strategies=live.strategies,
                    orders=live.orders,
                    logs=live.logs,
                    reconciliations=live.watch,
                    redemptions=live.watch,
                    exit_rows=live.watch,
                    manual=live.manual,
                    books=live.books,
                    resolutions=io.paper.resolutions,
                    decision_markets=io.paper.decision_markets,
                    markets=io.markets,
                    catalog=io.catalog,
                    accounts={
                        name: AccountPorts(account=one.account, sockets=one.sockets)
                        for name, one in live.accounts.items()
                    },
                    trade_to_order=trade_to_order,
                )
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(RELEASE_TIMEOUT_S, shield=True):
            await _release(office, hold)


async def _acquired(office: LeaseOffice, rng: Random) -> LeaseHold:
    backoff = Backoff(first_s=0.2, max_s=5, rng=rng)
    while True:
        try:
            answer = await office.acquire(LIVE)
        except TransientError as error:
            _log.warning("live trading waits for its lease", extra={"error": str(error)})
            await trio.sleep(backoff.next_s())
            continue
        if isinstance(answer, LeaseHold):
            return answer
        _log.warning("live trading waits for its lease", extra={"holder": answer.holder})
        await trio.sleep(min(answer.left_s + 0.05, office.ttl_s / 3))


async def _extend(office: LeaseOffice, hold: LeaseHold) -> None:
    while True:
        await trio.sleep(office.ttl_s / 3)
        try:
            await office.extend(hold)
        except TransientError as error:
            _log.warning("the lease of live trading was not extended, trying again", extra={"error": str(error)})


async def _release(office: LeaseOffice, hold: LeaseHold) -> None:
    try:
        await office.release(hold)
    except TransientError as error:
        _log.warning("the lease of live trading was not given back, it will expire", extra={"error": str(error)})
