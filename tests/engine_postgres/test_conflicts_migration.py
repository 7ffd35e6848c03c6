"""A database of the version before: strategies copy all as they did, and open orders learn the event of their market."""

from engine_postgres.ft_world import ft_world

from engine.adapters.postgres.migrate import migrate
from engine.adapters.postgres.strategy_table_store import PostgresStrategyTableStore
from protocols.strategies import ConflictPolicy

UNDO = """
ALTER TABLE ft_wallets DROP COLUMN conflict_policy, DROP COLUMN max_targets_per_side, DROP COLUMN max_event_exposure_usd;
ALTER TABLE decisions DROP COLUMN stands;
ALTER TABLE ft_orders DROP COLUMN event_slug;
DELETE FROM schema_migrations WHERE version = 15
"""


async def test_open_orders_learn_their_event_and_policies_are_off(database, aio):
    async with ft_world(database) as world:
        await world.strategy("BOT", await world.user("ann"))
        (trade, known), (gone, settled), (_, unknown) = [await world.buy("BOT") for _ in range(3)]
        for one in (trade, gone):
            await world.market(one, None)
        await world.run("UPDATE markets SET event_slug = 'cup ' || condition_id")
        await world.settle(gone, "1")
        await world.connection.run(lambda raw: raw.execute(UNDO))
        assert [one.version for one in await migrate(database)] == [15]
        rows = await world.run("SELECT order_id::text AS id, event_slug FROM ft_orders")
        slugs = {row["id"]: row["event_slug"] for row in rows}
        assert slugs == {
            known.order_id: f"cup {trade.trade.condition_id}", settled.order_id: None, unknown.order_id: None,
        }  # fmt: skip
        [account] = await world.paper.paper.accounts(["BOT"])
        assert {one.event_slug for one in account.open_orders} == {f"cup {trade.trade.condition_id}", None}
        [strategy] = (await PostgresStrategyTableStore(world.connection).table()).strategies
        assert strategy.settings.conflict_policy is ConflictPolicy.COPY_ALL
        assert (strategy.settings.max_targets_per_side, strategy.settings.max_event_exposure_usd) == (None, None)
        await world.buy("BOT", event_slug="a new one")
