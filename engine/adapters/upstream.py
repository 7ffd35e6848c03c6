"""One upstream HTTP API: a few connections, a rate limit, and errors named by how to react."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import quote, urlencode

import attrs

from config.schema import VenueConfig
from engine.adapters.http_line import HttpFailure
from engine.adapters.http_lines import HttpLines, open_lines
from engine.runtime.rate_limit import TokenBucket
from engine.runtime.traffic import Traffic
from protocols.errors import RejectedError, TransientError

# 404 and 410 tell that an API is gone, 400, 414 and 422 that a request will never be answered.
REFUSALS = frozenset({400, 404, 410, 414, 422})
RETRY_AFTER_MAX_S = 60.0
_PATH_SAFE = "/%:@!$&'()*+,;=~"
Params = Sequence[tuple[str, str | int]]


@attrs.define(eq=False, kw_only=True)
class Upstream:
    """Reads of one API. Never follows a redirect and never retries by itself: that is the caller's decision."""

    name: str
    lines: HttpLines
    bucket: TokenBucket
    total_timeout_s: float
    traffic: Traffic
    user: str = ""
    """Which part of the engine asks, for the metric."""

    async def get(self, path: str, params: Params = ()) -> bytes:
        """Returns the body of a 200 answer.

        Raises `RejectedError` for statuses that speak of this very request, and `TransientError` for everything else that
        is no answer: time-outs, lost connections, 5xx, 429, and a 403 that says where we are and not what we asked.
        """
        query = f"?{urlencode(params, errors='replace')}" if params else ""
        return await self._read("GET", _escaped(path) + query, {}, b"")

    async def post(self, path: str, body: bytes) -> bytes:
        """Returns the 200 answer to a JSON body that only asks: what may be sent again at will. Raises as `get` does."""
        return await self._read("POST", _escaped(path), {"Content-Type": "application/json"}, body)

    async def _read(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        path = target.partition("?")[0]
        await self.bucket.take()
        await self.traffic.admit(self.name, path)
        try:
            answer = await self.lines.request(method, target, headers, body, self.total_timeout_s)
        except HttpFailure as error:
            self.traffic.requests[self.name, self.user, "timeout" if error.timed_out else "error"] += 1
            raise TransientError(f"{self.name}: {str(error)[:120]}") from None
        self.traffic.requests[self.name, self.user, str(answer.status)] += 1
        if answer.status == HTTPStatus.OK:
            return answer.body
        self._note_retry_after(path, answer.headers.get("retry-after", ""))
        text = f"{self.name}: {path} answered {answer.status}"
        if answer.status in REFUSALS:
            raise RejectedError(f"{text}: {answer.body[:120].decode(errors='replace')!r}")
        raise TransientError(text)

    def _note_retry_after(self, path: str, value: str) -> None:
        if value.isascii() and value.isdigit():
            pause_s = min(float(value), RETRY_AFTER_MAX_S)
            self.bucket.block_for(pause_s)
            self.traffic.block_for(self.name, path, pause_s)


def _escaped(path: str) -> str:
    return quote(path, safe=_PATH_SAFE, errors="replace")


@asynccontextmanager
async def open_upstream(
    name: str,
    base_url: str,
    venue: VenueConfig,
    *,
    rate_per_s: float,
    traffic: Traffic,
    user: str = "",
    connections_max: int = 2,
    burst: int | None = None,
) -> AsyncIterator[Upstream]:
    """Opens an API for one part of the engine (`user`), for as long as the context lasts.

    The rate is what this part may take of the allowance that `traffic` keeps for all of them (venue.md §6).
    """
    timeout_s = venue.request_timeout_s
    async with open_lines(
        base_url, connections=connections_max, user_agent=venue.user_agent, headers={}, silence_max_s=timeout_s
    ) as lines:
        bucket = TokenBucket(rate_per_s=rate_per_s, burst=round(rate_per_s) if burst is None else burst)
        yield Upstream(name=name, lines=lines, bucket=bucket, total_timeout_s=3 * timeout_s, traffic=traffic, user=user)
