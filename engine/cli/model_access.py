"""The stores of models, for the time of one command."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from config.schema import EngineConfig
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.postgres.training_store import PostgresTrainingStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.training.past_trades import PastTrades

T = TypeVar("T")


def with_models(config: EngineConfig, work: Callable[[PostgresModelStore, PastTrades], Awaitable[T]]) -> T:
    """Runs `work` with the store of models and the stored trades, and returns what it returns."""

    async def inside(database: OpenDatabase) -> T:
        connection = Connection(database.options, "model command")
        try:
            past = PastTrades(trades=PostgresTrainingStore(connection), backtests=PostgresBacktestStore(connection))
            return await work(PostgresModelStore(connection), past)
        finally:
            await connection.aclose()

    return run_command(lambda: with_database(config, inside, prepare=True))
