"""One HTTP/1.1 connection for requests that are sent once: it knows whether a byte of one may have left.

httptools reads the answers. A general client builds, merges and checks addresses, headers and cookies anew for each request:
ten times the processor time of what is needed, a fifth of the engine's at fifty copied trades a second (measured).
"""

import math
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import attrs
import httptools
import trio

IDLE_MAX_S = 30.0
"""A connection that was idle for longer may be about to be closed by the other side: a new one is made."""
_READ_BYTES = 1 << 16
_TARGET = re.compile(r"[!-~]+")
_VALUE = re.compile(r"[ -~]*")
_INFORMATIONAL_BELOW = 200


class HttpFailure(Exception):
    """There is no answer."""

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out


class NotSentError(HttpFailure):
    """Not a byte of the request left."""


class NoAnswerError(HttpFailure):
    """The request was sent, or a part of it, and no whole answer came."""


@attrs.frozen(kw_only=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several the last."""
    body: bytes


@attrs.define(eq=False)
class _Reading:
    """What the parser has seen of one answer."""

    bytes_max: int
    parser: Any = attrs.field(init=False)
    headers: dict[str, str] = attrs.field(init=False, factory=dict)
    body: bytearray = attrs.field(init=False, factory=bytearray)
    status: int = attrs.field(init=False, default=0)
    has_headers: bool = attrs.field(init=False, default=False)
    done: bool = attrs.field(init=False, default=False)
    keeps_alive: bool = attrs.field(init=False, default=False)
    """Whether the connection may be used again."""

    def __attrs_post_init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        self.has_headers = self.status >= _INFORMATIONAL_BELOW

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        if self.status < _INFORMATIONAL_BELOW:
            self.headers.clear()
        else:
            # The parser forgets it with the answer.
            self.keeps_alive = bool(self.parser.should_keep_alive())
            self.done = True

    def feed(self, data: bytes) -> None:
        """Takes what came. Raises `NoAnswerError` for what is no answer, or one that is too long."""
        if self.done:
            raise NoAnswerError("more than one answer")
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise NoAnswerError(f"not an answer: {type(error).__name__}") from None
        if len(self.body) > self.bytes_max:
            raise NoAnswerError(f"an answer of more than {self.bytes_max} bytes")

    def end(self) -> None:
        """Takes the end of the connection: of an answer without a length it is the end, else a part is missing."""
        if not self.has_headers or "content-length" in self.headers or "transfer-encoding" in self.headers:
            raise NoAnswerError("the connection was closed before the answer was whole")
        self.done = True


@attrs.define(eq=False, kw_only=True)
class HttpLine:
    """Requests to one server, one at a time."""

    base_url: str
    headers: Mapping[str, str]
    """Of every request."""
    tls: ssl.SSLContext
    answer_bytes_max: int
    silence_max_s: float = math.inf
    """How long a connection may take to be made, and how long nothing may come while an answer is awaited."""
    may_send: Callable[[], bool] = lambda: True
    """Asked when there is a connection, and nothing is waited for any more before the first byte: making one takes seconds."""
    connections: int = attrs.field(init=False, default=0)
    """Made so far."""
    _stream: trio.abc.Stream | None = attrs.field(init=False, default=None)
    _socket: trio.socket.SocketType | None = attrs.field(init=False, default=None)
    _idle_since_s: float = attrs.field(init=False, default=0.0)
    _prefix: str = attrs.field(init=False)
    _fixed: bytes = attrs.field(init=False)
    sending: bool = attrs.field(init=False, default=False)
    """Whether a byte of the last request may have left."""

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._fixed = _header_lines({"Host": host, **self.headers})

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Sends a request once. Raises `NotSentError` and `NoAnswerError`; who is cancelled looks at `sending`."""
        self.sending = False
        if not _TARGET.fullmatch(target):
            raise NotSentError("an address that cannot be sent")
        head = f"{method} {self._prefix}{target} HTTP/1.1\r\n".encode("ascii")
        length = {"Content-Length": str(len(body))} if body or method != "GET" else {}
        lines = self._fixed + _header_lines({**headers, **length})
        stream = await self._connected()
        if not self.may_send():
            raise NotSentError("it may not be sent any more")
        reading, kept = _Reading(self.answer_bytes_max), False
        try:
            self.sending = True
            await stream.send_all(head + lines + b"\r\n" + body)
            while not reading.done:
                data = await self._received(stream)
                if data:
                    reading.feed(bytes(data))
                else:
                    reading.end()
            kept = reading.keeps_alive
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
            raise NoAnswerError(_reason(error)) from None
        finally:
            # It holds on to what it reports to.
            reading.parser = None
            if not kept:
                await self.aclose()
        self._idle_since_s = trio.current_time()
        return HttpAnswer(status=reading.status, headers=reading.headers, body=bytes(reading.body))

    async def aclose(self) -> None:
        """Closes the connection, if there is one; without a farewell."""
        stream, self._stream, self._socket = self._stream, None, None
        if stream is not None:
            await trio.aclose_forcefully(stream)

    async def _received(self, stream: trio.abc.Stream) -> bytes | bytearray:
        with trio.move_on_after(self.silence_max_s):
            return await stream.receive_some(_READ_BYTES)
        raise NoAnswerError(f"nothing came for {self.silence_max_s:g} s", timed_out=True)

    async def _connected(self) -> trio.abc.Stream:
        """Returns the connection at hand, unless it is old or the other side has closed it, or a new one."""
        if self._stream is not None and self._socket is not None:
            # Nothing may come unasked but the end.
            if trio.current_time() - self._idle_since_s < IDLE_MAX_S and not self._socket.is_readable():
                return self._stream
            await self.aclose()
        with trio.move_on_after(self.silence_max_s):
            self._stream, self._socket = await self._connection()
            self.connections += 1
            return self._stream
        raise NotSentError(f"no connection within {self.silence_max_s:g} s", timed_out=True)

    async def _connection(self) -> tuple[trio.abc.Stream, trio.socket.SocketType]:
        parts = urlsplit(self.base_url)
        secure = parts.scheme == "https"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotSentError("not an address")
        try:
            tcp = await trio.open_tcp_stream(parts.hostname, parts.port or (443 if secure else 80))
        except (OSError, ValueError) as error:
            # A name that cannot be encoded is a ValueError, as is a port that is none.
            raise NotSentError(_reason(error)) from None
        if not secure:
            return tcp, tcp.socket
        tls = trio.SSLStream(tcp, self.tls, server_hostname=parts.hostname, https_compatible=True)
        try:
            await tls.do_handshake()
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
            await _closed(tcp)
            raise NotSentError(_reason(error)) from None
        except BaseException:
            await _closed(tcp)
            raise
        return tls, tcp.socket


async def _closed(stream: trio.SocketStream) -> None:
    with suppress(OSError):
        await trio.aclose_forcefully(stream)


def _header_lines(headers: Mapping[str, str]) -> bytes:
    for value in headers.values():
        if not _VALUE.fullmatch(value):
            raise NotSentError("a header that cannot be sent")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) and error.__cause__ else error
    text = str(cause).splitlines()[0][:120] if str(cause) else ""
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
