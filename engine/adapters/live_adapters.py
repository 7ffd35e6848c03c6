"""Opens what stands behind live trading: stores, order books, and the accounts of the configuration with their keys."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs
import trio

from config.live_trading import AccountConfig
from config.schema import EngineConfig
from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.clob_lanes import open_lanes
from engine.adapters.order_books import ClobOrderBooks
from engine.adapters.order_maker import AccountOrderMaker
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.leases import Leases
from engine.adapters.postgres.live_log_store import PostgresLiveLogStore
from engine.adapters.postgres.live_manual_store import PostgresManualStore
from engine.adapters.postgres.live_order_memory import OrderMemory
from engine.adapters.postgres.live_order_store import PostgresLiveOrderStore
from engine.adapters.postgres.live_table_store import PostgresLiveTableStore
from engine.adapters.postgres.live_watch_store import PostgresLiveWatchStore
from engine.adapters.rtds_socket import RtdsDialer
from engine.adapters.signer import KeyFileError, Signer, forbid_core_dumps, read_key_file
from engine.adapters.upstream import open_upstream
from engine.adapters.user_socket import ClobUserDialer
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.traffic import Traffic
from protocols.clock import Random, WallClock
from protocols.live.ports import TradingAccount

_log = logging.getLogger(__name__)
BOOKS_RATE_PER_S = 100.0
"""Two thirds of what the venue allows for single books (venue.md §6)."""
READ_LANES = 2
USER_FRAME_BYTES_MAX = 1 << 20
CREDENTIALS = "CREDENTIALS_DIRECTORY"


@attrs.frozen(kw_only=True)
class LiveAccount:
    """One account, ready to be wired."""

    account: TradingAccount
    sockets: ClobUserDialer
    api: ClobAccountApi


@attrs.frozen(kw_only=True)
class LiveAdapters:
    """What the wiring puts behind the ports of live trading."""

    strategies: PostgresLiveTableStore
    orders: PostgresLiveOrderStore
    logs: PostgresLiveLogStore
    watch: PostgresLiveWatchStore
    manual: PostgresManualStore
    books: ClobOrderBooks
    accounts: Mapping[str, LiveAccount]


@asynccontextmanager
async def open_live_adapters(
    config: EngineConfig,
    options: DatabaseOptions,
    leases: Leases,
    *,
    is_safe: Callable[[], bool],
    accounts: Sequence[str],
    clock: WallClock,
    rng: Random,
    traffic: Traffic,
    nursery: trio.Nursery,
    memory: OrderMemory,
) -> AsyncIterator[LiveAdapters]:
    """Opens connections and accounts that have a key. Raises `KeyFileError` for a key that is not used."""
    venue, live = config.venue, config.live
    forbid_core_dumps()
    async with AsyncExitStack() as stack:
        orders, watch, table, logs, manual = [
            await stack.enter_async_context(open_connection(options, name))
            for name in ("live orders", "live watch", "live strategies", "live logs", "live manual")
        ]
        clob = await stack.enter_async_context(
            open_upstream("clob", venue.clob_url, venue, rate_per_s=BOOKS_RATE_PER_S, traffic=traffic, user="books")
        )
        opened = {
            name: await stack.enter_async_context(
                _open_account(name, account, config, clock, rng, traffic, nursery, is_safe)
            )
            for name, account in live.accounts.items()
            if name in accounts
        }
        yield LiveAdapters(
            strategies=PostgresLiveTableStore(table),
            orders=PostgresLiveOrderStore(
                connection=orders,
                leases=leases,
                accounts=accounts,
                not_found_interval_ms=round(live.not_found_interval_s * 1000),
                memory=memory,
            ),
            logs=PostgresLiveLogStore(logs),
            watch=PostgresLiveWatchStore(connection=watch, accounts=accounts),
            manual=PostgresManualStore(connection=manual, leases=leases),
            books=ClobOrderBooks(api=clob),
            accounts=opened,
        )


@asynccontextmanager
async def _open_account(
    name: str,
    account: AccountConfig,
    config: EngineConfig,
    clock: WallClock,
    rng: Random,
    traffic: Traffic,
    nursery: trio.Nursery,
    is_safe: Callable[[], bool],
) -> AsyncIterator[LiveAccount]:
    venue, live = config.venue, config.live
    signer = account_signer(name, account)
    funder = account.funder or signer.address
    async with (
        open_lanes(
            venue.clob_url,
            lanes=live.lanes,
            timeout_s=live.order_timeout_s,
            user_agent=venue.user_agent,
            requests=traffic.requests,
            may_send=is_safe,
        ) as lanes,
        open_lanes(
            venue.clob_url,
            lanes=READ_LANES,
            timeout_s=live.order_timeout_s,
            user_agent=venue.user_agent,
            requests=traffic.requests,
        ) as reads,
    ):
        api = ClobAccountApi(
            lanes=lanes,
            reads=reads,
            signer=signer,
            funder=funder,
            signature_type=account.signature_type,
            chain_id=venue.chain_id,
            clock=clock,
        )
        maker = AccountOrderMaker(
            account=name,
            signer=signer,
            funder=funder,
            signature_type=account.signature_type,
            api_key=api.api_key,
            chain_id=venue.chain_id,
            rng=rng,
        )
        dialer = RtdsDialer(
            url=f"{venue.clob_ws_url.rstrip('/')}/ws/user",
            user_agent=venue.user_agent,
            frame_bytes_max=USER_FRAME_BYTES_MAX,
            nursery=nursery,
        )
        gate = TokenBucket(rate_per_s=live.orders_per_s, burst=live.orders_burst)
        _log.info("live account", extra={"account": name, "signer": signer.address, "funder": funder})
        yield LiveAccount(
            account=TradingAccount(name=name, venue=api, maker=maker, gate=gate, wallet=funder.lower()),
            sockets=ClobUserDialer(dialer=dialer, api=api),
            api=api,
        )


def account_signer(name: str, account: AccountConfig) -> Signer:
    """Returns the signer of an account, from its key file or the systemd credential of its name. Raises `KeyFileError`."""
    if account.key_file:
        return read_key_file(Path(account.key_file).expanduser())
    directory = os.environ.get(CREDENTIALS)
    if not directory:
        raise KeyFileError(
            f"live.accounts.{name}.key_file: names no file, and there is no systemd credential {name}.key"
        )
    return read_key_file(Path(directory) / f"{name}.key", by_service_manager=True)
