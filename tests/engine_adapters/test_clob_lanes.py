"""What is known of a request's fate, whatever the other side does and whenever it does it."""

import socket
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from engine.adapters.clob_lanes import open_lanes
from engine.adapters.http_line import IDLE_MAX_S
from protocols.venue.clob_orders import Answered, Lost, Unsent

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"


class Server:
    """Answers each request of a connection with the next of `answers`; None hangs up, "" says nothing for ever."""

    def __init__(self, *answers):
        self.answers, self.requests, self.connections = list(answers), [], 0

    async def serve(self, stream):
        self.connections += 1
        data = b""
        async with stream:
            while self.answers:
                while b"\r\n\r\n" not in data or not self._is_whole(data):
                    chunk = await stream.receive_some()
                    if not chunk:
                        return
                    data += chunk
                self.requests.append(data)
                data = b""
                answer = self.answers.pop(0)
                if answer is None:
                    return
                if answer == b"":
                    await trio.sleep_forever()
                await stream.send_all(answer)

    @staticmethod
    def _is_whole(data):
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return len(body) >= int(lengths[0].split(b":")[1])


@asynccontextmanager
async def lanes_to(server, *, lanes=1, timeout_s=0.3, prefix="", **named):
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        counts = Counter()
        address = f"http://127.0.0.1:{port}{prefix}"
        async with open_lanes(
            address, lanes=lanes, timeout_s=timeout_s, user_agent="us", requests=counts, **named
        ) as opened:
            yield opened, counts
        nursery.cancel_scope.cancel()


async def post(lanes, **changes):
    return await lanes.send("POST", "/order", **{"headers": {"POLY_KEY": "k"}, "body": b'{"a":1}', **changes})


@pytest.mark.parametrize("answer", [OK, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"HTTP/1.1 200 OK\r\n\r\n{}"])
async def test_a_whole_answer_is_told_however_it_is_framed(answer):
    server = Server(answer, None)
    async with lanes_to(server) as (lanes, counts):
        if b"\r\n\r\n{}" in answer and b"Length" not in answer:
            # Its end is the end of the connection.
            server.answers = [answer]
        assert await post(lanes) == Answered(status=200, body=b"{}")
        assert counts == {("clob", "orders", "200"): 1}


async def test_a_request_goes_out_once_and_whole_and_connections_are_kept():
    server = Server(*[OK] * 3)
    async with lanes_to(server, prefix="/v1/") as (lanes, _):
        for _ in range(3):
            assert isinstance(await post(lanes, query="a=b"), Answered)
    assert server.connections == 1
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/order?a=b HTTP/1.1"
    assert {b"POLY_KEY: k", b"User-Agent: us", b"Accept-Encoding: identity", b"Content-Length: 7"} <= set(lines)
    assert body == b'{"a":1}'
    assert len(server.requests) == 3


async def test_whether_it_may_go_out_is_asked_when_there_is_a_connection_and_nothing_leaves_otherwise():
    server, asked, answers = Server(*[OK] * 2), [], [True, False, True]
    lines = []

    def may_send():
        asked.append(lines[0].connections)
        return answers.pop(0)

    async with lanes_to(server, may_send=may_send) as (lanes, counts):
        lines += lanes.lines.lines
        assert isinstance(await post(lanes), Answered)
        assert isinstance(await post(lanes), Unsent)
        assert isinstance(await post(lanes), Answered)
    # A new connection had been made by the time it was asked; the one that was not used is kept.
    assert asked == [1, 1, 1]
    assert len(server.requests) == 2
    assert counts["clob", "orders", "unsent"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
async def test_what_was_sent_and_not_answered_whole_is_lost_and_never_sent_again(answer):
    server = Server(answer)
    async with lanes_to(server) as (lanes, counts):
        assert isinstance(await post(lanes), Lost)
        assert sum(counts.values()) == 1
    assert len(server.requests) == 1


async def test_the_next_request_takes_a_new_connection_after_a_lost_one():
    server = Server(None, OK)
    async with lanes_to(server) as (lanes, _):
        assert isinstance(await post(lanes), Lost)
        assert isinstance(await post(lanes), Answered)
    assert server.connections == 2


async def test_a_connection_that_the_other_side_closed_meanwhile_is_not_used():
    server = Server(OK)
    async with lanes_to(server) as (lanes, _):
        assert isinstance(await post(lanes), Answered)
        # The server has no more answers and hangs up.
        with trio.fail_after(10):
            while not lanes.lines.lines[0]._socket.is_readable():
                await trio.sleep(0.001)
        server.answers = [OK]
        assert isinstance(await post(lanes), Answered)
    assert server.connections == 2


async def test_an_idle_connection_is_not_trusted_for_long():
    server = Server(OK, OK)
    async with lanes_to(server) as (lanes, _):
        await post(lanes)
        lanes.lines.lines[0]._idle_since_s -= IDLE_MAX_S
        await post(lanes)
    assert server.connections == 2


async def test_an_answer_that_closes_the_connection_is_whole_all_the_same():
    closing = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    server = Server(closing, closing)
    async with lanes_to(server) as (lanes, _):
        assert isinstance(await post(lanes), Answered)
        assert isinstance(await post(lanes), Answered)
    assert server.connections == 2


async def test_a_second_answer_that_nobody_asked_for_is_never_taken_for_the_next():
    server = Server(OK + OK.replace(b"200", b"201"), OK)
    async with lanes_to(server) as (lanes, _):
        await post(lanes)
        second = await post(lanes)
        assert isinstance(second, Lost) or second.status == 200


@pytest.mark.parametrize(
    "changes",
    [{"query": "a b"}, {"query": "a\r\nX: y"}, {"headers": {"A": "b\r\nX: y"}}, {"headers": {"A": "ü"}}],
)
async def test_what_cannot_be_put_on_the_wire_is_not_sent(changes):
    server = Server(OK)
    async with lanes_to(server) as (lanes, _):
        assert isinstance(await post(lanes, **changes), Unsent)
    assert not server.requests


async def test_without_a_connection_nothing_was_sent():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        counts = Counter()
        async with open_lanes(address, lanes=1, timeout_s=1, user_agent="us", requests=counts) as lanes:
            assert isinstance(await post(lanes), Unsent)
    assert counts == {("clob", "orders", "unsent"): 1}


async def test_a_handshake_that_never_ends_sent_nothing():
    server = Server(b"")
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        address = f"https://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with open_lanes(address, lanes=1, timeout_s=0.2, user_agent="us", requests=Counter()) as lanes:
            reply = await post(lanes)
        nursery.cancel_scope.cancel()
    assert isinstance(reply, Unsent)


async def test_requests_take_turns_on_few_lanes():
    server = Server(*[OK] * 12)
    async with lanes_to(server, lanes=3, timeout_s=5) as (lanes, counts), trio.open_nursery() as nursery:
        for _ in range(12):
            nursery.start_soon(post, lanes)
    assert counts == {("clob", "orders", "200"): 12}
    assert server.connections <= 3
