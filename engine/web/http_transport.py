"""A byte stream with the patience of the server: every wait on the peer is bounded, every failure has one name.

Sockets take a short way. A request on a kept connection costs one wait for readiness and one read and one write without
waiting; the stream methods of trio try first, wait, guard and pass the scheduler once more each, and a timeout is a
scope: together they cost more than parsing and answering. The short way uses public parts of trio only.
"""

import math
import os

import trio

from engine.web.http_error import ClientDisconnected

__all__ = ["READ_BYTES", "HttpTransport"]

READ_BYTES = 16_384
_WRITE_PIECE_BYTES = 65_536
_LINGER_S = 1.0
_LINGER_BYTES_MAX = 1_048_576


class HttpTransport:
    """Reads and writes of one connection. One reader and one writer at a time."""

    def __init__(self, stream: trio.abc.Stream, *, write_timeout_s: float) -> None:
        self._stream = stream
        self._write_timeout_s = write_timeout_s
        self._fd = stream.socket.fileno() if isinstance(stream, trio.SocketStream) else None
        self.broken = False
        """A write failed or was cancelled half way: nothing sensible can be written any more."""
        self.at_eof = False
        """The peer has closed its side."""

    async def read(self) -> bytes:
        """Wait for some input; empty: the peer has closed or broken the connection. The caller bounds the wait."""
        while not self.at_eof:
            try:
                if self._fd is None:
                    data: bytes | None = bytes(await self._stream.receive_some(READ_BYTES))
                    self.at_eof = not data
                else:
                    await trio.lowlevel.wait_readable(self._fd)
                    data = self._read_now(self._fd)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
            if data is not None:
                return data
        self.at_eof = True
        return b""

    def read_now(self) -> bytes | None:
        """Input that is there already; empty: the peer has closed; None: nothing, or a stream that cannot tell."""
        if self.at_eof:
            return b""
        return None if self._fd is None else self._read_now(self._fd)

    async def write(self, data: bytes) -> None:
        """Send all of it. Raises ClientDisconnected when the peer is gone or takes too long.

        Not a checkpoint when the kernel takes all of it at once.
        """
        if self.broken:
            raise ClientDisconnected("the connection is broken")
        sent_bytes = 0 if self._fd is None else self._write_now(self._fd, data)
        if sent_bytes < len(data):
            self.broken = True  # until all is sent: a cancelled write may have sent any part
            await self._write_patiently(memoryview(data)[sent_bytes:])
            self.broken = False

    async def linger(self) -> None:
        """Before closing: tell the peer that nothing more comes, and discard for a moment what it still sends.

        A socket closed with unread input sends a reset, which can destroy the response on its way to the reader.
        """
        if self.broken or self.at_eof or not isinstance(self._stream, trio.abc.HalfCloseableStream):
            return
        budget_bytes = float(_LINGER_BYTES_MAX)
        with trio.move_on_after(_LINGER_S):
            try:
                await self._stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            while budget_bytes > 0:
                budget_bytes -= len(await self.read()) or math.inf

    async def close(self) -> None:
        """Close at once, without waiting on the peer."""
        # From here the descriptor may belong to another connection: an application that kept `send` must not reach it.
        self.broken = self.at_eof = True
        with trio.CancelScope(shield=True):  # else, when cancelled, the cancellation would replace an error in flight
            await trio.aclose_forcefully(self._stream)

    def _read_now(self, fd: int) -> bytes | None:
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        self.at_eof = not data
        return data

    def _write_now(self, fd: int, data: bytes) -> int:
        try:
            return os.write(fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            self.broken = True
            raise ClientDisconnected("the client has closed the connection") from None

    async def _write_patiently(self, rest: memoryview) -> None:
        for start in range(0, len(rest), _WRITE_PIECE_BYTES):
            with trio.move_on_after(self._write_timeout_s) as scope:
                try:
                    await self._stream.send_all(rest[start : start + _WRITE_PIECE_BYTES])
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    raise ClientDisconnected("the client has closed the connection") from None
            if scope.cancelled_caught:
                raise ClientDisconnected("the client reads too slowly")
