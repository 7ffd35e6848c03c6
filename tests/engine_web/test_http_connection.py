import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from engine.web.asgi_cycle import AsgiApp
from engine.web.http_connection import HttpConnection, check_deadlines
from engine.web.http_error import ClientDisconnected
from engine.web.http_limits import ServerLimits
from engine.web.http_response import HttpDate

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def connection_to(app: AsgiApp, clock=None, **limits) -> AsyncIterator[trio.StapledStream]:
    client, server = trio.testing.memory_stream_pair()
    connection = HttpConnection(stream=server, app=app, limits=ServerLimits(**limits), date=HttpDate(clock))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(check_deadlines, {connection})
        nursery.start_soon(connection.run)
        yield client
        nursery.cancel_scope.cancel()


async def exchange(app: AsgiApp, request: bytes, **limits) -> bytes:
    async with connection_to(app, **limits) as client:
        await client.send_all(request)
        await client.send_eof()
        return b"".join([part async for part in client])


async def respond(send, body: bytes = b"", *, status: int = 200, headers=()) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        if not message["more_body"]:
            return body


async def say_path(scope, receive, send):
    await respond(send, scope["path"].encode())


async def echo(scope, receive, send):
    await respond(send, await read_body(receive))


async def test_two_requests_on_one_connection():
    async with connection_to(say_path) as client:
        for path in (b"one", b"two"):
            await client.send_all(GET % path)
            assert await client.receive_some() == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n/" + path


async def test_pipelined_requests_are_answered_in_order_one_at_a_time():
    running = 0

    async def app(scope, receive, send):
        nonlocal running
        running += 1
        assert running == 1
        await trio.testing.wait_all_tasks_blocked()
        running -= 1
        await respond(send, scope["path"].encode())

    answer = await exchange(app, GET % b"1" + GET % b"2" + GET % b"3")
    assert [part[-2:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"/1", b"/2", b"/3"]


async def test_scope_describes_the_request():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await respond(send)

    await exchange(app, b"PUT /caf%C3%A9?q=%20 HTTP/1.1\r\nHost: a:80\r\nX-Two: \t b c \r\n\r\n")
    (scope,) = scopes
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("PUT", "/café", b"/caf%C3%A9")
    assert (scope["query_string"], scope["http_version"]) == (b"q=%20", "1.1")
    assert scope["headers"] == [(b"host", b"a:80"), (b"x-two", b"b c")]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [(b"http://a/x?y", "/x", b"y"), (b"HTTP://A", "/", b""), (b"http://a?y", "/", b"y")],
)
async def test_absolute_targets_are_split(target, path, query):
    async def app(scope, receive, send):
        assert (scope["path"], scope["query_string"]) == (path, query)
        await respond(send)

    answer = await exchange(app, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_chunked_request_body_is_joined_and_the_next_request_is_read():
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await exchange(
        echo, chunked + b"4\r\n\r\n\r\n\r\n3;x=y\r\nabc\r\n0\r\nTrailer: t\r\n\r\n" + chunked + b"0\r\n\r\n"
    )
    assert answer.split(b"HTTP/1.1 200 OK\r\n")[1:] == [
        b"content-length: 7\r\n\r\n\r\n\r\nabc",
        b"content-length: 0\r\n\r\n",
    ]


async def test_body_of_known_length_arrives_in_parts():
    async with connection_to(echo) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab")
        await trio.testing.wait_all_tasks_blocked()
        await client.send_all(b"cdef" + GET % b"")
        await trio.testing.wait_all_tasks_blocked()
        answer = await client.receive_some()
    assert answer.split(b"\r\n\r\n") == [
        b"HTTP/1.1 200 OK\r\ncontent-length: 6",
        b"abcdefHTTP/1.1 200 OK\r\ncontent-length: 0",
        b"",
    ]


async def test_body_that_the_application_leaves_unread_is_discarded():
    async with connection_to(say_path) as client:
        await client.send_all(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab")
        assert (await client.receive_some()).endswith(b"/a")
        await client.send_all(b"cdef" + GET % b"b")
        assert (await client.receive_some()).endswith(b"/b")


async def test_continue_is_sent_only_when_the_body_is_wanted():
    post = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    async with connection_to(echo) as client:
        await client.send_all(post)
        assert await client.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send_all(b"hi")
        assert (await client.receive_some()).endswith(b"\r\n\r\nhi")
    async with connection_to(say_path) as client:
        await client.send_all(post)
        answer = await client.receive_some()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
        assert await client.receive_some() == b""


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
async def test_request_to_upgrade_is_answered_in_http_1_1(upgrade):
    request = b"GET /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % upgrade
    answer = await exchange(say_path, request + GET % b"next")
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.endswith(b"/next")


async def test_head_gets_the_length_without_the_body():
    answer = await exchange(say_path, b"HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" + GET % b"d")
    assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n/d"


@pytest.mark.parametrize(("status", "head"), [(204, b""), (304, b"content-length: 4\r\n")])
async def test_statuses_without_body(status, head):
    async def app(scope, receive, send):
        await respond(send, b"body", status=status)

    answer = await exchange(app, GET % b"")
    assert answer.partition(b"\r\n")[2] == head + b"\r\n"


async def test_response_without_length_is_chunked_and_starts_at_once():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"transfer-encoding", b"chunked")]})
        await trio.testing.wait_all_tasks_blocked()
        for part in (b"first", b"", memoryview(b"second")):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await trio.testing.wait_all_tasks_blocked()
        await send({"type": "http.response.body"})

    async with connection_to(app) as client:
        await client.send_all(GET % b"")
        assert await client.receive_some() == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        for part in (b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"):
            assert await client.receive_some() == part


async def test_http_1_0_streams_until_close_and_keeps_alive_on_request():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"stream"})

    keep = b"GET /k HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answer = await exchange(app, keep + keep)
    assert answer == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nstream"
    answer = await exchange(say_path, keep + b"GET /l HTTP/1.0\r\n\r\n")
    assert answer.endswith(
        b"\r\nconnection: keep-alive\r\n\r\n/kHTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n/l"
    )


@pytest.mark.parametrize("from_client", [True, False])
async def test_close_is_honoured_from_either_side(from_client):
    async def app(scope, receive, send):
        await respond(send, headers=() if from_client else [(b"connection", b"close")])

    wish = b"Connection: close\r\n" if from_client else b""
    async with connection_to(app) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % wish)
        answer = await client.receive_some()
        assert answer == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        assert await client.receive_some() == b""


async def test_responses_carry_the_date_of_the_clock():
    class NewYear:
        def now_ms(self) -> int:
            return 1_767_225_600_999

    async with connection_to(say_path, clock=NewYear()) as client:
        await client.send_all(GET % b"")
        assert b"\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" in await client.receive_some()


async def test_failure_before_the_response_is_a_500_and_is_logged_without_the_query(caplog):
    async def app(scope, receive, send):
        raise ExceptionGroup("several", [KeyError("secret")])

    answer = await exchange(app, b"GET /x?token=t HTTP/1.1\r\nHost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error")
    assert b"connection: close" in head
    assert body == b'{"error": "internal server error"}'
    (record,) = caplog.records
    assert (record.levelno, record.path, "token" in caplog.text) == (logging.ERROR, "/x", False)


async def no_response(scope, receive, send):
    pass


async def broken_header(scope, receive, send):
    await respond(send, headers=[(b"x", b"a\r\nset-cookie: b")])


async def less_than_promised(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"four"})


async def unknown_message(scope, receive, send):
    await send({"type": "websocket.accept"})


@pytest.mark.parametrize("app", [no_response, broken_header, less_than_promised, unknown_message])
async def test_what_cannot_be_sent_is_a_500(app):
    answer = await exchange(app, GET % b"")
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"set-cookie" not in answer


async def test_failure_after_the_start_breaks_the_response_off():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError

    answer = await exchange(app, GET % b"" + GET % b"")
    assert answer == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"


async def test_write_cancelled_by_the_application_ends_the_connection(autojump_clock):
    client, server = trio.testing.lockstep_stream_pair()

    async def app(scope, receive, send):
        with trio.move_on_after(1):
            await respond(send, b"half")
        with pytest.raises(ClientDisconnected):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    connection = HttpConnection(stream=server, app=app, limits=ServerLimits(), date=HttpDate(None))
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run)
            await client.send_all(GET % b"")
    with pytest.raises(trio.BrokenResourceError):
        await client.send_all(GET % b"")
