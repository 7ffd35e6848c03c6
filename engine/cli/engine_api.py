"""Asks the API of a running engine, for commands that only it can carry out. Nothing is ever sent twice from here."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click
import httpx

from config.schema import EngineConfig
from engine.cli.command import run_command
from engine.cli.engine_client import EngineUnreachableError, engine_url
from engine.cli.terminal import plain
from protocols.errors import EngineError

T = TypeVar("T")
ANSWER_TIMEOUT_S = 20.0
"""Longer than the engine waits for the fate of an order."""
CONNECT_TIMEOUT_S = 3.0


class ApiRefusedError(EngineError):
    """The engine answered, and did nothing. The message is the engine's."""


class UnansweredError(EngineError):
    """It was asked for, and no answer says whether it was done."""


@attrs.define(eq=False)
class EngineApi:
    """Open it with `open_engine_api`. Answers are JSON with exact decimals."""

    url: str
    client: httpx.AsyncClient

    async def get(self, path: str, **query: str) -> Any:
        """Returns an answer. Raises `EngineUnreachableError` and `ApiRefusedError`."""
        try:
            response = await self.client.get(path, params=query)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise self._unreachable(error) from None
        return self._answer(response)[1]

    async def post(self, path: str, body: Mapping[str, Any] | None) -> tuple[int, Any]:
        """Posts a document, or nothing; returns status and answer.

        Raises `EngineUnreachableError` and `ApiRefusedError` when surely nothing was done.

        Raises `UnansweredError` when nobody knows.
        """
        try:
            if body is None:
                response = await self.client.post(path)
            else:
                response = await self.client.post(
                    path, content=json.dumps(body), headers={"Content-Type": "application/json"}
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, UnicodeError) as error:
            raise self._unreachable(error) from None
        except httpx.HTTPError as error:
            raise UnansweredError(f"the engine did not answer: {str(error) or type(error).__name__}") from None
        if response.is_server_error:
            raise UnansweredError(f"the engine answered {response.status_code}: {_message(response)}")
        return self._answer(response)

    async def require_trading(self) -> None:
        """Raises `EngineUnreachableError`, and `ApiRefusedError` when the engine there does not trade live."""
        if not (await self.get("/api/lt/status"))["isTrading"]:
            raise ApiRefusedError(
                f"the engine at {self.url} does not trade live, nothing was done: set live.enabled in the configuration and "
                "start it with `polycopy run --live`; `polycopy doctor` names what else is missing"
            )

    def _answer(self, response: httpx.Response) -> tuple[int, Any]:
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise ApiRefusedError(
                "the engine does not accept what was sent as token: set http.admin_token as it has it, or --token-file FILE"
            )
        if not response.is_success:
            raise ApiRefusedError(_message(response))
        try:
            return response.status_code, json.loads(response.text, parse_float=Decimal)
        except ValueError:
            raise UnansweredError(f"what answers at {self.url} is no Polycopy engine") from None

    def _unreachable(self, error: Exception) -> EngineUnreachableError:
        reason = str(error) or type(error).__name__
        return EngineUnreachableError(
            f"no engine answers at {self.url}, nothing was done: {reason[:200]}; `polycopy run --live` starts one"
        )


@asynccontextmanager
async def open_engine_api(config: EngineConfig, token: str) -> AsyncIterator[EngineApi]:
    """Opens a client. Raises `EngineUnreachableError` when the engine's port is not fixed."""
    url = engine_url(config.http)
    async with httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        trust_env=False,
    ) as client:
        yield EngineApi(url, client)


def with_engine(config: EngineConfig, token_file: str | None, work: Callable[[EngineApi], Awaitable[T]]) -> T:
    """Runs `work` with the API of the running engine and returns what it returns; a refusal is an error of the command."""

    token = _token(config, token_file)

    async def inside() -> T:
        async with open_engine_api(config, token) as api:
            return await work(api)

    return run_command(inside)


token_option = click.option(
    "--token-file", type=click.Path(exists=True, dir_okay=False), help="File with a token; http.admin_token without it."
)


def _token(config: EngineConfig, token_file: str | None) -> str:
    """Returns the token of a file, or `http.admin_token`. Raises the error of a command that has none."""
    if token_file is not None:
        return Path(token_file).read_text().strip()
    if config.http.admin_token is None:
        raise click.ClickException(
            "the engine takes orders only with a token: `polycopy tokens add NAME --scope read --scope trade` makes one "
            "for --token-file, or set http.admin_token"
        )
    return config.http.admin_token.reveal()


def _message(response: httpx.Response) -> str:
    """Returns what an answer says of its refusal."""
    try:
        body = response.json()
        return plain(body["error"]["message"], 500)
    except (ValueError, LookupError, TypeError):
        return f"{response.status_code} {response.reason_phrase}"
