"""The portfolio behind the real server, over a user with copies, with what the venue would say of prices."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import attrs
from engine_api.api_server import TOKEN, USER_ID, Client, gate_of, principal, serving_routes
from engine_api.said_prices import Prices
from engine_postgres.portfolio_world import MARKET, NOW_MS, WALLET, CopyWorld, copy_world

from engine.adapters.postgres.database import DatabaseOptions
from engine.api.portfolio_routes import portfolio_routes
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BEARERS = {
    TOKEN: principal(Scope.READ),
    "bob": attrs.evolve(principal(Scope.READ, token_id="t2"), user_id=OTHER_ID, user_name="bob"),
    "admin": attrs.evolve(principal(*Scope, token_id="t3"), user_id=OTHER_ID, user_name="bob"),
    "trader": principal(Scope.TRADE, token_id="t4"),
}
ACCOUNTS = {"ann": {"main": WALLET}, "bob": {"bobs": ""}}


@asynccontextmanager
async def portfolio_server(database: DatabaseOptions) -> AsyncIterator[tuple[CopyWorld, Client]]:
    """Yields the world of ann, and a client that asks with her token."""
    async with copy_world(database) as world:
        await world.run(USERS, USER_ID, OTHER_ID)
        world.live.user_id, world.quotes = USER_ID, Prices()
        routes = portfolio_routes(
            world.store, world.records, world.quotes, world.clock, accounts_of=ACCOUNTS.__getitem__
        )
        async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
            yield world, client


async def read(client: Client, path: str, token: str = TOKEN) -> Any:
    answer = await client.get(f"/api/portfolio/{path}", token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def quote(world: CopyWorld, *prices: str, **options: bool) -> None:
    """The venue says two prices, of another token and of the token 70, a second and a half ago."""
    trade = SimpleNamespace(trade=SimpleNamespace(condition_id=MARKET, token_id="70"))
    world.quotes.say(trade, *prices, **options)
    found = world.quotes.by_market[MARKET]
    world.quotes.by_market[MARKET] = attrs.evolve(found, as_of_ms=NOW_MS - 1_500)
