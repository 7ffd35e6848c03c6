"""HTTP for orders: a few connections of one account, each request sent once, and what is known when no answer comes.

A lane is a client with one connection: a shared pool is unfair under load (measured). Nothing is retried, no redirect followed.
"""

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import attrs
import httpx
import trio

from engine.adapters.upstream import tls_context
from protocols.venue.clob_orders import Answered, Lost, PostReply, Unsent

API = "clob"
BODY_BYTES_MAX = 32 << 20
RETRY_AFTER_MAX_S = 60.0


@attrs.define(eq=False, kw_only=True)
class ClobLanes:
    """Sends requests on the first lane that is free; who waits is served in turn."""

    base_url: str
    clients: list[httpx.AsyncClient]
    timeout_s: float
    requests: Counter[tuple[str, str]]
    """Shared counter by (api, status code or kind of failure)."""
    _free: list[httpx.AsyncClient] = attrs.field(init=False)
    _turn: trio.CapacityLimiter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._free = list(self.clients)
        self._turn = trio.CapacityLimiter(len(self.clients))

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"", query: str = ""
    ) -> PostReply:
        """Sends one request and returns what is known of its fate. Never raises for what the world does."""
        async with self._turn:
            client = self._free.pop()
            try:
                return await self._sent(client, method, f"{path}?{query}" if query else path, headers, body)
            finally:
                self._free.append(client)

    async def _sent(
        self, client: httpx.AsyncClient, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> PostReply:
        try:
            # The client's own time-out starts anew with every byte; this one does not.
            with trio.move_on_after(self.timeout_s):
                response = await client.request(
                    method, target, content=body, headers={**headers, "Content-Type": "application/json"}
                )
                self.requests[API, str(response.status_code)] += 1
                content = response.content[:BODY_BYTES_MAX]
                return Answered(status=response.status_code, body=content, retry_after_s=_retry_after(response))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            # No connection was made: not a byte of the request left.
            self.requests[API, "unsent"] += 1
            return Unsent(_reason(error))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            self.requests[API, "lost"] += 1
            return Lost(_reason(error))
        self.requests[API, "timeout"] += 1
        return Lost(f"no answer within {self.timeout_s:g} s")


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return min(float(value), RETRY_AFTER_MAX_S)
    return None


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0][:120] if str(error) else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@asynccontextmanager
async def open_lanes(
    base_url: str, *, lanes: int, timeout_s: float, user_agent: str, requests: Counter[tuple[str, str]]
) -> AsyncIterator[ClobLanes]:
    """Opens the lanes of one account for as long as the context lasts."""
    context: ssl.SSLContext = tls_context()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=base_url.rstrip("/"),
                    headers={
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                        "User-Agent": user_agent,
                    },
                    timeout=timeout_s,
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                    follow_redirects=False,
                    trust_env=False,
                    verify=context,
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                )
            )
            for _ in range(lanes)
        ]
        yield ClobLanes(base_url=base_url, clients=clients, timeout_s=timeout_s, requests=requests)
