"""What a user does while the demo runs: looks at the feed and asks for the prices of its markets, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import Any

import attrs
import httpx
import trio

from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.user_store import UserStore
from engine.lifecycle import Running
from protocols.users import Scope, new_token, token_digest

LOOK_S = 0.5
PAGE_ROWS = 200
FEED = "/api/v2/feed/trades"
PRICE = "/api/polymarket/price"


@attrs.define(eq=False, kw_only=True)
class DemoUser:
    """One user with a token."""

    api: httpx.AsyncClient
    price_requests: int = attrs.field(init=False, default=0)

    async def look_around(self) -> None:
        """Reads the newest page and the prices of its markets again and again, until cancelled."""
        while True:
            page = await self._get(FEED, {"limit": "50"})
            ids = list(dict.fromkeys(trade["conditionId"] for trade in page.get("trades", ())))
            if ids:
                await self._get(PRICE, [("conditionId", id_) for id_ in ids])
                self.price_requests += 1
            await trio.sleep(LOOK_S)

    async def feed_rows(self) -> int:
        """Returns how many rows the whole feed has, page by page."""
        rows, cursor = 0, None
        while True:
            page = await self._get(FEED, {"limit": str(PAGE_ROWS), **({"cursor": cursor} if cursor else {})})
            rows += len(page.get("trades", ()))
            cursor = page.get("nextCursor")
            if cursor is None:
                return rows

    async def _get(self, path: str, params: Any) -> dict[str, Any]:
        try:
            response = await self.api.get(path, params=params)
        except httpx.HTTPError:
            return {}
        answer: dict[str, Any] = response.json() if response.status_code == httpx.codes.OK else {}
        return answer


@asynccontextmanager
async def demo_user(options: DatabaseOptions, running: Running) -> AsyncIterator[DemoUser]:
    """Makes a token for the user admin of the demo's own database and yields him."""
    services = running.engine.services
    assert services is not None
    token = new_token(SystemRandom())
    connection = Connection(options, "demo user")
    try:
        digest = token_digest(token.encode())
        await UserStore(connection).add_token("admin", name="demo", digest=digest, scopes=[Scope.READ])
    finally:
        await connection.aclose()
    await services.token_registry.refresh()
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{running.http_port}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
        trust_env=False,
    ) as api:
        yield DemoUser(api=api)
