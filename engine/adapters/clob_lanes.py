"""HTTP for orders: a few connections of one account, each request sent once, and what is known when no answer comes.

A lane is one connection: a shared pool is unfair under load (measured). Nothing is retried, no redirect followed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
import trio

from engine.adapters.http_line import HttpAnswer, HttpLine, NoAnswerError, NotSentError
from engine.adapters.upstream import tls_context
from protocols.venue.clob_orders import Answered, Lost, PostReply, Unsent, retry_after_of

API = "clob"
BODY_BYTES_MAX = 32 << 20
RETRY_AFTER_MAX_S = 60.0
_MAY_SAY_WHEN = frozenset({425, 429, 503})
_DIGITS_MAX = 12


@attrs.define(eq=False, kw_only=True)
class ClobLanes:
    """Sends requests on the first lane that is free; who waits is served in turn."""

    base_url: str
    lines: list[HttpLine]
    timeout_s: float
    requests: Counter[tuple[str, str]]
    """Shared counter by (api, status code or kind of failure)."""
    _free: list[HttpLine] = attrs.field(init=False)
    _turn: trio.CapacityLimiter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._free = list(self.lines)
        self._turn = trio.CapacityLimiter(len(self.lines))

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"", query: str = ""
    ) -> PostReply:
        """Sends one request and returns what is known of its fate. Never raises for what the world does."""
        async with self._turn:
            # The one that was used last: it is the least likely to have been closed.
            line = self._free.pop()
            try:
                return await self._sent(line, method, f"{path}?{query}" if query else path, headers, body)
            finally:
                self._free.append(line)

    async def _sent(
        self, line: HttpLine, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> PostReply:
        try:
            with trio.move_on_after(self.timeout_s):
                answer = await line.request(method, target, headers, body)
                self.requests[API, str(answer.status)] += 1
                return Answered(
                    status=answer.status,
                    body=answer.body,
                    retry_after_s=_retry_after_s(answer),
                    rate_limit_remaining=_remaining(answer),
                )
        except NotSentError as error:
            # No connection was made: not a byte of the request left.
            self.requests[API, "unsent"] += 1
            return Unsent(str(error))
        except NoAnswerError as error:
            self.requests[API, "lost"] += 1
            return Lost(str(error))
        self.requests[API, "timeout"] += 1
        if line.sending:
            return Lost(f"no answer within {self.timeout_s:g} s")
        return Unsent(f"no connection within {self.timeout_s:g} s")


def _retry_after_s(answer: HttpAnswer) -> float | None:
    """A restarting engine says it in its body (venue.md §4.3)."""
    value = answer.headers.get("retry-after", "")
    if value.isascii() and value.isdigit() and len(value) < _DIGITS_MAX:
        return min(float(value), RETRY_AFTER_MAX_S)
    seconds = retry_after_of(answer.body) if answer.status in _MAY_SAY_WHEN else None
    return None if seconds is None else float(min(seconds, RETRY_AFTER_MAX_S))


def _remaining(answer: HttpAnswer) -> int | None:
    value = answer.headers.get("poly-ratelimit-remaining", "")
    digits = value.removeprefix("-")
    return int(value) if digits.isascii() and digits.isdigit() and len(digits) < _DIGITS_MAX else None


@asynccontextmanager
async def open_lanes(
    base_url: str, *, lanes: int, timeout_s: float, user_agent: str, requests: Counter[tuple[str, str]]
) -> AsyncIterator[ClobLanes]:
    """Opens the lanes of one account for as long as the context lasts."""
    # Uncompressed: a small answer that unfolds to gigabytes would be in memory before it could be measured.
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": user_agent,
    }
    lines = [
        HttpLine(base_url=base_url, headers=headers, tls=tls_context(), answer_bytes_max=BODY_BYTES_MAX)
        for _ in range(lanes)
    ]
    try:
        yield ClobLanes(base_url=base_url, lines=lines, timeout_s=timeout_s, requests=requests)
    finally:
        with trio.CancelScope(shield=True):
            for line in lines:
                await line.aclose()
