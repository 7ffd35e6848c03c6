"""The drift watch on trades that were made after a training, over PostgreSQL."""

import attrs
import pytest
from engine_training.planted_world import BEGIN, Plan, PlantedWorld

from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.training_store import PostgresTrainingStore
from engine.training.past_trades import DAY_MS, PastTrades, day_ms
from engine.training.table import table_of
from engine.training.training import trained
from engine.training.watching import watched
from protocols.errors import RejectedError
from protocols.score_models import as_row

PLAN = Plan(trades=9_000)
TRAINED_MS = round(BEGIN.timestamp() * 1000) + 45 * DAY_MS
# Favourites win, all of them: the price knows better than whoever learned to doubt it.
FAVOURITES = """
UPDATE markets SET outcome_prices = CASE WHEN condition_id = ANY ($1::text[]) THEN '["1", "0"]'::jsonb
    ELSE '["0", "1"]'::jsonb END
"""


@pytest.fixture
async def connection(database, aio):
    made = Connection(database, "test")
    yield made
    await made.aclose()


def past_of(connection):
    return PastTrades(trades=PostgresTrainingStore(connection), backtests=PostgresBacktestStore(connection))


async def test_a_model_holds_until_the_world_is_another(connection):
    world = PlantedWorld(PLAN)
    await world.write(connection)
    past = past_of(connection)
    table = await table_of(past.pages(0, TRAINED_MS), rows_max=PLAN.trades)
    models = trained(table, seed=1, left_out={}, code_version="", stage=lambda _: None, now_s=lambda: 0.0)
    model = next(one for one in models if one.kind == "boosted")
    row = as_row(model, model_id=1, created_ms=0)

    async def look(days=30):
        return await watched(
            past_of(connection), row, model.document, now_ms=PLAN.until_ms, days=days, rows_max=PLAN.trades
        )

    found = await look()
    assert (found.drifted, found.reasons) == (False, [])
    assert found.span.from_ms > row.figures.valid.until_ms
    assert found.span.rows > 1_000
    few = await look(days=1)
    assert few is None
    favourites = [one.condition_id for one in world.markets if one.shown >= 0.5]
    await connection.run(lambda raw: raw.execute(FAVOURITES, favourites))
    found = await look()
    assert found.drifted
    assert found.gain.mean > 0
    with pytest.raises(RejectedError):
        await watched(
            past_of(connection), attrs.evolve(row, model_id=2), "{}", now_ms=PLAN.until_ms, days=30, rows_max=9_000
        )


async def test_no_more_rows_are_read_than_allowed_whole_days_of_the_newest(connection):
    await PlantedWorld(Plan(trades=600, days=20)).write(connection)
    past, until_ms = past_of(connection), Plan(trades=600, days=20).until_ms
    counts = await past.trades.day_counts(0, until_ms)
    assert sum(counts.values()) == 600
    since_ms = await past.since_ms(days=400, until_ms=until_ms, rows_max=100)
    assert since_ms % DAY_MS == 0
    newest = sum(count for day, count in counts.items() if day_ms(day) >= since_ms)
    assert 100 - max(counts.values()) <= newest <= 100
    with pytest.raises(RejectedError, match="one day alone"):
        await past.since_ms(days=400, until_ms=until_ms, rows_max=1)
    assert await past.since_ms(days=1, until_ms=10 * DAY_MS, rows_max=1) == 10 * DAY_MS
