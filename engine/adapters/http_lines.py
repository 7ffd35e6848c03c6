"""A few connections to one HTTP server: each request on the first that is free, sent once."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from ssl import SSLContext, create_default_context

import attrs
import certifi
import trio

from engine.adapters.http_line import HttpAnswer, HttpLine, NoAnswerError, NotSentError

BODY_BYTES_MAX = 32 << 20


@attrs.define(eq=False)
class HttpLines:
    """Requests to one server; who waits for a connection is served in turn. A shared pool is unfair under load (measured)."""

    lines: list[HttpLine]
    _free: list[HttpLine] = attrs.field(init=False)
    _turn: trio.CapacityLimiter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._free = list(self.lines)
        self._turn = trio.CapacityLimiter(len(self.lines))

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpAnswer:
        """Sends a request once; its time begins when it has a connection to itself. Raises `NotSentError`, `NoAnswerError`."""
        async with self._turn:
            # The one that was used last: it is the least likely to have been closed.
            line = self._free.pop()
            try:
                with trio.move_on_after(timeout_s):
                    return await line.request(method, target, headers, body)
                if line.sending:
                    raise NoAnswerError(f"no answer within {timeout_s:g} s", timed_out=True)
                raise NotSentError(f"no connection within {timeout_s:g} s", timed_out=True)
            finally:
                self._free.append(line)


@cache
def tls_context() -> SSLContext:
    """Returns one for all connections: each of its own would take 60 ms of the start and 2.5 MB."""
    context = create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


@asynccontextmanager
async def open_lines(
    base_url: str,
    *,
    connections: int,
    user_agent: str,
    headers: Mapping[str, str],
    silence_max_s: float,
    may_send: Callable[[], bool] = lambda: True,
) -> AsyncIterator[HttpLines]:
    """Opens connections when they are needed, for as long as the context lasts."""
    # Uncompressed: a small answer that unfolds to gigabytes would be in memory before it could be measured.
    fixed = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": user_agent, **headers}
    lines = [
        HttpLine(
            base_url=base_url,
            headers=fixed,
            tls=tls_context(),
            answer_bytes_max=BODY_BYTES_MAX,
            silence_max_s=silence_max_s,
            may_send=may_send,
        )
        for _ in range(connections)
    ]
    try:
        yield HttpLines(lines)
    finally:
        with trio.CancelScope(shield=True):
            for line in lines:
                await line.aclose()
