"""What the engine reads of strategies: a version that tells of every change, and whom the strategies mean."""

import itertools

import attrs
import pytest
from engine_postgres.feed_world import wallet

from config.strategy_settings import settings_from
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.postgres.strategy_table_store import PostgresStrategyTableStore

USER = "INSERT INTO profiles (user_name) VALUES ($1) RETURNING id::text"
FOLLOW = "INSERT INTO follows (user_id, trader_wallet, active) VALUES ($1::text::uuid, $2, $3)"
TRADER = "INSERT INTO traders (wallet_address, is_active) VALUES ($1, $2)"


@attrs.define(eq=False)
class World:
    connection: Connection
    ann: str
    bob: str

    @property
    def strategies(self):
        return StrategyStore(self.connection)

    @property
    def table_store(self):
        return PostgresStrategyTableStore(self.connection)

    async def run(self, statement, *values):
        return await self.connection.run(lambda raw: raw.execute(statement, *values))

    async def make(self, name, owner=None, **document):
        [made] = await self.strategies.create([(name, settings_from(document))], owner or self.ann, "test")
        return made

    async def table(self):
        return await self.table_store.table()


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    ann, bob = [await connection.run(lambda raw, n=name: raw.fetchval(USER, n)) for name in ("ann", "bob")]
    yield World(connection, ann, bob)
    await connection.aclose()


async def test_there_is_a_table_without_any_strategy(world):
    table = await world.table()
    assert (list(table.strategies), dict(table.followed), list(table.leaderboard)) == ([], {}, [])
    assert table.version == await world.table_store.version()


async def test_every_kind_of_change_changes_the_version_and_reading_does_not(world):
    seen = [await world.table_store.version()]

    async def changed(_):
        seen.append(await world.table_store.version())
        assert (await world.table()).version == seen[-1]

    strategy = await world.make("A")
    await changed("made")
    await world.strategies.update("A", settings_from({"bet_size": 2}), version=strategy.version, by="ann")
    await changed("settings")
    await world.run(FOLLOW, world.ann, wallet(1), True)
    await changed("followed")
    await world.run("UPDATE follows SET active = false")
    await changed("unfollowed")
    await world.run("DELETE FROM follows")
    await changed("gone")
    await world.run(TRADER, wallet(2), True)
    await changed("trader")
    await world.run("UPDATE traders SET is_active = false")
    await changed("trader no more")
    await world.strategies.archive("A")
    await changed("archived")
    await world.run("DELETE FROM ft_wallets")
    await changed("deleted")
    assert all(before < after for before, after in itertools.pairwise(seen))
    await world.strategies.all()
    await world.table()
    assert await world.table_store.version() == seen[-1]


async def test_a_change_that_fails_changes_no_version(world):
    await world.make("A")
    before = await world.table_store.version()
    same = await world.strategies.get("A")
    assert await world.strategies.update("A", same.settings, version=1, by="ann") == same
    assert await world.strategies.archive("NONE") is None
    # An archive that found nothing may count: the engine then reads once more than it has to.
    assert (await world.table()).strategies == [same]
    assert await world.table_store.version() >= before


async def test_strategies_come_in_the_order_of_their_numbers_without_the_archived(world):
    made = [await world.make(name) for name in ("Z", "A", "M")]
    await world.strategies.archive("A")
    paused = await world.strategies.update("M", settings_from({"is_active": False}), version=1, by="ann")
    assert list((await world.table()).strategies) == [made[0], paused]


async def test_follows_are_read_for_owners_whose_strategies_need_them(world):
    for user, number, active in (
        (world.ann, 1, True),
        (world.ann, 2, False),
        (world.bob, 3, True),
        (world.bob, 1, True),
    ):
        await world.run(FOLLOW, user, wallet(number), active)
    await world.make("LISTED", world.bob, target_mode="list", target_traders=[wallet(9)])
    assert (await world.table()).followed == {}
    await world.make("OFF", world.bob, target_mode="followed", is_active=False)
    assert (await world.table()).followed == {}
    await world.make("ANN", world.ann, target_mode="followed")
    assert (await world.table()).followed == {world.ann: {wallet(1)}}
    await world.make("BOB", world.bob, target_mode="followed")
    assert (await world.table()).followed == {world.ann: {wallet(1)}, world.bob: {wallet(1), wallet(3)}}
    await world.strategies.archive("ANN")
    assert (await world.table()).followed == {world.bob: {wallet(1), wallet(3)}}


async def test_who_follows_nobody_is_there_with_nobody(world):
    await world.make("ANN", target_mode="followed")
    assert (await world.table()).followed == {world.ann: set()}


async def test_the_leaderboard_is_read_when_a_strategy_needs_it(world):
    for number, active in ((1, True), (2, False), (3, True)):
        await world.run(TRADER, wallet(number), active)
    await world.make("FOLLOWED")
    await world.make("OFF", target_mode="leaderboard", is_active=False)
    assert list((await world.table()).leaderboard) == []
    await world.make("LEADERS", target_mode="leaderboard")
    assert sorted((await world.table()).leaderboard) == [wallet(1), wallet(3)]


async def test_more_than_a_thousand_strategies_and_follows_are_all_read(world):
    settings = settings_from({})
    await world.strategies.create([(f"S{number}", settings) for number in range(1_001)], world.ann, "test")
    statement = "INSERT INTO follows (user_id, trader_wallet, active) SELECT $1::text::uuid, unnest($2::text[]), true"
    await world.run(statement, world.ann, [wallet(number) for number in range(1_500)])
    table = await world.table()
    assert len(table.strategies) == 1_001
    assert len(table.followed[world.ann]) == 1_500
