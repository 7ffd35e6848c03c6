"""The part of `polycopy tuner` that searches: in this process, which is the side process of an engine or a command's own."""

from collections.abc import Callable, Collection
from pathlib import Path

from config.schema import EngineConfig
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.market_sample import market_sample
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.postgres.strategy_table_store import PostgresStrategyTableStore
from engine.adapters.system_clock import SystemClock
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.replay.past_model import past_model
from engine.replay.ports import TableScorer
from engine.replay.stored import stored_tape
from engine.runtime.logs import configure_logging
from protocols.backtest import BacktestQuery
from protocols.paper import Scorer
from protocols.score_table import read_scores
from protocols.strategies import StrategyTable
from protocols.tuner_search import Finding, SearchOrder, Window


def search_here(config: EngineConfig, order: SearchOrder, said: Callable[[int, int], None]) -> list[Finding]:
    """Returns what a search finds; nothing is written. Raises errors of commands."""
    # Only here: optuna takes a second to import, and may not be installed.
    from engine.tuner.replayed import LoadedTape
    from engine.tuner.searching import search

    async def table(database: OpenDatabase) -> tuple[StrategyTable, Scorer | None]:
        async with open_connection(database.options, "tuner search") as connection:
            model = await past_model(PostgresModelStore(connection))
            return await PostgresStrategyTableStore(connection).table(), model

    def load(window: Window, wallets: Collection[str] | None) -> LoadedTape:
        query = BacktestQuery(
            since_ms=window.since_ms, until_ms=window.until_ms, wallets=None if wallets is None else sorted(wallets)
        )

        async def tape(database: OpenDatabase) -> LoadedTape:
            async with open_connection(database.options, "tuner search") as connection:
                sample = await market_sample(connection, query, config.tuner.trades_max)
                return LoadedTape(await stored_tape(sample, query, known_until_ms=window.until_ms), sample.share)

        try:
            return run_command(lambda: with_database(config, tape))
        finally:
            # A replay has much to say about what a tape lacks, and nobody to say it to.
            configure_logging("error", "text", SystemClock())

    file = config.forward_testing.score_file
    known, scorer = run_command(lambda: with_database(config, table, prepare=True))
    if file:
        scorer = TableScorer(read_scores(Path(file).read_text("utf-8"), is_csv=Path(file).suffix.lower() == ".csv"))
    return search(config, order, known, load, scorer=scorer, said=said)
