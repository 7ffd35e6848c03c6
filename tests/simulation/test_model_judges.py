"""A model that is activated while the engine runs judges the next trade, and what it says stands in the decision's snapshot."""

from decimal import Decimal

import msgspec
import trio
from crash.paper_bots import OPEN
from engine_postgres.server_fixtures import scratch_directory
from score.made_figures import made_model
from simulation.ingest_world import eventually, ingest_world
from simulation.test_forward_testing import LEADER, SETTINGS, buy, one_market

from actors.rules.score.model import read_model
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.model_switching import activate, deactivate
from protocols.decisions import Absent, Inputs, Present
from protocols.strategies import StrategySettings

BOT = StrategySettings(**OPEN, use_model=True, model_threshold=Decimal("0.000001"))
DECISIONS = "SELECT snapshot, reasons FROM decisions ORDER BY decided_at"


async def decided(world, count):
    with trio.fail_after(20):
        while len(rows := await world.fetch(DECISIONS)) < count:
            await trio.sleep(0.05)
    snapshot, reasons = rows[-1]
    return msgspec.json.decode(snapshot, type=Inputs), reasons[0]


async def test_what_was_activated_judges_without_a_restart(database):
    with scratch_directory() as home:
        async with (
            ingest_world(database, home / "spill", start_paused=True, lag_scale=0.05, cache_scale=0) as world,
            open_connection(database, "test") as connection,
        ):
            store, bots = PostgresModelStore(connection), StrategyStore(connection)
            await world.follow([LEADER])
            await bots.create([("MODEL", BOT)], await bots.user_id("admin"), by="test")
            model_id = await store.add(made_model())
            async with world.engine(**SETTINGS) as running:
                forward = running.engine.actors.forward
                await eventually(lambda: len(forward.tester._index.runners) == 1)
                await eventually(lambda: LEADER in running.engine.actors.target_registry.current().lanes)
                market = await one_market(world)
                await world.post("/emit", trades=[buy(**market, size="10")])
                inputs, reason = await decided(world, 1)
                assert (inputs.score, reason) == (Absent(reason="no_scorer"), "ml_unavailable")

                await activate(store, model_id, by="test", reason="", score_file="")
                await eventually(lambda: forward.models.active_id == model_id)
                await world.post("/emit", trades=[buy(**market, size="11")])
                inputs, reason = await decided(world, 2)
                assert isinstance(inputs.score, Present)
                assert reason == "taken"
                assert read_model(made_model().document).score(inputs) == inputs.score

                await deactivate(store, by="test", reason="")
                await eventually(lambda: forward.models.active_id is None)
                await world.post("/emit", trades=[buy(**market, size="12")])
                _, reason = await decided(world, 3)
                assert reason == "ml_unavailable"


async def test_a_file_of_scores_goes_before_models(database, tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("trade_id,probability\nother,0.5\n")
    with scratch_directory() as home:
        async with ingest_world(database, home / "spill", start_paused=True) as world:
            settings = {**SETTINGS, "forward_testing.score_file": str(file)}
            async with world.engine(**settings) as running:
                assert running.engine.actors.forward.models is None
