import pytest
from engine_training.planted_world import Plan, PlantedWorld

from actors.rules.score.activation import refusals
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.training_store import PostgresTrainingStore
from engine.training.past_trades import PastTrades
from engine.training.table import table_of
from engine.training.training import trained


@pytest.fixture
async def connection(database, aio):
    made = Connection(database, "test")
    yield made
    await made.aclose()


async def models_of(connection, plan, *, seed=1):
    await PlantedWorld(plan).write(connection)
    past = PastTrades(trades=PostgresTrainingStore(connection), backtests=PostgresBacktestStore(connection))
    since_ms = await past.since_ms(days=400, until_ms=plan.until_ms, rows_max=plan.trades)
    table = await table_of(past.pages(since_ms, plan.until_ms), rows_max=plan.trades)
    assert past.read == plan.trades
    models = trained(
        table, seed=seed, left_out=dict(past.left_out), code_version="test", stage=lambda _: None, now_s=lambda: 0.0
    )
    return {model.kind: model.figures for model in models}


def refused(figures):
    return refusals(figures, feature_version=1, current_version=1)


@pytest.mark.parametrize("seed", [1])
async def test_a_planted_edge_is_found_and_may_be_activated(connection, seed):
    found = await models_of(connection, Plan(trades=30_000, seed=seed))
    for figures in found.values():
        assert refused(figures) == []
        assert figures.gains["win_rate"].high < 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_shuffled_labels_are_refused(connection, seed):
    found = await models_of(connection, Plan(trades=12_000, shuffled=True, seed=seed))
    for figures in found.values():
        assert refused(figures) != []


async def test_where_nobody_knows_more_than_a_true_price_nothing_is_activated(connection):
    found = await models_of(connection, Plan(trades=12_000, skilled=0, error=0))
    for figures in found.values():
        assert refused(figures) != []
