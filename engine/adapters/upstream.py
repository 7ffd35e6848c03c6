"""One upstream HTTP API: a few connections, a rate limit, and errors named by how to react."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import attrs
import httpx

from engine.adapters.rate_limit import TokenBucket
from protocols.errors import RejectedError, TransientError

BODY_BYTES_MAX = 32 << 20
RETRY_AFTER_MAX_S = 60.0
Params = Sequence[tuple[str, str | int]]


@attrs.define(eq=False, kw_only=True)
class Upstream:
    """GETs of one API. Never follows a redirect and never retries by itself: that is the caller's decision."""

    name: str
    client: httpx.AsyncClient
    bucket: TokenBucket
    requests: Counter[tuple[str, str]]
    """Shared counter by (api, status code or kind of failure)."""

    async def get(self, path: str, params: Params = ()) -> bytes:
        """Returns the body of a 200 answer.

        Raises `TransientError` for time-outs, lost connections, 408, 425, 429, 5xx and bodies that are too large, and
        `RejectedError` for any other status.
        """
        await self.bucket.take()
        try:
            response = await self.client.get(path, params=list(params))
        except httpx.TimeoutException:
            self.requests[self.name, "timeout"] += 1
            raise TransientError(f"{self.name}: no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            self.requests[self.name, "error"] += 1
            raise TransientError(f"{self.name}: {type(error).__name__}: {str(error)[:120]}") from None
        self.requests[self.name, str(response.status_code)] += 1
        if response.status_code == httpx.codes.OK:
            if len(response.content) > BODY_BYTES_MAX:
                raise TransientError(f"{self.name}: answer of {len(response.content)} bytes")
            return response.content
        self._note_retry_after(response)
        text = f"{self.name}: {path} answered {response.status_code}"
        if response.status_code in (408, 425, 429) or response.status_code >= 500:
            raise TransientError(text)
        raise RejectedError(f"{text}: {response.text[:120]}")

    def _note_retry_after(self, response: httpx.Response) -> None:
        value = response.headers.get("retry-after", "")
        if value.isascii() and value.isdigit():
            self.bucket.block_for(min(float(value), RETRY_AFTER_MAX_S))


@asynccontextmanager
async def open_upstream(
    name: str,
    base_url: str,
    *,
    headers: Mapping[str, str],
    timeout_s: float,
    rate_per_s: float,
    burst: int,
    requests: Counter[tuple[str, str]],
    connections_max: int = 2,
) -> AsyncIterator[Upstream]:
    """Opens an API for as long as the context lasts. The rate lies below the venue's published limit (venue.md §6)."""
    limits = httpx.Limits(max_connections=connections_max, max_keepalive_connections=connections_max)
    async with httpx.AsyncClient(
        base_url=base_url.rstrip("/"),
        headers={"Accept": "application/json", **headers},
        timeout=timeout_s,
        limits=limits,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        bucket = TokenBucket(rate_per_s=rate_per_s, burst=burst)
        yield Upstream(name=name, client=client, bucket=bucket, requests=requests)
