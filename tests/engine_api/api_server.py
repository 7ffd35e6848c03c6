"""The API behind the real server, for a client on loopback."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import httpx
import trio
from engine_simulator.loopback_http import NO_TLS
from starlette.applications import Starlette

from engine.api.app import EngineApp
from engine.api.gate import Gate
from engine.api.mount import ApiMount
from engine.api.route import ApiRoute, Rate
from engine.web.asgi_server import ServerLimits, serve_asgi
from protocols.users import Principal, Scope, token_digest

TOKEN = "pcy_" + "a" * 43
USER_ID = "00000000-0000-4000-8000-000000000001"
PLENTY = dict.fromkeys(Rate, 1_000_000)


def principal(*scopes: Scope, token_id: str = "t1", **fields: Any) -> Principal:
    return Principal(user_id=USER_ID, user_name="ann", token_id=token_id, scopes=frozenset(scopes), **fields)


def gate_of(tokens: dict[str, Principal], **options: Any) -> Gate:
    table = {token_digest(text.encode()): one for text, one in tokens.items()}
    return Gate(table.get, **{"rates": PLENTY, **options})


def full_gate() -> Gate:
    return gate_of({TOKEN: principal(*Scope)})


def route(handler: Any, path: str = "/api/thing", **fields: Any) -> ApiRoute:
    defaults = {"method": "GET", "scope": Scope.READ, "summary": "A thing.", "answer": dict[str, int]}
    return ApiRoute(path=path, handler=handler, **{**defaults, **fields})


@attrs.frozen
class Client:
    """Asks with a token unless told otherwise."""

    http: httpx.AsyncClient
    port: int

    async def ask(self, method: str, path: str, *, token: str | None = TOKEN, **options: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= options.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.ask("GET", path, **options)


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Client]:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(partial(serve_asgi, app, host="127.0.0.1", port=0, limits=ServerLimits()))
        async with httpx.AsyncClient(verify=NO_TLS, base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            yield Client(http, port)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def serving_routes(*routes: ApiRoute, gate: Gate | None = None) -> AsyncIterator[Client]:
    async with serving(app_of(routes, gate or full_gate())) as client:
        yield client


def app_of(routes: Sequence[ApiRoute], gate: Gate) -> EngineApp:
    mount = ApiMount()
    mount.install(routes, gate)
    return EngineApp(Starlette(), mount)


def error_of(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal, whose shape it checks."""
    document = response.json()
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message", "field", "problems"}
    return response.status_code, document["error"]["code"], document["error"]["field"]
