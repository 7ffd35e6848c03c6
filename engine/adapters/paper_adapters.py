"""Opens what stands behind the ports of forward testing, for as long as the engine holds its lease."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs

from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.leases import Leases
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.postgres.paper_store import PostgresPaperStore
from engine.adapters.postgres.settlement_store import PostgresSettlementStore
from engine.adapters.postgres.strategy_table_store import PostgresStrategyTableStore
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.price_upstream import ClobDepths
from engine.adapters.resolutions import DataApiResolutions
from engine.adapters.score_file import ScoreFile
from engine.adapters.trader_holdings import DataApiHoldings
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic
from protocols.clock import WallClock

# Beside what gap reading takes of the same allowance of 20 a second (venue.md §6).
DATA_RATE_PER_S = 4.0
CLOB_RATE_PER_S = 30.0


@attrs.frozen(kw_only=True)
class PaperAdapters:
    """What the wiring puts behind the ports of forward testing."""

    strategies: PostgresStrategyTableStore
    paper: PostgresPaperStore
    settlement: PostgresSettlementStore
    decision_markets: PostgresDecisionMarkets
    records: PostgresTraderRecords
    trader_holdings: DataApiHoldings
    resolutions: DataApiResolutions
    books: ClobDepths
    scorer: ScoreFile
    models: PostgresModelStore


@asynccontextmanager
async def open_paper_adapters(
    config: EngineConfig,
    options: DatabaseOptions,
    leases: Leases,
    *,
    clock: WallClock,
    traffic: Traffic,
    shards: frozenset[int] | None = None,
) -> AsyncIterator[PaperAdapters]:
    """Yields the adapters; connections are opened when they are needed. What decisions look at waits for no settlement."""
    venue = config.venue
    async with AsyncExitStack() as stack:
        looks, settles = [
            await stack.enter_async_context(open_connection(options, name)) for name in ("decisions", "settlement")
        ]
        data, clob = [
            await stack.enter_async_context(
                open_upstream(name, url, venue, rate_per_s=rate_per_s, traffic=traffic, user="paper")
            )
            for name, url, rate_per_s in (
                ("data", venue.data_url, DATA_RATE_PER_S),
                ("clob", venue.clob_url, CLOB_RATE_PER_S),
            )
        ]
        file = config.forward_testing.score_file
        yield PaperAdapters(
            strategies=PostgresStrategyTableStore(looks),
            paper=PostgresPaperStore(looks),
            settlement=PostgresSettlementStore(
                connection=settles, leases=leases, markets=PostgresDecisionMarkets(settles), shards=shards
            ),
            decision_markets=PostgresDecisionMarkets(looks),
            records=PostgresTraderRecords(looks),
            trader_holdings=DataApiHoldings(api=data, clock=clock),
            resolutions=DataApiResolutions(api=data, clock=clock),
            books=ClobDepths(api=clob, clock=clock),
            scorer=ScoreFile(path=Path(file) if file else None),
            models=PostgresModelStore(looks),
        )
