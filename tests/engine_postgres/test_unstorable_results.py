"""A wallet whose figures fit into no column costs no other one."""

from decimal import Decimal

import pytest
from engine_postgres.results_world import STATE, ResultsWorld, wallet_of

from engine.adapters.postgres.database import Connection


@pytest.mark.parametrize("tokens", [1, 1_500])
async def test_figures_that_cannot_be_stored_cost_no_other_wallet(database, aio, tokens):
    connection = Connection(database, "test")
    world = ResultsWorld(connection)
    await world.begin(2)
    for number in range(tokens):
        token = world.venue.token(wallet_of(0), str(number))
        token.buy(Decimal(10), Decimal("0.5"), world.venue.now_s)
        token.sell_all(Decimal(10) ** 14 if number == 0 else Decimal(1), 0, world.venue.now_s)
    other = world.venue.token(wallet_of(1), "0")
    other.buy(Decimal(10), Decimal("0.5"), world.venue.now_s)
    other.sell_all(Decimal(1), 0, world.venue.now_s)
    figures = await world.run()
    assert (figures["read"], figures["failed"], figures["ranked"]) == (1, 1, 2)
    assert list(await world.days()) == [wallet_of(1)]
    assert await world.fetch("SELECT 1 FROM wallet_results_staged") == []
    [state] = await world.fetch(STATE, wallet_of(0))
    assert state["last_error"]
    await connection.aclose()
