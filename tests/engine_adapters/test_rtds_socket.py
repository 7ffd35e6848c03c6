"""Whatever stands at the other end costs a dial or a session, never the engine."""

from functools import partial

import pytest
import trio

from engine.adapters.rtds_socket import RtdsDialer
from protocols.errors import TransientError

ANSWERS = {
    "503": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno",
    "403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    "html": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "wrong accept": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: bm8=\r\n\r\n",
    "garbage": b"\x00\xff\x00\xff" * 100,
}


async def serving(answer: bytes | None, nursery: trio.Nursery) -> str:
    """A server that says `answer` to whoever connects and hangs up; None says nothing and stays."""

    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some(4096)
        if answer is None:
            await trio.sleep_forever()
        elif answer:
            await stream.send_all(answer)

    listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
    return f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}"


def dialer(url: str, nursery: trio.Nursery) -> RtdsDialer:
    return RtdsDialer(url=url, user_agent="test", frame_bytes_max=1 << 20, nursery=nursery)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_refused_or_broken_upgrade_is_weather(answer):
    async with trio.open_nursery() as nursery:
        url = await serving(answer, nursery)
        with trio.fail_after(5), pytest.raises(TransientError):
            await dialer(url, nursery).dial()
        nursery.cancel_scope.cancel()


async def test_a_refused_connection_is_weather():
    async with trio.open_nursery() as nursery:
        with pytest.raises(TransientError, match="127"):
            await dialer("ws://127.0.0.1:9", nursery).dial()


async def test_a_dial_that_is_given_up_leaves_no_task_behind():
    async with trio.open_nursery() as servers, trio.open_nursery() as nursery:
        url = await serving(None, servers)
        for _ in range(5):
            with trio.move_on_after(0.1):
                await dialer(url, nursery).dial()
        assert not nursery.child_tasks
        servers.cancel_scope.cancel()
