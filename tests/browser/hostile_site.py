"""An engine with nothing but texts that mean harm, in a process of its own: `python -m browser.hostile_site DSN`.

Prints its address and the secret of a session. Whenever a line comes in, it stores one more trade for each payload, which the
page of the feed gets through its stream.
"""

import sys
from functools import partial

import trio
from browser.payloads import PAYLOADS
from pages.page_world import PageWorld, ago, feed_trade, page_world

from engine.adapters.postgres.database import DatabaseOptions, database_loop
from engine.web.asgi_server import ServerLimits, serve_asgi
from protocols.users import Principal, Scope


async def serve(dsn: str) -> None:
    async with database_loop(), page_world(DatabaseOptions(dsn=dsn)) as world, trio.open_nursery() as nursery:
        root = await world.visitor("root", *Scope)
        await store(world, root, 0)
        await world.get("/settings", root)  # it knows the session from now on
        await rest(world, root)
        port = await nursery.start(partial(serve_asgi, world.app, host="127.0.0.1", port=0, limits=ServerLimits()))
        print(f"http://127.0.0.1:{port} {root.user_name:s<43}", flush=True)
        number = 1
        while await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            await store(world, root, number * len(PAYLOADS))
            number += 1
        nursery.cancel_scope.cancel()


async def store(world: PageWorld, root: Principal, first: int) -> None:
    """Trades whose every name is a payload; the newest is the last of the list."""
    rows = [
        feed_trade(
            first + number, trader=number % 9, age_s=(len(PAYLOADS) - number) / 100, trader_name=text, market_title=text,
            outcome=text, market_slug=text,
        )
        for number, text in enumerate(PAYLOADS)
    ]  # fmt: skip
    await world.trades(rows, followed_by=root)


async def rest(world: PageWorld, root: Principal) -> None:
    """Whatever else can be called something."""
    await world.rows.put("job_runs", [
        {"job": "coverage-audit", "slot": None, "attempt": 1, "status": "failed", "owner": "x", "holder": text,
         "requested_by": text, "started_at": ago(), "ended_at": ago(), "error": text, "figures": {text: text}}
        for text in PAYLOADS
    ])  # fmt: skip
    await world.rows.put("notifications", [
        {"user_id": root.user_id, "kind": "order_rejected", "subject_key": str(number), "happened_at": ago(),
         "payload": {"market": text, "reason": text, "detail": text, "strategy": text}}
        for number, text in enumerate(PAYLOADS)
    ])  # fmt: skip
    for text in [text for text in PAYLOADS if len(text) <= 80][:90]:
        await world.ask("POST", "/api/tokens", root, json={"name": text, "scopes": ["read"]})


if __name__ == "__main__":
    trio.run(serve, sys.argv[1])
