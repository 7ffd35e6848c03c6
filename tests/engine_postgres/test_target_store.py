"""Which wallets matter, and how much: lane 0 for whoever some strategy copies or has copied."""

import pytest
import trio
from engine_adapters.paper_worlds import decided, order, postgres_world, traded
from engine_postgres.feed_world import wallet
from engine_postgres.test_strategy_table_store import FOLLOW, TRADER, USER, World

from config.strategy_settings import settings_from
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.target_store import PAGE_ROWS, PostgresTargetStore
from protocols.trades import Lane

MANY = "INSERT INTO follows (user_id, trader_wallet, active, is_target) SELECT $1::text::uuid, unnest($2::text[]), true, $3"


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    ann, bob = [await connection.run(lambda raw, n=name: raw.fetchval(USER, n)) for name in ("ann", "bob")]
    yield World(connection, ann, bob)
    await connection.aclose()


async def lanes(world):
    """The best lane of each wallet, as the registry takes it."""
    best = {}
    async for page in PostgresTargetStore(world.connection).wallets():
        assert 0 < len(page) <= PAGE_ROWS
        for address, lane in page:
            best[address] = min(lane, best.get(address, Lane.KNOWN))
    return best


async def test_without_strategies_whom_users_follow_and_know_are_lanes_1_and_2(world):
    await world.run(FOLLOW, world.ann, wallet(1), True)
    await world.run(FOLLOW, world.ann, wallet(2), False)
    await world.run(TRADER, wallet(3), True)
    await world.run(TRADER, wallet(4), False)
    await world.run(TRADER, wallet(1), True)
    await world.run(MANY, world.bob, [wallet(5)], True)
    assert await lanes(world) == {wallet(1): Lane.FOLLOWED, wallet(3): Lane.KNOWN, wallet(5): Lane.TARGET}


async def test_whom_a_list_names_is_a_target_while_the_strategy_is_active(world):
    await world.make("A", target_mode="list", target_traders=[wallet(1), wallet(2)])
    await world.make("B", world.bob, target_mode="list", target_traders=[wallet(2), wallet(3)])
    # A list that its mode does not use names nobody, neither does an empty one.
    await world.make("C", target_mode="followed", target_traders=[wallet(4)])
    await world.make("D", target_mode="list")
    await world.make("E", target_mode="list", target_traders=[wallet(5)], excluded_traders=[wallet(6)], is_active=False)
    assert await lanes(world) == dict.fromkeys(map(wallet, (1, 2, 3)), Lane.TARGET)
    await world.strategies.archive("B")
    assert await lanes(world) == dict.fromkeys(map(wallet, (1, 2)), Lane.TARGET)


async def test_whom_the_owner_of_a_strategy_follows_is_a_target_whom_others_follow_is_not(world):
    for user, number in ((world.ann, 1), (world.ann, 2), (world.bob, 2), (world.bob, 3)):
        await world.run(FOLLOW, user, wallet(number), True)
    await world.make("ANN", world.ann, target_mode="followed")
    expected = {wallet(1): Lane.TARGET, wallet(2): Lane.TARGET, wallet(3): Lane.FOLLOWED}
    assert await lanes(world) == expected
    await world.run("UPDATE follows SET active = false WHERE user_id = $1::text::uuid", world.ann)
    assert await lanes(world) == {wallet(2): Lane.FOLLOWED, wallet(3): Lane.FOLLOWED}
    await world.run("UPDATE follows SET active = true")
    await world.strategies.update("ANN", settings_from({"is_active": False}), version=1, by="ann")
    assert await lanes(world) == dict.fromkeys(map(wallet, (1, 2, 3)), Lane.FOLLOWED)


async def test_the_leaderboard_is_targets_while_a_strategy_copies_it(world):
    await world.run(TRADER, wallet(1), True)
    await world.run(TRADER, wallet(2), False)
    await world.make("OFF", target_mode="leaderboard", is_active=False)
    assert await lanes(world) == {wallet(1): Lane.KNOWN}
    await world.make("ON", target_mode="leaderboard")
    assert await lanes(world) == {wallet(1): Lane.TARGET}
    await world.strategies.archive("ON")
    assert await lanes(world) == {wallet(1): Lane.KNOWN}


async def test_who_was_copied_stays_a_target_until_nothing_of_it_is_open(database, aio):
    async with postgres_world(database) as paper:
        await paper.strategy("A")
        buy = traded(1)
        await paper.trades.write([decided(buy, order(buy))])
        world = World(paper.connection, "", "")
        assert await lanes(world) == {buy.trade.wallet: Lane.TARGET}
        # His sales must be seen also when the strategy has been put away.
        await world.strategies.archive("A")
        assert await lanes(world) == {buy.trade.wallet: Lane.TARGET}
        await world.run("UPDATE ft_orders SET outcome = 'LOST', shares_open = 0, cost_open = 0, resolved_time = now()")
        assert await lanes(world) == {}


async def test_everyone_matters_while_an_active_strategy_says_so(world):
    store = PostgresTargetStore(world.connection)
    await world.make("OFF", target_mode="everyone", is_active=False)
    assert not await store.everyone()
    await world.make("ON", target_mode="everyone")
    assert await store.everyone()
    assert await lanes(world) == {}
    await world.strategies.archive("ON")
    assert not await store.everyone()


async def test_lists_and_follows_longer_than_a_page_are_read_to_their_end(world):
    listed = [wallet(number) for number in range(PAGE_ROWS + 1)]
    followed = [wallet(10_000 + number) for number in range(2 * PAGE_ROWS)]
    await world.make("A", target_mode="list", target_traders=listed)
    await world.run(MANY, world.bob, followed, False)
    assert await lanes(world) == {**dict.fromkeys(listed, Lane.TARGET), **dict.fromkeys(followed, Lane.FOLLOWED)}


async def test_a_change_of_a_strategy_changes_the_version_and_notifies(world, database):
    store = PostgresTargetStore(world.connection)
    before, told = await store.version(), trio.Event()
    listener = Connection(database, "listener")
    await listener.run(lambda raw: raw.add_listener("polycopy_targets", lambda *_: told.set()))
    await world.make("A", target_mode="list", target_traders=[wallet(1)])
    with trio.fail_after(5):
        await told.wait()
    assert await store.version() > before
    await listener.aclose()
