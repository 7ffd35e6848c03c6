"""A request to a venue in trouble: what an unfriendly answer says, how a loss is known, and that it stays one request."""

from collections import Counter
from functools import partial

import pytest
import trio
import trio.testing
from engine_adapters.raw_http import OK, dripping, resetting, saying, saying_and_hanging_up, serving, silent

from engine.adapters.clob_lanes import open_lanes
from protocols.venue.clob_orders import Answered, Lost, Unsent


@pytest.mark.parametrize(
    ("head", "body", "retry_after_s", "remaining"),
    [
        ("429 No\r\nRetry-After: 3\r\nPoly-RateLimit-Remaining: -2", b"{}", 3.0, -2),
        ("429 No\r\nRetry-After: 4000\r\nPoly-RateLimit-Remaining: 59", b"{}", 60.0, 59),
        ("429 No\r\nRetry-After: soon\r\nPoly-RateLimit-Remaining: --2", b"{}", None, None),
        ("429 No\r\nRetry-After: " + "9" * 5_000, b"{}", None, None),
        ("425 No", b'{"error":"matching engine is restarting","retry_after_seconds":9}', 9.0, None),
        ("503 No", b'{"code":"post_only_mode","retry_after_seconds":79}', 60.0, None),
        ("503 No", b'{"retry_after_seconds":-1}', None, None),
        ("503 No", b"<html>", None, None),
        ("400 No", b'{"error":"x","retry_after_seconds":9}', None, None),
        ("302 No\r\nLocation: /elsewhere", b"", None, None),
    ],
)
async def test_an_answer_is_an_answer_whatever_it_says(head, body, retry_after_s, remaining):
    raw = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    async with serving(saying(raw)) as (server, lanes):
        reply = await lanes.send("POST", "/order", headers={}, body=b"{}")
        wanted = Answered(status=int(head[:3]), body=body, retry_after_s=retry_after_s, rate_limit_remaining=remaining)
        assert reply == wanted
        assert len(server.requests) == 1, "neither repeated nor redirected"


LOSSES = {
    "resets": resetting,
    "hangs up within the head": saying_and_hanging_up(b"HTTP/1.1 200 O"),
    "hangs up within the body": saying_and_hanging_up(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"),
    "speaks something else": saying_and_hanging_up(b"\x16\x03\x01garbage\r\n\r\n"),
    "says nothing": silent,
    "never ends": dripping,
}


@pytest.mark.parametrize("then", LOSSES.values(), ids=LOSSES)
async def test_a_request_without_a_whole_answer_in_time_is_lost_and_not_sent_again(then):
    async with serving(then, timeout_s=0.3) as (server, lanes):
        began_s = trio.current_time()
        reply = await lanes.send("POST", "/order", headers={}, body=b"{}")
        assert isinstance(reply, Lost)
        assert reply.reason
        assert trio.current_time() - began_s < 2
        assert len(server.requests) == 1
        assert sum(lanes.requests.values()) == 1
        server.then = saying(OK)
        assert isinstance(await lanes.send("GET", "/time", headers={}), Answered)
        assert server.connections == 2


async def test_a_server_that_does_not_speak_tls_proves_that_nothing_was_sent():
    seen: list[bytes] = []

    async def handle(stream: trio.SocketStream) -> None:
        seen.append(bytes(await stream.receive_some(65_536)))
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        url = f"https://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with open_lanes(url, lanes=1, timeout_s=2, user_agent="t", requests=Counter()) as lanes:
            assert isinstance(await lanes.send("POST", "/order", headers={}, body=b"an order"), Unsent)
        assert len(seen) == 1
        assert b"order" not in seen[0]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("count", [1, 2])
async def test_lanes_work_side_by_side_and_who_waits_is_served_in_turn(count):
    gate = trio.Event()

    async def then(stream: trio.SocketStream) -> None:
        await gate.wait()
        await stream.send_all(OK)

    async with serving(then, lanes=count) as (server, lanes):
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(partial(lanes.send, "GET", f"/{number}", headers={}))
                await trio.testing.wait_all_tasks_blocked(0.01)
            assert len(server.requests) == count
            gate.set()
        served = [int(request.split(b" ")[1][1:]) for request in server.requests]
        # Two lanes may overtake each other by one.
        assert all(abs(number - place) < count for place, number in enumerate(served))
        assert server.connections == count


async def test_who_gives_up_frees_his_lane():
    async with serving(silent, timeout_s=30) as (server, lanes):
        with trio.move_on_after(0.05):
            await lanes.send("POST", "/order", headers={}, body=b"{}")
        server.then = saying(OK)
        assert isinstance(await lanes.send("GET", "/time", headers={}), Answered)
