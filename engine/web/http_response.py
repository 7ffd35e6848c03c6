"""Responses to bytes, without I/O: framing, connection headers, error bodies."""

import json
from collections.abc import Iterable
from email.utils import formatdate
from enum import Enum, auto
from functools import cache, lru_cache
from http import HTTPStatus
from typing import NamedTuple

from protocols.clock import WallClock

__all__ = ["HttpDate", "ResponseEncoder", "error_response"]

_JUDGED = frozenset((b"content-length", b"content-type", b"transfer-encoding", b"connection", b"date"))
_BODYLESS = (204, 304)
_HEADS_MAX = 256
_LAST_CHUNK = b"0\r\n\r\n"


class HttpDate:
    """The Date header of responses, rendered once a second; none without a clock (RFC 9110 section 6.6.1)."""

    def __init__(self, clock: WallClock | None) -> None:
        self._clock = clock
        self._second = -1
        self._line = b""

    def line(self) -> bytes:
        """The whole header line, or nothing."""
        if self._clock is not None:
            second = self._clock.now_ms() // 1_000
            if second != self._second:
                self._second = second
                self._line = b"date: %b\r\n" % formatdate(second, usegmt=True).encode("ascii")
        return self._line


class _Framing(Enum):
    NO_BODY = auto()
    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()


# Plain names: on Python 3.11 each look-up of an enum member on its class calls a descriptor.
_NO_BODY, _LENGTH, _CHUNKED, _UNTIL_CLOSE = _Framing


class _Headers(NamedTuple):
    """What the application's headers say."""

    text: bytes
    length: int | None
    is_event_stream: bool
    has_date: bool
    closes: bool


def _headers(status: int, headers: Iterable[tuple[bytes, bytes]]) -> _Headers:
    lines: list[bytes] = []
    length: int | None = None
    is_event_stream = has_date = closes = False
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in _JUDGED:
            if name == b"content-length":
                length = int(value)
                if status == 204:
                    continue
            elif name == b"content-type":
                is_event_stream = value.lower().startswith(b"text/event-stream")
            elif name == b"date":
                has_date = True
            else:  # how the connection and its framing go on is decided here
                closes = closes or (name == b"connection" and b"close" in value.lower())
                continue
        lines.append(b"%b: %b\r\n" % (name, value))
    text = b"".join(lines)
    if text.count(b"\n") != len(lines) or text.count(b"\r") != len(lines) or b"\0" in text:
        raise ValueError("a response header holds a line break or NUL")
    return _Headers(text, length, is_event_stream, has_date, closes)


@lru_cache(maxsize=_HEADS_MAX)
def _known_headers(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> _Headers:
    return _headers(status, headers)


class ResponseEncoder:
    """One response. `start` and `body` give the bytes to write now; both raise ValueError on what cannot be sent.

    The head of a response of known length waits for its body, so that both leave in one write. Without a length the
    response is a stream, and its reader wants to know at once that it has begun.
    """

    def __init__(self, *, method: str, http_version: str, keep_alive: bool, date: bytes) -> None:
        self._is_head = method == "HEAD"
        self._is_1_0 = http_version == "1.0"
        self._date = date
        self._framing: _Framing | None = None
        self._held = b""
        self._length = 0
        self._sent = 0
        self.keep_alive = keep_alive
        self.begun = False
        """Whether bytes were handed out: from then on the client cannot be told anything else."""
        self.complete = False
        self.is_event_stream = False

    def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Take the head of the response."""
        if self._framing is not None:
            raise ValueError("the response has started already")
        if not 200 <= status <= 599:
            raise ValueError(f"{status} is not the status of a final response")
        text, length = self._read_headers(status, headers)
        self._framing = framing = self._choose_framing(status, length)
        head = b"".join((_status_line(status), text, self._date, self._own_lines()))
        if framing is _LENGTH:
            self._held = head
            return b""
        self.complete = framing is _NO_BODY
        self.begun = True
        return head

    def body(self, data: bytes | memoryview, *, more: bool) -> bytes:
        """Take a part of the body."""
        framing = self._framing
        if framing is None:
            raise ValueError("the response has not started")
        if framing is _NO_BODY:
            return b""
        if self.complete:
            raise ValueError("the response is complete already")
        if framing is _LENGTH:
            self._sent += len(data)
            if self._sent > self._length or (self._sent < self._length and not more):
                raise ValueError(f"body of {self._sent} bytes in a response of Content-Length {self._length}")
            data = b"".join((self._held, data)) if self._held else bytes(data)
            self._held = b""
        elif framing is _CHUNKED:
            chunk = (b"%x\r\n" % len(data), data, b"\r\n") if data else ()  # an empty chunk would end the body
            data = b"".join((*chunk, b"" if more else _LAST_CHUNK))
        self.complete = not more
        self.begun = self.begun or bool(data)
        return bytes(data)

    def end_stream(self) -> bytes:
        """What ends a stream that its application has left; a shorter response of known length has no good end."""
        if self._framing is not _CHUNKED or self.complete:
            return b""
        self.complete = True
        return _LAST_CHUNK

    def _read_headers(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int | None]:
        try:
            # Most heads were written before: documents differ in their length only, and lengths repeat.
            found = _known_headers(status, headers) if type(headers) is tuple else _headers(status, headers)
        except TypeError:  # made of lists
            found = _headers(status, headers)
        self.is_event_stream = found.is_event_stream
        if found.has_date:
            self._date = b""
        if found.closes:
            self.keep_alive = False
        return found.text, found.length

    def _choose_framing(self, status: int, length: int | None) -> _Framing:
        if self._is_head or status in _BODYLESS:
            return _NO_BODY
        if length is not None:
            self._length = length
            return _LENGTH
        if self._is_1_0:
            self.keep_alive = False
            return _UNTIL_CLOSE
        return _CHUNKED

    def _own_lines(self) -> bytes:
        coding = b"transfer-encoding: chunked\r\n" if self._framing is _CHUNKED else b""
        if not self.keep_alive:
            return coding + b"connection: close\r\n\r\n"
        return coding + (b"connection: keep-alive\r\n\r\n" if self._is_1_0 else b"\r\n")


def error_response(
    status: int,
    reason: str,
    *,
    date: bytes = b"",
    is_head: bool = False,
    retry_after_s: int | None = None,
) -> bytes:
    """A whole response with body `{"error": reason}` that announces the end of the connection."""
    body = json.dumps({"error": reason}).encode()
    return b"".join(
        (
            _status_line(status),
            b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
            date,
            b"" if retry_after_s is None else b"retry-after: %d\r\n" % retry_after_s,
            b"connection: close\r\n\r\n",
            b"" if is_head else body,
        )
    )


@cache
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")
