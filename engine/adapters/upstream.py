"""One upstream HTTP API: a few connections, a rate limit, and errors named by how to react."""

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import attrs
import httpx
import trio

from config.schema import VenueConfig
from engine.adapters.rate_limit import TokenBucket
from protocols.errors import RejectedError, TransientError

BODY_BYTES_MAX = 32 << 20
# 404 and 410 tell that an API is gone, 400, 414 and 422 that a request will never be answered.
REFUSALS = frozenset({400, 404, 410, 414, 422})
RETRY_AFTER_MAX_S = 60.0
Params = Sequence[tuple[str, str | int]]


@attrs.define(eq=False, kw_only=True)
class Upstream:
    """Reads of one API. Never follows a redirect and never retries by itself: that is the caller's decision."""

    name: str
    client: httpx.AsyncClient
    bucket: TokenBucket
    total_timeout_s: float
    requests: Counter[tuple[str, str]]
    """Shared counter by (api, status code or kind of failure)."""

    async def get(self, path: str, params: Params = ()) -> bytes:
        """Returns the body of a 200 answer.

        Raises `RejectedError` for statuses that speak of this very request, and `TransientError` for everything else that
        is no answer: time-outs, lost connections, 5xx, 429, and a 403 that says where we are and not what we asked.
        """
        return await self._read("GET", path, params=list(params))

    async def post(self, path: str, body: bytes) -> bytes:
        """Returns the 200 answer to a JSON body that only asks: what may be sent again at will. Raises as `get` does."""
        return await self._read("POST", path, content=body, headers={"Content-Type": "application/json"})

    async def _read(self, method: str, path: str, **what: Any) -> bytes:
        await self.bucket.take()
        response = None
        try:
            # The client's own time-out starts anew with every byte; this one does not.
            with trio.move_on_after(self.total_timeout_s):
                response = await self.client.request(method, path, **what)
        except httpx.TimeoutException:
            self.requests[self.name, "timeout"] += 1
            raise TransientError(f"{self.name}: no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            self.requests[self.name, "error"] += 1
            raise TransientError(f"{self.name}: {type(error).__name__}: {str(error)[:120]}") from None
        if response is None:
            self.requests[self.name, "timeout"] += 1
            raise TransientError(f"{self.name}: no whole answer within {self.total_timeout_s:g} s")
        self.requests[self.name, str(response.status_code)] += 1
        if response.status_code == httpx.codes.OK:
            if len(response.content) > BODY_BYTES_MAX:
                raise TransientError(f"{self.name}: answer of {len(response.content)} bytes")
            return response.content
        self._note_retry_after(response)
        text = f"{self.name}: {path} answered {response.status_code}"
        if response.status_code in REFUSALS:
            raise RejectedError(f"{text}: {response.text[:120]!r}")
        raise TransientError(text)

    def _note_retry_after(self, response: httpx.Response) -> None:
        value = response.headers.get("retry-after", "")
        if value.isascii() and value.isdigit():
            self.bucket.block_for(min(float(value), RETRY_AFTER_MAX_S))


@cache
def tls_context() -> ssl.SSLContext:
    """Returns one for all clients: each of its own would take 60 ms of the start and 2.5 MB."""
    return httpx.create_ssl_context(trust_env=False)


@asynccontextmanager
async def open_upstream(
    name: str,
    base_url: str,
    venue: VenueConfig,
    *,
    rate_per_s: float,
    requests: Counter[tuple[str, str]],
    connections_max: int = 2,
) -> AsyncIterator[Upstream]:
    """Opens an API for as long as the context lasts. The rate lies below the venue's published limit (venue.md §6)."""
    timeout_s = venue.request_timeout_s
    limits = httpx.Limits(max_connections=connections_max, max_keepalive_connections=connections_max)
    async with httpx.AsyncClient(
        base_url=base_url.rstrip("/"),
        # Uncompressed: a small answer that unfolds to gigabytes would be in memory before it could be measured.
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": venue.user_agent},
        timeout=timeout_s,
        limits=limits,
        follow_redirects=False,
        trust_env=False,
        verify=tls_context(),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    ) as client:
        bucket = TokenBucket(rate_per_s=rate_per_s, burst=round(rate_per_s))
        yield Upstream(name=name, client=client, bucket=bucket, total_timeout_s=3 * timeout_s, requests=requests)
