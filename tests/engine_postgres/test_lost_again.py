"""Tokens that were closed, bought again and lost: the loss counts once it is certain that it came after the close."""

from datetime import date
from decimal import Decimal

import pytest
from engine_postgres.results_world import ResultsWorld, wallet_of

from engine.adapters.postgres.database import Connection

DAY_S = 86_400
HALF, TEN = Decimal("0.5"), Decimal(10)
ANN = wallet_of(0)
JUNE_1, JUNE_2 = date(2026, 6, 1), date(2026, 6, 2)
WON, LOST = (Decimal(4), Decimal(4), 1, 1), (Decimal(-1), Decimal(-1), 1, 0)


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = ResultsWorld(connection)
    await made.begin(1)
    bought(made).sell_all(Decimal("0.9"), 0, made.venue.now_s)
    await made.run()
    yield made
    await connection.aclose()


def bought(world):
    token = world.venue.token(ANN, "0")
    token.buy(TEN, HALF, world.venue.now_s)
    return token


@pytest.mark.parametrize("says_events", [False, True])
@pytest.mark.parametrize("lists_reopened", [False, True])
async def test_a_token_that_was_closed_bought_again_and_lost_is_lost(world, lists_reopened, says_events):
    world.accounts.lists_reopened, world.accounts.says_events = lists_reopened, says_events
    world.venue.now_s += DAY_S
    bought(world)
    world.venue.resolve("0", Decimal(0), "2026-12-31")
    await world.run()
    world.venue.now_s += DAY_S
    assert (await world.run())["positions"] == 0
    assert await world.days() == {ANN: {JUNE_2: LOST}}


async def test_a_close_of_the_last_hour_counts_whatever_a_list_without_moments_still_has(world):
    world.accounts.says_events = False
    world.venue.now_s += 1_800
    bought(world)
    world.venue.resolve("0", Decimal(0), "2026-06-01")
    await world.run()
    assert await world.days() == {ANN: {JUNE_1: WON}}
    world.venue.now_s += 1_801
    await world.run()
    assert await world.days() == {ANN: {JUNE_1: LOST}}
