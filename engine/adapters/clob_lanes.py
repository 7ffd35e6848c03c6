"""HTTP for orders: a few connections of one account, each request sent once, and what is known when no answer comes.

Nothing is retried, no redirect followed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import attrs

from engine.adapters.http_line import HttpAnswer, HttpFailure, NotSentError
from engine.adapters.http_lines import HttpLines, open_lines
from protocols.venue.clob_orders import Answered, Lost, PostReply, Unsent, retry_after_of

API, USER = "clob", "orders"
RETRY_AFTER_MAX_S = 60.0
_MAY_SAY_WHEN = frozenset({425, 429, 503})
_DIGITS_MAX = 12


@attrs.define(eq=False, kw_only=True)
class ClobLanes:
    """Requests of one account, which bear its headers."""

    base_url: str
    lines: HttpLines
    timeout_s: float
    requests: Counter[tuple[str, str, str]]
    """Shared counter by (api, who asks, status code or kind of failure)."""

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"", query: str = ""
    ) -> PostReply:
        """Sends one request and returns what is known of its fate. Never raises for what the world does."""
        target = f"{path}?{query}" if query else path
        try:
            answer = await self.lines.request(method, target, headers, body, self.timeout_s)
        except HttpFailure as error:
            is_unsent = isinstance(error, NotSentError)
            self.requests[API, USER, "timeout" if error.timed_out else "unsent" if is_unsent else "lost"] += 1
            return Unsent(str(error)) if is_unsent else Lost(str(error))
        self.requests[API, USER, str(answer.status)] += 1
        return Answered(
            status=answer.status,
            body=answer.body,
            retry_after_s=_retry_after_s(answer),
            rate_limit_remaining=_remaining(answer),
        )


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
    base_url: str,
    *,
    lanes: int,
    timeout_s: float,
    user_agent: str,
    requests: Counter[tuple[str, str, str]],
    may_send: Callable[[], bool] = lambda: True,
) -> AsyncIterator[ClobLanes]:
    """Opens the lanes of one account for as long as the context lasts.

    `may_send` is asked right before the first byte of each request: what it forbids is `Unsent`.
    """
    headers = {"Content-Type": "application/json"}
    async with open_lines(
        base_url,
        connections=lanes,
        user_agent=user_agent,
        headers=headers,
        silence_max_s=timeout_s,
        may_send=may_send,
    ) as lines:
        yield ClobLanes(base_url=base_url, lines=lines, timeout_s=timeout_s, requests=requests)
