"""A trader and clients of the CLOB's sockets on a running simulator."""

import json
from contextlib import asynccontextmanager

import pytest
import trio
from trio_websocket import ConnectionClosed, open_websocket_url


class SocketClient:
    """Reads events one by one, whether they come alone or in a list."""

    def __init__(self, socket):
        self.socket = socket
        self.waiting = []

    async def send(self, frame):
        await self.socket.send_message(frame if isinstance(frame, str) else json.dumps(frame))

    async def frame(self, timeout_s=5):
        with trio.fail_after(timeout_s):
            return await self.socket.get_message()

    async def event(self, timeout_s=5):
        while not self.waiting:
            frame = json.loads(await self.frame(timeout_s))
            self.waiting = frame if isinstance(frame, list) else [frame]
        return self.waiting.pop(0)

    async def events(self, count):
        return [await self.event() for _ in range(count)]

    async def next_of(self, kind):
        """The next event of a kind; others are passed over."""
        while True:
            event = await self.event()
            if event["event_type"] == kind:
                return event

    async def nothing_for(self, seconds=0.2):
        """True when not even a PING's answer comes before any event does."""
        with trio.move_on_after(seconds):
            await self.event()
            return False
        return True

    async def close_code(self):
        with trio.fail_after(5), pytest.raises(ConnectionClosed) as closed:
            await self._read_for_ever()
        return closed.value.reason.code if closed.value.reason is not None else None

    async def _read_for_ever(self):
        while True:
            await self.socket.get_message()


@asynccontextmanager
async def socket_of(venue, channel):
    async with open_websocket_url(f"{venue.urls.clob_ws_url}/ws/{channel}", message_queue_size=1_000) as socket:
        try:
            yield SocketClient(socket)
        finally:
            # trio-websocket leaves its TCP stream open when the server ends the connection.
            await socket.aclose()
            await socket._stream.aclose()


@asynccontextmanager
async def market_socket(venue, *tokens, **options):
    async with socket_of(venue, "market") as client:
        await client.send({"type": "market", "assets_ids": list(tokens), **options})
        yield client


@asynccontextmanager
async def user_socket(venue, creds, **options):
    async with socket_of(venue, "user") as client:
        await client.send({"type": "user", "auth": creds.socket_auth(), **options})
        await client.send("PING")
        # What was sent before has been read when this comes.
        assert await client.frame() == "PONG"
        yield client
