"""Opens every adapter of the ingest for as long as the engine holds its lease."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.database_source import keep_listening
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.paper_adapters import PaperAdapters, open_paper_adapters
from engine.adapters.poll_adapters import PollAdapters, open_poll_adapters
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.gap_store import PostgresGapStore
from engine.adapters.postgres.leases import LeaseHold, Leases
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.target_store import PostgresTargetStore
from engine.adapters.postgres.trade_store import PostgresTradeStore
from engine.adapters.rtds_socket import RtdsDialer
from engine.adapters.spill_journal import SpillJournal, open_journal
from engine.adapters.trade_history import DataApiHistory
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic
from protocols.clock import Random, WallClock
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
TARGETS_CHANNEL = "polycopy_targets"
GAMMA_RATE_PER_S = 8.0
DATA_RATE_PER_S = 10.0


@attrs.frozen(kw_only=True)
class IngestAdapters:
    """What the wiring puts behind the ports of the ingest."""

    dialer: RtdsDialer
    history: DataApiHistory
    catalog: GammaCatalog
    """For those who can wait for a call of somebody else's."""
    prompt_catalog: GammaCatalog
    """For those for whom a trade waits."""
    has_places: Callable[[], bool]
    """Whether asking `catalog` costs no call just now."""
    newest: GammaCatalog
    trades: PostgresTradeStore
    gaps: PostgresGapStore
    targets: PostgresTargetStore
    markets: PostgresMarketStore
    spill: SpillJournal
    paper: PaperAdapters
    polls: PollAdapters


@asynccontextmanager
async def open_adapters(
    config: EngineConfig,
    options: DatabaseOptions,
    lease: LeaseHold,
    *,
    spill_dir: Path,
    clock: WallClock,
    rng: Random,
    traffic: Traffic,
) -> AsyncIterator[IngestAdapters]:
    """Opens sockets, HTTP clients, connections and the journal. Raises `JournalBusyError` and `OSError`."""
    async with AsyncExitStack() as stack:
        journal = open_journal(spill_dir, bytes_max=config.writer.spill_bytes_max, run_id=rng.randbytes(8))
        stack.callback(journal.close)
        venue = config.venue
        gamma = await stack.enter_async_context(
            open_upstream(
                "gamma",
                venue.gamma_url,
                venue,
                rate_per_s=GAMMA_RATE_PER_S,
                traffic=traffic,
                user="registry",
                connections_max=4,
            )
        )
        data = await stack.enter_async_context(
            open_upstream("data", venue.data_url, venue, rate_per_s=DATA_RATE_PER_S, traffic=traffic, user="gaps")
        )
        writer, wallets, markets = [
            await stack.enter_async_context(open_connection(options, name)) for name in ("writer", "targets", "markets")
        ]
        paper = await stack.enter_async_context(
            open_paper_adapters(config, options, Leases((lease,)), clock=clock, traffic=traffic)
        )
        polls = await stack.enter_async_context(
            open_poll_adapters(config, options, lease, clock=clock, traffic=traffic)
        )
        targets = PostgresTargetStore(wallets)
        nursery = await stack.enter_async_context(background())
        nursery.start_soon(keep_listening, config.database, options, TARGETS_CHANNEL, targets.notify)
        dialer = RtdsDialer(
            url=config.venue.rtds_url,
            user_agent=config.venue.user_agent,
            frame_bytes_max=config.stream.frame_bytes_max,
            nursery=nursery,
        )
        trades = PostgresTradeStore(writer, Leases((lease,)))
        with suppress(TransientError):
            # The first trade must not wait for a connection and a plan.
            await trades.write(())
        rides = traffic.market_rides
        prompt = GammaCatalog(api=gamma, hailed_rides=rides)
        yield IngestAdapters(
            dialer=dialer,
            history=DataApiHistory(api=data, clock=clock),
            catalog=GammaCatalog(api=gamma, shown_rides=rides, closed_rides=rides),
            prompt_catalog=prompt,
            has_places=rides.has_places,
            newest=prompt,
            trades=trades,
            gaps=PostgresGapStore(writer, lease),
            targets=targets,
            markets=PostgresMarketStore(markets),
            spill=journal,
            paper=paper,
            polls=polls,
        )


@asynccontextmanager
async def background() -> AsyncIterator[trio.Nursery]:
    """A nursery for tasks that end with the adapters."""
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()
