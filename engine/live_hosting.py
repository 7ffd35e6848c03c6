"""Live trading of one engine: leases of the accounts that it trades, their keys, and what stands behind its ports."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio

from actors.rules.backoff import Backoff
from config.schema import EngineConfig
from engine.adapters.live_adapters import LiveAdapters, open_live_adapters
from engine.adapters.postgres.database import DatabaseOptions, once, open_connection
from engine.adapters.postgres.live_elsewhere_store import PostgresHeldCopies
from engine.adapters.postgres.live_order_memory import OrderMemory
from engine.adapters.postgres.live_table_store import PostgresLiveTableStore
from engine.lease_keeping import HeldLeases
from engine.live_ports import AccountPorts, LivePorts
from engine.live_side import MirrorPorts
from engine.runtime.traffic import Traffic
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.instruments import Observer
from protocols.paper import DecisionMarkets, Resolutions

_log = logging.getLogger(__name__)
LIVE = "live:"
"""Begins the name of an account's lease: one engine at a time trades an account, whoever ingests."""
# Whose money stands in this database, with a key in the configuration or without.
ACCOUNTS = """
SELECT account FROM lt_strategies UNION SELECT account FROM lt_orders WHERE NOT ended OR shares_open > 0 ORDER BY 1
"""


@attrs.frozen(kw_only=True)
class MarketPorts:
    """What live trading looks up of markets; whoever hosts it has that open."""

    resolutions: Resolutions
    decision_markets: DecisionMarkets
    markets: MarketStore
    catalog: MarketCatalog


def may_spend(config: EngineConfig, *, live_switch: bool) -> bool:
    """Whether both switches of live trading are on; somebody is told when only one of them is."""
    enabled = config.live.enabled
    if enabled != live_switch:
        missing = "--live, or POLYCOPY_LIVE=1" if enabled else "live.enabled = true in the configuration"
        _log.warning("live trading is off: one of its two switches is missing", extra={"missing": missing})
    elif enabled:
        accounts = ", ".join(config.live.accounts)
        _log.warning("live trading is on: orders cost real money", extra={"accounts": accounts})
    return enabled and live_switch


def lease_of(account: str) -> str:
    """Returns the name of the lease under which an account is traded."""
    return f"{LIVE}{account}"


async def accounts_to_trade(config: EngineConfig, options: DatabaseOptions, rng: Random) -> list[str]:
    """Returns configured accounts, and those of which the database still has something, however long that takes to read.

    Without a key nothing is bought or sold of an account; what it holds is settled all the same.
    """
    backoff = Backoff(first_s=0.2, max_s=5, rng=rng)
    while True:
        try:
            rows = await once(options, "live accounts", lambda raw: raw.fetch(ACCOUNTS))
        except TransientError as error:
            _log.warning("accounts not read yet", extra={"error": str(error)})
            await trio.sleep(backoff.next_s())
        else:
            return sorted({*config.live.accounts, *(row["account"] for row in rows)})


async def open_mirrors(options: DatabaseOptions, stack: AsyncExitStack) -> MirrorPorts:
    """Returns what decisions have to know of accounts that other processes trade."""
    table, held = [
        await stack.enter_async_context(open_connection(options, name))
        for name in ("live strategies", "live positions")
    ]
    return MirrorPorts(strategies=PostgresLiveTableStore(table), held=PostgresHeldCopies(held))


@asynccontextmanager
async def open_live(
    config: EngineConfig,
    options: DatabaseOptions,
    held: HeldLeases,
    io: MarketPorts,
    *,
    accounts: Sequence[str],
    clock: WallClock,
    rng: Random,
    traffic: Traffic,
    trade_to_order: Observer,
    memory: OrderMemory,
) -> AsyncIterator[LivePorts]:
    """Opens what trades accounts, under leases that somebody holds and keeps meanwhile.

    Raises `KeyFileError` for a key that is not used.
    """
    async with trio.open_nursery() as nursery:
        async with open_live_adapters(
            config,
            options,
            held.leases,
            is_safe=held.is_safe,
            accounts=accounts,
            clock=clock,
            rng=rng,
            traffic=traffic,
            nursery=nursery,
            memory=memory,
        ) as live:
            yield _ports(live, held, io, accounts, trade_to_order)
        nursery.cancel_scope.cancel()


def _ports(
    live: LiveAdapters, held: HeldLeases, io: MarketPorts, accounts: Sequence[str], trade_to_order: Observer
) -> LivePorts:
    return LivePorts(
        strategies=live.strategies,
        orders=live.orders,
        logs=live.logs,
        reconciliations=live.watch,
        redemptions=live.watch,
        exit_rows=live.watch,
        manual=live.manual,
        books=live.books,
        **attrs.asdict(io, recurse=False),
        accounts={name: AccountPorts(account=one.account, sockets=one.sockets) for name, one in live.accounts.items()},
        traded=frozenset(accounts),
        is_safe=held.is_safe,
        trade_to_order=trade_to_order,
    )
