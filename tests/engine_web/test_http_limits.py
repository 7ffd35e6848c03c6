from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from engine.web.asgi_cycle import AsgiApp
from engine.web.http_connection import CHECK_INTERVAL_S, HttpConnection, check_deadlines
from engine.web.http_limits import ServerLimits
from engine.web.http_response import HttpDate

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


@asynccontextmanager
async def connection_to(app: AsgiApp, **limits) -> AsyncIterator[trio.StapledStream]:
    client, server = trio.testing.memory_stream_pair()
    connection = HttpConnection(stream=server, app=app, limits=ServerLimits(**limits), date=HttpDate(None))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(check_deadlines, {connection})
        nursery.start_soon(connection.run)
        yield client
        nursery.cancel_scope.cancel()


async def answer_to(request: bytes, app: AsgiApp | None = None, **limits) -> bytes:
    async with connection_to(app or read_all, **limits) as client:
        await client.send_all(request)
        await client.send_eof()
        return b"".join([part async for part in client])


async def read_all(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def never_called(scope, receive, send):
    raise AssertionError("the application must not see this request")


def status(answer: bytes) -> int:
    assert b"connection: close\r\n" in answer
    assert b'\r\n\r\n{"error": "' in answer
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
        (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (POST + b"Content-Length: +1\r\n\r\nx", 400),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 1\r\nExpect: magic\r\n\r\nx", 417),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
    ],
)
async def test_doubtful_requests_are_refused_and_nothing_after_them_is_read(request_bytes, expected):
    answer = await answer_to(request_bytes + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", never_called)
    assert status(answer) == expected
    assert answer.count(b"content-length") == 1


@pytest.mark.parametrize("framed", [b"5\r\nhelloXX0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFF\r\n"])
async def test_malformed_chunks_are_refused(framed):
    answer = await answer_to(POST + b"Transfer-Encoding: chunked\r\n\r\n" + framed)
    assert status(answer) == 400


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"polycopy.test", 200),
        (b"Polycopy.Test:8080", 200),
        (b"[::1]:8080", 200),
        (b"evil.test", 421),
        (b"polycopy.test.evil.test", 421),
        (b"", 421),
        (b"polycopy.test, evil.test", 400),
    ],
)
async def test_only_allowed_hosts_are_served(host, expected):
    answer = await answer_to(
        b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host, allowed_hosts=frozenset({"Polycopy.test", "[::1]"})
    )
    assert answer.startswith(b"HTTP/1.1 200") if expected == 200 else status(answer) == expected


async def test_old_clients_without_host_are_refused_where_hosts_matter():
    request = b"GET / HTTP/1.0\r\n\r\n"
    assert (await answer_to(request)).startswith(b"HTTP/1.1 200")
    assert status(await answer_to(request, allowed_hosts=frozenset({"a"}))) == 400


async def test_headers_up_to_the_limit_are_served_and_one_byte_more_is_not():
    def request(size_bytes: int) -> bytes:
        head = b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n"
        return head % (b"x" * (size_bytes - len(head % b"")))

    assert (await answer_to(request(1_000), header_bytes_max=1_000)).startswith(b"HTTP/1.1 200")
    assert status(await answer_to(request(1_001), never_called, header_bytes_max=1_000)) == 431


@pytest.mark.parametrize(
    "endless", [b"GET /" + b"a" * 2_000, b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000, b"\r\n\r\n" * 500]
)
async def test_endless_heads_are_refused_before_they_end(endless):
    async with connection_to(never_called, header_bytes_max=1_000) as client:
        await client.send_all(endless)
        assert status(await client.receive_some()) == 431


async def test_too_many_headers_are_refused():
    request = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 100 + b"\r\n"
    assert status(await answer_to(request, never_called)) == 431


async def test_body_announced_too_large_is_refused_before_it_is_sent():
    async with connection_to(never_called, body_bytes_max=10) as client:
        await client.send_all(POST + b"Content-Length: 11\r\nExpect: 100-continue\r\n\r\n")
        assert status(await client.receive_some()) == 413


@pytest.mark.parametrize(("chunks", "expected"), [(5, 200), (6, 413)])
async def test_chunked_body_is_counted(chunks, expected):
    answer = await answer_to(
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"2\r\nab\r\n" * chunks + b"0\r\n\r\n", body_bytes_max=10
    )
    assert answer.startswith(b"HTTP/1.1 200") if expected == 200 else status(answer) == expected


@pytest.mark.parametrize("padding", [b"1;" + b"x" * 2_000 + b"\r\na\r\n", b"0\r\n" + b"T: x\r\n" * 400])
async def test_chunk_extensions_and_trailers_are_bounded(padding):
    answer = await answer_to(POST + b"Transfer-Encoding: chunked\r\n\r\n" + padding, header_bytes_max=1_000)
    assert status(answer) == 400


async def test_application_that_streams_the_body_is_told_of_the_refusal():
    seen = []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            seen.append(message["type"])
            if message["type"] == "http.disconnect":
                await send({"type": "http.response.start", "status": 200, "headers": []})

    async with connection_to(app, body_bytes_max=3) as client:
        await client.send_all(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        await trio.testing.wait_all_tasks_blocked()
        await client.send_all(b"2\r\ncd\r\n")
        assert status(await client.receive_some()) == 413
        assert await client.receive_some() == b""
    assert seen == ["http.request", "http.disconnect"]


async def test_headers_that_trickle_in_time_out_from_their_first_byte(autojump_clock):
    async def trickle(client: trio.StapledStream) -> None:
        for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 100:
            await trio.sleep(1)
            await client.send_all(bytes((byte,)))

    async with connection_to(never_called, header_timeout_s=5) as client, trio.open_nursery() as nursery:
        nursery.start_soon(trickle, client)
        assert status(await client.receive_some()) == 408
        assert trio.current_time() == pytest.approx(1 + 5, abs=2 * CHECK_INTERVAL_S)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("before", "wait_s"), [(b"", 5), (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 15)])
async def test_idle_connections_are_closed_without_a_word(autojump_clock, before, wait_s):
    async with connection_to(read_all) as client:
        if before:
            await client.send_all(before)
            assert (await client.receive_some()).endswith(b"ok")
        assert await client.receive_some() == b""
        assert trio.current_time() == pytest.approx(wait_s, abs=2 * CHECK_INTERVAL_S)


async def test_application_may_take_longer_than_any_timeout_of_the_client(autojump_clock):
    async def app(scope, receive, send):
        await trio.sleep(100)
        await read_all(scope, receive, send)

    assert (await answer_to(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", app)).endswith(b"ok")


async def test_pauses_within_a_body_add_up_to_its_timeout(autojump_clock):
    async with connection_to(read_all, body_timeout_s=10) as client:
        await client.send_all(POST + b"Content-Length: 100\r\n\r\n")
        for _ in range(3):
            await client.send_all(b"x")
            await trio.sleep(3)
        assert status(await client.receive_some()) == 408
        assert trio.current_time() == pytest.approx(10)


async def test_unread_body_that_never_comes_ends_the_connection(autojump_clock):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async with connection_to(app, body_timeout_s=10) as client:
        await client.send_all(POST + b"Content-Length: 100\r\n\r\n")
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200")
        assert await client.receive_some() == b""
        assert trio.current_time() == pytest.approx(10)


async def test_client_that_does_not_read_is_given_up(autojump_clock):
    client, server = trio.testing.lockstep_stream_pair()
    errors = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"200000")]})
        try:
            await send({"type": "http.response.body", "body": b"x" * 200_000})
        except OSError as error:
            errors.append(str(error))

    limits = ServerLimits(write_timeout_s=10)
    connection = HttpConnection(stream=server, app=app, limits=limits, date=HttpDate(None))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(9)
        received = 0
        while received < 65_536:  # the first piece: the time for the second starts
            received += len(await client.receive_some())
    assert errors == ["the client reads too slowly"]
    assert trio.current_time() == pytest.approx(9 + 10)


@pytest.mark.parametrize("bad", [{"connections_max": 0}, {"header_timeout_s": 0}, {"body_bytes_max": -1}])
def test_limits_that_serve_nobody_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ServerLimits(**bad)
