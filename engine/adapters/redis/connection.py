"""The one thin module between this program and the Redis client.

A connection is opened when it is needed and again after it was lost, and is dropped whenever its state is in doubt: after a
time-out, a cancellation, a lost socket. The client's own pool is left aside: its slots of connections that fail while they are
leased do not come back.
"""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import certifi
import trio
from coredis.connection import (
    BaseConnection,
    TCPConnection,
    TCPLocation,
    UnixDomainSocketConnection,
    UnixDomainSocketLocation,
)
from coredis.exceptions import RedisError, ResponseError, StreamConsumerGroupError

from engine.adapters.redis.address import RedisAddress
from protocols.errors import RejectedError, TransientError

# What a server says that cannot serve now and may later: starting, a replica during a failover, out of memory, not let in yet.
PASSING = ("LOADING", "READONLY", "MASTERDOWN", "BUSY ", "OOM", "TRYAGAIN", "CLUSTERDOWN", "NOAUTH", "WRONGPASS", "NOPERM",
           "MISCONF", "NOREPLICAS", "UNBLOCKED")  # fmt: skip


class RefusedReplyError(RejectedError):
    """The server understood and refused; `code` is the first word of what it said."""

    def __init__(self, text: str) -> None:
        super().__init__(text[:200])
        self.code = text.partition(" ")[0]


@attrs.define(eq=False)
class RedisConnection:
    """One connection, opened when needed. One call at a time; one that blocks in the server wants a connection of its own."""

    address: RedisAddress
    name: str
    _nursery: trio.Nursery
    connects: int = attrs.field(init=False, default=0)
    _raw: BaseConnection | None = attrs.field(init=False, default=None, repr=False)
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def call(self, command: str, *arguments: bytes | str | int, wait_s: float = 0) -> Any:
        """Returns the reply to one command; texts are bytes. `wait_s` is how long the server itself may take its time.

        Raises `TransientError` when there is no answer (whether it was done is unknown then), and `RefusedReplyError`.
        """
        async with self._lock:
            with trio.move_on_after(self.address.timeout_s + wait_s) as scope:
                return await self._call(command, arguments)
            assert scope.cancelled_caught
            raise TransientError(f"redis: no answer within {self.address.timeout_s + wait_s:g} s")

    async def _call(self, command: str, arguments: tuple[bytes | str | int, ...]) -> Any:
        try:
            if self._raw is None or not self._raw.usable:
                self._raw = await self._connect()
            return await self._raw.create_request(command.encode(), *arguments, decode=False)
        except BaseException as error:
            failure = self._translated(error)
            if failure is error:
                raise
        # Out here it has no context, so nothing keeps the frames and values of the failed call alive.
        raise failure

    def _translated(self, error: BaseException) -> BaseException:
        text = str(error).strip() or type(error).__name__
        if isinstance(error, ResponseError | StreamConsumerGroupError):
            code = _code_of(error)
            text = text if text.startswith(code) else f"{code}{text}"
            if not text.startswith(PASSING):
                return RefusedReplyError(text)
            self.drop()
            return TransientError(f"redis: {text[:200]}")
        self.drop()
        if isinstance(error, RedisError | OSError | trio.BrokenResourceError | trio.ClosedResourceError):
            cause = error.__cause__
            return TransientError(f"redis: {text[:200]}" + (f" ({cause})"[:200] if cause is not None else ""))
        return error

    async def _connect(self) -> BaseConnection:
        address = self.address
        common: dict[str, Any] = {
            "client_name": f"polycopy-{self.name}",
            "db": address.database,
            "username": address.username,
            "password": None if address.password is None else address.password.reveal(),
            "connect_timeout": address.timeout_s,
        }
        raw: BaseConnection
        if address.socket_path:
            raw = UnixDomainSocketConnection(UnixDomainSocketLocation(address.socket_path), **common)
        else:
            context = _tls(address.ca_file) if address.is_tls else None
            location = TCPLocation(address.host, address.port)
            raw = TCPConnection(location, ssl_context=context, socket_keepalive=True, **common)
        try:
            await self._nursery.start(raw.run)
        except BaseException:
            raw.invalidate()
            _close_buffers(raw)
            raise
        self.connects += 1
        return raw

    def drop(self) -> None:
        """Forgets the connection without waiting for the server. Idempotent."""
        if self._raw is not None:
            raw, self._raw = self._raw, None
            raw.invalidate()


@asynccontextmanager
async def open_redis(address: RedisAddress) -> AsyncIterator["RedisOffice"]:
    """Yields where connections come from; all are closed at the end, also when cancelled. Connects to nobody yet."""
    # The client writes tracebacks of what we translate and tell ourselves.
    logging.getLogger("coredis").setLevel(logging.CRITICAL + 1)
    async with trio.open_nursery() as nursery:
        try:
            yield RedisOffice(address, nursery)
        finally:
            nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class RedisOffice:
    """Gives out connections that live as long as it does."""

    address: RedisAddress
    _nursery: trio.Nursery

    def connection(self, name: str) -> RedisConnection:
        """Returns a new connection, not opened yet; `name` is shown by the server's list of clients."""
        return RedisConnection(self.address, name, self._nursery)


def _code_of(error: RedisError) -> str:
    """Returns the word that the client took off the text of errors that it has a class for."""
    return {
        "NoScriptError": "NOSCRIPT ",
        "ReadOnlyError": "READONLY ",
        "StreamConsumerGroupError": "NOGROUP ",
        "AuthenticationFailureError": "WRONGPASS ",
        "AuthenticationRequiredError": "NOAUTH ",
        "AuthorizationError": "NOPERM ",
        "UnblockedError": "UNBLOCKED ",
        "StreamDuplicateConsumerGroupError": "BUSYGROUP ",
    }.get(type(error).__name__, "")


def _close_buffers(raw: BaseConnection) -> None:
    """Closes what the client leaves open of a connection that never came to be; it would warn of each."""
    for name in ("_write_buffer", "_push_message_buffer", "_streamed_message_buffer"):
        for end in ("_in", "_out"):
            getattr(raw, name + end).close()


def _tls(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or certifi.where())
