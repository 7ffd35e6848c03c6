"""Reads what a websocket client sends: a handshake, then masked frames. Enough for a server that trusts its client."""

from collections.abc import AsyncIterator

import attrs
import trio

TEXT = 0x1
CLOSE = 0x8
PING = 0x9
_READ_BYTES = 4096


async def read_head(stream: trio.SocketStream) -> tuple[bytes, bytes]:
    """Returns the head of an HTTP request and what came after it. Raises `EOFError`."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += await _more(stream)
    return bytes(data[:end]), bytes(data[end + 4 :])


async def _more(stream: trio.SocketStream) -> bytes:
    chunk = bytes(await stream.receive_some(_READ_BYTES))
    if not chunk:
        raise EOFError
    return chunk


@attrs.define(eq=False)
class WebSocketReader:
    """Iterates over (opcode, payload) until the connection ends."""

    _stream: trio.SocketStream
    _data: bytearray

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        while True:
            try:
                head = await self._take(2)
                length = head[1] & 0x7F
                if length >= 126:
                    length = int.from_bytes(await self._take(2 if length == 126 else 8))
                mask = await self._take(4)
                payload = await self._take(length)
            except EOFError:
                return
            yield head[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    async def _take(self, count: int) -> bytes:
        while len(self._data) < count:
            self._data += await _more(self._stream)
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken


def control_frame(opcode: int, payload: bytes) -> bytes:
    """Returns an unmasked control frame of at most 125 bytes."""
    return bytes((0x80 | opcode, len(payload))) + payload
