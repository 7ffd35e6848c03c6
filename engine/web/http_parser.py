"""Bytes to requests, one message at a time, without I/O.

httptools reports all messages of one read at once and cannot pause. A client that pipelines a thousand tiny requests
would thereby make us hold a thousand parsed ones. So input waits here as bytes and is fed in pieces that cannot reach
past the end of the present message: a head and a chunked body both end with an empty line, that is CR LF CR LF, and a
body of known length ends where it says.
"""

import httptools

from engine.web.http_error import HttpError
from engine.web.http_limits import ServerLimits
from engine.web.http_request import HEADER_COUNT_MAX, RequestHead, read_request_head

__all__ = ["RequestParser"]

_EMPTY_LINE = b"\r\n\r\n"
_FRAMING_PER_BYTE_MAX = 8  # a chunk of one byte takes five bytes of framing


class RequestParser:
    """Input of one connection. Call `feed`, then `read_head` until it gives a head, then `read_body` until complete."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._pending = b""
        self._offset = 0
        self._body = bytearray()
        self._start_message()

    def _start_message(self) -> None:
        self.body_complete = False
        self._head: RequestHead | None = None
        self._head_bytes = 0
        self._head_parsed = False
        self._overrun = False
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body_bytes = 0
        self._body_input_bytes = 0

    @property
    def begun(self) -> bool:
        """Whether some of the next request has come."""
        return self._head_bytes > 0

    @property
    def pending_bytes(self) -> int:
        """Input received and not parsed yet."""
        return len(self._pending) - self._offset

    def feed(self, data: bytes) -> None:
        """Take input; nothing is parsed before it is asked for."""
        self._pending = self._pending[self._offset :] + data if self._pending else data
        self._offset = 0

    def read_head(self) -> RequestHead | None:
        """The next request, or None: feed more. The body of the one before must be complete. Raises HttpError."""
        if self._head is not None:
            assert self.body_complete
            self._start_message()
        while piece := self._take_to_empty_line():
            self._head_bytes += len(piece)
            self._parse(piece)
            if self._head_bytes > self._limits.header_bytes_max:
                raise HttpError(431, "request headers too large")
            if self._head_parsed:
                self._head = read_request_head(
                    self._method,
                    self._target,
                    self._http_version,
                    self._headers,
                    keep_alive=self._keep_alive,
                    upgrade=self._upgrade,
                    limits=self._limits,
                )
                return self._head
        return None

    def read_body(self) -> bytes:
        """All of the body that has been fed; empty and not `body_complete`: feed more. Raises HttpError (400, 413)."""
        assert self._head is not None
        while not self.body_complete:
            piece = self._take_to_empty_line() if self._head.chunked else self._take_counted(self._head.content_length)
            if not piece:
                break
            self._body_input_bytes += len(piece)
            self._parse(piece)
            if self._body_bytes > self._limits.body_bytes_max:
                raise HttpError(413, "request body too large")
            framing_bytes = self._body_input_bytes - self._body_bytes
            if framing_bytes > self._limits.header_bytes_max + _FRAMING_PER_BYTE_MAX * self._body_bytes:
                raise HttpError(400, "chunk framing out of proportion")
        if not self._body:
            return b""
        body = bytes(self._body)
        self._body.clear()
        return body

    def _take_to_empty_line(self) -> bytes:
        pending, start = self._pending, self._offset
        end = pending.find(_EMPTY_LINE, start)
        if end >= 0:
            end += len(_EMPTY_LINE)
        else:
            end = len(pending)
            # The beginning of an empty line waits for its rest, else the next piece would not be seen to end in one.
            for held in (b"\r\n\r", b"\r\n", b"\r"):
                if pending.endswith(held, start):
                    end -= len(held)
                    break
        return self._take(end)

    def _take_counted(self, content_length: int) -> bytes:
        return self._take(min(self._offset + content_length - self._body_bytes, len(self._pending)))

    def _take(self, end: int) -> bytes:
        piece = self._pending[self._offset : end]
        if end == len(self._pending):
            self._pending = b""
            self._offset = 0
        else:
            self._offset = end
        return piece

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # The client may ask for another protocol; the answer comes in this one (RFC 9110 section 7.8).
            self._parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserError as error:
            raise HttpError(400, f"malformed request: {error}") from error
        if self._overrun:
            raise HttpError(400, "malformed request: more than one message where one must end")

    # Called by httptools, inside feed_data.

    def on_url(self, part: bytes) -> None:
        self._target += part
        self._overrun = self._head_parsed

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_parsed and len(self._headers) <= HEADER_COUNT_MAX:  # trailers are dropped
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        # The parser forgets these when the message is complete, which is before feed_data returns.
        self._head_parsed = True
        self._method = self._parser.get_method()
        self._http_version = self._parser.get_http_version()
        self._keep_alive = self._parser.should_keep_alive()
        self._upgrade = self._parser.should_upgrade()

    def on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        self._body += part

    def on_message_complete(self) -> None:
        self.body_complete = True
