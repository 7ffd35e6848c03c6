"""The price API in a process of its own, behind one of three servers, on the first processor.

`python -m tests.bench.price_server KIND VENUE_URL TTL_MS`; KIND is `engine` (our server), `hypercorn` (its trio worker) or
`uvicorn`. Prints one JSON line with the port when every market is in memory.
"""

import asyncio
import gc
import json
import os
import socket
import sys
from functools import partial

import trio

from engine.adapters.system_clock import SystemClock
from engine.web.asgi_server import ServerLimits, serve_asgi

from .price_app import PriceApp, opened_price_app

CONNECTIONS_MAX = 2_000


async def by_engine(app: PriceApp) -> None:
    """Serves with our server."""
    limits = ServerLimits(connections_max=CONNECTIONS_MAX)
    serve = partial(serve_asgi, app.asgi, host="127.0.0.1", port=0, limits=limits, clock=SystemClock())
    async with trio.open_nursery() as nursery:
        say_ready(await nursery.start(serve))


async def by_hypercorn(app: PriceApp) -> None:
    """Serves with hypercorn on trio."""
    import hypercorn.config
    import hypercorn.trio

    config = hypercorn.config.Config()
    config.bind, config.loglevel, config.accesslog = ["127.0.0.1:0"], "ERROR", None
    async with trio.open_nursery() as nursery:
        binds = await nursery.start(partial(hypercorn.trio.serve, app.asgi, config, mode="asgi"))
        say_ready(int(binds[0].rpartition(":")[2]))


async def by_uvicorn(venue_url: str, ttl_ms: int) -> None:
    """Serves with uvicorn on asyncio, with httptools; the cache lives on trio as a guest, and a hit needs no scheduler."""
    import uvicorn

    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    opened: asyncio.Future[PriceApp] = asyncio.get_running_loop().create_future()

    async def cache() -> None:
        async with opened_price_app(venue_url, ttl_ms) as app:
            opened.set_result(app)
            await trio.sleep_forever()

    trio.lowlevel.start_guest_run(
        cache,
        run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
        done_callback=lambda _: ended.set_result(None),
        host_uses_signal_set_wakeup_fd=True,
    )
    app = await opened
    # With its protocol named, or asyncio leaves Nagle's algorithm on, and each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app.asgi, loop="asyncio", http="httptools", lifespan="off", access_log=False, log_level="error"
    )
    say_ready(listener.getsockname()[1])
    await uvicorn.Server(config).serve(sockets=[listener])


def say_ready(port: int) -> None:
    """Tells the parent."""
    gc.freeze()
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()


async def on_trio(kind: str, venue_url: str, ttl_ms: int) -> None:
    """Serves until killed."""
    async with opened_price_app(venue_url, ttl_ms) as app:
        await {"engine": by_engine, "hypercorn": by_hypercorn}[kind](app)


def main() -> None:
    """Serves until killed."""
    kind, venue_url, ttl_ms = sys.argv[1], sys.argv[2], int(sys.argv[3])
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if kind == "uvicorn":
        asyncio.run(by_uvicorn(venue_url, ttl_ms))
    else:
        trio.run(on_trio, kind, venue_url, ttl_ms)


if __name__ == "__main__":
    main()
