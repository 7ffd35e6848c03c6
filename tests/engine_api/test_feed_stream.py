import gc
import tracemalloc
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import trio
from property.fake_feed import FakeFeed, event_ids

from actors.feed_hub import FeedHub
from actors.rules.feed_bounds import FeedBounds
from engine.api.feed_stream import EventStream
from engine.web.asgi_server import ServerLimits, serve_asgi


@asynccontextmanager
async def serving(store, *, life_s=3_600.0, **limits):
    """A hub behind a real server; yields the hub, a way to connect, and what shuts the server down."""
    hub = FeedHub(store=store, rng=Random(1), bounds=FeedBounds(poll_s=0.05))
    shutdown = trio.Event()

    async def app(scope, receive, send):
        subscription = await hub.subscribe(scope["path"].strip("/"), None)
        await EventStream(subscription.chunk, life_s=life_s)(scope, receive, send)

    async with trio.open_nursery() as nursery:
        await nursery.start(hub.run)
        serve = partial(serve_asgi, app, host="127.0.0.1", port=0, shutdown=shutdown, limits=ServerLimits(**limits))
        port = await nursery.start(serve)

        async def connect(user_id="me"):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % user_id.encode())
            return stream

        yield hub, connect, shutdown
        nursery.cancel_scope.cancel()


async def read_until(stream, last):
    """All ids until one event."""
    data, found = b"", []
    while not found or found[-1] < last:
        part = await stream.receive_some()
        assert part, "closed"
        data += part
        found = event_ids(data)
    return data


async def close_with_the_test(stream):
    async with stream:
        await trio.sleep_forever()


async def until(condition):
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.01)


def a_store():
    store = FakeFeed()
    store.follow("me", 1)
    return store


async def test_a_stream_on_the_wire():
    store = a_store()
    async with serving(store) as (hub, connect, _):
        async with await connect() as client:
            await until(lambda: hub.clients)
            store.commit(1, 2, 1)
            data = await read_until(client, 3)
        head, _, body = data.partition(b"\r\n\r\n")
        assert b"content-type: text/event-stream" in head.lower()
        assert b"content-length" not in head.lower()
        assert b"retry: 2000\nid: 0\n\n" in body
        assert event_ids(body) == [1, 3]
        await until(lambda: gc.collect() is not None and not hub.clients)


async def test_streams_end_when_the_server_drains():
    async with serving(a_store()) as (hub, connect, shutdown):
        client = await connect()
        await until(lambda: hub.clients)
        shutdown.set()
        with trio.fail_after(10):
            data = b"".join([part async for part in client])
        assert data.endswith(b"0\r\n\r\n")
        await client.aclose()


async def test_a_stream_ends_after_its_life_so_that_the_token_is_asked_again():
    async with serving(a_store(), life_s=0.0) as (_, connect, _):
        client = await connect()
        with trio.fail_after(10):
            while not (await client.receive_some()).endswith(b"0\r\n\r\n"):
                pass
        await client.aclose()


async def test_two_hundred_streams_of_which_one_never_reads_take_no_memory():
    store = a_store()
    store.follow("asleep", 1, 2)
    async with serving(store, write_timeout_s=60) as (hub, connect, _), trio.open_nursery() as nursery:
        asleep = await connect("asleep")
        nursery.start_soon(close_with_the_test, asleep)
        clients = [await connect() for _ in range(199)]
        await until(lambda: hub.clients == 200)
        reached = dict.fromkeys(clients, 0)

        async def read(client):
            tail = b""
            async with client:
                while True:
                    tail += await client.receive_some()
                    reached[client] = max([reached[client], *event_ids(tail)])
                    tail = tail[-40:]

        for client in clients:
            nursery.start_soon(read, client)
        tracemalloc.start(1)
        try:
            grown = []
            for _ in range(8):
                # 4 MB each for the one who does not read: soon more than the kernel takes.
                store.rows.clear()
                store.commit(*[2] * 200, title="x" * 20_000)
                store.commit(1)
                hub.wake()
                await until(lambda: min(reached.values()) == store.last)
                gc.collect()
                grown.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        assert hub.clients == 200
        # Until then the ring fills; after that nothing grows, whoever reads or does not.
        assert max(grown[4:]) - min(grown[4:]) < 1_500_000, grown
        nursery.cancel_scope.cancel()
