import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from engine.web.asgi_server import ServerLimits, serve_asgi

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Served:
    """A running server and its clients."""

    def __init__(self, port: int, shutdown: trio.Event, ended: trio.Event) -> None:
        self.port = port
        self.shutdown = shutdown
        self.ended = ended

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def get(self, request: bytes = GET) -> bytes:
        """Everything the server says to one request."""
        client = await self.connect()
        async with client:
            await client.send_all(request)
            await client.send_eof()
            return b"".join([part async for part in client])


@asynccontextmanager
async def serving(app, **limits) -> AsyncIterator[Served]:
    shutdown, ended = trio.Event(), trio.Event()

    async def serve(task_status: trio.TaskStatus[int]) -> None:
        serve_app = partial(serve_asgi, app, host="127.0.0.1", port=0, shutdown=shutdown)
        await serve_app(limits=ServerLimits(**limits), task_status=task_status)
        ended.set()

    async with trio.open_nursery() as nursery:
        yield Served(await nursery.start(serve), shutdown, ended)
        nursery.cancel_scope.cancel()


async def receive_until(stream: trio.SocketStream, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        part = await stream.receive_some()
        assert part, f"closed after {data!r}"
        data += part
    return data


async def say_ok(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Gate:
    """An application that answers when told to."""

    def __init__(self) -> None:
        self.entered = trio.Event()
        self.opened = trio.Event()

    async def __call__(self, scope, receive, send) -> None:
        self.entered.set()
        await self.opened.wait()
        await say_ok(scope, receive, send)


async def test_serves_on_the_port_it_reports():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await say_ok(scope, receive, send)

    async with serving(app) as served, await served.connect() as client:
        for _ in range(2):
            await client.send_all(GET)
            assert await receive_until(client, b"ok") == OK
        assert scopes[0]["server"] == ("127.0.0.1", served.port)
        assert scopes[0]["client"] == client.socket.getsockname()
        assert (scopes[0]["type"], scopes[0]["scheme"]) == ("http", "http")


async def test_taken_port_is_an_error():
    async with serving(say_ok) as served:
        with pytest.raises(OSError, match="in use"):
            await serve_asgi(say_ok, host="127.0.0.1", port=served.port, limits=ServerLimits())


async def test_large_bodies_pass_both_ways():
    async def echo(request: Request) -> JSONResponse:
        return JSONResponse(await request.json())

    text = json.dumps("x" * 1_000_000).encode()
    app = Starlette(routes=[Route("/", echo, methods=["POST"])])
    async with serving(app) as served:
        answer = await served.get(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        assert answer.endswith(text)
        assert (await served.get()).startswith(b"HTTP/1.1 405")


async def test_refusal_reaches_a_client_that_is_still_sending():
    async with serving(say_ok, body_bytes_max=10) as served, await served.connect() as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000)
        answer = await receive_until(client, b"}")
        assert answer.startswith(b"HTTP/1.1 413")


async def test_events_arrive_at_once_and_a_leaving_client_ends_them():
    more, left = trio.Event(), trio.Event()

    async def events() -> AsyncIterator[str]:
        try:
            yield "data: 1\n\n"
            await more.wait()
            yield "data: 2\n\n"
            await trio.sleep_forever()
        finally:
            left.set()

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")

    async with serving(Starlette(routes=[Route("/", stream)])) as served:
        async with await served.connect() as client:
            await client.send_all(GET)
            await receive_until(client, b"9\r\ndata: 1\n\n\r\n")
            more.set()
            await receive_until(client, b"9\r\ndata: 2\n\n\r\n")
            assert not left.is_set()
        with trio.fail_after(5):
            await left.wait()


@pytest.mark.parametrize("polls", [False, True])
async def test_application_learns_that_its_client_left(polls):
    left = trio.Event()

    async def app(scope, receive, send):
        request = Request(scope, receive)
        await request.body()
        if polls:
            while not await request.is_disconnected():
                await trio.lowlevel.checkpoint()
        else:
            assert (await receive())["type"] == "http.disconnect"
        left.set()

    async with serving(app) as served:
        async with await served.connect() as client:
            await client.send_all(GET)
        with trio.fail_after(5):
            await left.wait()


async def test_defect_is_logged_though_its_client_left_and_a_lost_client_is_not(caplog):
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        if scope["method"] == "GET":
            raise RuntimeError("defect")
        raise OSError("unfinished upload")

    async with serving(app) as served:
        await served.get(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        assert caplog.text == ""
        await served.get()
        assert "defect" in caplog.text


async def test_endless_response_stops_when_nobody_reads():
    stopped = trio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
        except OSError:
            stopped.set()

    async with serving(app, write_timeout_s=0.05) as served, await served.connect() as client:
        await client.send_all(GET)
        with trio.fail_after(10):
            await stopped.wait()


async def test_one_connection_too_many_is_told_to_come_back():
    async with serving(say_ok, connections_max=1) as served:
        async with await served.connect() as first:
            await first.send_all(GET)
            await receive_until(first, OK)
            answer = await served.get()
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"\r\nretry-after: 1\r\n" in answer
            assert answer.endswith(b'{"error": "too many connections"}')
            await first.send_all(GET)
            await receive_until(first, OK)
        with trio.fail_after(5):
            while await served.get() != OK:
                await trio.lowlevel.checkpoint()


async def test_failing_application_does_not_end_the_server(caplog):
    caplog.set_level(logging.CRITICAL)

    async def app(scope, receive, send):
        async with trio.open_nursery():
            raise RuntimeError

    async with serving(app) as served:
        for _ in range(2):
            assert (await served.get()).startswith(b"HTTP/1.1 500")


async def test_shutdown_closes_idle_connections_and_lets_requests_finish():
    gate = Gate()
    async with serving(gate, drain_s=60) as served, await served.connect() as idle, await served.connect() as busy:
        await busy.send_all(GET)
        await gate.entered.wait()
        served.shutdown.set()
        assert await idle.receive_some() == b""
        with pytest.raises(OSError, match="connect"):
            await served.connect()
        gate.opened.set()
        answer = await receive_until(busy, b"ok")
        assert b"connection: close\r\n" in answer
        await busy.aclose()
        with trio.fail_after(5):
            await served.ended.wait()


async def test_shutdown_ends_event_streams_cleanly():
    async def events() -> AsyncIterator[str]:
        yield "data: 1\n\n"
        await trio.sleep_forever()

    async def app(scope, receive, send):
        await StreamingResponse(events(), media_type="text/event-stream")(scope, receive, send)

    async with serving(app, drain_s=60) as served:
        async with await served.connect() as client:
            await client.send_all(GET)
            await receive_until(client, b"data: 1\n\n\r\n")
            served.shutdown.set()
            assert await receive_until(client, b"0\r\n\r\n") == b"0\r\n\r\n"
            assert await client.receive_some() == b""
        with trio.fail_after(5):
            await served.ended.wait()


async def test_shutdown_cancels_what_outlives_the_drain_even_if_it_fails_then(caplog):
    entered = trio.Event()

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise RuntimeError("failing while cancelled")

    async def app(scope, receive, send):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            entered.set()
            await trio.sleep_forever()

    async with serving(app, drain_s=0.01) as served, await served.connect() as client:
        await client.send_all(GET)
        await entered.wait()
        served.shutdown.set()
        with trio.fail_after(5):
            await served.ended.wait()
        assert await client.receive_some() == b""
    assert "failing while cancelled" in caplog.text
