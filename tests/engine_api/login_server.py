"""The API with logins behind the real server, on a real database, as one engine process serves it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import trio
from engine_api.api_server import PLENTY, Client, app_of, serving

from actors.login_urls import LoginUrls
from actors.session_registry import SessionRegistry
from actors.token_registry import TokenRegistry
from actors.web_login import WebLogin
from config.secrets import Secret
from engine.adapters.password_hashing import Argon2Hasher
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.session_store import PostgresPasswords, PostgresSessions
from engine.adapters.postgres.user_store import UserStore
from engine.adapters.system_clock import SystemClock
from engine.api.browser import CSRF_HEADER, HTTP_COOKIE, BrowserDoor
from engine.api.gate import Gate
from engine.api.peer import networks_of
from engine.api.session_routes import session_routes
from engine.api.user_routes import user_routes
from protocols.sessions import SetSession, csrf_token

BOOTSTRAP = "bootstrap-token-of-the-operator"
PASSWORD = "four plain words here"
ADDRESS = "203.0.113.7"


@attrs.frozen
class LoginServer:
    client: Client
    login: WebLogin
    urls: LoginUrls
    users: UserStore
    gate: Gate
    tokens: TokenRegistry

    async def add_user(self, name: str = "ann", password: str | None = PASSWORD, **fields: Any) -> str:
        user = await self.users.add_user(name, **fields) or await self.users.user(name)
        if password is not None:
            assert await self.login.change_password(name, None, password) is None
        return user.user_id

    async def log_in(self, name: str = "ann", password: str = PASSWORD) -> SetSession:
        made = await self.login.log_in(name, password, ADDRESS, "Firefox")
        assert isinstance(made, SetSession), made
        return made

    async def ask(
        self, made: SetSession | str, method: str, path: str, *, csrf: bool = True, **options: Any
    ) -> httpx.Response:
        """A request as a page of the session sends it."""
        secret = made if isinstance(made, str) else made.secret
        headers = {"Cookie": f"theme=dark; {HTTP_COOKIE}={secret}", "Sec-Fetch-Site": "same-origin"}
        if method != "GET":
            headers["Origin"] = f"http://127.0.0.1:{self.client.port}"
        if csrf:
            headers[CSRF_HEADER] = csrf_token(secret)
        headers |= options.pop("headers", {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return await self.client.ask(method, path, token=None, headers=headers, **options)


@asynccontextmanager
async def login_server(
    database: DatabaseOptions,
    *,
    poll_s: float = 60.0,
    is_money_real: bool = False,
    trusted: str = "",
    routes: Any = None,
) -> AsyncIterator[LoginServer]:
    """It finds changes by others only after `poll_s`. `routes` instead of those of users and sessions."""
    clock, rng = SystemClock(), random.SystemRandom()
    async with open_pool(database, "test", 2) as pool, trio.open_nursery() as nursery:
        users, sessions = UserStore(pool), PostgresSessions(pool)
        tokens = TokenRegistry(store=users, clock=clock, rng=rng, bootstrap=Secret(BOOTSTRAP), poll_s=poll_s)
        registry = SessionRegistry(store=sessions, clock=clock, rng=rng, is_money_real=is_money_real, poll_s=poll_s)
        urls = LoginUrls(is_allowed=not is_money_real, secret_rng=rng, now_s=trio.current_time)
        login = WebLogin(
            sessions=sessions,
            passwords=PostgresPasswords(pool),
            registry=registry,
            hasher=Argon2Hasher(memory_kib=256, passes=1),
            urls=urls,
            clock=clock,
            secret_rng=rng,
        )
        await nursery.start(tokens.run)
        await nursery.start(registry.run)
        door = BrowserDoor(find=registry.find, trusted_proxies=networks_of(trusted))
        gate = Gate(tokens.find, PLENTY, failures_per_minute=1_000_000, door=door)
        own = [*user_routes(users, tokens, clock, rng, registry.forget_user), *session_routes(login, urls)]
        async with serving(app_of(own if routes is None else routes, gate)) as client:
            yield LoginServer(client, login, urls, users, gate, tokens)
        nursery.cancel_scope.cancel()
